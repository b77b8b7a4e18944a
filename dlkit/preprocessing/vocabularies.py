"""Which words do the training texts hold, and which of them make a vocabulary?"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from dlkit.contracts import Column, ColumnKind, Ragged
from dlkit.errors import DataError, SettingsError
from dlkit.inference.words import words


def text_column(kinds: Mapping[str, ColumnKind]) -> str:
    """The only text column."""
    texts = [name for name, kind in kinds.items() if kind == "text"]
    if len(texts) != 1:
        raise SettingsError(f"preprocessing: expected exactly 1 text column, got {len(texts)}: {texts}.")
    return texts[0]


class _Numbers(dict[str, int]):
    """Numbers words 0, 1, 2, … in the order in which they are first asked for."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def numbered(texts: Column, *, signs: bool = False) -> tuple[dict[str, int], Ragged]:
    """All different words, numbered from 0, and each text as the numbers of its words in their order."""
    numbers = _Numbers()
    number = numbers.__getitem__
    values, offsets = array("i"), array("q", [0])
    for text in texts:
        values.fromlist([*map(number, words(text, signs=signs))])
        offsets.append(len(values))
    return numbers, Ragged(np.frombuffer(values, np.int32), np.array(offsets, np.int64))


def most_frequent(
    numbers: Mapping[str, int], counts: np.ndarray, *, most: int | None, least: int, origin: str
) -> tuple[str, ...]:
    """The `most` most frequent words that occur `least` times or more; ties in alphabetical order.

    `counts`: occurrences by the word's number. `origin`: what an error calls the texts. DataError where no word is
    left.
    """
    listed = counts.tolist()
    frequent = sorted((-listed[number], word) for word, number in numbers.items() if listed[number] >= least)
    if not frequent:
        raise DataError(
            f"{origin}: no word occurs {least} times or more. Words are letters and numbers; "
            "emoji are none. Lower preprocessing.min_count or give other texts."
        )
    return tuple(word for _, word in frequent[:most])


def ids_of(vocabulary: tuple[str, ...], numbers: Mapping[str, int], *, first: int, unknown: int) -> np.ndarray:
    """(words,) int32 from a word's number to its id: `first` for the vocabulary's first word."""
    ids = np.full(len(numbers), unknown, np.int32)
    ids[[numbers[word] for word in vocabulary]] = np.arange(first, first + len(vocabulary))
    return ids


def at_least(least: Mapping[str, tuple[float, float]]) -> None:
    """SettingsError unless each setting's value (first) is its least one (second) or more."""
    for name, (value, bound) in least.items():
        if isinstance(value, bool) or not value >= bound:
            raise SettingsError(f"preprocessing.{name}: expected {bound:g} or more, got {value}.")
