"""Do the weights of a text's words say what its words did to the answer, for every network on texts?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit import text_variants
from dlkit.contracts import Examples, Head, Spec, Split, Transform, take
from dlkit.errors import InputError, SettingsError
from dlkit.evaluation.attribution import TOLERANCE
from dlkit.evaluation.explaining import Explanation, explain, ngram_places
from dlkit.evaluation.highlights import LONGEST, decisions, shown
from dlkit.inference.answers import ClassAnswer, ValueAnswer
from dlkit.inference.ngrams import NgramText
from dlkit.inference.sequences import SequenceText
from dlkit.inference.words import words
from dlkit.models import dense
from dlkit.models.layers import MultiHotDense
from dlkit.models.text_layers import NgramSum
from dlkit.preprocessing.ngrams import Ngrams
from dlkit.preprocessing.sequences import Sequences
from dlkit.preprocessing.text import MultiHot
from dlkit.training.fit import outputs

PLAIN = ("a", "film", "with", "music", "and", "story", "of", "some", "people", "in", "house", "by", "the", "sea")
DECISIVE = {"neg": "dreadful", "pos": "superb"}
LENGTH = 12
TEXT = "The film: a superb story of people, dreadful music<br />and some SUPERB unheard-of house by the sea in the end!"
EVERY = (*text_variants(), "mlp", "linear")


def _column(texts: list[str]) -> np.ndarray:
    column = np.empty(len(texts), object)
    column[:] = texts
    return column


@cache
def rows() -> Split:
    """240 texts of some ten words, one of which is the decisive word of the label."""
    rng = np.random.default_rng(0)
    labels = rng.choice(["neg", "pos"], 240)
    texts = []
    for label in labels:
        chosen = list(rng.choice(PLAIN, rng.integers(6, 11)))
        chosen.insert(int(rng.integers(0, len(chosen))), DECISIVE[label])
        texts.append(" ".join(chosen))
    return Split({"text": _column(texts)}, labels.astype(object))


def read(kind: Sequences | Ngrams | MultiHot) -> Transform:
    return kind.fit(rows(), {"text": "text"})


SMALL: dict[str, dict[str, object]] = {
    **{name: {"dimension": 4} for name in ("embedding", "fasttext")},
    **{name: {"dimension": 4, "units": 4} for name in ("simple_rnn", "lstm", "gru", "bilstm", "bilstm_attention")},
    "cnn": {"dimension": 4, "filters": 4},
}
"""Settings of networks that are quick to trace and to train."""


def built(name: str, transform: Transform, classes: int = 2) -> keras.Model:
    head = Head(1, "sigmoid") if classes == 2 else Head(classes, "softmax")
    spec = Spec(transform.tensors, {"label": head}, transform.sizes)
    build: Callable[..., keras.Model] = getattr(dense, name, None) or text_variants()[name].model
    return build(spec, **SMALL.get(name, {}))


def network(name: str, transform: Transform, classes: int = 2) -> keras.Model:
    """A network with weights as if it were trained: far from zero."""
    model = built(name, transform, classes)
    rng = np.random.default_rng(1)
    model.set_weights([weight + 0.3 * rng.standard_normal(weight.shape) for weight in model.get_weights()])
    for layer in model.layers:
        if isinstance(layer, NgramSum):  # its row 0, of padding, stays 0
            layer.kernel.assign(layer.kernel * (np.arange(layer.size + 1)[:, None] > 0))
    return model


@cache
def explained(name: str) -> tuple[list[Explanation], np.ndarray]:
    """What carried the answers to three texts, and the network's outputs on them."""
    transform = read(kind_of(name))
    model = network(name, transform)
    texts = [TEXT, "superb", "a dreadful film"]
    found = explain(model, transform, answer(), texts)
    return found, outputs(model, Examples(transform.encode({"text": _column(texts)})))


def kind_of(name: str) -> Sequences | Ngrams | MultiHot:
    if name in ("mlp", "linear"):
        return MultiHot(max_words=50)
    return Ngrams(opening=3, closing=2) if name in ("ngrams", "fasttext") else Sequences(length=LENGTH)


def answer(classes: int = 2) -> ClassAnswer:
    return ClassAnswer(("neg", "pos", "so", "la")[:classes])


def total(found: Explanation) -> float:
    return sum(word.weight for word in found.words)


def close(found: Explanation) -> bool:
    difference = found.logit - found.baseline
    return abs(total(found) - difference) <= TOLERANCE * max(1.0, abs(difference))


