"""Does each artefact answer as the Keras model does, on raw rows that training never saw?"""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras
import numpy as np

from dlkit.contracts import Columns, Examples, Transform
from dlkit.errors import DisagreementError, RunError
from dlkit.export.latent_proof import signature_differences, signatures_of
from dlkit.export.latent_signatures import latent_functions
from dlkit.export.saved_model import SavedModel
from dlkit.inference.answers import AnyAnswer
from dlkit.inference.decoding import Search
from dlkit.inference.predictor import Predictor, load_answer
from dlkit.inference.sentences import SentenceAnswer
from dlkit.lazily import HEAVY_MODULES
from dlkit.training.answering import answers_of

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
OF_SENTENCES = {"float16": (0.05, 0.9), "dynamic": (0.5, 0.5)}
"""The same two of translations, where one other piece of a dozen makes another sentence: largest difference of scores
of identical sentences, as a share of the score where that is beyond 1 (without a length penalty it is a sum over all
pieces), and their least share. 1e-4 and 0.99 for all that are not quantized.
"""


@dataclass(frozen=True)
class Proof:
    """`max_abs_diff`: see `TOLERANCE`. `agreement`: share of rows with the same class, or a value nearer than 0.05.
    `signatures`: the largest differences of a latent model's further signatures.

    Of translations (`sentences`): the share of identical ones, and the largest difference of their scores;
    `greedy_agreement`: the share of identical ones where both search greedily, each by its own loop.
    """

    rows: int
    max_abs_diff: float
    agreement: float
    outputs: np.ndarray
    signatures: Mapping[str, float] = field(default_factory=dict)
    sentences: bool = False
    greedy_agreement: float | None = None

    def holds(self, name: str) -> bool:
        tolerance, share = self.asked(name)
        difference = max(self.max_abs_diff, *self.signatures.values(), 0.0)
        return difference <= tolerance and min(self.agreements.values()) >= share

    @property
    def agreements(self) -> dict[str, float]:
        """As figures of an artefact."""
        greedy = {} if self.greedy_agreement is None else {"greedy_agreement": self.greedy_agreement}
        return {"agreement": self.agreement, **greedy}

    def asked(self, name: str) -> tuple[float, float]:
        """Largest difference that is allowed, and least share of rows with the same answer."""
        if self.sentences:
            return OF_SENTENCES.get(name, (1e-4, 0.99))
        return TOLERANCE[name], AGREEMENT.get(name, 1.0)


def runner(folder: Path, name: str, transform: Transform) -> Callable[[Columns], np.ndarray]:
    """A function from raw columns to network outputs that uses the artefact `name` of a run and nothing else of it."""
    if name == "keras":
        return _keras_runner(folder, transform)
    if name == "saved_model":
        return SavedModel(folder, transform).outputs
    if name == "onnx":
        from dlkit.export.onnx import OnnxModel

        return OnnxModel(folder / "model.onnx", transform).outputs
    return Predictor(folder, artefact=name).outputs


def _keras_runner(folder: Path, transform: Transform) -> Callable[[Columns], np.ndarray]:
    model, answer = keras_model(folder / "model.keras"), load_answer(folder)
    return lambda columns: answers_of(model, answer, Examples(transform.encode(columns)))


def keras_model(path: Path) -> keras.Model:
    """A run's `.keras` file, loaded from disk."""
    # dlkit's own layers register themselves with Keras when their module is imported.
    for module in HEAVY_MODULES:
        importlib.import_module(module)
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
    same = answer.agrees(ours, theirs)
    sentences = isinstance(answer, SentenceAnswer)
    apart = np.abs(ours - theirs)
    if sentences:
        apart = (apart / np.maximum(1, np.abs(ours)))[same]
    # A NaN compares as no difference: the largest of all must be said instead.
    difference = float(apart.max(initial=0)) if np.isfinite(apart).all() else float("inf")
    return Proof(len(expected), difference, float(np.mean(same)), outputs, sentences=sentences)


def with_signatures(
    proofs: Mapping[str, Proof],
    model: keras.Model,
    answer: AnyAnswer,
    folder: Path,
    *,
    transform: Transform,
    columns: Columns,
) -> dict[str, Proof]:
    """The proofs by artefact of a run, with what else artefacts can do compared with `model`: those of a latent model
    encode and decode, those of a translator search greedily, in a loop of its own. Others as they are.
    """
    if isinstance(answer, SentenceAnswer):
        return _with_greedy(proofs, model, replace(answer, beam=1), folder, transform=transform, columns=columns)
    if not latent_functions(model, transform.tensors):
        return dict(proofs)
    found = dict(proofs)
    for name in proofs.keys() - {"onnx"}:
        loaded = keras_model(folder / "model.keras") if name == "keras" else model
        given = signatures_of(folder, name, transform, loaded)
        found[name] = replace(proofs[name], signatures=signature_differences(model, transform, columns, given))
    return found


def _with_greedy(
    proofs: Mapping[str, Proof],
    model: keras.Model,
    greedy: SentenceAnswer,
    folder: Path,
    *,
    transform: Transform,
    columns: Columns,
) -> dict[str, Proof]:
    expected = answers_of(model, greedy, Examples(transform.encode(columns)))
    shares = {
        name: prove(greedy, expected, _greedy_runner(folder, name, transform, greedy), columns).agreement
        for name in proofs
    }
    return {name: replace(proof, greedy_agreement=shares[name]) for name, proof in proofs.items()}


def _greedy_runner(
    folder: Path, name: str, transform: Transform, greedy: SentenceAnswer
) -> Callable[[Columns], np.ndarray]:
    """As `runner`, of a translator that searches greedily."""
    if name == "keras":
        model = keras_model(folder / "model.keras")
        return lambda columns: answers_of(model, greedy, Examples(transform.encode(columns)))
    if name == "saved_model":
        return SavedModel(folder, transform, signature="greedy").outputs
    search = Search(beam=1, length_penalty=greedy.length_penalty)
    return Predictor(folder, artefact=name, search=search).outputs


def require(proofs: dict[str, Proof], where: Path) -> None:
    """Raise DisagreementError (exit code 3) when an artefact is beyond its tolerance."""
    failed = {name: proof for name, proof in proofs.items() if not proof.holds(name)}
    if failed:
        parts = [
            f"{name}: largest difference {proof.max_abs_diff:.2g} (allowed {tolerance:g}), same answer on "
            f"{proof.agreement:.2%} of {proof.rows} rows (at least {share:.1%})"
            + ("" if proof.greedy_agreement is None else f", searched greedily on {proof.greedy_agreement:.2%}")
            + "".join(f", {key}: largest difference {one:.2g}" for key, one in proof.signatures.items())
            for name, proof in failed.items()
            for tolerance, share in [proof.asked(name)]
        ]
        raise DisagreementError(
            f"{where}: an artefact does not answer as its Keras model. {'; '.join(parts)}. Do not deploy it; "
            "export again, without quantization or with another one."
        )
