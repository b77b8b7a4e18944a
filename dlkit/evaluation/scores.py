"""How good are a network's outputs, in figures that scikit-learn would give as well?

Figures are computed on raw targets: labels as a user wrote them, values in their own units. A task is one entry
in `_JUDGES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    mean_absolute_error,
    mean_squared_error,
    precision_recall_fscore_support,
    r2_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from dlkit.errors import DataError, SettingsError, TrainingError, did_you_mean
from dlkit.evaluation.anomaly_figures import figures as anomaly_figures
from dlkit.evaluation.forecasts import figures as forecast_figures
from dlkit.evaluation.reconstructions import figures as reconstruction_figures
from dlkit.evaluation.translation import figures as translation_figures
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.latents import LatentAnswer
from dlkit.inference.sentences import SentenceAnswer

SMALLEST_PROBABILITY = 1e-7
"""Keras clips probabilities to [1e-7, 1 - 1e-7] before it takes the logarithm (`keras.config.epsilon`)."""

HIGHER_IS_BETTER = frozenset(
    {"precision", "recall", "event_precision", "event_recall", "events_found"}
    | {"accuracy", "top_3_accuracy", "macro_f1", "roc_auc", "average_precision", "f1", "r2"}
    | {"elbo", "probe_accuracy", "asked_accuracy", "bleu", "bleu_tokenised", "chrf"}
)
NEITHER_IS_BETTER = frozenset({"alarm_share", "events"})
"""What is counted, and is no merit."""
TOP = 3
"""With more classes than this it is also counted how often the truth is among so many most probable ones."""
_ROWS_AT_ONCE = 1_000


@runtime_checkable
class Classes(Protocol):
    """An answer that is one class out of several, such as `inference.answers.ClassAnswer`."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def probabilities(self, outputs: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class Values(Protocol):
    """An answer that is a number in its own unit, such as `inference.answers.ValueAnswer`."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    def values(self, outputs: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class Parts(Protocol):
    """Several answers about one row, such as `inference.answers.JointAnswer`."""

    @property
    def parts(self) -> Mapping[str, Classes | Values]: ...

    def split(self, outputs: np.ndarray) -> dict[str, np.ndarray]: ...


Single = Classes | Values
Judged = Single | Parts | AnomalyAnswer | ForecastAnswer | LatentAnswer | SentenceAnswer
Raw = np.ndarray | Mapping[str, np.ndarray]
"""Raw targets: an array, or one for each of several answers."""


@dataclass(frozen=True)
class Judge:
    """How one task is judged. `main`: the figure that decides; `figures`: all of them, from network outputs."""

    main: str
    figures: Callable[[Judged, Raw, np.ndarray], dict[str, float]]


@dataclass(frozen=True)
class Confusion:
    """How often class `labels[row]` was answered as `labels[column]`. `counts`: (labels, labels) int64."""

    labels: tuple[str, ...]
    counts: np.ndarray


def score(task: str, answer: Judged, targets: Raw, outputs: np.ndarray) -> dict[str, float]:
    """The figures of a task.

    `targets`: (rows,) raw labels as `str`, or values in own units; by name for several answers. `outputs`: (rows,
    units) of the network.

    classification: `accuracy`, `macro_f1` in [0, 1], `loss` (log loss in nats), with two classes `roc_auc`, with more
    than three `top_3_accuracy`: the share of rows whose class is among the three most probable ones.
    regression: `mae`, `rmse` in the target's unit, `mse` in its square, `r2` at most 1 (needs two rows).
    anomaly: see `anomaly_figures.figures`. forecasting: see `forecasts.figures`. generation, reconstruction: see
    `reconstructions.figures`; the likelihood of rows needs the model itself, see `latent_figures.judged`. translation:
    see `translation.figures`.
    joint: those of each answer behind its name (`age_mae`, `gender_accuracy`), and `mean_error`: the mean over answers
    of 1 - accuracy, or of the mean absolute error in standard deviations of the training targets.
    """
    return judge(task).figures(answer, targets, outputs)


def judge(task: str) -> Judge:
    """How a task is judged; SettingsError for one that dlkit does not know."""
    if task not in _JUDGES:
        raise SettingsError(f"There is no task {task!r} to judge.{did_you_mean(task, _JUDGES)}")
    return _JUDGES[task]


def main_figure(task: str) -> tuple[str, Literal["max", "min"]]:
    """The figure that decides in a task, and whether its highest or its lowest value is best."""
    main = judge(task).main
    return main, "max" if higher_is_better(main) else "min"


def higher_is_better(figure: str) -> bool:
    """Whether a figure, by itself or behind the name of one of several answers, is best where it is highest."""
    return any(figure == name or figure.endswith(f"_{name}") for name in HIGHER_IS_BETTER)


def task_of(answer: Single) -> str:
    """The task that one of several answers belongs to."""
    return "classification" if isinstance(answer, Classes) else "regression"


def joined_figures(answer: Parts, by_part: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The figures of each answer behind its name, and their `mean_error`."""
    found = {f"{part}_{name}": value for part, figures in by_part.items() for name, value in figures.items()}
    errors = [_error(answer.parts[part], figures) for part, figures in by_part.items()]
    return {"mean_error": float(np.mean(errors)), **found}