@pytest.mark.parametrize("name", EVERY)
def test_weights_of_words_sum_to_the_logit_less_that_of_zero_vectors(name: str) -> None:
    for found, output in zip(*explained(name), strict=True):
        assert close(found)
        assert found.words
        chance = output[0] if found.label == "pos" else 1 - output[0]
        assert chance >= 0.5
        assert np.isclose(1 / (1 + np.exp(-found.logit)), chance, atol=1e-5)


@pytest.mark.parametrize("name", ["embedding", "ngrams", "mlp", "linear"])
def test_with_several_classes_the_logit_is_that_of_the_answered_one_over_their_mean(name: str) -> None:
    transform = read(kind_of(name))
    (found,) = explain(network(name, transform, 4), transform, answer(4), [TEXT])
    assert close(found)
    chances = np.array(list(found.answer["probabilities"].values()))
    assert np.isclose(found.logit, np.log(chances.max()) - np.log(chances).mean(), atol=1e-4)


@pytest.mark.parametrize("name", ["ngrams", "linear"])
@pytest.mark.parametrize("weighting", ["binary", "tfidf"])
@pytest.mark.parametrize("classes", [2, 4])
def test_a_weight_in_a_linear_network_is_its_value_times_its_kernel(name: str, weighting, classes: int) -> None:
    transform = read(Ngrams(weighting=weighting, opening=3) if name == "ngrams" else kind_of(name))
    model = network(name, transform, classes)
    (found,) = explain(model, transform, answer(classes), [TEXT])
    (layer,) = [layer for layer in model.layers if isinstance(layer, NgramSum | MultiHotDense)]
    kernel = keras.ops.convert_to_numpy(layer.kernel).astype(np.float64)
    chosen = answer(classes).labels.index(found.label)
    toward = kernel[:, 0] * (2 * chosen - 1) if classes == 2 else kernel[:, chosen] - kernel.mean(axis=1)
    inputs = [take(one, np.array([0]))[0] for one in transform.encode({"text": _column([TEXT])}).values()]
    if isinstance(transform, NgramText):
        values = inputs[1] if len(inputs) > 1 else np.ones(len(inputs[0]))
        expected = {
            transform.ngram(int(one)): toward[one] * value for one, value in zip(inputs[0], values, strict=True)
        }
        got = {one.ngram: one.weight for one in found.ngrams}
    else:
        expected = {transform.vocabulary[one - 1]: toward[one - 1] for one in inputs[0]}
        got = {one.ngram: one.weight for one in found.strongest(100)}
    assert got == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["embedding", "cnn", "ngrams", "mlp"])
def test_after_a_short_training_the_planted_word_weighs_most(name: str) -> None:
    keras.utils.set_random_seed(0)
    transform = read(kind_of(name))
    model = built(name, transform)
    (encoded,) = transform.encode(rows().inputs).values()
    targets = (rows().targets == "pos").astype(np.float32)[:, None]
    ids = tf.constant(take(encoded, np.arange(len(targets))))
    adam = keras.optimizers.Adam(0.1)
    # Without a graph, whose making takes longer than these few steps.
    for _ in range(15):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.binary_crossentropy(targets, model(ids)))
        adam.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
    texts = [f"the story of a house {word} by the sea" for word in DECISIVE.values()]
    for found, (label, word) in zip(explain(model, transform, answer(), texts), DECISIVE.items(), strict=True):
        assert found.label == label
        assert found.strongest(1)[0].ngram == word
        assert found.strongest(1)[0].weight > 0


@pytest.mark.parametrize("name", ["embedding", "ngrams", "mlp"])
def test_each_word_says_where_it_stands(name: str) -> None:
    transform = read(kind_of(name))
    (found,) = explain(network(name, transform), transform, answer(), [TEXT])
    signs = name == "ngrams"
    assert [word.word for word in found.words] == words(TEXT, signs=signs)
    assert all(words(TEXT[word.start : word.stop], signs=signs) == [word.word] for word in found.words)
    known = {word.word: word.known for word in found.words if word.read}
    assert not known["unheard"]
    assert known["sea"]


@pytest.mark.parametrize("keep", ["start", "end"])
def test_words_beyond_the_length_weigh_nothing_and_say_so(keep) -> None:
    transform = read(Sequences(length=LENGTH, keep=keep))
    (found,) = explain(network("embedding", transform), transform, answer(), [TEXT])
    read_ones = [number for number, word in enumerate(found.words) if word.read]
    first = 0 if keep == "start" else len(words(TEXT)) - LENGTH
    assert len(found.words) == len(words(TEXT)) > LENGTH
    assert read_ones == list(range(first, first + LENGTH))
    assert all(word.weight == 0 and not word.known for word in found.words if not word.read)
    assert all(word.weight != 0 for word in found.words if word.read)


