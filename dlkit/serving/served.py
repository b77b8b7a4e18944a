"""Which models does a server hold, under which names and versions?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence

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

    def predict(self, items: Sequence[object]) -> list[dict[str, object]]:
        """As `Predictor.predict`; raises errors of ours only, what else goes wrong is logged in full."""
        try:
            with self._lock:
                return self.predictor.predict(items)
        except DlkitError:
            raise
        except Exception as error:
            _log.exception("Model %s version %s failed on %d items.", self.name, self.version, len(items))
            # The log has the rest: a client has no use for our file names.
            raise DlkitError(f"The model failed on this request ({type(error).__name__}); see the log.") from error


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
