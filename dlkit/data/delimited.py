"""What stands in a CSV or TSV file that somebody else wrote?

Encoding and delimiter are found by looking at the file; what is not plainly a table is refused with its line.
Fields stay `str` here: what they mean is for `tables` and `texts` to say.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np

from dlkit.data.paths import unreadable
from dlkit.errors import DataError, DataNotFoundError

DELIMITERS = "\t|;,"
"""In this order where two fit equally well: the comma is the one that stands in prose."""
LARGEST_FIELD = 1 << 28
LARGEST_NUMBER = 1e38
"""Networks count in float32, which ends at 3.4e38."""
NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity)", re.IGNORECASE)
SAID = re.compile(r'"?sep=([\t|;,])"?\s*', re.IGNORECASE)
"""The first line by which a spreadsheet may say what its fields are parted by."""
BLOCK = 1 << 20
BINARY = {b"PK\x03\x04": "a zip or Excel file", b"\x1f\x8b": "a gzip file", b"\x89PNG": "a picture",
          b"\xff\xd8\xff": "a picture", b"PAR1": "a Parquet file", b"%PDF": "a PDF file"}  # fmt: skip
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))
"""Bytes that no text holds; end-of-file and escape of old systems are let through."""


@dataclass(frozen=True)
class Delimited:
    """`columns`: name to fields, all of equal length. `lines`: (rows,) int64, where each row begins."""

    path: Path
    columns: dict[str, list[str]]
    lines: np.ndarray
    delimiter: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)


def read_delimited(path: Path) -> Delimited:
    """The file's columns; DataError with the line where it is not a table with a header."""
    _check_file(path)
    try:
        encoding, notes = _encoding(path)
        with _long_fields():
            return _read(path, encoding, notes)
    except OSError as error:
        raise unreadable(path, error) from error


def has_column(path: Path, name: str) -> bool:
    """Whether it is a CSV or TSV file with a column of that name."""
    is_table = path.suffix.lower() in (".csv", ".tsv") and path.is_file()
    return is_table and name in read_delimited(path).columns


def delimited_blocks(path: Path, size: int) -> Iterator[Delimited]:
    """As `read_delimited`, `size` rows at a time, for a file that is too large to hold as text; every block has rows.

    Quotation marks must come in pairs. Notes come with the first block, which also tells whether a column without a
    name may be left out.
    """
    _check_file(path)
    blocks = _tables(path, size)
    while True:
        try:
            with _long_fields():  # not around a `yield`: others would read with it
                block = next(blocks, None)
        except OSError as error:
            raise unreadable(path, error) from error
        if block is None:
            return
        yield block


def _tables(path: Path, size: int) -> Iterator[Delimited]:
    encoding, notes = _encoding(path)
    delimiter = _delimiter(path, encoding)
    try:
        for number, (header, columns, lines) in enumerate(
            _row_blocks(path, encoding, delimiter, csv.QUOTE_MINIMAL, size)
        ):
            if number == 0:
                named, dropped = _named(path, header, columns)
                notes += dropped
            else:
                named = {name: column for name, column in zip(header, columns, strict=True) if name}
            yield Delimited(path, named, np.array(lines, np.int64), delimiter, tuple(notes))
            notes = []
    except csv.Error as error:
        raise _unpaired(path, error, delimiter) from None


def _check_file(path: Path) -> None:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not a regular file" if path.exists() else "not there"
        raise DataNotFoundError(f"{path}: expected a CSV or TSV file, and this is {what}.")


