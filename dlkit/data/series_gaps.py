"""Where is a series not whole, and what stands in for what is missing, where that is asked for?"""

from __future__ import annotations

from typing import Literal

import numpy as np

from dlkit.errors import DataError
from dlkit.inference import times as clock

Fill = Literal["none", "previous", "linear"]
LARGEST_GRID = 20
"""Rows that are put in may be so many times those that are there; more are a fault of the file."""
_DAY = 86_400


def on_grid(times: np.ndarray, values: np.ndarray, step: np.timedelta64) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Times and values (rows, columns) with a row of NaN for every step that is missing, and what was done.

    Of rows with the same time the last one counts. DataError where times lie beside the grid of steps.
    """
    kept = np.append(np.diff(times) > np.timedelta64(0), True)
    repeated = len(times) - int(kept.sum())
    times, values = times[kept], values[kept]
    counts = clock.steps_between(times, step)
    beside = np.flatnonzero(np.abs(counts - np.round(counts)) > 1e-6)
    if len(beside):
        raise DataError(
            f"data.fill puts rows on a grid of {clock.shown_step(step)}, and {clock.shown(times[beside + 1][:1])[0]} "
            f"lies beside it (and {len(beside) - 1} more). Bring the rows to even steps, or leave data.fill=none."
        )
    places = np.concatenate([[0], np.cumsum(np.round(counts).astype(np.int64))])
    rows = int(places[-1]) + 1
    if rows > LARGEST_GRID * len(times):
        raise DataError(
            f"data.fill would put in {rows - len(times)} rows beside the {len(times)} that are there: from "
            f"{clock.shown(times[:1])[0]} to {clock.shown(times[-1:])[0]} in steps of {clock.shown_step(step)}. Is a "
            "time wrong?"
        )
    whole = np.full((rows, values.shape[1]), np.nan)
    whole[places] = values
    grid = np.concatenate([times[:1], clock.following(times[0], step, rows - 1)])
    notes = [f"{rows - len(times)} missing rows were put in"] if rows > len(times) else []
    notes += [f"of {repeated} rows with the time of the next the later one was taken"] if repeated else []
    return grid, whole, "; ".join(notes) or None


def filled(values: np.ndarray, how: Fill, before: np.ndarray | None = None) -> np.ndarray:
    """(rows, columns) without NaN: each takes the value before it, or lies on the line between its neighbours.

    `before`: (columns,) the values of the step before. What follows the last value repeats it, so that nothing is taken
    from later rows than are given; what precedes all values takes the first.
    """
    found = values.copy()
    steps = np.arange(len(values))
    for column in range(values.shape[1]):
        there = np.flatnonzero(np.isfinite(values[:, column]))
        missing = np.flatnonzero(~np.isfinite(values[:, column]))
        if not len(missing):
            continue
        known = values[there, column]
        places = there
        if before is not None and np.isfinite(before[column]):
            known, places = np.append(before[column], known), np.append(-1, there)
        if not len(known):
            continue
        if how == "linear":
            found[missing, column] = np.interp(missing, places, known)
        else:
            last = np.searchsorted(places, steps[missing], side="right") - 1
            found[missing, column] = known[np.maximum(last, 0)]
    return found


def breaks(times: np.ndarray | None, step: np.timedelta64 | None) -> np.ndarray | None:
    """(rows - 1,) bool: does the next row follow by more or less than a step? None where rows have no even steps.

    Where more than half of the steps are uneven, there is no grid that a window could leave.
    """
    if times is None or step is None or len(times) < 2:
        return None
    uneven = np.abs(clock.steps_between(times, step) - 1) > 1e-6
    return None if uneven.mean() > 0.5 else uneven


def season_of(step: np.timedelta64 | None) -> int:
    """Steps of the season that rows of such a step usually have: a day of hours, a week of days, a year of months."""
    if step is None:
        return 1
    if clock.in_months(step):
        return {1: 12, 3: 4}.get(int(step / np.timedelta64(1, "M")), 1)
    seconds = step / np.timedelta64(1, "s")
    if seconds == _DAY:
        return 7
    if seconds == 7 * _DAY:
        return 52
    if 60 <= seconds < _DAY and _DAY % seconds == 0:
        return int(_DAY / seconds)
    return 1
