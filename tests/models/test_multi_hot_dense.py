"""Is `MultiHotDense` on word ids the same layer as `Dense` on multi-hot rows, in training too?"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest
from keras import ops

from dlkit.contracts import Head, Spec, Tensor
from dlkit.models import dense
from dlkit.models.layers import MultiHotDense
from dlkit.training.fit import seeded

WORDS, ROWS, LONGEST = 40, 64, 12


class SparseGradient(MultiHotDense):
    """The layer as one would write it first, without `* 1.0`: the kernel's gradient comes in slices."""

    def call(self, word_ids: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:  # noqa: ARG002 (Keras' signature)
        padded = ops.concatenate([ops.zeros((1, self.units)), self.kernel.value], axis=0)
        return self.activation(ops.sum(ops.take(padded, word_ids, axis=0), axis=1) + self.bias)


@pytest.fixture(autouse=True)
def _repeatable() -> Iterator[None]:
    with seeded(0):
        yield


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Word ids, the same rows multi-hot, and labels that depend on them; words recur from row to row."""
    rng = np.random.default_rng(0)
    ids = np.zeros((ROWS, LONGEST), np.int32)
    hot = np.zeros((ROWS, WORDS), np.float32)
    for row in range(ROWS):
        chosen = np.sort(rng.choice(WORDS, rng.integers(1, LONGEST + 1), replace=False))
        ids[row, : len(chosen)] = chosen + 1
        hot[row, chosen] = 1
    return ids, hot, (hot[:, :5].sum(axis=1) > 1).astype(np.float32)[:, None]


def by_ids(layer: type[MultiHotDense] = MultiHotDense) -> keras.Model:
    first = layer(WORDS, 16, activation="relu")
    return keras.Sequential([keras.Input((None,), dtype="int32"), first, *_rest()])


def by_rows() -> keras.Model:
    return keras.Sequential([keras.Input((WORDS,)), keras.layers.Dense(16, activation="relu"), *_rest()])


def _rest() -> list[keras.layers.Layer]:
    return [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]


def trained(
    model: keras.Model, start: list[np.ndarray], inputs: np.ndarray, labels: np.ndarray, optimizer: str
) -> list[np.ndarray]:
    """The weights after 12 steps from `start`."""
    model.set_weights(start)
    chosen = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": 0.01}})
    model.compile(chosen, "binary_crossentropy", jit_compile=False)
    for step in range(12):
        batch = slice(16 * (step % 4), 16 * (step % 4) + 16)
        model.train_on_batch(inputs[batch], labels[batch])
    return model.get_weights()


def largest_difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    return max(float(np.abs(one - two).max()) for one, two in zip(ours, theirs, strict=True))


def test_10_000_words_and_16_16_1_units_have_160_305_parameters() -> None:
    spec = Spec({"word_ids": Tensor((None,), "int32")}, {"answer": Head(1, "sigmoid")}, {"vocabulary": 10_000})
    assert dense.mlp(spec, units=(16, 16)).count_params() == 160_305


def test_parameters_and_outputs_are_those_of_dense(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    ids, hot, _ = rows
    ours, theirs = by_ids(), by_rows()
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.get_weights()]
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours.predict(ids, verbose=0), theirs.predict(hot, verbose=0), atol=1e-6)


def test_further_padding_changes_nothing(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    model, ids = by_ids(), rows[0]
    wider = np.pad(ids, ((0, 0), (0, 9)))
    np.testing.assert_allclose(model.predict(ids, verbose=0), model.predict(wider, verbose=0), atol=1e-6)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_weights_after_training_steps_are_those_of_dense(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], optimizer: str
) -> None:
    ids, hot, labels = rows
    start = by_rows().get_weights()
    ours = trained(by_ids(), start, ids, labels, optimizer)
    theirs = trained(by_rows(), start, hot, labels, optimizer)
    assert largest_difference(ours, start) > 1e-3
    assert largest_difference(ours, theirs) < 1e-6


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_a_gradient_in_slices_drifts_away_from_dense(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray], optimizer: str
) -> None:
    ids, hot, labels = rows
    start = by_rows().get_weights()
    naive = trained(by_ids(SparseGradient), start, ids, labels, optimizer)
    theirs = trained(by_rows(), start, hot, labels, optimizer)
    assert largest_difference(naive, theirs) > 1e-3
