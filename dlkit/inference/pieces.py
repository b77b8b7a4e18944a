"""Which pieces is a word made of, so that no word is unknown?

WordPiece as in BERT (Wu et al. 2016; Devlin et al. 2019): of the pieces that a word begins with, the longest is
taken, then the longest that its rest begins with, and so on. Pieces that continue a word are written with "##"
before them. A word that cannot be cut to its end, or has more than `LONGEST_WORD` code points, is one unknown
piece: BERT counts code points too, KerasHub bytes, so that they differ on words of more than 100 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import ClassVar

from dlkit.errors import DataError

UNKNOWN = "[UNK]"
CONTINUES = "##"
LONGEST_WORD = 100
UNKNOWN_ID = 1
FIRST_ID = 2
"""Id of the first piece; 0 pads, 1 is the unknown piece."""
WORDS_REMEMBERED = 1 << 16
"""At most 80 MB, where all words are as long and as finely cut as can be; 12 MB on reviews."""


@dataclass(frozen=True)
class Pieces:
    """`vocabulary`: pieces of id `first`, of the next id, …; those that continue a word start with `continues`.

    `unknown`: id of what no piece stands for: the whole word, or with `by_character` the one character.
    """

    vocabulary: tuple[str, ...]

    first: ClassVar[int] = FIRST_ID
    unknown: ClassVar[int] = UNKNOWN_ID
    continues: ClassVar[str] = CONTINUES
    by_character: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.vocabulary:
            raise DataError(
                "Pieces of words: the vocabulary is empty. Learn the pieces again, or get their file again."
            )
        seen = {UNKNOWN, ""}
        for position, piece in enumerate(self.vocabulary, start=1):
            if piece in seen:
                raise DataError(
                    f"Pieces of words: number {position} is {piece!r}; expected different pieces of one character or "
                    f"more, none of them {UNKNOWN!r}. Learn the pieces again, or get their file again."
                )
            seen.add(piece)

    def __reduce__(self) -> tuple[type[Pieces], tuple[tuple[str, ...]]]:
        """Copied and sent to other processes without the words it remembers."""
        return type(self), (self.vocabulary,)

    @property
    def highest_id(self) -> int:
        """A network's embedding needs one row more, for id 0."""
        return len(self.vocabulary) + self.first - 1

    @cached_property
    def longest(self) -> int:
        """Code points of the longest piece, its "##" among them."""
        return max(map(len, self.vocabulary), default=0)

    def cut(self, word: str) -> list[str]:
        """The pieces of a word in their order; none for an empty word."""
        ids = self.ids(word)
        return [UNKNOWN if number == self.unknown else self.vocabulary[number - self.first] for number in ids]

    def ids(self, word: str) -> tuple[int, ...]:
        """The ids of the pieces of a word."""
        return self._remembered[word]

    def encode(self, words: Iterable[str]) -> list[int]:
        """The ids of the pieces of all words, one after the other."""
        return list(chain.from_iterable(map(self._remembered.__getitem__, words)))

    @cached_property
    def _remembered(self) -> _Remembered:
        return _Remembered(self)


class _Remembered(dict[str, tuple[int, ...]]):
    """The ids of words, worked out once a word while there is room."""

    def __init__(self, pieces: Pieces) -> None:
        super().__init__()
        self._numbers = {piece: number for number, piece in enumerate(pieces.vocabulary, start=pieces.first)}
        self._longest, self._continues = pieces.longest, pieces.continues
        self._unknown, self._by_character = pieces.unknown, pieces.by_character

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(word) > LONGEST_WORD:
            return (self._unknown,)
        ids = self._longest_first(word)
        if len(self) >= WORDS_REMEMBERED:
            self.clear()  # frequent words are back at once; an order of use would cost more than it saves
        self[word] = ids
        return ids

    def _longest_first(self, word: str) -> tuple[int, ...]:
        ids: list[int] = []
        start, before = 0, ""
        while start < len(word):
            for stop in range(min(len(word), start + self._longest), start, -1):
                number = self._numbers.get(before + word[start:stop])
                if number is not None:
                    break
            else:
                if not self._by_character:
                    return (self._unknown,)
                number, stop = self._unknown, start + 1
            ids.append(number)
            start, before = stop, self._continues
        return tuple(ids)
