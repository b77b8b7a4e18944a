"""Is a word cut into the longest pieces first, and is it unknown only where it must be?"""

from __future__ import annotations

import copy
import pickle
import time

import pytest

from dlkit.errors import DataError
from dlkit.inference import pieces as module
from dlkit.inference.pieces import LONGEST_WORD, UNKNOWN, Pieces

PIECES = Pieces(("un", "##aff", "##able", "a", "##a", "ab", "abc", "##cd", "电", "##影", "##e\u0301", "𠀋"))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("", []),
        ("unaffable", ["un", "##aff", "##able"]),
        ("un", ["un"]),
        ("affable", [UNKNOWN]),
        ("abcd", [UNKNOWN]),  # greedy: "abc" leaves "d", though "ab" and "##cd" would do
        ("abcda", [UNKNOWN]),
        ("abaa", ["ab", "##a", "##a"]),
        ("电影", ["电", "##影"]),
        ("影", [UNKNOWN]),
        ("ae\u0301", ["a", "##e\u0301"]),
        ("aé", [UNKNOWN]),
        ("𠀋a", ["𠀋", "##a"]),
        ("x", [UNKNOWN]),
    ],
)
def test_a_word_is_cut_into_these_pieces(word: str, expected: list[str]) -> None:
    assert PIECES.cut(word) == expected


def test_ids_count_from_2_and_0_is_left_for_padding() -> None:
    assert PIECES.ids("unaffable") == (2, 3, 4)
    assert PIECES.ids("x") == (1,)
    assert PIECES.encode(["un", "x", "", "unaffable"]) == [2, 1, 2, 3, 4]
    assert PIECES.ids("𠀋") == (PIECES.highest_id,)


def test_words_of_more_than_100_code_points_are_unknown() -> None:
    assert PIECES.ids("a" * LONGEST_WORD) == (5,) + (6,) * (LONGEST_WORD - 1)
    assert PIECES.cut("a" * (LONGEST_WORD + 1)) == [UNKNOWN]
    wide = "电" + "影" * (LONGEST_WORD - 1)
    assert len(wide.encode()) > 2 * LONGEST_WORD and len(PIECES.ids(wide)) == LONGEST_WORD


def test_remembered_words_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORDS_REMEMBERED", 100)
    pieces = Pieces(PIECES.vocabulary)
    for number in range(1_000):
        assert pieces.cut(f"a{'a' * (number % 7)}{number}") == [UNKNOWN]
        assert pieces.cut("aba") == ["ab", "##a"]
        assert len(pieces._remembered) <= 100
    pieces.ids("a" * 10_000)
    assert all(len(word) <= LONGEST_WORD for word in pieces._remembered)


def test_copies_are_equal_and_come_without_the_remembered_words() -> None:
    pieces = Pieces(PIECES.vocabulary)
    pieces.ids("unaffable")
    for other in (copy.deepcopy(pieces), pickle.loads(pickle.dumps(pieces))):  # noqa: S301 - our own
        assert other == pieces and "_remembered" not in vars(other)
        assert other.ids("unaffable") == (2, 3, 4)


@pytest.mark.parametrize(
    ("vocabulary", "shown"), [(("a", "b", "a"), "number 3 is 'a'"), (("a", ""), "number 2 is ''"),
                              (("[UNK]",), "number 1 is '[UNK]'"), ((), "empty")]
)  # fmt: skip
def test_a_vocabulary_that_cannot_be_is_refused(vocabulary: tuple[str, ...], shown: str) -> None:
    with pytest.raises(DataError, match="again") as refused:
        Pieces(vocabulary)
    assert shown in str(refused.value)


def test_hostile_words_take_no_time() -> None:
    pieces = Pieces(("a", "##a", "##" + "a" * 50 + "b"))
    started = time.process_time()
    for number in range(20):  # each letter looked at would take half a second a word
        pieces.encode(["a" * 99 + str(number % 10), "a" * (1_000_000 + number), str(number) * 30])
    assert time.process_time() - started < 5