def _read(path: Path, encoding: str, notes: list[str]) -> Delimited:
    delimiter = _delimiter(path, encoding)
    try:
        header, rows, lines = _rows(path, encoding, delimiter, csv.QUOTE_MINIMAL)
    except csv.Error as error:
        try:  # Some writers do not quote at all: then a quotation mark is a character like any other.
            header, rows, lines = _rows(path, encoding, delimiter, csv.QUOTE_NONE)
        except (csv.Error, DataError):
            raise _unpaired(path, error, delimiter) from None
        notes.append("quotation marks do not come in pairs, so they are read as part of the text")
    if not lines:
        raise DataError(f"{path}: a header ({', '.join(header)[:200]}) and no rows below it. Add rows of data.")
    columns, dropped = _named(path, header, rows)
    return Delimited(path, columns, np.array(lines, np.int64), delimiter, (*notes, *dropped))


def _unpaired(path: Path, error: csv.Error, delimiter: str) -> DataError:
    return DataError(
        f"{path}, {error}. A quoted field ends with one quotation mark before the delimiter {delimiter!r}; "
        'write a quotation mark inside it as "".'
    )


def _encoding(path: Path) -> tuple[str, list[str]]:
    """What `open` should take, and what a user should know of it."""
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        raise DataError(f"{path}: the file is empty; expected a header line and rows of data.")
    kind = next((kind for magic, kind in BINARY.items() if start.startswith(magic)), None)
    if kind is not None:
        raise DataError(f"{path}: this is {kind}, not text. Save the table as CSV in UTF-8.")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16", []) if _decodes(path, "utf-16") else _damaged(path, "UTF-16")
    _check_bytes(path)
    if _decodes(path, "utf-8-sig"):
        return "utf-8-sig", []
    if start.startswith(codecs.BOM_UTF8):
        return _damaged(path, "UTF-8")
    encoding, shown = ("cp1252", "Windows-1252") if _decodes(path, "cp1252") else ("latin-1", "Latin-1")
    return encoding, [f"{path.name} is not UTF-8; it was read as {shown}: check letters with accents"]


def _damaged(path: Path, encoding: str) -> NoReturn:
    raise DataError(f"{path}: begins as {encoding} but does not go on so; it is damaged. Save it again in UTF-8.")


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(path):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _check_bytes(path: Path) -> None:
    line = 1
    for block in _blocks(path):
        if len(block.translate(None, CONTROLS)) < len(block):
            position = next(i for i, byte in enumerate(block) if byte in CONTROLS)
            line += block.count(b"\n", 0, position)
            raise DataError(
                f"{path}, line {line}: byte {block[position]:#04x} does not occur in text, so this is a binary or "
                "damaged file. Save the table as CSV in UTF-8."
            )
        line += block.count(b"\n")


