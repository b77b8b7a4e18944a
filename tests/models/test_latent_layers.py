"""Are the bounds, their gradients and the tied weights of latent models what their papers say?"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal

from dlkit.contracts import Head, Spec, Tensor
from dlkit.models import compression, latents
from dlkit.models.autoencoder_layers import MaskingNoise, SparsePenalty, divergence
from dlkit.models.latent_codes import Sampling, bernoulli, sampled
from dlkit.models.latent_layers import VariationalAutoencoder
from dlkit.models.latent_parts import described
from dlkit.training.fit import seeded

ROWS = Spec({"row": Tensor((3,))}, {"reconstruction": Head(3)})
LOADINGS = np.array([[1.0, -0.8, 0.5], [0.8, 1.0, 0.0]], np.float32)
"""Orthogonal, so that the posterior's units are independent, as the encoder has them."""


def test_closed_form_kl_is_what_monte_carlo_estimates() -> None:
    mean, log_variance = np.array([0.7, -1.2, 0.0]), np.array([0.5, -1.0, 0.0])
    codes = mean + np.exp(log_variance / 2) * np.random.default_rng(0).normal(size=(200_000, 3))
    log_q = -0.5 * ((codes - mean) ** 2 / np.exp(log_variance) + log_variance)
    estimate = (log_q + 0.5 * codes**2).mean(axis=0)
    np.testing.assert_allclose(np.asarray(divergence(mean, log_variance)), estimate, atol=0.01)
    assert float(divergence(0.0, 0.0)) == 0


def test_gradient_through_a_drawn_code_is_that_of_finite_differences() -> None:
    random = np.random.default_rng(1)
    at = [random.normal(size=(2, 3)), random.normal(size=(2, 3))]
    noise = random.normal(size=(2, 3))

    def smooth(mean: object, log_variance: object) -> tf.Tensor:
        return tf.reduce_sum(tf.sin(sampled(mean, log_variance, noise)) ** 3)

    inputs = [tf.constant(one) for one in at]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = smooth(*inputs)
    for which, gradient in enumerate(tape.gradient(value, inputs)):
        for place in np.ndindex(2, 3):
            step = np.zeros((2, 3))
            step[place] = 1e-5
            moved = [[one + sign * step * (which == number) for number, one in enumerate(at)] for sign in (1, -1)]
            expected = (float(smooth(*moved[0])) - float(smooth(*moved[1]))) / 2e-5
            assert float(gradient[place]) == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_codes_are_drawn_from_the_seed_and_their_noise_is_theirs() -> None:
    mean, log_variance = np.full((500, 2), 2.0, np.float32), np.full((500, 2), np.log(0.25), np.float32)
    codes, noise = (np.asarray(one) for one in Sampling(3)(mean, log_variance, samples=4))
    assert codes.shape == (4, 500, 2)
    np.testing.assert_allclose(codes, 2 + 0.5 * noise, rtol=1e-6)
    assert codes.mean() == pytest.approx(2, abs=0.05)
    assert codes.std() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(codes, np.asarray(Sampling(3)(mean, log_variance, samples=4)[0]))


def linear_gaussian(*, exact: bool, **options: object) -> keras.Model:
    """x = z W + noise, whose likelihood is known: N(0, W'W + 1). With `exact` the encoder is the true posterior."""
    model = latents.mlp(ROWS, code=2, units=(1,), **options)  # type: ignore[arg-type]  # parametrised
    inputs, code = keras.Input((3,), name="row"), keras.Input((2,), name="code")
    encoder = keras.Model(inputs, keras.layers.Dense(4)(inputs))
    decoder = keras.Model(code, keras.layers.Dense(3)(code))
    decoder.set_weights([LOADINGS, np.zeros(3)])
    precision = LOADINGS @ LOADINGS.T + np.eye(2)
    variance = np.diag(np.linalg.inv(precision))
    weights = np.zeros((3, 4), np.float32)
    if exact:
        weights[:, :2] = LOADINGS.T @ np.linalg.inv(precision)
    encoder.set_weights([weights, np.concatenate([np.zeros(2), np.log(variance) if exact else np.zeros(2)])])
    config = {name: getattr(model, name) for name in ("samples", "bound", "gradient", "resampled")}
    return VariationalAutoencoder(encoder, decoder, likelihood="gaussian", **config)


def log_likelihood(rows: np.ndarray) -> float:
    return float(multivariate_normal(np.zeros(3), LOADINGS.T @ LOADINGS + np.eye(3)).logpdf(rows).mean())


def some_rows(count: int = 64) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(count, 3)).astype(np.float32)


def loss_of(model: keras.Model, rows: np.ndarray) -> float:
    model.compile()
    return float(model.test_on_batch(rows, return_dict=True)["loss"])


def test_bound_is_the_likelihood_where_the_encoder_is_the_posterior() -> None:
    rows = some_rows()
    for samples in (1, 7):
        model = linear_gaussian(exact=True, bound="iwae", samples=samples)
        assert -loss_of(model, rows) == pytest.approx(log_likelihood(rows), abs=1e-4)
    # The closed-form KL leaves noise in the reconstruction alone.
    model = linear_gaussian(exact=True, samples=2_000)
    assert -loss_of(model, rows) == pytest.approx(log_likelihood(rows), abs=0.02)


