"""Which windows does a part of a series hold? Views of it, never n copies of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlkit.contracts import ColumnKind, Split
from dlkit.data import series_gaps
from dlkit.errors import DataError

_MOST_JUDGED, _MOST_VALUES = 20_000, 20_000_000
"""Windows, and steps of targets in all of them, that a held-out part is judged on: evenly spread where it has more."""
_LARGEST_COPY = 500_000_000
"""Bytes of windows that are copied, as those of a series with gaps must be."""


@dataclass(frozen=True)
class Layout:
    """What the columns of a series are, and how it is cut.

    `targets`: forecast; `others`: further channels that are only looked at; `known`: known beforehand. `time`: name of
    the column of times. `step`: between rows; `season`: steps of one.
    """

    targets: tuple[str, ...]
    window: int
    horizon: int
    others: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    time: str | None = None
    step: np.timedelta64 | None = None
    season: int = 1
    logarithm: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.targets, *self.others, *self.known)

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        found: dict[str, ColumnKind] = {} if self.time is None else {self.time: "time"}
        return found | dict.fromkeys(self.columns, "series")


@dataclass(frozen=True)
class SeriesSplit(Split):
    """Windows of one part of a series.

    `inputs`: channels (rows, window), known covariates (rows, window + horizon) float64, and the times of the windows'
    last steps. `targets`: (rows, horizon, targets) float64. All are views of the series unless it has gaps. `part`:
    column to (steps,) float64, what was measured in this part alone, from which scales are learnt.
    """

    layout: Layout = field(default_factory=lambda: Layout((), 1, 1))
    part: Mapping[str, np.ndarray] = field(default_factory=dict)


def windows(
    values: np.ndarray,
    times: np.ndarray | None,
    layout: Layout,
    own: Mapping[str, np.ndarray],
    *,
    where: str,
    notes: list[str],
) -> SeriesSplit:
    """All windows of (steps, columns) that are whole: views, or copies where some are not."""
    window, length = layout.window, layout.window + layout.horizon
    count = len(values) - length + 1
    every = np.flatnonzero(_are_whole(values, times, layout, count)) if count > 0 else np.zeros(0, np.int64)
    if not len(every):
        raise DataError(
            f"{where}: no {length} steps in a row ({window} looked at, {layout.horizon} ahead) without a gap or a "
            f"missing value in its {len(values)}. Fill them (--set data.fill=linear), or set data.window or "
            "data.horizon lower."
        )
    rows: np.ndarray | slice = slice(0, count)
    if len(every) < count:
        stride = -(-len(every) * length * values.shape[1] * 8 // _LARGEST_COPY)
        rows = every[::stride]
        notes.append(
            f"{where.rpartition(', ')[2]}: {count - len(every)} of {count} windows hold a gap or a missing value and "
            "are left out" + (f"; of the others one in {stride} is taken" if stride > 1 else "")
        )
    channels = len(layout.targets) + len(layout.others)
    inputs: dict[str, np.ndarray] = {}
    if layout.time is not None and times is not None:
        inputs[layout.time] = times[window - 1 : window - 1 + count][rows]
    for place, name in enumerate(layout.columns):
        column = values[:, place]
        seen = column[: len(column) - layout.horizon] if place < channels else column
        inputs[name] = sliding_window_view(seen, window if place < channels else length)[rows]
    ahead = sliding_window_view(values[window:, : len(layout.targets)], layout.horizon, axis=0)
    return SeriesSplit(
        inputs,
        ahead.transpose(0, 2, 1)[rows],
        inputs.get(layout.time) if layout.time is not None else None,
        layout,
        own,
    )


def _are_whole(values: np.ndarray, times: np.ndarray | None, layout: Layout, count: int) -> np.ndarray:
    """(count,) bool: has the window from each step on neither gaps nor missing values?"""
    length = layout.window + layout.horizon
    bad = np.concatenate([[0], np.cumsum(~np.isfinite(values).all(axis=1))])
    whole = bad[length:] == bad[:count]
    uneven = series_gaps.breaks(times, layout.step)
    if uneven is not None:
        breaks = np.concatenate([[0], np.cumsum(uneven)])
        whole &= breaks[length - 1 :] == breaks[:count]
    return whole


def thinned(split: SeriesSplit, name: str, notes: list[str]) -> SeriesSplit:
    """Windows evenly spread over a held-out part that has more than can be judged at once."""
    targets = np.asarray(split.targets)
    most = max(min(_MOST_JUDGED, _MOST_VALUES // targets[0].size), 1)
    stride = -(-len(split) // most)
    if stride == 1:
        return split
    notes.append(f"{name} part: of {len(split)} windows one in {stride} is judged")
    return every_nth(split, stride)


def every_nth(split: SeriesSplit, stride: int) -> SeriesSplit:
    inputs = {column: rows[::stride] for column, rows in split.inputs.items()}
    times = None if split.times is None else split.times[::stride]
    return replace(split, inputs=inputs, targets=np.asarray(split.targets)[::stride], times=times)
