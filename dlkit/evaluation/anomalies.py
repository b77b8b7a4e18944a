"""How good is an anomaly detector: by rows, by events, by false alarms a week, and has it failed in silence?

`scores`: (rows,) float64, higher is odder; `labels`: (rows,) bool; `windows`: (n, 2) int64, the first row of each event
and the row after its last. Alarms are counted as a person gets them: one that goes on is repeated after a quiet time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

from dlkit.errors import DataError
from dlkit.evaluation.nab_score import Stream, probation_rows

MOSTLY = 0.5
"""A threshold that more than this share of rows exceeds fires always."""
_NO_GAIN = 0.005


def row_figures(scores: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, float]:
    """`alarm_share`, the share of rows above the threshold. With anomalies among them also `precision`, `recall` and
    `f1` at the threshold; with both kinds of rows `roc_auc` and `average_precision`. All in [0, 1].
    """
    labels, flags = _checked(scores, labels), np.asarray(scores) > threshold
    found: dict[str, float] = {}
    if not labels.any():
        return {"alarm_share": float(flags.mean())}
    if not labels.all():
        found["roc_auc"] = float(roc_auc_score(labels, scores))
        found["average_precision"] = float(average_precision_score(labels, scores))
    precision, recall, f1, _ = precision_recall_fscore_support(labels, flags, average="binary", zero_division=0)
    found |= {"f1": float(f1), "precision": float(precision), "recall": float(recall)}
    return {**found, "alarm_share": float(flags.mean())}


def pages(flags: np.ndarray, quiet: int) -> np.ndarray:
    """(pages,) int64 rows in which a person is called: the first alarm, then the first one at least `quiet` rows later.

    An alarm that lasts is repeated, so that one which always fires is not one alarm.
    """
    rows, found, at = np.flatnonzero(flags), [], 0
    while at < len(rows):
        found.append(rows[at])
        at = int(np.searchsorted(rows, rows[at] + max(quiet, 1)))
    return np.array(found, np.int64)


@dataclass(frozen=True)
class Events:
    """`found` of `events` labelled events have an alarm; `false_alarms`: calls outside of events in `weeks`."""

    events: int
    found: int
    false_alarms: int
    weeks: float

    def __add__(self, other: Events) -> Events:
        return Events(
            self.events + other.events,
            self.found + other.found,
            self.false_alarms + other.false_alarms,
            self.weeks + other.weeks,
        )

    @property
    def false_alarms_a_week(self) -> float:
        return self.false_alarms / self.weeks if self.weeks else 0.0

    def figures(self) -> dict[str, float]:
        """`false_alarms_a_week`, and where there are events: `event_recall`, `event_precision` (found events among
        these and false alarms; 0 where nothing was raised), `events`, `events_found`.
        """
        weekly = {"false_alarms_a_week": self.false_alarms_a_week}
        if not self.events:
            return weekly
        return {
            "event_recall": self.found / self.events,
            "event_precision": self.found / max(self.found + self.false_alarms, 1),
            "events": float(self.events),
            "events_found": float(self.found),
            **weekly,
        }


def count_events(flags: np.ndarray, windows: np.ndarray, *, rows_a_week: float, quiet: int, start: int = 0) -> Events:
    """Events found and false alarms in the rows from `start` on.

    `quiet`: rows for which an alarm that goes on is not repeated. Weeks are those of the rows outside of events.
    """
    flags = np.asarray(flags, bool).copy()
    flags[:start] = False
    windows = windows[windows[:, 1] > start]
    outside = np.ones(len(flags), bool)
    outside[:start] = False
    found = 0
    for first, last in windows:
        found += bool(flags[first:last].any())
        outside[first:last] = False
    calls = pages(flags & outside, quiet)
    return Events(len(windows), found, len(calls), float(outside.sum()) / rows_a_week)


def events_at(
    streams: Sequence[Stream], weekly: float, *, rows_a_week: Sequence[float], quiet: Sequence[int]
) -> Events:
    """Events found where each stream's threshold is the lowest with at most `weekly` false alarms a week in it.

    A threshold chosen with the labels at hand: what a score could do at best, to compare scores with each other.
    Probation counts for nothing, as in the benchmark.
    """
    total = Events(0, 0, 0, 0.0)
    for stream, a_week, silent in zip(streams, rows_a_week, quiet, strict=True):
        total = total + _best_events(stream, weekly, a_week, silent)
    return total


def _best_events(stream: Stream, weekly: float, rows_a_week: float, quiet: int) -> Events:
    start = probation_rows(len(stream.scores))
    at = np.unique(stream.scores[start:])

    def count(number: int) -> Events:
        flags = stream.scores > (at[number] if number < len(at) else np.inf)
        return count_events(flags, stream.windows, rows_a_week=rows_a_week, quiet=quiet, start=start)

    # Lower thresholds call at least as often, but for the odd merging of calls: bisection finds the edge.
    low, high = 0, len(at)
    while low < high:
        middle = (low + high) // 2
        if count(middle).false_alarms_a_week <= weekly:
            high = middle
        else:
            low = middle + 1
    return count(low)


def silent_failures(
    scores: np.ndarray, threshold: float, *, labels: np.ndarray | None = None, untrained: np.ndarray | None = None
) -> list[str]:
    """Plain warnings where a detector answers and is worth nothing: constant scores, no better than before training, a
    threshold that fires always or never.

    `untrained`: scores of the same rows by the same network before training, in the same unit: compared by ROC AUC
    where labels tell anomalies, elsewhere by the median score, which training is to lower where most rows are normal.
    """
    scores, found = np.asarray(scores, np.float64), []
    if np.ptp(scores) <= 1e-9 * max(1.0, float(np.abs(scores).max())):
        found.append(
            f"All {len(scores)} scores are {scores[0]:.4g}: the model tells no row from another. Look for constant "
            "columns, or for a training that diverged."
        )
    both = labels is not None and bool(labels.any()) and not labels.all()
    if both:
        found += _ranking(scores, np.asarray(labels, bool), untrained)
    elif untrained is not None and np.median(scores) >= 0.95 * np.median(untrained):
        found.append(
            f"The model is no better than before training: its median error is {np.median(scores):.4g}, untrained "
            f"{np.median(untrained):.4g}. Train longer or with a higher learning rate."
        )
    share = float(np.mean(scores > threshold))
    if share == 1 or (share > MOSTLY and (labels is None or labels.mean() <= MOSTLY)):
        found.append(
            f"The threshold {threshold:.4g} fires always: {share:.1%} of {len(scores)} rows are above it. The rows are "
            "unlike those that it was set by; train on newer rows, or raise it by a lower task.rate."
        )
    if share == 0 and (labels is None or labels.any()):
        there = "" if labels is None else f", {int(labels.sum())} labelled anomalies among them"
        found.append(
            f"The threshold {threshold:.4g} never fires: no row of {len(scores)} is above it{there} (highest score "
            f"{scores.max():.4g}). If anomalies should be found, choose a higher task.rate or another model."
        )
    return found


def _ranking(scores: np.ndarray, labels: np.ndarray, untrained: np.ndarray | None) -> list[str]:
    found, auc = [], float(roc_auc_score(labels, scores))
    if auc < 0.5:
        found.append(
            f"Anomalies score lower than normal rows (ROC AUC {auc:.3f}, a coin has 0.5). Check which label is normal, "
            "or choose another model: this one reproduces anomalies better than normal rows."
        )
    if untrained is None:
        return found
    before = float(roc_auc_score(labels, untrained))
    if auc <= before + _NO_GAIN:
        found.append(
            f"The model is no better than before training: ROC AUC {auc:.3f}, untrained {before:.3f}. The architecture "
            "or the scale of the values decides, not what was learnt; train longer, or take a simpler model."
        )
    return found


def _checked(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if not len(scores):
        raise DataError("There are no rows to judge the detector on: expected at least 1. Give the test split rows.")
    if len(scores) != len(labels):
        raise DataError(f"{len(labels)} labels do not fit {len(scores)} scores: expected one for each row.")
    return np.asarray(labels, bool)
