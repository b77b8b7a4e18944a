"""Which words of the training texts does a network see?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlkit.contracts import ColumnKind, Examples, Ragged, Split, Transform
from dlkit.inference.text import Encoded, MultiHotText
from dlkit.preprocessing.vocabularies import at_least, ids_of, most_frequent, numbered, text_column

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
        at_least({"max_words": (self.max_words, 1), "min_count": (self.min_count, 1)})

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> MultiHotText:
        name = text_column(kinds)
        column = train.inputs[name]
        numbers, rows = numbered(column)
        counts = np.bincount(rows.values, minlength=len(numbers))
        origin = f"Column {name!r}, {len(train)} training texts"
        vocabulary = most_frequent(numbers, counts, most=self.max_words, least=self.min_count, origin=origin)
        ids = ids_of(vocabulary, numbers, first=1, unknown=0)
        distinct = _distinct(rows, ids, len(vocabulary) + 1)
        return MultiHotText(name, vocabulary, Encoded(column, {"word_ids": distinct}))

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)


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
