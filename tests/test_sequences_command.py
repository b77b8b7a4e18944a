"""Do sub-words and own word vectors come through a whole run, or end it with a message before anything is written?"""

from __future__ import annotations

from pathlib import Path

import pytest

LSTM = ("run", "imdb", "--model", "lstm", "--data", "sample", "--epochs", "1", "--set", "training.refit=false")
SHORT = ("--set", "preprocessing.length=12")


@pytest.mark.parametrize("settings", [("subwords=wordpiece", "max_words=300"), ("vectors=vectors.txt",)], ids=str)
def test_a_run_with_pieces_or_own_vectors_is_proven_and_predicts(cli, alone: Path, settings: tuple[str, ...]) -> None:
    (alone / "vectors.txt").write_text("film 1 0 0.5\nthe 0 1 -1\n", encoding="utf-8")
    changes = [part for setting in settings for part in ("--set", f"preprocessing.{setting}")]
    ended = cli(*LSTM, *SHORT, *changes, "--json")
    assert ended.code == 0, ended.err
    assert all(entry["agreement"] == 1 for entry in ended.document["artefacts"].values())
    figures = ended.document["preprocessing"]
    if "vectors.txt" in settings[0]:
        assert 0 < figures["train"]["word_vector_coverage"] < 0.5
    else:
        assert figures["vocabulary"] <= 301 and figures["validation"]["out_of_vocabulary"] == 0
    (alone / "vectors.txt").unlink()  # a run needs it no more
    answered = cli("predict", "imdb", "a film", "--json")
    assert answered.code == 0 and '"label"' in answered.out


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ("vectors=damaged.txt", 1, "damaged.txt, line 2: expected a word and 2 finite numbers"),
        ("vectors=missing.txt", 4, "missing.txt: expected a text file of word vectors"),
        ("subwords=wordpiece", 2, "need preprocessing.subwords=none"),
    ],
)
def test_vectors_that_cannot_be_used_end_a_run_before_anything_is_written(
    cli, alone: Path, settings: str, code: int, said: str
) -> None:
    (alone / "damaged.txt").write_text("film 1 0\nthe 0 1 -1\n", encoding="utf-8")
    more = ("--set", "preprocessing.vectors=damaged.txt") if "subwords" in settings else ()
    ended = cli(*LSTM, "--set", f"preprocessing.{settings}", *more)
    assert ended.code == code and said in ended.message
    assert not (alone / "saved_models").exists()
