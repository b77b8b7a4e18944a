"""Of which pieces is a sentence made, and how do pieces become a sentence again, spaces and signs as they were?

A text is cut where it is blank, and each part into runs of letters and digits and into single signs; a mark "▁" goes
before the first of them, as SentencePiece writes a blank (Kudo & Richardson 2018). Such a word is cut into pieces, the
longest first (`pieces.Pieces`), or is a piece as it is. Pieces one after the other, with a blank for each mark, are the
text again: but for blanks at its ends, several blanks on end, and control characters, which vanish.

As in `words`, the rule is on single code points, so that a TensorFlow graph (`preprocessing/pair_graphs.py`) can look
it up in a table and agree on every string. Categories come from Python's Unicode tables; a run freezes them in its
SavedModel.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from dlkit.errors import SettingsError, did_you_mean
from dlkit.inference.pieces import Pieces
from dlkit.inference.words import LAST_KEPT, LAST_TABLED

START, END, UNKNOWN, FIRST = 1, 2, 3, 4
"""Ids: 0 pads, 1 starts a translation, 2 ends it, 3 is what no piece stands for, 4 is the first piece."""
IDS = {"padding": 0, "start": START, "end": END, "unknown": UNKNOWN, "first_piece": FIRST}
MARK = "▁"
BLANK = 0x20
LONGEST_RUN = 64
"""Letters and digits of a word; a longer run goes on as another word."""

Level = Literal["piece", "word"]
LEVELS: tuple[Level, ...] = get_args(Level)
_JOINERS = (0x200C, 0x200D)
_NO_CHARACTER = (0x2581, 0xFFFD)


def rule(code: int, *, lower: bool = False) -> int | None:
    """What becomes of a code point: another code point, `BLANK` or None (it vanishes)."""
    if code > LAST_TABLED:
        return code if code <= LAST_KEPT else BLANK
    character = chr(code)
    category = unicodedata.category(character)
    if category[0] == "Z" or category == "Cs" or character.isspace() or code in _NO_CHARACTER:
        return BLANK
    if category in ("Cc", "Cf") and code not in _JOINERS:
        return None
    lowered = character.lower() if lower else character
    return ord(lowered) if len(lowered) == 1 else code


def joins(code: int) -> bool:
    """Whether a code point makes one run with its like: letters, marks, digits and what joins them."""
    return code > LAST_TABLED or code in _JOINERS or unicodedata.category(chr(code))[0] in "LMN"


class _Rules(dict[int, int | None]):
    """`rule` for `str.translate`, worked out once a code point."""

    def __init__(self, *, lower: bool) -> None:
        super().__init__()
        self._lower = lower

    def __missing__(self, code: int) -> int | None:
        self[code] = result = rule(code, lower=self._lower)
        return result


_rules = {lower: _Rules(lower=lower) for lower in (False, True)}


def parts(text: str, *, lower: bool = False) -> list[str]:
    """What lies between the blanks of a text."""
    return text.translate(_rules[lower]).split(" ") if text else []


def marked_words(part: str) -> list[str]:
    """The words of a part without blanks, the first of them marked."""
    found: list[str] = []
    run = False
    for character in part:
        joined = joins(ord(character))
        if joined and run and len(found[-1]) < LONGEST_RUN:
            found[-1] += character
        else:
            found.append(character)
        run = joined
    return [MARK + found[0], *found[1:]] if found else []


@dataclass(frozen=True)
class MarkedPieces(Pieces):
    """Pieces of marked words: those that continue a word are written like any other; an unknown character is one
    unknown piece, not the word around it.
    """

    first = FIRST
    unknown = UNKNOWN
    continues = ""
    by_character = True


@dataclass(frozen=True)
class SentencePieces:
    """`vocabulary`: of id `FIRST`, of the next id, …. `level`: it holds pieces of words, or words as they are.
    `lower`: letters are read and written in lower case.
    """

    vocabulary: tuple[str, ...]
    level: Level = "piece"
    lower: bool = False

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise SettingsError(f"level: unknown {self.level!r}.{did_you_mean(str(self.level), LEVELS)}")

    @property
    def highest_id(self) -> int:
        """A network's embedding needs one row more, for id 0."""
        return len(self.vocabulary) + FIRST - 1

    @cached_property
    def cutter(self) -> Pieces:
        """Cuts marked words into the pieces of the vocabulary."""
        return MarkedPieces(self.vocabulary)

    @cached_property
    def ids(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.vocabulary, start=FIRST)}

    @cached_property
    def _of_parts(self) -> _Remembered:
        return _Remembered(self)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without start and end; empty for a text of nothing but blanks."""
        return [number for part in parts(text, lower=self.lower) for number in self._of_parts[part]]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids up to the first `END`; ids that are no piece are left out."""
        text = "".join(self.pieces(ids))
        return text.replace(MARK, " ").strip(" ")

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces of ids up to the first `END`."""
        found = []
        for number in ids:
            if number == END:
                break
            if number >= FIRST:
                found.append(self.vocabulary[number - FIRST])
        return found

    def rules(self) -> list[str]:
        """How a text becomes ids and ids a text, for who has to do it without this module."""
        signs, joiners = ([f"U+{code:04X}" for code in codes] for codes in (_NO_CHARACTER, _JOINERS))
        found = [
            f"{', '.join(signs)}, categories Z and Cs, white space and code points above U+{LAST_KEPT:X} are blanks. "
            f"Of others up to U+{LAST_TABLED:X} categories Cc and Cf vanish, but for {', '.join(joiners)}.",
            f"Blanks part a text. A part is cut into runs of up to {LONGEST_RUN} letters, marks and digits (categories "
            f"L, M and N, {', '.join(joiners)}, code points above U+{LAST_TABLED:X}) and into single other characters; "
            f"{MARK} is put before the first of them.",
            "Of each of these words the longest piece that it begins with is taken, then the longest that its rest "
            "begins with; a character that no piece begins with is one unknown id."
            if self.level == "piece"
            else "Each of these words is a piece, or one unknown id.",
            f"Pieces one after the other, with a blank for each {MARK} and none at both ends, are a text.",
            f"Categories are those of Unicode {unicodedata.unidata_version}.",
        ]
        lower = ["A letter becomes its lower case, where that is one character."] if self.lower else []
        return [found[0], *lower, *found[1:]]

    def save(self, path: Path) -> None:
        """A piece a line."""
        path.write_text("".join(f"{piece}\n" for piece in self.vocabulary), encoding="utf-8")

    @classmethod
    def load(cls, path: Path, level: object, lower: bool) -> SentencePieces:
        vocabulary = tuple(path.read_text(encoding="utf-8").split("\n")[:-1])
        return cls(vocabulary, read_level(level), lower)


def read_level(level: object) -> Level:
    """The level that a run's file names; ValueError for any other."""
    return LEVELS[LEVELS.index(level)]


_REMEMBERED = 1 << 16


class _Remembered(dict[str, Sequence[int]]):
    """The ids of parts of a text, worked out once a part while there is room."""

    def __init__(self, pieces: SentencePieces) -> None:
        super().__init__()
        self._encode = pieces.cutter.encode if pieces.level == "piece" else self._whole
        self._ids = pieces.ids

    def _whole(self, words: Iterable[str]) -> list[int]:
        return [self._ids.get(word, UNKNOWN) for word in words]

    def __missing__(self, part: str) -> Sequence[int]:
        ids = self._encode(marked_words(part))
        if len(part) <= LONGEST_RUN:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[part] = ids
        return ids
