"""Which columns of a file hold the days and the times of day of its rows, where these stand apart?"""

from __future__ import annotations

from collections.abc import Callable, Collection

from dlkit.data.delimited import Delimited
from dlkit.inference import times as clock
from dlkit.inference.missing import is_missing

LOOKED_AT = 1_000
"""Rows by which it is told what a column holds."""
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


def _are_told_apart(table: Delimited, day: str, of_day: str) -> bool:
    days = len({*table.columns[day]})
    both = len({*zip(table.columns[day], table.columns[of_day], strict=True)})
    return both > days and len(table) - days >= _REPEATED * len(table)
