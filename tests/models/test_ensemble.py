"""Is every member of an ensemble trained as if it were alone?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Head, Spec, Tensor
from dlkit.errors import SettingsError
from dlkit.models import dense
from dlkit.models.layers import MemberDense, MemberMean
from dlkit.ordering import order
from dlkit.run_folder import make
from dlkit.training.fit import seeded

SPEC = Spec({"features": Tensor((5,))}, {"answer": Head(1)})


@pytest.fixture(autouse=True)
def _repeatable() -> Iterator[None]:
    with seeded(0):
        yield


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((32, 5)).astype(np.float32), rng.standard_normal((32, 1)).astype(np.float32)


def members_of(model: keras.Model) -> keras.Model:
    """The members' own answers, (rows, members, 1), before the mean."""
    (mean,) = [layer for layer in model.layers if isinstance(layer, MemberMean)]
    return keras.Model(model.inputs, mean.input)


def test_the_loss_is_the_mean_of_the_members_own_errors(rows: tuple[np.ndarray, np.ndarray]) -> None:
    """Krogh & Vedelsby 1995, eq. 6."""
    inputs, targets = rows
    model = dense.ensemble(SPEC, members=7, units=(4, 4))
    own = members_of(model).predict(inputs, verbose=0)
    expected = ((own - targets[:, None]) ** 2).mean()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    loss = float(np.ravel(model.train_on_batch(inputs, targets))[0])
    assert loss == pytest.approx(expected, rel=1e-5)
    alone = float(model.evaluate(inputs, targets, verbose=0))
    assert alone == pytest.approx(float(((own.mean(axis=1) - targets) ** 2).mean()), rel=1e-5)
    assert alone < loss * 0.99


def test_a_member_learns_what_it_would_learn_alone(rows: tuple[np.ndarray, np.ndarray]) -> None:
    inputs, targets = rows
    model = dense.ensemble(SPEC, members=3, units=(4,), activation="tanh")
    start = model.get_weights()
    model.compile(keras.optimizers.SGD(0.3), "mse")
    for _ in range(5):
        model.train_on_batch(inputs, targets)
    for member in range(3):
        single = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
        single.set_weights([np.squeeze(w[member], 0) if w.shape[1] == 1 else w[member] for w in start])
        # A member's error counts one third in the mean, so alone it takes a third of the rate.
        single.compile(keras.optimizers.SGD(0.3 / 3), "mse")
        for _ in range(5):
            single.train_on_batch(inputs, targets)
        for ours, theirs in zip(model.get_weights(), single.get_weights(), strict=True):
            np.testing.assert_allclose(np.squeeze(ours[member]), np.squeeze(theirs), atol=1e-5)


def test_members_start_from_different_weights_of_a_dense_layer_s_size(rows: tuple[np.ndarray, np.ndarray]) -> None:
    layer = MemberDense(300)
    layer.build((1, 2, 200))
    one, two = np.asarray(layer.kernel)
    limit = (6 / 500) ** 0.5  # Glorot & Bengio 2010, eq. 16
    assert not np.array_equal(one, two)
    assert 0.99 * limit < np.abs(one).max() < 1.000001 * limit


def test_an_ensemble_comes_back_from_its_keras_file(rows: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    model = dense.ensemble(SPEC, members=4, units=(6,), dropout=0.2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.predict(rows[0], verbose=0), again.predict(rows[0], verbose=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": 0}, "model.members: expected 1 or more, got 0"),
        ({"units": (0,)}, "model.units"),
        ({"dropout": 1.5}, "model.dropout"),
        ({"activation": "sillu"}, "model.activation"),
    ],
)
def test_options_that_make_no_ensemble_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        dense.ensemble(SPEC, **options)  # type: ignore[arg-type]  # parametrised


def test_another_loss_than_that_of_the_members_is_refused_before_training(tmp_path: Path) -> None:
    changes = ["task.loss_name=mae", "training.folds=0"]
    asked = order("boston", model="ensemble", data="sample", changes=changes, out=tmp_path)
    with pytest.raises(SettingsError, match=r"trained by the squared error .* got task\.loss_name=mae"):
        make(asked, say=lambda _: None)