def _error(answer: Single, figures: Mapping[str, float]) -> float:
    if isinstance(answer, Classes):
        return 1 - figures["accuracy"]
    return figures["mae"] / float(getattr(answer, "spread", 1.0))


def by_name(targets: Raw, answer: Parts) -> Mapping[str, np.ndarray]:
    """Raw targets of several answers; DataError where there are not as many."""
    if not isinstance(targets, Mapping) or set(targets) != set(answer.parts):
        raise DataError(f"Expected targets {sorted(answer.parts)}, one for each answer of the model.")
    return targets


def _joint_figures(answer: Judged, targets: Raw, outputs: np.ndarray) -> dict[str, float]:
    if not isinstance(answer, Parts):
        raise SettingsError(f"joint needs several answers, got {type(answer).__name__}.")
    raw = by_name(targets, answer)
    found = {
        part: score(task_of(answer.parts[part]), answer.parts[part], raw[part], of_part)
        for part, of_part in answer.split(outputs).items()
    }
    return joined_figures(answer, found)


def alarms_of(answer: Judged) -> AnomalyAnswer:
    """The answer, known to be a score with a threshold; SettingsError where the task and its answer do not fit."""
    if not isinstance(answer, AnomalyAnswer):
        raise SettingsError(f"anomaly needs an answer with a score and a threshold, got {type(answer).__name__}.")
    return answer


def _reconstructed(answer: Judged, targets: Raw, outputs: np.ndarray) -> dict[str, float]:
    if not isinstance(answer, LatentAnswer):
        raise SettingsError(f"A latent model needs an answer with pictures or rows, got {type(answer).__name__}.")
    if not isinstance(targets, Mapping) or "reconstruction" not in targets:
        raise DataError("A latent model is judged by the rows that it reconstructs; the data gives none.")
    return reconstruction_figures(targets["reconstruction"], answer.reconstructions(outputs))


def _one(targets: Raw) -> np.ndarray:
    if not isinstance(targets, np.ndarray):
        raise DataError(f"Expected one target a row, got {sorted(targets)}. Choose a task for several.")
    return targets


def better(task: str, figures: Mapping[str, float], others: Mapping[str, float]) -> bool:
    """Do these figures beat the others on the task's main figure? A draw does not."""
    main, direction = main_figure(task)
    return figures[main] > others[main] if direction == "max" else figures[main] < others[main]


