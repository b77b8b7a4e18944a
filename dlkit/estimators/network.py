"""What do all estimators share: how rows in memory go through the same stages as those of a recipe?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from dlkit.contracts import ColumnKind, Columns, Examples, Preprocessing, Split, Splits, Task
from dlkit.data.splitting import fingerprint, hold_out
from dlkit.errors import DataError, InputError, SettingsError
from dlkit.estimators.refusals import EstimatorNotFittedError, refusing
from dlkit.estimators.saving import Saved, save_run
from dlkit.pipeline import prepare, train
from dlkit.preprocessing.tables import passed_over
from dlkit.recipe import Recipe, Say
from dlkit.run_folder import Content
from dlkit.training.fit import outputs
from dlkit.training.settings import Training

STEPS = 32
"""Steps an epoch that the batch size aims at, where none is given."""


@dataclass(frozen=True)
class GivenRows:
    """The rows that `fit` was given. They lie in no file: there is nothing to load them from again."""

    validation_fraction: float

    def load(self, path: Path | Literal["sample"] | None, *, say: Say, allow_download: bool = True) -> Splits:  # noqa: ARG002 (one signature for all data)
        raise DataError("The rows of an estimator are given to its fit method; they cannot be loaded.")


class Network(BaseEstimator):
    """Base of the estimators; the parameters are those of `Training`, but for those named there.

    After `fit`: `model_`, the Keras network; `history_`, a row an epoch; `validation_`, figures on the held-out
    rows, of the network that had not seen them; `seed_`, which repeats the fit bit for bit as `random_state`.
    """

    epochs: int
    batch_size: int | None
    learning_rate: float
    patience: int | None
    validation_fraction: float
    refit: bool
    random_state: int | np.random.RandomState | None

    def save(self, folder: str | Path) -> Path:
        """Write a new version `<folder>/<n>/`: what `dlkit.load(folder)` and TensorFlow Serving read.

        Raw input in, answer out; each artefact is proven on the held-out rows before the version appears. Gives the
        path of the version. Raises DisagreementError when an artefact does not answer as the network.
        """
        return save_run(Path(folder), self._learnt())

    def _raw(self, x: object) -> Columns:
        """X as the raw columns that were fitted."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_saved")

    def _learnt(self) -> Saved:
        if not hasattr(self, "_saved"):
            name = type(self).__name__
            raise EstimatorNotFittedError(f"This {name} has learnt nothing yet: call fit(X, y) before using it.")
        saved: Saved = self._saved
        return saved

    def _learn(
        self,
        rows: Split,
        kinds: Mapping[str, ColumnKind],
        preprocessing: Preprocessing,
        task: Task[Any],
        model: Callable[..., object],
    ) -> None:
        """Hold rows out, fit preprocessing and task, train."""
        with refusing(type(self).__name__):
            seed = self._seed()
            data = GivenRows(share("validation_fraction", self.validation_fraction, zero=False))
            recipe = Recipe(data, preprocessing, task, model, self._training(len(rows)))
            splits = self._split(rows, kinds, seed, stratify=recipe.task.name == "classification")
            prepared = prepare(recipe, splits)
            outcome = train(prepared, seed=seed, say=lambda _: None)
        for note in passed_over(prepared.transform, prepared.splits.train):
            warnings.warn(f"{type(self).__name__}: {note}", stacklevel=3)
        for warning in outcome.warnings:
            warnings.warn(f"{type(self).__name__}: {warning}", ConvergenceWarning, stacklevel=3)
        content = Content(prepared.transform, prepared.answer, outcome.model, outcome.trained.history)
        self.model_, self.history_, self.seed_ = outcome.model, outcome.trained.history, seed
        self.validation_ = dict(outcome.validation)
        self._saved = Saved(
            type(self).__name__, recipe, content, splits.validation, len(splits.train), self.validation_,
            seed, splits.fingerprint,
        )  # fmt: skip

    def _outputs(self, x: object) -> np.ndarray:
        """X to the network's outputs, (rows, units)."""
        content = self._learnt().content
        with refusing(type(self).__name__):
            columns = self._raw(x)
            found = outputs(content.model, Examples(content.transform.encode(columns)))
            finite = np.isfinite(found).reshape(len(found), -1).all(axis=1)
            if not finite.all():
                raise InputError(
                    f"X, row {int(finite.argmin())}: the answer is no finite number, so a value of the row lies far "
                    "beyond what was learnt. Correct it, or give NaN where it is not known."
                )
        return found

    def _split(self, rows: Split, kinds: Mapping[str, ColumnKind], seed: int, *, stratify: bool) -> Splits:
        if len(rows) < 2:
            raise DataError(
                f"X has {len(rows)} row (n_samples = {len(rows)}): expected at least 2, one to learn from and one to "
                "choose the number of epochs with. Give more rows."
            )
        targets = np.asarray(rows.targets)
        held = round(len(rows) * self.validation_fraction)
        kept, held_out = hold_out(len(rows), held, seed=seed, labels=targets.tolist() if stratify else None)
        columns = [*rows.inputs.values(), targets]
        origin = fingerprint(repr(row) for row in zip(*(column.tolist() for column in columns), strict=True))
        return Splits(
            train=rows.take(kept),
            validation=rows.take(held_out),
            test=rows.take(np.zeros(0, np.int64)),
            kinds=kinds,
            name=type(self).__name__,
            source="rows in memory",
            fingerprint=origin,
        )

    def _seed(self) -> int:
        state = self.random_state
        if isinstance(state, Integral) and not isinstance(state, bool):
            if not 0 <= int(state) < 2**32:
                raise SettingsError(f"random_state: expected a whole number from 0 to 4294967295, got {state}.")
            return int(state)
        if state is not None and not isinstance(state, np.random.RandomState):
            raise SettingsError(f"random_state: expected a whole number, a RandomState or None, got {state!r}.")
        return int(check_random_state(state).randint(2**31 - 1))

    def _training(self, rows: int) -> Training:
        if not isinstance(self.refit, bool | np.bool_):
            raise SettingsError(f"refit: expected True or False, got {self.refit!r}.")
        return Training(
            epochs=whole("epochs", self.epochs),
            batch_size=_batch_size(rows) if self.batch_size is None else whole("batch_size", self.batch_size),
            learning_rate=number("learning_rate", self.learning_rate),
            patience=None if self.patience is None else whole("patience", self.patience),
            refit=bool(self.refit),
            steps_per_execution=16,
            tensorboard=False,
        )


