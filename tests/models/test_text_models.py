"""Does every network for texts hold what the house promises: padding changes nothing, files give it back whole?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit.contracts import Examples, Head, Ragged, Spec, Tensor
from dlkit.errors import SettingsError
from dlkit.export.litert import write_litert
from dlkit.export.proof import keras_model
from dlkit.inference.litert import LiteRT
from dlkit.models import memory, text, text_layers, transformers
from dlkit.variants import READERS, text_variants

SEQUENCE = Spec(
    {"word_ids": Tensor((None,), "int32")},
    {"answer": Head(3, "softmax")},
    {"vocabulary": 50, "sequence_length": 40},
)
VECTORS = np.random.default_rng(0).normal(size=(51, 8)).astype(np.float32)
OWN = replace(SEQUENCE, tables={"word_vectors": VECTORS})
NGRAMS = Spec({"ngram_ids": Tensor((None,), "int32")}, {"answer": Head(3, "softmax")}, {"ngrams": 50})
MODELS = {name: variant.model for name, variant in text_variants().items()}
NAMES = tuple(MODELS)


def built(name: str) -> tuple[keras.Model, str]:
    """The network with weights that are not zero, and the name of its input."""
    keras.utils.set_random_seed(1)
    spec = SEQUENCE if name in READERS else NGRAMS
    model = MODELS[name](spec)
    assert isinstance(model, keras.Model)
    model.set_weights(
        [weight + 0.1 * np.random.default_rng(2).normal(size=weight.shape) for weight in model.get_weights()]
    )
    for layer in model.layers:
        if isinstance(layer, text_layers.NgramSum):  # row 0 is padding and stays 0
            layer.kernel.assign(layer.kernel * np.arange(51).clip(max=1)[:, None])
    return model, next(iter(spec.inputs))


def rows() -> np.ndarray:
    ids = np.random.default_rng(0).integers(1, 51, (4, 12)).astype(np.int32)
    ids[1, 7:] = 0
    ids[2, 1:] = 0
    return ids


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_no_answer(name: str) -> None:
    model, _ = built(name)
    short = np.asarray(model(rows()))
    longer = np.asarray(model(np.pad(rows(), ((0, 0), (0, 20)))))
    np.testing.assert_allclose(longer, short, atol=1e-6)
    alone = np.asarray(model(rows()[2:3, :2]))  # one word and a padded one
    np.testing.assert_allclose(alone[0], short[2], atol=1e-6)
    assert np.abs(np.diff(short, axis=0)).max() > 1e-4  # other texts, other answers


@pytest.mark.parametrize("name", NAMES)
def test_a_file_gives_the_network_back_without_code_of_the_user(name: str, tmp_path: Path) -> None:
    model, _ = built(name)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras_model(tmp_path / "model.keras")(rows()), model(rows()), atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_litert_answers_rows_of_any_length_one_after_the_other(name: str, tmp_path: Path) -> None:
    model, tensor = built(name)
    write_litert(tmp_path / "model.tflite", model, {tensor: Tensor((None,), "int32")})
    artefact = LiteRT(tmp_path / "model.tflite")
    ids = [np.random.default_rng(n).integers(1, 51, n % 38 + 2).astype(np.int32) for n in range(60)]
    together = artefact.run({tensor: Ragged.from_lists(ids)})
    expected = np.concatenate([np.asarray(model(row[None])) for row in ids])
    np.testing.assert_allclose(together, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["ngrams", "fasttext"])
def test_a_text_without_a_known_ngram_gets_a_finite_answer_and_gradient(name: str, tmp_path: Path) -> None:
    model, tensor = built(name)
    ids = rows()
    ids[1] = 0
    answers = np.asarray(model(ids))
    assert np.isfinite(answers).all()
    write_litert(tmp_path / "model.tflite", model, {tensor: Tensor((None,), "int32")})
    np.testing.assert_allclose(LiteRT(tmp_path / "model.tflite").run({tensor: ids}), answers, atol=1e-5)
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert np.isfinite(model.train_on_batch(ids, np.array([0, 1, 2, 0])))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("name", READERS)
def test_a_network_that_reads_words_in_order_says_what_preprocessing_it_needs(name: str) -> None:
    with pytest.raises(SettingsError, match="Sequences"):
        MODELS[name](NGRAMS)


@pytest.mark.parametrize("name", ["ngrams", "fasttext"])
def test_networks_on_ngrams_say_what_preprocessing_they_need(name: str) -> None:
    with pytest.raises(SettingsError, match="Ngrams"):
        MODELS[name](SEQUENCE)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (text.lstm, {"units": 0}, "model.units"),
        (text.cnn, {"widths": ()}, "model.widths"),
        (text.embedding, {"dimension": 0}, "model.dimension"),
        (text.gru, {"dropout": 1.0}, "model.dropout"),
        (text.bilstm, {"freeze": True}, "own word vectors"),
        (transformers.transformer, {"freeze": True}, "own word vectors"),
        (transformers.transformer, {"heads": 5}, "heads=5 does not divide model.dimension=32. Say e.g. .*heads=4"),
        (transformers.transformer, {"heads": 64}, "heads=64 does not divide .*heads=32"),
    ],
)
def test_settings_that_make_no_network_are_said(
    build: Callable[..., object], options: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        build(SEQUENCE, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l2": -1.0}, "model.l2: expected a number of 0 or more, got -1"),
        ({"smoothing": 0.0}, "model.smoothing: expected a number above 0"),
        ({"naive_bayes": False, "smoothing": 2.0}, "there is none with model.naive_bayes=false"),
        ({"naive_bayes": False, "start": 0.1}, "there is none with model.naive_bayes=false"),
    ],
)
def test_settings_of_ngrams_that_make_no_sense_are_said(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        text.ngrams(NGRAMS, **options)  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize("freeze", [False, True], ids=["learnt", "frozen"])
@pytest.mark.parametrize("name", READERS)
def test_own_word_vectors_are_the_first_weights_and_freeze_keeps_them(name: str, freeze: bool) -> None:
    table = READERS[name](OWN, freeze=freeze).get_layer("words")  # type: ignore[attr-defined]  # a model
    np.testing.assert_array_equal(table.get_weights()[0], VECTORS)
    assert bool(table.trainable_weights) is not freeze


@pytest.mark.parametrize("name", READERS)
def test_a_dimension_is_that_of_own_word_vectors_or_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"model\.dimension=32: .*preprocessing\.vectors have 8 numbers"):
        READERS[name](OWN, dimension=32)
    widths = [
        model.get_layer("words").output_dim  # type: ignore[attr-defined]  # a model
        for model in (READERS[name](OWN, dimension=8), READERS[name](SEQUENCE, dimension=6), READERS[name](SEQUENCE))
    ]
    assert widths == [8, 6, 64 if name == "cnn" else 32]


def test_heads_that_do_not_divide_own_word_vectors_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"heads=3 does not divide 8, .*preprocessing\.vectors.*heads=2"):
        transformers.transformer(OWN, heads=3)


def test_ngrams_whose_tables_do_not_fit_into_memory_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = Spec(NGRAMS.inputs, {"answer": Head(2000, "softmax")}, {"ngrams": 1000})
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000)
    monkeypatch.setattr(text_layers, "NgramSum", None)
    with pytest.raises(SettingsError) as refused:
        text.ngrams(spec)
    assert re.search(r"1,000 n-grams for each of 2,000 outputs take 8\.0 MB, .* 1\.0 MB of memory", str(refused.value))
    fits = int(str(refused.value).rpartition("--set preprocessing.max_features=")[2])
    monkeypatch.undo()
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000)
    text.ngrams(replace(spec, sizes={"ngrams": fits - 1}))


def test_attention_weights_are_a_distribution_over_the_words_that_are_there() -> None:
    model, _ = built("bilstm_attention")
    weights = np.asarray(keras.Model(model.inputs[0], model.get_layer("attention").output[1])(rows()))
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert (weights[rows() == 0] == 0).all() and (weights[rows() > 0] > 0).all()


def examples() -> Examples:
    """Six texts of three n-grams; n-gram 1 occurs in the first class alone, 2 in both, 3 in the second."""
    ids = [[1, 2], [1], [1, 2], [2, 3], [3], [2, 3]]
    targets = np.array([[0], [0], [0], [1], [1], [1]], np.float32)
    return Examples({"ngram_ids": Ragged.from_lists([np.array(row, np.int32) for row in ids])}, targets)


def test_ratios_are_those_of_wang_and_manning() -> None:
    ratio = text_layers.log_count_ratios(examples(), 3, 1)[:, 0]
    p, q = np.array([0, 2, 3]) + 1, np.array([3, 2, 0]) + 1  # counts in class 1 and in class 0, plus 1
    np.testing.assert_allclose(ratio[1:], np.log((p / p.sum()) / (q / q.sum())), rtol=1e-6)
    assert ratio[0] == 0


def test_ratios_of_several_classes_are_those_of_each_against_the_rest() -> None:
    one = examples()
    classes = Examples(one.inputs, one.targets[:, 0].astype(np.int32))  # type: ignore[index]  # an array
    np.testing.assert_allclose(
        text_layers.log_count_ratios(classes, 3, 2)[:, 1:], text_layers.log_count_ratios(one, 3, 1), rtol=1e-6
    )


def test_ratios_of_one_hot_targets_are_those_of_their_classes() -> None:
    one = examples()
    classes = one.targets[:, 0].astype(np.int32)  # type: ignore[index]  # an array
    one_hot = Examples(one.inputs, np.eye(2, dtype=np.float32)[classes])
    np.testing.assert_array_equal(
        text_layers.log_count_ratios(one_hot, 3, 2),
        text_layers.log_count_ratios(Examples(one.inputs, classes), 3, 2),
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_ngrams_learn_in_16_bits_too(weighted: bool) -> None:
    ids, values = np.array([[1, 2, 0], [3, 0, 0]], np.int32), np.array([[1.5, 2.0, 0], [0.5, 0, 0]], np.float32)
    narrow, wide = (text_layers.NgramSum(3, 2, dtype=dtype) for dtype in ("mixed_bfloat16", "float32"))
    for layer in (narrow, wide):
        layer.build((None, None))
        layer.kernel.assign(np.arange(8, dtype=np.float32).reshape(4, 2) * (np.arange(4)[:, None] > 0))
        more = (values,) if weighted else ()
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.cast(layer(ids, *more, training=True), tf.float32))
        layer.found = total, tf.convert_to_tensor(tape.gradient(total, layer.kernel.value))
    for ours, theirs in zip(narrow.found, wide.found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0.01)


def test_one_table_learns_as_weights_on_scaled_inputs_do() -> None:
    """u = r w with its gradient scaled by r² takes the steps that w takes on inputs scaled by r."""
    layer = text_layers.NgramSum(3, 1, activation="sigmoid", start=0.5)
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    layer.start_from(examples())
    ratio = np.asarray(layer.ratio)[:, 0]
    rows = examples().inputs["ngram_ids"].take(np.arange(6))
    scaled = np.zeros((6, 4))
    np.put_along_axis(scaled, rows.astype(np.int64), 1.0, axis=1)
    scaled = scaled * ratio
    targets = examples().targets
    weights, bias = np.full(4, 0.5), 0.0
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
    for _ in range(5):
        model.train_on_batch(rows, targets)
        error = 1 / (1 + np.exp(-(scaled @ weights + bias))) - np.asarray(targets)[:, 0]
        weights, bias = weights - 0.5 * scaled.T @ error / 6, bias - 0.5 * error.mean()
    np.testing.assert_allclose(np.asarray(layer.kernel)[1:, 0], (ratio * weights)[1:], rtol=1e-4)
    assert np.asarray(layer.kernel)[0] == 0
    np.testing.assert_allclose(np.asarray(layer.bias), bias, atol=1e-5)


def test_values_weigh_ngrams_in_training_and_in_answers_alike() -> None:
    layer = text_layers.NgramSum(3, 2)
    ids, values = np.array([[1, 3], [2, 0]], np.int32), np.array([[0.5, 2.0], [1.0, 0.0]], np.float32)
    layer(ids, values)
    kernel = np.arange(8, dtype=np.float32).reshape(4, 2)
    kernel[0] = 0
    layer.kernel.assign(kernel)
    expected = [0.5 * kernel[1] + 2 * kernel[3], kernel[2]]
    np.testing.assert_allclose(layer(ids, values, training=False), expected)
    np.testing.assert_allclose(layer(ids, values, training=True), expected)
