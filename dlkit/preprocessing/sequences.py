"""Which words, in their order, does a network read, and how long is a text to it?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Examples, Ragged, Split, Transform
from dlkit.errors import SettingsError, did_you_mean
from dlkit.inference.sequences import FIRST, UNKNOWN, SequenceText, cut
from dlkit.inference.text import Encoded
from dlkit.preprocessing.vocabularies import at_least, ids_of, most_frequent, numbered, text_column

FEWEST_PIECES = 16
"""As preprocessing/pieces.py has it, which loads TensorFlow."""


@dataclass(frozen=True)
class Sequences:
    """A text as the sequence of its words.

    `max_words`: the most frequent words of the training texts that make the vocabulary; all others are one unknown
    word. `min_count`: a whole word must occur so often to be considered. `length`: most words of a text that are read;
    None takes the quantile `length_quantile` of the training texts' lengths. `keep`: which end of a longer text is
    read. `signs`: punctuation marks are words. `subwords`: "wordpiece" learns that many (`max_words`) pieces of words
    through KerasHub instead, so that a rare word is several known pieces (Wu et al. 2016). `vectors`: file of own
    word vectors in GloVe's text format that the network's word vectors start from.
    """

    max_words: int = 20_000
    min_count: int = 2
    length: int | None = None
    length_quantile: float = 0.9
    keep: Literal["start", "end"] = "end"
    signs: bool = False
    subwords: Literal["none", "wordpiece"] = "none"
    vectors: Path | None = None

    def __post_init__(self) -> None:
        at_least({"max_words": (self.max_words, 1), "min_count": (self.min_count, 1), "length": (self.length or 1, 1)})
        if self.length == 0:
            raise SettingsError("preprocessing.length: expected 1 or more, or None, got 0.")
        if not 0 < self.length_quantile <= 1:
            raise SettingsError(
                f"preprocessing.length_quantile: expected above 0, up to 1, got {self.length_quantile}."
            )
        for name, known in (("keep", ("start", "end")), ("subwords", ("none", "wordpiece"))):
            if (value := getattr(self, name)) not in known:
                raise SettingsError(f"preprocessing.{name}: unknown {value!r}.{did_you_mean(str(value), known)}")
        if self.subwords == "wordpiece" and self.max_words < FEWEST_PIECES:
            raise SettingsError(
                f"preprocessing.max_words: subwords need {FEWEST_PIECES} pieces or more, got {self.max_words}."
            )
        if self.min_count != Sequences.min_count and self.subwords != "none":
            raise SettingsError(
                f"preprocessing.min_count={self.min_count} is of whole words: it needs preprocessing.subwords=none. "
                f"Leave it at {Sequences.min_count}."
            )
        if self.vectors is not None and self.subwords != "none":
            raise SettingsError("preprocessing.vectors are of whole words: they need preprocessing.subwords=none.")

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> SequenceText:
        name = text_column(kinds)
        column = train.inputs[name]
        numbers, rows = numbered(column, signs=self.signs)
        counts = np.bincount(rows.values, minlength=len(numbers))
        if self.subwords == "wordpiece":
            vocabulary, rows = self._pieces(numbers, counts, rows)
        else:
            origin = f"Column {name!r}, {len(train)} training texts"
            vocabulary = most_frequent(numbers, counts, most=self.max_words, least=self.min_count, origin=origin)
            ids = ids_of(vocabulary, numbers, first=FIRST, unknown=UNKNOWN)
            rows = Ragged(ids[rows.values], rows.offsets)
        length = self.length or max(1, math.ceil(np.quantile(np.diff(rows.offsets), self.length_quantile)))
        return SequenceText(
            name, vocabulary, length, self.keep, self.signs, self.subwords == "wordpiece",
            Encoded(column, {"word_ids": cut(rows, length, self.keep)}), *self._vectors(vocabulary),
        )  # fmt: skip

    def _pieces(self, numbers: Mapping[str, int], counts: np.ndarray, rows: Ragged) -> tuple[tuple[str, ...], Ragged]:
        """The sub-words of the training texts, and these as rows of their ids."""
        from dlkit.preprocessing.pieces import learn_pieces

        listed = counts.tolist()
        pieces = learn_pieces({word: listed[number] for word, number in numbers.items()}, self.max_words)
        by_number = Ragged.from_lists([np.array(pieces.ids(word), np.int32) for word in numbers])
        sizes = np.diff(by_number.offsets)[rows.values]
        starts = by_number.offsets[rows.values]
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], sizes)
        return pieces.vocabulary, Ragged(by_number.values[np.repeat(starts, sizes) + within], ends[rows.offsets])

    def _vectors(self, vocabulary: tuple[str, ...]) -> tuple[np.ndarray | None, float | None, int]:
        """(vocabulary + 2, dimension), zeros for padding, the mean of all for the unknown word; the coverage; and how
        many lines were left out.
        """
        if self.vectors is None:
            return None, None, 0
        from dlkit.preprocessing.word_vectors import read_word_vectors

        read = read_word_vectors(Path(self.vectors), vocabulary)
        first = np.stack([np.zeros(read.dimension), read.vectors[read.found].mean(axis=0)])
        return np.concatenate([first, read.vectors]).astype(np.float32), read.coverage, read.repeated

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)
