"""Which words of the training texts does a network see?"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlkit.contracts import Column, ColumnKind, Examples, Ragged, Split, Transform
from dlkit.errors import DataError, SettingsError
from dlkit.inference.text import Encoded, MultiHotText
from dlkit.inference.words import words

_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class MultiHot:
    """A text as the set of its words: 1 for each word of the vocabulary that occurs, 0 for the others.

    `max_words`: the most frequent words of the training texts that make the vocabulary (ties: in alphabetical
    order). `min_count`: a word must occur so often to be considered.
    """

    max_words: int = 10_000
    min_count: int = 1

    def __post_init__(self) -> None:
        for name in ("max_words", "min_count"):
            if getattr(self, name) < 1:
                raise SettingsError(f"preprocessing.{name}: expected 1 or more, got {getattr(self, name)}.")

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> MultiHotText:
        texts = [name for name, kind in kinds.items() if kind == "text"]
        if len(texts) != 1:
            raise SettingsError(
                f"preprocessing: multi-hot words need exactly 1 text column, got {len(texts)}: {texts}."
            )
        column = train.inputs[texts[0]]
        numbers, numbered = _numbered(column)
        counts = np.bincount(numbered.values, minlength=len(numbers)).tolist()
        frequent = [(-counts[number], word) for word, number in numbers.items() if counts[number] >= self.min_count]
        if not frequent:
            raise DataError(
                f"Column {texts[0]!r}: no word occurs {self.min_count} times or more in the {len(train)} training "
                "texts. Words are letters and numbers; emoji and signs are none. Lower preprocessing.min_count or "
                "give other texts."
            )
        vocabulary = tuple(word for _, word in sorted(frequent)[: self.max_words])
        ids = np.zeros(len(numbers), np.int32)
        ids[[numbers[word] for word in vocabulary]] = np.arange(1, len(vocabulary) + 1)
        rows = _distinct(numbered, ids, len(vocabulary) + 1)
        return MultiHotText(texts[0], vocabulary, Encoded(column, rows))

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)


class _Numbers(dict[str, int]):
    """Numbers words 0, 1, 2, … in the order in which they are first asked for."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def _numbered(texts: Column) -> tuple[dict[str, int], Ragged]:
    """All different words, numbered, and each text as the numbers of its words in their order."""
    numbers = _Numbers()
    number = numbers.__getitem__
    values, offsets = array("i"), array("q", [0])
    for text in texts:
        values.fromlist([*map(number, words(text))])
        offsets.append(len(values))
    return numbers, Ragged(np.frombuffer(values, np.int32), np.array(offsets, np.int64))


def _distinct(numbered: Ragged, ids: np.ndarray, stride: int) -> Ragged:
    """Each row's different `ids[number]` in [1, stride), ascending; a few rows at a time, whose keys fit in 32 bits."""
    at_once = max(1, min(_ROWS_AT_ONCE, (2**31 - 1) // stride))
    parts, lengths = [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
    for start in range(0, len(numbered), at_once):
        offsets = numbered.offsets[start : start + at_once + 1]
        rows = len(offsets) - 1
        keys = np.repeat(np.arange(0, rows * stride, stride, dtype=np.int32), np.diff(offsets))
        keys += ids[numbered.values[offsets[0] : offsets[-1]]]
        keys.sort()
        row, found = np.divmod(keys[np.diff(keys, prepend=-1) > 0], np.int32(stride))
        parts.append(found[found > 0])
        lengths.append(np.bincount(row[found > 0], minlength=rows))
    return Ragged(np.concatenate(parts), np.cumsum(np.concatenate(lengths)))
