"""What did a person give to `dlkit predict`: arguments, a file, standard input?"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from numpy.lib.stride_tricks import sliding_window_view

from dlkit.contracts import ColumnKind
from dlkit.data.paths import check_given
from dlkit.errors import DataError, DataNotFoundError, InputError, SettingsError, misspelt
from dlkit.inference import times as clock

if TYPE_CHECKING:
    from dlkit.data.delimited import Delimited
    from dlkit.inference.series import SeriesInputs
    from dlkit.inference.windows import ScaledWindows

_AT_ONCE = 32
_UNDECODED = "".join(map(chr, range(0xDC80, 0xDD00)))


def items_from(
    inputs: Sequence[str],
    file: Path | None,
    standard_input: TextIO | None,
    kinds: Mapping[str, ColumnKind],
    *,
    keep_blank: bool = False,
    task: str = "",
) -> list[object]:
    """Items as `Predictor.predict` takes them; InputError where there is none at all. Blank lines are left out, unless
    `keep_blank`. `task`: of a search for anomalies a table of very many rows is refused, as it can be followed instead.

    A text model: each input is a text, each line of a `.txt` file or of standard input too. A table: each input is
    `{"rm": 6.5, …}` or `rm=6.5,lstat=4`. Files: `.csv`, `.tsv`, `.jsonl` or `.txt`. Pictures: each input is a file or a
    folder of them, each line of a `.txt` file or of standard input a path; a table names them relative to its folder,
    also where it has more columns, as pictures with their class.
    """
    if list(kinds.values()) == ["image"]:
        return _pictures(inputs, file, standard_input, kinds)
    one_text = list(kinds.values()) == ["text"]
    items: list[object] = [text if one_text else _row(text, kinds) for text in inputs]
    if file is not None:
        check_given(file)
        if task == "anomaly":
            _check_length(file)
        items += _from_file(file, kinds, keep_blank=keep_blank)
    if not items and standard_input is not None:
        lines = read_in(standard_input).removesuffix("\n").split("\n")
        items += [line if one_text else _row(line, kinds) for line in lines if keep_blank or line.strip()]
    if not items or (keep_blank and not any(map(str.strip, map(str, items)))):
        example = '"a text"' if one_text else f'"{next(iter(kinds))}=…"'
        raise InputError(f"There is nothing to predict on: give {example}, --file FILE, or lines on standard input.")
    return items


def read_in(standard_input: TextIO) -> str:
    """All of standard input; InputError where it is not UTF-8."""
    try:
        text = standard_input.read()
    except UnicodeDecodeError:
        text = _UNDECODED[0]
    # In some locales Python puts these in the place of bytes that it cannot decode.
    if any(character in _UNDECODED for character in {*text}):
        raise InputError("Standard input: expected UTF-8, got other bytes. Convert it: iconv -f WINDOWS-1252 -t UTF-8")
    return text


def recent_from(
    inputs: Sequence[str], file: Path | None, standard_input: TextIO | None, made: SeriesInputs
) -> list[object]:
    """The end of a series as the one item to forecast: from `.csv` or `.tsv`, or a table on standard input. Other
    inputs are as `items_from` has them: objects of JSON, a list of numbers by column.

    Rows at the end without a value of any channel are times to come: there what is known beforehand is given.
    """
    if inputs or (file is not None and file.suffix.lower() not in (".csv", ".tsv")):
        return items_from(inputs, file, standard_input, made.kinds)
    if file is not None:
        return [_recent(file, made)]
    text = "" if standard_input is None else read_in(standard_input)
    if not text.strip():
        raise InputError("There is nothing to forecast: give --file FILE, or a table with a header on standard input.")
    if text.lstrip().startswith("{"):
        return [_json(line, f"Line {number}") for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input").write_text(text, encoding="utf-8")
        try:
            return [_recent(Path(folder) / "input", made)]
        except (DataError, InputError) as error:
            raise InputError(str(error).replace(str(Path(folder) / "input"), "standard input")) from None


def _recent(file: Path, made: SeriesInputs) -> dict[str, object]:
    from dlkit.data.series_files import last_rows
    from dlkit.inference.recent import recent

    check_given(file)
    columns = [one.name for one in (*made.channels, *made.known)]
    try:  # twice the horizon: what lies ahead may be given further than is asked for
        count = made.window + 2 * made.horizon
        block = last_rows(file, made.time, columns, count, within_a_day=made.within_a_day)
    except SettingsError as error:  # a column that the model was trained with is not there
        raise InputError(str(error).replace("data.time=", "Column ").replace("data.columns=", "Column ")) from None
    return recent(block.values, block.times, made, where=str(file), zoned=block.zoned)


def _pictures(
    inputs: Sequence[str], file: Path | None, standard_input: TextIO | None, kinds: Mapping[str, ColumnKind]
) -> list[object]:
    """Paths of pictures, those of a folder sorted by name; what is no file, and a folder that holds none, fails when it
    is its turn.
    """
    from dlkit.data.image_files import is_hidden
    from dlkit.inference.images import SUFFIXES

    given = [*inputs]
    if file is not None:
        check_given(file)
        listed = _from_file(file, kinds)
        given += [str(next(iter(one.values())) if isinstance(one, Mapping) else one) for one in listed]
    if not given and standard_input is not None:
        given += [line for line in read_in(standard_input).split("\n") if line.strip()]
    found: list[object] = []
    for text in given:
        path = Path(text)
        if not _is_folder(path):
            found.append(text)
            continue
        inside = sorted(
            one
            for one in path.rglob("*")
            if one.suffix.lower() in SUFFIXES and one.is_file() and not is_hidden(one.relative_to(path).as_posix())
        )
        found += [str(one) for one in inside] or [text]
    if not found:
        raise InputError("There is nothing to predict on: give a picture, a folder, --file FILE, or paths as lines.")
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # too long for a name, or in a folder that may not be entered
        return False


def answered_each(
    predict: Callable[[list[object]], list[dict[str, Any]]], items: Sequence[object], kinds: Mapping[str, ColumnKind]
) -> list[dict[str, Any]]:
    """An answer for each picture with its "file", or the "error" that only this one has; a few at a time in memory.

    `kinds`: the columns of the model; an item may be a row of them.
    """
    column = next(name for name, kind in kinds.items() if kind == "image")
    names = [_picture_of(item, column) or f"Item {number}" for number, item in enumerate(items, start=1)]
    answers: list[dict[str, Any]] = []
    for start in range(0, len(items), _AT_ONCE):
        some, called = list(items[start : start + _AT_ONCE]), names[start : start + _AT_ONCE]
        try:
            found = predict(some)
        except InputError:
            found = [_alone(predict, item, name) for item, name in zip(some, called, strict=True)]
        answers += [{"file": name} | answer for name, answer in zip(called, found, strict=True)]
    return answers


def _picture_of(item: object, column: str) -> str:
    """The path that an item gives; "" where it gives none, or pixels."""
    given = item.get(column) if isinstance(item, Mapping) else item
    return given if isinstance(given, str) else ""


def _alone(predict: Callable[[list[object]], list[dict[str, Any]]], item: object, name: str) -> dict[str, Any]:
    try:
        (answer,) = predict([item])
    except InputError as error:
        if isinstance(item, str) and _is_folder(Path(item)):  # others stand for the pictures in them
            return {"error": f"{Path(item)}/ holds no picture; expected files such as .jpg or .png."}
        # Asked alone, each is the first one.
        said = str(error)
        first = said.startswith(("Item 1:", "Item 1,", "Item 1 is"))
        return {"error": name + said.removeprefix("Item 1") if first else said}
    return answer


def _row(text: str, kinds: Mapping[str, ColumnKind]) -> object:
    if text.lstrip().startswith("{"):
        return _json(text, "The input")
    row: dict[str, object] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            first = next(iter(kinds))
            example = f"{first}=photo.jpg,{list(kinds)[-1]}=…" if kinds[first] == "image" else f"{first}=1"
            raise InputError(f'Expected column=value pairs such as "{example}" or a JSON object, got {text!r}.')
        row[name.strip()] = value.strip()
    return row


def _from_file(file: Path, kinds: Mapping[str, ColumnKind], *, keep_blank: bool = False) -> list[object]:
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
    if keep_blank:
        return [*(lines if lines[-1] else lines[:-1])]
    return [line for line in lines if line.strip()]


def _from_delimited(file: Path, kinds: Mapping[str, ColumnKind]) -> list[object]:
    from dlkit.data.delimited import read_delimited

    table = read_delimited(file)
    if "image" in kinds.values():
        return _from_table_of_pictures(table, kinds)
    missing = [name for name in kinds if name not in table.columns]
    near = misspelt(missing, set(table.columns) - set(kinds))  # others may be left out
    if near or len(missing) == len(kinds) or (missing and "text" in [kinds[name] for name in missing]):
        raise InputError(f"--file: {file} lacks the columns {missing}; it has {list(table.columns)}.{near}")
    columns = {name: _values(table, name, kind) for name, kind in kinds.items() if name in table.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _from_table_of_pictures(table: Delimited, kinds: Mapping[str, ColumnKind]) -> list[object]:
    """Rows of paths and what the model is told beside each picture; those without a path are left out."""
    from dlkit.data.image_tables import paths_in

    (image,) = (name for name, kind in kinds.items() if kind == "image")
    others = [name for name in kinds if name != image]
    paths = paths_in(table, image, other=others)
    if missing := [name for name in others if name not in table.columns]:
        near = misspelt(missing, set(table.columns) - set(kinds)) or " Add them."
        raise InputError(
            f"--file: {table.path} lacks the columns {missing}, which the model is told beside each picture; it has "
            f"{list(table.columns)}.{near}"
        )
    columns = [_values(table, name, kinds[name]) for name in others]
    rows = zip(paths, *columns, strict=True)
    return [{image: str(path), **dict(zip(others, row, strict=True))} for path, *row in rows if path is not None]


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


MOST_WINDOWS, MOST_ROWS = 20_000, 100_000
"""Of a file that is answered as a whole; a longer one is judged row by row."""


def _check_length(file: Path) -> None:
    """InputError where a table is too long to be answered as a whole: its lines are counted, not kept."""
    if file.suffix.lower() not in (".csv", ".tsv"):
        return
    with contextlib.suppress(OSError), file.open("rb") as content:  # who reads it then says why it cannot be read
        rows = sum(block.count(b"\n") for block in iter(lambda: content.read(1 << 20), b"")) - 1
        if rows > MOST_ROWS:
            raise _too_long(file, rows)


def _too_long(file: Path, rows: int) -> InputError:
    return InputError(
        f"{file}: {rows:,} rows are too many to be answered at once. Have them judged one by one, in little memory: "
        "dlkit predict RUN --file FILE --follow --idle 0"
    )


def windows_from(
    inputs: Sequence[str], file: Path, made: ScaledWindows, say: Callable[[str], None]
) -> tuple[list[object], list[str]]:
    """The windows of a stream in a CSV file as items, one for each row from the first full window on, and the time (or
    the number) of the last row of each. Windows with a gap are left out, and `say` is told.
    """
    from dlkit.data.series_files import read_series

    if inputs:
        raise InputError(f"--file {file} is a stream, answered by itself: give it, or windows as INPUT, not both.")
    check_given(file)
    read, series = partial(read_series, file, columns=list(made.numbers), sort=True, empty=True), None
    try:
        with contextlib.suppress(SettingsError):  # rows may come without the column of times
            series = read(made.time, within_a_day=made.within_a_day)
        series = series or read()
    except SettingsError as error:  # a column that the model was trained with is not there
        raise InputError(str(error).replace("data.columns=", "Column ")) from None
    for note in series.notes:
        say(f"note: {note}")
    if (count := len(series) - made.window + 1) < 1:
        raise InputError(f"{file}: a window is {made.window} rows, and the file has {len(series)}. Give more rows.")
    if count > MOST_WINDOWS:
        raise _too_long(file, len(series))
    whole = made.whole(series.times, count)
    if len(whole) < count:
        what = f"{count - len(whole)} of {count} windows hold a gap (rows more than {made.gap:g} seconds apart)"
        if not len(whole):
            raise InputError(f"{file}: {what}. Expected rows in the steps of training: put in those that are missing.")
        say(f"{file}: {what}; left out")
    windows = {name: sliding_window_view(column, made.window) for name, column in series.values.items()}
    items: list[object] = [{name: column[row] for name, column in windows.items()} for row in whole.tolist()]
    last = whole + made.window - 1
    return items, [str(row + 1) for row in last] if series.times is None else clock.shown(series.times[last])
