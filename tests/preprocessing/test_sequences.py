"""Do rows of word ids hold what the settings say, whether they come from fitting, encoding or the TensorFlow form?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from dlkit.contracts import ColumnKind, Ragged, Split
from dlkit.errors import DataError, DataNotFoundError, SettingsError
from dlkit.inference.sequences import FIRST, UNKNOWN, SequenceText
from dlkit.inference.words import words
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.pieces import SMALLEST_SIZE, learn_pieces
from dlkit.preprocessing.sequences import FEWEST_PIECES, Sequences

KINDS: dict[str, ColumnKind] = {"text": "text"}
TEXTS = ["a b c d e f g h", "a b c d e", "a b c d", "a b c", "a b", "a", "", "A, b? rare"]
REVIEWS = ["An unbelievable film!", "believable, unfilmable", "a film of films", "", "😀", "the watchable " * 30] * 3


def column(texts: list[str]) -> np.ndarray:
    values = np.empty(len(texts), object)
    values[:] = texts
    return values


def fit(settings: Sequences, texts: list[str] = TEXTS) -> SequenceText:
    return settings.fit(Split({"text": column(texts)}), KINDS)


def rows(transform: SequenceText, texts: list[str] | np.ndarray) -> list[list[int]]:
    given = texts if isinstance(texts, np.ndarray) else column(texts)
    found = transform.encode({"text": given})["word_ids"]
    assert isinstance(found, Ragged)
    return [found.values[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


@pytest.mark.parametrize(("quantile", "length"), [(1.0, 8), (0.5, 3), (1e-9, 1)])
def test_the_length_is_a_quantile_of_the_training_texts_lengths(quantile: float, length: int) -> None:
    assert fit(Sequences(length_quantile=quantile)).length == length
    assert fit(Sequences(length_quantile=quantile, length=5)).length == 5


@pytest.mark.parametrize(("keep", "expected"), [("start", "a b c"), ("end", "f g h")])
def test_the_end_of_a_long_text_that_is_asked_for_stays(keep: Literal["start", "end"], expected: str) -> None:
    transform = fit(Sequences(min_count=1, length=3, keep=keep))
    wanted = [transform.ids[word] for word in expected.split()]
    assert rows(transform, ["a b c d e f g h", "h a"]) == [wanted, [transform.ids["h"], transform.ids["a"]]]


def test_words_are_numbered_by_frequency_and_all_others_are_one_unknown_word() -> None:
    transform = fit(Sequences(min_count=2, max_words=4))
    assert transform.vocabulary == ("a", "b", "c", "d")
    assert rows(transform, ["a d e zzz", "", "!"]) == [[FIRST, FIRST + 3, UNKNOWN, UNKNOWN], [UNKNOWN], [UNKNOWN]]
    assert transform.sizes == {"vocabulary": 5, "sequence_length": transform.length}


@pytest.mark.parametrize(("least", "most"), [(1, 99), (2, 99), (3, 2), (1, 1)])
def test_the_vocabulary_is_the_most_frequent_words_above_the_bound(least: int, most: int) -> None:
    counts = Counter(word for text in TEXTS for word in words(text))
    ranked = sorted((word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word))
    assert fit(Sequences(min_count=least, max_words=most)).vocabulary == tuple(ranked[:most])


def test_signs_are_words_where_they_are_asked_for() -> None:
    assert set(fit(Sequences(min_count=1, signs=True)).vocabulary) - set(fit(Sequences(min_count=1)).vocabulary) == {
        ",",
        "?",
    }


@pytest.mark.parametrize(
    "settings",
    [
        Sequences(min_count=1, length=3),
        Sequences(min_count=2, length=2, keep="start", signs=True),
        Sequences(subwords="wordpiece", max_words=60, length=7, keep="start"),
        Sequences(subwords="wordpiece", max_words=60, length_quantile=0.7, signs=True),
    ],
    ids=str,
)
def test_training_rows_are_those_of_encoding_anew_of_the_tensorflow_form_and_of_a_loaded_transform(
    settings: Sequences, tmp_path: Path
) -> None:
    train = column(REVIEWS)
    transform = settings.fit(Split({"text": train}), KINDS)
    from_fit, anew = rows(transform, train), rows(transform, train)
    assert from_fit == anew and max(map(len, anew)) == transform.length
    other = column([*REVIEWS, "unwatchable Unbelief", "中文", "x" * 200])
    graph = graph_of(transform).encode(raw_tensors({"text": other}, KINDS))["word_ids"].numpy()
    dense = transform.encode({"text": other})["word_ids"]
    assert isinstance(dense, Ragged)
    np.testing.assert_array_equal(graph, dense.take(np.arange(len(other))))
    transform.save(tmp_path)
    loaded = SequenceText.load(tmp_path, json.loads((tmp_path / "preprocessing.json").read_text(encoding="utf-8")))
    assert loaded == transform and rows(loaded, other) == rows(transform, other)


@pytest.mark.parametrize("most", [24, 60])
def test_the_vocabulary_of_pieces_is_learnt_from_how_often_words_occur_and_of_max_words(most: int) -> None:
    counts = Counter(word for text in REVIEWS for word in words(text))
    expected = learn_pieces(counts, most).vocabulary
    assert fit(Sequences(subwords="wordpiece", max_words=most), REVIEWS).vocabulary == expected


def test_pieces_know_words_that_training_never_saw() -> None:
    transform = fit(Sequences(subwords="wordpiece", max_words=60), REVIEWS)
    whole = fit(Sequences(min_count=1), REVIEWS)
    assert rows(whole, ["filmwatch"]) == [[UNKNOWN]]
    ((*pieces,),) = rows(transform, ["filmwatch"])
    assert UNKNOWN not in pieces
    found = [transform.vocabulary[number - FIRST] for number in pieces]
    assert "".join(piece.removeprefix("##") for piece in found) == "filmwatch"


def test_figures_are_shares_of_words_and_of_texts() -> None:
    transform = fit(Sequences(min_count=2, max_words=3, length=3))
    inputs = {"text": column(["a b c zzz", "zzz", "", "a a b"])}
    assert transform.figures(inputs) == {"out_of_vocabulary": 0.25, "cut": 0.25}
    assert transform.figures({"text": column(["", "!"])}) == {"out_of_vocabulary": 1, "cut": 0}
    assert [remark is None for remark in transform.remarks(inputs)] == [True, False, False, True]


def test_own_vectors_are_rows_by_id_and_the_unknown_word_is_their_mean(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("b 1 2\nzzz 9 9\na 3 -4\n", encoding="utf-8")
    transform = fit(Sequences(min_count=5, vectors=file))
    assert transform.vocabulary == ("a", "b") and transform.coverage == 1.0
    assert transform.tables["word_vectors"].tolist() == [[0, 0], [2, -1], [3, -4], [1, 2]]
    assert transform.tables["word_vectors"].dtype == np.float32


def test_coverage_of_own_vectors_is_told_before_and_after_saving_but_the_vectors_stay_with_the_network(
    tmp_path: Path,
) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("a 3 -4\nb 1 2\n", encoding="utf-8")
    transform = fit(Sequences(min_count=1, max_words=4, vectors=file))
    assert transform.vocabulary == ("a", "b", "c", "d")
    table = transform.tables["word_vectors"]
    assert table[1:4].tolist() == [[2, -1], [3, -4], [1, 2]] and np.abs(table[4:]).min() > 0
    transform.save(tmp_path)
    loaded = SequenceText.load(tmp_path, json.loads((tmp_path / "preprocessing.json").read_text(encoding="utf-8")))
    for one in (transform, loaded):
        assert one.figures({"text": column(["a"])})["word_vector_coverage"] == 0.5
    assert loaded.tables == {}


def test_lines_of_own_vectors_that_are_left_out_are_counted_before_and_after_saving(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("a 3 -4\nb 1 2\na 5 6\nzzz 1 1\nzzz 2 2\nb 0 0\n", encoding="utf-8")
    transform = fit(Sequences(min_count=1, vectors=file))
    transform.save(tmp_path)
    settings = json.loads((tmp_path / "preprocessing.json").read_text(encoding="utf-8"))
    for one in (transform, SequenceText.load(tmp_path, settings)):
        assert one.figures({"text": column(["a"])})["word_vectors_repeated"] == 2
    del settings["repeated"]  # as earlier versions wrote it
    assert SequenceText.load(tmp_path, settings).repeated == 0


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        ("a 1 2\nb 1 2 3\n", DataError, "line 2: expected a word and 2 finite numbers"),
        ("a 1 2\nb 1 oops\n", DataError, "line 2: .*'oops'"),
        ("zzz 1 2\n", DataError, "none of the"),
        ("", DataError, "empty"),
        (None, DataNotFoundError, "not there"),
    ],
)
def test_a_file_of_vectors_that_cannot_be_used_ends_fitting_in_an_error_of_ours(
    content: str | None, error: type[DataError], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "vectors.txt"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(error, match=f"vectors.txt.*{said}"):
        fit(Sequences(vectors=file))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_words": 0}, "preprocessing.max_words"),
        ({"min_count": 0}, "preprocessing.min_count"),
        ({"length": 0}, "preprocessing.length"),
        ({"length": -1}, "preprocessing.length"),
        ({"length_quantile": 0}, "preprocessing.length_quantile"),
        ({"length_quantile": 1.1}, "preprocessing.length_quantile"),
        ({"length_quantile": float("nan")}, "preprocessing.length_quantile"),
        ({"keep": "middle"}, "preprocessing.keep: unknown 'middle'"),
        ({"subwords": "wordpeace"}, "preprocessing.subwords: unknown 'wordpeace'. Did you mean 'wordpiece'"),
        ({"subwords": "wordpiece", "vectors": Path("v.txt")}, "need preprocessing.subwords=none"),
        ({"subwords": "wordpiece", "max_words": 15}, "preprocessing.max_words: subwords need 16"),
        ({"subwords": "wordpiece", "min_count": 5}, "min_count=5 is of whole words: .*subwords=none. Leave it at 2"),
    ],
)
def test_settings_that_make_no_sequences_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Sequences(**settings)  # type: ignore[arg-type]  # what a user may write


def test_the_fewest_pieces_are_those_that_learning_takes() -> None:
    assert FEWEST_PIECES == SMALLEST_SIZE


def test_texts_without_a_word_are_refused() -> None:
    with pytest.raises(DataError, match="no word occurs 2 times or more"):
        fit(Sequences(), ["", "😀", "once"])
