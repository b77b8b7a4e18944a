"""How is a CSV file of rows asked about, and how do its answers come back as CSV?"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlkit.contracts import ColumnKind
from dlkit.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Table:
    """A CSV file with a header. `rows`: as long as `header`, each."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def items(self, kinds: Mapping[str, ColumnKind]) -> list[dict[str, object]]:
        """The model's columns of each row, an empty cell being a missing value; other columns are left out."""
        for name, kind in kinds.items():
            if kind == "image":  # a cell would be a path on this server: nobody may ask for its files
                raise InputError(f"A CSV file holds no picture (column {name!r}). Ask about pictures one by one.")
            if kind == "text" and name not in self.header:
                raise InputError(f"The file has no column {name!r}.{did_you_mean(name, self.header)}")
        if "series" in kinds.values():
            return [self._series(kinds)]
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

    def _series(self, kinds: Mapping[str, ColumnKind]) -> dict[str, object]:
        """All rows as the one item of a model of series: what follows the last value of a column lies ahead."""
        columns: dict[str, list[str]] = {}
        for name, kind in kinds.items():
            if name in self.header:
                cells = [row[self.header.index(name)].strip() for row in self.rows]
                filled = [number for number, cell in enumerate(cells, start=1) if cell]
                columns[name] = cells[: filled[-1] if filled else 0]
            elif kind == "series":
                raise InputError(f"The file has no column {name!r}.{did_you_mean(name, self.header)}")
        item: dict[str, object] = {name: cells for name, cells in columns.items() if kinds[name] == "series"}
        measured = min((len(cells) for name, cells in columns.items() if kinds[name] == "series"), default=0)
        return item | {name: cells[:measured] for name, cells in columns.items() if kinds[name] == "time"}


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
