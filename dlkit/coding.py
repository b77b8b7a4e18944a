"""How do codes and what they stand for lie in files: CSV and JSON of codes, a PNG of pictures?"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlkit.data.paths import check_given
from dlkit.errors import DataError, DataNotFoundError, InputError, SettingsError
from dlkit.inference.grids import png
from dlkit.inference.latents import row_line

LABEL = "label"
"""What an answer calls its class, and a column of codes where nothing else is said."""


@dataclass(frozen=True)
class Codes:
    """Codes from a file as they stand there, and of each the label, None where none is given."""

    rows: list[object]
    labels: list[str | None]


def check_out(path: Path | None, *, pictures: bool) -> None:
    """SettingsError for a file that cannot be written: another kind, or in a folder that is not there."""
    if path is None:
        return
    known = (".csv", ".json", *((".png",) if pictures else ()))
    if path.suffix.lower() not in known:
        raise SettingsError(f"--out {path}: expected a file that ends in {', '.join(known)}, got {path.suffix!r}.")
    if not path.parent.is_dir() or path.is_dir():
        problem = f"{path} is a folder" if path.is_dir() else f"there is no folder {path.parent}/"
        raise SettingsError(f"--out {path}: {problem}. Name a file in a folder that is there.")


def write_answers(
    path: Path,
    answers: Sequence[Mapping[str, Any]],
    document: Mapping[str, object],
    *,
    label: str = LABEL,
    across: int | None = None,
) -> None:
    """Answers with "code" or "reconstruction" into a PNG (pictures side by side, `across` in a row), a CSV (a row each,
    its "label" in the column `label`) or JSON (`document`); whole, or not at all.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        _put(path, png([answer["reconstruction"] for answer in answers], across=across))
    elif suffix == ".csv":
        _put(path, _as_csv(answers, label).encode(errors="backslashreplace"))
    else:
        # Bytes of a file name that are no UTF-8 become JSON's own escapes.
        text = json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"
        _put(path, text.encode(errors="backslashreplace"))


def codes_from(file: Path, *, label: str = LABEL) -> Codes:
    """Codes from a CSV (columns code_1, code_2, …, or columns of numbers alone) or from JSON as `dlkit encode` and
    `generate` write it, or a list of codes; with their labels from the CSV's column `label` or "label", or from JSON.
    """
    check_given(file)
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".json"):
        raise InputError(f"--file: {file} should be a .csv or .json of codes, as dlkit encode writes them.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataNotFoundError(f"--file: {file} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise DataError(f"--file: {file} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    found = _from_csv(file, text, label) if suffix == ".csv" else _from_json(file, text)
    if not found.rows:
        raise InputError(f"--file: {file} holds no code. Make codes with: dlkit encode RUN INPUT --out codes.csv")
    return found


_CODE = re.compile(r"code_(\d+)")


def _from_csv(file: Path, text: str, label: str) -> Codes:
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise InputError(f"--file: {file} is no CSV: {error}. Is a quotation mark left open?") from None
    if not rows:
        return Codes([], [])
    head, *rest = rows
    wanted = _columns_of_codes(head, file)
    if not wanted and all(_number(field) is not None for field in head):
        wanted, rest = list(range(len(head))), rows
    if not wanted:
        raise InputError(f"--file: {file} has no columns code_1, code_2, …; it has {', '.join(head)[:80]}.")
    codes = [[_field(row, place, head, number) for place in wanted] for number, row in enumerate(rest, start=1)]
    told = next((head.index(name) for name in (label, LABEL) if rest is not rows and name in head), len(head))
    return Codes([*codes], [row[told].strip() or None if told < len(row) else None for row in rest])


def _columns_of_codes(head: Sequence[str], file: Path) -> list[int]:
    """The places of code_1, code_2, …, by their numbers; InputError where one is missing, or there twice."""
    named = [(int(found[1]), place) for place, name in enumerate(head) if (found := _CODE.fullmatch(name.strip()))]
    numbers = sorted(number for number, _ in named)
    if numbers != list(range(1, len(numbers) + 1)):
        said = ", ".join(f"code_{number}" for number in numbers)
        raise InputError(f"--file: {file}: expected columns code_1, code_2, …, each of them once, got {said[:80]}.")
    return [place for _, place in sorted(named)]


def _field(row: Sequence[str], place: int, head: Sequence[str], number: int) -> float:
    field = row[place] if place < len(row) else ""
    if (found := _number(field)) is None:
        raise InputError(f"--file: code {number}, column {head[place]!r}: expected a number, got {field[:40]!r}.")
    return found


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None


def _from_json(file: Path, text: str) -> Codes:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--file: {file} is not JSON: {error}.") from error
    rows = content.get("answers", content) if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise InputError(f'--file: {file}: expected a list of codes, or an object with "answers"; got {text[:40]!r}.')
    labels = [row.get(LABEL) if isinstance(row, dict) else None for row in rows]
    return Codes(
        [row.get("code") if isinstance(row, dict) else row for row in rows],
        [None if one is None else str(one) for one in labels],
    )


def _as_csv(answers: Sequence[Mapping[str, Any]], label: str) -> str:
    """A row an answer: its file and label, its code as code_1, code_2, …, and what it stands for: a column a pixel, or
    those of the table.
    """
    rows: list[dict[str, object]] = []
    for answer in answers:
        row = {
            **{name: answer[key] for name, key in (("file", "file"), (label, LABEL)) if key in answer},
            **{f"code_{place}": value for place, value in enumerate(answer.get("code", ()), start=1)},
        }
        made = _flat(answer.get("reconstruction", {}))
        if twice := [name for name in made if name in row and name != label]:
            raise SettingsError(
                f"--out: the table has columns {', '.join(map(repr, twice[:5]))}, as those of codes and files are "
                "called in a .csv. Write a .json, where they lie apart."
            )
        rows.append({**row, **made})
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _flat(made: Any) -> dict[str, object]:
    if isinstance(made, Mapping):
        return dict(made)
    return {f"pixel_{place}": value for place, value in enumerate(np.ravel(made).tolist(), start=1)}


def _put(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.partial")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise DataError(f"--out {path}: cannot be written ({error.strerror}).") from error


def lines(answers: Sequence[Mapping[str, Any]]) -> str:
    """A line a code, and of a table what it stands for, for a person; what is amiss is said aside."""
    return "\n".join(map(_line, answers))


def _line(answer: Mapping[str, Any]) -> str:
    show: Callable[[float], str] = "{:.4g}".format
    parts = [str(answer["file"])] if "file" in answer else []
    parts += [str(answer[LABEL])] if answer.get(LABEL) is not None else []
    parts += ["[" + ", ".join(map(show, answer["code"])) + "]"] if "code" in answer else []
    made = answer.get("reconstruction")
    parts += [row_line(made)] if isinstance(made, Mapping) else []
    return "  ".join(parts)
