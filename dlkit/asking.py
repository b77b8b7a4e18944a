"""What did a person give to `dlkit predict` (arguments, a file, standard input), and what do they read?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dlkit.contracts import ColumnKind
from dlkit.errors import DataError, DataNotFoundError, InputError

if TYPE_CHECKING:
    from dlkit.data.delimited import Delimited


def items_from(
    inputs: Sequence[str], file: Path | None, standard_input: TextIO | None, kinds: Mapping[str, ColumnKind]
) -> list[object]:
    """Items as `Predictor.predict` takes them; InputError where there is none at all.

    A text model: each input is a text, each line of a `.txt` file or of standard input too. A table: each input is
    `{"rm": 6.5, …}` or `rm=6.5,lstat=4`. Files: `.csv`, `.tsv`, `.jsonl` or `.txt`.
    """
    one_text = list(kinds.values()) == ["text"]
    items: list[object] = [text if one_text else _row(text, kinds) for text in inputs]
    if file is not None:
        items += _from_file(file, kinds)
    if not items and standard_input is not None:
        lines = [line.rstrip("\n") for line in standard_input]
        items += [line if one_text else _row(line, kinds) for line in lines if line.strip()]
    if not items:
        example = '"a text"' if one_text else f'"{next(iter(kinds))}=…"'
        raise InputError(f"There is nothing to predict on: give {example}, --file FILE, or lines on standard input.")
    return items


def _row(text: str, kinds: Mapping[str, ColumnKind]) -> object:
    if text.lstrip().startswith("{"):
        return _json(text, "The input")
    row: dict[str, object] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            raise InputError(
                f'Expected column=value pairs such as "{next(iter(kinds))}=1" or a JSON object, got {text!r}.'
            )
        row[name.strip()] = value.strip()
    return row


def _from_file(file: Path, kinds: Mapping[str, ColumnKind]) -> list[object]:
    if not file.is_file():
        raise DataNotFoundError(f"--file: {file} is {'a folder, no file' if file.is_dir() else 'not there'}.")
    suffix = file.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _from_delimited(file, kinds)
    try:
        # Not splitlines(): it also cuts at U+2028 and its like, which are text.
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataNotFoundError(f"--file: {file} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise DataError(f"--file: {file} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    if suffix in (".jsonl", ".ndjson"):
        return [_json(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if list(kinds.values()) != ["text"]:
        raise InputError(f"--file: {file} should be .csv, .tsv or .jsonl with the columns {', '.join(kinds)}.")
    return [line for line in lines if line.strip()]


def _from_delimited(file: Path, kinds: Mapping[str, ColumnKind]) -> list[object]:
    from dlkit.data.delimited import read_delimited

    table = read_delimited(file)
    missing = [name for name in kinds if name not in table.columns]
    if len(missing) == len(kinds) or (missing and "text" in [kinds[name] for name in missing]):
        raise InputError(f"--file: {file} lacks the columns {missing}; it has {list(table.columns)}.")
    columns = {name: _values(table, name, kind) for name, kind in kinds.items() if name in table.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(table: Delimited, name: str, kind: ColumnKind) -> Sequence[object]:
    """A column's fields, read as they were when the model was trained: missing values, decimal commas, infinity."""
    from dlkit.data.columns import fields_of, numbers_in

    if kind == "text":
        return table.columns[name]
    fields = fields_of(table, name)
    if kind != "number":
        return fields.values
    try:
        numbers: list[object] = numbers_in(fields, "Correct it or leave it empty.").tolist()
    except DataError as error:
        raise InputError(f"--file: {error}") from error
    return numbers


def _json(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}.") from error


def answer_lines(items: Sequence[object], answers: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for item, answer in zip(items, answers, strict=True):
        about = " ".join(str(item).split())
        about = f"  {about[:60]}{'…' if len(about) > 60 else ''}" if len(items) > 1 else ""
        warning = f"\n  warning: {answer['warning']}" if "warning" in answer else ""
        lines.append(f"{_answer(answer)}{about}{warning}")
    return "\n".join(lines)


def _answer(answer: Mapping[str, Any]) -> str:
    if "label" in answer:
        return f"{answer['label']}  {answer['score']:.1%}"
    return f"{answer['value']:.4g} {answer['unit']}".rstrip()
