"""What kind of answer is asked for: how are targets encoded, what is minimised, and which figure chooses?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from dlkit.contracts import Head, Split, Splits, Targets, Task, Transform
from dlkit.data.image_targets import as_labels, as_numbers, matched
from dlkit.errors import DataError, SettingsError, did_you_mean
from dlkit.inference.anomalies import RULES, AnomalyAnswer, Rule, check_both_kinds
from dlkit.inference.answers import ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.tables import TableRows
from dlkit.inference.windows import ANOMALY, ScaledWindows


@dataclass(frozen=True)
class Classification:
    """One class out of two or more, named by `str` labels.

    Two classes: one sigmoid output, binary cross-entropy. More: a softmax and categorical cross-entropy, for which
    `targets` are class numbers ("sparse") or rows of 0 and a 1 ("one_hot"): the same loss, the latter in as many times
    the memory as there are classes. `class_weights`: "balanced" weighs each row in training by n / (k n_c), of n rows,
    k classes and n_c rows of its class, so that all classes count alike (King & Zeng 2001); figures stay unweighted,
    the validation loss that chooses the epoch included. `loss_name`: "margin" is the squared hinge loss of a support
    vector machine on the same outputs (Liu & Yuan 2011): better for wide, shallow networks of rare features.
    `label_smoothing`: share of a row's target that is spread evenly over all classes (Szegedy et al. 2016, section 7);
    needs targets "one_hot". The validation loss that chooses the epoch is of smoothed targets too.
    """

    class_weights: Literal["none", "balanced"] = "none"
    targets: Literal["sparse", "one_hot"] = "sparse"
    loss_name: Literal["crossentropy", "margin"] = "crossentropy"
    label_smoothing: float = 0.0

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
        if not 0 <= self.label_smoothing < 1:
            raise SettingsError(f"task.label_smoothing: expected a share in [0, 1), got {self.label_smoothing}.")
        if self.label_smoothing and (self.targets != "one_hot" or self.loss_name != "crossentropy"):
            raise SettingsError("task.label_smoothing needs task.targets=one_hot and task.loss_name=crossentropy.")

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
            return f"smoothed_binary:{self.label_smoothing}" if self.label_smoothing else "binary_crossentropy"
        if self.label_smoothing:
            return f"smoothed:{self.label_smoothing}"
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
        if spread <= 1e-12 * float(np.abs(values).max()):
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


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What TensorFlow takes for the name of an output."""
_TAKEN = ("label", "value", "error", "warning", "file", "at", "forecast", "anomaly", "reconstruction", "translation")


