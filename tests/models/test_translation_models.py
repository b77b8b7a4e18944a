"""Does every network that translates hold what decoding and training count on?"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import ops

from dlkit.contracts import Head, Spec, Tensor
from dlkit.errors import SettingsError
from dlkit.export.proof import keras_model
from dlkit.models import translation, translation_layers, translator_ensembles
from dlkit.pipeline import take_over

WORDS = 20
SIZES = {"source_vocabulary": WORDS, "target_vocabulary": WORDS, "joint": 1, "longest_source": 12, "longest_target": 12}
INPUTS = {"source": Tensor((None,), "int32"), "target": Tensor((None,), "int32")}
SPEC = Spec(INPUTS, {"tokens": Head(WORDS + 1)}, SIZES)
APART = Spec(INPUTS, {"tokens": Head(WORDS + 5)}, SIZES | {"target_vocabulary": WORDS + 4, "joint": 0})
SMALL: dict[str, Any] = {"width": 16, "heads": 2, "intermediate": 24, "encoders": 2, "decoders": 2}
SEQ2SEQ: Callable[..., keras.Model] = partial(translation.seq2seq, dimension=8, units=12)
MODELS: dict[str, Callable[[Spec], keras.Model]] = {
    "transformer": partial(translation.transformer, **SMALL),
    "post_norm": partial(translation.transformer, **SMALL, pre_norm=False),
    "members": partial(translation.transformer, **SMALL, members=2),
    **{
        f"{cell}_{attention}": partial(SEQ2SEQ, cell=cell, attention=attention)
        for cell, attention in itertools.product(("lstm", "gru"), ("none", "additive", "dot"))
    },
    "copy": partial(SEQ2SEQ, copy=True),
}
NAMES = tuple(MODELS)


def built(name: str, spec: Spec = SPEC) -> keras.Model:
    """The network with weights larger than at first, so that what it reads makes a difference."""
    keras.utils.set_random_seed(1)
    model = MODELS[name](spec)
    random = np.random.default_rng(2)
    model.set_weights([weight + 0.3 * random.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def rows() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    source, target = random.integers(4, WORDS + 1, (3, 7)), random.integers(4, WORDS + 1, (3, 6))
    source[1, 4:], target[:, 0] = 0, 1
    return {"source": source.astype(np.int32), "target": target.astype(np.int32)}


@pytest.mark.parametrize("name", NAMES)
def test_a_later_word_changes_no_earlier_output(name: str) -> None:
    model, inputs = built(name), rows()
    before = np.asarray(model(inputs))
    changed = inputs["target"].copy()
    changed[:, 4] = changed[:, 4] % WORDS + 1
    after = np.asarray(model(inputs | {"target": changed}))
    np.testing.assert_array_equal(after[:, :4], before[:, :4])
    assert np.abs(after[:, 4:] - before[:, 4:]).max(axis=(0, 2)).min() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_no_output(name: str) -> None:
    model, inputs = built(name), rows()
    expected = np.asarray(model(inputs))
    padded = {key: np.pad(ids, ((0, 0), (0, 4))) for key, ids in inputs.items()}
    np.testing.assert_allclose(np.asarray(model(padded))[:, :6], expected, atol=2e-5)
    alone = {"source": inputs["source"][1:2, :4], "target": inputs["target"][1:2]}
    np.testing.assert_allclose(np.asarray(model(alone)), expected[1:2], atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_steps_with_a_cache_give_what_the_whole_target_gives(name: str) -> None:
    model, inputs = built(name), rows()
    expected = np.asarray(model(inputs))
    state = model.encode(inputs["source"])
    cache = model.first_cache(state, 9)
    shapes = {key: tuple(tensor.shape) for key, tensor in cache.items()}
    for position in range(6):
        logits, cache = model.step(inputs["target"][:, position], ops.convert_to_tensor(position), state, cache)
        np.testing.assert_allclose(np.asarray(logits), expected[:, position], atol=2e-5)
        assert {key: tuple(tensor.shape) for key, tensor in cache.items()} == shapes
    assert all(tensor.shape[0] == 3 for tensor in [*state.values(), *cache.values()])


@pytest.mark.parametrize("name", NAMES)
def test_the_source_is_read(name: str) -> None:
    model, inputs = built(name), rows()
    other = np.roll(inputs["source"], 1, axis=0)
    assert np.abs(np.asarray(model(inputs)) - np.asarray(model(inputs | {"source": other}))).max() > 1e-3


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("none")])
def test_attention_is_shares_of_the_words_that_are_there(name: str) -> None:
    weights = np.asarray(built(name).attention(rows()))
    assert weights.shape == (3, 6, 7)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    assert weights[1, :, 4:].max() == 0
    assert np.ptp(weights[0], axis=0).max() > 1e-3  # other words are looked at from one step to the next


@pytest.mark.parametrize("name", NAMES)
def test_a_file_gives_the_network_back(name: str, tmp_path: Path) -> None:
    model = built(name)
    model.save(tmp_path / "model.keras")
    again = keras_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(again(rows())), np.asarray(model(rows())), atol=1e-6)
    assert again.longest_target == 12


@pytest.mark.parametrize(
    ("name", "filed"),
    [
        ("transformer", {"embedding", "layer_normalization", "layer_normalization_1"}),
        ("copy", {"bidirectional", "dense_2", "embedding", "lstm_cell", "rows_dense_2"}),
    ],
)
def test_weights_lie_in_a_file_where_finished_runs_have_them(name: str, filed: set[str], tmp_path: Path) -> None:
    built(name).save_weights(tmp_path / "model.weights.h5")
    paths: list[str] = []
    with h5py.File(tmp_path / "model.weights.h5") as file:
        file.visit(paths.append)
    assert {path.split("/")[1] for path in paths if path.startswith("layers/") and "/vars/" in path} == filed


@pytest.mark.parametrize("name", ["transformer", "gru_dot"])
def test_languages_may_have_vocabularies_of_their_own(name: str) -> None:
    model = built(name, APART)
    assert model(rows()).shape == (3, 6, WORDS + 5)
    assert model.source_words is not model.target_words


def test_the_same_vectors_serve_both_languages_and_the_logits() -> None:
    tables = [weight for weight in built("transformer").weights if weight.shape == (WORDS + 1, 16)]
    assert len(tables) == 1


def test_positions_follow_the_formula() -> None:
    table = translation_layers.sinusoids(50, 8)
    for place, pair in itertools.product((0, 1, 49), range(4)):
        angle = place / 10000 ** (2 * pair / 8)
        np.testing.assert_allclose(table[place, 2 * pair : 2 * pair + 2], [np.sin(angle), np.cos(angle)], atol=1e-6)


@pytest.mark.parametrize("width", [8, 7])
def test_positions_are_those_of_keras_hub(width: int) -> None:
    import keras_hub

    theirs = keras_hub.layers.SinePositionEncoding()(np.zeros((1, 50, width), np.float32))
    np.testing.assert_allclose(translation_layers.sinusoids(50, width), np.asarray(theirs)[0], atol=1e-5)


def test_a_place_is_told_from_another() -> None:
    model = built("transformer")
    same = {"source": np.full((1, 5), 7, np.int32), "target": np.array([[1, 7, 7]], np.int32)}
    first = np.asarray(model(same))
    assert np.abs(first[0, 1] - first[0, 2]).max() > 1e-3


def test_a_copied_word_is_one_of_the_source() -> None:
    model, inputs = built("copy"), rows()
    model.gate.bias.assign([-1e4])  # always copies
    chances = np.exp(np.asarray(model(inputs)))
    for row, source in enumerate(inputs["source"]):
        np.testing.assert_allclose(chances[row][:, np.unique(source[source > 0])].sum(axis=-1), 1, atol=1e-4)


def test_members_learn_apart_and_answer_by_their_mean() -> None:
    model, inputs = built("members"), rows()
    one, other = (np.asarray(member(inputs)) for member in model.members)
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(np.asarray(model(inputs)), (one + other) / 2, atol=1e-6)
    plain = translation.transformer(SPEC, **SMALL, members=2, dropout=0.0)
    plain.set_weights(model.get_weights())
    np.testing.assert_allclose(np.asarray(plain(inputs, training=True)), [one, other], atol=1e-6)


def test_attention_is_that_of_the_members_that_have_any() -> None:
    looks, does_not = (translation.seq2seq(SPEC, dimension=8, units=12, attention=kind) for kind in ("dot", "none"))
    expected = np.asarray(looks.attention(rows()))
    for members in ([looks, does_not], [does_not, looks]):
        np.testing.assert_array_equal(np.asarray(translator_ensembles.Members(members).attention(rows())), expected)
    assert translator_ensembles.Members([does_not, does_not]).attention(rows()) is None


def test_scheduled_sampling_reads_own_guesses_in_training_only() -> None:
    model = translation.seq2seq(SPEC, dimension=8, units=12, dropout=0.0, sampling=0.5, sampling_steps=1)
    plain = np.asarray(model(rows()))
    np.testing.assert_array_equal(np.asarray(model(rows(), training=False)), plain)
    np.testing.assert_allclose(np.asarray(model(rows(), training=True)), plain, atol=1e-6)  # the first step
    mixed = np.asarray(model(rows(), training=True))
    np.testing.assert_allclose(mixed[:, 0], plain[:, 0], atol=1e-6)  # after the start, which is nobody's guess
    assert np.abs(mixed - plain).max() > 1e-5


def test_own_guesses_are_read_more_and_more_often() -> None:
    model = translation.seq2seq(SPEC, dimension=8, units=12, sampling=0.6, sampling_steps=4)
    shares = []
    for _ in range(6):
        shares.append(float(model.sampling_share()))
        model(rows())  # who only translates trains nothing
        model(rows(), training=True)
    np.testing.assert_allclose(shares, [0, 0.15, 0.3, 0.45, 0.6, 0.6], atol=1e-6)


def test_a_network_of_before_the_shares_rose_still_loads() -> None:
    model = translation.seq2seq(SPEC, dimension=8, units=12, sampling=0.5)
    settings = {name: value for name, value in model.get_config().items() if name != "sampling_steps"}
    again = type(model).from_config(settings)
    again.set_weights(model.get_weights())
    assert not any("seed" in weight.path for weight in again.weights)  # what counts the steps is no weight
    np.testing.assert_array_equal(np.asarray(again(rows())), np.asarray(model(rows())))


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (translation.transformer, {"heads": 3}, "multiple of model.heads=3"),
        (translation.transformer, {"encoders": 0}, "encoders"),
        (translation.transformer, {"members": 0}, "members"),
        (translation.transformer, {"dropout": 1.0}, "model.dropout"),
        (translation.seq2seq, {"copy": True, "attention": "none"}, "model.attention=additive"),
        (translation.seq2seq, {"sampling": 1.5}, "model.sampling"),
        (translation.seq2seq, {"units": 0}, "units"),
        (translation.seq2seq, {"sampling_steps": 0}, "model.sampling_steps"),
    ],
)
def test_a_wrong_option_is_refused(model: Callable[..., keras.Model], options: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        model(SPEC, **options)


def test_copying_needs_one_vocabulary() -> None:
    with pytest.raises(SettingsError, match="joint"):
        translation.seq2seq(APART, copy=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_of_one_word_is_read_without_a_warning(name: str) -> None:
    model, target = built(name), rows()["target"]
    one = {"source": np.full((3, 1), 2, np.int32), "target": target}
    padded = {"source": np.pad(one["source"], ((0, 0), (0, 3))), "target": target}
    np.testing.assert_allclose(np.asarray(model(one)), np.asarray(model(padded)), atol=2e-5)


def test_weights_are_taken_over_by_a_network_that_computes_alike_alone(tmp_path: Path) -> None:
    model = built("transformer")
    model.save(tmp_path / "model.keras")
    given = keras_model(tmp_path / "model.keras")
    gentler = translation.transformer(SPEC, **SMALL, dropout=0.1)
    take_over(gentler, given, tmp_path)
    for ours, theirs in zip(gentler.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Its weights have the same shapes.
    other = translation.transformer(SPEC, **SMALL | {"heads": 4})
    before = other.get_weights()
    with pytest.raises(SettingsError, match=r"Transformer.heads=2, and here Transformer.heads=4\). Give the recipe"):
        take_over(other, given, tmp_path)
    assert all(map(np.array_equal, before, other.get_weights()))
    for name in ("gru_dot", "members"):
        with pytest.raises(SettingsError, match="built otherwise"):
            take_over(built(name), given, tmp_path)


def test_weights_of_members_are_taken_over_by_as_many_that_compute_alike(tmp_path: Path) -> None:
    model = built("members")
    gentler = translation.transformer(SPEC, **SMALL, members=2, dropout=0.1)
    take_over(gentler, model, tmp_path)
    np.testing.assert_array_equal(np.asarray(gentler(rows())), np.asarray(model(rows())))
    others = [{"members": 3}, {"members": 2, "heads": 4}]
    for options in others:
        with pytest.raises(SettingsError, match="built otherwise"):
            take_over(translation.transformer(SPEC, **SMALL | options), model, tmp_path)
