"""Is a column of a file numbers or categories, and is it of any use?"""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.contracts import Column
from dlkit.data.delimited import LARGEST_NUMBER, Delimited, counts_rows, parse_number
from dlkit.errors import DataError, SettingsError, did_you_mean
from dlkit.inference.missing import is_missing

MOSTLY = 0.8
"""A column with this share of numbers was probably meant to be numbers."""
FEW = 10
"""Rows of a class below which next to nothing is learnt of it."""
_PLAIN = str.maketrans("", "", "0123456789.+-eE")
_DRESSED = re.compile(r"[$€£¥]?\s?[+-]?[0-9]+(?:[,.'’\u00a0\u202f ][0-9]{3})*(?:[.,][0-9]+)?\s?[%‰$€£¥KMB]?")
"""Numbers as people write them: "1,500.0", "12 %", "$5", "1.5M"."""
_PARTED = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")
"""1234 with its thousands parted by a point, or 1.234."""
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
_REMEDY = "Correct it, leave it empty, or leave the column out (data.ignore)."
MANY_CLASSES = 20
"""Where there are more, that most of them have few rows is said at the start; otherwise with the figures."""


@dataclass(frozen=True)
class Fields:
    """One column as it stands in the file: `values` stripped, None where missing; `lines` (rows,) int64.

    `choosable`: whether settings data.numeric and data.categorical can say what it holds. `counting`: whether the whole
    column, of which these may be a part, numbers the rows. `elsewhere`: a number of another column that makes these
    ambiguous, see `_decimals_elsewhere`.
    """

    path: Path
    name: str
    values: list[str | None]
    lines: np.ndarray
    decimal_comma: bool = False
    choosable: bool = True
    counting: bool = False
    elsewhere: str = ""

    @property
    def present(self) -> list[str]:
        """The values that are not missing."""
        return [value for value in self.values if value is not None]

    def where(self, row: int) -> str:
        """A place for an error message."""
        return f"{self.path}, line {self.lines[row]}, column {self.name!r}"

    def kept_by(self, setting: str) -> str:
        """What keeps a column that is left out, for a note."""
        return f" ({setting}={self.name} keeps it)" if self.choosable else ""


@dataclass(frozen=True)
class Inspected:
    """`column`: None where it is to be left out; `note`: what a user should know of it, or None."""

    kind: Literal["number", "category"] = "category"
    column: Column | None = None
    note: str | None = None


def fields_of(table: Delimited, name: str, rows: np.ndarray | None = None) -> Fields:
    """The column `name`, of `rows` alone where given."""
    column = table.columns[name]
    chosen = range(len(table)) if rows is None else rows.tolist()
    values = [None if is_missing(column[row]) else column[row].strip() for row in chosen]
    lines = table.lines if rows is None else table.lines[rows]
    counting = len(table) > 1 and column[0].strip() in ("0", "1") and counts_rows([field.strip() for field in column])
    # With a comma between fields, one inside a number is a separator of thousands; with a semicolon it is not.
    comma = table.delimiter == ";"
    elsewhere = _decimals_elsewhere(table, name, values) if comma else ""
    return Fields(table.path, name, values, lines, decimal_comma=comma, counting=counting, elsewhere=elsewhere)


def answered(file: Delimited, target: str) -> tuple[np.ndarray, list[str]]:
    """Indices of the rows whose target is there, and a note on the others."""
    fields = fields_of(file, target)
    rows = [row for row, value in enumerate(fields.values) if value is not None]
    lost = len(file) - len(rows)
    if not lost:
        return np.array(rows, np.int64), []
    marks = Counter(field.strip() for field in file.columns[target] if is_missing(field))
    shown = ", ".join(f"{mark!r} {count} times" for mark, count in marks.most_common() if mark)
    empty = f" ({shown})" if shown else ""
    return np.array(rows, np.int64), [f"{lost} rows without a {target} were left out{empty}"]


def inspect(fields: Fields, wanted: Literal["number", "category"] | None = None, *, empty: bool = False) -> Inspected:
    """Numbers where every value that is there is one, categories otherwise; `wanted` decides instead. `empty`: whether
    a column that is wanted is of use where it holds nothing: a model that is there already reads it.
    """
    present = fields.present
    if not present and empty and wanted:
        column = np.full(len(fields.values), np.nan) if wanted == "number" else strings(fields.values)
        return Inspected(wanted, column, f"column {fields.name!r} has no values")
    if not present:
        return Inspected(note=f"column {fields.name!r} has no values; left out")
    numbers = 0 if wanted == "category" else sum(_is_number(fields, value) for value in present)
    if wanted == "number" or numbers == len(present):
        return _number_column(fields, present, wanted, read=empty)
    return _category_column(fields, present, numbers, wanted)