@dataclass(frozen=True)
class Joint:
    """Several targets of one row, each with a task and an output of its own, learnt together.

    `tasks`: by the name of the target; columns of other names are taken for them by their kind. `weights`: of their
    losses, by the same names, 1 where nothing is said. The network's outputs are in alphabetical order of the names, as
    in `JointAnswer`. A file does not say whether 0 and 1 are numbers or classes, the tasks do: `raw` gives each target
    as its task has it.
    """

    tasks: Mapping[str, Classification | Regression] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    name: ClassVar[str] = "joint"
    monitor: ClassVar[tuple[str, Literal["max", "min"]]] = ("mean_error", "min")

    def __post_init__(self) -> None:
        if not self.tasks:
            raise SettingsError("task.tasks: expected a task for each target, such as {'age': Regression()}; got none.")
        for name, task in self.tasks.items():
            if not _NAME.fullmatch(name):
                raise SettingsError(
                    f"task.tasks: {name!r} is also the name of an output: expected letters A to z, digits, '_', '.' "
                    "and '-', a letter or a digit first. Columns of other names are taken for it by their kind."
                )
            if name in _TAKEN:
                raise SettingsError(
                    f"task.tasks: answers have {name!r} for something else. Give the target another name; a column of "
                    "another name is taken for it by its kind."
                )
            if isinstance(task, Classification) and task.class_weights != "none":
                raise SettingsError(
                    f"task.tasks: {name!r} cannot have class weights beside other targets; leave them out."
                )
        for name, weight in self.weights.items():
            if name not in self.tasks:
                raise SettingsError(f"task.weights: there is no target {name!r}.{did_you_mean(name, self.tasks)}")
            if not 0 < weight < float("inf"):
                raise SettingsError(f"task.weights: expected a number above 0 for {name!r}, got {weight}.")

    def fit(self, train: Split, target_name: str) -> JointAnswer:  # noqa: ARG002 (one signature for all tasks)
        targets = self.raw(train.targets)
        parts = {
            name: task.fit(replace(train, targets=targets[name]), name) for name, task in sorted(self.tasks.items())
        }
        return JointAnswer(parts)

    def heads(self, answer: JointAnswer) -> Mapping[str, Head]:
        found = {}
        for name, task in sorted(self.tasks.items()):
            (found[name],) = task.heads(answer.parts[name]).values()  # type: ignore[arg-type]  # each has its own kind
        return found

    def encode(self, answer: JointAnswer, targets: Targets) -> dict[str, np.ndarray]:
        """Raw targets by name to what each output learns."""
        by_name = self.raw(targets)
        return {
            name: task.encode(answer.parts[name], by_name[name])  # type: ignore[arg-type]  # as above
            for name, task in sorted(self.tasks.items())
        }

    def loss(self, answer: JointAnswer) -> dict[str, str]:
        return {name: task.loss(answer.parts[name]) for name, task in self.tasks.items()}  # type: ignore[arg-type]  # as above

    @property
    def loss_weights(self) -> dict[str, float]:
        """The weight of each target's loss: Keras wants one for every output."""
        return {name: self.weights.get(name, 1.0) for name in self.tasks}

    def metrics(self, answer: JointAnswer) -> dict[str, list[str]]:
        return {name: task.metrics(answer.parts[name]) for name, task in self.tasks.items()}  # type: ignore[arg-type]  # as above

    def readable(self, splits: Splits) -> Splits:
        """The rows with targets as `raw` has them, by the names of the tasks."""
        splits = self._renamed(splits)
        parts = {name: getattr(splits, name) for name in ("train", "validation", "test")}
        return replace(splits, **{name: replace(part, targets=self.raw(part.targets)) for name, part in parts.items()})

    def _renamed(self, splits: Splits) -> Splits:
        """Targets by the names of the tasks where the kinds of their columns tell which is which, with a note."""
        targets = splits.train.targets
        if not isinstance(targets, Mapping) or set(targets) == set(self.tasks):
            return splits
        column_of = matched(targets, self._kinds())
        if column_of is None:
            return splits
        parts = {}
        for name in ("train", "validation", "test"):
            part = getattr(splits, name)
            by_task = {task: part.targets[column] for task, column in column_of.items()}
            parts[name] = replace(part, targets=by_task)
        taken = ", ".join(f"{column!r} as {task!r}" for task, column in column_of.items() if task != column)
        return replace(splits, **parts, notes=(*splits.notes, f"columns are taken by their kind: {taken}"))

    def _kinds(self) -> dict[str, Literal["number", "class"]]:
        return {name: "class" if isinstance(task, Classification) else "number" for name, task in self.tasks.items()}

    def raw(self, targets: Targets) -> dict[str, np.ndarray]:
        """Targets by name, in alphabetical order: (rows,) labels as `str` of a class, float64 of a number."""
        if not isinstance(targets, Mapping) or set(targets) != set(self.tasks):
            there = sorted(targets) if isinstance(targets, Mapping) else "one target"
            kinds = ", ".join(f"{name!r} is a {kind}" for name, kind in sorted(self._kinds().items()))
            raise DataError(
                f"This task learns {sorted(self.tasks)} together; the data has {there}. Name {len(self.tasks)} columns "
                f"with --set data.target=A,B whose values tell which is which ({kinds}), or rename them in the file: "
                f"{','.join(sorted(self.tasks))}."
            )
        return {
            name: (as_labels if isinstance(task, Classification) else as_numbers)(targets[name], name)
            for name, task in sorted(self.tasks.items())
        }


USUAL_RATE, A_WEEK = 0.01, 0.5
"""Of normal rows, and of events in a stream: how many may be above the threshold where no rate is given."""


