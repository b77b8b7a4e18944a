"""Does a network on a frozen backbone learn the same, whether its features are computed once or at every step?"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Spec, Tensor
from dlkit.models import backbones
from dlkit.training.fit import Objective, fit, outputs
from dlkit.training.settings import Training

SPEC = Spec({"pixels": Tensor((32, 32, 3), "uint8")}, {"answer": Head(1, "sigmoid")}, {"image_size": 32, "channels": 3})


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], keras.Model]:
    path = tmp_path_factory.mktemp("weights") / "squeezenet.weights.h5"
    keras.utils.set_random_seed(3)
    backbones.squeezenet().save_weights(path)
    return lambda: backbones.transfer(SPEC, weights=str(path), dropout=0.0)


def rows(count: int) -> Examples:
    dice = np.random.default_rng(1)
    bright = dice.integers(0, 2, count)
    pixels = dice.integers(0, 100, (count, 32, 32, 3)) + 150 * bright[:, None, None, None]
    return Examples({"pixels": pixels.astype(np.uint8)}, bright[:, None].astype(np.float32))


def trained(build: Callable[[], keras.Model], said: list[str], **changes: object) -> keras.Model:
    settings = Training(epochs=2, batch_size=16, learning_rate=0.01, tensorboard=False, **changes)  # type: ignore[arg-type]  # by name
    train = rows(48)
    result = fit(
        build, train, rows(16), objective=Objective("binary_crossentropy", ["accuracy"]), settings=settings, seed=0,
        say=said.append,
    )  # fmt: skip
    return result.model


def test_features_computed_once_teach_the_same_as_those_of_every_step(
    build: Callable[[], keras.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    quick = trained(build, said)
    assert "features of the frozen backbone are computed once" in said
    monkeypatch.setattr(backbones, "learns_on_features", lambda _: False)
    slow = trained(build, [])
    np.testing.assert_allclose(outputs(quick, rows(16)), outputs(slow, rows(16)), atol=1e-4)
    assert np.abs(outputs(quick, rows(16)) - outputs(build(), rows(16))).max() > 1e-3, "it has learned"


def test_a_network_that_sees_other_pictures_each_time_computes_them_each_time(build: Callable[[], keras.Model]) -> None:
    said: list[str] = []
    model = trained(build, said, augment=("flip",))
    assert [line for line in said if "computed" in line] == [
        "training.augment changes the pictures: features of the frozen backbone are computed in every epoch"
    ]
    frozen = [layer for layer in model.layers if layer.name == "backbone"]
    assert len(frozen) == 1 and not frozen[0].trainable_weights
