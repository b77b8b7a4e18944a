"""Which artefacts does a run hold, and how is each one written and recorded?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from dlkit.contracts import Examples, Transform
from dlkit.errors import ExportError
from dlkit.export.associated import associate
from dlkit.export.litert import write_litert
from dlkit.export.saved_model import write_saved_model
from dlkit.export.translating import write_translator
from dlkit.inference.answers import AnyAnswer
from dlkit.inference.runs import ASSETS, combined_sha256
from dlkit.inference.sentences import SentenceAnswer


def write(
    name: str,
    folder: Path,
    *,
    model: keras.Model,
    transform: Transform,
    answer: AnyAnswer,
    calibration: Examples | None = None,
) -> dict[str, object]:
    """Write one artefact into a run folder, whose assets are there already; gives its entry for `run.json`."""
    if name == "keras":
        _save_bare(folder / "model.keras", model)
        return record(folder, ["model.keras"])
    if name == "saved_model":
        return record(folder, write_saved_model(folder, transform, model, answer))
    if isinstance(answer, SentenceAnswer) and name in ("onnx", "int8"):
        raise ExportError(
            f"A translator has no {name} form, for it writes in a loop. Use --format tflite, alone or with --quantize "
            "dynamic (weights of 8 bits) or float16."
        )
    if name == "onnx":
        from dlkit.export.onnx import write_onnx

        write_onnx(folder / "model.onnx", model, transform.tensors)
        return record(folder, ["model.onnx"])
    file = "model.tflite" if name == "tflite" else f"model.{name}.tflite"
    quantize = None if name == "tflite" else name
    if isinstance(answer, SentenceAnswer):
        write_translator(folder / file, model, answer, quantize=quantize)
    else:
        write_litert(folder / file, model, transform.tensors, quantize=quantize, calibration=calibration)
    associate(folder / file, folder / ASSETS)
    return record(folder, [file])


def _save_bare(path: Path, model: keras.Model) -> None:
    """The network without how it was compiled: who loads it has to know its layers alone, not our optimizers, whose
    moments would be two thirds of the file.
    """
    every = [one for one in model._flatten_layers() if isinstance(one, keras.Model)]
    compiled = [(one, one.optimizer) for one in every if one.compiled]
    try:
        for one, _ in compiled:
            one.compiled, one.optimizer = False, None
        model.save(path)
    finally:
        for one, optimizer in compiled:
            one.compiled, one.optimizer = True, optimizer


def record(folder: Path, parts: Sequence[str]) -> dict[str, object]:
    """`{"path", "bytes", "sha256"}` of an artefact, with "parts" where it is more than one file."""
    paths = [folder / part for part in parts]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    entry = {"path": parts[0], "bytes": sum(file.stat().st_size for file in files), "sha256": combined_sha256(paths)}
    return entry | ({"parts": list(parts)} if len(parts) > 1 else {})
