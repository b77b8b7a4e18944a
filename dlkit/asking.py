"""What did a person give to `dlkit predict` (arguments, a file, standard input), and what do they read?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dlkit.contracts import ColumnKind
from dlkit.errors import DataError, DataNotFoundError, InputError

if TYPE_CHECKING:
    from dlkit.data.delimited import Delimited

_AT_ONCE = 32


def items_from(
    inputs: Sequence[str], file: Path | None, standard_input: TextIO | None, kinds: Mapping[str, ColumnKind]
) -> list[object]:
    """Items as `Predictor.predict` takes them; InputError where there is none at all.

    A text model: each input is a text, each line of a `.txt` file or of standard input too. A table: each input is
    `{"rm": 6.5, …}` or `rm=6.5,lstat=4`. Files: `.csv`, `.tsv`, `.jsonl` or `.txt`. Pictures: each input is a file or a
    folder of them, each line of a `.txt` file or of standard input a path.
    """
    if list(kinds.values()) == ["image"]:
        return _pictures(inputs, file, standard_input, kinds)
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


def _pictures(
    inputs: Sequence[str], file: Path | None, standard_input: TextIO | None, kinds: Mapping[str, ColumnKind]
) -> list[object]:
    """Paths of pictures, those of a folder sorted by name; what is no file fails when it is its turn."""
    from dlkit.inference.images import SUFFIXES

    given = [*inputs]
    if file is not None:
        listed = _from_file(file, kinds)
        given += [str(next(iter(one.values())) if isinstance(one, Mapping) else one) for one in listed]
    if not given and standard_input is not None:
        given += [line.rstrip("\n") for line in standard_input if line.strip()]
    found: list[object] = []
    for text in given:
        path = Path(text)
        if not _is_folder(path):
            found.append(text)
            continue
        inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES and one.is_file())
        if not inside:
            raise InputError(f"{path}/ holds no picture; expected files such as .jpg or .png.")
        found += [str(one) for one in inside]
    if not found:
        raise InputError("There is nothing to predict on: give a picture, a folder, --file FILE, or paths as lines.")
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # too long for a name, or in a folder that may not be entered
        return False


def answered_each(
    predict: Callable[[list[object]], list[dict[str, Any]]], items: Sequence[object]
) -> list[dict[str, Any]]:
    """An answer for each picture with its "file", or the "error" that only this one has; a few at a time in memory."""
    answers: list[dict[str, Any]] = []
    for start in range(0, len(items), _AT_ONCE):
        some = list(items[start : start + _AT_ONCE])
        try:
            found = predict(some)
        except InputError:
            found = [_alone(predict, item) for item in some]
        answers += [{"file": str(item)} | answer for item, answer in zip(some, found, strict=True)]
    return answers


def _alone(predict: Callable[[list[object]], list[dict[str, Any]]], item: object) -> dict[str, Any]:
    try:
        (answer,) = predict([item])
    except InputError as error:
        return {"error": str(error)}
    return answer


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
    if list(kinds.values()) not in (["text"], ["image"]):
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


def answer_lines(items: Sequence[object], answers: Sequence[Mapping[str, Any]], *, top: int = 1) -> str:
    """A line an answer. `top`: so many of the likeliest classes."""
    lines = []
    for item, answer in zip(items, answers, strict=True):
        about = " ".join(str(item).split())
        known = len(items) == 1 or "error" in answer  # an error names its file
        about = "" if known else f"  {about[:60]}{'…' if len(about) > 60 else ''}"
        warning = f"\n  warning: {answer['warning']}" if "warning" in answer else ""
        lines.append(f"{_answer(answer, top)}{about}{warning}")
    return "\n".join(lines)


def _answer(answer: Mapping[str, Any], top: int) -> str:
    if "error" in answer:
        return f"error: {answer['error']}"
    if "label" in answer and top > 1:
        likeliest = sorted(answer["probabilities"].items(), key=lambda one: -one[1])[:top]
        return "  ".join(f"{label} {chance:.1%}" for label, chance in likeliest)
    if "label" not in answer and "value" not in answer:  # several answers, each by its name
        named = {name: part for name, part in answer.items() if isinstance(part, Mapping)}
        return "  ".join(f"{name}: {_answer(part, 1)}" for name, part in named.items())
    if "label" in answer:
        return f"{answer['label']}  {answer['score']:.1%}"
    return f"{answer['value']:.4g} {answer['unit']}".rstrip()
