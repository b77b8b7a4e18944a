"""Which columns of a table are there to look for anomalies in? Read some rows at a time, never held whole as text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlkit.contracts import Column, ColumnKind, Split
from dlkit.data.columns import check_known, numbers_of, one_decimal_mark, strings
from dlkit.data.delimited import Delimited, delimited_blocks
from dlkit.data.series_files import BLOCK_ROWS
from dlkit.data.tables import inputs_of
from dlkit.errors import DataError
from dlkit.inference.missing import is_missing


def read_rows(
    path: Path, columns: Sequence[str], *, ignore: Sequence[str] = (), words: str | None = None
) -> tuple[Split, dict[str, ColumnKind], np.ndarray | None, list[str]]:
    """All rows of a CSV or TSV file, their columns' kinds, the column `words` as text, and what a user should know.

    `columns`: all where there are none, but for those in `ignore`. What a column holds is told by the first
    `BLOCK_ROWS` rows.
    """
    blocks = delimited_blocks(path, BLOCK_ROWS)
    first = next(blocks, None)
    if first is None:
        raise DataError(f"{path}: a header and no rows below it. Add rows of data.")
    asked = {"data.columns": columns, "data.ignore": ignore, "data.label": [words] if words else []}
    for setting, names in asked.items():
        check_known(setting, names, first.columns, str(path))
    names = [name for name in columns or first.columns if name not in (words, *ignore)]
    inputs, kinds, notes = inputs_of(first, names, np.arange(len(first)), None)
    if not inputs:
        raise DataError(f"{path}: no column is left to look for anomalies in. {'; '.join(notes)}")
    marks: dict[str, str] = {}
    if first.delimiter == ";":  # what all blocks share
        numbers = [name for name, kind in kinds.items() if kind == "number"]
        marks = {name: one_decimal_mark(path, name, first.columns[name], first.lines) for name in numbers}
    parts, labels = {name: [column] for name, column in inputs.items()}, [_words(first, words)]
    for block in blocks:
        for name, kind in kinds.items():
            parts[name].append(numbers_of(block, name, marks) if kind == "number" else _categories(block, name))
        labels.append(_words(block, words))
    whole = {name: np.concatenate(column) for name, column in parts.items()}
    if len(labels) > 1:
        notes = [f"by its first {len(first):,} rows: {note}" for note in notes] + _missing(whole, kinds)
    return Split(whole), kinds, np.concatenate(labels) if words else None, [*first.notes, *notes]


def _categories(table: Delimited, name: str) -> Column:
    """Few words on many rows: each of them is held once."""
    return strings([None if is_missing(field) else sys.intern(field.strip()) for field in table.columns[name]])


def _words(table: Delimited, name: str | None) -> np.ndarray:
    return np.array([*map(sys.intern, table.columns[name])] if name else [], object)


def _missing(columns: dict[str, Column], kinds: dict[str, ColumnKind]) -> list[str]:
    counts = {
        name: int(np.isnan(column).sum()) if kinds[name] == "number" else column.tolist().count(None)
        for name, column in columns.items()
    }
    found = [f"{name} ({count})" for name, count in counts.items() if count]
    return [f"missing values in {', '.join(found)}"] if found else []
