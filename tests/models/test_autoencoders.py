"""Do the autoencoders learn what their papers say, and give what they cannot reconstruct?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.decomposition import PCA

from dlkit.contracts import Examples, Head, Spec, Tensor
from dlkit.errors import SettingsError
from dlkit.export.litert import write_litert
from dlkit.export.proof import keras_model
from dlkit.inference.litert import LiteRT
from dlkit.models import autoencoder_layers, autoencoders
from dlkit.models.layers import MemberMean

WINDOW = Spec({"window": Tensor((9, 2))}, {"residual": Head(2)})
TABLE = Spec({"features": Tensor((6,))}, {"residual": Head(6)})
OF_ANY = {name: getattr(autoencoders, name) for name in ("dense", "denoising", "sparse", "contractive", "vae", "pca")}
OF_WINDOWS = {name: getattr(autoencoders, name) for name in ("convolutional", "lstm")}
EVERY = OF_ANY | OF_WINDOWS


def correlated(rows: int, *, size: int = 6, rank: int = 2, seed: int = 0) -> np.ndarray:
    """Rows near a plane of `rank` dimensions, off the origin."""
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(9).normal(size=(rank, size))
    spread = rng.normal(size=(rows, rank)) * np.arange(rank + 1, 1, -1)
    return (1 + spread @ axes + 0.05 * rng.normal(size=(rows, size))).astype(np.float32)


def windows(rows: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(rows, 9, 2)).astype(np.float32)


@pytest.mark.parametrize("name", EVERY)
def test_every_model_gives_a_residual_of_its_windows_shape(name: str) -> None:
    model = EVERY[name](WINDOW)
    assert model(windows(3), training=False).shape == (3, 9, 2)


@pytest.mark.parametrize("name", OF_ANY)
def test_what_reads_no_order_takes_rows_of_a_table_too(name: str) -> None:
    assert OF_ANY[name](TABLE)(correlated(3), training=False).shape == (3, 6)


@pytest.mark.parametrize("name", OF_WINDOWS)
def test_what_reads_an_order_refuses_rows_of_a_table(name: str) -> None:
    with pytest.raises(SettingsError, match=f"--model {name} reads windows.*rows of 6 features.*--model dense"):
        OF_WINDOWS[name](TABLE)


@pytest.mark.parametrize("name", EVERY)
def test_outputs_are_the_same_at_each_call_and_out_of_a_file(name: str, tmp_path: Path) -> None:
    model, rows = EVERY[name](WINDOW), windows(4)
    before = np.asarray(model(rows, training=False))
    model.save(tmp_path / "model.keras")
    again = np.asarray(keras_model(tmp_path / "model.keras")(rows, training=False))
    np.testing.assert_array_equal(before, np.asarray(model(rows, training=False)))
    np.testing.assert_allclose(before, again, atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_litert_gives_the_same_residuals_row_after_row(name: str, tmp_path: Path) -> None:
    model, rows = EVERY[name](WINDOW), windows(5)
    write_litert(tmp_path / "model.tflite", model, WINDOW.inputs)
    found = LiteRT(tmp_path / "model.tflite").run({"window": rows})
    np.testing.assert_allclose(found, np.asarray(model(rows, training=False)), atol=1e-5)


@pytest.mark.parametrize("window", [4, 5, 7, 16, 33])
def test_the_convolutional_one_takes_windows_of_any_length(window: int) -> None:
    model = autoencoders.convolutional(Spec({"window": Tensor((window, 1))}, {"residual": Head(1)}))
    assert model.output_shape == (None, window, 1)


def test_the_convolutional_one_says_when_a_window_is_too_short() -> None:
    with pytest.raises(SettingsError, match=r"2 convolutions halve the window 2 times, and it has 3 steps"):
        autoencoders.convolutional(Spec({"window": Tensor((3, 1))}, {"residual": Head(1)}))


@pytest.mark.parametrize("name", ["dense", "pca"])
def test_rows_of_one_number_have_no_shorter_code(name: str) -> None:
    with pytest.raises(SettingsError, match=r"these rows have one. Give a table of two columns or more"):
        OF_ANY[name](Spec({"features": Tensor((1,))}, {"residual": Head(1)}))


@pytest.mark.parametrize("options", [{"code": 6}, {"code": -1}, {"units": (0,)}, {"dropout": 1.0}])
def test_a_wrong_option_is_said(options: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=rf"model\.{next(iter(options))}"):
        autoencoders.dense(TABLE, **options)  # type: ignore[arg-type]  # that is the point


def trained(model: keras.Model, rows: np.ndarray, *, epochs: int, rate: float) -> keras.Model:
    keras.utils.set_random_seed(0)
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(rows, np.zeros_like(rows), batch_size=len(rows), epochs=epochs, verbose=0)
    return model


def test_a_linear_autoencoder_spans_the_same_subspace_as_pca() -> None:
    rows = correlated(200)
    keras.utils.set_random_seed(1)
    model = autoencoders.dense(TABLE, units=(), code=2)
    trained(model, rows, epochs=300, rate=0.05)
    # Reconstructions lie on the plane that the decoder spans; PCA's is the best one.
    decoder = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][-1]
    spanned, _ = np.linalg.qr(np.asarray(decoder.kernel).T)
    components = PCA(2).fit(rows).components_.T
    cosines = np.linalg.svd(spanned.T @ components)[1]
    assert cosines.min() > 0.999


def test_pca_is_scikit_learns() -> None:
    rows = correlated(200)
    model = autoencoders.pca(TABLE, code=2)
    for layer in model.layers:
        if hasattr(layer, "start_from"):
            layer.start_from(Examples({"features": rows}))
    theirs = PCA(2).fit(rows)
    expected = rows - theirs.inverse_transform(theirs.transform(rows))
    np.testing.assert_allclose(np.asarray(model(rows)), expected, atol=1e-4)


def test_no_linear_code_of_two_has_less_error_than_pca() -> None:
    rows = correlated(200)
    theirs = PCA(2).fit(rows)
    best = float(np.square(rows - theirs.inverse_transform(theirs.transform(rows))).mean())
    model = trained(autoencoders.dense(TABLE, units=(), code=2), rows, epochs=100, rate=0.05)
    assert float(np.square(np.asarray(model(rows))).mean()) >= best * (1 - 1e-3)


def test_the_contractive_penalty_is_the_squared_norm_of_the_jacobian() -> None:
    import tensorflow as tf

    layer = autoencoder_layers.ContractiveDense(4, strength=2.0)
    rows = tf.constant(correlated(5))
    layer.build(rows.shape)
    layer(rows, training=True)
    (penalty,) = layer.losses
    with tf.GradientTape() as tape:
        tape.watch(rows)
        hidden = layer(rows, training=False)
    jacobians = tape.batch_jacobian(hidden, rows)
    expected = 2.0 * float(tf.reduce_mean(tf.reduce_sum(tf.square(jacobians), axis=(1, 2))))
    assert float(penalty) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(MemberMean, (9, 4, 1)), (partial(autoencoder_layers.LatentCode, weight=0.5), (9, 2, 3))],
)
def test_what_is_added_to_a_loss_has_32_bits(layer: Callable[..., keras.layers.Layer], shape: tuple[int, ...]) -> None:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = {}
    for dtype in ("float32", "mixed_bfloat16"):
        made = layer(dtype=dtype)
        made(rows, training=True)
        (found[dtype],) = made.losses
        assert found[dtype].dtype == "float32"
    assert float(found["mixed_bfloat16"]) == pytest.approx(float(found["float32"]), rel=0.02)


def test_the_contractive_penalty_is_computed_in_32_bits() -> None:
    rows = correlated(5)
    found = {}
    for dtype in ("float32", "mixed_bfloat16"):
        layer = autoencoder_layers.ContractiveDense(4, strength=2.0, dtype=dtype)
        layer.build(rows.shape)
        layer.kernel.assign(np.linspace(-1, 1, rows.shape[1] * 4).reshape(-1, 4))
        layer(rows, training=True)
        (found[dtype],) = layer.losses
        assert found[dtype].dtype == "float32"
    assert float(found["mixed_bfloat16"]) == pytest.approx(float(found["float32"]), rel=0.02)


def test_the_divergence_of_a_latent_code_is_that_of_the_paper() -> None:
    layer = autoencoder_layers.LatentCode(weight=1.0)
    mean, log_variance = np.array([[0.5, -1.0]], np.float32), np.array([[0.2, -0.3]], np.float32)
    layer(ops.stack([mean, log_variance], axis=1), training=True)
    # Kingma & Welling 2014, appendix B: -1/2 sum(1 + log s² - m² - s²).
    expected = -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance))
    assert float(layer.losses[0]) == pytest.approx(float(expected), rel=1e-5)


def test_a_latent_code_is_drawn_in_training_and_its_mean_elsewhere() -> None:
    layer = autoencoder_layers.LatentCode(weight=0.0)
    code = ops.stack([np.full((400, 1), 3.0, np.float32), np.zeros((400, 1), np.float32)], axis=1)
    drawn = np.asarray(layer(code, training=True))
    assert drawn.mean() == pytest.approx(3, abs=0.3) and drawn.std() == pytest.approx(1, abs=0.2)
    np.testing.assert_array_equal(np.asarray(layer(code, training=False)), np.full((400, 1), 3.0))


@pytest.mark.parametrize(
    ("make", "option"), [(autoencoders.sparse, "strength"), (autoencoders.contractive, "strength")]
)
def test_a_penalty_counts_in_training_alone(make: Callable[..., keras.Model], option: str) -> None:
    model = make(TABLE, **{option: 5.0})
    model(correlated(8), training=True)
    assert sum(float(loss) for loss in model.losses) > 0
    model(correlated(8), training=False)
    assert sum(float(loss) for loss in model.losses) == 0


def test_a_sparse_code_has_less_activity_than_a_free_one() -> None:
    rows = correlated(100)
    activity = []
    for strength in (0.0, 1.0):
        keras.utils.set_random_seed(0)
        model = trained(autoencoders.sparse(TABLE, code=12, strength=strength), rows, epochs=60, rate=0.02)
        (hidden,) = [layer for layer in model.layers if isinstance(layer, autoencoder_layers.SparsePenalty)]
        activity.append(float(np.abs(keras.Model(model.input, hidden.output)(rows)).mean()))
    assert activity[1] < 0.7 * activity[0]


def test_denoising_hears_noise_in_training_alone() -> None:
    model, rows = autoencoders.denoising(TABLE, noise=1.0), correlated(8)
    quiet = np.asarray(model(rows, training=False))
    assert np.abs(np.asarray(model(rows, training=True)) - quiet).max() > 0.01
