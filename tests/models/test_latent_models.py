"""Do the latent models learn, come back from their files, and refuse what makes no code?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.stats import norm
from sklearn.decomposition import PCA

from dlkit.contracts import Examples, Head, Spec, Tensor
from dlkit.errors import SettingsError
from dlkit.models import compression, latents
from dlkit.models.latent_layers import LatentModel, VariationalAutoencoder
from dlkit.models.latent_parts import described
from dlkit.training.fit import Objective, fit, outputs, seeded
from dlkit.training.settings import Training

ROWS = Spec({"row": Tensor((6,))}, {"reconstruction": Head(6)}, {"classes": 3})
PICTURES = Spec({"image": Tensor((9, 6, 2))}, {"reconstruction": Head(108, "sigmoid")}, {"classes": 3})
LABEL = {"label": Tensor((), "int32")}
OF_PICTURES: dict[str, Callable[..., LatentModel]] = {
    "vae convolutional": partial(latents.convolutional, code=4, filters=(3, 4), units=5),
    "autoencoder convolutional": partial(compression.convolutional, code=4, filters=(3, 4), units=0),
}
OF_ANY: dict[str, Callable[..., LatentModel]] = {
    "vae mlp": partial(latents.mlp, code=4, units=(8,)),
    "vae iwae": partial(latents.mlp, code=4, units=(8,), samples=3, bound="iwae", gradient="path"),
    "vae resampled": partial(latents.mlp, code=4, units=(8,), samples=3, bound="iwae", gradient="path", resampled=2),
    "vae joint": partial(latents.joint, code=4, units=(8,)),
    "autoencoder dense": partial(compression.dense, code=4, units=(8,), dropout=0.2),
    "autoencoder linear": partial(compression.dense, code=4, units=()),
    "autoencoder tied": partial(compression.dense, code=4, units=(8,), tied=True),
    "autoencoder denoising": partial(compression.denoising, code=4, units=(8,)),
    "autoencoder masking": partial(compression.denoising, code=4, units=(8,), corruption="masking"),
    "autoencoder sparse": partial(compression.sparse, code=4, units=(8,)),
    "autoencoder sparse kl": partial(compression.sparse, code=4, units=(), penalty="kl"),
    "autoencoder contractive": partial(compression.contractive, code=4),
    "autoencoder joint": partial(compression.joint, code=4, units=(8,)),
}
EVERY = OF_PICTURES | OF_ANY
CONDITIONAL = {name: make for name, make in EVERY.items() if not name.endswith(("joint", "tied"))}


def given(spec: Spec) -> Spec:
    """The same with the class as a further input."""
    return Spec({**spec.inputs, **LABEL}, spec.heads, spec.sizes)


def rows_of(spec: Spec, count: int = 7) -> np.ndarray:
    return np.random.default_rng(0).random((count, *described(spec)[1])).astype(np.float32)


@pytest.mark.parametrize("name", EVERY)
def test_parts_fit_together_and_answers_repeat(name: str) -> None:
    model, rows = EVERY[name](PICTURES), rows_of(PICTURES)
    found = np.asarray(model(rows))
    np.testing.assert_array_equal(found, np.asarray(model(rows)))
    assert found.min() >= 0
    assert found.max() <= 1
    code = {name: np.asarray(one) for name, one in model.encode(rows).items()}
    assert code.keys() == ({"mean", "log_variance"} if model.variational else {"mean"})
    assert all(one.shape == (7, model.latent) and one.dtype == np.float32 for one in code.values())
    decoded = np.asarray(model.decode(code["mean"]))
    assert decoded.shape == rows.shape
    np.testing.assert_allclose(found, decoded, atol=1e-6)
    still = np.asarray(model.reconstruct(rows, np.zeros((7, model.latent), np.float32)))
    np.testing.assert_allclose(still, decoded, atol=1e-6)
    moved = np.asarray(model.reconstruct(rows, np.ones((7, model.latent), np.float32)))
    assert (np.abs(moved - decoded).max() > 1e-5) == model.variational


@pytest.mark.parametrize("name", OF_ANY)
def test_rows_of_a_table_fit_too(name: str) -> None:
    assert OF_ANY[name](ROWS)(rows_of(ROWS)).shape == (7, 6)


def settings_of(model: LatentModel) -> dict[str, object]:
    parts = {"encoder", "decoder", "classifier"}
    return {name: value for name, value in model.get_config().items() if name not in parts}


@pytest.mark.parametrize("name", EVERY)
def test_model_comes_back_from_its_file_and_goes_on_training(name: str, tmp_path: Path) -> None:
    model, rows = EVERY[name](PICTURES), rows_of(PICTURES)
    labels = np.arange(7, dtype=np.int32) % 3 if model.classifier else None
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert settings_of(again) == settings_of(model)
    np.testing.assert_array_equal(np.asarray(again(rows)), np.asarray(model(rows)))
    again.compile("adam")
    again.fit(rows, labels, batch_size=3, epochs=1, verbose=0)
    assert np.abs(np.asarray(again(rows)) - np.asarray(model(rows))).max() > 1e-5


@pytest.mark.parametrize("name", CONDITIONAL)
def test_conditional_model_reads_the_class_on_both_sides(name: str) -> None:
    model = CONDITIONAL[name](given(PICTURES))
    rows, labels = rows_of(PICTURES, 3), np.arange(3, dtype=np.int32)
    assert model.conditional
    assert np.asarray(model({"image": rows, "label": labels})).shape == rows.shape
    codes = np.asarray(model.encode(np.repeat(rows[:1], 3, axis=0), labels)["mean"])
    assert np.abs(codes[0] - codes[1]).max() > 1e-5
    pictures = np.asarray(model.decode(np.repeat(codes[:1], 3, axis=0), labels))
    assert np.abs(pictures[0] - pictures[1]).max() > 1e-5
    model.compile("adam")
    model.fit({"image": rows, "label": labels}, batch_size=2, verbose=0)


def test_joint_model_learns_labels_from_the_code() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 240).astype(np.int32)
    rows = (2 * np.eye(3)[labels].repeat(2, axis=1) + 0.3 * random.normal(size=(240, 6))).astype(np.float32)
    with seeded(0):
        model = latents.joint(ROWS, code=3, units=(16,))
        model.compile(keras.optimizers.Adam(0.01))
        model.fit(rows, labels, batch_size=48, epochs=30, verbose=0)
        found = model.evaluate(rows, labels, verbose=0, return_dict=True)
    assert found["accuracy"] > 0.95
    chances = np.asarray(model.classify(rows))
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert (chances.argmax(axis=1) == labels).mean() == pytest.approx(found["accuracy"], abs=1e-6)


def test_numbers_of_a_table_have_the_noise_that_is_asked_for(tmp_path: Path) -> None:
    model, x, raw = latents.table(ROWS, code=2, units=(4,), noise=0.5), rows_of(ROWS, 5), rows_of(ROWS, 5)[::-1]
    expected = norm(raw, 0.5).logpdf(x).sum(axis=1)
    np.testing.assert_allclose(np.asarray(model.log_likelihood(x, raw.copy())), expected, rtol=1e-4)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").noise == 0.5


def test_columns_that_share_little_are_kept_in_the_code() -> None:
    rows = np.random.default_rng(0).normal(size=(512, 6)).astype(np.float32)
    kept = {}
    for noise in (0.3, 1.0):
        with seeded(0):
            model = latents.table(ROWS, code=3, units=(32,), noise=noise)
            model.compile(keras.optimizers.Adam(0.01))
            model.fit(rows, batch_size=64, epochs=40, verbose=0)
        kept[noise] = int((np.asarray(model.encode(rows)["mean"]).var(axis=0) > 0.1).sum())
    assert kept[0.3] == 3 > kept[1.0]


def test_linear_autoencoder_spans_the_space_of_principal_components() -> None:
    random = np.random.default_rng(0)
    axes = np.random.default_rng(9).normal(size=(2, 6))
    rows = (random.normal(size=(200, 2)) * [3, 2] @ axes + 0.05 * random.normal(size=(200, 6))).astype(np.float32)
    with seeded(1):
        model = compression.dense(ROWS, code=2, units=())
        model.compile(keras.optimizers.Adam(0.05))
        model.fit(np.tile(rows, (300, 1)), batch_size=200, verbose=0)
    spanned, _ = np.linalg.qr(model.decoder.get_weights()[0].T)
    assert np.linalg.svd(spanned.T @ PCA(2).fit(rows).components_.T)[1].min() > 0.999


def test_untrained_decoder_gives_the_mean_picture() -> None:
    mean = rows_of(PICTURES, 1)[0] * 0.9 + 0.05
    model = latents.mlp(Spec(PICTURES.inputs, PICTURES.heads, {}, {"mean": mean}), code=2, units=(4,))
    np.testing.assert_allclose(np.asarray(model.decode(np.zeros((1, 2))))[0], mean, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_training_lowers_the_loss_and_repeats_bit_for_bit(precision: str) -> None:
    rows = Examples({"image": (rows_of(PICTURES, 64) < np.linspace(0, 1, 54).reshape(9, 6, 1)).astype(np.float32)})
    settings = Training(epochs=8, batch_size=16, learning_rate=0.01, optimizer="fused_adam", precision=precision)  # type: ignore[arg-type]  # parametrised
    trained = [
        fit(
            lambda: latents.convolutional(PICTURES, code=2, filters=(4,)),
            rows,
            rows,
            objective=Objective(None, []),
            settings=settings,
            seed=5,
            say=lambda _: None,
        )
        for _ in range(2)
    ]
    first, last = trained[0].history[0], trained[0].history[-1]
    assert last["val_loss"] < first["val_loss"] < (trained[0].untrained_loss or 0)
    assert last["loss"] == pytest.approx(last["reconstruction"] + last["kl"], rel=1e-3)
    assert [row["loss"] for row in trained[0].history] == [row["loss"] for row in trained[1].history]
    first_answers, second_answers = (outputs(one.model, rows) for one in trained)
    np.testing.assert_array_equal(first_answers, second_answers)
    assert trained[0].model.dtype_policy.name == "float32"


def directly(model: str = "mlp", **options: object) -> LatentModel:
    """The class itself, with the halves that a function of models makes."""
    made = getattr(latents, model)(ROWS, code=2)
    return VariationalAutoencoder(made.encoder, made.decoder, classifier=made.classifier, **options)


@pytest.mark.parametrize("code", [0, -1, 108, 200])
@pytest.mark.parametrize("name", ["vae convolutional", "vae joint", "autoencoder dense", "autoencoder contractive"])
def test_a_code_that_is_none_or_as_wide_as_its_input_is_refused(name: str, code: int) -> None:
    with pytest.raises(
        SettingsError, match=rf"model\.code={code}: expected 1 to 107, .*108 numbers of a picture of 9 x"
    ):
        EVERY[name](PICTURES, code=code)


def test_the_usual_code_is_half_of_a_small_input() -> None:
    assert latents.mlp(ROWS).latent == 3
    assert latents.mlp(PICTURES).latent == 50
    assert compression.dense(PICTURES).latent == 32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(latents.convolutional, ROWS), "reads pictures; these are rows of 6 features"),
        (partial(latents.convolutional, PICTURES, filters=(2, 2, 2)), r"needs 8 x 8 pixels, and these have 9 x 6"),
        (partial(latents.convolutional, PICTURES, filters=()), r"model\.filters"),
        (partial(latents.mlp, ROWS, units=()), r"model\.units"),
        (partial(latents.mlp, ROWS, samples=0), r"model\.samples"),
        (partial(latents.mlp, ROWS, beta=-1.0), r"model\.beta=-1.0"),
        (partial(latents.mlp, ROWS, bound="iwae", beta=2.0), "weigh the KL, .*got bound=iwae, gradient=total"),
        (partial(latents.mlp, ROWS, gradient="path", warm_up=9), "got bound=elbo, gradient=path"),
        (partial(latents.mlp, ROWS, gradient="path", beta=2.0), "Leave them out, or say --set model.gradient=total$"),
        (partial(latents.mlp, ROWS, bound="iwae", free_bits=0.1), "or say --set model.bound=elbo$"),
        (partial(directly, gradient="path", free_bits=0.1), "or say --set model.gradient=total$"),
        (partial(directly, "joint", gradient="path"), "this model has a classifier, too"),
        (partial(latents.mlp, ROWS, samples=5, resampled=2), r"model\.resampled=2: expected fewer .*got bound=elbo"),
        (partial(latents.mlp, ROWS, samples=5, bound="iwae", gradient="path", resampled=5), "fewer than model.samples"),
        (partial(latents.table, PICTURES), "--model table reads rows of a table; these are pictures. Take --model mlp"),
        (partial(latents.table, ROWS, noise=0.0), r"model\.noise=0.0"),
        (partial(latents.convolutional, ROWS), "Take --model table"),
        (partial(compression.convolutional, ROWS), "Take --model dense"),
        (partial(compression.joint, Spec(ROWS.inputs, ROWS.heads)), "this data has no labels. Take --model dense"),
        (partial(latents.joint, Spec(ROWS.inputs, ROWS.heads)), "this data has no labels"),
        (partial(compression.dense, ROWS, dropout=1.0), r"model\.dropout"),
        (partial(compression.dense, given(ROWS), tied=True), r"model\.tied"),
        (partial(compression.denoising, ROWS, corruption="masking", noise=1.0), r"model\.noise=1.0"),
        (partial(compression.sparse, ROWS, penalty="kl", share=1.0), r"model\.share=1.0"),
        (partial(compression.contractive, ROWS, strength=-1.0), r"model\.strength=-1.0"),
    ],
)
def test_options_that_make_no_model_are_refused(make: Callable[[], keras.Model], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()
