"""Into which pieces are the sentences of a pair cut, and how long may they be?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Examples, Ragged, Split, Transform
from dlkit.errors import DataError, SettingsError, did_you_mean
from dlkit.inference.sentence_pieces import LEVELS, SentencePieces
from dlkit.inference.translation import PairText, begun, ended
from dlkit.preprocessing.cuts import Cuts
from dlkit.preprocessing.vocabularies import at_least, text_column

SMALLEST = 16
LONGEST = 256
"""Ids of a row where no length is given, at most: caches are as long as the longest row."""


@dataclass(frozen=True)
class Pairs:
    """A sentence and its translation as pieces of words.

    `size`: pieces of a vocabulary, at most. `level`: "piece" learns them by byte-pair encoding through SentencePiece,
    "word" takes the most frequent words as they are. `joint`: one vocabulary for both languages, learnt on both, so
    that names and numbers have one vector and can be copied. `lower`: all letters in lower case. `length`: most ids of
    a row, its end among them; None takes the longest training row of each side, 256 at most; training pairs with a
    longer one are left out. `dropout`: probability that a piece is passed over for shorter ones in training sentences,
    drawn anew in each epoch (see `cuts`).
    """

    size: int = 8_000
    level: Literal["piece", "word"] = "piece"
    joint: bool = True
    lower: bool = False
    length: int | None = None
    dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least({"size": (self.size, SMALLEST), "length": (2 if self.length is None else self.length, 2)})
        if self.level not in LEVELS:
            raise SettingsError(f"preprocessing.level: unknown {self.level!r}.{did_you_mean(str(self.level), LEVELS)}")

        if not 0 <= self.dropout < 1:
            raise SettingsError(f"preprocessing.dropout: expected a probability in [0, 1), got {self.dropout}.")
        if self.dropout and self.level == "word":
            raise SettingsError(
                "preprocessing.dropout cuts words into other pieces; preprocessing.level=word has none. Leave it out."
            )

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> PairText:
        from dlkit.preprocessing.sentence_pieces import MOST_TEXTS, learn

        column = text_column(kinds)
        if not len(train):
            raise DataError("There are no pairs to learn from, only some to test with. Give training pairs too.")
        sides = [train.inputs[column].tolist(), sentences(train).tolist()]
        origin = f"Column {column!r}, {len(train)} training pairs"

        def learnt(texts: list[str]) -> SentencePieces:
            return learn(texts, self.size, level=self.level, lower=self.lower, origin=origin)

        if self.joint:
            # A large set is thinned here: of texts that alternate, `learn` would take those of one language.
            step = -(-2 * len(train) // MOST_TEXTS)
            thinned = (side[::step] for side in sides)
            source = target = learnt([text for pair in zip(*thinned, strict=True) for text in pair])
        else:
            source, target = map(learnt, sides)
        longest = [self.length or _longest(*side) for side in zip((source, target), sides, strict=True)]
        return PairText(column, source, target, *longest)

    def whole(self, transform: Transform, train: Split) -> tuple[Split, list[str]]:
        """The training pairs of which nothing has to be cut, and how many were not: of translations that are cut, a
        network would learn to stop in the middle of a sentence.
        """
        if not isinstance(transform, PairText):
            return train, []
        if not len(train):
            raise DataError("There are no pairs to learn from, only some to test with. Give training pairs too.")
        cut = transform.cut(train.inputs, sentences(train))
        count, limits = int(cut.sum()), f"{transform.longest_source} to read, {transform.longest_target} to write"
        if 2 * count > len(train):
            raise DataError(
                f"{count} of {len(train)} training pairs have more pieces than the network takes ({limits}); expected "
                "half of them at most. Part them into sentences, or train a network for longer ones, without --from: "
                f"--set preprocessing.length=N, {LONGEST} or more."
            )
        if not count:
            return train, []
        return train.take(np.flatnonzero(~cut)), [
            f"{count} training pairs had more pieces than the network takes ({limits}); left out"
        ]

    def examples(self, transform: Transform, split: Split) -> Examples:
        if not isinstance(transform, PairText):
            raise SettingsError("Pairs of sentences are encoded by their own pieces: preprocessing=Pairs(...).")
        texts = sentences(split)
        inputs = {**transform.encode(split.inputs), "target": transform.written(texts)}
        return Examples(inputs, split.targets, self._anew(transform, split) if self.dropout else None)

    def _anew(self, transform: PairText, split: Split) -> Callable[[np.random.Generator], Examples]:
        """Cuts all rows by chance; they are made ready when the first training asks."""

        @cache
        def sides() -> tuple[Cuts, Cuts]:
            return (
                Cuts(
                    transform.source, split.inputs[transform.column].tolist(), share=self.dropout,
                    longest=transform.longest_source,
                ),
                Cuts(transform.target, sentences(split).tolist(), share=self.dropout, longest=transform.longest_target),
            )  # fmt: skip

        def drawn(random: np.random.Generator) -> Examples:
            source, out = (side(random) for side in sides())
            return Examples({"source": source, "target": begun(out)}, out)

        return drawn


def sentences(split: Split) -> np.ndarray:
    """(rows,) the translations of the rows."""
    if not isinstance(split.targets, np.ndarray):
        raise DataError("A translation is learnt from pairs of sentences; the data gives none. Use data=PairData(...).")
    return split.targets


def _longest(pieces: SentencePieces, texts: list[str]) -> int:
    """Ids of the longest text, a multiple of 8 where there is room."""
    rows: Ragged = ended(pieces, np.array(texts, object), LONGEST)
    longest = int(np.diff(rows.offsets).max(initial=2))
    return min(8 * math.ceil(longest / 8), LONGEST)
