"""Does each word's span point at that word in the raw text, on every string there is?"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from dlkit.inference.spans import spans
from dlkit.inference.words import LAST_KEPT, LAST_TABLED, words

PIECES = (
    "don't", "'quoted'", "’’", "rock'n'roll", "x'", "<br />", "<BR>", "<br", "<b'r>", "b<br>'c", "İstanbul", "ẞ", "Σς",
    "e\u0301", "中文电影", "𠀋", "😀👍🏽", "a\u200db", "\ud800", "x\udc00y", "\x00", "a\x00b", "\u2028", "½", "#tag!?",
    "a-b_c", "\U00040000", "\U000e0041", "ﬃ", "'" * 30, " ", "",
)  # fmt: skip


def generated(count: int) -> list[str]:
    dice = random.Random(7)
    ranges = (
        (0, 0x7F),
        (0x80, 0x52F),
        (0x530, 0xD7FF),
        (0xD800, 0xFFFF),
        (0x10000, LAST_TABLED),
        (LAST_KEPT, 0x10FFFF),
    )
    texts = [*PIECES, "".join(PIECES)]
    while len(texts) < count:
        parts = []
        for _ in range(dice.randrange(1, 12)):
            first, last = dice.choice(ranges)
            parts.append(dice.choice((*PIECES, "".join(chr(dice.randint(first, last)) for _ in range(5)))))
        texts.append(dice.choice(("", " ")).join(parts))
    return texts


def misplaced(text: str, *, signs: bool = False) -> list[tuple[int, int]]:
    """Spans that do not hold the word they stand for; all of them where their number is wrong."""
    expected, found = words(text, signs=signs), spans(text, signs=signs)
    if len(expected) != len(found):
        return found or [(0, len(text))]
    return [(a, b) for word, (a, b) in zip(expected, found, strict=True) if words(text[a:b], signs=signs) != [word]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ''  ", []),
        ("Good film!", [(0, 4), (5, 9)]),
        ("I don't 'like' it.", [(0, 1), (2, 7), (9, 13), (15, 17)]),
        ("bad<br /><br />film", [(0, 3), (15, 19)]),
        ("a<br'>b", [(0, 1), (2, 4), (6, 7)]),
        ("中文, 电影", [(0, 2), (4, 6)]),
    ],
)
def test_words_stand_at_these_places(text: str, expected: list[tuple[int, int]]) -> None:
    assert spans(text) == expected
    assert misplaced(text) == []


def test_a_punctuation_mark_is_a_span_of_its_own_where_it_is_a_word() -> None:
    assert spans("so 'good'!<br>#1", signs=True) == [(0, 2), (4, 8), (9, 10), (14, 15), (15, 16)]
    assert spans("so 'good'!<br>#1") == [(0, 2), (4, 8), (15, 16)]


@pytest.mark.parametrize("signs", [False, True])
def test_spans_hold_the_words_of_5_000_generated_strings(signs: bool) -> None:
    texts = generated(5_000)
    assert sum(len(words(text, signs=signs)) for text in texts) > 20_000
    assert [text for text in texts if misplaced(text, signs=signs)] == []


def test_spans_rise_and_do_not_overlap() -> None:
    for text in generated(300):
        places = [place for span in spans(text) for place in span]
        assert places == sorted(places) and all(start < stop for start, stop in spans(text))


def test_a_megabyte_is_marked_in_no_time() -> None:
    started = time.process_time()
    for part in ("word ", "<", "<br ", "'", "x", "x'", "x' "):
        spans(part * 200_000)
    assert time.process_time() - started < 5


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
@pytest.mark.parametrize("signs", [False, True])
def test_spans_hold_the_words_of_2_000_imdb_reviews(signs: bool) -> None:
    from dlkit.data import builders

    loaded = builders.load("imdb", path=Path(os.environ["DLKIT_DATA"]) / "imdb", allow_download=False)
    reviews = loaded.splits["train"].inputs["text"][:2_000]
    assert [text for text in reviews if misplaced(text, signs=signs)] == []
