"""Which columns of a file hold the days and the times of day of its rows, where these stand apart?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from dlkit.data.delimited import Delimited, parse_number
from dlkit.errors import DataError
from dlkit.inference import times as clock
from dlkit.inference.missing import is_missing

LOOKED_AT = 1_000
"""Rows by which it is told what a column holds."""
_OF_TIMES = frozenset({"time", "timestamp", "date", "datetime", "ds"})
"""Columns called so, in any case, are expected to hold times."""
_REPEATED = 0.1
"""Of all rows, at least, that share their day with another one, where a time of day tells these apart."""


def likely(table: Delimited) -> list[str]:
    """The columns, those first that are called as times are."""
    return sorted(table.columns, key=lambda name: name.strip().lower() not in clock.NAMES)


def days_and_clocks(
    table: Delimited, time: str | None, *, taken: Collection[str], within_a_day: bool
) -> tuple[str, str] | None:
    """The columns of days and of times of day that together are the times of the rows; None where no two are.

    `time`: the column of times, where it is known. `taken`: columns that are no times. Days have to repeat, and their
    times of day to tell rows of one day apart: what has a row a day may have a column such as "sunrise" too.
    `within_a_day`: rows are known to follow each other within a day, be they as few as they may.
    """

    def of_kind(name: str, is_kind: Callable[[str], bool]) -> bool:
        present = [field for field in table.columns[name][:LOOKED_AT] if not is_missing(field)]
        return name not in taken and bool(present) and all(map(is_kind, present))

    clocks = [name for name in table.columns if of_kind(name, clock.is_clock)]
    if not clocks:
        clocks = [name for name in table.columns if name.lower() in clock.HOURS and of_kind(name, clock.is_hour)]
    days = [name for name in likely(table) if of_kind(name, clock.is_day)]
    if time is not None and time not in clocks:
        days = [name for name in days if name == time]
    if len(clocks) != 1 or not days:
        return None
    pair = days[0], clocks[0]
    return pair if within_a_day or _are_told_apart(table, *pair) else None


def moments(table: Delimited, taken: Collection[str]) -> list[str]:
    """Columns called as times are that hold whole ones, days with their times of day."""
    named = [name for name in likely(table) if name.strip().lower() in clock.NAMES and name not in taken]
    first = {name: next((field for field in table.columns[name] if not is_missing(field)), "") for name in named}
    return [name for name, field in first.items() if clock.is_moment(field)]


def hour_that_is_none(table: Delimited) -> str:
    """Says which field of a column called as hours are is no hour of a day; "" where there is none such."""
    for name in table.columns:
        if name.lower() in clock.HOURS:
            wrong = next((field for field in table.columns[name] if not clock.is_hour(field)), None)
            return "" if wrong is None else f" (column {name!r} holds {wrong.strip()[:20]!r})"
    return ""


def check_not_times(path: Path, names: Sequence[str]) -> None:
    """DataError where there is no header: a name is a time."""
    for name in names:
        if clock.written([name]) and not clock.is_number(name):
            raise DataError(
                f"{path}, line 1: expected column names, got the time {name!r}. Add a header line, such as time,value."
            )


def check_read(table: Delimited, ignore: Collection[str]) -> None:
    """DataError where a column called as times are, other than those in `ignore`, holds some of no style that is known,
    for which rows of a stream would be taken for rows by themselves.
    """
    for name in [name for name in table.columns if name.strip().lower() in _OF_TIMES and name not in ignore]:
        present = [value.strip() for value in table.columns[name] if not is_missing(value)]
        numbers = sum(parse_number(value) is not None for value in present)
        digits = sum(any(map(str.isdigit, value)) for value in present)
        if not numbers and 2 * len({*present}) > len(present) and 2 * digits > len(present):
            raise DataError(
                f"{table.path}, column {name!r}: {present[0][:40]!r} is no time in a style that is known. Write times "
                f"as 2024-12-31 23:59:00, or leave the column out (--set data.ignore={name})."
            )


def _are_told_apart(table: Delimited, day: str, of_day: str) -> bool:
    days = len({*table.columns[day]})
    both = len({*zip(table.columns[day], table.columns[of_day], strict=True)})
    return both > days and len(table) - days >= _REPEATED * len(table)
