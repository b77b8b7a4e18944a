"""Are these items what the model takes, and how do they become raw columns?

An item is what a person or a JSON request gives for one row: for a model of one text column a string, for a
table an object `{column: value}`, for one of pictures a file's path, its content, or pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dlkit.contracts import Column, ColumnKind, Columns
from dlkit.errors import InputError, did_you_mean
from dlkit.inference import times as clock
from dlkit.inference.missing import is_missing


def columns_from(items: Sequence[object], kinds: Mapping[str, ColumnKind], *, first: int = 1) -> Columns:
    """Items as raw columns, each value checked; InputError names the item, counted from `first` on, and the column."""
    if isinstance(items, str | bytes | Mapping):
        raise InputError(f"Expected a list of items, got one {type(items).__name__}: put it into a list.")
    only = next(iter(kinds)) if len(kinds) == 1 else None
    rows = [_row(item, number, kinds, only) for number, item in enumerate(items, start=first)]
    return {name: _column([row[name] for row in rows], kind) for name, kind in kinds.items()}


def column_from(values: Iterable[object], kind: ColumnKind, where: str) -> Column:
    """One raw column, each of its values checked as `columns_from` does; InputError names the row, from 0 on."""
    check = _CHECKS[kind]
    return _column([check(value, f"{where}, row {row}") for row, value in enumerate(values)], kind)


def _row(item: object, number: int, kinds: Mapping[str, ColumnKind], only: str | None) -> dict[str, Value]:
    where = f"Item {number}"
    if only is not None and not isinstance(item, Mapping):
        item = {only: item}
    if not isinstance(item, Mapping):
        got = f"{type(item).__name__} {beginning(item)}"
        raise InputError(f"{where}: expected an object with the columns {', '.join(kinds)}; got {got}.")
    for name in item:
        if name not in kinds:
            raise InputError(f"{where}: the model has no column {str(name)!r}.{did_you_mean(str(name), kinds)}")
    row: dict[str, Value] = {}
    for name, kind in kinds.items():
        if kind in ("text", "image") and name not in item:
            raise InputError(f"{where}: the {kind} column {name!r} is missing.")
        if name not in item and len(item) == 0:
            raise InputError(f"{where} is empty: expected the columns {', '.join(kinds)}.")
        row[name] = _CHECKS[kind](item.get(name), f"{where}, column {name!r}")
    return row


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where}: expected a text, got {type(value).__name__} {beginning(value)}.")
    if not value.strip():
        raise InputError(f"{where}: the text is empty. Give at least one word.")
    return value


def _number(value: object, where: str) -> float:
    value = _plain(value)
    if value is None or (isinstance(value, str) and is_missing(value)):
        return math.nan
    try:  # as in files, "1_000" is none
        fits = isinstance(value, str | int | float) and not (isinstance(value, str) and "_" in value)
        number = float(value) if fits else None  # type: ignore[arg-type]  # looked at above
    except (ValueError, OverflowError):
        number = None
    if number is None:
        raise InputError(f"{where}: expected a number, got {type(value).__name__} {beginning(value)}.")
    if math.isinf(number):
        raise InputError(f"{where}: expected a finite number, got {value}. Leave it out if it is not known.")
    return number


def _category(value: object, where: str) -> str | None:
    value = _plain(value)
    if (
        value is None
        or (isinstance(value, str) and is_missing(value))
        or (isinstance(value, float) and math.isnan(value))
    ):
        return None
    if not isinstance(value, str | int | float):
        raise InputError(f"{where}: expected a category, got {type(value).__name__} {beginning(value)}.")
    try:
        return as_word(value).strip()
    except ValueError:
        raise InputError(f"{where}: expected a category, got {beginning(value)}.") from None


def beginning(value: object, length: int = 40) -> str:
    """How a value begins, for a message; Python refuses to write whole numbers of thousands of digits."""
    try:
        return repr(str(value)[:length])
    except ValueError:
        return "a number of thousands of digits"


def as_word(value: str | float) -> str:
    """A category as a file would have it: JSON and numpy have 4.0 for its 4."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _image(value: object, where: str) -> np.ndarray:
    """A path, an encoded picture or pixels to pixels, (height, width, 3) uint8."""
    from dlkit.inference.images import decode

    if isinstance(value, str | Path):
        return decode(Path(value), 3, str(value)[:200] or where)
    if isinstance(value, list):
        value = _from_numbers(value, where)
    if isinstance(value, bytes | np.ndarray):
        return decode(value, 3, where)
    raise InputError(
        f"{where}: expected a picture (a path, the bytes of a file, or pixels from 0 to 255), got "
        f"{type(value).__name__} {beginning(value)}."
    )


def _series(value: object, where: str) -> np.ndarray:
    """A list of numbers, null where one is missing, to (steps,) float64."""
    if not isinstance(value, list | tuple | np.ndarray) or not len(value):
        raise InputError(f"{where}: expected a list of numbers, got {type(value).__name__} {beginning(value)}.")
    if isinstance(value, np.ndarray) and value.dtype == np.float64 and value.ndim == 1 and not np.isinf(value).any():
        return value
    return np.array([_number(one, f"{where}, number {step}") for step, one in enumerate(value, start=1)])


def _time(value: object, where: str) -> np.datetime64:
    """The time of a row, or the last of a list of them; NaT where none is given."""
    if isinstance(value, list | tuple | np.ndarray):
        value = value[-1] if len(value) else None
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[ns]")
    text = "" if value is None else str(value)
    ways = clock.written([text])
    if len(ways) > 1 or (not ways and text.strip()):
        raise InputError(f"{where}: expected a time such as 2024-12-31 23:59:00, got {text[:40]!r}.")
    return np.datetime64("NaT", "ns") if not ways else ways[0].parse([text])[0]


def _plain(value: object) -> object:
    """A number of numpy as Python has it."""
    return value.item() if isinstance(value, np.generic) else value


def _from_numbers(rows: list[object], where: str) -> np.ndarray:
    """Pixels as JSON has them: rows of columns of channels."""
    try:
        pixels = np.array(rows)
    except ValueError:
        pixels = np.zeros(0)
    whole = pixels.dtype.kind in "iu" and pixels.size
    if not whole or pixels.min() < 0 or pixels.max() > 255:
        raise InputError(f"{where}: expected rows of pixels, each a whole number from 0 to 255 or 3 of them.")
    return pixels.astype(np.uint8)


Value = str | float | np.ndarray | np.datetime64 | None
_CHECKS: dict[ColumnKind, Callable[[object, str], Value]] = {
    "text": _text,
    "number": _number,
    "category": _category,
    "image": _image,
    "series": _series,
    "time": _time,
}


def _column(values: list[Value], kind: ColumnKind) -> Column:
    if kind == "number":
        return np.array(values, np.float64)
    if kind == "time":
        return np.array(values, "datetime64[ns]")
    if kind == "series":
        return _windows([np.asarray(value) for value in values])
    column = np.empty(len(values), object)
    for row, value in enumerate(values):  # at once, numpy would make one array of pictures of one size
        column[row] = value
    return column


def _windows(rows: list[np.ndarray]) -> np.ndarray:
    """Windows as one array, (rows, steps): of longer ones the newest steps."""
    shortest = min((len(row) for row in rows), default=0)
    return np.stack([row[-shortest:] for row in rows]) if rows else np.zeros((0, 0))