def numbers_in(fields: Fields, remedy: str) -> Column:
    """The values as float64, NaN where missing; DataError with the line at one that is no finite number."""
    column = np.full(len(fields.values), np.nan)
    for row, value in enumerate(fields.values):
        if value is not None:
            number = parse_number(value, decimal_comma=fields.decimal_comma)
            if number is None:
                raise DataError(f"{fields.where(row)}: expected a number, got {value[:40]!r}. {remedy}")
            column[row] = number
    _check_finite(fields, column, remedy)
    if fields.decimal_comma:
        one_decimal_mark(fields.path, fields.name, fields.values, fields.lines)
        _no_thousands(fields.path, fields.name, fields.values, fields.lines, elsewhere=fields.elsewhere, remedy=remedy)
    return column


def strings(values: Sequence[str | None]) -> Column:
    """An object array, whatever the values: numpy would make fixed-width text of them."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _is_number(fields: Fields, value: str) -> bool:
    return parse_number(value, decimal_comma=fields.decimal_comma) is not None


def _number_column(fields: Fields, present: Sequence[str], wanted: str | None, *, read: bool) -> Inspected:
    """`read`: by a model that is there already, which cannot do without the column."""
    name = fields.name
    counting = fields.counting or (len(present) == len(fields.values) > 1 and counts_rows(present))
    if wanted is None and counting:
        return Inspected(note=f"column {name!r} numbers the rows; left out{fields.kept_by('data.numeric')}")
    as_words = f"as words (data.categorical={name}) or " if fields.choosable else ""
    remedy = f"Correct it, leave it empty, or take the column {as_words}not at all (data.ignore={name})."
    if wanted is not None and read:
        remedy = "The model reads numbers there: correct it, or leave it empty."
    column = numbers_in(fields, remedy)
    note = f"column {name!r} is {present[0]} on every row" if len(set(present)) == 1 else None
    return Inspected("number", column, note)


def _category_column(fields: Fields, present: Sequence[str], numbers: int, wanted: str | None) -> Inspected:
    name, different = fields.name, len(set(present))
    note = None
    plainly = undressed(present, decimal_comma=fields.decimal_comma) if wanted is None else ""
    if numbers >= MOSTLY * len(present):
        row = next(row for row, v in enumerate(fields.values) if v is not None and not _is_number(fields, v))
        note = (
            f"column {name!r} is taken as words: {len(present) - numbers} of its {len(present)} values are no numbers, "
            f"the first is {(fields.values[row] or '')[:40]!r} on line {fields.lines[row]}"
        )
    elif wanted is None and different == len(present) > 1:
        return Inspected(
            note=f"column {name!r} holds a different word on every row; left out{fields.kept_by('data.categorical')}"
            f"{plainly}"
        )
    elif plainly:
        note = f"column {name!r} is taken as words{plainly}"
    elif different == 1:
        note = f"column {name!r} is {present[0]!r} on every row"
    elif 2 * different > len(present):
        note = f"column {name!r} holds {different} different words on {len(present)} rows; consider data.ignore={name}"
    return Inspected("category", strings(fields.values), note)


def undressed(present: Sequence[str], *, decimal_comma: bool) -> str:
    """What to do about numbers with a sign or parted thousands, for a note; "" where the values are mostly none."""
    alike = [value for value in present if _DRESSED.fullmatch(value)]  # below a thousand, also plain ones
    dressed = [value for value in alike if parse_number(value, decimal_comma=decimal_comma) is None]
    if not dressed or len(alike) < MOSTLY * len(present):
        return ""
    return f"; to count with values such as {dressed[0][:40]!r}, write them as plain numbers, such as 1500.5"


def _check_finite(fields: Fields, column: Column, remedy: str) -> None:
    infinite = np.flatnonzero(np.isinf(column))
    if len(infinite):
        row = int(infinite[0])
        more = f" (and {len(infinite) - 1} more in this column)" if len(infinite) > 1 else ""
        raise DataError(
            f"{fields.where(row)}: {fields.values[row]!r} is infinite or too large to count with{more}. {remedy}"
        )


def numbers_of(table: Delimited, name: str, marks: dict[str, str] | None = None) -> np.ndarray:
    """(rows,) float64, NaN where nothing stands; DataError with the line at what is no finite number. `marks`: column
    to the decimal mark of its rows so far, for a file that is read some rows at a time.
    """
    fields, comma = table.columns[name], table.delimiter == ";"
    if comma:
        marks = {} if marks is None else marks
        marks[name] = one_decimal_mark(table.path, name, fields, table.lines, marks.get(name, ""))
        elsewhere = _decimals_elsewhere(table, name, fields)
        _no_thousands(table.path, name, fields, table.lines, elsewhere=elsewhere, remedy=_REMEDY)
    # Plain numbers alone are read all at once, thirty times as fast; numpy would also take "1_0" for a number.
    if not "".join(fields).translate(_PLAIN):
        with contextlib.suppress(ValueError):
            column = np.array(fields).astype(np.float64)
            if (np.abs(column) <= LARGEST_NUMBER).all():
                return column
    column = np.full(len(fields), np.nan)
    for row, value in enumerate(fields):
        text = value.strip()
        if is_missing(text):
            continue
        number = parse_number(text, decimal_comma=comma)
        if number is None or np.isinf(number):
            what = "expected a number" if number is None else "infinite or too large to count with"
            raise DataError(
                f"{table.path}, line {table.lines[row]}, column {name!r}: {what}, got {text[:40]!r}. {_REMEDY}"
            )
        column[row] = number
    return column


def one_decimal_mark(path: Path, name: str, texts: Sequence[str | None], lines: np.ndarray, before: str = "") -> str:
    """The mark of decimals in these numbers, "" where none has any; DataError where another number has the other mark,
    or those of the rows above had it (`before`): one of them may part thousands.
    """
    at = {mark: [row for row, text in enumerate(texts) if text is not None and mark in text] for mark in ",."}
    alike = "so their decimals cannot be told. Write all numbers of a column alike."
    if all(at.values()):
        comma, point = (at[mark][0] for mark in ",.")
        raise DataError(
            f"{path}, column {name!r}: {texts[comma]!r} on line {lines[comma]} has a comma and {texts[point]!r} on "
            f"line {lines[point]} a point, {alike}"
        )
    mark = next((mark for mark in ",." if at[mark]), before)
    if before and mark != before:
        row = at[mark][0]
        raise DataError(
            f"{path}, column {name!r}: {texts[row]!r} on line {lines[row]} has {mark!r} where numbers above have "
            f"{before!r}, {alike}"
        )
    return mark


def _decimals_elsewhere(table: Delimited, name: str, texts: Iterable[str | None]) -> str:
    """The first number with a decimal comma in another column, for a message; "" where there is none, or where points
    in these numbers plainly part decimals: 185.000 beside 72,5 is a price of three zeros or of five.
    """
    pointed = [text.strip() for text in texts if text and "." in text]
    if not pointed or not all(map(_PARTED.fullmatch, pointed)):
        return ""
    for other, column in table.columns.items():
        if other == name:
            continue
        present = [field.strip() for field in column if not is_missing(field)]
        comma = next((field for field in present if _COMMA.fullmatch(field)), None)
        if comma is not None and all(parse_number(field, decimal_comma=True) is not None for field in present):
            return f"{comma!r} in column {other!r}"
    return ""


def _no_thousands(
    path: Path, name: str, texts: Sequence[str | None], lines: np.ndarray, *, elsewhere: str, remedy: str
) -> None:
    """DataError where there is a number `elsewhere` by which the points in these may part thousands."""
    if not elsewhere:
        return
    row, text = next((row, text) for row, text in enumerate(texts) if text and "." in text)
    whole, decimal = text.strip().replace(".", ""), text.strip().replace(".", ",")
    raise DataError(
        f"{path}, line {lines[row]}, column {name!r}: {text.strip()!r} may be {whole} or {decimal}, as decimals have a "
        f"comma elsewhere ({elsewhere}). A file writes its numbers in one way, without points between thousands. "
        f"{remedy}"
    )


def check_classes(where: str, labels: Sequence[str], *, what: str = "row", tested: bool = True) -> list[str]:
    """DataError unless there are classes to tell apart; notes on those with few rows.

    `what`: a row in the user's words. `tested`: the rows are yet to be split, so that some of them will test.
    """
    counts = Counter(labels)
    if len(counts) < 2:
        only = f"only {next(iter(counts))!r}" if counts else "none"
        raise DataError(f"{where}: expected at least 2 classes, got {only}. Add rows of another class.")
    single = [label for label, count in counts.items() if count == 1]
    if len(single) * 2 > len(labels):
        raise DataError(
            f"{where}: {len(single)} of {len(labels)} {what}s are alone in their class (such as {single[0][:40]!r}), "
            "so nothing can be learnt and judged. Is this the label? Values to estimate need a table recipe with "
            "data.task=value."
        )
    notes = []
    if single:
        shown = ", ".join(repr(label[:40]) for label in single[:5]) + (", …" if len(single) > 5 else "")
        fate = "never tested" if tested else "never validated"
        notes.append(f"{len(single)} classes have a single {what}, which is trained with and {fate}: {shown}")
    few = sum(count < FEW for count in counts.values())
    if 2 * few > len(counts) > MANY_CLASSES:
        notes.append(
            f"{few} of {len(counts)} classes have fewer than {FEW} {what}s (median {np.median([*counts.values()]):g}), "
            "which is little to learn from and to judge by: add some, or join classes"
        )
    return notes


def are_values(labels: Sequence[str]) -> bool:
    """Whether labels are numbers of which most differ, and so no classes."""
    return all(map(is_finite_number, labels)) and 2 * len(set(labels)) > len(labels) >= 4


def is_finite_number(text: str) -> bool:
    """Whether `text` is written as a number that can be counted with."""
    number = parse_number(text)
    return number is not None and math.isfinite(number)


def check_known(setting: str, names: Iterable[str], columns: Iterable[str], where: str) -> None:
    """SettingsError for a column that is not there."""
    known = list(columns)
    for name in names:
        if name not in known:
            raise SettingsError(f"{setting}={name!r}: {where} has no such column.{did_you_mean(name, known)}")
