"""Are translations judged as others judge them, and is a baseline as good as it says?"""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Ragged, Split
from dlkit.data.pairs import PairData
from dlkit.errors import DataError, SettingsError
from dlkit.evaluation import tokenisers
from dlkit.evaluation.mistakes import worst_mistakes
from dlkit.evaluation.perplexity import perplexity
from dlkit.evaluation.scores import main_figure, score
from dlkit.evaluation.translation import (
    Corpus,
    bleu,
    bleu_tokenised,
    by_length,
    corpus_of,
    examples,
    length_ratio,
    moses,
    signatures,
    warnings_for,
)
from dlkit.evaluation.translation_baselines import Dictionary, baselines
from dlkit.evaluation.translation_drawings import bleu_by_length
from dlkit.inference.sentence_pieces import SentencePieces
from dlkit.inference.sentences import SentenceAnswer

WORDS = ("▁a", "▁b", "▁c", "▁d", "▁e", ".")
ANSWER = SentenceAnswer(SentencePieces(WORDS, level="word"), longest=8, language="de")
RIGHT = np.array(["a b c d e.", "a b", "e d c b a."], object)


def outputs_of(texts: list[str]) -> np.ndarray:
    found = np.zeros((len(texts), ANSWER.units), np.float32)
    for row, text in enumerate(texts):
        ids = ANSWER.pieces.encode(text)
        found[row, 0] = -row
        found[row, 1 : 1 + len(ids)] = ids
    return found


def test_figures_are_those_of_sacrebleu() -> None:
    from sacrebleu import corpus_bleu, corpus_chrf

    written = ["a b c d e.", "a a", "e d c b b."]
    figures = score("translation", ANSWER, RIGHT, outputs_of(written))
    assert figures["bleu"] == pytest.approx(corpus_bleu(written, [RIGHT.tolist()]).score)
    assert figures["chrf"] == pytest.approx(corpus_chrf(written, [RIGHT.tolist()]).score)
    assert main_figure("translation") == ("bleu", "max")
    perfect = score("translation", ANSWER, RIGHT, outputs_of(RIGHT.tolist()))
    assert perfect == pytest.approx(dict.fromkeys(("bleu", "bleu_tokenised", "chrf"), 100))


def test_papers_lower_case_and_tokenise() -> None:
    assert moses(["Ein „Hund“ (klein), läuft – schnell!"], "de") == [
        "ein &quot; hund &quot; ( klein ) , läuft - schnell !"
    ]
    corpus = Corpus(["ein hund läuft , schnell ."], ["Ein Hund läuft, schnell."])
    assert bleu_tokenised(corpus, "de") == pytest.approx(100) and bleu(corpus) < 60
    assert "case:mixed" in signatures(corpus)["bleu"] and "tok:13a" in signatures(corpus)["bleu"]


def test_a_translator_that_writes_lower_case_is_compared_without_regard_to_case() -> None:
    from sacrebleu import corpus_bleu, corpus_chrf

    answer = replace(ANSWER, pieces=SentencePieces(WORDS, level="word", lower=True))
    references = np.array(["A B c d E.", "a b.", "E D c b a."], object)
    written = ["a b c d e.", "a a.", "e d c b b."]
    figures = score("translation", answer, references, outputs_of(written))
    low = [[text.lower() for text in references]]
    assert figures["bleu"] == pytest.approx(corpus_bleu(written, low).score)
    assert figures["chrf"] == pytest.approx(corpus_chrf(written, low).score)
    assert figures["bleu"] > score("translation", ANSWER, references, outputs_of(written))["bleu"] + 10
    assert worst_mistakes("translation", answer, {"x": references}, references, outputs_of(written))[2]["row"] == 0
    found = signatures(corpus_of(answer, references, outputs_of(written)))
    assert "case:lc" in found["bleu"] and "case:lc" in found["chrf"]
    train, test = (
        Split({"source": texts}, np.array(["Ein Hund, ein Haus."] * 2, object))
        for texts in (np.array(["?", "!"], object), np.array(["EIN HUND, EIN HAUS."] * 2, object))
    )
    assert baselines(train, test, answer)["copy"]["bleu"] == pytest.approx(100)
    assert baselines(train, test, ANSWER)["copy"]["bleu"] < 50


