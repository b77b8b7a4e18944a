"""Where is a series not whole, and what stands in for what is missing, where that is asked for?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.errors import DataError
from dlkit.inference import times as clock
from dlkit.inference.weeks import HOLIDAYS, WorkingDays

Fill = Literal["none", "previous", "linear"]
LARGEST_GRID = 20
"""Rows that are put in may be so many times those that are there; more are a fault of the file."""
_START = 0.01
"""Share of rows that are a few."""
MOST_REPEATED = 0.1
"""Share of rows that may have the time of the row before: two series in one file make it a half."""
_DAY = 86_400
_ON_IT = 1e-6
"""Shares of a step by which a time may miss its place on the grid."""


def on_grid(
    times: np.ndarray, values: np.ndarray, step: clock.Step, how: Fill
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Times and values (rows, columns) with a row for every step from the first time on, and what was done.

    Of rows with the same time the last one counts. Where rows lie beside the grid of steps, a step between two that are
    less than two steps apart takes its value from them: on the line between them in time, or the earlier one. A step
    that has none is a row of NaN. The first time is on the grid, but for a few at the start that lie beside the one of
    most others: these, and rows of free days before it, are left out.
    """
    kept = np.append(np.diff(times) > np.timedelta64(0), True)
    repeated = len(times) - int(kept.sum())
    times, values = times[kept], values[kept]
    beside = _before_grid(times, step)
    times, values = times[beside:], values[beside:]
    early = int((clock.places(times, step) < 0).sum())
    times, values = times[early:], values[early:]
    places = clock.places(times, step)
    on_it = np.abs(places - np.round(places)) < _ON_IT
    rows = int(places[-1] + _ON_IT) + 1
    if rows > LARGEST_GRID * len(times):
        raise DataError(
            f"data.fill would put in {rows - len(times)} rows beside the {len(times)} that are there: from "
            f"{clock.shown(times[:1])[0]} to {clock.shown(times[-1:])[0]} in steps of {clock.shown_step(step)}. Is a "
            "time wrong? If not, leave data.fill=none."
        )
    whole = np.full((rows, values.shape[1]), np.nan)
    whole[np.round(places[on_it]).astype(np.int64)] = values[on_it]
    grid = np.concatenate([times[:1], clock.following(times[0], step, rows - 1)])
    repeated += int(on_it.sum()) - len(np.unique(np.round(places[on_it])))
    notes = [f"of {repeated} rows with the time of the next the later one was taken"] if repeated else []
    notes += [f"{beside} rows before the first on the grid of most others were left out"] if beside else []
    notes += [f"{early} rows of free days before the first working day were left out"] if early else []
    if not on_it.all():
        moved = _resampled(whole, places, values, how)
        line = "on the line between its neighbours, so that it looks ahead to the later one (fill=previous does not)"
        notes.append(
            f"{int((~on_it).sum())} rows lie beside the grid of {clock.shown_step(step)}; {moved} steps took their "
            f"values from such rows, each {'the one before' if how == 'previous' else line}"
        )
    empty = int(np.isnan(whole).all(axis=1).sum() - np.isnan(values[on_it]).all(axis=1).sum())
    return grid, whole, [*notes, *([f"{empty} missing rows were put in"] if empty > 0 else [])]


def _before_grid(times: np.ndarray, step: clock.Step) -> int:
    """Rows before the first of those that most rows are whole steps apart from, where these are a few at the start."""
    phases = np.round(clock.places(times, step) % 1, 6) % 1
    found, counts = np.unique(phases, return_counts=True)
    most = int(counts.argmax())
    beside = int((phases == found[most]).argmax())
    return beside if 2 * counts[most] > len(times) and beside <= max(1, _START * len(times)) else 0


def _resampled(whole: np.ndarray, places: np.ndarray, values: np.ndarray, how: Fill) -> int:
    """Puts values, measured at `places`, into steps of `whole` that have none; how many steps that were."""
    empty = np.isnan(whole)
    for column in range(whole.shape[1]):
        there = np.isfinite(values[:, column])
        measured, known = places[there], values[there, column]
        steps = np.flatnonzero(empty[:, column]).astype(np.float64)
        after = np.searchsorted(measured, steps)
        inside = (after > 0) & (after < len(measured))
        steps, after = steps[inside], after[inside]
        near = measured[after] - measured[after - 1] < 2 - _ON_IT
        steps, after = steps[near], after[near]
        if not len(steps):
            continue
        found = known[after - 1] if how == "previous" else np.interp(steps, measured, known)
        whole[steps.astype(np.int64), column] = found
    return int((empty & ~np.isnan(whole)).any(axis=1).sum())


