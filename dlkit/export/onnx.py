"""How is a network written as ONNX, and run with ONNX Runtime?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from dlkit.contracts import Columns, Tensor, Transform, take
from dlkit.errors import ExportError, MissingExtraError

_ROWS_AT_ONCE = 256


def write_onnx(path: Path, model: keras.Model, tensors: Mapping[str, Tensor]) -> None:
    """Write `path` with Keras' own exporter; inputs are the network's, encoded rows."""
    aside = path.with_name(f".partial-{path.name}")
    signature = [
        keras.InputSpec(shape=(None, *tensor.shape), dtype=tensor.dtype, name=name) for name, tensor in tensors.items()
    ]
    try:
        model.export(aside, format="onnx", verbose=False, input_signature=signature)
    except ImportError as error:
        raise MissingExtraError("ONNX export", "onnx") from error
    except Exception as error:
        # tf2onnx fails with whatever its rewriters raise.
        aside.unlink(missing_ok=True)
        raise ExportError(f"The network has no ONNX form: {str(error)[:300]}") from error
    aside.replace(path)


class OnnxModel:
    """An ONNX file, loaded: raw columns to the network's outputs."""

    def __init__(self, path: Path, transform: Transform) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("Running ONNX", "onnx") from error
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self._transform = transform

    def outputs(self, columns: Columns) -> np.ndarray:
        inputs = self._transform.encode(columns)
        names = {one.name.split(":")[0]: one.name for one in self._session.get_inputs()}
        rows = len(next(iter(inputs.values())))
        parts = []
        for start in range(0, rows, _ROWS_AT_ONCE):
            indices = np.arange(start, min(start + _ROWS_AT_ONCE, rows))
            batch = {names.get(name, name): take(values, indices) for name, values in inputs.items()}
            parts.append(self._session.run(None, batch)[0])
        return np.concatenate(parts)
