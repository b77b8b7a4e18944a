"""In which other ways can a sentence be cut into pieces, so that a network sees each of its words in several?

Of the pieces that a word begins with, the longest is taken, but each that has two characters or more is passed over
with a certain probability (MaxMatch-Dropout: Hiraoka 2022, section 3; as BPE-Dropout does with merges: Provilkov et al.
2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from dlkit.contracts import Ragged
from dlkit.inference.sentence_pieces import END, UNKNOWN, SentencePieces, marked_words, parts

WAYS = 16
"""Cuts that are kept of each word: the usual one and such by chance."""


class Cuts:
    """Sentences that are cut by chance, all anew at each call.

    `share`: probability that a piece is passed over. `longest`: most ids of a row, its end among them: a sentence that
    would be longer is cut as usual. Equal `seed`s make equal cuts.
    """

    def __init__(
        self, pieces: SentencePieces, texts: Sequence[str], *, share: float, longest: int, seed: int = 0
    ) -> None:
        self._longest = longest
        rows = [[word for part in parts(text, lower=pieces.lower) for word in marked_words(part)] for text in texts]
        numbers = {word: number for number, word in enumerate(dict.fromkeys(word for row in rows for word in row))}
        self._words = Ragged.from_lists([np.array([numbers[word] for word in row], np.int32) for row in rows])
        random = Random(seed)  # noqa: S311 (nothing secret)
        ways = [way for word in numbers for way in _ways(pieces, word, share, random)]
        self._ways = Ragged.from_lists([np.array(way, np.int32) for way in ways])

    def __call__(self, random: np.random.Generator) -> Ragged:
        """The ids of each text and `END`."""
        chosen = random.integers(0, WAYS, len(self._words.values))
        chosen[np.repeat(self._lengths(chosen) >= self._longest, np.diff(self._words.offsets))] = 0
        lengths = self._lengths(chosen)
        ways = WAYS * self._words.values.astype(np.int64) + chosen
        ids = self._ways.values[_places(self._ways.offsets[ways], np.diff(self._ways.offsets)[ways])]
        kept = _places(np.zeros(len(lengths), np.int64), lengths) < self._longest - 1
        offsets = _offsets(np.minimum(lengths, self._longest - 1))
        return Ragged(np.insert(ids[kept], offsets[1:], END), offsets + np.arange(len(offsets)))

    def _lengths(self, chosen: np.ndarray) -> np.ndarray:
        """(rows,) ids of each row, without its end."""
        each = np.diff(self._ways.offsets)[WAYS * self._words.values.astype(np.int64) + chosen]
        sums = _offsets(each)
        return np.diff(sums[self._words.offsets])


def _ways(pieces: SentencePieces, word: str, share: float, random: Random) -> list[Sequence[int]]:
    """The usual cut first. None has unknown characters where that has none."""
    usual = pieces.cutter.ids(word)
    found: list[Sequence[int]] = [usual]
    for _ in range(WAYS - 1):
        way = _by_chance(pieces, word, share, random)
        found.append(usual if way.count(UNKNOWN) > usual.count(UNKNOWN) else way)
    return found


def _by_chance(pieces: SentencePieces, word: str, share: float, random: Random) -> list[int]:
    ids, start, longest = [], 0, pieces.cutter.longest
    while start < len(word):
        number, stop = UNKNOWN, start + 1
        for end in range(min(len(word), start + longest), start, -1):
            known = pieces.ids.get(word[start:end])
            if known is not None and (end == start + 1 or random.random() >= share):
                number, stop = known, end
                break
        ids.append(number)
        start = stop
    return ids


def _offsets(lengths: np.ndarray) -> np.ndarray:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _places(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """start, start + 1, … of each, `length` of them, one after the other."""
    before = _offsets(lengths)
    return np.repeat(starts - before[:-1], lengths) + np.arange(before[-1])