def test_importance_weighted_bound_rises_with_its_samples_to_the_likelihood() -> None:
    rows = some_rows(500)
    bounds = [-loss_of(linear_gaussian(exact=False, bound="iwae", samples=count), rows) for count in (1, 10, 2_000)]
    assert bounds[0] < bounds[1] < bounds[2]
    assert bounds[2] == pytest.approx(log_likelihood(rows), abs=0.02)
    plain = -loss_of(linear_gaussian(exact=False, samples=2_000), rows)
    assert plain == pytest.approx(bounds[0], abs=0.2)


def change(model: keras.Model, rows: np.ndarray) -> list[np.ndarray]:
    """What one step of gradient descent changes, encoder first."""
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1.0))
    model.train_on_batch(rows)
    return [after - value for after, value in zip(model.get_weights(), before, strict=True)]


def test_path_gradient_is_still_where_the_encoder_is_the_posterior() -> None:
    encoder = change(linear_gaussian(exact=True, gradient="path"), some_rows())[:2]
    assert max(np.abs(one).max() for one in encoder) < 1e-5
    # With the sampled codes' density in it, the gradient is 0 on average only.
    encoder = change(linear_gaussian(exact=True), some_rows())[:2]
    assert max(np.abs(one).max() for one in encoder) > 1e-2


@pytest.mark.parametrize(("bound", "samples"), [("elbo", 1), ("elbo", 3), ("iwae", 3)])
def test_path_and_total_gradient_are_the_same_on_average(bound: str, samples: int) -> None:
    rows = np.tile(some_rows(4), (10_000, 1))
    pairs = zip(
        *(change(linear_gaussian(exact=False, bound=bound, samples=samples, gradient=one), rows)
          for one in ("path", "total")),
        strict=True,
    )  # fmt: skip
    for path, total in pairs:
        assert np.abs(total).max() > 0.02
        np.testing.assert_allclose(path, total, atol=0.02)


@pytest.mark.parametrize("resampled", [1, 3])
def test_samples_drawn_by_their_weights_give_the_gradient_of_all_on_average(resampled: int) -> None:
    rows = np.tile(some_rows(4), (20_000, 1))
    options = {"bound": "iwae", "samples": 6, "gradient": "path"}
    pairs = zip(
        *(change(linear_gaussian(exact=False, **options, resampled=one), rows) for one in (0, resampled)), strict=True
    )
    for every, drawn in pairs:
        assert np.abs(every).max() > 0.02
        np.testing.assert_allclose(drawn, every, atol=0.02)


def test_samples_are_drawn_as_often_as_their_weight_has_it() -> None:
    weights = np.array([0.5, 0.0, 0.3, 0.2])
    with np.errstate(divide="ignore"):
        logs = np.repeat(np.log(weights)[:, None], 5_000, axis=1).astype(np.float32)
    drawn = np.asarray(Sampling(1).resampled(logs, 3))
    assert drawn.shape == (3, 5_000)
    np.testing.assert_allclose(np.bincount(drawn.ravel(), minlength=4) / drawn.size, weights, atol=0.01)
    # In steps of a third, a weight of a half is met once or twice in each row.
    assert set((drawn == 0).sum(axis=0).tolist()) == {1, 2}


def figures(model: keras.Model, rows: np.ndarray) -> dict[str, float]:
    model.compile(keras.optimizers.SGD(0.0))
    return {name: float(value) for name, value in model.train_on_batch(rows, return_dict=True).items()}


def test_loss_is_the_weighted_sum_of_its_parts() -> None:
    rows = some_rows()
    for options, weight in (({}, 1.0), ({"beta": 4.0}, 4.0), ({"warm_up": 10}, 0.0)):
        found = figures(latents.mlp(ROWS, code=2, **options), rows)
        assert found["loss"] == pytest.approx(found["reconstruction"] + weight * found["kl"], rel=1e-5)
    found = figures(latents.mlp(ROWS, code=2, free_bits=3.0), rows)
    assert found["loss"] == pytest.approx(found["reconstruction"] + 2 * 3.0, rel=1e-5)


