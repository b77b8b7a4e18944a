"""Does each artefact answer as the Keras model does, on raw rows that training never saw?"""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from dlkit.contracts import Columns, Examples, Transform
from dlkit.errors import DisagreementError, RunError
from dlkit.export.saved_model import SavedModel
from dlkit.inference.answers import AnyAnswer
from dlkit.inference.predictor import Predictor
from dlkit.training.fit import outputs

TOLERANCE = {
    "keras": 1e-4,
    "saved_model": 1e-4,
    "tflite": 1e-4,
    "onnx": 1e-4,
    "float16": 5e-3,
    "dynamic": 0.1,
    "int8": 0.25,
}
"""Largest difference allowed: of probabilities, or of values in standard deviations of the training targets."""
AGREEMENT = {"float16": 0.999, "dynamic": 0.99, "int8": 0.98}
"""Least share of rows with the same answer; 1.0 for all that are not quantized."""


@dataclass(frozen=True)
class Proof:
    """`max_abs_diff`: see `TOLERANCE`. `agreement`: share of rows with the same class, or a value nearer than 0.05."""

    rows: int
    max_abs_diff: float
    agreement: float
    outputs: np.ndarray

    def holds(self, name: str) -> bool:
        return self.max_abs_diff <= TOLERANCE[name] and self.agreement >= AGREEMENT.get(name, 1.0)


def runner(folder: Path, name: str, transform: Transform) -> Callable[[Columns], np.ndarray]:
    """A function from raw columns to network outputs that uses the artefact `name` of a run and nothing else of it."""
    if name == "keras":
        return _keras_runner(folder / "model.keras", transform)
    if name == "saved_model":
        return SavedModel(folder, transform).outputs
    if name == "onnx":
        from dlkit.export.onnx import OnnxModel

        return OnnxModel(folder / "model.onnx", transform).outputs
    return Predictor(folder, artefact=name).outputs


def _keras_runner(path: Path, transform: Transform) -> Callable[[Columns], np.ndarray]:
    model = keras_model(path)
    return lambda columns: outputs(model, Examples(transform.encode(columns)))


def keras_model(path: Path) -> keras.Model:
    """A run's `.keras` file, loaded from disk."""
    # dlkit's own layers register themselves with Keras when their module is imported.
    for module in ("layers", "autoencoder_layers", "text_layers", "image_layers", "pooling", "series_layers"):
        importlib.import_module(f"dlkit.models.{module}")
    try:
        with zipfile.ZipFile(path) as archive:
            if b"keras_hub" in archive.read("config.json"):
                importlib.import_module("keras_hub")
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} cannot be loaded ({str(error)[:200]}). Run the recipe again.") from error


def prove(answer: AnyAnswer, expected: np.ndarray, run: Callable[[Columns], np.ndarray], columns: Columns) -> Proof:
    """Replay raw `columns` through an artefact and compare with `expected`, the Keras model's outputs on them."""
    outputs = run(columns)
    if outputs.shape != expected.shape:
        return Proof(len(expected), float("inf"), 0.0, outputs)
    ours, theirs = answer.comparable(expected), answer.comparable(outputs)
    difference = float(np.abs(ours - theirs).max())
    # A NaN compares as no difference: the largest of all must be said instead.
    difference = difference if np.isfinite(difference) else float("inf")
    same = answer.agrees(ours, theirs)
    return Proof(len(expected), difference, float(np.mean(same)), outputs)


def require(proofs: dict[str, Proof], where: Path) -> None:
    """Raise DisagreementError (exit code 3) when an artefact is beyond its tolerance."""
    failed = {name: proof for name, proof in proofs.items() if not proof.holds(name)}
    if failed:
        parts = [
            f"{name}: largest difference {proof.max_abs_diff:.2g} (allowed {TOLERANCE[name]:g}), same answer on "
            f"{proof.agreement:.2%} of {proof.rows} rows (at least {AGREEMENT.get(name, 1.0):.1%})"
            for name, proof in failed.items()
        ]
        raise DisagreementError(
            f"{where}: an artefact does not answer as its Keras model. {'; '.join(parts)}. Do not deploy it; "
            "export again, without quantization or with another one."
        )
