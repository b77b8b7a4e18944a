"""How is a network written as ONNX, and run with ONNX Runtime?"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from dlkit.contracts import Columns, Tensor, Transform, take
from dlkit.errors import ExportError, MissingExtraError
from dlkit.models.layers import side_by_side

_ROWS_AT_ONCE = 256


def write_onnx(path: Path, model: keras.Model, tensors: Mapping[str, Tensor]) -> None:
    """Write `path` with Keras' own exporter; inputs are the network's, encoded rows."""
    aside = path.with_name(f".partial-{path.name}")
    inputs = {
        name: keras.InputSpec(shape=(None, *tensor.shape), dtype=tensor.dtype, name=name)
        for name, tensor in tensors.items()
    }
    # Several inputs are one argument, by their names; of a list, Keras would make an argument each.
    signature = [inputs] if len(inputs) > 1 else [*inputs.values()]
    try:
        importlib.import_module("tf2onnx")
    except ImportError as error:
        raise MissingExtraError("ONNX export", "onnx") from error
    try:
        with warnings.catch_warnings():
            # Keras looks whether numpy still has the `np.object` that tf2onnx uses, which numpy warns of.
            warnings.simplefilter("ignore", FutureWarning)
            _one_answer(model).export(aside, format="onnx", verbose=False, input_signature=signature)
    except Exception as error:
        # tf2onnx fails with whatever its rewriters raise.
        aside.unlink(missing_ok=True)
        raise ExportError(f"The network has no ONNX form: {str(error)[:300]}") from error
    aside.replace(path)


def _one_answer(model: keras.Model) -> keras.Model:
    """The network; answers of several heads side by side, as all artefacts have them."""
    answers = getattr(model, "output", None)  # a network written by subclassing has none
    return keras.Model(model.inputs, side_by_side(answers)) if isinstance(answers, Mapping) else model


class OnnxModel:
    """An ONNX file, loaded: raw columns to the network's outputs. `threads`: as many as it likes where that is 0."""

    def __init__(self, path: Path, transform: Transform, *, threads: int = 0) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("Running ONNX", "onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._names = {one.name.split(":")[0]: one.name for one in self._session.get_inputs()}
        self._transform = transform

    def outputs(self, columns: Columns) -> np.ndarray:
        inputs = self._transform.encode(columns)
        rows = len(next(iter(inputs.values())))
        parts = []
        for start in range(0, rows, _ROWS_AT_ONCE):
            indices = np.arange(start, min(start + _ROWS_AT_ONCE, rows))
            parts.append(self.network({name: take(values, indices) for name, values in inputs.items()}))
        return np.concatenate(parts)

    def network(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Encoded inputs by name, (rows, ...) each, to the network's outputs."""
        found = self._session.run(None, {self._names.get(name, name): rows for name, rows in inputs.items()})
        return np.asarray(found[0])
