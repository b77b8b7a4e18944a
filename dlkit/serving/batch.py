"""How is a CSV file of rows asked about, and how do its answers come back as CSV?"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlkit.contracts import ColumnKind, Transform
from dlkit.errors import InputError, did_you_mean
from dlkit.inference import times as clock
from dlkit.inference.inputs import columns_from
from dlkit.inference.recent import recent
from dlkit.inference.series import SeriesInputs


@dataclass(frozen=True)
class Table:
    """A CSV file with a header. `rows`: as long as `header`, each."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def items(self, kinds: Mapping[str, ColumnKind], transform: Transform | None = None) -> list[dict[str, object]]:
        """The model's columns of each row, an empty cell being a missing value; other columns are left out.

        For a model of series all rows are one item; of a forecast `transform` tells the past from what lies ahead.
        """
        for name, kind in kinds.items():
            if kind == "image":  # a cell would be a path on this server: nobody may ask for its files
                raise InputError(f"A CSV file holds no picture (column {name!r}). Ask about pictures one by one.")
            if kind in ("text", "series") and name not in self.header:
                raise InputError(f"The file has no column {name!r}.{did_you_mean(name, self.header)}")
        if isinstance(transform, SeriesInputs):
            return [self._recent(transform)]
        if "series" in kinds.values():
            return [self._windows(kinds)]
        known = [(index, name) for index, name in enumerate(self.header) if name in kinds]
        if not known:
            raise InputError(
                f"The file has none of the model's columns ({', '.join(kinds)}); its first line is: "
                f"{', '.join(self.header)[:200]}."
            )
        return [
            {name: row[index] if row[index] or kinds[name] == "text" else None for index, name in known}
            for row in self.rows
        ]

    def _cells(self, name: str) -> list[str]:
        place = self.header.index(name)
        return [row[place].strip() for row in self.rows]

    def _windows(self, kinds: Mapping[str, ColumnKind]) -> dict[str, object]:
        """All rows as one window, up to the last one in which a cell is filled."""
        columns = {name: self._cells(name) for name in kinds if name in self.header}
        filled = [number for number, row in enumerate(zip(*columns.values(), strict=True), start=1) if any(row)]
        return {name: cells[: filled[-1] if filled else 0] for name, cells in columns.items()}

    def _recent(self, made: SeriesInputs) -> dict[str, object]:
        """All rows as the one item of a forecast."""
        series = [name for name, kind in made.kinds.items() if kind == "series"]
        cells = zip(*(self._cells(name) for name in series), strict=True)
        rows = [dict(zip(series, row, strict=True)) for row in cells]
        values = columns_from(rows, dict.fromkeys(series, "number"))
        if made.time is None or made.time not in self.header or not any(times := self._cells(made.time)):
            return recent(values, None, made, where="The file")
        ways = clock.written(times)
        if len(ways) != 1:
            example = next(filter(None, times))
            raise InputError(
                f"The file, column {made.time!r}: expected times that are all written alike, such as "
                f"2024-12-31 23:59:00, got {example[:40]!r}."
            )
        zoned = None if ways[0].style == "epoch" else ways[0].zoned
        return recent(values, ways[0].parse(times), made, where="The file", zoned=zoned)


def read_table(content: bytes, *, most_rows: int) -> Table:
    """A CSV file as a table: UTF-8, a header, separated by comma, semicolon, tab or bar; InputError if it is not."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"The file is not UTF-8 (byte {error.start}). Save it as CSV UTF-8.") from None
    first = text.partition("\n")[0]
    separator = max(",;\t|", key=first.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if line]
    except csv.Error as error:
        raise InputError(f"The file is no CSV that can be read: {error}.") from None
    if len(lines) < 2:
        raise InputError("The file needs a first line with the names of the columns, and at least one row.")
    header, *rows = lines
    header = [name.strip() for name in header]
    if len(set(header)) < len(header):
        raise InputError("Two columns of the file have the same name.")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise InputError(f"Row {number} has {len(row)} cells, the first line names {len(header)} columns.")
    if len(rows) > most_rows:
        raise InputError(f"The file has {len(rows):,} rows; at most {most_rows:,} are answered at once. Split it.")
    return Table(tuple(header), tuple(tuple(row) for row in rows))


def in_cells(answer: Mapping[str, Any]) -> dict[str, object]:
    """The answer with the numbers of a code and the columns of a row that was made again as parts of their own."""
    cells = dict(answer)
    if (code := cells.pop("code", None)) is not None:
        cells |= {f"code_{place}": value for place, value in enumerate(code, start=1)}
    if isinstance(made := cells.get("reconstruction"), Mapping):
        del cells["reconstruction"]
        cells |= {f"reconstruction {name}": value for name, value in made.items()}
    return cells


def answer_columns(table: Table, answers: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """Heading to key of the parts of an answer that fit into a cell; a heading that is taken gets "answer " before."""
    keys = dict.fromkeys(key for answer in answers for key in answer)
    flat = [key for key in keys if not any(isinstance(answer.get(key), dict | list) for answer in answers)]
    return {f"answer {key}" if key in table.header else key: key for key in flat}


def write_answers_csv(table: Table, answers: Sequence[Mapping[str, object]]) -> bytes:
    """The table with the answers' columns to its right."""
    columns = answer_columns(table, answers)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([*table.header, *columns])
    for row, answer in zip(table.rows, answers, strict=True):
        writer.writerow([*row, *(answer.get(key, "") for key in columns.values())])
    return out.getvalue().encode("utf-8-sig")  # the mark makes spreadsheet programs read UTF-8
