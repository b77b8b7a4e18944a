"""Which words does a text hold? The plain form, and the table that the TensorFlow form is made of.

A text is cut by a rule on single code points, so that it can be a table lookup in a TensorFlow graph
(`preprocessing/text.py`) and agree with this file on every string:

* `<br>` in any of its spellings, and every code point that is not a letter, a mark or a number, separates words;
* apostrophes (' and U+2019) vanish, so "don't" is one word and 'great' in quotes is "great";
* a letter whose lower case is one code point is lower-cased (others, like U+0130, stay as they are);
* planes 2 and 3 hold ideographs only and are kept, above them nothing is written text;
* with `signs`, each ASCII punctuation mark but the apostrophe is a word of its own instead of a separator.

Emoji are separators: a text of nothing else holds no words. Case and category come from Python's Unicode
tables; a run freezes them in its SavedModel.
"""

from __future__ import annotations

import re
import unicodedata

LAST_TABLED = 0x1FFFF
"""Highest code point whose rule is a table entry."""
LAST_KEPT = 0x3FFFF
"""From `LAST_TABLED` to here every code point is kept as it is; above it every one separates."""
LINE_BREAK = "<[bB][rR] */?>"
SIGN = r"([!-&(-/:-@\[-`{-~])"
"""The punctuation of ASCII without its apostrophe, as a group. Both are read alike by Python's `re` and RE2."""

_APOSTROPHES = (0x27, 0x2019)
_line_break = re.compile(LINE_BREAK)
_sign = re.compile(SIGN)
_long_ascii = re.compile("([\x00-\x7f]{16,})")


def rule(code: int, *, signs: bool = False) -> int | None:
    """What becomes of a code point: another code point, 32 (it separates words) or None (it vanishes)."""
    if code in _APOSTROPHES:
        return None
    if signs and _sign.fullmatch(chr(code)):
        return code
    if code > LAST_TABLED:
        return code if code <= LAST_KEPT else 0x20
    character = chr(code)
    if unicodedata.category(character)[0] not in "LMN":
        return 0x20
    lower = character.lower()
    return ord(lower) if len(lower) == 1 else code


class _Rules(dict[int, int | None]):
    """`rule` for `str.translate`, worked out once a code point."""

    def __init__(self, *, signs: bool) -> None:
        super().__init__()
        self._signs = signs

    def __missing__(self, code: int) -> int | None:
        self[code] = result = rule(code, signs=self._signs)
        return result


_plain, _with_signs = _Rules(signs=False), _Rules(signs=True)


def words(text: str, *, signs: bool = False) -> list[str]:
    """The words of a text in their order, lower-cased; with `signs`, punctuation marks are among them."""
    if "<" in text:
        text = _line_break.sub(" ", text)
    if signs:
        text = _sign.sub(r" \1 ", text)
    rules = _with_signs if signs else _plain
    # Python translates a string of ASCII alone ten times as fast as one with a single other character in it.
    parts = [text] if text.isascii() else _long_ascii.split(text)
    # Only U+0020 is left of all white space, so an argument-free split cuts nowhere else.
    return "".join([part.translate(rules) for part in parts]).split()