@dataclass(frozen=True)
class AnomalyDetection:
    """Is a window or a row unlike the normal ones that were learned from? The network gives residuals: input -
    reconstruction.

    `rule`: how the threshold of the score is set on held-out rows: "quantile" of normal scores, "extreme", where their
    tail says that a normal row lies above it with probability `rate` (Siffer et al. 2017), or "best_f1", which needs
    labels. `rate`: normal rows (of a stream: events a row) above the threshold; none: one in a hundred, of a stream
    half an event a week, where that is less. `newest`: so many rows at the end of a window make its score, the others
    being what they are reconstructed from; 0: all rows. `loss_name`: what training minimises of the residuals: "mse",
    "mae" or "huber".
    """

    rule: Rule = "extreme"
    rate: float | None = None
    newest: int = 0
    loss_name: Literal["mse", "mae", "huber"] = "mse"

    name: ClassVar[str] = "anomaly"
    monitor: ClassVar[tuple[str, Literal["max", "min"]]] = ("roc_auc", "max")

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise SettingsError(f"task.rule: unknown {self.rule!r}.{did_you_mean(str(self.rule), RULES)}")
        if self.newest < 0:
            raise SettingsError(f"task.newest: expected a number of rows, 0 for all of a window, got {self.newest}.")
        if self.rate is not None and not 0 < self.rate < 1:
            raise SettingsError(f"task.rate: expected a share of normal rows above 0 and below 1, got {self.rate}.")
        if self.loss_name not in ("mse", "mae", "huber"):
            raise SettingsError(f"task.loss_name: expected mse, mae or huber, got {self.loss_name!r}.")

    def fit(self, train: Split, target_name: str) -> AnomalyAnswer:  # noqa: ARG002 (one signature for all tasks)
        """An answer without channels and threshold yet: see `completed` and `settled`."""
        week, rows_a_week = np.timedelta64(7, "D"), 0.0
        if train.times is not None and len(train.times) > 1:
            step = np.median(np.diff(train.times).astype("timedelta64[ns]").astype(np.int64))
            rows_a_week = float(week / np.timedelta64(int(step), "ns")) if step > 0 else 0.0
        rate = min(USUAL_RATE, A_WEEK / rows_a_week) if rows_a_week else USUAL_RATE
        return AnomalyAnswer((), newest=self.newest, rule=self.rule, rate=self.rate or rate, rows_a_week=rows_a_week)

    def completed(self, answer: AnomalyAnswer, transform: Transform) -> AnomalyAnswer:
        """The answer with the channels of a window, or the features of a row, that the network reconstructs."""
        if not isinstance(transform, ScaledWindows | TableRows):
            raise SettingsError(
                "An anomaly recipe takes windows or rows of a table: preprocessing=ScaledRows(), got "
                f"{type(transform).__name__}."
            )
        window = transform.window if isinstance(transform, ScaledWindows) else 1
        return replace(answer, channels=tuple(transform.features), window=window)

    def check(self, labels: np.ndarray) -> None:
        """DataError where held-out rows of which this is known can set no threshold: better said before training."""
        if self.rule == "best_f1":
            known = np.array([label is not None for label in labels], bool)
            check_both_kinds(labels[known] == ANOMALY)
        if not len(self.normal(labels)):
            raise DataError(
                f"The threshold is set by held-out normal rows: of {len(labels)} rows {int((labels == ANOMALY).sum())} "
                "are labelled anomalies, and none is labelled normal. Label normal rows too, or hold out more "
                "(data.validation_fraction)."
            )

    def settled(self, answer: AnomalyAnswer, labels: np.ndarray, residuals: np.ndarray) -> AnomalyAnswer:
        """The answer with its threshold, from residuals of held-out rows in their order and what is known of them."""
        gap = answer.window if answer.rows_a_week else 0
        found = answer.calibrated(residuals[self.normal(labels)], rate=answer.rate, gap=gap)
        if self.rule != "best_f1":
            return found
        known = np.array([label is not None for label in labels])
        return found.with_best_f1(residuals[known], labels[known] == ANOMALY)

    def normal(self, labels: np.ndarray) -> np.ndarray:
        """Numbers of the rows that are normal as far as is known: where any has a label, of those that have one."""
        known = np.array([label is not None for label in labels], bool)
        return np.flatnonzero((labels != ANOMALY) & (known | ~known.any()))

    def heads(self, answer: AnomalyAnswer) -> Mapping[str, Head]:
        return {"residual": Head(len(answer.channels))}

    def encode(self, answer: AnomalyAnswer, targets: Targets) -> np.ndarray:
        """What is to be left of each row: nothing. (rows, window, channels) or (rows, channels) of 0, not in memory."""
        shape = (len(answer.channels),) if answer.window == 1 else (answer.window, len(answer.channels))
        return np.broadcast_to(np.float32(0), (len(_array(targets)), *shape))

    def loss(self, answer: AnomalyAnswer) -> str:  # noqa: ARG002 (one signature for all tasks)
        return self.loss_name

    def metrics(self, answer: AnomalyAnswer) -> list[str]:  # noqa: ARG002 (one signature for all tasks)
        return []


def readable(task: Task[Any], splits: Splits) -> Splits:
    """The rows with targets as the task's answers and figures have them: of several, each of its own kind."""
    targets = splits.train.targets
    kind = targets.dtype.kind if isinstance(targets, np.ndarray) and targets.ndim == 1 else ""
    if isinstance(task, Regression) and kind == "O":
        raise SettingsError(
            f"{splits.source}: {splits.target_name!r} holds classes (data.task=label), and this recipe estimates a "
            "number. Classes of a table are learnt by dlkit.TableClassifier, or by a recipe of your own with "
            'TableData(task="label") and Classification().'
        )
    if isinstance(task, Classification) and kind == "f":
        raise SettingsError(
            f"{splits.source}: {splits.target_name!r} holds numbers (data.task=value), and this recipe learns classes. "
            "Say --set data.task=label."
        )
    return task.readable(splits) if hasattr(task, "readable") else splits


def _array(targets: Targets) -> np.ndarray:
    if not isinstance(targets, np.ndarray):
        raise DataError("This task needs one target a row; the data gives none or several. Choose another target.")
    return targets
