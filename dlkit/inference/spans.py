"""Where in a raw text does each of its words stand?"""

from __future__ import annotations

import re

from dlkit.inference.words import LINE_BREAK, SIGN, rule

_VANISHES, _SEPARATES, _STAYS, _STANDS_ALONE = "\0", " ", "x", "!"
_line_break = re.compile(LINE_BREAK)
_sign = re.compile(SIGN)
_word = re.compile(f"{_STANDS_ALONE}|{_STAYS}(?:[{_VANISHES}{_STAYS}]*{_STAYS})?")


class _Marks(dict[int, str]):
    """What `rule` does with a code point, as one character, so that a marked text is as long as the raw one."""

    def __init__(self, *, signs: bool) -> None:
        super().__init__()
        self._signs = signs

    def __missing__(self, code: int) -> str:
        self[code] = mark = self._mark(code)
        return mark

    def _mark(self, code: int) -> str:
        if self._signs and _sign.fullmatch(chr(code)):
            return _STANDS_ALONE
        after = rule(code, signs=self._signs)
        if after is None:
            return _VANISHES
        return _SEPARATES if after == ord(" ") else _STAYS


_plain, _with_signs = _Marks(signs=False), _Marks(signs=True)


def spans(text: str, *, signs: bool = False) -> list[tuple[int, int]]:
    """(start, stop) of each of `words(text, signs=signs)` in `text`, in their order.

    `words(text[start:stop])` is that one word. An apostrophe inside a word belongs to it, one around it does not.
    """
    if "<" in text:
        text = _line_break.sub(lambda found: " " * len(found[0]), text)
    return [found.span() for found in _word.finditer(text.translate(_with_signs if signs else _plain))]