def whole(name: str, value: object) -> int:
    """A whole number of 1 or more; SettingsError where it is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise SettingsError(f"{name}: expected a whole number of 1 or more, got {value!r}.")
    return int(value)


def number(name: str, value: object) -> float:
    """A finite number; SettingsError where it is none."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise SettingsError(f"{name}: expected a number, got {value!r}.")
    return float(value)


def share(name: str, value: object, *, zero: bool) -> float:
    """A number below 1 and above 0, or 0 as well with `zero`; SettingsError where it is none."""
    found = number(name, value)
    if not 0 <= found < 1 or (found == 0 and not zero):
        least = "of 0 or more" if zero else "above 0"
        raise SettingsError(f"{name}: expected a number {least} and below 1, such as 0.2, got {value!r}.")
    return found


def widths(units: object) -> tuple[int, ...]:
    """The units of each hidden layer; SettingsError where they are none."""
    if not isinstance(units, tuple | list) or not units:
        raise SettingsError(f"units: expected a width for each hidden layer, such as (64, 64), got {units!r}.")
    return tuple(whole("units", width) for width in units)


def _batch_size(rows: int) -> int:
    """A power of 2 from 8 to 512 that gives at least `STEPS` steps an epoch: few rows need many steps over them."""
    size = 8
    while size < 512 and size * 2 * STEPS <= rows:
        size *= 2
    return size