def ahead_of(missing: np.ndarray, how: Fill) -> np.ndarray:
    """(rows, columns) bool: which of the values that `filled` puts in may stand on a later one? On a line all, of those
    that repeat the one before only what precedes every value.
    """
    return missing if how == "linear" else missing & (np.cumsum(~missing, axis=0) == 0)


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


def breaks(times: np.ndarray | None, step: clock.Step | None) -> np.ndarray | None:
    """(rows - 1,) bool: does the next row follow by more or less than a step? None where rows have no even steps.

    Where more than half of the steps are uneven, there is no grid that a window could leave.
    """
    if times is None or step is None or len(times) < 2:
        return None
    uneven = clock.apart(times, step)
    return None if uneven.mean() > 0.5 else uneven


def irregularities(times: np.ndarray, step: clock.Step | None) -> list[str]:
    """What a user should know of times in ascending order: repeated ones, gaps, those beside the grid of steps."""
    notes = []
    repeated = np.flatnonzero(np.diff(times) == np.timedelta64(0))
    if len(repeated):
        what = "time stands" if len(repeated) == 1 else "times stand"
        notes.append(f"{len(repeated)} {what} more than once, the first {clock.shown(times[repeated[:1]])[0]}")
    if step is None:
        return notes
    if isinstance(step, WorkingDays):
        notes.append(
            f"rows are a {step} apart; a forecast is of such days, and up to {HOLIDAYS} of them in a row may be "
            "missing, as holidays"
        )
    counts = clock.steps_between(times, step)
    whole = np.abs(counts - np.round(counts)) < 1e-6
    gaps = np.flatnonzero(whole & (counts > 1.5))
    if len(gaps):
        missing = int(np.round(counts[gaps]).sum()) - len(gaps)
        longest = gaps[counts[gaps].argmax()]
        notes.append(
            f"gaps: {missing} rows are missing in {len(gaps)} places from a step of {clock.shown_step(step)}; the "
            f"longest gap follows {clock.shown(times[longest : longest + 1])[0]}"
        )
    beside = np.flatnonzero((~whole | (counts < 0.5)) & (np.diff(times) > np.timedelta64(0)))
    if len(beside):
        notes.append(
            f"{len(beside)} of {len(counts)} steps are no multiple of {clock.shown_step(step)}, the first after "
            f"{clock.shown(times[beside[:1]])[0]}"
        )
    return notes


def season_of(step: clock.Step | None) -> int:
    """Steps of the season that rows of such a step usually have: a day of hours, a week of days, a year of months."""
    if step is None:
        return 1
    if isinstance(step, WorkingDays):
        return step.a_week
    if clock.in_months(step):
        return {1: 12, 3: 4}.get(int(step / np.timedelta64(1, "M")), 1)
    seconds = step / np.timedelta64(1, "s")
    if seconds in (_DAY, 7 * _DAY):
        return 7 if seconds == _DAY else 52
    if 60 <= seconds < _DAY and _DAY % seconds == 0:
        return int(_DAY / seconds)
    return 1


class UnorderedError(DataError):
    """Times of rows that do not follow each other: maybe no stream at all."""


def check_times(times: np.ndarray | None, column: str | None, where: str) -> None:
    """UnorderedError where many rows have the time of another one: what follows what cannot be told then."""
    if times is None:
        return
    repeated = int((np.diff(times) == np.timedelta64(0)).sum())
    if repeated > MOST_REPEATED * len(times):
        raise UnorderedError(
            f"{where}, column {column!r}: {repeated} of {len(times)} rows have the time of the row before. Write "
            "the time of day beside each day, such as 2024-12-31 23:00, and of a table of several series each into a "
            f"file of its own; or take rows in their order (--set data.ignore={column})."
        )


def unordered(path: Path, name: str, times: np.ndarray, lines: np.ndarray, back: np.ndarray) -> UnorderedError:
    """What is said of times that go back where `back` says, on these lines."""
    row = int(back[0])
    before, after = clock.shown(times[row : row + 2])
    several = len(times) - len(np.unique(times)) > MOST_REPEATED * len(times)
    remedy = "Write each of several series into a file of its own" if several else "Sort the file"
    return UnorderedError(
        f"{path}, line {lines[row + 1]}, column {name!r}: expected times in ascending order, got {after} after "
        f"{before} (and {len(back) - 1} more steps back). {remedy}{'' if several else ', or say --set data.sort=true'}."
    )
