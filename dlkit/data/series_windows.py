"""Which windows does a part of a series hold? Views of it, never n copies of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlkit.contracts import ColumnKind, Split
from dlkit.data import series_gaps
from dlkit.errors import DataError
from dlkit.inference.times import Step
from dlkit.inference.windows import holding

_MOST_JUDGED, _MOST_VALUES = 20_000, 20_000_000
"""Windows, and steps of targets in all of them, that a held-out part is judged on: evenly spread where it has more."""
_LARGEST_COPY = 500_000_000
"""Bytes of windows to judge that are copied, as those of a series with gaps are."""


@dataclass(frozen=True)
class Layout:
    """What the columns of a series are, and how it is cut.

    `targets`: forecast; `others`: further channels that are only looked at; `known`: known beforehand. `time`: name of
    the column of times. `step`: between rows; `season`: steps of one. `zoned`: were times written with a zone? None
    where that is not known.
    """

    targets: tuple[str, ...]
    window: int
    horizon: int
    others: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    time: str | None = None
    step: Step | None = None
    season: int = 1
    logarithm: bool = False
    zoned: bool | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.targets, *self.others, *self.known)

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        found: dict[str, ColumnKind] = {} if self.time is None else {self.time: "time"}
        return found | dict.fromkeys(self.columns, "series")


@dataclass(frozen=True)
class Measured:
    """The steps that windows are cut from.

    `values`: (steps, columns) float64. `times`: (steps,) datetime64[ns], None where there are none. `filled`: (steps,
    columns) bool, which values were put in for missing ones; `ahead`: of those, which may stand on later values.
    """

    values: np.ndarray
    times: np.ndarray | None
    filled: np.ndarray
    ahead: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def cut(self, part: slice) -> Measured:
        times = None if self.times is None else self.times[part]
        return Measured(self.values[part], times, self.filled[part], self.ahead[part])


@dataclass(frozen=True)
class SeriesSplit(Split):
    """Windows of one part of a series.

    `inputs`: channels (rows, window), known covariates (rows, window + horizon) float64, and the times of the windows'
    last steps. `targets`: (rows, horizon, targets) float64. Those to train on are views of the series; `numbers`: of
    the windows that count, where some hold a gap, else None. `part`: column to (steps,) float64, what was measured in
    this part alone, from which scales are learnt.
    """

    layout: Layout = field(default_factory=lambda: Layout((), 1, 1))
    part: Mapping[str, np.ndarray] = field(default_factory=dict)
    numbers: np.ndarray | None = None

    def __len__(self) -> int:
        return super().__len__() if self.numbers is None else len(self.numbers)

    def take(self, indices: np.ndarray) -> Split:
        return super().take(indices if self.numbers is None else self.numbers[indices])

    def copied(self) -> SeriesSplit:
        """Its windows that count, one by one in memory."""
        if self.numbers is None:
            return self
        rows = self.take(np.arange(len(self)))
        return replace(self, inputs=rows.inputs, targets=rows.targets, times=rows.times, numbers=None)


def windows(
    measured: Measured, layout: Layout, own: Mapping[str, np.ndarray], *, where: str, judged: bool, notes: list[str]
) -> SeriesSplit:
    """All windows that are whole, as views. `judged`: the part is held out, so that no truth of it may be made up."""
    window, length = layout.window, layout.window + layout.horizon
    count = max(len(measured) - length + 1, 0)
    every = np.flatnonzero(_are_whole(measured.values, measured.times, layout)) if count else np.arange(0)
    part = where.rpartition(", ")[2]
    if len(every) < count:
        notes.append(f"{part}: {count - len(every)} of {count} windows hold a gap or a missing value and are left out")
    honest = every[_are_honest(measured, layout, every, judged=judged)]
    if len(honest) < len(every):
        notes.append(
            f"{part}: {len(every) - len(honest)} windows are left out, for their past ends with a value that was "
            f"filled from later ones{', or a filled one is to be forecast' if judged else ''}"
        )
    if not len(honest):
        raise _no_windows(where, layout, len(measured), filled=len(every) > 0)
    channels = len(layout.targets) + len(layout.others)
    inputs: dict[str, np.ndarray] = {}
    if layout.time is not None and measured.times is not None:
        inputs[layout.time] = measured.times[window - 1 : window - 1 + count]
    for place, name in enumerate(layout.columns):
        column = measured.values[:, place]
        seen = column[: len(column) - layout.horizon] if place < channels else column
        inputs[name] = sliding_window_view(seen, window if place < channels else length)
    ahead = sliding_window_view(measured.values[window:, : len(layout.targets)], layout.horizon, axis=0)
    return SeriesSplit(
        inputs,
        ahead.transpose(0, 2, 1),
        inputs.get(layout.time) if layout.time is not None else None,
        layout,
        own,
        None if len(honest) == count else honest,
    )


def _no_windows(where: str, layout: Layout, steps: int, *, filled: bool) -> DataError:
    length = f"{layout.window + layout.horizon} steps in a row ({layout.window} looked at, {layout.horizon} ahead)"
    if filled:
        return DataError(
            f"{where}: no {length} whose past ends with a value that was measured, and whose future is known, in its "
            f"{steps}. Give more rows without gaps, or set data.horizon lower."
        )
    return DataError(
        f"{where}: no {length} without a gap or a missing value in its {steps}. Fill them (--set data.fill=linear), or "
        "set data.window or data.horizon lower."
    )


def _are_whole(values: np.ndarray, times: np.ndarray | None, layout: Layout) -> np.ndarray:
    """(windows,) bool: has the window from each step on neither gaps nor missing values?"""
    length = layout.window + layout.horizon
    whole = ~holding(~np.isfinite(values).all(axis=1), length)
    uneven = series_gaps.breaks(times, layout.step)
    if uneven is not None:
        whole &= ~holding(uneven, length - 1)
    return whole


def _are_honest(measured: Measured, layout: Layout, starts: np.ndarray, *, judged: bool) -> np.ndarray:
    """(len(starts),) bool: are these windows forecast from what was known by then, and judged by what was measured?"""
    channels, targets = len(layout.targets) + len(layout.others), len(layout.targets)
    honest = np.asarray(~measured.ahead[starts + layout.window - 1, :channels].any(axis=1))
    if judged:
        made_up = holding(np.any(measured.filled[:, :targets], axis=1), layout.horizon)
        honest &= ~made_up[starts + layout.window]
    return honest


def thinned(split: SeriesSplit, name: str, notes: list[str]) -> SeriesSplit:
    """Windows evenly spread over a held-out part that has more than can be judged; copies where some hold a gap."""
    targets = np.asarray(split.targets)
    a_window = targets[:1].nbytes + sum(rows[:1].nbytes for rows in split.inputs.values())
    most = max(min(_MOST_JUDGED, _MOST_VALUES // targets[0].size), 1)
    if split.numbers is not None:
        most = max(min(most, _LARGEST_COPY // a_window), 1)
    stride = -(-len(split) // most)
    if stride > 1:
        notes.append(f"{name} part: of {len(split)} windows one in {stride} is judged")
    return every_nth(split, stride).copied()


def every_nth(split: SeriesSplit, stride: int) -> SeriesSplit:
    if split.numbers is not None:
        return replace(split, numbers=split.numbers[::stride])
    inputs = {column: rows[::stride] for column, rows in split.inputs.items()}
    times = None if split.times is None else split.times[::stride]
    return replace(split, inputs=inputs, targets=np.asarray(split.targets)[::stride], times=times)
