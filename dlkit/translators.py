"""What does a person ask of a translator: by which search, and of which lines of a text?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from dlkit.errors import SettingsError, did_you_mean
from dlkit.inference.decoding import Search
from dlkit.inference.predictor import load_answer
from dlkit.inference.sentences import SentenceAnswer
from dlkit.settings import parse


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


def translated(
    predict: Callable[[list[object]], list[dict[str, Any]]], items: Sequence[object], *, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """An answer for each text, also for blank ones, so that a file and its translation have as many lines; what is to
    be said of them is said aside.
    """
    blank = [not str(item).strip() for item in items]
    found = iter(predict([item for item, empty in zip(items, blank, strict=True) if not empty]))
    answers = [{"translation": ""} if empty else next(found) for empty in blank]
    for number, answer in enumerate(answers, start=1):
        if warning := answer.get("warning"):
            say(f"warning: line {number}: {warning}")
    return answers
