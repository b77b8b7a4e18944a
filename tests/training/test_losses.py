"""Are the losses what their formulas say, and can they be trained on at the edges of a probability?"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit.errors import SettingsError
from dlkit.tasks import Classification
from dlkit.training.losses import SIDE, Tokens, margin, named
from dlkit.training.settings import Training


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def plain(classes: np.ndarray, logits: np.ndarray) -> list[float]:
    """Squared hinges of each class, right or wrong, on logits less their mean (Liu & Yuan 2011)."""
    losses, k = [], logits.shape[1]
    for right, row in zip(classes, logits, strict=True):
        decisions = [logit - sum(row) / k for logit in row]
        hinges = [
            max(0.0, SIDE * (2 * k - 2) / k - one) if place == right else max(0.0, SIDE * 2 / k + one)
            for place, one in enumerate(decisions)
        ]
        losses.append(sum(hinge**2 for hinge in hinges) / SIDE)
    return losses


LOGITS = np.random.default_rng(0).normal(0, 4, (30, 5))
CLASSES = np.random.default_rng(1).integers(0, 5, 30)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_margin_is_the_squared_hinge_of_the_formula(shape: tuple[int, ...], dtype: str) -> None:
    found = margin(CLASSES.reshape(shape).astype(dtype), softmax(LOGITS).astype(np.float32))
    np.testing.assert_allclose(found, plain(CLASSES, LOGITS), rtol=1e-4, atol=1e-4)


def test_one_sigmoid_is_the_softmax_of_two_classes() -> None:
    logits = np.random.default_rng(2).normal(0, 3, (30, 1))
    classes = np.random.default_rng(3).integers(0, 2, (30, 1)).astype(np.float32)
    one = margin(classes, (1 / (1 + np.exp(-logits))).astype(np.float32))
    two = np.concatenate([np.zeros_like(logits), logits], axis=1)
    np.testing.assert_allclose(one, margin(classes, softmax(two).astype(np.float32)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(one, plain(classes[:, 0].astype(int), two), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_classes_that_are_on_their_side_cost_nothing_and_others_do(count: int) -> None:
    """The right class is then 2 SIDE above each other one."""
    logits = np.zeros((3, count))
    logits[:, 0] = 2 * SIDE + 0.1, 2 * SIDE - 0.5, 0
    found = np.asarray(margin(np.zeros(3), softmax(logits).astype(np.float32)))
    assert found[0] == 0 and 0.001 < found[1] < 0.1 and found[2] > SIDE


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("probability", [0.0, 1e-45, 1e-30, 1e-7, 1 - 6e-8, 1.0])
@pytest.mark.parametrize("units", [1, 2])
def test_loss_and_gradient_are_finite_for_every_probability(target: int, probability: float, units: int) -> None:
    row = [probability] if units == 1 else [1 - probability, probability]
    given = tf.constant([row], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = margin(np.array([[target]], np.float32), given)
    assert np.isfinite(loss).all() and np.isfinite(tape.gradient(loss, given)).all()
    assert loss.shape == (1,)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_network_learns_by_margin_and_its_file_remembers_it(classes: int, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    rows = np.random.default_rng(0).normal(size=(96, classes)).astype(np.float32)
    targets = rows.argmax(axis=1)
    head = keras.layers.Dense(1, "sigmoid") if classes == 2 else keras.layers.Dense(classes, "softmax")
    model = keras.Sequential([keras.Input((classes,)), head])
    model.compile(keras.optimizers.Adam(0.1), margin, metrics=["accuracy"])
    encoded = targets[:, None].astype(np.float32) if classes == 2 else targets.astype(np.int32)
    history = model.fit(rows, encoded, epochs=15, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 2 and history["accuracy"][-1] > 0.9
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").evaluate(rows, encoded, verbose=0, return_dict=True)
    assert again["loss"] == pytest.approx(model.evaluate(rows, encoded, verbose=0, return_dict=True)["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss_name": "hinge"}, "task.loss_name: expected crossentropy or margin, got 'hinge'"),
        ({"loss_name": "margin", "targets": "one_hot"}, "task.loss_name=margin needs task.targets=sparse"),
    ],
)
def test_a_loss_that_does_not_exist_or_fit_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Classification(**settings)  # type: ignore[arg-type]  # what a user may write


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 1.0, "optimizer": "sgd"}, r"training.momentum: expected a number in \[0, 1\), got 1.0"),
        ({"momentum": -0.1, "optimizer": "sgd"}, r"training.momentum: expected a number in \[0, 1\)"),
        ({"momentum": float("nan"), "optimizer": "sgd"}, "training.momentum: expected a number"),
        ({"momentum": 0.9}, "training.momentum needs training.optimizer=sgd, got adam"),
    ],
)
def test_momentum_out_of_range_or_without_sgd_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Training(**settings)  # type: ignore[arg-type]  # what a user may write
    assert Training(optimizer="sgd", momentum=0.9).momentum == 0.9


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_loss_of_words_and_its_gradient_are_those_of_smoothed_targets(smoothing: float, dtype: str) -> None:
    """As Keras has them on one-hot targets, without the places where no word is."""
    words = np.array([[2, 1, 3], [4, 0, 0]], dtype)
    logits = tf.constant(np.random.default_rng(4).normal(0, 3, (2, 3, 5)), tf.float32)
    plainly = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        found = Tokens(smoothing)(words, logits)
        right = plainly(keras.utils.to_categorical(words[words != 0], 5), tf.boolean_mask(logits, words != 0))
    np.testing.assert_allclose(found, right, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(found, logits), tape.gradient(right, logits), atol=1e-6)


def test_two_answers_to_a_row_are_asked_to_be_alike() -> None:
    """Liang et al. 2021, eq. 4: both cross-entropies, and the mean of the two divergences `consistency` times."""
    words = np.array([[2, 1, 3], [4, 3, 0]])
    logits = tf.constant(np.random.default_rng(4).normal(0, 3, (4, 3, 5)), tf.float32)
    divergence = keras.losses.KLDivergence(reduction="sum")
    there = words != 0
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        found = Tokens(0.1, 3.0)(np.tile(words, (2, 1)), logits)
        one, other = (tf.nn.softmax(tf.boolean_mask(half, there)) for half in tf.split(logits, 2))
        both = (divergence(one, other) + divergence(other, one)) / 2
        separate = sum(Tokens(0.1)(words, half) for half in tf.split(logits, 2)) * there.sum()
        right = (separate + 3.0 * both) / (2 * there.sum())
    np.testing.assert_allclose(found, right, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(found, logits), tape.gradient(right, logits), atol=1e-6)


def test_equal_answers_to_a_row_cost_nothing_more() -> None:
    words = np.array([[2, 1, 3], [4, 3, 0]])
    logits = tf.constant(np.random.default_rng(4).normal(0, 3, (2, 3, 5)), tf.float32)
    twice = Tokens(0.1, 5.0)(np.tile(words, (2, 1)), tf.tile(logits, (2, 1, 1)))
    np.testing.assert_allclose(twice, Tokens(0.1)(words, logits), rtol=1e-6)


@pytest.mark.parametrize("consistency", [0.0, 3.0])
def test_networks_that_learn_side_by_side_have_the_mean_of_their_losses(consistency: float) -> None:
    words = np.tile(np.array([[2, 1, 3], [4, 3, 0]]), (2, 1))
    logits = tf.constant(np.random.default_rng(4).normal(0, 3, (2, 4, 3, 5)), tf.float32)
    loss = Tokens(0.1, consistency)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        found, right = loss(words, logits), (loss(words, logits[0]) + loss(words, logits[1])) / 2
    np.testing.assert_allclose(found, right, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(found, logits), tape.gradient(right, logits), atol=1e-7)


def test_only_losses_of_words_compare_two_answers() -> None:
    assert named("tokens:0.1", consistency=2.0).consistency == 2.0  # type: ignore[attr-defined]  # named gives an object
    with pytest.raises(SettingsError, match=r"training\.consistency=2 compares .*; the answers of this recipe are"):
        named("mse", consistency=2.0)


def test_loss_of_words_bears_logits_whose_powers_are_beyond_any_number() -> None:
    logits = tf.constant([[[1e4, -1e4, 0.0], [0.0, 1e4, -1e4]]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = Tokens(0.1)(np.array([[1, 1]]), logits)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, logits)).all()