@pytest.mark.parametrize("name", ["fr", "FR", "fr-FR", "fr_CA", "fra", "fre", "french", " French "])
def test_a_language_is_tokenised_alike_by_all_its_names(name: str) -> None:
    by_name = {language: moses(["L'homme d'ici"], language) for language in (name, "fr", "en")}
    assert by_name[name] == by_name["fr"] != by_name["en"]


CHINESE = ("一只黑狗在雪地里奔跑。", "两个男人坐在长椅上聊天。", "一个女孩在公园里吃冰淇淋。")
JAPANESE = ("犬が雪の中を走っている。", "二人の男性がベンチに座っています。")
KOREAN = ("개가 눈 위를 달리고 있다.", "두 남자가 벤치에 앉아 있다.")
THAI = ("สุนัขกำลังวิ่งอยู่ในหิมะ", "ผู้ชายสองคนนั่งอยู่บนม้านั่ง")


@pytest.mark.parametrize(
    ("language", "references", "expected"),
    [
        ("de", ("Ein Hund läuft.",), "13a"),
        ("target", ("Собака бежит по снегу.", "狗"), "13a"),
        ("my_translation", ("Ein Hund läuft.",), "13a"),
        ("zh", ("No. 7",), "zh"),
        ("zh-Hant-TW", (), "zh"),
        ("target", CHINESE, "zh"),
        ("de", (*CHINESE, "KFC 和 iPhone"), "zh"),
        ("Japanese", ("Tokyo",), "char"),
        ("", JAPANESE, "char"),
        ("ko", KOREAN, "char"),
        ("target", KOREAN, "char"),
        ("target", THAI, "char"),
        ("target", ("12 34!",), "13a"),
    ],
)
def test_what_is_written_without_blanks_is_cut_otherwise(
    language: str, references: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenisers, "find_spec", lambda _: None)
    assert tokenisers.tokeniser_of(language, references) == expected


@pytest.mark.parametrize(("language", "expected"), [("ja", "ja-mecab"), ("ko", "ko-mecab"), ("th", "char")])
def test_words_of_a_dictionary_are_counted_where_it_is_installed(
    language: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenisers, "find_spec", lambda name: name)
    assert tokenisers.tokeniser_of(language, ()) == expected


def test_one_wrong_character_costs_a_chinese_sentence_a_little() -> None:
    from sacrebleu import corpus_bleu

    written = [text.replace("一", "三") for text in CHINESE]
    pieces = SentencePieces(tuple(sorted({f"{mark}{one}" for text in written for one in text for mark in ("", "▁")})))
    answer = SentenceAnswer(pieces, longest=40, language="zh")
    outputs = np.zeros((3, answer.units), np.float32)
    for row, text in zip(outputs, written, strict=True):
        ids = pieces.encode(text)
        row[1 : 1 + len(ids)] = ids
    figures = score("translation", answer, np.array(CHINESE, object), outputs)
    assert figures["bleu"] == pytest.approx(corpus_bleu(written, [list(CHINESE)], tokenize="zh").score)
    assert 70 < figures["bleu"] < 95 and figures["bleu_tokenised"] == pytest.approx(figures["bleu"])
    corpus = corpus_of(answer, np.array(CHINESE * 10, object), np.tile(outputs, (10, 1)))
    assert by_length(corpus) == {"11-15": {"rows": 30, "bleu": pytest.approx(figures["bleu"])}}
    assert length_ratio(corpus) == 1
    assert "tok:zh" in signatures(corpus)["bleu"]
    assert "case:lc|eff:no|tok:zh" in signatures(corpus)["bleu_tokenised"]
    split = Split({"source": np.array(CHINESE, object)}, np.array(CHINESE, object))
    assert baselines(split, split, replace(answer, language=""))["copy"]["bleu"] == pytest.approx(100)


def test_lengths_with_too_few_sentences_have_no_bleu_of_their_own() -> None:
    corpus = Corpus(["a b c d e"] * 30 + ["x " * 30] * 5, ["a b c d e"] * 30 + ["x " * 30] * 5)
    assert by_length(corpus) == {"1-10": {"rows": 30, "bleu": pytest.approx(100)}}
    drawing = bleu_by_length(ANSWER, np.tile(RIGHT, 10), outputs_of(RIGHT.tolist() * 10))
    assert drawing is not None and "100.0 at 1-10 words" in drawing.alt
    assert bleu_by_length(ANSWER, RIGHT, outputs_of(RIGHT.tolist())) is None


