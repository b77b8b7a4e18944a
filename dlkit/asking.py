"""What did a person give to `dlkit predict` (arguments, a file, standard input), and what do they read?"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlkit.contracts import ColumnKind
from dlkit.errors import DataError, DataNotFoundError, InputError, SettingsError
from dlkit.inference import times as clock

if TYPE_CHECKING:
    from dlkit.data.delimited import Delimited
    from dlkit.inference.following import Follower
    from dlkit.inference.series import SeriesInputs
    from dlkit.inference.streaming import Judged
    from dlkit.inference.windows import ScaledWindows

_AT_ONCE = 32


def items_from(
    inputs: Sequence[str],
    file: Path | None,
    standard_input: TextIO | None,
    kinds: Mapping[str, ColumnKind],
    *,
    keep_blank: bool = False,
) -> list[object]:
    """Items as `Predictor.predict` takes them; InputError where there is none at all. Blank lines are left out, unless
    `keep_blank`.

    A text model: each input is a text, each line of a `.txt` file or of standard input too. A table: each input is
    `{"rm": 6.5, …}` or `rm=6.5,lstat=4`. Files: `.csv`, `.tsv`, `.jsonl` or `.txt`. Pictures: each input is a file or a
    folder of them, each line of a `.txt` file or of standard input a path.
    """
    if list(kinds.values()) == ["image"]:
        return _pictures(inputs, file, standard_input, kinds)
    one_text = list(kinds.values()) == ["text"]
    items: list[object] = [text if one_text else _row(text, kinds) for text in inputs]
    if file is not None:
        items += _from_file(file, kinds, keep_blank=keep_blank)
    if not items and standard_input is not None:
        lines = [line.rstrip("\n") for line in standard_input]
        items += [line if one_text else _row(line, kinds) for line in lines if keep_blank or line.strip()]
    if not items or (keep_blank and not any(map(str.strip, map(str, items)))):
        example = '"a text"' if one_text else f'"{next(iter(kinds))}=…"'
        raise InputError(f"There is nothing to predict on: give {example}, --file FILE, or lines on standard input.")
    return items


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
    text = "" if standard_input is None else standard_input.read()
    if not text.strip():
        raise InputError("There is nothing to forecast: give --file FILE, or a table with a header on standard input.")
    if text.lstrip().startswith("{"):
        return [_json(line, f"Line {number}") for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input").write_text(text, encoding="utf-8")
        try:
            return [_recent(Path(folder) / "input", made)]
        except DataError as error:
            raise InputError(str(error).replace(str(Path(folder) / "input"), "standard input")) from None


def _recent(file: Path, made: SeriesInputs) -> dict[str, object]:
    from dlkit.data.series_files import last_rows

    if not file.is_file():
        raise DataNotFoundError(f"--file: {file} is {'a folder, no file' if file.is_dir() else 'not there'}.")
    channels, known = ([one.name for one in some] for some in (made.channels, made.known))
    try:  # twice the horizon: what lies ahead may be given further than is asked for
        block = last_rows(file, made.time, [*channels, *known], made.window + 2 * made.horizon)
    except SettingsError as error:  # a column that the model was trained with is not there
        raise InputError(str(error).replace("data.time=", "Column ").replace("data.columns=", "Column ")) from None
    measured = np.flatnonzero(np.isfinite([block.values[name] for name in channels]).any(axis=0))
    if not len(measured):
        raise InputError(f"{file}: none of its last {len(block)} rows has a value of {', '.join(channels)}.")
    end = int(measured[-1]) + 1
    item: dict[str, object] = {name: block.values[name][:end] for name in channels}
    item |= {name: block.values[name][: end + made.horizon] for name in known}
    if len(block) - end < made.horizon and known:
        raise InputError(
            f"{file}: {known[0]!r} is known beforehand; expected {made.horizon} rows with it after the last value of "
            f"{channels[0]!r}, got {len(block) - end}. Add them, with the other columns empty."
        )
    if made.time is not None and block.times is not None:
        item[made.time] = block.times[:end]
        _check_steps(block.times[max(end - made.window, 0) : end], made, file)
    return item


def _check_steps(times: np.ndarray, made: SeriesInputs, file: Path) -> None:
    """InputError where a row is missing, or comes twice, among those that the model looks at."""
    if made.step is None or len(times) < 2:
        return
    uneven = np.flatnonzero(np.abs(clock.steps_between(times, made.step) - 1) > 1e-6)
    # A series whose steps are uneven throughout was learnt from as it is.
    if len(uneven) and len(uneven) <= len(times) // 2:
        before, after = clock.shown(times[uneven[0] : uneven[0] + 2])
        raise InputError(
            f"{file}: {after} follows {before}; expected a step of {clock.shown_step(made.step)} between the last "
            f"{made.window} rows. Put in the missing rows, or take out those that come twice."
        )


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
            first = next(iter(kinds))
            example = f"{first}=photo.jpg,{list(kinds)[-1]}=…" if kinds[first] == "image" else f"{first}=1"
            raise InputError(f'Expected column=value pairs such as "{example}" or a JSON object, got {text!r}.')
        row[name.strip()] = value.strip()
    return row


def _from_file(file: Path, kinds: Mapping[str, ColumnKind], *, keep_blank: bool = False) -> list[object]:
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
    if keep_blank:
        return [*(lines if lines[-1] else lines[:-1])]
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


MOST_WINDOWS = 20_000
"""Of a file that is answered as a whole; a longer one is judged row by row."""


def windows_from(file: Path, made: ScaledWindows) -> tuple[list[object], list[str]]:
    """The windows of a stream in a CSV file as items, one for each row from the first full window on, and the time (or
    the number) of the last row of each.
    """
    from dlkit.data.series_files import read_series

    if not file.is_file():
        raise DataNotFoundError(f"--file: {file} is {'a folder, no file' if file.is_dir() else 'not there'}.")
    try:
        series = read_series(file, columns=list(made.numbers))
    except SettingsError as error:  # a column that the model was trained with is not there
        raise InputError(str(error).replace("data.columns=", "Column ")) from None
    count = len(series) - made.window + 1
    if count < 1:
        raise InputError(
            f"{file}: a window is {made.window} rows, and the file has {len(series)}. Give at least {made.window} rows."
        )
    if count > MOST_WINDOWS:
        raise InputError(
            f"{file}: {len(series):,} rows are too many to be answered at once. Have them judged one by one, in little "
            "memory: dlkit predict RUN --file FILE --follow --idle 0"
        )
    windows = {name: sliding_window_view(column, made.window) for name, column in series.values.items()}
    items: list[object] = [{name: column[row] for name, column in windows.items()} for row in range(count)]
    last = range(made.window - 1, len(series))
    return items, [str(row + 1) for row in last] if series.times is None else clock.shown(series.times[last.start :])


def judged_lines(judged: Judged, follower: Follower, as_json: bool) -> Iterator[str]:
    """A line for each row of a stream that has a score: for a person, or an object of JSON."""
    threshold, first = follower.scorer.threshold, follower.summary.rows - len(judged) + 1
    for row, (score, alarm) in enumerate(zip(judged.scores.tolist(), judged.alarms.tolist(), strict=True)):
        if math.isnan(score):  # the first window is not full yet
            continue
        time = judged.times[row] if judged.times else str(first + row)
        channels = judged.channels.get(row, {})
        if as_json:
            found = {"row": first + row, "time": time, "score": score, "threshold": threshold, "anomaly": alarm}
            yield json.dumps(found | ({"channels": channels} if alarm else {}))
        else:
            ordered = sorted(channels.items(), key=lambda one: -one[1])
            shares = ", ".join(f"{name} {share:.0%}" for name, share in ordered)
            yield f"{time}  {score:.4g}" + (f"  ALARM (above {threshold:.4g}): {shares}" if alarm else "")


def answer_lines(items: Sequence[object], answers: Sequence[Mapping[str, Any]], *, top: int = 1) -> str:
    """A line an answer. `top`: so many of the likeliest classes."""
    lines = []
    for item, answer in zip(items, answers, strict=True):
        about = " ".join(str(item).split())
        # An error names its file, a window its time; translations are lines of a text.
        known = len(items) == 1 or any(name in answer for name in ("error", "at", "translation"))
        about = "" if known else f"  {about[:60]}{'…' if len(about) > 60 else ''}"
        warns = "warning" in answer and "translation" not in answer
        warning = f"\n  warning: {answer['warning']}" if warns else ""
        lines.append(f"{_answer(answer, top)}{about}{warning}")
    return "\n".join(lines)


def _forecast(answer: Mapping[str, Any]) -> str:
    """A line a step: its time or number, and each target, with the outermost quantiles where there are some."""
    names, unit = list(answer["forecast"]), f" ({answer['unit']})" if answer.get("unit") else ""
    steps = answer.get("time") or [f"+{step + 1}" for step in range(len(answer["forecast"][names[0]]))]
    lines = [f"{' ' * len(steps[0])}  {'  '.join(f'{name:>12}' for name in names)}{unit}"]
    for step, time in enumerate(steps):
        cells = []
        for name in names:
            cell = f"{answer['forecast'][name][step]:12.5g}"
            if "quantiles" in answer:
                bands = list(answer["quantiles"][name].values())
                cell += f" [{bands[0][step]:.5g}, {bands[-1][step]:.5g}]"
            cells.append(cell)
        lines.append(f"{time}  {'  '.join(cells)}")
    return "\n".join(lines)


def _alarm(answer: Mapping[str, Any]) -> str:
    """Score and decision, and of an alarm the channels that carry most of it."""
    shares = sorted(answer["channels"].items(), key=lambda one: -one[1])[:3]
    why = ", ".join(f"{name} {share:.0%}" for name, share in shares)
    found = f"ALARM (above {answer['threshold']:.4g}): {why}" if answer["anomaly"] else "normal"
    return "  ".join([*filter(None, [answer.get("at")]), f"{answer['score']:.4g}", found])


def _reconstruction(answer: Mapping[str, Any]) -> str:
    """How near it comes, and the code; of a table what is reconstructed too."""
    told = [f"{answer['label']}  {answer['score']:.1%}"] if "label" in answer else []
    made = answer["reconstruction"]
    told += [", ".join(f"{name}={value:.4g}" for name, value in made.items())] if isinstance(made, Mapping) else []
    code = ", ".join(f"{number:.3g}" for number in answer["code"])
    return "  ".join([*told, f"mean squared error {answer['mse']:.4g}", f"code [{code}]"])


def _translation(answer: Mapping[str, Any]) -> str:
    """The translation, or a line each with its score where there are several."""
    if "others" not in answer:
        return str(answer["translation"])
    return "\n".join(f"{one['score']:.3f}  {one['translation']}" for one in (answer, *answer["others"]))


_SHOWN = {
    "forecast": _forecast,
    "anomaly": _alarm,
    "reconstruction": _reconstruction,
    "translation": _translation,
}


def _answer(answer: Mapping[str, Any], top: int) -> str:
    if "error" in answer:
        return f"error: {answer['error']}"
    for part, show in _SHOWN.items():
        if part in answer:
            return show(answer)
    if "label" in answer and top > 1:
        likeliest = sorted(answer["probabilities"].items(), key=lambda one: -one[1])[:top]
        return "  ".join(f"{label} {chance:.1%}" for label, chance in likeliest)
    if "label" not in answer and "value" not in answer:  # several answers, each by its name
        named = {name: part for name, part in answer.items() if isinstance(part, Mapping)}
        return "  ".join(f"{name}: {_answer(part, 1)}" for name, part in named.items())
    if "label" in answer:
        return f"{answer['label']}  {answer['score']:.1%}"
    return f"{answer['value']:.4g} {answer['unit']}".rstrip()
