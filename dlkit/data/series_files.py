"""What was measured when? A CSV of measurements, with its times parsed, as columns of numbers in time order.

A file is read some rows at a time, so that its text is never in memory as a whole: ten million rows of two columns are
160 MB of numbers. Gaps, repeated times and irregular steps are reported, not repaired.
"""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from dlkit.data.columns import MOSTLY, check_known, numbers_of, undressed
from dlkit.data.day_columns import (
    LOOKED_AT,
    check_not_times,
    check_read,
    days_and_clocks,
    hour_that_is_none,
    likely,
    moments,
)
from dlkit.data.delimited import Delimited, delimited_blocks, parse_number
from dlkit.data.series_gaps import irregularities, unordered
from dlkit.data.sources import Example, Examples
from dlkit.errors import DataError
from dlkit.inference import times as clock
from dlkit.inference.missing import is_missing

BLOCK_ROWS = 1 << 16


@dataclass(frozen=True)
class Series:
    """`times`: (rows,) datetime64[ns] in UTC, in ascending order, or None where the file has none. `values`: column to
    (rows,) float64, NaN where nothing was measured. `step`: between neighbours, as `times.step_of` has it; None
    without times. `notes`: what a user should know: gaps, repeated times, columns left out. `time`: name of the column
    of times. `words`: (rows,) object array of the column that was asked for as text. `zoned`: whether times were
    written with a zone; None where there are none, or seconds since 1970.
    """

    times: np.ndarray | None
    values: dict[str, np.ndarray]
    step: clock.Step | None
    notes: tuple[str, ...] = ()
    time: str | None = None
    words: np.ndarray | None = None
    zoned: bool | None = None

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass(frozen=True)
class Block:
    """Some rows of a file that follow each other, as `Series` has them. `lines`: (rows,) int64, where each begins."""

    times: np.ndarray | None
    values: dict[str, np.ndarray]
    lines: np.ndarray
    words: np.ndarray | None = None
    zoned: bool | None = None

    def __len__(self) -> int:
        return len(self.lines)


def read_series(
    path: Path,
    time: str | None = None,
    columns: Sequence[str] | None = None,
    *,
    ignore: Sequence[str] = (),
    kept: Sequence[str] = (),
    words: str | None = None,
    sort: bool = False,
    empty: bool = False,
    within_a_day: bool = False,
) -> Series:
    """All rows of a CSV or TSV file.

    `time`: the column of times; found by looking where it is None. `columns`: of numbers; all others that hold numbers
    where it is None, but for those in `ignore`. `kept`: columns of numbers, also where they are a part of the times.
    `words`: a column of labels, read as text. `sort`: put rows in the order of their times; DataError otherwise where
    they are not. `empty`: `columns` may hold nothing; DataError otherwise. `within_a_day`: rows are known to follow
    each other within a day; DataError where days alone are written.
    """
    layout = _Layout(path, time, columns, tuple(ignore), words, tuple(kept), within_a_day)
    blocks = list(layout.blocks(BLOCK_ROWS))
    values = {name: np.concatenate([block.values[name] for block in blocks]) for name in layout.numbers}
    times = None if layout.time is None else np.concatenate([block.times for block in blocks])
    labels = None if words is None else np.concatenate([block.words for block in blocks])
    notes = list(layout.notes)
    if times is not None:
        lines = np.concatenate([block.lines for block in blocks])
        back = np.flatnonzero(np.diff(times) < np.timedelta64(0))
        if len(back) and not sort:
            raise unordered(path, str(layout.time), times, lines, back)
        if len(back):
            order = np.argsort(times, kind="stable")
            times, values = times[order], {name: column[order] for name, column in values.items()}
            labels = None if labels is None else labels[order]
            notes.append(f"the rows were put in the order of their times: {len(back)} of them went back")
    values = _usable(path, values, columns, notes, empty=empty)
    step = None if times is None else clock.step_of(times)
    if times is not None:
        notes += irregularities(times, step)
    return Series(times, values, step, tuple(notes), layout.time, labels, layout.zoned)


