"""What does a person ask of a translator: by which search, and of which lines of a text?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, get_type_hints

from dlkit.asking import items_from
from dlkit.data.paths import check_given
from dlkit.errors import InputError, SettingsError, did_you_mean
from dlkit.inference.decoding import Search
from dlkit.inference.predictor import Predictor, load_answer
from dlkit.inference.runs import read_run
from dlkit.inference.sentences import SentenceAnswer
from dlkit.settings import parse

_LINE_END = re.compile("\r\n|\r|\n")


def search_from(text: str, run: Path) -> Search:
    """The search that a person asks a run for, "beam=10,best=3" say; what is not said is as the run has it."""
    answer = load_answer(run)
    if not isinstance(answer, SentenceAnswer):
        raise SettingsError("--search is for translations, and this run makes none. Leave it out.")
    kinds = get_type_hints(Search)
    values: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in kinds:
            raise SettingsError(f"--search {part!r}: expected NAME=VALUE.{did_you_mean(name, kinds)}")
        values[name] = parse(value, kinds[name], f"--search {name}")
    beam = max(answer.beam, int(str(values.get("best", 1))))
    return Search(**{"beam": beam, "length_penalty": answer.length_penalty, **values})


def texts_from(
    inputs: Sequence[str],
    file: Path | None,
    standard_input: TextIO | None,
    predictor: Predictor,
    *,
    say: Callable[[str], None],
) -> list[object]:
    """Texts to translate, as `items_from` has them, blank ones too. Of a table, or of JSON, they may also be called as
    the language that the run was trained on, or be the only column of texts.
    """
    (column,) = predictor.kinds
    language = _language(predictor.run)
    if file is not None:
        check_given(file)
    if file is not None and file.suffix.lower() in (".csv", ".tsv"):
        return [*inputs, *_cells(file, (language, column), say)]
    items = items_from(inputs, file, standard_input, predictor.kinds, keep_blank=True)
    return [{column: item[language]} if isinstance(item, Mapping) and language in item else item for item in items]


def _language(run: Path) -> str:
    """The setting data.source of a run; "" where it has none."""
    settings = read_run(run).get("settings")
    data = settings.get("data") if isinstance(settings, dict) else None
    return str(data.get("source", "")) if isinstance(data, dict) else ""


def _cells(file: Path, names: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """The column of that name, or the only one that holds texts, with "" for each blank line between its rows."""
    from dlkit.data.delimited import parse_number, read_delimited
    from dlkit.data.pair_files import HEADERS, read_tabs

    if file.suffix.lower() == ".tsv":
        columns, numbers = read_tabs(file)
    else:
        table = read_delimited(file)
        columns, numbers = dict(table.columns), table.lines.tolist()
        for note in table.notes:
            say(f"note: {note}")
    lower = {one.lower(): one for one in reversed(columns)}
    usual = [first for first, second in HEADERS if first in lower and second in lower]
    found = [lower[name.lower()] for name in (*names, *usual) if name.lower() in lower]
    if not found:
        texts = [
            name
            for name, cells in columns.items()
            if any(cell.strip() and parse_number(cell.strip()) is None for cell in cells)
        ]
        # A sentence is no name: the file may have no header.
        found = texts if len(texts) == 1 and texts[0].isidentifier() else []
        if not found:
            raise InputError(
                f"--file: {file}: which column is to be translated? Expected one called "
                f"{' or '.join(dict.fromkeys(names))}, or only one that holds texts; its first line has "
                f"{', '.join(columns)[:200]}. Name the columns there."
            )
        say(f"note: column {found[0]!r} of {file.name} is translated")
    cells, follows = [], int(numbers[0])
    for line, text, *others in zip(numbers, columns[found[0]], *columns.values(), strict=True):
        cells += [""] * (line - follows) + [text]
        follows = line + 1 + sum(len(_LINE_END.findall(field)) for field in others)
    return cells


def translated(
    predict: Callable[[list[object]], list[dict[str, Any]]], items: Sequence[object], *, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """An answer for each text, also for blank ones, so that a file and its translation have as many lines; what is to
    be said of them is said aside.
    """
    blank = [_is_blank(item) for item in items]
    texts = [item for item, empty in zip(items, blank, strict=True) if not empty]
    found = iter(predict(texts) if texts else [])
    answers = [{"translation": ""} if empty else next(found) for empty in blank]
    for number, answer in enumerate(answers, start=1):
        if warning := answer.get("warning"):
            say(f"warning: line {number}: {warning}")
    return answers


def _is_blank(item: object) -> bool:
    texts = list(item.values()) if isinstance(item, Mapping) and item else [item]
    return all(text is None or (isinstance(text, str) and not text.strip()) for text in texts)
