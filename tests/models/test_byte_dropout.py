"""Does dropout by bytes do what Keras' dropout does?"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit.models.layers import ByteDropout

ONES = np.ones((40, 50, 101), np.float32)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("rate", "share"), [(0.15, 38 / 256), (0.5, 0.5), (0.001, 1 / 256), (0.999, 255 / 256)])
def test_the_share_that_is_asked_for_is_dropped_and_the_rest_made_up_for(rate: float, share: float, dtype: str) -> None:
    found = np.array(tf.cast(ByteDropout(rate, seed=0, dtype=dtype)(ONES, training=True), tf.float32))
    assert np.mean(found == 0) == pytest.approx(share, abs=4 * (share * (1 - share) / ONES.size) ** 0.5)
    np.testing.assert_allclose(found[found != 0], 1 / (1 - share), rtol=1e-6 if dtype == "float32" else 1e-2)
    # Alike wherever a number stands: the four bytes of a random word are of the same distribution.
    assert np.ptp([np.mean(found.ravel()[start::4] == 0) for start in range(4)]) < 0.02


def test_what_was_dropped_is_not_learned_from() -> None:
    numbers = tf.constant(ONES)
    with tf.GradientTape() as tape:
        tape.watch(numbers)
        found = ByteDropout(0.3, seed=1)(numbers, training=True)
    np.testing.assert_array_equal(tape.gradient(found, numbers), found)


def test_a_seed_fixes_what_is_dropped_and_calls_differ() -> None:
    first, second = ByteDropout(0.3, seed=1), ByteDropout(0.3, seed=1)
    one, other, again = first(ONES, training=True), second(ONES, training=True), first(ONES, training=True)
    np.testing.assert_array_equal(one, other)
    assert np.mean(np.array(one) == np.array(again)) == pytest.approx(0.3**2 + 0.7**2, abs=0.01)


@pytest.mark.parametrize(("rate", "training"), [(0.3, False), (0.0, True)])
def test_nothing_is_dropped_outside_of_training_or_at_a_rate_of_zero(rate: float, training: bool) -> None:
    np.testing.assert_array_equal(ByteDropout(rate)(ONES, training=training), ONES)


def test_at_a_rate_of_one_everything_is() -> None:
    assert not np.any(ByteDropout(1.0)(ONES, training=True))


def test_it_is_saved_with_its_rate(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((50, 101)), ByteDropout(0.3, seed=4)])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.layers[0], ByteDropout) and again.layers[0].rate == 0.3


def test_rows_of_a_length_known_at_the_call_alone_are_dropped_from_too() -> None:
    layer = ByteDropout(0.5, seed=0)
    dropped = tf.function(lambda rows: layer(rows, training=True), input_signature=[tf.TensorSpec((None, None, 3))])
    for length in (1, 7, 30):
        assert dropped(np.ones((2, length, 3), np.float32)).shape == (2, length, 3)
