"""What tests of networks that read words have in common: weights, rows of ids, and what LiteRT must agree on."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from dlkit.contracts import Tensor
from dlkit.export.litert import write_litert
from dlkit.inference.litert import LiteRT

IDS = {"ids": Tensor((None,), "int32")}
WORDS = 40


def stirred(model: keras.Model) -> keras.Model:
    """Weights at random, biases too, so that nothing agrees because it is zero."""
    dice = np.random.default_rng(3)
    model.set_weights([dice.normal(0, 0.4, weight.shape).astype(np.float32) for weight in model.get_weights()])
    return model


def rows(*lengths: int) -> list[np.ndarray]:
    dice = np.random.default_rng(5)
    return [dice.integers(1, WORDS + 1, (1, length)).astype(np.int32) for length in lengths]


def check_rows_of_any_length(path: Path, model: keras.Model, *lengths: int) -> None:
    """Keras and LiteRT give the same for rows of changing length, however much padding follows, and not one for all."""
    write_litert(path, model, IDS)
    artefact, answers = LiteRT(path), []
    for row in rows(*lengths):
        expected = np.asarray(model(row))
        np.testing.assert_allclose(artefact.run({"ids": row}), expected, atol=2e-5)
        np.testing.assert_allclose(artefact.run({"ids": np.pad(row, ((0, 0), (0, 6)))}), expected, atol=2e-5)
        answers.append(expected)
    assert np.ptp(np.concatenate(answers), axis=0).min() > 1e-2
