"""Series: which columns are to be forecast from which others, and which steps train, choose and judge?

A CSV of the user's own, a named dataset or a generated sample, all to the same `Splits`: a row is a window of past
steps and the steps that follow it. The series is split by time before windows are cut, and windows are views of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.contracts import Splits
from dlkit.data import series_gaps
from dlkit.data.columns import check_known
from dlkit.data.paths import PathOrDataset, one_table
from dlkit.data.series_files import Series, read_series
from dlkit.data.series_gaps import Fill
from dlkit.data.series_samples import series_sample
from dlkit.data.series_windows import Layout, Measured, SeriesSplit, every_nth, thinned, windows
from dlkit.data.sources import check_theirs, source
from dlkit.data.splitting import check_enough, check_fraction, check_names, file_fingerprint, fingerprint
from dlkit.errors import DataError, SettingsError
from dlkit.inference import times as clock

MOST_HORIZON, MOST_WINDOW = 96, 336
"""Taken where nothing is said and the series is long enough."""
_MANY = 1_000_000
"""Windows to train on beyond which an epoch takes very long."""


@dataclass(frozen=True)
class SeriesData(PathOrDataset):
    """Settings: which series a recipe forecasts.

    `dataset`: taken where no path is given. `targets`: columns to forecast, all that hold numbers where empty; `known`:
    columns whose future is known beforehand; `ignore`: columns left out; all others are looked at. `time`: column of
    times, found by looking where None; where some days of the week are missing throughout, a step is from one working
    day to the next, and up to seven of them that are missing in a row are holidays. `window`, `horizon`: steps looked
    at and forecast; where None, 336 and 96, or fewer of a short series. `stride`: a window to train on begins every so
    many steps. `season`: steps of one, from the step of the times where None. `scale`: "log" counts in logarithms, for
    a series above 0 that grows by a factor a year. `sort`: puts rows in the order of their times. `fill`: puts in rows
    and values that are missing, as the one before or on a line between neighbours, and brings rows beside the grid of
    steps onto it; otherwise windows that would hold them are left out. No forecast is judged by what was filled, or
    made from what was filled from later. `validation_fraction`, `test_fraction`: shares of all steps, the last ones
    test, where a dataset has no parts of its own.
    """

    dataset: str = "etth1"
    targets: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    time: str | None = None
    window: int | None = None
    horizon: int | None = None
    stride: int = 1
    season: int | None = None
    scale: Literal["linear", "log"] = "linear"
    sort: bool = False
    fill: Fill = "none"
    sample: str = "load"
    validation_fraction: float = 0.1
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        check_names(dataset=self.dataset, time=self.time, sample=self.sample)
        named: list[str] = []
        for name in ("targets", "known", "ignore"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(isinstance(column, str) for column in value):
                raise SettingsError(f"data.{name}={value!r}: expected column names, such as ('load', 'wind').")
            named += value
        twice = [name for name in named if named.count(name) > 1]
        if twice:
            raise SettingsError(
                f"Column {twice[0]!r} stands more than once in data.targets, data.known and data.ignore; give it one "
                "place."
            )
        for name in ("window", "horizon", "stride", "season"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise SettingsError(f"data.{name}={value!r}: expected a whole number of steps from 1 on.")
        if self.scale not in ("linear", "log"):
            raise SettingsError(f"data.scale={self.scale!r}: expected linear or log.")
        if self.fill not in ("none", "previous", "linear"):
            raise SettingsError(f"data.fill={self.fill!r}: expected none, previous or linear.")
        check_fraction("data.validation_fraction", self.validation_fraction)
        check_fraction("data.test_fraction", self.test_fraction)
        if self.validation_fraction + self.test_fraction >= 1:
            raise SettingsError(
                "data.validation_fraction and data.test_fraction leave nothing to train on: expected a sum below 1, "
                f"got {self.validation_fraction + self.test_fraction:g}."
            )

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        file = one_table(path)
        say(f"Reading {file}")
        wanted = [*self.targets, *self.known]
        series = read_series(file, self.time, None, ignore=self.ignore, kept=wanted, sort=self.sort)
        for name in wanted:
            said = [note for note in series.notes if note.startswith(f"column {name!r} ")]
            if name not in series.values and said:
                raise DataError(f"{file}: data.targets and data.known are columns of numbers, and {'; '.join(said)}.")
        check_known("data.targets and data.known", wanted, series.values, str(file))
        check_enough(str(file), len(series), "steps")
        series_gaps.check_times(series.times, series.time, str(file))
        origin = {"name": file.stem, "source": str(file), "fingerprint": file_fingerprint(file)}
        return self._splits(series, None, origin)

    def _named(self, path: Path | None, say: Callable[[str], None], allow_download: bool) -> Splits:
        dataset = source(self.dataset)
        times = [name for name, kind in dataset.kinds.items() if kind == "category"]
        if not dataset.ordered or dataset.target is not None or len(times) != 1 or "test" not in dataset.rows:
            raise SettingsError(f"data.dataset={self.dataset!r}: {dataset.title} is not a series to forecast.")
        check_theirs(dataset.title, time=(self.time, times[0]))
        from dlkit.data import builders

        loaded = builders.load(self.dataset, path=path, allow_download=allow_download, say=say)
        parts = [loaded.splits[name].inputs for name in ("train", "validation", "test")]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in dataset.kinds}
        check_known("data.targets, data.known and data.ignore", [*self.targets, *self.known, *self.ignore],
                    [name for name in columns if name != times[0]], self.dataset)  # fmt: skip
        fields = columns.pop(times[0]).tolist()
        moments = clock.written(fields)[0].parse(fields)
        step = clock.step_of(moments)
        series = Series(
            moments, columns, step, (*loaded.notes, *series_gaps.irregularities(moments, step)), times[0], zoned=False
        )
        sizes = tuple(len(part[times[0]]) for part in parts)
        origin = {"name": self.dataset, "source": loaded.source, "fingerprint": loaded.fingerprint}
        return self._splits(series, (sizes[0], sizes[1], sizes[2]), origin)

    def _sample(self) -> Splits:
        chosen = series_sample(self.sample)
        for setting in ("targets", "known", "ignore"):
            check_known(f"data.{setting}", getattr(self, setting), chosen.values, f"the sample {self.sample!r}")
        rows = zip(*(column.tolist() for column in chosen.values.values()), strict=True)
        origin = {
            "name": self.sample,
            "source": f"sample: {chosen.title}",
            "fingerprint": fingerprint(repr(row) for row in rows),
        }
        series = Series(chosen.times, chosen.values, chosen.step, time="time")
        return self._splits(series, None, origin, noise=chosen.noise)

    def _splits(
        self,
        series: Series,
        sizes: tuple[int, int, int] | None,
        origin: Mapping[str, str],
        *,
        noise: float | None = None,
    ) -> Splits:
        where = origin["source"]
        values = {name: column for name, column in series.values.items() if name not in self.ignore}
        if not self.targets and not set(values) - set(self.known):
            raise DataError(f"{where}: no column is left to forecast. Columns: {', '.join(series.values)}.")
        targets = self.targets or tuple(name for name in values if name not in self.known)
        others = tuple(name for name in values if name not in (*targets, *self.known))
        columns = (*targets, *others, *self.known)
        times, matrix = series.times, np.stack([values[name] for name in columns], axis=1)
        notes = [*series.notes]
        if self.fill != "none" and times is not None and series.step is not None:
            before = len(times)
            times, matrix, done = series_gaps.on_grid(times, matrix, series.step, self.fill)
            notes += done
            if sizes is not None:
                sizes = (sizes[0] + len(times) - before, sizes[1], sizes[2])
        sizes = sizes or self._sizes(len(matrix))
        layout = Layout(
            targets=targets,
            others=others,
            known=self.known,
            window=0,
            horizon=0,
            time=series.time,
            step=series.step,
            season=self.season or series_gaps.season_of(series.step),
            logarithm=self.scale == "log",
            zoned=series.zoned,
        )
        layout = _sized(layout, sizes, self.window, self.horizon, where)
        missing = np.isnan(matrix)
        matrix = self._whole(matrix, sizes, notes)
        measured = Measured(matrix, times, missing, series_gaps.ahead_of(missing, self.fill))
        _check(matrix[: sizes[0]], layout, where)
        _check_logarithm(matrix, layout, where)
        parts: dict[str, SeriesSplit] = {}
        start = 0
        for name, size in zip(("train", "validation", "test"), sizes, strict=True):
            # Windows of a held-out part reach back into the one before; what they forecast lies in the part alone.
            first = max(start - layout.window, 0)
            own = {column: matrix[start : start + size, at] for at, column in enumerate(columns)}
            parts[name] = windows(
                measured.cut(slice(first, start + size)),
                layout,
                own,
                where=f"{where}, {name} part",
                judged=name != "train",
                notes=notes,
            )
            if name != "train":
                parts[name] = thinned(parts[name], name, notes)
            elif self.stride > 1:
                parts[name] = every_nth(parts[name], self.stride)
            elif len(parts[name]) > _MANY:
                notes.append(f"{len(parts[name]):,} training windows; --set data.stride=10 takes every tenth")
            start += size
        best = {} if noise is None else {"mse": noise**2 / float(np.var(parts["train"].part[targets[0]]))}
        return Splits(
            train=parts["train"],
            validation=parts["validation"],
            test=parts["test"],
            kinds=layout.kinds,
            name=origin["name"],
            source=where,
            fingerprint=origin["fingerprint"],
            sample=noise is not None,
            target_name=", ".join(targets),
            best=best,
            notes=tuple(notes),
        )

    def _sizes(self, rows: int) -> tuple[int, int, int]:
        validation, test = round(rows * self.validation_fraction), round(rows * self.test_fraction)
        return rows - validation - test, validation, test

    def _whole(self, matrix: np.ndarray, sizes: tuple[int, int, int], notes: list[str]) -> np.ndarray:
        """Values filled in where that is asked for: each part from itself and what precedes it."""
        missing = int(np.isnan(matrix).sum())
        if self.fill == "none" or not missing:
            return matrix
        parts: list[np.ndarray] = []
        start = 0
        for size in sizes:
            before = parts[-1][-1] if parts and len(parts[-1]) else None
            parts.append(series_gaps.filled(matrix[start : start + size], self.fill, before))
            start += size
        how = "the value before" if self.fill == "previous" else "a line between its neighbours"
        notes.append(
            f"{missing} missing values were filled, each by {how}; a forecast fills none, so what it is given must be "
            "whole"
        )
        return np.concatenate(parts)


def _sized(layout: Layout, sizes: tuple[int, int, int], window: int | None, horizon: int | None, where: str) -> Layout:
    """With window and horizon as asked for, or as the shortest parts allow; DataError where they do not fit."""
    train, held_out = sizes[0], min(sizes[1:])
    chosen = horizon or max(min(MOST_HORIZON, train // 20, held_out), 1)
    looked = window or max(min(MOST_WINDOW, max(train // 4, 2 * layout.season if train >= 8 * layout.season else 1)), 1)
    if chosen > held_out or looked + chosen > train:
        fits = max(min(held_out, train // 2), 0)
        raise DataError(
            f"{where}: {sum(sizes)} steps are {train} to train on and {sizes[1]} and {sizes[2]} to choose and judge "
            f"by; a window of {looked} and {chosen} steps ahead do not fit. Give more rows, or set data.horizon to "
            f"{fits} at most and data.window to {max(train - min(chosen, fits) - 1, 0)} at most."
        )
    return replace(layout, window=looked, horizon=chosen)


def _check(train: np.ndarray, layout: Layout, where: str) -> None:
    for place, name in enumerate(layout.columns):
        column = train[:, place]
        there = column[np.isfinite(column)]
        if not len(there):
            raise DataError(
                f"{where}, column {name!r}: the whole training part has no value of it. Leave it out: --set "
                f"data.ignore={name}"
            )
        if name in layout.targets and there.min() == there.max():
            raise DataError(
                f"{where}, column {name!r}: it is {there[0]:g} in the whole training part, so there is nothing to be "
                f"learnt. Leave it out: --set data.ignore={name}"
            )


def _check_logarithm(matrix: np.ndarray, layout: Layout, where: str) -> None:
    """DataError where a value of any part has no logarithm, which would be found out after training."""
    for place, name in enumerate(layout.columns if layout.logarithm else ()):
        column = matrix[:, place]
        if name not in layout.known and (column <= 0).any():
            raise DataError(
                f"{where}, column {name!r}: data.scale=log needs values above 0, the smallest is "
                f"{np.nanmin(column):g}. Use data.scale=linear."
            )
