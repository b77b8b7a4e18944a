"""Do the plain form and the graph read and write every sentence alike, and are pieces learnt alike each time?"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from dlkit.contracts import Split
from dlkit.errors import DataError, SettingsError
from dlkit.inference.sentence_pieces import END, FIRST, LEVELS, START, UNKNOWN, SentencePieces
from dlkit.inference.translation import PairText
from dlkit.preprocessing.pairs import Pairs
from dlkit.preprocessing.sentence_pieces import learn
from dlkit.translation import Translation

ODD = (
    "",
    " ",
    "Ein Mann, zwei (junge) Frauen & 3 Hunde!",
    "T-Shirt's  l'homme\tqu'il\nfait…",
    "▁ mark ▁▁",
    "zero\u200bwidth \u200dj\u200doin soft\u00adhyphen",
    "\u0007bell\u0000nul\u001funit",
    "❤️😀👩‍👩‍👧 🇩🇪",
    "中文没有空格的句子。日本語",
    "क्षि हिन्दी e\u0301 é ﬁ",
    "\ud800 lone \udfff",
    "\ufffd replaced",
    "x" * 63 + " " + "x" * 64 + " " + "x" * 65 + " " + "x" * 200,
    "𠀋𠮷 \U000e0041\U0010ffff",
    "word " * 10_000,
    "İstanbul ẞ ΑΣ",
    "a.b,c;d",
)


def strings(texts: Sequence[str]) -> np.ndarray:
    column = np.empty(len(texts), object)
    column[:] = texts
    return column


def generated(count: int) -> list[str]:
    dice = random.Random(3)
    syllables = (
        "ein",
        "mann",
        "hund",
        " ",
        " ",
        " ",
        "er",
        "s",
        "ß",
        ".",
        ",",
        "'",
        "-",
        "电",
        "e\u0301",
        "😀",
        "\u00a0",
        "\t",
    )
    made = []
    while len(made) < count:
        text = "".join(dice.choice(syllables) for _ in range(dice.randrange(1, 15)))
        if dice.random() < 0.3:
            text += chr(dice.choice((dice.randrange(0x21, 0x3000), dice.randrange(0xE000, 0x2FA1F))))
        made.append(text)
    return made


@pytest.fixture(scope="module", params=[(level, lower) for level in LEVELS for lower in (False, True)], ids=str)
def pieces(request: pytest.FixtureRequest) -> SentencePieces:
    level, lower = request.param
    return learn([*generated(2_000), *ODD[2:12]], 300, level=level, lower=lower, origin="test")


def test_plain_form_and_graph_read_every_sentence_alike(pieces: SentencePieces) -> None:
    import tensorflow as tf

    from dlkit.preprocessing.graphs import graph_of, raw_tensors

    texts = [*ODD, *generated(3_000)[2_000:]]
    transform = PairText("source", pieces, pieces, 40, 40)
    graph = graph_of(transform)
    encode = tf.function(graph.encode, input_signature=[dict(graph.signature)])
    columns = {"source": strings(texts)}
    read = np.asarray(encode(raw_tensors(columns, transform.kinds))["source"])
    plain = transform.encode(columns)["source"].take(np.arange(len(texts)))
    assert np.array_equal(read, plain)
    assert read.max() > 200
    assert (plain == UNKNOWN).sum() > 20
    assert np.array_equal((plain == END).sum(axis=1), np.ones(len(texts)))


def test_plain_form_and_graph_write_every_sentence_alike(pieces: SentencePieces) -> None:
    from dlkit.preprocessing.pair_graphs import SentencesGraph

    ids = np.random.default_rng(0).integers(0, pieces.highest_id + 1, (200, 20)).astype(np.int32)
    ids[:50] = 0
    written = [text.decode() for text in np.asarray(SentencesGraph(pieces)(ids))]
    assert written == [pieces.decode(row) for row in ids.tolist()]
    assert written[:50] == [""] * 50
    assert len({*written}) > 140


def test_a_saved_graph_reads_alike(tmp_path, pieces: SentencePieces) -> None:
    import tensorflow as tf

    from dlkit.preprocessing.pair_graphs import PairTextGraph, SentencesGraph

    class Both(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reads, self.writes = PairTextGraph(PairText("source", pieces, pieces, 40, 40)), SentencesGraph(pieces)

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
        def back(self, texts: tf.Tensor) -> tf.Tensor:
            return self.writes(self.reads.encode({"source": texts})["source"])

    tf.saved_model.save(Both(), str(tmp_path))
    texts = ["ein mann, er.", "hund"]
    found = tf.saved_model.load(str(tmp_path)).back(tf.constant(texts))
    assert [text.decode() for text in np.asarray(found)] == [pieces.decode(pieces.encode(text)) for text in texts]


@pytest.mark.parametrize("joint", [True, False])
def test_targets_are_shifted_and_all_rows_end(joint: bool) -> None:
    split = Split({"source": strings(["a b a b", "b a"] * 10)}, strings(["c d", "d c d c"] * 10))
    settings = Pairs(size=16, joint=joint)
    transform = settings.fit(split, {"source": "text"})
    assert transform.joint == joint
    assert transform.longest_source == transform.longest_target == 8
    examples = settings.examples(transform, split.take(np.arange(2)))
    answer = Translation().completed(Translation().fit(split, "de"), transform)
    assert (answer.language, answer.longest, answer.pieces) == ("de", 8, transform.target)
    both = np.arange(2)
    source, before = (examples.inputs[name].take(both) for name in ("source", "target"))
    after = Translation().encode(answer, examples.targets).take(both)
    assert source.shape == (2, 5) and source[1].tolist()[2:] == [END, 0, 0]
    assert before[:, 0].tolist() == [START, START]
    assert before[1, 1:].tolist() == after[1, :-1].tolist()
    assert after[0].tolist()[2:] == [END, 0, 0]
    assert transform.target.decode(after[1].tolist()) == "d c d c"


def test_a_run_has_what_reads_and_writes(tmp_path) -> None:
    split = Split({"source": strings(["a b, a b", "b a"] * 10)}, strings(["c d", "d c d c"] * 10))
    for settings in (Pairs(size=16), Pairs(size=16, joint=False, level="word", lower=True)):
        transform = settings.fit(split, {"source": "text"})
        transform.save(tmp_path)
        import json

        assert PairText.load(tmp_path, json.loads((tmp_path / "preprocessing.json").read_text())) == transform


def test_same_texts_same_pieces() -> None:
    texts = generated(500)
    for level in LEVELS:
        first, second = (learn(texts, 100, level=level, lower=False, origin="test") for _ in range(2))
        assert first == second and 50 < len(first.vocabulary) <= 100


def test_few_texts_have_few_pieces_and_none_is_said() -> None:
    assert learn(["a b a b"], 1_000, level="piece", lower=False, origin="test").encode("b a")
    with pytest.raises(DataError, match="pairs: no character occurs twice in 1 texts"):
        learn(["a b"], 100, level="piece", lower=False, origin="pairs")
    with pytest.raises(DataError, match="no word occurs twice"):
        learn(["a b"], 100, level="word", lower=False, origin="pairs")
    # Each word has a character that is none of the alphabet.
    assert learn(["ax ay az"], 16, level="piece", lower=False, origin="test").vocabulary[-1] == "a"


@pytest.mark.parametrize(
    ("options", "name"),
    [({"size": 3}, "size"), ({"length": 1}, "length"), ({"level": "letter"}, "level"), ({"size": True}, "size")],
)
def test_wrong_settings_are_refused(options: dict[str, object], name: str) -> None:
    with pytest.raises(SettingsError, match=f"preprocessing.{name}"):
        Pairs(**options)


def test_without_translations_nothing_is_learnt() -> None:
    with pytest.raises(DataError, match="data=PairData"):
        Pairs().fit(Split({"source": strings(["a"])}), {"source": "text"})


def test_remarks_and_figures_tell_of_what_is_not_read() -> None:
    transform = PairText("source", SentencePieces(("▁a", "b")), SentencePieces(()), 4, 4)
    columns = {"source": strings(["a", "x", "abbbb", "ab"])}
    remarks = transform.remarks(columns)
    assert remarks[0] is None and remarks[3] is None
    assert "vocabulary" in str(remarks[1]) and "the first 3 were read" in str(remarks[2])
    figures = transform.figures(columns)
    assert figures == {"source_out_of_vocabulary": 2 / 10, "source_cut": 1 / 4, "pieces_per_word": 10 / 4}
    assert FIRST == 4
    transform = PairText("source", SentencePieces(()), SentencePieces(("▁c", "d")), 4, 4)
    figures = transform.target_figures(strings(["c", "x", "cddd"]))
    assert figures == {"target_out_of_vocabulary": 2 / 7, "target_cut": 1 / 3}


def test_training_pairs_that_would_be_cut_are_left_out_and_counted() -> None:
    transform = PairText("source", SentencePieces(("▁a", "b")), SentencePieces(("▁c", "d")), 4, 5)
    texts = [("abb", "cddd"), ("abbb", "c"), ("a", "cdddd"), ("ab", "cd"), ("a", "c")]
    columns = [strings(side) for side in zip(*texts, strict=True)]
    train, notes = Pairs().whole(transform, Split({"source": columns[0]}, columns[1]))
    assert train.inputs["source"].tolist() == ["abb", "ab", "a"] and train.targets.tolist() == ["cddd", "cd", "c"]  # type: ignore[union-attr]
    assert notes == ["2 training pairs had more pieces than the network takes (4 to read, 5 to write); left out"]
    again, none = Pairs().whole(transform, train)
    assert again is train and none == []
    with pytest.raises(DataError, match=r"2 of 3 training pairs have more pieces .* expected half of them at most"):
        Pairs().whole(transform, Split({"source": columns[0][[0, 1, 1]]}, columns[1][[0, 1, 1]]))


def test_a_large_set_is_thinned_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlkit.preprocessing.sentence_pieces.MOST_TEXTS", 20)
    split = Split({"source": strings(["a b a b", "b a"] * 10)}, strings(["ß č", "č ß č"] * 10))
    for pairs in (11, 15, 20):
        transform = Pairs(size=16).fit(split.take(np.arange(pairs)), {"source": "text"})
        for text in ("a b", "ß č"):
            assert UNKNOWN not in transform.source.encode(text)
            assert transform.target.decode(transform.target.encode(text)) == text
