"""Are pieces learnt from words alike each time, and do all forms of cutting agree on every word?"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from dlkit.errors import DataError, SettingsError
from dlkit.inference.pieces import CONTINUES, LONGEST_WORD, UNKNOWN, Pieces
from dlkit.inference.words import words
from dlkit.preprocessing.pieces import SMALLEST_SIZE, PiecesGraph, learn_pieces

SYLLABLES = (
    "film",
    "ing",
    "er",
    "un",
    "able",
    "wat",
    "ch",
    "e",
    "ed",
    "s",
    "ß",
    "é",
    "电",
    "影",
    "e\u0301",
    "क्षि",
    "𠀋",
    "각",
    "½",
)


def generated(count: int) -> list[str]:
    """Words as `words` cuts them, of syllables and of any letters; some of unknown letters, some too long."""
    dice = random.Random(11)
    made = ["a" * LONGEST_WORD, "a" * (LONGEST_WORD + 1), "影" * 30, "film" * 200]
    while len(made) < count:
        word = "".join(dice.choice(SYLLABLES) for _ in range(dice.randrange(1, 6)))
        if dice.random() < 0.2:
            word += chr(dice.choice((dice.randrange(0x61, 0x24F), dice.randrange(0x400, 0x2FA1F))))
        made += words(word)
    return made


@pytest.fixture(scope="module")
def known() -> list[str]:
    return generated(6_000)


@pytest.fixture(scope="module")
def pieces(known: list[str]) -> Pieces:
    return learn_pieces(Counter(known[::2]), 600)


def graph_ids(pieces: Pieces, rows: Sequence[Sequence[str]]) -> list[list[int]]:
    import tensorflow as tf

    graph = PiecesGraph(pieces)
    cut = tf.function(graph.cut, input_signature=[tf.RaggedTensorSpec([None, None], tf.string)])
    ragged = tf.RaggedTensor.from_row_lengths(
        tf.constant([word for row in rows for word in row], tf.string), [len(row) for row in rows]
    )
    found = cut(ragged)
    assert found.dtype == tf.int32 and found.ragged_rank == 1
    return found.to_list()


def keras_hub_ids(pieces: Pieces, row: Sequence[str]) -> list[int]:
    import keras_hub
    import tensorflow as tf

    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(
        ["[PAD]", UNKNOWN, *pieces.vocabulary], lowercase=False, strip_accents=False, split=False, oov_token=UNKNOWN
    )
    return [int(number) for number in tokenizer(tf.constant([list(row)]))[0]]


def test_plain_graph_and_keras_hub_cut_6_000_generated_words_alike(known: list[str], pieces: Pieces) -> None:
    # KerasHub counts the bytes of a word, BERT and we its code points: they part on long words of wide letters.
    short = [word for word in known if len(word.encode()) <= LONGEST_WORD]
    plain = pieces.encode(short)
    assert plain.count(1) > 100 and len(plain) > 1.3 * len(short)
    assert graph_ids(pieces, [short]) == [plain]
    assert keras_hub_ids(pieces, short) == plain


def test_graph_and_plain_agree_row_by_row_on_long_unknown_and_repeated_words(known: list[str], pieces: Pieces) -> None:
    rows = [[], known[:50], [], known[:3] * 3, [""], ["", "film", ""], ["☃", "filmfilmfilm" * 8], []]
    assert graph_ids(pieces, rows) == [pieces.encode(row) for row in rows]
    assert graph_ids(pieces, []) == []
    assert graph_ids(pieces, [[], []]) == [[], []]
    assert graph_ids(pieces, [["a" * 101]]) == [[1]]


def test_a_graph_of_other_pieces_is_told_apart(known: list[str], pieces: Pieces) -> None:
    other = Pieces(tuple(reversed(pieces.vocabulary)))
    assert graph_ids(other, [known[:20]]) != [pieces.encode(known[:20])]


def test_the_graph_is_of_core_operations_and_lives_in_a_saved_model(pieces: Pieces, tmp_path: Path) -> None:
    import tensorflow as tf

    graph = PiecesGraph(pieces)
    call = tf.function(
        lambda texts: graph.cut(tf.strings.split(texts)).to_tensor(), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    graph.call = call
    definition = call.get_concrete_function().graph.as_graph_def()
    nodes = [*definition.node, *(node for part in definition.library.function for node in part.node_def)]
    called = {part.signature.name for part in definition.library.function}
    operations = {node.op for node in nodes} - called
    assert "LookupTableFindV2" in operations
    assert [name for name in operations if not hasattr(tf.raw_ops, name)] == []
    tf.saved_model.save(graph, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    expected = pieces.encode(["filming", "电影"])
    assert loaded.call(tf.constant(["filming 电影", ""])).numpy().tolist() == [expected, [0] * len(expected)]


def test_pieces_are_as_many_as_asked_for_and_hold_every_frequent_character(known: list[str], pieces: Pieces) -> None:
    counts = Counter("".join(known[::2]))
    frequent = {character for character, count in counts.items() if count >= 2}
    assert len(pieces.vocabulary) == 600 and 20 < len(frequent) <= 150
    assert all({character, CONTINUES + character} <= set(pieces.vocabulary) for character in frequent)
    for word in known:
        if set(word) <= frequent and len(word) <= LONGEST_WORD:
            assert UNKNOWN not in pieces.cut(word)
    assert {"film", "##ing"} <= set(pieces.vocabulary)


def test_the_order_of_the_counts_changes_no_piece(known: list[str], pieces: Pieces) -> None:
    counts = Counter(known[::2])
    assert learn_pieces(dict(sorted(counts.items(), reverse=True)), 600) == pieces


def test_more_characters_than_half_the_size_leave_the_most_frequent_ones() -> None:
    counts = {chr(0x4E00 + number): 1_000 - number for number in range(500)} | {"一丁": 50}
    pieces = learn_pieces(counts, 40)
    assert pieces.vocabulary[:20] == tuple(
        before + chr(0x4E00 + number) for before in ("", CONTINUES) for number in range(10)
    )
    assert "一丁" in pieces.vocabulary and len(pieces.vocabulary) <= 40


def test_few_words_give_few_pieces_and_a_long_word_still_gives_its_characters() -> None:
    assert set(learn_pieces({"ab": 3, "ac": 1}, 100).vocabulary) >= {"a", "b", "##a", "##b", "ab"}
    assert set(learn_pieces({"a" * 5_000: 3}, 100).vocabulary) == {"a", "##a"}
    assert "c" not in learn_pieces({"ab": 3, "ac": 1}, 100).vocabulary
    assert "c" in learn_pieces({"ab": 3, "ac": 1}, 100, min_character_count=1).vocabulary


def test_no_characters_and_too_small_a_size_are_refused() -> None:
    with pytest.raises(DataError, match="no character occurs 2 times or more in the 1 different words"):
        learn_pieces({"a": 1}, 100)
    with pytest.raises(DataError, match="Give more texts"):
        learn_pieces({}, 100)
    with pytest.raises(SettingsError, match=f"expected a vocabulary of {SMALLEST_SIZE} pieces or more, got 3"):
        learn_pieces({"ab": 3}, 3)


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_plain_graph_and_keras_hub_cut_500_imdb_reviews_alike() -> None:
    from dlkit.data import builders

    loaded = builders.load("imdb", path=Path(os.environ["DLKIT_DATA"]) / "imdb", allow_download=False)
    rows = [words(text) for text in loaded.splits["test"].inputs["text"][:500]]
    pieces = learn_pieces(Counter(word for row in rows[::2] for word in row), 1_000)
    plain = [pieces.encode(row) for row in rows]
    assert graph_ids(pieces, rows) == plain
    flat = [word for row in rows for word in row]
    assert all(len(word.encode()) <= LONGEST_WORD for word in flat)
    assert keras_hub_ids(pieces, flat) == pieces.encode(flat)
    assert sum(row.count(1) for row in plain) < 0.001 * len(flat)