def test_a_word_of_a_text_read_as_a_set_has_an_equal_share_at_each_place() -> None:
    transform = read(kind_of("mlp"))
    model = network("mlp", transform)
    once, twice = explain(model, transform, answer(), ["a superb story", "superb: a superb story"])
    first, second = (word.weight for word in twice.words if word.word == "superb")
    assert first == second
    assert np.isclose(first + second, next(word.weight for word in once.words if word.word == "superb"))


def test_pieces_of_a_word_are_summed_to_the_word() -> None:
    pieces = ("sup", "##erb", "a", "film", "dread", "##ful", "##s")
    transform = SequenceText("text", pieces, 6, "end", pieces=True)
    model = network("embedding", transform)
    a, superb, films, unknown, dreadful = explain(model, transform, answer(), ["a superb films zebra dreadful"])[
        0
    ].words
    plain = SequenceText("text", tuple(piece.removeprefix("##") for piece in pieces), 6, "end")
    apart = explain(model, plain, answer(), ["erb film s zebra dread ful"])[0].words
    assert superb.weight == pytest.approx(apart[0].weight, abs=1e-6)
    assert films.weight == pytest.approx(apart[1].weight + apart[2].weight, abs=1e-6)
    assert dreadful.weight == pytest.approx(apart[4].weight + apart[5].weight, abs=1e-6)
    assert (a.read, superb.read, films.known, unknown.known, unknown.read) == (False, True, True, False, True)


def test_places_of_ngrams_are_those_that_the_transform_finds() -> None:
    transform = read(Ngrams(opening=3, closing=2))
    assert isinstance(transform, NgramText)
    for one in [*rows().inputs["text"][:20], TEXT, "", "zebra", "superb superb superb superb"]:
        places = list(ngram_places(transform, words(one, signs=True)))
        (encoded,) = transform.encode({"text": _column([one])}).values()
        assert sorted({feature for feature, _ in places}) == [i for i in take(encoded, np.array([0]))[0] if i]
        for feature, place in places:
            spelled = " ".join(words(one, signs=True)[place.start : place.stop])
            assert transform.ngram(feature).lstrip("^$") == spelled
    ends = [transform.ngram(feature)[0] for feature, _ in ngram_places(transform, ["superb"])]
    assert sorted(ends) == ["$", "^", "s"]


def test_attention_is_given_by_word_and_sums_to_one() -> None:
    found = explained("bilstm_attention")[0][0]
    looked = [word.attention for word in found.words]
    assert np.isclose(sum(looked), 1)
    assert set(looked[:-LENGTH]) == {0}
    assert all(share > 0 for share in looked[-LENGTH:])
    assert "attention" in found.words[0].document()


def test_a_text_without_words_has_an_explanation_without_words() -> None:
    for name in ("embedding", "ngrams", "mlp"):
        transform = read(kind_of(name))
        (found,) = explain(network(name, transform), transform, answer(), ["🙂 🙃"])
        assert found.words == ()
        assert found.strongest(3) == []
        assert found.warning is not None


@pytest.mark.parametrize("name", ["ngrams", "fasttext"])
def test_a_text_of_unknown_words_has_no_ngrams(name: str) -> None:
    transform = read(kind_of(name))
    (found,) = explain(network(name, transform), transform, answer(), ["zzz qqq"])
    assert found.ngrams == () and [word.known for word in found.words] == [False, False]


@pytest.mark.parametrize("api", ["sequential", "subclass"])
def test_every_api_of_the_perceptron_is_explained_alike(api) -> None:
    transform = read(kind_of("mlp"))
    spec = Spec(transform.tensors, {"label": Head(1, "sigmoid")}, transform.sizes)
    functional, other = dense.mlp(spec, units=(8,)), dense.mlp(spec, units=(8,), dropout=0.5, api=api)
    other.set_weights(functional.get_weights())
    one, two = (explain(model, transform, answer(), [TEXT])[0] for model in (functional, other))
    assert [word.weight for word in one.words] == pytest.approx([word.weight for word in two.words], abs=1e-6)


def _unnamed(spec: Spec) -> keras.Model:
    inputs = keras.Input((None,), dtype="int32", name="word_ids")
    vectors = keras.layers.Embedding(spec.sizes["vocabulary"] + 1, 4)(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(keras.layers.GlobalAveragePooling1D()(vectors)))


def _two_ways_in(spec: Spec) -> keras.Model:
    inputs = keras.Input((None,), dtype="int32", name="word_ids")
    ways = [MultiHotDense(spec.sizes["vocabulary"], 3, activation="relu")(inputs) for _ in range(2)]
    return keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(keras.layers.Concatenate()(ways)))


