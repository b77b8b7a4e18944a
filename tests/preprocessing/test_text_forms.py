"""Does the TensorFlow form of the text preprocessing agree with the plain form, on every string there is?"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import ColumnKind, Preprocessing, Ragged, Split
from dlkit.inference.text import MultiHotText
from dlkit.inference.words import words
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.ngrams import Ngrams
from dlkit.preprocessing.sequences import Sequences
from dlkit.preprocessing.text_graphs import WordsGraph

KINDS: dict[str, ColumnKind] = {"text": "text"}
PIECES = (
    "ΟΔΥΣΣΕΥΣ", "ὈΔΥΣΣΕΎΣ σς", "İstanbul", "ISPARTA ı", "Straße STRASSE ẞ", "ﬀ ﬃ ﬆ", "Ǆ ǅ ǆ",
    "é", "e\u0301\u0327", "n\u0303",
    "中文电影很好", "東京タワー", "한국어 각", "𠀋𠮷", "العربية ٣٤", "עִבְרִית", "\u202eright\u202c", "हिन्दी क्षि", "ไทย",
    "😀👍🏽", "👨‍👩‍👧", "🇩🇪", "a\u200db", "a\u200cb", "\ufeffbom", "soft\u00adhyphen",
    "\x00", "a\x00b", "\x1c\x1d\x85\u2028\u2029",
    "\u00a0\u2003\u3000", "\ud800", "\udfff", "x\udc00y", "\ufdd0\uffff", "\U0010ffff", "\U000e0041",
    "\U0002ffff", "\U0003fffe", "\U00040000",
    "don't DON’T 'quoted' ‘so’", "rock'n'roll", "½ ² ₃ Ⅷ ⅷ ①", "K Å Ω", "ª º µ", "\t\r\n\v\f", "snake_case", "a-b—c",
    "<br />", "<BR/>", "<bR>", "<br   />", "<br\t/>", "<br  >", "< br>", "<br", "</br>", "<brr>", "good<br /><br />bad",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝐀", "𐐀𐐨", "𞤀𞤢", "Ꭰꭰ", "ჩ Ჩ", "ŉ ΐ ẖ", "ᾈ ᾀ ᾼ",
)  # fmt: skip
"""What has broken tokenisers before, and the edges of `words.rule`."""
RANGES = (
    (0x00, 0x7F), (0x80, 0x24F), (0x250, 0x52F), (0x530, 0x1FFF), (0x2000, 0x2FFF), (0x3000, 0xD7FF), (0xD800, 0xDFFF),
    (0xE000, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x3FFFF), (0x40000, 0xDFFFF), (0xE0000, 0x10FFFF),
)  # fmt: skip
LONG = 200_000


def generated(count: int) -> list[str]:
    """Strings of pieces and of single code points of all planes; the first ones are the pieces alone."""
    dice = random.Random(20_240_229)
    texts: list[str] = ["", " ", *PIECES, "".join(PIECES)]
    texts += ["wörd " * (LONG // 5), "x" * LONG, "'" * LONG, "<br />" * (LONG // 6)]
    while len(texts) < count:
        parts = []
        for _ in range(dice.randrange(1, 12)):
            if dice.random() < 0.4:
                parts.append(dice.choice(PIECES))
            else:
                first, last = dice.choice(RANGES)
                parts.append("".join(chr(dice.randint(first, last)) for _ in range(dice.randrange(1, 9))))
            parts.append(dice.choice(("", "", " ", "<br />", "\n")))
        texts.append("".join(parts))
    return texts


def column(texts: Sequence[str]) -> np.ndarray:
    values = np.empty(len(texts), object)
    values[:] = texts
    return values


def disagreements(graph: WordsGraph, texts: Sequence[str], *, signs: bool = False) -> list[str]:
    """Texts of which the two forms cut other words; words hold no space, so that a row can be compared joined."""
    import tensorflow as tf

    cut = graph(raw_tensors({"text": column(texts)}, KINDS)["text"])
    theirs = tf.strings.reduce_join(cut, axis=1, separator=" ").numpy()
    ours = (" ".join(words(text, signs=signs)).encode() for text in texts)
    return [text for text, one, two in zip(texts, ours, theirs, strict=True) if one != two]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return generated(10_000)


@pytest.mark.parametrize("signs", [False, True])
def test_both_forms_cut_the_same_words_of_10_000_generated_strings(texts: list[str], signs: bool) -> None:
    graph = WordsGraph(signs=signs)
    assert len(texts) == 10_000 and {ord(character) >> 16 for text in texts for character in text} == set(range(17))
    for start in range(0, 10_000, 2_000):
        assert disagreements(graph, texts[start : start + 2_000], signs=signs) == []


def test_a_form_with_one_other_rule_is_told_apart(texts: list[str]) -> None:
    import tensorflow as tf

    graph = WordsGraph()
    changed = graph._rules.numpy()
    changed[ord("σ")] = ord("ς")
    graph._rules = tf.constant(changed)
    assert disagreements(graph, texts[:100])


def test_both_forms_give_the_same_word_ids(texts: list[str]) -> None:
    some = texts[:1_500]
    vocabulary = tuple(sorted({word for text in some[::2] for word in words(text) if len(word) < 50}))
    transform = MultiHotText("text", vocabulary)
    rows = {"text": column(some)}
    theirs = graph_of(transform).encode(raw_tensors(rows, KINDS))["word_ids"].numpy()
    ours = transform.encode(rows)["word_ids"]
    assert isinstance(ours, Ragged)
    assert len(vocabulary) > 1_500
    np.testing.assert_array_equal(theirs, ours.take(np.arange(len(some))))


@pytest.mark.parametrize(
    "settings",
    [
        Sequences(min_count=1, length=7, keep="start"),
        Sequences(min_count=1, length=7, keep="end", signs=True),
        Sequences(min_count=3, length_quantile=0.5),
        Ngrams(order=3, min_count=1),
        Ngrams(order=1, min_count=2, signs=False),
        Ngrams(order=2, min_count=2, weighting="tfidf", opening=3),
        Ngrams(order=2, min_count=1, opening=2, closing=3),
    ],
    ids=str,
)
def test_sequences_and_ngrams_are_the_same_in_both_forms(texts: list[str], settings: Preprocessing) -> None:
    some = [text for text in texts[:1_500] if len(text) < 5_000]
    transform = settings.fit(Split({"text": column(some[::2])}), KINDS)
    rows = {"text": column(["", "😀", "nothing-known-here", *some])}
    ours, theirs = transform.encode(rows), graph_of(transform).encode(raw_tensors(rows, KINDS))
    assert set(ours) == set(theirs) == set(transform.tensors)
    for name, found in ours.items():
        assert isinstance(found, Ragged) and len(found.values) > 1_000
        dense = found.take(np.arange(len(rows["text"])))
        assert theirs[name].numpy().dtype == dense.dtype == transform.tensors[name].dtype
        np.testing.assert_allclose(theirs[name].numpy(), dense, atol=1e-7)


def test_rows_without_a_known_word_are_rows_of_padding_in_both_forms() -> None:
    transform = MultiHotText("text", ("film",))
    rows = {"text": column(["", "😀", "unknown"])}
    theirs = graph_of(transform).encode(raw_tensors(rows, KINDS))["word_ids"].numpy()
    ours = transform.encode(rows)["word_ids"]
    assert isinstance(ours, Ragged)
    assert theirs.tolist() == ours.take(np.arange(3)).tolist() == [[0], [0], [0]]
    assert transform.remarks(rows)[0] is not None and transform.remarks({"text": column(["Film"])}) == [None]


def test_one_long_text_does_not_cost_its_length_for_every_row_of_the_batch() -> None:
    graph = WordsGraph()
    started = time.process_time()
    assert disagreements(graph, ["word"] * 2_000 + ["word " * (LONG // 5)]) == []
    # A mask of rows times the longest row took 3 GB and 17 s here; without it, it is 0.1 s.
    assert time.process_time() - started < 5


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_both_forms_agree_on_every_one_of_the_50_000_imdb_reviews() -> None:
    from dlkit.data import builders

    loaded = builders.load("imdb", path=Path(os.environ["DLKIT_DATA"]) / "imdb", allow_download=False)
    graph = WordsGraph()
    seen = 0
    for split in loaded.splits.values():
        reviews = split.inputs["text"]
        for start in range(0, len(reviews), 1_000):
            assert disagreements(graph, reviews[start : start + 1_000].tolist()) == []
        seen += len(reviews)
    assert seen == 50_000
