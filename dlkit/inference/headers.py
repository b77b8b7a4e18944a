"""Which column of a stream stands where: by the line that names them, or, where none comes, by what rows hold?"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dlkit.inference.missing import is_missing
from dlkit.inference.times import HOURS, NAMES, is_clock, is_day, is_hour, joined, written

_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Header:
    """How rows are read. `width`: fields of a row. `places`: the model's columns to the number of their field. `time`:
    that of the times; None where none is named so, then the first of `others` that holds one may be. `hours`: of a
    column that may hold the hours of the times; None where none is named so.
    """

    delimiter: str
    width: int
    places: Mapping[str, int]
    time: int | None
    others: tuple[int, ...] = ()
    hours: int | None = None


def named(line: str, kinds: Mapping[str, str], clock: str | None = None) -> Header | None:
    """How rows below this line are read; None where it does not name all columns. `clock`: the column of times, where
    it is known.
    """
    delimiter, names = names_in(line)
    if any(name not in names for name in kinds):
        return None
    others = tuple(place for place, name in enumerate(names) if name not in kinds)
    time = next((place for place in others if names[place] == clock), None)
    if time is None:
        time = next((place for place in others if names[place].lower() in NAMES), None)
    hours = next((place for place, name in enumerate(names) if name.lower() in HOURS), None)
    return Header(delimiter, len(names), {name: names.index(name) for name in kinds}, time, others, hours)


def names_in(line: str) -> tuple[str, list[str]]:
    """Delimiter and fields of a line that may be a header."""
    line = line.lstrip("\ufeff")
    delimiter = max(_DELIMITERS, key=line.count)
    return delimiter, [name.strip() for name in fields_of(line, delimiter)]


def without_header(line: str, kinds: Mapping[str, str]) -> Header | None:
    """How a row is read that nothing was said of; None where that is not plain.

    It is plain where fields fit the columns one by one in the order of training, but for one more that alone is a time.
    """
    found = []
    for delimiter in [mark for mark in _DELIMITERS if mark in line] or [","]:
        fields = fields_of(line, delimiter)
        times = [place for place, field in enumerate(fields) if is_dated(field)]
        places = [place for place in range(len(fields)) if place not in times]
        if len(times) > 1 or len(places) != len(kinds):
            continue
        values = [fields[place] for place in places]
        if _fit(values, [*kinds.values()], comma=delimiter == ";"):
            found.append(Header(delimiter, len(fields), dict(zip(kinds, places, strict=True)), next(iter(times), None)))
    return found[0] if len(found) == 1 else None


def _fit(values: Sequence[str], kinds: Sequence[str], *, comma: bool) -> bool:
    """Whether there is a number for each column of numbers, and at least for one, and a word for each category."""
    numbers = [number_in(value.strip(), comma=comma) for value in values]
    of_numbers = [number for number, kind in zip(numbers, kinds, strict=True) if kind != "category"]
    words = [number for number, kind in zip(numbers, kinds, strict=True) if kind == "category"]
    return (
        not any(map(math.isinf, of_numbers))
        and not all(map(math.isnan, of_numbers))
        and not any(map(math.isfinite, words))
    )


def holds_names(line: str) -> bool:
    """Whether a line of several fields holds neither numbers nor times nor nothing: it may name columns."""
    _, names = names_in(line)
    return bool(names) and not any(
        is_missing(name) or is_dated(name) or math.isfinite(number_in(name, comma=True)) for name in names
    )


def apart(row: Sequence[str], time: int, taken: Iterable[int], hours: int | None = None) -> tuple[int, int] | tuple[()]:
    """The fields of the day and of the time of day where these stand apart, one of them in the column of times; those
    that are `taken` are neither. `hours`: the field that may be a whole hour, which a model may look at as well.
    """
    free = sorted(set(range(len(row))) - set(taken))
    days, clocks = ([place for place in free if is_kind(row[place])] for is_kind in (is_day, is_clock))
    if not clocks and hours is not None and is_hour(row[hours]):
        clocks = [hours]
    found = [(day, clock) for day in days for clock in clocks if time in (day, clock)]
    return found[0] if len(found) == 1 else ()


def times_in(rows: Sequence[Sequence[str]], time: int, days: tuple[int, int] | tuple[()]) -> list[str]:
    """Times as they are written, a time of day that stands apart joined to its day (`apart`)."""
    if not days:
        return [row[time] for row in rows]
    day, clock = days
    return [joined(row[day], row[clock]) for row in rows]


def is_dated(field: str) -> bool:
    """Whether a field is a time, and not a plain number, which may count anything."""
    return any(way.style != "epoch" for way in written([field])) and math.isinf(number_in(field.strip(), comma=False))


def number_in(text: str, *, comma: bool) -> float:
    """NaN where nothing stands, infinite where no finite number stands. `comma`: it may part decimals."""
    if is_missing(text):
        return math.nan
    try:
        number = math.inf if "_" in text else float(text.replace(",", ".") if comma else text)
    except ValueError:
        return math.inf
    return number if math.isfinite(number) else math.inf


def fields_of(line: str, delimiter: str) -> list[str]:
    """The fields of a line of a CSV; none where it is not one."""
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except (csv.Error, StopIteration):
        return []