def _not_a_probability(spec: Spec) -> keras.Model:
    inputs = keras.Input((None,), dtype="int32", name="word_ids")
    squashed = keras.layers.Dense(1, "relu", kernel_initializer="zeros", bias_initializer="ones")
    return keras.Model(inputs, squashed(MultiHotDense(spec.sizes["vocabulary"], 3, activation="relu")(inputs)))


@pytest.mark.parametrize("build", [_unnamed, _two_ways_in, _not_a_probability])
def test_a_network_that_cannot_be_opened_is_refused(build) -> None:
    transform = read(kind_of("mlp"))
    model = build(Spec(transform.tensors, {"label": Head(1, "sigmoid")}, transform.sizes))
    with pytest.raises(SettingsError, match="words' weights of this network cannot be found"):
        explain(model, transform, answer(), [TEXT])


def test_a_network_that_branches_later_on_is_explained() -> None:
    transform = read(kind_of("mlp"))
    inputs = keras.Input((None,), dtype="int32", name="word_ids")
    hidden = MultiHotDense(transform.sizes["vocabulary"], 3, activation="relu")(inputs)
    branches = [keras.layers.Dense(3, "tanh")(hidden) for _ in range(2)]
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(keras.layers.Concatenate()(branches)))
    assert close(explain(model, transform, answer(), [TEXT])[0])


def test_bad_input_is_refused_in_our_words() -> None:
    transform = read(kind_of("mlp"))
    model = network("mlp", transform)
    with pytest.raises(InputError, match="Item 2, column 'text': the text is empty"):
        explain(model, transform, answer(), [TEXT, "  "])
    with pytest.raises(InputError, match="put it into a list"):
        explain(model, transform, answer(), TEXT)
    with pytest.raises(SettingsError, match="steps"):
        explain(model, transform, answer(), [TEXT], steps=0)
    with pytest.raises(SettingsError, match="answers with a number"):
        explain(model, transform, ValueAnswer("price"), [TEXT])
    assert explain(model, transform, answer(), []) == []


def test_a_report_explains_two_right_answers_of_two_classes_and_the_worst_mistakes() -> None:
    transform = read(kind_of("linear"))
    model = network("linear", transform)
    test = Split({"text": _column([TEXT, "superb", "dreadful", "a film", "a house"])}, None)
    found = outputs(model, Examples(transform.encode(test.inputs)))
    labels = np.array(["neg", "pos"], object)[answer().probabilities(found).argmax(axis=1)]
    truth = labels.copy()
    truth[[0, 3]] = np.where(labels[[0, 3]] == "pos", "neg", "pos")
    test = dataclasses.replace(test, targets=truth)
    mistakes: list[dict[str, object]] = [{"row": 3}, {"row": 0}]
    told = decisions(model, transform, answer(), test, outputs=found, mistakes=mistakes).highlights
    assert [one.right for one in told] == [True, True, False, False]
    assert [one.row for one in told][2:] == [3, 0]
    right = [int(row) for row in np.flatnonzero(labels == truth)]
    assert told[0].row == right[0]
    assert len({one.answer for one in told[:2]}) == len({labels[row] for row in right})


def test_a_network_of_ones_own_is_refused_in_the_report_not_by_an_error() -> None:
    transform = read(kind_of("mlp"))
    model = _unnamed(Spec(transform.tensors, {"label": Head(1, "sigmoid")}, transform.sizes))
    test = Split({"text": _column([TEXT, "superb"])}, np.array(["neg", "pos"], object))
    found = outputs(model, Examples(transform.encode(test.inputs)))
    told = decisions(model, transform, answer(), test, outputs=found, mistakes=[])
    assert told.highlights == ()
    assert "cannot be found" in str(told.refused)


def test_a_short_text_is_shown_whole_and_a_long_one_around_its_strongest_words() -> None:
    transform = read(kind_of("linear"))
    model = network("linear", transform)
    short, long = explain(model, transform, answer(), [TEXT, f"{'zebra ' * 400}superb\x07 {'zebra ' * 400}"])
    assert "".join(part.text for part in shown(short)) == TEXT.replace("<br />", " ")
    parts = shown(long)
    assert (
        "".join(part.text for part in parts) == "… zebra zebra zebra zebra zebra superb zebra zebra zebra zebra zebra …"
    )
    assert [part.text for part in parts if part.share] == ["superb"]
    assert sum(len(part.text) for part in shown(explain(model, transform, answer(), [TEXT * 30])[0])) < 2 * LONGEST