def last_rows(path: Path, time: str | None, columns: Sequence[str], rows: int, *, within_a_day: bool = False) -> Block:
    """The last `rows` rows of a file of any length, or all where it has fewer; times must ascend through all of it.

    `within_a_day`: see `read_series`.
    """
    layout = _Layout(path, time, columns, within_a_day=within_a_day)
    kept: list[Block] = []
    for block in layout.blocks(BLOCK_ROWS):
        if block.times is not None:
            before = kept[-1].times[-1:] if kept and kept[-1].times is not None else block.times[:1]
            back = np.flatnonzero(np.diff(block.times, prepend=before) < np.timedelta64(0))
            if len(back):
                row = int(back[0])
                earlier = block.times[row - 1] if row else before[0]
                raise DataError(
                    f"{path}, line {block.lines[row]}, column {layout.time!r}: expected times in ascending order, got "
                    f"{clock.shown(block.times[row : row + 1])[0]} after {clock.shown(np.array([earlier]))[0]}. Sort "
                    "the file."
                )
        kept.append(block)
        while len(kept) > 1 and sum(map(len, kept[1:])) >= rows:
            kept.pop(0)
    times = None if layout.time is None else np.concatenate([block.times for block in kept])[-rows:]
    values = {name: np.concatenate([block.values[name] for block in kept])[-rows:] for name in columns}
    return Block(times, values, np.concatenate([block.lines for block in kept])[-rows:], zoned=layout.zoned)


def series_blocks(
    path: Path, time: str | None = None, columns: Sequence[str] | None = None, *, rows: int = BLOCK_ROWS
) -> Iterator[Block]:
    """The rows of a file, `rows` at a time in the file's order, for a file that is too large to hold."""
    yield from _Layout(path, time, columns).blocks(rows)


def holds_times(path: Path, time: str | None = None, *, ignore: Sequence[str] = ()) -> bool:
    """Whether a file has a column of times, `time` or one found by looking, as `read_series` finds it. DataError where
    one is called so and holds times of no style that is known.
    """
    layout = _Layout(path, time, None, ignored=tuple(ignore))
    for table in delimited_blocks(path, BLOCK_ROWS):
        check_not_times(path, list(table.columns))
        if time is not None:
            return True
        layout._find_times(table)
        if layout.time is None:
            check_read(table, ignore)
        return layout.time is not None
    return False


def parts_of(path: Path, columns: Sequence[str], rows: Mapping[str, int]) -> Examples:
    """The file of a named dataset, cut by time: `rows` of each split, one after the other; what is left is not used.

    `columns`: all of them, that of the times first.
    """
    starts = np.cumsum([0, *rows.values()]).tolist()
    return {split: _part(path, columns, start, rows[split]) for split, start in zip(rows, starts, strict=False)}


