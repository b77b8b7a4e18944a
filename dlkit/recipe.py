"""What is a recipe?"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from dlkit.contracts import Preprocessing, Spec, Splits, Task
from dlkit.errors import DlkitError, SettingsError, did_you_mean
from dlkit.preprocessing.joined import Joined
from dlkit.preprocessing.pairs import Pairs
from dlkit.training.settings import Training

Say = Callable[[str], None]


class Data(Protocol):
    """Settings that say where rows come from and how they are split."""

    def load(self, path: Path | Literal["sample"] | None, *, say: Say, allow_download: bool = True) -> Splits: ...


@dataclass(frozen=True)
class Variant:
    """Another model that a recipe offers, with the stages that it wants different (None: as in the recipe)."""

    model: Callable[..., object]
    preprocessing: Preprocessing | None = None
    task: Task[Any] | None = None
    training: Training | None = None


@dataclass(frozen=True)
class Ensemble:
    """Several of a recipe's models that answer together, each trained as if it were alone.

    `members`: their names. How much each counts is learnt from the validation rows; translators, which have to write
    the same pieces, count alike. `epochs`: how many each learns for here, in their order; empty for as many as alone.
    """

    members: tuple[str, ...]
    epochs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A task, stated in pipeline order.

    `model`: a function `(spec: Spec, **options) -> keras.Model`; its keyword options are the settings `model.*`.
    `variants`: other models by the name that `--model` takes. `baselines`: further baselines beside the mandatory ones.
    `members`: of an ensemble, by name; empty for a single model.
    """

    data: Data
    preprocessing: Preprocessing
    task: Task[Any]
    model: Callable[..., object]
    training: Training = field(default_factory=Training)
    variants: Mapping[str, Callable[..., object] | Variant | Ensemble] = field(default_factory=dict)
    baselines: tuple[str, ...] = ()
    members: Mapping[str, Recipe] = field(default_factory=dict)

    @property
    def default_model(self) -> str:
        """Name of `model`: that of its function."""
        return model_function(self.model).__name__

    @property
    def models(self) -> tuple[str, ...]:
        """Names of all models on offer, the default first."""
        return (self.default_model, *(name for name in self.variants if name != self.default_model))

    def with_model(self, name: str | None) -> Recipe:
        """The recipe with one of its models; SettingsError where there is none of that name."""
        if name is None or name == self.default_model:
            return self
        if name not in self.variants:
            raise SettingsError(f"There is no model {name!r} in this recipe.{did_you_mean(name, self.models)}")
        variant = self.variants[name]
        if isinstance(variant, Ensemble):
            self._check_members(name, variant)
            members = {member: self.with_model(member) for member in variant.members}
            for member, epochs in zip(members, variant.epochs, strict=False):
                alone = members[member]
                members[member] = replace(alone, training=replace(alone.training, epochs=epochs))
            return replace(self, model=ensemble).with_members(members)
        if not isinstance(variant, Variant):
            return replace(self, model=variant)
        stages = {item.name: getattr(variant, item.name) for item in fields(variant)}
        return replace(self, **{stage: value for stage, value in stages.items() if value is not None})

    def with_members(self, members: Mapping[str, Recipe]) -> Recipe:
        """An ensemble's recipe with these members, and with their preprocessings."""
        own = {name: member.preprocessing for name, member in members.items()}
        return replace(self, preprocessing=_joined(own), members=members)

    def _check_members(self, name: str, made_of: Ensemble) -> None:
        """SettingsError unless the members of the ensemble `name` are models that can answer together."""
        members = made_of.members
        single = [model for model in self.models if not isinstance(self.variants.get(model), Ensemble)]
        for member in (members,) if isinstance(members, str) else members:
            if member not in single:
                raise SettingsError(f"Ensemble {name!r}: no single model {member!r}.{did_you_mean(member, single)}")
        if isinstance(members, str) or len(set(members)) != len(members) or len(members) < 2:
            raise SettingsError(f"Ensemble {name!r}: expected two different models or more, got {members!r}.")
        if made_of.epochs and len(made_of.epochs) != len(members):
            raise SettingsError(
                f"Ensemble {name!r}: expected epochs for each of its {len(members)} members, got {made_of.epochs!r}."
            )
        if self.task.name not in ("classification", "translation"):
            raise SettingsError(
                f"Ensemble {name!r}: it pools the chances of classes, or of the next piece of a translation; the task "
                f"is {self.task.name}."
            )

    def build(self, spec: Spec) -> object:
        """The network for `spec`, a `keras.Model`; what goes wrong in the model's function is said with its line."""
        if self.members and self.task.name == "translation":
            return _as_one([member.build(spec) for member in self.members.values()])
        try:
            model = self.model(spec)
        except (DlkitError, MemoryError):
            raise
        except Exception as error:
            raise _unbuildable(model_function(self.model), error) from error
        if not hasattr(model, "fit"):
            name, got = model_function(self.model).__name__, type(model).__name__
            raise DlkitError(f"The model {name!r} gave {got}; expected a keras.Model. Does its function return it?")
        return model


def _joined(members: Mapping[str, Preprocessing]) -> Preprocessing:
    """Preprocessings side by side; of pairs of sentences the one that all members share."""
    (name, first), *others = members.items()
    if not isinstance(first, Pairs):
        return Joined(members)
    for other, preprocessing in others:
        if not isinstance(preprocessing, Pairs) or replace(preprocessing, dropout=first.dropout) != first:
            raise SettingsError(
                f"Translators of an ensemble write the same pieces, but {name!r} and {other!r} cut sentences "
                "differently. Give both one preprocessing, of which `dropout` alone may differ."
            )
    return first


def _as_one(networks: Sequence[object]) -> object:
    from dlkit.models import translator_ensembles  # loads Keras

    return translator_ensembles.Members(networks)


def ensemble(spec: Spec) -> object:
    """Stands where a single model has its function; the members are built and trained one by one."""
    raise DlkitError(f"An ensemble is made of trained members, not built from {list(spec.inputs)}.")


def model_function(model: Callable[..., object]) -> Callable[..., object]:
    """The function behind a model that a recipe may have given as `functools.partial(function, …)`."""
    return model_function(model.func) if isinstance(model, partial) else model


def _unbuildable(function: Callable[..., object], error: Exception) -> DlkitError:
    """A value that Keras refuses is a wrong setting; anything else is a fault of the model's function."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f" ({file}, line {frames[-1].lineno}: {frames[-1].line})" if frames else ""
    reason = f"{type(error).__name__}: {str(error)[:300]}"
    message = f"The model {function.__name__!r} cannot be built with these settings: {reason}{where}"
    return SettingsError(message) if isinstance(error, ValueError | TypeError) else DlkitError(message)
