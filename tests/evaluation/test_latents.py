"""Are bound and likelihood of held-out rows what mathematics says, and are silent failures told?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from scipy.stats import multivariate_normal

from dlkit.contracts import Examples, Head, Spec, Tensor
from dlkit.errors import DataError, TrainingError
from dlkit.evaluation import latent_figures, reconstructions
from dlkit.evaluation.latents import Coder, bounds, corrupted, likelihood, spread
from dlkit.evaluation.reconstructions import Labelled, probe
from dlkit.inference.images import ImagePixels
from dlkit.inference.latents import LatentInputs
from dlkit.models import compression, latents
from dlkit.models.latent_layers import LatentModel, VariationalAutoencoder

FEATURES, UNITS = 5, 2
ROW = {"row": Tensor((FEATURES,))}
IMAGE = {"image": Tensor((4, 4, 1))}


def spec(tensors: dict[str, Tensor], classes: int = 0) -> Spec:
    return Spec(tensors, {"reconstruction": Head(1)}, {"classes": classes} if classes else {})


def linear(*, shift: float = 0.0) -> tuple[VariationalAutoencoder, np.ndarray, np.ndarray]:
    """A decoder x = W z + b + noise of variance 1 whose encoder is the exact posterior, or that with its mean off by
    `shift`; W (features, units) with orthogonal columns, b (features,).
    """
    random = np.random.default_rng(0)
    weights = np.linalg.qr(random.normal(size=(FEATURES, UNITS)))[0] * np.array([2.0, 0.5])
    bias = random.normal(size=FEATURES)
    variance = 1 / (1 + np.square(weights).sum(axis=0))
    kernel = np.concatenate([weights * variance, np.zeros((FEATURES, UNITS))], axis=1)
    offset = np.concatenate([shift - bias @ weights * variance, np.log(variance)])
    parts = []
    for width, matrix, vector in ((FEATURES, kernel, offset), (UNITS, weights.T, bias)):
        inputs, dense = keras.Input((width,)), layers.Dense(len(vector))
        parts.append(keras.Model(inputs, dense(inputs)))
        dense.set_weights([matrix, vector])
    return VariationalAutoencoder(*parts, likelihood="gaussian"), weights, bias


def rows(count: int = 40) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, FEATURES)).astype(np.float32)


def exact(x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return np.asarray(-multivariate_normal(bias, weights @ weights.T + np.eye(FEATURES)).logpdf(x))


def test_with_the_exact_posterior_every_sample_gives_the_likelihood() -> None:
    model, weights, bias = linear()
    found = bounds(Coder(model, ROW), {"row": rows()}, samples=1, seed=0)
    np.testing.assert_allclose(found.nll, exact(rows(), weights, bias), rtol=1e-4)
    many = bounds(Coder(model, ROW), {"row": rows(8)}, samples=4000, seed=0)
    np.testing.assert_allclose(-many.elbo, exact(rows(8), weights, bias), atol=0.1)


def test_importance_samples_close_the_gap_that_the_bound_leaves() -> None:
    model, weights, bias = linear(shift=0.4)
    truth = exact(rows(), weights, bias)
    found = bounds(Coder(model, ROW), {"row": rows()}, samples=3000, seed=0)
    np.testing.assert_allclose(found.nll, truth, atol=0.15)
    assert found.nll.mean() == pytest.approx(truth.mean(), abs=0.02)
    # By how much, mathematics says: the divergence between two normal distributions with the same variance.
    gap = 0.5 * (0.4**2 * (1 + np.square(weights).sum(axis=0))).sum()
    assert (-found.elbo - truth).mean() == pytest.approx(gap, abs=0.02)


def test_pixels_are_judged_as_black_or_white() -> None:
    x = np.random.default_rng(0).integers(0, 2, (6, 4, 4, 1)).astype(np.float32)
    model = latents.mlp(spec(IMAGE), code=3, units=(8,))
    found = bounds(Coder(model, IMAGE), {"image": x}, samples=2, seed=0)
    code = model.encode(x)
    mean, log_variance = np.asarray(code["mean"]), np.asarray(code["log_variance"])
    noise = np.random.default_rng(0).standard_normal((6, 2, 3), np.float32)
    each = []
    for sample in range(2):
        shown = np.asarray(model.decode(mean + np.exp(log_variance / 2) * noise[:, sample]), np.float64)
        each.append((x * np.log(shown) + (1 - x) * np.log(1 - shown)).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(found.reconstruction, -np.mean(each, axis=0), rtol=1e-5)
    kl = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    np.testing.assert_allclose(found.kl, kl, rtol=1e-5)


def test_some_rows_say_how_likely_all_are() -> None:
    model, weights, bias = linear(shift=0.4)
    found = likelihood(Coder(model, ROW), {"row": rows(400)}, samples=200, rows=100, seed=0)
    assert (found.nll_rows, found.samples) == (100, 200)
    assert found.nll == pytest.approx(exact(rows(400), weights, bias).mean(), abs=0.1)
    assert 0 < found.nll_error < 0.05
    whole = likelihood(Coder(model, ROW), {"row": rows(20)}, samples=50, rows=100, seed=0)
    assert (whole.nll_rows, whole.nll_error) == (20, 0)
    assert whole.elbo == pytest.approx(-whole.reconstruction - whole.kl)


def test_the_same_seed_gives_the_same_likelihood() -> None:
    coder = Coder(linear(shift=0.4)[0], ROW)
    first, again, other = (likelihood(coder, {"row": rows()}, samples=5, rows=9, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_a_bound_that_is_no_number_is_an_error() -> None:
    broken = rows()
    broken[3] = np.inf
    with pytest.raises(TrainingError, match="NaN or infinite"):
        likelihood(Coder(linear()[0], ROW), {"row": broken}, samples=2, rows=100, seed=0)


def test_units_that_say_nothing_do_not_vary() -> None:
    codes = np.stack([np.linspace(-1, 1, 50), np.full(50, 3.0)], axis=1)
    assert spread(codes).tolist() == [pytest.approx(codes[:, 0].var()), 0]


def test_principal_components_are_the_best_linear_code() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 6)) * np.array([5, 3, 1, 0.1, 0.1, 0.1])
    labels = np.where(x[:, 1] > 0, "up", "down").astype(object)
    both = Labelled(x, labels)
    found = reconstructions.principal_components(both, both, 2, seed=0)
    left = np.sort(np.linalg.eigvalsh(np.cov(x.T, bias=True)))[:4].sum() / 6
    assert found["mse"] == pytest.approx(left, rel=1e-6)
    assert found["probe_accuracy"] > 0.95
    # A code larger than the row is the row.
    assert reconstructions.principal_components(both, both, 99, seed=0)["mse"] < 1e-20


def test_the_mean_row_costs_what_independent_pixels_cost() -> None:
    train = Labelled(np.array([[0.0, 1.0], [0.0, 0.0]], np.float32))
    test = np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]], np.float32)
    mean = train.rows.mean(axis=0)
    assert reconstructions.mean_row(train, Labelled(test)) == {"mse": 0.125, "mae": 0.25}
    assert reconstructions.nats(mean, test, "bernoulli") == pytest.approx(np.log(2), rel=1e-4)
    assert reconstructions.nats(mean, test, "gaussian") == pytest.approx(0.5 * (0.25 + 2 * np.log(2 * np.pi)))
    narrow = reconstructions.nats(mean, test, "gaussian", variance=np.array([1, 0.25]))
    assert narrow == pytest.approx(0.5 * (0.25 / 0.25 + 2 * np.log(2 * np.pi) + np.log(0.25)))


def test_classes_that_nobody_knows_are_not_separated() -> None:
    codes, labels = np.arange(20.0)[:, None], np.array(["a"] * 10 + ["b"] * 10, object)
    assert reconstructions.probe(codes, labels, codes, labels) == 1
    some = labels.copy()
    some[0] = None
    assert reconstructions.probe(codes, some, codes, labels) == 1
    assert reconstructions.probe(codes, None, codes, labels) is None
    assert reconstructions.probe(codes, np.full(20, "a", object), codes, labels) is None


def test_a_class_that_is_not_among_the_rows_that_are_learned_from_is_not_separated() -> None:
    codes, labels = np.random.default_rng(0).normal(size=(10_000, 2)), np.array(["a"] * 10_000, object)
    labels[1] = "rare"
    assert probe(codes, labels, codes, labels) is None


def test_reconstructions_that_cannot_be_judged_are_refused() -> None:
    with pytest.raises(DataError, match="another shape"):
        reconstructions.figures(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(DataError, match="no rows"):
        reconstructions.figures(np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(TrainingError, match="1 of 2 rows with NaN"):
        reconstructions.figures(np.zeros((2, 3)), np.array([[0, 0, np.nan], [0, 0, 0]]))


def pictures(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A bright half, left or right, and which it is."""
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, count)
    x = random.uniform(0, 0.2, (count, 4, 4, 1)).astype(np.float32)
    for side in (0, 1):
        x[labels == side, :, 2 * side : 2 * side + 2] += 0.7
    return x, np.where(labels == 1, "right", "left").astype(object)


