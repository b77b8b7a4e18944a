"""How good is a detector on the Numenta Anomaly Benchmark, scored as its paper defines it?

Lavin & Ahmad 2015, "Evaluating real-time anomaly detection algorithms": each labelled window earns its earliest
detection, the more the earlier it comes; each detection outside of a window costs, the less the sooner after a window
it comes; a window without one costs. The sum is scaled so that a detector that never fires has 0 and a perfect one 100.
Edges are those of the benchmark's own code: the first row of a window is at y = -1, the last one step before 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlkit.errors import DataError

PROBATION = 0.15
"""Share of a stream, of at most 5,000 rows of it, in which a detector may learn and nothing counts."""
_FAR = 3.0


@dataclass(frozen=True)
class Profile:
    """What an application wins by a detected window, and loses by a false detection and by a missed window."""

    true_positive: float = 1.0
    false_positive: float = 0.11
    false_negative: float = 1.0


PROFILES: Mapping[str, Profile] = {
    "standard": Profile(),
    "reward_low_fp_rate": Profile(false_positive=0.22),
    "reward_low_fn_rate": Profile(false_negative=2.0),
}


@dataclass(frozen=True)
class Stream:
    """A scored stream. `scores`: (rows,) finite, higher is odder. `windows`: (n, 2) int64, the first row of each
    labelled window and the row after its last, in order and apart.
    """

    scores: np.ndarray
    windows: np.ndarray


def probation_rows(rows: int) -> int:
    """Rows at the start of a stream of so many rows that do not count."""
    return min(int(PROBATION * rows), int(PROBATION * 5_000))


def windows_of(times: np.ndarray, limits: Sequence[Sequence[str]]) -> np.ndarray:
    """(n, 2) int64 windows as `Stream` has them, from first and last time of each as the benchmark's labels say them.

    `times`: (rows,) datetime64 in order.
    """
    edges = np.array([[np.datetime64(one, "ns") for one in pair] for pair in limits], "datetime64[ns]").reshape(-1, 2)
    first = np.searchsorted(times, edges[:, 0], side="left")
    last = np.searchsorted(times, edges[:, 1], side="right")
    return np.stack([first, last], axis=1).astype(np.int64)


def row_values(rows: int, windows: np.ndarray, profile: Profile = PROFILES["standard"]) -> np.ndarray:
    """(rows,) float64: what a detection in each row is worth, above 0 in a window and below 0 outside (eq. 1 and 2)."""
    position = np.full(rows, _FAR)
    for (start, stop), until in zip(windows, [*windows[1:, 0], rows], strict=False):
        width = stop - start
        position[start:stop] = (np.arange(start, stop) - stop) / width
        position[stop:until] = np.arange(1, until - stop + 1) / max(width - 1, 1)
    value = np.where(position >= _FAR, -1.0, _sigmoid(position))
    return np.where(position < 0, value * profile.true_positive / _sigmoid(-1.0), value * profile.false_positive)


def sweep(streams: Sequence[Stream], profile: Profile = PROFILES["standard"]) -> tuple[np.ndarray, np.ndarray]:
    """(thresholds,) in descending order, and the NAB score of "a score of at least that is a detection" for each.

    One threshold holds for all streams, as in the benchmark; the first is infinite and never fires.
    """
    scores, values, groups, windows = [], [], [], 0
    for stream in streams:
        rows, start = len(stream.scores), probation_rows(len(stream.scores))
        counted = stream.windows[stream.windows[:, 1] > start]
        # Group 0 is the rows outside of windows, group k the rows of the k-th window of all streams.
        group = np.zeros(rows, np.int64)
        for number, (first, last) in enumerate(counted, windows + 1):
            group[first:last] = number
        windows += len(counted)
        scores.append(np.asarray(stream.scores, np.float64)[start:])
        values.append(row_values(rows, stream.windows, profile)[start:])
        groups.append(group[start:])
    found = np.concatenate(scores)
    if not np.isfinite(found).all():
        raise DataError("A NAB score needs a finite score in each row; score NaN and infinite rows, or leave them out.")
    if not windows:
        raise DataError(
            "A NAB score needs at least one labelled window after the first 15 % of a stream; there is none."
        )
    order = np.argsort(-found, kind="stable")
    ranked = found[order]
    gains = _gains(np.concatenate(values)[order], np.concatenate(groups)[order], profile)
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    raw = np.concatenate([[0.0], np.cumsum(gains)[last]])
    perfect = windows * (profile.true_positive + profile.false_negative)
    return np.concatenate([[np.inf], ranked[last]]), 100 * raw / perfect


def nab_score(streams: Sequence[Stream], threshold: float, profile: Profile = PROFILES["standard"]) -> float:
    """The NAB score (at most 100, 0 for silence) of the detections `score >= threshold` in all streams."""
    thresholds, found = sweep(streams, profile)
    return float(found[np.searchsorted(-thresholds, -threshold, side="right") - 1])


def best_nab_score(streams: Sequence[Stream], profile: Profile = PROFILES["standard"]) -> tuple[float, float]:
    """The best threshold and its NAB score: the benchmark chooses one threshold a detector on the labels themselves."""
    thresholds, found = sweep(streams, profile)
    best = int(found.argmax())
    return float(thresholds[best]), float(found[best])


def _gains(values: np.ndarray, groups: np.ndarray, profile: Profile) -> np.ndarray:
    """What each row adds once all rows before it are detections; a window counts its best row, from a loss up."""
    gains = values.copy()
    for group in range(1, int(groups.max(initial=0)) + 1):
        rows = np.flatnonzero(groups == group)
        best = np.maximum.accumulate(np.maximum(values[rows], -profile.false_negative))
        gains[rows] = np.diff(best, prepend=-profile.false_negative)
    return gains


def _sigmoid(position: np.ndarray | float) -> np.ndarray:
    """2 / (1 + e^(5 y)) - 1: eq. 1 with the weights taken out."""
    return 2 / (1 + np.exp(5 * np.asarray(position, np.float64))) - 1
