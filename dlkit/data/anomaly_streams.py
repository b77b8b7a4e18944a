"""Which windows does a part of a stream hold, and which of them are left out: those with a gap or a known anomaly?

A stream is split by time first and cut into windows then, so that no window reaches into another part. Windows are
views of the series, or copies where some of a part are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlkit.contracts import Split
from dlkit.data.series_files import Series
from dlkit.data.series_gaps import breaks
from dlkit.data.splitting import FEWEST_ROWS
from dlkit.errors import DataError
from dlkit.inference import times as clock
from dlkit.inference.windows import ANOMALY, holding

MOST_WINDOWS = {"train": 50_000, "validation": 20_000, "test": 200_000}
"""Of a longer stream every second, third, … window is taken: neighbours share all but one row of a window."""
LARGEST_COPY = 500_000_000
"""Bytes of windows that are copied, as those of a part must be of which some are left out."""
_SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True)
class StreamSplit(Split):
    """Windows of one part of a stream. `gap`: seconds; of rows that are further apart, one does not follow the other.
    None where rows have no even steps. `time`: the column of times; None where there is none.
    """

    gap: float | None = None
    time: str | None = None


@dataclass(frozen=True)
class Stream:
    """A series with a label a row, None where nobody knows any."""

    series: Series
    labels: np.ndarray | None

    @cached_property
    def gap(self) -> np.timedelta64 | None:
        """One and a half steps; None where rows have no even steps.

        Not every uneven step is a gap: a row that comes a little early, late or twice still follows the one before.
        """
        times, step = self.series.times, self.series.step
        if step is None or breaks(times, step) is None:
            return None
        return clock.longest(step)

    def part(self, name: str, rows: slice, window: int) -> _Part:
        """The windows in these rows, all of them."""
        nothing = np.zeros(rows.stop - rows.start - window + 1, bool)
        broken = touched = odd = nothing
        if self.gap is not None and self.series.times is not None:
            broken = holding(np.diff(self.series.times[rows]) > self.gap, window - 1)
        if self.labels is not None:
            anomalous = np.asarray(self.labels[rows] == ANOMALY, bool)
            touched, odd = holding(anomalous, window), anomalous[window - 1 :]
        return _Part(name, rows, window, broken, touched, odd)

    def windows(self, part: _Part, stride: int) -> StreamSplit:
        """Every `stride`-th window of a part, but for those left out; the label of a window is that of its last row, or
        an anomaly where one is among its last `stride` rows, as in the windows that are passed over.

        Behind an anomaly, a window still holds some of it: it is neither normal nor to be found.
        """
        if stride > 1 and self.labels is not None:
            newest = min(stride, part.window)
            anomalous = np.asarray(self.labels[part.rows] == ANOMALY, bool)
            part = replace(part, odd=holding(anomalous, newest)[part.window - newest :])
        last = slice(part.rows.start + part.window - 1, part.rows.stop, stride)
        out = part.left_out[::stride]
        kept: slice | np.ndarray = np.flatnonzero(~out) if out.any() else slice(None)
        inputs = {
            name: sliding_window_view(column[part.rows], part.window)[::stride][kept]
            for name, column in self.series.values.items()
        }
        times = None if self.series.times is None else self.series.times[last][kept]
        targets = unknown(len(out)) if self.labels is None else self.labels[last]
        targets = np.where((part.touched & ~part.odd)[::stride], unknown(1), targets)
        targets = np.where(part.odd[::stride], ANOMALY, targets)[kept]
        gap = None if self.gap is None else float(self.gap / _SECOND)
        return StreamSplit(inputs, targets, times, gap, self.series.time)


@dataclass(frozen=True)
class _Part:
    """The rows of a part and, of each of its windows, (windows,) bool: has it a gap (`broken`), has it a row of a known
    anomaly (`touched`), and is that its last one (`odd`)?
    """

    name: str
    rows: slice
    window: int
    broken: np.ndarray
    touched: np.ndarray
    odd: np.ndarray

    @property
    def left_out(self) -> np.ndarray:
        return self.broken | self.abnormal

    @property
    def abnormal(self) -> np.ndarray:
        """Not to be learned from, or not to set the threshold by, where a normal window is wanted."""
        if self.name == "train":
            return self.touched
        return self.touched & ~self.odd if self.name == "validation" else np.zeros_like(self.touched)

    def notes(self, gap: np.timedelta64 | None, where: str) -> list[str]:
        """What a user should know of windows that are left out; DataError where gaps leave next to none."""
        notes, count = [], len(self.broken)
        if gap is not None and self.broken.any():
            apart, whole = f"rows more than {clock.shown_step(gap)} apart", count - int(self.broken.sum())
            if whole < FEWEST_ROWS:
                raise DataError(
                    f"{where}, {self.name} part: expected at least {FEWEST_ROWS} windows of {self.window} rows without "
                    f"a gap ({apart}), got {whole} of {count}. Choose a shorter window (data.window), or give the rows "
                    "that are missing."
                )
            odd = int((self.odd & self.broken).sum())
            among = f", {odd} of them at a labelled anomaly" if odd else ""
            notes.append(f"{self.name} part: {count - whole} of {count} windows hold a gap ({apart}); left out{among}")
        if touched := int((self.abnormal & ~self.broken).sum()):
            fate = "; not learned from" if self.name == "train" else " that are over; left out"
            notes.append(f"{self.name} part: {touched} of {count} windows hold rows of known anomalies{fate}")
        return notes


def parted(
    stream: Stream, sizes: Mapping[str, int], window: int, where: str
) -> tuple[dict[str, StreamSplit], list[str]]:
    """The parts "train", "validation" and "test" as windows, of `sizes` rows each, and what a user should know.

    Left out are windows with a gap; to train also those that hold a row of a known anomaly, and to validate those that
    end behind one: nobody says that these are normal.
    """
    ends = np.cumsum([0, *sizes.values()]).tolist()
    parts = [stream.part(name, slice(*ends[place : place + 2]), window) for place, name in enumerate(sizes)]
    notes = [note for part in parts for note in part.notes(stream.gap, where)]
    left = [part.left_out for part in parts]
    copied = sum(int((~out).sum()) for out in left if out.any()) * window * 8 * len(stream.series.values)
    # The same for all parts: a figure a week has to mean the same in each.
    stride = max(-(-copied // LARGEST_COPY), *(-(-size // MOST_WINDOWS[name]) for name, size in sizes.items()))
    if stride > 1:
        notes.append(f"one window in {stride} is taken: neighbours are nearly the same")
    return {part.name: stream.windows(part, stride) for part in parts}, notes


def unknown(rows: int) -> np.ndarray:
    """(rows,) targets of which nobody knows any."""
    return np.full(rows, None, object)