def classification_figures(labels: Sequence[str], targets: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """The figures of `score` from `probabilities`, (rows, labels), whoever made them."""
    _check(targets, probabilities)
    truth = _indices(labels, targets)
    answers = probabilities.argmax(axis=1)
    # A label that training never saw has index -1: always wrong, and as improbable as can be.
    of_truth = np.where(truth >= 0, probabilities[np.arange(len(truth)), truth], 0.0)
    clipped = np.clip(of_truth, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    figures = {
        "accuracy": float(accuracy_score(truth, answers)),
        "macro_f1": float(f1_score(truth, answers, average="macro", zero_division=0)),
        "loss": float(-np.log(clipped).mean()),
    }
    if len(labels) > TOP:
        figures[f"top_{TOP}_accuracy"] = _top_accuracy(truth, probabilities)
    if len(labels) == 2 and set(truth.tolist()) == {0, 1}:
        figures["roc_auc"] = float(roc_auc_score(truth, probabilities[:, 1]))
    return figures


def _top_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Share of rows whose class is among the TOP most probable; rows of a class unknown to the answer are wrong."""
    known, every = np.flatnonzero(truth >= 0), np.arange(probabilities.shape[1])
    right = 0.0
    # Some rows at a time: all are ordered by class, which for thousands of classes takes a lot of memory.
    for start in range(0, len(known), _ROWS_AT_ONCE):
        rows = known[start : start + _ROWS_AT_ONCE]
        right += top_k_accuracy_score(truth[rows], probabilities[rows], k=TOP, labels=every, normalize=False)
    return float(right / len(truth))


def regression_figures(targets: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """The figures of `score` from `values`, (rows,) in own units, whoever made them."""
    _check(targets, values)
    mse = float(mean_squared_error(targets, values))
    figures = {"mae": float(mean_absolute_error(targets, values)), "mse": mse, "rmse": math.sqrt(mse)}
    if np.ptp(targets) > 0:  # what of their spread is explained: of equal ones, nothing can be said
        figures["r2"] = float(r2_score(targets, values))
    return figures


def per_class(answer: Classes | Parts, targets: Raw, outputs: np.ndarray) -> list[dict[str, str | float]]:
    """A row a class: `label`, `precision`, `recall`, `f1` in [0, 1], and `support`, its number of rows. Of several
    answers the classes of each, with its name as `target`.
    """
    if isinstance(answer, Parts):
        raw, by_part = by_name(targets, answer), answer.split(outputs)
        classes = {part: one for part, one in answer.parts.items() if isinstance(one, Classes)}
        return [
            {"target": part, **row} for part, one in classes.items() for row in per_class(one, raw[part], by_part[part])
        ]
    labels, truth, answers = _answered(answer, _one(targets), outputs)
    numbers = precision_recall_fscore_support(truth, answers, labels=np.arange(len(labels)), zero_division=0)
    return [
        {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)}
        for label, p, r, f, s in zip(labels, *numbers, strict=True)
    ]


def confusion(answer: Classes, targets: np.ndarray, outputs: np.ndarray) -> Confusion:
    """Counts of truth by answer, for the labels of the answer and those that only the targets have."""
    labels, truth, answers = _answered(answer, targets, outputs)
    return Confusion(labels, confusion_matrix(truth, answers, labels=np.arange(len(labels))))


def classes_of(answer: Judged) -> Classes:
    """The answer, known to be a class; SettingsError where the task and its answer do not fit."""
    if not isinstance(answer, Classes):
        raise SettingsError(f"classification needs an answer with classes, got {type(answer).__name__}.")
    return answer


def values_of(answer: Judged) -> Values:
    """The answer, known to be a number; SettingsError where the task and its answer do not fit."""
    if not isinstance(answer, Values):
        raise SettingsError(f"regression needs an answer with values, got {type(answer).__name__}.")
    return answer


def _answered(
    answer: Classes, targets: np.ndarray, outputs: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """All labels, the true and the answered index of each row; labels unknown to the answer come last."""
    probabilities = answer.probabilities(outputs)
    _check(targets, probabilities)
    unknown = sorted({str(target) for target in targets} - set(answer.labels))
    labels = (*answer.labels, *unknown)
    return labels, _indices(labels, targets), probabilities.argmax(axis=1)


def _indices(labels: Sequence[str], targets: np.ndarray) -> np.ndarray:
    by_label = {label: index for index, label in enumerate(labels)}
    return np.array([by_label.get(str(target), -1) for target in targets], np.int64)


def _check(targets: np.ndarray, answers: np.ndarray) -> None:
    if not len(targets):
        raise DataError("There are no rows to judge the model on: expected at least 1. Give the test split rows.")
    if len(targets) != len(answers):
        raise DataError(f"{len(targets)} targets do not fit {len(answers)} answers: expected one for each row.")
    finite = np.isfinite(answers).reshape(len(answers), -1).all(axis=1)
    if not finite.all():
        raise TrainingError(
            f"The model answers {int((~finite).sum())} of {len(answers)} rows with NaN or infinity. "
            "Lower the learning rate, or look for extreme values in the inputs."
        )


_JUDGES: dict[str, Judge] = {
    "classification": Judge(
        "accuracy",
        lambda answer, targets, outputs: classification_figures(
            classes_of(answer).labels, _one(targets), classes_of(answer).probabilities(outputs)
        ),
    ),
    "regression": Judge(
        "mae",
        lambda answer, targets, outputs: regression_figures(_one(targets), values_of(answer).values(outputs)),
    ),
    "joint": Judge("mean_error", _joint_figures),
    "forecasting": Judge("mse", forecast_figures),
    "translation": Judge("bleu", translation_figures),
    "anomaly": Judge(
        "roc_auc",
        lambda answer, targets, outputs: anomaly_figures(alarms_of(answer), _one(targets), outputs),
    ),
    "generation": Judge("elbo", _reconstructed),
    "reconstruction": Judge("mse", _reconstructed),
}