def test_the_worst_translations_come_first_and_examples_are_spread() -> None:
    outputs = outputs_of(["a b c d e.", "e e", "e d c b b."])
    found = worst_mistakes("translation", ANSWER, {"source": np.array(["x", "y", "z"], object)}, RIGHT, outputs)
    assert [one["row"] for one in found] == [1, 2, 0]
    assert (found[0]["input"], found[0]["truth"], found[0]["answer"]) == ("y", "a b", "e e")
    corpus = corpus_of(ANSWER, RIGHT, outputs)
    assert examples(corpus, ["x", "y", "z"])[2] == {
        "source": "z",
        "translation": "e d c b b.",
        "reference": "e d c b a.",
    }


def test_answers_of_another_kind_or_number_are_refused() -> None:
    with pytest.raises(DataError, match="3 references do not fit 2"):
        score("translation", ANSWER, RIGHT, outputs_of(["a", "b"]))
    with pytest.raises(SettingsError, match="translation needs sentences, got ValueAnswer"):
        from dlkit.inference.answers import ValueAnswer

        score("translation", ValueAnswer("x"), RIGHT, outputs_of(["a"]))


def test_perplexity_of_a_network_that_knows_nothing_is_the_number_of_pieces() -> None:
    source, target = (keras.Input((None,), dtype="int32", name=name) for name in ("source", "target"))
    logits = keras.layers.Embedding(7, 7, embeddings_initializer="zeros")(target)
    model = keras.Model({"source": source, "target": target}, logits)
    rows = [np.array([4, 5, 2]), np.array([2])]
    inputs = {"source": Ragged.from_lists(rows), "target": Ragged.from_lists(rows)}
    assert perplexity(model, Examples(inputs, Ragged.from_lists(rows))) == pytest.approx(7)
    model.layers[-1].set_weights([np.eye(7)[[0, 1, 2, 3, 4, 5, 6]] * 100])
    assert perplexity(model, Examples(inputs, Ragged.from_lists(rows))) == pytest.approx(1)


def test_a_dictionary_finds_each_word_and_word_order_is_beyond_it() -> None:
    sample = PairData().load("sample", say=lambda _: None)
    dictionary = Dictionary(sample.train.inputs["source"].tolist(), sample.train.targets.tolist())
    assert dictionary.translate("dog sees horse, Zebra!") == "kanu vidas kabo, Zebra!"
    found = baselines(sample.train, sample.test, replace(ANSWER, language=""))
    assert found["copy"]["bleu"] < 1 < found["most_frequent"]["bleu"] < 20
    assert found["word_by_word"]["chrf"] > 1.5 * found["most_frequent"]["chrf"] > found["copy"]["chrf"]


def test_repeated_pairs_learn_no_other_dictionary_and_one_pair_is_enough() -> None:
    assert Dictionary(["a b"], ["x y"]).translate("a b c") in ("x x c", "x y c", "y y c", "y x c")
    train = Split({"source": np.array(["?", "!"], object)}, np.array(["x", "x"], object))
    assert baselines(train, train, ANSWER)["most_frequent"]["chrf"] == pytest.approx(100)


def test_what_is_to_be_thought_of_the_figures_is_said() -> None:
    few, many = Corpus(["a b"], ["a b"]), Corpus(["a b"] * 200, ["a b"] * 200)
    assert length_ratio(Corpus(["a b c"], ["a"])) == 3
    assert warnings_for(many, {"bleu": 30.0}, {"copy": {"bleu": 1.0}}, {}) == []
    said = warnings_for(few, {"bleu": 1.0}, {"copy": {"bleu": 2.0}}, {"bleu": 0.5})
    for text, start in zip(
        said, ("1 test sentences are few", "BLEU 1.0 does not beat", "The figures are better"), strict=True
    ):
        assert text.startswith(start)
    assert "made it no better" in warnings_for(many, {"bleu": 1.0}, {"before": {"bleu": 2.0}}, {})[0]
    assert "0.50 times the words" in warnings_for(Corpus(["a"] * 200, ["a b"] * 200), {"bleu": 1.0}, {}, {})[0]
