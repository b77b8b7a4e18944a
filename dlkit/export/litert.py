"""How is a network converted to LiteRT with builtin operations only?"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlkit.contracts import Examples, Tensor, take
from dlkit.errors import ExportError
from dlkit.evaluation.rows import evenly
from dlkit.export.compact import compacted
from dlkit.export.latent_signatures import Forward, Functions, called_with, latent_functions
from dlkit.export.one_row import loops_over_padding, reads_one_row, step_by_step, without_padding
from dlkit.inference.quiet import silent_standard_error
from dlkit.models.layers import side_by_side

Rows = Sequence[tuple[str, Mapping[str, np.ndarray]]]
"""Name of a signature and what it is called with, a row each."""
CALIBRATION_ROWS = 1_000
"""Fewer miss the tails: with 200, the largest error of a table network was 0.28 standard deviations, not 0.04."""


def write_litert(
    path: Path,
    model: keras.Model,
    tensors: Mapping[str, Tensor],
    *,
    quantize: str | None = None,
    calibration: Examples | None = None,
) -> None:
    """Convert `model` to `path`. Raises ExportError where an operation has no builtin form: no Flex, ever.

    `quantize`: "float16" weights, "dynamic" (int8 weights, float arithmetic), or "int8" (integer arithmetic, float in
    and out), which needs `calibration` examples to learn the ranges of activations from.
    """
    alone = reads_one_row(model)
    forward = _forward_of_one(model, tensors) if alone else _forward(model, tensors)
    # Whole-number pixels go into an integer network as they are; the converter wants to hear of them as floats.
    pixels = quantize == "int8" and all(tensor.dtype == "uint8" for tensor in tensors.values())
    if pixels:
        tensors = {name: Tensor(tensor.shape) for name, tensor in tensors.items()}
    functions: Functions = {"serving_default": (forward, tensors), **latent_functions(model, tensors)}
    concrete = {
        name: tf.function(one, input_signature=[_signature(taken, 1 if alone else None)]).get_concrete_function()
        for name, (one, taken) in functions.items()
    }
    examples = _rows(calibration, tensors, functions) if quantize == "int8" else None
    write_functions(path, concrete, model, quantize=quantize, rows=examples, pixels=pixels)


def write_functions(
    path: Path,
    functions: Mapping[str, Any],
    model: keras.Model,
    *,
    quantize: str | None,
    rows: Rows | None = None,
    pixels: bool = False,
) -> None:
    """Convert concrete functions of `model`, by the names of their signatures, to `path`; `rows` are to calibrate."""
    with tempfile.TemporaryDirectory() as scratch:
        frozen = Path(scratch) / "model"
        module = tf.Module()
        # The variables themselves, not the Keras model: tracked through the model, the converter of TensorFlow 2.21
        # finds them uninitialised and writes a file of garbage, without a word.
        # An attribute called `serve` would hide all signatures but one.
        module.weights, module.functions = [variable.value for variable in model.variables], dict(functions)
        tf.saved_model.save(module, str(frozen), signatures=dict(functions))
        content = _convert_aside(frozen, list(functions), quantize, rows, pixels=pixels)
    if quantize == "dynamic" and len(functions) > 1:
        content = compacted(content)
    aside = path.with_name(f".{path.name}.partial")
    aside.write_bytes(content)
    aside.replace(path)


def _signature(tensors: Mapping[str, Tensor], rows: int | None) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec((rows, *tensor.shape), tensor.dtype, name=name) for name, tensor in tensors.items()}


def _forward(model: keras.Model, tensors: Mapping[str, Tensor]) -> Forward:
    def forward(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        outputs = model(inputs[next(iter(tensors))] if len(tensors) == 1 else dict(inputs), training=False)
        return {"outputs": side_by_side(outputs)}

    return forward


def _forward_of_one(model: keras.Model, tensors: Mapping[str, Tensor]) -> Forward:
    """As `_forward`, for one row: a step at a time, and where that is so, without its padding."""
    forward, padded = _forward(step_by_step(model), tensors), set()
    if loops_over_padding(model):
        padded = {name for name, tensor in tensors.items() if tensor.shape == (None,) and tensor.dtype == "int32"}

    def trimmed(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return forward({name: without_padding(row) if name in padded else row for name, row in inputs.items()})

    return trimmed


def _rows(examples: Examples | None, tensors: Mapping[str, Tensor], functions: Functions) -> Rows:
    if examples is None or not len(examples):
        raise ExportError("Quantization to int8 needs training rows to learn the ranges from: give --data.")
    rows = [
        {name: take(examples.inputs[name], np.array([row])).astype(tensor.dtype) for name, tensor in tensors.items()}
        for row in evenly(len(examples), CALIBRATION_ROWS).tolist()
    ]
    if len(functions) == 1:
        return [("serving_default", row) for row in rows]
    random = np.random.default_rng(0)  # one for all rows: each has noise of its own
    return [one for row in rows for one in called_with(functions, row, random).items()]


def _convert_aside(frozen: Path, keys: list[str], quantize: str | None, rows: Rows | None, *, pixels: bool) -> bytes:
    """Convert; where calibration runs the network, in a child process, for it can kill its process."""
    if rows is None:
        return _convert(frozen, keys, quantize, None, pixels=pixels)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_convert_in_child, args=(sender, frozen, keys, quantize, rows, pixels), daemon=True)
    with silent_standard_error():  # the child inherits it, and would log TensorFlow's start-up a second time
        child.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        child.join()
        raise ExportError(
            f"The converter's process ended with code {child.exitcode} while it calibrated {quantize}. "
            "Use --quantize dynamic instead: it needs no calibration."
        ) from None
    child.join()
    if isinstance(result, str):
        raise ExportError(result)
    return bytes(result)


def _convert_in_child(sender: object, *asked: Any) -> None:
    """`asked`: as `_convert` takes it, `pixels` last."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        sender.send(_convert(*asked[:-1], pixels=asked[-1]))  # type: ignore[attr-defined]  # a Connection: typed by neither
    except ExportError as error:
        sender.send(str(error))  # type: ignore[attr-defined]  # as above


def _convert(frozen: Path, keys: list[str], quantize: str | None, rows: Rows | None, *, pixels: bool) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(frozen), signature_keys=keys)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if rows is not None:
        converter.representative_dataset = lambda: iter(rows)
    if pixels:
        converter.inference_input_type = tf.uint8
    try:
        return bytes(converter.convert())
    except Exception as error:
        # The converter raises its own ConverterError, ValueError or RuntimeError, with pages of text.
        lines = [line for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "Flex" in line or "custom op" in line), lines[0] if lines else "")
        raise ExportError(f"The network has no LiteRT form with builtin operations only: {reason[:300]}") from error