def judged(model: LatentModel, tensors: dict[str, Tensor], **more: np.ndarray) -> latent_figures.Found:
    x, labels = pictures()
    part = Examples({"image": x, **more}, {"reconstruction": x})
    coder = Coder(model, tensors)
    every = latent_figures.Rows(part, part, part, part, labels, labels, ("left", "right"))
    return latent_figures.judged(coder, every, coder.again(part.inputs), samples=4, likelihood_rows=20, seed=0)


def test_a_variational_model_is_judged_in_nats_beside_the_mean_and_pca() -> None:
    found = judged(latents.mlp(spec(IMAGE), code=2, units=(8,)), IMAGE)
    assert list(found.test) == ["elbo", "nll", "reconstruction", "kl", "mse", "mae", "probe_accuracy"]
    assert list(found.baselines) == ["mean_image", "pca"]
    assert list(found.baselines["mean_image"]) == ["mse", "mae", "elbo", "nll"]
    assert list(found.validation) == ["elbo", "mse", "mae"]
    assert {"code", "active_units", "samples", "nll_rows", "nll_error"} < set(found.codes)
    # It is not trained.
    assert any("does not beat the mean image baseline" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("model", "more"),
    [(compression.dense, set()), (compression.denoising, {"denoised_mse"})],
    ids=["dense", "denoising"],
)
def test_an_autoencoder_is_judged_by_its_error(model: Callable[..., LatentModel], more: set[str]) -> None:
    found = judged(model(spec(IMAGE), code=2, units=(8,)), IMAGE)
    assert set(found.test) == {"mse", "mae", "probe_accuracy", *more}
    assert "samples" not in found.codes and ("noisy_input" in found.baselines) == bool(more)
    assert any("does not beat the pca baseline" in warning for warning in found.warnings)


