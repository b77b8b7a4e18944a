"""How good is a search for anomalies on the test rows, beside an isolation forest and a windowed Gaussian?

Labels are "normal", "anomaly", or None where nobody knows: such rows are in no figure that needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlkit.contracts import Examples, take
from dlkit.evaluation.anomalies import count_events, row_figures, silent_failures
from dlkit.evaluation.anomaly_baselines import isolation_forest, windowed_gaussian
from dlkit.inference.anomalies import AnomalyAnswer, best_f1_threshold, events, extreme_threshold, quantile_threshold
from dlkit.inference.windows import ANOMALY, NORMAL

DAYS = 7
_MOST_ROWS = 20_000


def figures(answer: AnomalyAnswer, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    """Figures on rows in their order. `targets`: (rows,) labels; `outputs`: residuals.

    Where labels are known: `roc_auc`, `average_precision`, `f1`, `precision`, `recall` at the threshold, all in [0, 1];
    of a stream also `event_recall`, `event_precision`, `events`, `events_found` and `false_alarms_a_week`: an event is
    a run of anomalous rows, and an alarm that goes on counts once a day. Always: `alarm_share`, of rows.
    """
    return of_scores(answer, targets, answer.scores(outputs), answer.threshold)


def of_scores(answer: AnomalyAnswer, targets: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, float]:
    """As `figures`, of any score and threshold."""
    flags = scores > threshold
    known = is_known(targets)
    if not known.any():
        return {"alarm_share": float(flags.mean())}
    found = row_figures(scores[known], targets[known] == ANOMALY, threshold)
    if not answer.rows_a_week:
        return found
    belongs = _of_events(targets, answer.window)
    judged = known | belongs
    # Runs of all rows: those on both sides of rows that nobody knows are two.
    place = np.concatenate([[0], np.cumsum(judged)])
    counted = count_events(
        flags[judged],
        place[events(belongs)],
        rows_a_week=answer.rows_a_week,
        quiet=max(1, round(answer.rows_a_week / DAYS)),
    )
    return found | counted.figures()


def _of_events(targets: np.ndarray, window: int) -> np.ndarray:
    """(rows,) bool: the anomalous rows, and those behind them whose windows still hold some of an anomaly, so that
    nobody knows whether they are normal.
    """
    belongs = targets == ANOMALY
    for _, last in events(belongs):
        behind = targets[last : last + window - 1]
        known = np.flatnonzero(is_known(behind))
        belongs[last : last + (known[0] if len(known) else len(behind))] = True
    return belongs


def is_known(targets: np.ndarray) -> np.ndarray:
    """(rows,) bool: does anybody know whether the row is normal?"""
    return np.array([label is not None for label in targets], bool)


@dataclass(frozen=True)
class Rows:
    """Encoded rows of one input, with labels as targets."""

    train: Examples
    validation: Examples
    test: Examples


def baselines(answer: AnomalyAnswer, rows: Rows, *, seed: int) -> dict[str, dict[str, float]]:
    """Baseline name to figures on the test rows, by a threshold of the same rule: "isolation_forest", and of a stream
    "windowed_gaussian".
    """
    parts = [_dense(part) for part in (rows.train, rows.validation, rows.test)]
    forest = [isolation_forest(_some(parts[0]), part, seed=seed) for part in parts[1:]]
    found = {"isolation_forest": forest}
    if answer.rows_a_week and answer.window > 1:
        newest = np.concatenate([part[:, -1] for part in parts])
        distances = windowed_gaussian(newest)[len(parts[0]) :]
        found["windowed_gaussian"] = [distances[: len(parts[1])], distances[len(parts[1]) :]]
    labels = np.asarray(rows.validation.targets)
    return {
        name: of_scores(answer, np.asarray(rows.test.targets), on_test, _threshold(answer, on_validation, labels))
        for name, (on_validation, on_test) in found.items()
    }


def _threshold(answer: AnomalyAnswer, scores: np.ndarray, labels: np.ndarray) -> float:
    known = is_known(labels)
    if answer.rule == "best_f1":
        return best_f1_threshold(scores[known], labels[known] == ANOMALY)
    normal = scores[labels == NORMAL] if known.any() else scores
    if answer.rule == "quantile":
        return quantile_threshold(normal, 1 - answer.rate)
    return extreme_threshold(normal, answer.rate, gap=answer.window if answer.rows_a_week else 0)


def warnings_for(
    answer: AnomalyAnswer,
    targets: np.ndarray,
    outputs: np.ndarray,
    *,
    untrained: np.ndarray | None,
    test: Mapping[str, float],
    beside: Mapping[str, Mapping[str, float]],
) -> list[str]:
    """What a user must know before the alarms are believed: silent failures, and baselines that are as good.

    `untrained`: residuals of the same rows by the network before training; None where it has no such state.
    """
    scores, known = answer.scores(outputs), is_known(targets)
    before = None if untrained is None else answer.scores(untrained)
    if known.any():
        labels: np.ndarray | None = targets[known] == ANOMALY
        scores, before = scores[known], None if before is None else before[known]
    else:
        labels = None
    found = silent_failures(scores, answer.threshold, labels=labels, untrained=before)
    for name, figures_of in beside.items():
        if "roc_auc" in test and figures_of.get("roc_auc", 0.0) >= test["roc_auc"]:
            found.append(
                f"The network (roc_auc {test['roc_auc']:.4g}) does not beat the {name.replace('_', ' ')} baseline "
                f"({figures_of['roc_auc']:.4g}). Use the simpler model, or try another network (--model)."
            )
    return found


def _dense(examples: Examples) -> np.ndarray:
    (rows,) = examples.inputs.values()
    return take(rows, np.arange(len(rows)))


def _some(rows: np.ndarray) -> np.ndarray:
    """At most so many rows, evenly over all."""
    return rows[:: max(1, -(-len(rows) // _MOST_ROWS))]
