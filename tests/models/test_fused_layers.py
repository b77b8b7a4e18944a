"""Do the fused layers learn what Keras' own layers learn?"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from dlkit.models.image_layers import FusedBatchNormalization, FusedGelu

MAPS = np.random.default_rng(0).normal(3, 2, (6, 5, 4, 8)).astype(np.float32)
CHANGE = np.random.default_rng(1).normal(0, 1, MAPS.shape).astype(np.float32)


def learned(layer: keras.layers.Layer, maps: np.ndarray = MAPS) -> list[np.ndarray]:
    """A training call's answer, the gradients of its input and of its weights, and the statistics it keeps."""
    layer.build(maps.shape)

    @tf.function
    def step(inputs: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            answer = layer(inputs, training=True)
            loss = ops.sum(ops.cast(answer, "float32") * CHANGE[: len(maps)])
        return [answer, *tape.gradient(loss, [inputs, *(weight.value for weight in layer.trainable_variables)])]

    found = step(tf.constant(maps))
    kept = [weight.value for weight in layer.non_trainable_variables]
    return [ops.convert_to_numpy(ops.cast(each, "float32")) for each in [*found, *kept]]


@pytest.mark.parametrize("options", [{}, {"center": False, "scale": False}, {"momentum": 0.5, "epsilon": 0.1}])
def test_batch_normalisation_answers_learns_and_remembers_as_keras_does(options: dict[str, object]) -> None:
    pairs = zip(
        learned(FusedBatchNormalization(**options)), learned(keras.layers.BatchNormalization(**options)), strict=True
    )
    for ours, keras_own in pairs:
        np.testing.assert_allclose(ours, keras_own, rtol=1e-4, atol=1e-4)


def test_batch_normalisation_in_16_bits_is_as_exact_as_its_answer_can_be() -> None:
    exact = learned(keras.layers.BatchNormalization())
    found = learned(FusedBatchNormalization(dtype="mixed_bfloat16"))
    for ours, true in zip(found, exact, strict=True):
        np.testing.assert_allclose(ours, true, atol=0.01 * np.abs(true).max())


def test_statistics_of_32_bits_are_kept_in_a_16_bit_network() -> None:
    layer = FusedBatchNormalization(dtype="mixed_bfloat16")
    answer = layer(MAPS, training=True)
    assert keras.backend.standardize_dtype(answer.dtype) == "bfloat16"
    assert {weight.dtype for weight in layer.weights} == {"float32"}


@pytest.mark.parametrize(("shape", "options"), [((6, 8), {}), ((6, 5, 8), {}), ((6, 5, 4, 8), {"axis": 1})])
def test_other_ranks_and_axes_are_normalised_as_keras_does(shape: tuple[int, ...], options: dict[str, int]) -> None:
    rows = MAPS.ravel()[: int(np.prod(shape))].reshape(shape)
    ours, own = FusedBatchNormalization(**options), keras.layers.BatchNormalization(**options)
    np.testing.assert_allclose(ours(rows, training=True), own(rows, training=True), atol=1e-5)
    np.testing.assert_allclose(ours.moving_variance, own.moving_variance, rtol=1e-5)


def test_a_frozen_normalisation_uses_what_it_remembers_and_remembers_nothing_new() -> None:
    layer = FusedBatchNormalization()
    layer(MAPS, training=True)
    before = np.array(layer.moving_mean)
    layer.trainable = False
    np.testing.assert_allclose(layer(MAPS * 2, training=True), layer(MAPS * 2, training=False), atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, before)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_gelu_and_its_gradient_are_those_of_keras(precision: str) -> None:
    exact = learned(keras.layers.Activation(lambda maps: ops.gelu(maps, approximate=False)))
    allowed = {"float32": 1e-5, "mixed_bfloat16": 0.02}[precision]
    for ours, true in zip(learned(FusedGelu(dtype=precision)), exact, strict=True):
        np.testing.assert_allclose(ours, true, rtol=allowed, atol=allowed)


def test_gelu_answers_in_inference_as_in_training_for_batches_of_any_size() -> None:
    layer = FusedGelu()
    for rows in (6, 1, 3):
        np.testing.assert_allclose(layer(MAPS[:rows], training=True), layer(MAPS[:rows]), atol=1e-6)


def test_outside_of_training_no_operation_needs_xla() -> None:
    layers = keras.Sequential([keras.Input((5, 4, 8)), FusedBatchNormalization(), FusedGelu()])
    graph = tf.function(lambda maps: layers(maps, training=False)).get_concrete_function(tf.constant(MAPS)).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert not {kind for kind in kinds if "PartitionedCall" in kind or "FusedBatchNorm" in kind}


def test_both_come_back_from_a_file_with_their_settings(tmp_path: object) -> None:
    path = f"{tmp_path}/model.keras"
    model = keras.Sequential([keras.Input((5, 4, 8)), FusedBatchNormalization(momentum=0.7, scale=False), FusedGelu()])
    model(MAPS, training=True)
    model.save(path)
    again = keras.saving.load_model(path)
    assert again.layers[0].momentum == 0.7 and isinstance(again.layers[1], FusedGelu)
    np.testing.assert_allclose(again(MAPS), model(MAPS), atol=1e-6)