def test_a_joint_model_is_also_judged_by_its_classes() -> None:
    found = judged(latents.joint(spec(IMAGE, 2), code=2, units=(8,)), IMAGE)
    assert 0 <= found.test["accuracy"] <= 1


def test_a_conditional_model_is_told_the_class() -> None:
    numbers = (pictures()[1] == "right").astype(np.int32)
    tensors = {**IMAGE, "label": Tensor((), "int32")}
    found = judged(latents.mlp(spec(tensors, 2), code=2, units=(8,)), tensors, label=numbers)
    assert found.test["nll"] > 0
    assert 0 <= found.test["asked_accuracy"] <= 1


def conditional(of_class: np.ndarray) -> VariationalAutoencoder:
    """A model that makes the same picture of every code, by class."""
    image, code, label = keras.Input((4, 4, 1)), keras.Input((2,)), keras.Input((), dtype="int32")
    encoder = keras.Model([image, label], layers.Dense(4)(layers.Flatten()(image)))
    table, nothing = layers.Embedding(2, 16, weights=[of_class]), layers.Dense(16, kernel_initializer="zeros")
    decoder = keras.Model([code, label], layers.Reshape((4, 4, 1))(table(label) + nothing(code)))
    return VariationalAutoencoder(encoder, decoder, likelihood="gaussian")


def test_new_rows_of_a_class_are_seen_to_be_of_it() -> None:
    x, labels = pictures()
    means = np.stack([x[labels == name].mean(axis=0).ravel() for name in ("left", "right")])
    coder = Coder(conditional(means), {**IMAGE, "label": Tensor((), "int32")})
    assert latent_figures.obeyed(coder, Labelled(x, labels), ("left", "right"), seed=0) == 1
    assert latent_figures.obeyed(coder, Labelled(x, labels), ("right", "left"), seed=0) == 0
    # Of a class without rows no classifier knows what it looks like.
    assert latent_figures.obeyed(coder, Labelled(x, labels), ("left", "right", "up"), seed=0) == 1


def test_a_decoder_that_ignores_the_label_is_told() -> None:
    numbers = (pictures()[1] == "right").astype(np.int32)
    found = judged(conditional(np.zeros((2, 16))), {**IMAGE, "label": Tensor((), "int32")}, label=numbers)
    assert found.test["asked_accuracy"] == 0.5
    assert any("The decoder ignores the label" in warning for warning in found.warnings)


