"""Is the fused Adam the Adam of Keras?"""

from __future__ import annotations

import keras
import numpy as np
import pytest

from dlkit.training.fit import Objective, compile_model
from dlkit.training.optimizers import FusedAdam
from dlkit.training.settings import Training


def trained(optimizer: keras.optimizers.Optimizer, *, ids: bool) -> list[np.ndarray]:
    keras.utils.set_random_seed(0)
    first = keras.layers.Embedding(9, 4) if ids else keras.layers.Dense(4, "tanh")
    model = keras.Sequential([keras.Input((3,)), first, keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile(optimizer, "mse")
    random = np.random.default_rng(0)
    for _ in range(20):
        rows = random.integers(0, 9, (8, 3)) if ids else random.normal(size=(8, 3))
        model.train_on_batch(rows, random.normal(size=(8, 2)))
    return [*model.get_weights(), np.asarray(optimizer.iterations)]


@pytest.mark.parametrize("ids", [False, True], ids=["dense gradient", "gradient of rows"])
def test_fused_adam_moves_weights_as_adam_does(ids: bool) -> None:
    rates = [keras.optimizers.schedules.CosineDecay(0.02, 20) for _ in range(2)]
    ours, theirs = trained(FusedAdam(rates[0]), ids=ids), trained(keras.optimizers.Adam(rates[1]), ids=ids)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", ["adam", "fused_adam", "adamw"])
def test_beta_2_reaches_every_adam(name: str) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    compile_model(model, Objective("mse", []), Training(optimizer=name, beta_2=0.9), epoch=1)  # type: ignore[arg-type]
    assert model.optimizer.beta_2 == 0.9
