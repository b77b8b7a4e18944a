"""Is a sentence cut where it says, and is it put together again as it was?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlkit.errors import SettingsError
from dlkit.inference.decoding import bounds
from dlkit.inference.runs import read_json
from dlkit.inference.sentence_pieces import (
    END,
    FIRST,
    LEVELS,
    LONGEST_RUN,
    START,
    UNKNOWN,
    Level,
    SentencePieces,
    marked_words,
    parts,
)
from dlkit.inference.translation import PairText


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n\u00a0\u2003", []),
        ("Ein Hund.", ["▁Ein", "▁Hund", "."]),
        ("(T-Shirt)", ["▁(", "T", "-", "Shirt", ")"]),
        ("l'homme 3.5€", ["▁l", "'", "homme", "▁3", ".", "5", "€"]),
        ("e\u0301té 中文", ["▁e\u0301té", "▁中文"]),
        ("soft\u00adhyphen bell\u0007", ["▁softhyphen", "▁bell"]),
        ("▁a\ufffdb\ud800c", ["▁a", "▁b", "▁c"]),
        ("a" * (LONGEST_RUN + 1), ["▁" + "a" * LONGEST_RUN, "a"]),
        ("😀😀", ["▁😀", "😀"]),
    ],
)
def test_a_text_is_cut_into_these_words(text: str, expected: list[str]) -> None:
    assert [word for part in parts(text) for word in marked_words(part)] == expected


def test_lower_case_is_read_where_asked_for() -> None:
    assert parts("Ein ÄRGER İ", lower=True) == ["ein", "ärger", "İ"]


@pytest.mark.parametrize(
    "text", ['Ein Mann (mit Hut) sagt: "T-Shirt\'s 3,50 €!" – ja…', "a", "l'été, qu'il 中文 क्षि 😀"]
)
def test_text_is_put_together_as_it_was(text: str) -> None:
    alphabet = SentencePieces(("▁", *sorted({*text} - {" "})))
    assert alphabet.decode(alphabet.encode(text)) == text
    words = SentencePieces(tuple(dict.fromkeys(w for part in parts(text) for w in marked_words(part))), level="word")
    assert words.decode(words.encode(text)) == text


def test_the_longest_piece_is_taken_first_and_an_unknown_character_is_one_piece() -> None:
    pieces = SentencePieces(("▁", "a", "b", "▁a", "ab", "▁ab"))
    assert pieces.encode("abab") == [FIRST + 5, FIRST + 4]
    assert pieces.encode("b xa") == [FIRST, FIRST + 2, FIRST, UNKNOWN, FIRST + 1]
    assert pieces.highest_id == 9
    assert SentencePieces(("▁ab",), level="word").encode("ab x") == [FIRST, UNKNOWN]


def test_decoding_ends_at_the_end_and_leaves_out_what_is_no_piece() -> None:
    pieces = SentencePieces(("▁a", "b"))
    assert pieces.decode([START, FIRST, UNKNOWN, FIRST + 1, END, FIRST]) == "ab"
    assert pieces.decode([]) == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(SettingsError, match="level: unknown 'char'"):
        SentencePieces(("a",), level="char")  # type: ignore[arg-type]


@pytest.mark.parametrize("level", LEVELS)
def test_a_run_says_what_its_ids_mean_and_an_older_one_that_does_not_still_loads(tmp_path: Path, level: Level) -> None:
    pieces = SentencePieces(("▁a", "b"), level, lower=True)
    text = PairText("source", pieces, pieces, longest_source=9, longest_target=50)
    text.save(tmp_path)
    about = read_json(tmp_path / "preprocessing.json")
    assert about["ids"] == {"padding": 0, "start": 1, "end": 2, "unknown": 3, "first_piece": 4}
    most, source = about["most_written"], np.ones((1, 6), np.int32)
    assert [min(most["times_source"] * 6 + most["more"], most["longest"])] == bounds(source, 50).tolist() == [28]
    rules = " ".join(about["rules"])
    assert "lower case" in rules and f"up to {LONGEST_RUN} letters" in rules and "U+2581" in rules
    assert ("longest piece" in rules) == (level == "piece")
    older = {name: one for name, one in about.items() if name not in ("ids", "rules", "most_written")}
    assert PairText.load(tmp_path, older) == PairText.load(tmp_path, about) == text