def test_noise_is_that_of_training() -> None:
    x = np.full((500, 4, 4, 1), 0.5, np.float32)
    gaussian = compression.denoising(spec(IMAGE), code=2, units=(8,), noise=0.3)
    noisy = corrupted(gaussian, x, seed=0)
    assert noisy is not None and (noisy - x).std() == pytest.approx(0.3, rel=0.05)
    masking = compression.denoising(spec(IMAGE), code=2, units=(8,), noise=0.3, corruption="masking")
    masked = corrupted(masking, x, seed=0)
    assert masked is not None and set(np.unique(masked)) == {0, 0.5}
    assert (masked == 0).mean() == pytest.approx(0.3, rel=0.05)
    assert corrupted(compression.dense(spec(IMAGE), code=2, units=(8,)), x, seed=0) is None


def failures(decode: Callable[[keras.KerasTensor], keras.KerasTensor], active: int = 2) -> list[str]:
    """What is said of a model whose code is the mean of each half, and which decodes it so."""
    x, _ = pictures()
    inputs, code = keras.Input((4, 4, 1)), keras.Input((2,))
    halves = layers.Reshape((2,))(layers.AveragePooling2D((4, 2))(inputs))
    encoder = keras.Model(inputs, layers.Concatenate()([halves, halves]))
    model = VariationalAutoencoder(encoder, keras.Model(code, decode(code)), likelihood="gaussian")
    coder = Coder(model, IMAGE)
    return latent_figures.silent_failures(coder, x, coder.codes({"image": x}), None, active)


def widened(code: keras.KerasTensor) -> keras.KerasTensor:
    return layers.UpSampling2D((4, 2))(layers.Reshape((1, 2, 1))(code))


@pytest.mark.parametrize(
    ("make", "remedy", "never"),
    [
        (compression.dense, "Train longer, or lower training.learning_rate.", "model."),
        (latents.mlp, "or lower model.beta, set model.free_bits, or raise model.warm_up.", "gradient"),
        (partial(latents.mlp, gradient="path"), "model.warm_up, which need --set model.gradient=total.", "bound"),
        (
            partial(latents.mlp, samples=2, bound="iwae", gradient="path"),
            "which need --set model.bound=elbo --set model.gradient=total.",
            "Leave",
        ),
    ],
    ids=["plain", "total", "path", "iwae"],
)
def test_a_remedy_is_one_that_the_model_has(make: Callable[..., LatentModel], remedy: str, never: str) -> None:
    model, (x, _) = make(spec(IMAGE), code=2, units=(8,)), pictures()
    model.decoder.set_weights([np.zeros_like(one) for one in model.decoder.get_weights()])
    coder = Coder(model, IMAGE)
    (told,) = latent_figures.silent_failures(coder, x, coder.codes({"image": x}), None, 2)
    assert told.endswith(remedy) and never not in told.removesuffix(remedy)


@pytest.mark.parametrize(
    ("shapes", "fit", "told"),
    [
        ([(8, 8)] * 3, "stretch", []),
        ([(9, 9)] * 3, "stretch", []),
        ([(8, 8), (8, 16)], "stretch", ["8 x 8 to 16 x 8 pixels; 50% are not square and were stretched to 8 x 8. Set"]),
        ([(8, 16)] * 2, "stretch", ["have 16 x 8 pixels; 100% are not square"]),
        ([(8, 16)] * 2, "crop", []),
        ([(8, 8), (9, 9)], "stretch", ["8 x 8 to 9 x 9 pixels; 50% were made 8 x 8. Set preprocessing.size"]),
    ],
)
def test_training_pictures_that_are_changed_in_shape_are_told(shapes, fit, told) -> None:
    column = np.empty(len(shapes), object)
    column[:] = [np.zeros(shape, np.uint8) for shape in shapes]
    found = latent_figures.resized(LatentInputs(ImagePixels("image", 8, 1, fit)), {"image": column})
    assert len(found) == len(told) and all(part in one for part, one in zip(told, found, strict=True))


def test_a_decoder_that_uses_its_code_is_not_warned_of() -> None:
    assert failures(widened) == []


def test_pictures_that_are_all_alike_are_told() -> None:
    (told,) = failures(lambda code: widened(0.001 * code + 0.5))
    assert told.startswith("All reconstructions are nearly the same picture")


def test_a_decoder_that_ignores_the_code_is_told() -> None:
    (told,) = failures(lambda code: widened(keras.ops.flip(code, axis=-1)))
    assert told.startswith("The decoder ignores the code: with the code of another row")


def test_a_collapsed_posterior_is_told() -> None:
    (told,) = failures(widened, active=1)
    assert told.startswith("Posterior collapse: 1 of 2 units")
