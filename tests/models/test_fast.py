"""Does the fast network start as its paper says, and answer for mirror images alike?"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Spec, Tensor
from dlkit.errors import SettingsError
from dlkit.export.litert import write_litert
from dlkit.inference.litert import LiteRT
from dlkit.models.fast import fast
from dlkit.models.image_layers import Dirac, QuickBias, Whitening
from dlkit.models.images import multiply_adds
from dlkit.training.fit import Objective, fit, seeded
from dlkit.training.settings import Training

MEAN, SPREAD = np.array([120.0, 110.0, 100.0], np.float32), np.array([60.0, 55.0, 70.0], np.float32)


def spec(size: int = 16) -> Spec:
    return Spec(
        {"pixels": Tensor((size, size, 3), "uint8")},
        {"answer": Head(4, "softmax")},
        {"image_size": size, "channels": 3},
        {"pixel_mean": MEAN, "pixel_spread": SPREAD},
    )


def pictures(rows: int = 32, size: int = 16) -> np.ndarray:
    """Smooth ones, whose neighbouring pixels and colours go together."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 200, (rows, size // 4, size // 4, 1)).repeat(4, axis=1).repeat(4, axis=2)
    return (coarse + rng.integers(0, 56, (rows, size, size, 3))).astype(np.uint8)


def whitened(rows: np.ndarray) -> Whitening:
    layer = Whitening(MEAN, SPREAD)
    layer.build((None, *rows.shape[1:]))
    layer.start_from(Examples({"pixels": rows}))
    return layer


def test_whitened_patches_have_the_identity_as_their_second_moments() -> None:
    rows = pictures(64)
    found = np.asarray(whitened(rows)((rows - MEAN) / SPREAD))
    patches = found.reshape(-1, 24)
    moments = patches.T @ patches / len(patches)
    np.testing.assert_allclose(moments[:12, :12], np.eye(12), atol=0.05)  # epsilon is 1 % of the least eigenvalue
    np.testing.assert_allclose(patches[:, 12:], -patches[:, :12], atol=1e-4)


def test_directions_come_from_the_most_frequent_to_the_rarest() -> None:
    kernel = np.asarray(whitened(pictures(64)).kernel).reshape(12, 24)
    lengths = np.linalg.norm(kernel[:, :12], axis=0)  # 1 / sqrt(eigenvalue + epsilon)
    assert (np.diff(lengths) > 0).all()


def test_the_house_starts_the_network_from_the_training_rows_and_leaves_the_filters_frozen() -> None:
    rows = pictures(24)
    targets = np.arange(24, dtype=np.int32) % 4
    trained = fit(
        lambda: fast(spec(), widths=(6, 8)),
        Examples({"pixels": rows}, targets),
        None,
        objective=Objective("sparse_categorical_crossentropy", ["accuracy"]),
        settings=Training(epochs=1, batch_size=8, keep="last"),
        seed=0,
        say=lambda _: None,
    )
    layer = trained.model.get_layer("whitening")
    np.testing.assert_allclose(layer.kernel, whitened(rows).kernel, atol=1e-6)
    assert [weight.name for weight in layer.trainable_weights] == ["bias"]
    assert np.abs(np.asarray(layer.bias)).max() > 0


def test_filters_start_as_the_identity_and_the_rest_as_pytorch_s() -> None:
    with seeded(0):
        kernel = np.asarray(Dirac()((3, 3, 4, 10)))
    assert (kernel[..., :4] != 0).sum() == 4
    assert all(kernel[1, 1, channel, channel] == 1 for channel in range(4))
    limit = 1 / (3 * 3 * 4) ** 0.5
    assert 0.95 * limit < np.abs(kernel[..., 4:]).max() <= limit
    narrow = np.asarray(Dirac()((3, 3, 4, 2)))
    assert narrow.sum() == 2 and narrow[1, 1, 1, 1] == 1


def test_biases_take_steps_as_many_times_as_large_as_their_rate() -> None:
    rows, ends = np.ones((4, 3), np.float32), {}
    for rate in (1.0, 64.0):
        inputs = keras.Input((3,))
        model = keras.Model(inputs, QuickBias(rate)(inputs))
        model.compile(
            keras.optimizers.SGD(1e-4, momentum=0.9, nesterov=True), lambda _, outputs: outputs, jit_compile=False
        )
        for _ in range(3):
            model.train_on_batch(rows, rows)
        ends[rate] = float(np.asarray(model(0 * rows))[0, 0])
    assert ends[64.0] == pytest.approx(64 * ends[1.0], rel=1e-4)


def test_the_answer_is_the_mean_of_both_logits_outside_of_training_only() -> None:
    rows = pictures()
    keras.utils.set_random_seed(1)
    once = fast(spec(), widths=(6, 8), test_flip=False)
    twice = fast(spec(), widths=(6, 8))
    twice.set_weights(once.get_weights())
    logits = keras.Model(once.inputs[0], once.get_layer("answer").input)
    kernel = once.get_layer("answer").get_weights()[0]
    both = (np.asarray(logits(rows)) @ kernel + np.asarray(logits(rows[:, :, ::-1])) @ kernel) / 2
    np.testing.assert_allclose(twice(rows), keras.ops.softmax(both), atol=1e-6)
    np.testing.assert_allclose(twice(rows[:, :, ::-1]), twice(rows), atol=1e-6)
    assert np.abs(np.asarray(once(rows)) - np.asarray(twice(rows))).max() > 1e-6
    np.testing.assert_array_equal(once(rows, training=True), twice(rows, training=True))
    assert twice(rows[:1]).shape == (1, 4)


def test_mirror_images_are_in_the_litert_file_and_cost_no_second_set_of_weights(tmp_path: Path) -> None:
    rows, files = pictures(), {}
    for flip in (False, True):
        files[flip] = tmp_path / f"{flip}.tflite"
        model = fast(spec(), widths=(16, 32), test_flip=flip)
        write_litert(files[flip], model, spec().inputs)
        np.testing.assert_allclose(LiteRT(files[flip]).run({"pixels": rows}), model(rows), atol=1e-5)
    assert files[True].stat().st_size < 1.1 * files[False].stat().st_size


def test_a_picture_of_cifar_takes_as_many_operations_as_counted_by_hand() -> None:
    whitening, head = 31 * 31 * 2 * 2 * 3 * 24, 256 * 4
    first = 9 * (31 * 31 * 24 * 64 + 15 * 15 * 64 * 64)
    second = 9 * (15 * 15 * 64 * 256 + 7 * 7 * 256 * 256)
    third = 9 * (7 * 7 * 256 * 256 + 3 * 3 * 256 * 256)
    counted = multiply_adds(fast(spec(32)))
    assert counted == whitening + first + second + third + head
    assert round(counted / 1e6) == 118 and round(2 * counted / 1e6) == 236


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": ()}, "model.widths: expected one or more positive numbers, got none"),
        ({"widths": (8, 0)}, "model.widths"),
        ({"widths": (8, 8, 8, 8)}, "preprocessing.size=16.*17 pixels or more"),
        ({"bias_rate": 0.0}, "model.bias_rate"),
    ],
)
def test_settings_that_make_no_network_are_said(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        fast(spec(), **options)  # type: ignore[arg-type]  # parametrised