@contextmanager
def _long_fields() -> Iterator[None]:
    """`csv` refuses fields over 128 KiB, and its limit is one for the whole process: set it back."""
    before = csv.field_size_limit(LARGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _delimiter(path: Path, encoding: str) -> str:
    """The one that splits most of the first rows as it splits the header."""
    with path.open(encoding=encoding, newline="") as file:
        start = list(islice(file, 60))
    if start and (said := SAID.fullmatch(start[0])):
        return said[1]
    best, best_score = ("\t" if path.suffix.lower() == ".tsv" else ","), (0.0, 1)
    for delimiter in DELIMITERS:
        # Not strict: a broken quotation mark is reported when the whole file is read.
        widths = [len(row) for row in csv.reader(start, delimiter=delimiter) if row]
        if widths and widths[0] > 1:
            score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best


def _rows(
    path: Path, encoding: str, delimiter: str, quoting: Literal[0, 3]
) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, fields by column, and the line at which each row begins. csv.Error begins with "line N: "."""
    ((header, columns, lines),) = _row_blocks(path, encoding, delimiter, quoting, None)
    return header, columns, lines


def _row_blocks(
    path: Path, encoding: str, delimiter: str, quoting: Literal[0, 3], size: int | None
) -> Iterator[tuple[list[str], list[list[str]], list[int]]]:
    """As `_rows`, `size` rows at a time (None: all at once)."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, quoting=quoting, strict=True)
        header: list[str] = []
        columns: list[list[str]] = []
        rows: list[list[str]] = []
        lines: list[int] = []
        before = 0
        try:
            for row in reader:
                begins, before = before + 1, reader.line_num
                filled = row and row[0].strip("\x1a \t")  # the first field tells of nearly every row
                if not filled and not any(field.strip("\x1a \t") for field in row):
                    continue  # a blank line, or the row of bare delimiters that spreadsheets leave at the end
                if begins == 1 and SAID.fullmatch(delimiter.join(row)):
                    continue
                if not header:
                    header = [name.strip() for name in row]
                    _check_header(path, begins, header)
                    columns = [[] for _ in header]
                    continue
                if size is not None and len(row) == len(header):
                    rows.append(row)  # turned into columns a block at a time, which takes a third of the time
                    lines.append(begins)
                    if len(lines) == size:
                        yield header, [list(column) for column in zip(*rows, strict=True)], lines
                        rows, lines = [], []
                    continue
                if len(row) != len(header):
                    raise _ragged(path, begins, header, row, delimiter)
                for column, field in zip(columns, row, strict=True):
                    column.append(field)
                lines.append(begins)
        except csv.Error as error:
            raise csv.Error(f"line {before + 1}: {error}") from error
    if not header:
        raise DataError(f"{path}: nothing but blank lines; expected a header line and rows of data.")
    if size is None:
        yield header, columns, lines
    elif lines:
        yield header, [list(column) for column in zip(*rows, strict=True)], lines


def _ragged(path: Path, line: int, header: list[str], row: list[str], delimiter: str) -> DataError:
    shown = ", ".join(repr(field[:30]) for field in row[:3])
    return DataError(
        f"{path}, line {line}: expected {len(header)} fields as in the header, got {len(row)} "
        f"({shown}{', …' if len(row) > 3 else ''}). Delimiter is {delimiter!r}; put fields that hold it into "
        "double quotes."
    )


def _check_header(path: Path, line: int, header: list[str]) -> None:
    numbers = [name for name in header if parse_number(name) is not None]
    if numbers and (len(numbers) == len(header) or any("." in name or name.startswith("-") for name in numbers)):
        raise DataError(
            f"{path}, line {line}: expected column names, got numbers ({', '.join(numbers[:3])}). "
            "Add a header line with a name for each column."
        )
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise DataError(
            f"{path}, line {line}: column name {repeated[0]!r} stands {header.count(repeated[0])} times in the "
            "header. Give each column a name of its own."
        )


def _named(path: Path, header: list[str], columns: list[list[str]]) -> tuple[dict[str, list[str]], list[str]]:
    """Columns by name; one without a name is dropped where it holds nothing or only counts the rows."""
    named, notes = {}, []
    for place, (name, column) in enumerate(zip(header, columns, strict=True), start=1):
        if name:
            named[name] = column
        elif not any(field.strip() for field in column):
            notes.append(f"column {place} has no name and no values; left out")
        elif counts_rows([field.strip() for field in column]):
            notes.append(f"column {place} has no name and numbers the rows; left out")
        else:
            raise DataError(
                f"{path}: column {place} of {len(header)} has no name in the header, and holds values such as "
                f"{next(field for field in column if field.strip())[:30]!r}. Name it."
            )
    return named, notes


def counts_rows(values: Sequence[str]) -> bool:
    """Whether the values are 0, 1, 2 … or 1, 2, 3 …, as `pandas.DataFrame.to_csv` writes them."""
    return any(values[0] == str(first) and all(v == str(i) for i, v in enumerate(values, first)) for first in (0, 1))


def parse_number(field: str, *, decimal_comma: bool = False) -> float | None:
    """The number that a field holds; infinite where it is too large to count with, None where it is none."""
    if not NUMBER.fullmatch(field):
        return None
    if "," in field:
        if not decimal_comma:
            return None
        field = field.replace(",", ".")
    value = float(field)
    return value if abs(value) <= LARGEST_NUMBER else math.copysign(math.inf, value)
