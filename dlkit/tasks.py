"""What kind of answer is asked for: how are targets encoded, what is minimised, and which figure chooses?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from dlkit.contracts import Head, Split, Targets
from dlkit.errors import DataError, SettingsError
from dlkit.inference.answers import ClassAnswer, ValueAnswer


@dataclass(frozen=True)
class Classification:
    """One class out of two or more, named by `str` labels.

    Two classes: one sigmoid output, binary cross-entropy. More: a softmax and categorical cross-entropy, for which
    `targets` are class numbers ("sparse") or rows of 0 and a 1 ("one_hot"): the same loss, the latter in as many times
    the memory as there are classes. `class_weights`: "balanced" weighs each row in training by n / (k n_c), of n rows,
    k classes and n_c rows of its class, so that all classes count alike (King & Zeng 2001); figures stay unweighted,
    the validation loss that chooses the epoch included. `loss_name`: "margin" is the squared hinge loss of a support
    vector machine on the same outputs (Liu & Yuan 2011): better for wide, shallow networks of rare features.
    """

    class_weights: Literal["none", "balanced"] = "none"
    targets: Literal["sparse", "one_hot"] = "sparse"
    loss_name: Literal["crossentropy", "margin"] = "crossentropy"

    name: ClassVar[str] = "classification"
    monitor: ClassVar[tuple[str, Literal["max", "min"]]] = ("accuracy", "max")

    def __post_init__(self) -> None:
        if self.class_weights not in ("none", "balanced"):
            raise SettingsError(f"task.class_weights: expected none or balanced, got {self.class_weights!r}.")
        if self.targets not in ("sparse", "one_hot"):
            raise SettingsError(f"task.targets: expected sparse or one_hot, got {self.targets!r}.")

        if self.loss_name not in ("crossentropy", "margin"):
            raise SettingsError(f"task.loss_name: expected crossentropy or margin, got {self.loss_name!r}.")
        if self.loss_name == "margin" and self.targets != "sparse":
            raise SettingsError("task.loss_name=margin needs task.targets=sparse.")

    def fit(self, train: Split, target_name: str) -> ClassAnswer:  # noqa: ARG002 (one signature for all tasks)
        labels = sorted(set(_array(train.targets)))
        if len(labels) < 2:
            raise DataError(f"The training rows have {len(labels)} class ({labels}); classification needs at least 2.")
        return ClassAnswer(tuple(labels))

    def heads(self, answer: ClassAnswer) -> Mapping[str, Head]:
        classes = len(answer.labels)
        return {"answer": Head(1, "sigmoid") if classes == 2 else Head(classes, "softmax")}

    def encode(self, answer: ClassAnswer, targets: Targets) -> np.ndarray:
        """(rows,) labels to (rows, 1) float32 of 0 and 1 for two classes; for more to (rows,) int32 class numbers, or
        to (rows, classes) float32 of 0 and a 1.
        """
        numbers = {label: number for number, label in enumerate(answer.labels)}
        labels = _array(targets)
        unknown = sorted(set(labels) - set(numbers))
        if unknown:
            raise DataError(f"Labels {unknown[:5]} do not occur in the training rows, which have {list(numbers)[:10]}.")
        encoded = np.array([numbers[label] for label in labels], np.int32)
        if len(numbers) == 2:
            return encoded[:, None].astype(np.float32)
        return encoded if self.targets == "sparse" else np.eye(len(numbers), dtype=np.float32)[encoded]

    def loss(self, answer: ClassAnswer) -> str:
        if self.loss_name == "margin":
            return "margin"
        if len(answer.labels) == 2:
            return "binary_crossentropy"
        return f"{'sparse_' if self.targets == 'sparse' else ''}categorical_crossentropy"

    def class_weight(self, answer: ClassAnswer, targets: Targets) -> dict[int, float] | None:
        """Class number to the weight of its rows in training, from raw training targets; None for equal weights."""
        if self.class_weights == "none":
            return None
        from sklearn.utils.class_weight import compute_class_weight

        labels = np.array(answer.labels, object)
        return dict(enumerate(compute_class_weight("balanced", classes=labels, y=_array(targets)).tolist()))

    def metrics(self, answer: ClassAnswer) -> list[str]:  # noqa: ARG002 (one signature for all tasks)
        return ["accuracy"]


@dataclass(frozen=True)
class Regression:
    """A number. `unit`: of the target, for reports. `loss`: "mse", "mae" or "huber".

    `target_scaling`: "standard" lets the network learn (target - mean) / standard deviation of the training rows;
    the inverse is part of every answer and artefact. "log" does so to the logarithm of targets above 0, for errors that
    grow with the target. "none" leaves the unit.
    """

    unit: str = ""
    loss_name: Literal["mse", "mae", "huber"] = "mse"
    target_scaling: Literal["none", "standard", "log"] = "none"

    name: ClassVar[str] = "regression"
    monitor: ClassVar[tuple[str, Literal["max", "min"]]] = ("mae", "min")

    def __post_init__(self) -> None:
        if self.loss_name not in ("mse", "mae", "huber"):
            raise SettingsError(f"task.loss_name: expected mse, mae or huber, got {self.loss_name!r}.")
        if self.target_scaling not in ("none", "standard", "log"):
            raise SettingsError(f"task.target_scaling: expected none, standard or log, got {self.target_scaling!r}.")

    def fit(self, train: Split, target_name: str) -> ValueAnswer:
        values = _array(train.targets).astype(np.float64)
        unknown = int(np.sum(~np.isfinite(values)))
        if unknown:
            raise DataError(
                f"The target is missing or infinite in {unknown} of {len(values)} training rows. Leave these rows out."
            )
        mean, spread = float(values.mean()), float(values.std())
        if spread <= 1e-12 * max(1.0, abs(mean)):
            raise DataError(f"The target is {mean:g} in all {len(values)} training rows: there is nothing to learn.")
        if self.target_scaling == "none":
            return ValueAnswer(target_name, self.unit, spread=spread)
        if self.target_scaling == "standard":
            return ValueAnswer(target_name, self.unit, mean, spread, spread)
        if values.min() <= 0:
            raise DataError(f"task.target_scaling=log needs targets above 0, the smallest is {values.min():g}.")
        logs = np.log(values)
        return ValueAnswer(target_name, self.unit, float(logs.mean()), float(logs.std()), spread, logarithm=True)

    def heads(self, answer: ValueAnswer) -> Mapping[str, Head]:  # noqa: ARG002 (one signature for all tasks)
        return {"answer": Head(1)}

    def encode(self, answer: ValueAnswer, targets: Targets) -> np.ndarray:
        """(rows,) values in own units to (rows, 1) float32 as the network gives them."""
        values = _array(targets).astype(np.float64)
        # A held-out target of 0 or less has no logarithm; the smallest float stands in for it.
        values = np.log(np.maximum(values, np.finfo(np.float32).tiny)) if answer.logarithm else values
        return ((values - answer.mean) / answer.scale)[:, None].astype(np.float32)

    def loss(self, answer: ValueAnswer) -> str:  # noqa: ARG002 (one signature for all tasks)
        return self.loss_name

    def metrics(self, answer: ValueAnswer) -> list[str]:  # noqa: ARG002 (one signature for all tasks)
        return ["mae"]


def _array(targets: Targets) -> np.ndarray:
    if not isinstance(targets, np.ndarray):
        raise DataError("This task needs one target a row; the data gives none or several. Choose another target.")
    return targets
