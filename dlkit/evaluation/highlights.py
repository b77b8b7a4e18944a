"""Which test texts does a report explain, and which parts of a long one does it show?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from dlkit.contracts import Split, Transform
from dlkit.errors import SettingsError
from dlkit.evaluation.explaining import Explanation, explain
from dlkit.evaluation.pages import shortened
from dlkit.inference.answers import AnyAnswer, ClassAnswer
from dlkit.inference.words import LINE_BREAK

LONGEST = 600
"""Characters of a text that are shown."""
_RIGHT, _WRONG = 2, 3
_AROUND = 5
"""Words shown on either side of a strong one."""
_FAINTEST = 0.05
_STEPS = 16
"""Points of the integral at first: they are doubled where the weights do not sum as they should."""
_line_break = re.compile(LINE_BREAK)


@dataclass(frozen=True)
class Part:
    """A piece of a shown text: a word with its `weight` and that as a `share` of the strongest one's, or what stands
    between words, without. `share` is 0 where a word is too weak for a colour.
    """

    text: str
    weight: float | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Highlight:
    """A test text with the words that carried the answer. `row`: counted from 0."""

    row: int
    truth: str
    answer: str
    score: float
    parts: tuple[Part, ...]

    @property
    def right(self) -> bool:
        return self.truth == self.answer


@dataclass(frozen=True)
class Decisions:
    """What a report says of words: `highlights`, or in `refused` why there are none."""

    highlights: tuple[Highlight, ...] = ()
    refused: str | None = None


def decisions(
    model: keras.Model,
    transform: Transform,
    answer: AnyAnswer,
    test: Split,
    *,
    outputs: np.ndarray,
    mistakes: Sequence[Mapping[str, object]],
) -> Decisions:
    """Two test texts that are answered rightly, of two classes where there are, and the worst mistakes, explained.

    `outputs`: the network's, on all test rows. `mistakes`: as `worst_mistakes` gives them. Of another task than
    choosing a class for a text: none.
    """
    if list(transform.kinds.values()) != ["text"] or not isinstance(answer, ClassAnswer):
        return Decisions()
    targets = np.asarray(test.targets).astype(object)
    wrong = [int(str(mistake["row"])) for mistake in mistakes][:_WRONG]
    rows = [*_rightly(answer, targets, outputs), *wrong]
    (texts,) = test.inputs.values()
    try:
        found = explain(model, transform, answer, [texts[row] for row in rows], steps=_STEPS)
    except SettingsError as error:  # a network of the user's own; a text without anything in it
        return Decisions(refused=str(error))
    return Decisions(tuple(_highlight(row, str(targets[row]), one) for row, one in zip(rows, found, strict=True)))


def _rightly(answer: ClassAnswer, targets: np.ndarray, outputs: np.ndarray) -> list[int]:
    """The first rows answered rightly, of different classes where there are any: not chosen for how they look."""
    labels = np.array(answer.labels, object)[answer.probabilities(outputs).argmax(axis=1)]
    right = np.flatnonzero(labels == targets)
    firsts = sorted(
        {str(label): int(row) for row, label in reversed([*zip(right, labels[right], strict=True)])}.values()
    )
    return [*firsts, *(int(row) for row in right[: _RIGHT + 1] if row not in firsts)][:_RIGHT]


def _highlight(row: int, truth: str, found: Explanation) -> Highlight:
    score = float(str(found.answer["score"]))
    return Highlight(row, shortened(truth, 60), shortened(found.label, 60), score, tuple(shown(found)))


def shown(found: Explanation, longest: int = LONGEST) -> list[Part]:
    """A text in parts; of one with more than `longest` characters, the surroundings of its strongest words."""
    text, places = found.text, found.words
    most = max((abs(word.weight) for word in places), default=0.0) or 1.0
    kept = _kept(found, longest)
    if not places:
        return [Part(shortened(text, longest))]
    parts: list[Part] = []
    end = 0
    for index in sorted(kept):
        word = places[index]
        together = index - 1 in kept or index == 0
        between = _plain(text[end : word.start]) if together else (" … " if parts else "… ")
        share = abs(word.weight) / most
        parts += [Part(between)] if between else []
        parts.append(Part(_plain(text[word.start : word.stop]), word.weight, share if share >= _FAINTEST else 0.0))
        end = word.stop
    rest = _plain(text[end:]) if len(places) - 1 in kept else " …"
    return [*parts, Part(rest)] if rest else parts


def _kept(found: Explanation, longest: int) -> set[int]:
    """Numbers of the words that are shown."""
    places = found.words
    if len(found.text) <= longest:
        return set(range(len(places)))
    weights = [abs(word.weight) for word in places]
    strong = [number for number, weight in enumerate(weights) if weight and weight >= _FAINTEST * max(weights)]
    kept: set[int] = set()
    used = 0
    for index in sorted(strong, key=lambda number: -weights[number]) or [0]:
        around = set(range(max(index - _AROUND, 0), min(index + _AROUND + 1, len(places)))) - kept
        used += sum(places[number].stop - places[number].start + 1 for number in around)
        if used > longest and kept:
            break
        kept |= around
    return kept


def _plain(text: str) -> str:
    """A part on one line: no markup of line breaks, no control characters, no long runs of signs."""
    line = "".join(char if char.isprintable() else " " for char in _line_break.sub(" ", text))
    line = re.sub(r"\s+", " ", line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