def _part(path: Path, columns: Sequence[str], start: int, count: int) -> Iterator[tuple[str, Example]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if header != list(columns):
            raise DataError(f"{path}: expected the columns {', '.join(columns)}, got {', '.join(header)[:200]}.")
        for number, row in enumerate(islice(reader, start, start + count), start):
            try:
                time, *values = row
                yield f"{number:08d}", {columns[0]: time} | dict(zip(columns[1:], map(float, values), strict=True))
            except ValueError as error:
                raise DataError(f"{path}, line {number + 2}: {error}. Get the file again.") from error


@dataclass
class _Layout:
    """Which columns of a file hold what; decided on its first block, kept for the others."""

    path: Path
    wanted_time: str | None
    wanted: Sequence[str] | None
    ignored: tuple[str, ...] = ()
    words: str | None = None
    kept: tuple[str, ...] = ()
    within_a_day: bool = False
    time: str | None = None
    style: clock.Written | None = None
    numbers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    """See `numbers_of`."""
    apart: tuple[str, str] | None = None
    """Columns of days and of times of day, where they stand apart; together they are the times."""

    @property
    def zoned(self) -> bool | None:
        """As `Series` has it, once a block was read."""
        return None if self.style is None or self.style.style == "epoch" else self.style.zoned

    def blocks(self, rows: int) -> Iterator[Block]:
        first = True
        for read in delimited_blocks(self.path, rows):
            if first:
                self._find_clock(read)
            table = self._joined(read)
            if first:
                self._decide(table)
                first = False
            times = None if self.time is None or self.style is None else self._times(table, self.time, self.style)
            values = {name: numbers_of(table, name, self.marks) for name in self.numbers}
            # Few words on many rows: each of them is held once.
            words = None if self.words is None else np.array([*map(sys.intern, table.columns[self.words])], object)
            yield Block(times, values, table.lines, words, self.zoned)
        if first:
            raise DataError(f"{self.path}: a header and no rows below it. Add rows of data.")

    def _decide(self, table: Delimited) -> None:
        names = list(table.columns)
        self.notes += table.notes
        check_not_times(self.path, names)
        if self.wanted_time is not None:
            check_known("data.time", [self.wanted_time], names, str(self.path))
        if self.wanted is not None:
            check_known("data.columns", self.wanted, names, str(self.path))
        check_known("data.ignore", self.ignored, names, str(self.path))
        check_known("data.label", [self.words] if self.words else [], names, str(self.path))
        self._find_times(table)
        self._check_days(table)
        for name in names if self.wanted is None else self.wanted:
            left_out = name in (self.time, self.words, *self.ignored)
            if not left_out and (self.wanted is not None or self._holds_numbers(table, name)):
                self.numbers.append(name)
        if not self.numbers:
            raise DataError(
                f"{self.path}: expected at least one column of numbers, got {', '.join(names)}. "
                + "; ".join(self.notes)
            )

    def _find_clock(self, table: Delimited) -> None:
        taken = {name for name in (*self.ignored, self.words) if name is not None}
        pair = days_and_clocks(table, self.wanted_time, taken=taken, within_a_day=self.within_a_day)
        if pair is not None and self.wanted_time is None and (whole := moments(table, taken)):
            self.wanted_time = whole[0]
        elif pair is not None:
            self.apart = pair
            self.wanted_time = None if self.wanted_time is None else pair[0]
            self.notes.append(f"times are read from {pair[0]!r} and {pair[1]!r} together")

    def _joined(self, table: Delimited) -> Delimited:
        """The table with its times in the column of their days; an hour that is one of the numbers stays as well."""
        if self.apart is None:
            return table
        day, of_day = self.apart
        times = [*map(clock.joined, table.columns[day], table.columns[of_day])]
        stays = of_day in self.kept or of_day in (self.wanted or ())
        columns = {name: fields for name, fields in table.columns.items() if stays or name != of_day}
        return replace(table, columns={**columns, day: times})

    def _find_times(self, table: Delimited) -> None:
        free = [name for name in likely(table) if name not in self.ignored]
        for name in free if self.wanted_time is None else [self.wanted_time]:
            named = name == self.wanted_time or name.strip().lower() in clock.NAMES
            fields = table.columns[name]
            if not named and all(clock.is_number(value) for value in fields[:10]):
                continue
            # A column of times is told from one of words by its first row; a fault further down is then said as one.
            ways = clock.written(fields) or clock.written(fields[:1])[:1]
            if ways:
                self.time, self.style = name, self._one_style(table, name, ways)
                return
        if self.wanted_time is not None:
            value = next((v for v in table.columns[self.wanted_time] if not is_missing(v)), "nothing")
            raise DataError(
                f"{self.path}, column {self.wanted_time!r}: expected times, got {value[:40]!r}. Write them as "
                "2024-12-31 23:59:00, or as seconds since 1970."
            )
        self.notes.append("no column of times was found, so rows are taken in their order; data.time names one")

    def _check_days(self, table: Delimited) -> None:
        """DataError where rows follow each other within a day, and days alone say when."""
        if not self.within_a_day or self.time is None or self.apart is not None:
            return
        fields = [field for field in table.columns[self.time] if not is_missing(field)]
        hour = hour_that_is_none(table)
        # One day alone may be a row of midnight.
        if all(map(clock.is_day, fields)) and (hour or len({*fields}) < len(fields)):
            raise DataError(
                f"{self.path}, column {self.time!r}: rows follow each other within a day, and it has days without a "
                f"time of day{hour}. Write 2024-12-31 23:00, or the hours 0 to 23 in a column called hour."
            )

    def _one_style(self, table: Delimited, name: str, ways: list[clock.Written]) -> clock.Written:
        """The only way to read these times, or the only one in which they ascend."""
        if len(ways) > 1:
            ways = self._further(name, ways)
        if len(ways) > 1:
            times = [(way, way.parse(table.columns[name])) for way in ways]
            ways = [way for way, read in times if (np.diff(read) >= np.timedelta64(0)).all()]
            if len(ways) != 1:
                value = next(v for v in table.columns[name] if not is_missing(v))
                raise DataError(
                    f"{self.path}, column {name!r}: {value[:40]!r} may be day or month first, and all rows can be read "
                    "both ways. Write dates as 2024-12-31."
                )
            self.notes.append(f"times in {name!r} are read with the {ways[0].style}: only so do they ascend")
        if ways[0].zoned:
            self.notes.append(f"times in {name!r} have a zone; they are shown in UTC")
        return ways[0]

    def _further(self, name: str, ways: list[clock.Written]) -> list[clock.Written]:
        """Those of several ways in which rows further down can be read too; all of them where none can."""
        for block in delimited_blocks(self.path, BLOCK_ROWS):
            fields = self._joined(block).columns[name]
            left = []
            for way in ways:
                with contextlib.suppress(clock.TimeFormatError):
                    way.parse(fields)
                    left.append(way)
            if len(left) < 2:
                return left or ways
            ways = left
        return ways

    def _times(self, table: Delimited, name: str, style: clock.Written) -> np.ndarray:
        fields = table.columns[name]
        try:
            times = style.parse(fields)
        except clock.TimeFormatError as fault:
            first = next(value for value in fields if not is_missing(value))
            raise DataError(
                f"{self.path}, line {table.lines[fault.row]}, column {name!r}: {fault.value[:40]!r} is no time "
                f"written as the others, such as {first[:40]!r}. Write all times of a column alike."
            ) from None
        missing = np.flatnonzero(np.isnat(times))
        if len(missing):
            raise DataError(
                f"{self.path}, line {table.lines[missing[0]]}, column {name!r}: expected a time, got nothing. "
                "Fill it in or leave the row out."
            )
        return times

    def _holds_numbers(self, table: Delimited, name: str) -> bool:
        """Whether a column that nobody asked for is one of numbers, by its first rows."""
        present = [value.strip() for value in table.columns[name][:LOOKED_AT] if not is_missing(value)]
        comma = table.delimiter == ";"
        numbers = sum(parse_number(value, decimal_comma=comma) is not None for value in present)
        if present and numbers < MOSTLY * len(present):
            self.notes.append(f"column {name!r} holds words; left out{undressed(present, decimal_comma=comma)}")
            return False
        return True


def _usable(
    path: Path, values: dict[str, np.ndarray], wanted: Sequence[str] | None, notes: list[str], *, empty: bool
) -> dict[str, np.ndarray]:
    """Columns with at least one number; a note on those that are empty, constant or in part missing."""
    missing = []
    for name, column in list(values.items()):
        lost = int(np.isnan(column).sum())
        if lost == len(column):
            if wanted is not None and empty:
                notes.append(f"column {name!r} has no values")
                continue
            if wanted is not None:
                raise DataError(f"{path}, column {name!r}: no row holds a number. Choose another column.")
            notes.append(f"column {name!r} has no values; left out")
            del values[name]
            continue
        if len(column) > 1 and np.nanmin(column) == np.nanmax(column):
            notes.append(f"column {name!r} is {np.nanmin(column):g} on every row")
        if lost:
            missing.append(f"{name} ({lost})")
    if not values:
        raise DataError(f"{path}: no column holds a number. {'; '.join(notes)}")
    if missing:
        notes.append(f"missing values in {', '.join(missing)}")
    return values
