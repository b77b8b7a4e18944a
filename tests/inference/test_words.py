"""Which words does a text hold, by the rule that stands in the house?"""

from __future__ import annotations

import time

import pytest

from dlkit.inference.words import LAST_KEPT, LAST_TABLED, rule, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n\t ", []),
        ("Hello, World!", ["hello", "world"]),
        ("good<br /><br />bad", ["good", "bad"]),
        ("a<BR>b<br/>c<bR   />d", ["a", "b", "c", "d"]),
        ("a < br > b<brr>c", ["a", "br", "b", "brr", "c"]),
        ("don't DON’T 'quoted'", ["dont", "dont", "quoted"]),
        ("rock'n'roll ' '' x", ["rocknroll", "x"]),
        ("snake_case a-b 3.14", ["snake", "case", "a", "b", "3", "14"]),
        ("STRASSE Straße ẞ", ["strasse", "straße", "ß"]),
        ("ΟΔΥΣΣΕΥΣ", ["οδυσσευσ"]),
        ("İstanbul", ["İstanbul"]),
        ("e\u0301 é", ["e\u0301", "é"]),
        ("中文电影 𠀋", ["中文电影", "𠀋"]),
        ("½ ² Ⅷ ३", ["½", "²", "ⅷ", "३"]),
        ("😀👍🏽 👨‍👩‍👧", []),
        ("a\u200db a\u00adb", ["a", "b", "a", "b"]),
        ("a\x00b \x85 c\u2028d\u00a0e", ["a", "b", "c", "d", "e"]),
        ("\ud800x\udfff", ["x"]),
        ("\U000e0041a\U00040000b\U0010ffff", ["a", "b"]),
    ],
)
def test_a_text_is_cut_into_these_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_no_word_holds_what_separates_words() -> None:
    everything = "".join(map(chr, range(0x110000)))
    for word in words(everything):
        assert not any(character.isspace() for character in word)
        assert "'" not in word and "’" not in word


def test_the_rule_on_a_code_point_holds_wherever_it_stands() -> None:
    for code in [*range(0x250), 0x130, 0x3A3, 0x1E9E, 0x2019, LAST_TABLED, LAST_TABLED + 1, LAST_KEPT, LAST_KEPT + 1]:
        after = rule(code)
        alone = "" if after is None else chr(after)
        assert words(f"x{chr(code)}y") == f"x{alone}y".split()


def test_a_megabyte_is_cut_in_no_time() -> None:
    started = time.process_time()
    for text in ("word " * 200_000, "<" * 1_000_000, "<br " * 250_000, "'" * 1_000_000, "x" * 1_000_000):
        words(text)
    assert time.process_time() - started < 5