def test_the_weight_of_the_kl_rises_with_the_steps() -> None:
    model = latents.mlp(ROWS, code=2, warm_up=4)
    model.compile(keras.optimizers.SGD(0.0))
    weights = []
    for _ in range(6):
        found = model.train_on_batch(some_rows(), return_dict=True)
        model.reset_metrics()
        weights.append((found["loss"] - found["reconstruction"]) / found["kl"])
    np.testing.assert_allclose(weights, [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-3)


def test_held_out_loss_has_no_warm_up_and_no_free_bits() -> None:
    model = latents.mlp(ROWS, code=2, warm_up=1_000, free_bits=5.0, beta=2.0)
    model.compile()
    found = model.test_on_batch(some_rows(), return_dict=True)
    assert float(found["loss"]) == pytest.approx(float(found["reconstruction"] + 2 * found["kl"]), rel=1e-5)


def test_figures_of_unequal_batches_are_means_over_rows() -> None:
    model = compression.dense(ROWS, code=2)
    model.compile()
    rows = some_rows(10)
    parts = model.evaluate(rows, batch_size=8, verbose=0, return_dict=True)["reconstruction"]
    expected = float(np.square(np.asarray(model(rows)) - rows).mean())
    assert parts == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_log_likelihood_is_a_density_summed_over_a_picture(likelihood: str) -> None:
    spec = Spec({"image": Tensor((2, 2, 1))}, {"reconstruction": Head(4)}) if likelihood == "bernoulli" else ROWS
    model = latents.mlp(spec, code=1)
    _, shape = described(spec)
    x = np.random.default_rng(0).random((5, *shape)).astype(np.float32)
    raw = np.random.default_rng(1).normal(size=(6, 5, *shape)).astype(np.float32)
    found = np.asarray(model.log_likelihood(x, raw))
    assert found.shape == (6, 5)
    if likelihood == "bernoulli":
        chance = 1 / (1 + np.exp(-raw))
        each = x * np.log(chance) + (1 - x) * np.log(1 - chance)
    else:
        each = -0.5 * (x - raw) ** 2 - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(found, each.reshape(6, 5, -1).sum(axis=2), rtol=1e-4)


@pytest.mark.parametrize("batch", [5, None])
@pytest.mark.parametrize("spread", [1.0, 40.0])
def test_likelihood_in_one_loop_is_that_of_keras_operations(batch: int | None, spread: float) -> None:
    model = latents.mlp(Spec({"image": Tensor((2, 3, 1))}, {"reconstruction": Head(6)}), code=1)
    random = np.random.default_rng(0)
    x = tf.constant(random.random((5, 2, 3, 1)), tf.float32)
    logits = tf.constant(random.normal(size=(4, 5, 2, 3, 1)) * spread, tf.float32)
    weights = tf.constant(random.normal(size=(4, 5)), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((batch, 2, 3, 1)), tf.TensorSpec((4, batch, 2, 3, 1))])
    def both(x: tf.Tensor, logits: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        found = []
        for log_likelihood in (bernoulli(), model.log_likelihood):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                value = log_likelihood(x, logits)
            found.append((value, tape.gradient(value, logits, output_gradients=weights)))
        return found

    (value, gradient), (expected, expected_gradient) = both(x, logits)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)


def test_tied_decoder_has_the_encoders_kernels_before_and_after_training() -> None:
    with seeded(0):
        tied, free = (compression.dense(ROWS, code=2, units=(4,), tied=tied) for tied in (True, False))
    assert free.count_params() - tied.count_params() == 3 * 4 + 4 * 2
    rows = some_rows()
    tied.compile("adam")
    before = tied.encoder.get_weights()[0].copy()
    tied.fit(rows, epochs=2, verbose=0)
    assert np.abs(tied.encoder.get_weights()[0] - before).max() > 1e-4
    hidden, code = (layer for layer in tied.encoder.layers if isinstance(layer, keras.layers.Dense))
    codes = np.asarray(tied.encode(rows)["mean"])
    biases = [np.asarray(weight) for weight in tied.decoder.trainable_variables]
    back = np.maximum(codes @ np.asarray(code.kernel).T + biases[0], 0)
    np.testing.assert_allclose(
        np.asarray(tied.decode(codes)), back @ np.asarray(hidden.kernel).T + biases[1], atol=1e-5
    )


def test_sparse_penalty_with_a_target_is_the_divergence_of_two_coins() -> None:
    layer = SparsePenalty(strength=2.0, target=0.1)
    code = np.random.default_rng(0).random((50, 4)).astype(np.float32)
    layer(code, training=True)
    share = code.mean(axis=0)
    expected = 2 * (0.1 * np.log(0.1 / share) + 0.9 * np.log(0.9 / (1 - share))).mean()
    assert float(layer.losses[0]) == pytest.approx(float(expected), rel=1e-5)
    layer(np.full((5, 4), 0.1, np.float32), training=True)
    assert float(layer.losses[0]) == pytest.approx(0, abs=1e-6)


def test_masking_noise_drops_a_share_and_leaves_the_rest_in_training_alone() -> None:
    layer, rows = MaskingNoise(0.3), np.full((100, 50), 2.0, np.float32)
    noisy = np.asarray(layer(rows, training=True))
    assert set(np.unique(noisy)) == {0.0, 2.0}
    assert (noisy == 0).mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(np.asarray(layer(rows)), rows)


@pytest.mark.parametrize("penalised", [compression.sparse, compression.contractive])
def test_a_penalty_is_part_of_the_loss_in_training_alone(penalised: Callable[..., keras.Model]) -> None:
    model = penalised(ROWS, code=2, strength=5.0)
    found = figures(model, some_rows())
    assert found["loss"] > found["reconstruction"] + 1e-3
    held_out = model.test_on_batch(some_rows(), return_dict=True)
    assert float(held_out["loss"]) == pytest.approx(float(held_out["reconstruction"]))
