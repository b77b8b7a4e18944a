"""How do recent measurements become the windows that a forecasting network takes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.contracts import Column, ColumnKind, Columns, Rows, Tensor
from dlkit.errors import InputError
from dlkit.inference import times as clock
from dlkit.inference.plain import Plain
from dlkit.inference.runs import write_json
from dlkit.inference.weeks import WorkingDays

CYCLES = {"day": 86_400, "week": 604_800, "year": 31_556_952}
"""Seconds of what a calendar repeats; the year is that of the Gregorian calendar on average."""
_WEEK = "week"
_FAR = 10.0
"""Standard deviations from the training mean beyond which a window is unlike all that was learnt."""


@dataclass(frozen=True)
class Channel:
    """A column and its scale: what the network sees is (value - `mean`) / `scale`."""

    name: str
    mean: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class SeriesInputs(Plain):
    """The last `window` steps of each channel, standardised by the training part.

    `channels`: of which the first `targets` are forecast. `known`: covariates that are known beforehand, given
    `horizon` steps further than the channels. `time`: the column that says when the last step of the channels was, None
    where the series has no times. `step`: between rows, None as before. `cycles`: of `CYCLES`; each adds its sine and
    cosine to what is known. `logarithm`: channels are counted by their natural logarithm. `season`: steps of one, 1
    where there is none. `zoned`: were times written with a zone, so that those of a forecast are said to be UTC? None
    where that is not known.
    """

    channels: tuple[Channel, ...]
    window: int
    horizon: int
    targets: int
    known: tuple[Channel, ...] = ()
    time: str | None = None
    step: clock.Step | None = None
    season: int = 1
    cycles: tuple[str, ...] = ()
    logarithm: bool = False
    zoned: bool | None = None

    kind = "series"

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        found: dict[str, ColumnKind] = {} if self.time is None else {self.time: "time"}
        return found | dict.fromkeys((channel.name for channel in (*self.channels, *self.known)), "series")

    @property
    def covariates(self) -> int:
        return len(self.known) + 2 * len(self.cycles)

    @property
    def within_a_day(self) -> bool:
        """Whether rows are known to follow each other within a day, so that a day alone is no time."""
        step = clock.fixed(self.step)
        return step is not None and bool(step < np.timedelta64(1, "D"))

    @property
    def tick(self) -> Literal["s", "ns"]:
        """In what a SavedModel counts times since 1970: seconds, or nanoseconds where a step is no whole second."""
        step = clock.fixed(self.step)
        return "ns" if step is not None and step % np.timedelta64(1, "s") else "s"

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        found = {"past": Tensor((self.window, len(self.channels)))}
        if self.covariates:
            found["known"] = Tensor((self.window + self.horizon, self.covariates))
        return found

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"window": self.window, "horizon": self.horizon, "targets": self.targets, "season": self.season}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """Columns (rows, steps) float64 of `window` steps or more, of the covariates `horizon` more, and times (rows,),
        to {"past": (rows, window, channels), "known": (rows, window + horizon, covariates)} float32, made on `take`.

        InputError where columns do not fit each other in length, or steps are missing, NaN or infinite, or have no
        logarithm.
        """
        columns = {one.name: np.asarray(inputs[one.name], np.float64) for one in (*self.channels, *self.known)}
        self.check_lengths({name: column.shape[1] for name, column in columns.items()})
        for name, length in self._lengths.items():
            self._check_whole(columns[name][:, -length:], name)
        return self.standardised(inputs)

    def standardised(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """As `encode`, of columns that are known to fit; windows with steps that are missing are not to be taken."""
        last = {name: np.asarray(inputs[name], np.float64)[:, -length:] for name, length in self._lengths.items()}
        past = [last[channel.name] for channel in self.channels]
        found: dict[str, np.ndarray | Rows] = {"past": StandardWindows(past, self.channels, logarithm=self.logarithm)}
        if self.covariates:
            known = [last[channel.name] for channel in self.known]
            times = inputs[self.time] if self.cycles and self.time is not None else None
            calendar = None if times is None else self._calendar(times)
            found["known"] = StandardWindows(known, self.known, calendar=calendar)
        return found

    @property
    def _lengths(self) -> dict[str, int]:
        """Steps at the end of each column that the network sees."""
        ahead = dict.fromkeys((channel.name for channel in self.known), self.window + self.horizon)
        return {channel.name: self.window for channel in self.channels} | ahead

    def check_lengths(self, steps: Mapping[str, int], where: str = "") -> None:
        """InputError where the columns' numbers of steps do not fit: a channel's end is the present, and what is known
        beforehand goes `horizon` steps further. Columns that are not in `steps` are not looked at.
        """
        first = self.channels[0].name
        lengths = {name: length for name, length in self._lengths.items() if name in steps}
        for name, length in lengths.items():
            if steps[name] < length:
                column = f"{where}, column {name!r}" if where else f"Column {name!r}"
                raise InputError(f"{column}: expected {length} steps or more, got {steps[name]}. {self._needs(name)}")
        for name, length in lengths.items():
            further = length - self.window
            if first in steps and steps[name] != steps[first] + further:
                column = f"{where}, column {name!r}" if where else f"Column {name!r}"
                than = f"{further} more than" if further else "as many as"
                remedy = self._needs(name) if further else "Give all channels up to the same time."
                raise InputError(
                    f"{column}: expected {steps[first] + further} steps, {than} of {first!r}, got {steps[name]}. "
                    f"{remedy}"
                )

    def _check_whole(self, column: Column, name: str) -> None:
        step = _first_bad(column, positive=self.logarithm and name not in [channel.name for channel in self.known])
        if step is None:
            return
        length = column.shape[1]
        row, place = step
        value = column[row, place]
        problem = "is not above 0, and the model counts in logarithms" if np.isfinite(value) else "is missing"
        raise InputError(
            f"Item {row + 1}, column {name!r}: the value {length - place} steps from the end {problem} ({value:g}); "
            f"expected {length} numbers. {self._needs(name)}"
        )

    def _needs(self, name: str) -> str:
        if name in [channel.name for channel in self.known]:
            return f"It is known beforehand: give it for each step of the channels and the {self.horizon} ahead."
        return f"The model looks at the last {self.window} steps: give as many, without gaps."

    def _calendar(self, last: np.ndarray) -> Calendar:
        missing = np.flatnonzero(np.isnat(last))
        if len(missing):
            raise InputError(
                f"Item {missing[0] + 1}, column {self.time!r}: the model looks at the calendar, so it needs the time "
                "of the last step, such as 2024-12-31 23:00."
            )
        step = clock.fixed(self.step)
        seconds = 0.0 if step is None else step / np.timedelta64(1, "s")
        offsets = np.arange(-self.window + 1, self.horizon + 1) * seconds
        return Calendar(last, offsets, tuple(CYCLES[cycle] for cycle in self.cycles))

    def following(self, inputs: Columns) -> list[list[str] | None]:
        """The times of each row's forecast as text, with "Z" where they are known to be UTC; None where the last time
        or the step is not known.
        """
        if self.time is None or self.step is None:
            return [None] * len(next(iter(inputs.values())))
        return [
            None
            if np.isnat(last)
            else clock.shown(clock.following(last, self.step, self.horizon), zoned=self.zoned is True)
            for last in inputs[self.time]
        ]

    def remarks(self, inputs: Columns) -> list[str | None]:
        far = np.zeros(len(next(iter(inputs.values()))), bool)
        names = np.full(len(far), "", object)
        for channel in self.channels:
            column = np.asarray(inputs[channel.name], np.float64)[:, -self.window :]
            if self.logarithm:
                column = np.log(column)
            beyond = (np.abs(column - channel.mean) > _FAR * channel.scale).any(axis=1)
            names[beyond & ~far] = channel.name
            far |= beyond
        return [
            f"{name!r} lies over {_FAR:g} standard deviations from its mean in training: the forecast is a guess"
            if one
            else None
            for one, name in zip(far, names, strict=True)
        ]

    def save(self, folder: Path) -> None:
        settings = {"kind": self.kind, **asdict(self), "step": None if self.step is None else _kept(self.step)}
        write_json(folder / "preprocessing.json", settings)

    @classmethod
    def load(cls, _folder: Path, settings: Mapping[str, object]) -> SeriesInputs:
        step, cycles = settings["step"], settings["cycles"]
        if not isinstance(cycles, list) or not isinstance(step, list | None):
            raise TypeError("cycles and step are JSON lists")
        numbers = {name: int(str(settings[name])) for name in ("window", "horizon", "targets", "season")}
        zoned = settings.get("zoned")  # runs of dlkit before it was asked have none
        return cls(
            channels=_channels(settings["channels"]),
            known=_channels(settings["known"]),
            time=None if settings["time"] is None else str(settings["time"]),
            step=None if step is None else _step(*step),
            cycles=tuple(map(str, cycles)),
            logarithm=bool(settings["logarithm"]),
            zoned=None if zoned is None else bool(zoned),
            **numbers,
        )


@dataclass(frozen=True)
class Calendar:
    """Sine and cosine of where in each cycle a step lies, counted from 1970.

    `last`: (rows,) datetime64. `offsets`: (steps,) float64 seconds from it. `periods`: seconds of each cycle.
    """

    last: np.ndarray
    offsets: np.ndarray
    periods: tuple[int, ...]

    def take(self, indices: np.ndarray) -> np.ndarray:
        """(len(indices), steps, 2 cycles) float64."""
        seconds = (self.last[indices] - np.datetime64(0, "s")) / np.timedelta64(1, "s")
        moments = seconds[:, None] + self.offsets
        angles = np.stack([2 * np.pi * (moments % period / period) for period in self.periods], axis=-1)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


class StandardWindows:
    """Windows as `Rows`, gathered and scaled when they are asked for: (rows, steps, channels) float32.

    `columns`: (rows, steps) float64 each, which may be views of one series; `calendar`: what stands beside them.
    """

    def __init__(
        self,
        columns: Sequence[np.ndarray],
        channels: Sequence[Channel],
        *,
        logarithm: bool = False,
        calendar: Calendar | None = None,
    ) -> None:
        self.columns, self.channels, self.logarithm = list(columns), list(channels), logarithm
        self.calendar = calendar

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns or self.calendar is None else len(self.calendar.last)

    def take(self, indices: np.ndarray) -> np.ndarray:
        beside = None if self.calendar is None else self.calendar.take(indices)
        steps = self.columns[0].shape[1] if self.columns else len(self.calendar.offsets) if self.calendar else 0
        count = len(self.columns)
        found = np.empty((len(indices), steps, count + (0 if beside is None else beside.shape[2])), np.float32)
        # Channel by channel: one array of float64 for all of them is larger than the processor's cache.
        for place, (column, channel) in enumerate(zip(self.columns, self.channels, strict=True)):
            values = np.log(column[indices]) if self.logarithm else column[indices]
            found[:, :, place] = (values - channel.mean) / channel.scale
        if beside is not None:
            found[:, :, count:] = beside
        return found


@dataclass(frozen=True)
class ScaledSteps:
    """Steps to be forecast as `Rows`: (rows, horizon, targets) float32 on the standardised scale, made on `take`.

    `values`: (rows, horizon, targets) float64 in own units, which may be a view of one series.
    """

    values: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    logarithm: bool = False

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: np.ndarray) -> np.ndarray:
        values = self.values[indices]
        values = np.log(values) if self.logarithm else values
        return ((values - self.mean) / self.scale).astype(np.float32)


def _kept(step: clock.Step) -> list[int | str]:
    """A step as JSON has it: a number of months or nanoseconds, or the working days of a week, and which."""
    if isinstance(step, WorkingDays):
        return [step.week, _WEEK]
    unit: Literal["M", "ns"] = "M" if clock.in_months(step) else "ns"
    return [int(step / np.timedelta64(1, unit)), unit]


def _step(value: int | str, unit: str) -> clock.Step:
    if unit == _WEEK:
        return WorkingDays(str(value))
    return np.timedelta64(int(value), "M" if unit == "M" else "ns")


def _channels(settings: object) -> tuple[Channel, ...]:
    if not isinstance(settings, list):
        raise TypeError("channels and known are JSON lists")
    return tuple(Channel(str(one["name"]), float(one["mean"]), float(one["scale"])) for one in settings)


_BLOCK = 4_096


def _first_bad(column: np.ndarray, *, positive: bool) -> tuple[int, int] | None:
    """Row and step of the first value that is not finite, or not above 0; some rows at a time, for views."""
    for start in range(0, len(column), _BLOCK):
        block = column[start : start + _BLOCK]
        bad = ~np.isfinite(block) | (block <= 0 if positive else False)
        if bad.any():
            row, place = np.argwhere(bad)[0]
            return start + int(row), int(place)
    return None
