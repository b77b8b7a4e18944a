"""Do encoder, decoder and reconstruction of each artefact answer as those of the Keras model?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from dlkit.contracts import Columns, Transform, take
from dlkit.export.latent_signatures import Functions, called_with, latent_functions
from dlkit.export.saved_model import SavedModel
from dlkit.inference.litert import LiteRT

ROWS = 1_000
"""Held-out rows that are replayed at most; the signature from input to reconstruction is proven on all of them."""
_AT_ONCE = 250

Signature = Callable[..., Mapping[str, np.ndarray]]


def signature_differences(
    model: keras.Model, transform: Transform, columns: Columns, signature: Callable[[str], Signature]
) -> dict[str, float]:
    """The largest difference of each signature of an artefact from `model`, on raw `columns`; none of other models.

    In units in which 1e-4 means the same for all: of pixels, standardised features, log-variances, probabilities, and
    codes in standard deviations where they have one of more than 1. `signature`: the artefact's, by name.
    """
    functions = latent_functions(model, transform.tensors)
    rows = min(len(next(iter(columns.values()))), ROWS)
    encoded = transform.encode({name: column[:rows] for name, column in columns.items()}) if functions else {}
    found = dict.fromkeys(functions, 0.0)
    called = {name: signature(name) for name in functions}
    for start in range(0, rows if functions else 0, _AT_ONCE):
        indices = np.arange(start, min(start + _AT_ONCE, rows))
        batch = {name: take(values, indices) for name, values in encoded.items()}
        for name, inputs in called_with(functions, batch).items():
            expected, given = _answers(functions, name, inputs), called[name](**inputs)
            found[name] = max(found[name], *(_difference(rows, given.get(key)) for key, rows in expected.items()))
    return found


def signatures_of(folder: Path, name: str, transform: Transform, model: keras.Model) -> Callable[[str], Signature]:
    """The signatures of an artefact of a run, loaded from its folder; those of the Keras file from `model`."""
    if name == "saved_model":
        return SavedModel(folder, transform).signature
    if name != "keras":
        return LiteRT(folder / ("model.tflite" if name == "tflite" else f"model.{name}.tflite")).signature
    functions = latent_functions(model, transform.tensors)

    def signature(key: str) -> Signature:
        return lambda **inputs: _answers(functions, key, inputs)

    return signature


def _answers(functions: Functions, name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = functions[name][0]({key: tf.constant(rows) for key, rows in inputs.items()})
    return {key: np.asarray(one) for key, one in found.items()}


def _difference(expected: np.ndarray, given: np.ndarray | None) -> float:
    if given is None or given.shape != expected.shape:
        return float("inf")
    difference = float(np.abs(expected - given).max()) / max(1.0, float(expected.std()))
    return difference if np.isfinite(difference) else float("inf")
