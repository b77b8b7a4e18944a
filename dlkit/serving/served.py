"""Which models does a server hold, under which names and versions?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from dlkit.errors import DlkitError, RunNotFoundError, SettingsError, did_you_mean
from dlkit.inference import Predictor

_log = logging.getLogger("dlkit.serving")


class ServedModel:
    """One version of a model. `predict` may be called from any thread."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        # An interpreter keeps its tensors between set and invoke: two threads would mix their rows.
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.predictor.recipe

    @property
    def version(self) -> int:
        return self.predictor.version

    @property
    def signatures(self) -> tuple[str, ...]:
        """What may be asked for: a latent model's halves too."""
        return ("serving_default", "encode", "decode") if self.predictor.is_latent else ("serving_default",)

    def predict(self, items: Sequence[object], signature: str = "serving_default") -> list[dict[str, object]]:
        """As `Predictor.predict`, or its `encode` and `decode` by that name; raises errors of ours only, what else goes
        wrong is logged in full.
        """
        return self._guarded(lambda: _ask(self.predictor, items, signature), len(items))

    def generate(self, count: int, *, seed: int, label: str | None) -> list[dict[str, object]]:
        """As `Predictor.generate`."""
        return self._guarded(lambda: self.predictor.generate(count, seed=seed, label=label), count)

    def _guarded(self, ask: Callable[[], list[dict[str, object]]], count: int) -> list[dict[str, object]]:
        try:
            with self._lock:
                return ask()
        except DlkitError:
            raise
        except Exception as error:
            _log.exception("Model %s version %s failed on %d items.", self.name, self.version, count)
            # The log has the rest: a client has no use for our file names.
            raise DlkitError(f"The model failed on this request ({type(error).__name__}); see the log.") from error


def _ask(predictor: Predictor, items: Sequence[object], signature: str) -> list[dict[str, object]]:
    if signature == "encode":
        return predictor.encode(items)
    if signature != "decode":
        return predictor.predict(items)
    rows = [item if isinstance(item, Mapping) else {"code": item} for item in items]
    labels = [None if row.get("label") is None else str(row["label"]) for row in rows]
    return predictor.decode([row.get("code") for row in rows], label=labels)


class ServedModels:
    """All models of a server by name and version, as given on the command line.

    Raises SettingsError where there is none, or where two runs would have the same address.
    """

    def __init__(self, predictors: Iterable[Predictor]) -> None:
        self._models: dict[str, dict[int, ServedModel]] = {}
        for predictor in predictors:
            versions = self._models.setdefault(predictor.recipe, {})
            if (other := versions.get(predictor.version)) is not None:
                raise SettingsError(
                    f"Two runs would both be served as {predictor.recipe!r} version {predictor.version}: "
                    f"{other.predictor.run} and {predictor.run}. Leave one of them out."
                )
            versions[predictor.version] = ServedModel(predictor)
        if not self._models:
            raise SettingsError("There is nothing to serve: name at least one run, as in: dlkit serve imdb")

    def __iter__(self) -> Iterator[ServedModel]:
        """The newest version of each model, in the order given."""
        return (versions[max(versions)] for versions in self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def versions(self, name: str) -> list[ServedModel]:
        """All versions of a model, the oldest first."""
        if name not in self._models:
            raise RunNotFoundError(f"No model {name!r} is served here.{did_you_mean(name, self._models)}")
        return [model for _, model in sorted(self._models[name].items())]

    def find(self, name: str, version: str | None = None) -> ServedModel:
        """The model of that name and version (as it stands in a URL), by default its newest."""
        versions = self.versions(name)
        if version is None:
            return versions[-1]
        for model in versions:
            if str(model.version) == version:
                return model
        known = ", ".join(str(model.version) for model in versions)
        raise RunNotFoundError(f"No version {version!r} of model {name!r} is served here. Served: {known}.")
