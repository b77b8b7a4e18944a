"""How is a LiteRT file run on any number of rows, without TensorFlow?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlkit.contracts import Rows, lengths, take
from dlkit.errors import RunError
from dlkit.inference.quiet import silent_standard_error

ROWS_AT_ONCE = 256
_STEP = 64
_IDLE = 4_096
"""Padding, in ids, that single sets may add up to before the tensors are made smaller: about what that costs."""
_FIRST = np.zeros(1, np.int64)
_AS_IT_IS = ((0.0, 0), (1.0, 0))
"""Scale and zero point of inputs that are not quantized, or whose integers stand for themselves, as pixels do."""


class LiteRT:
    """A loaded `.tflite` file with one signature.

    Files with a free batch axis run up to 256 rows at once, files with batch 1 (recurrent networks) row by row.
    `threads`: 1 is best at batch 1 for small and recurrent networks. `round_up`: the inputs are sets of ids, to which
    padding may be added. Not safe for use by several threads at once.
    """

    def __init__(self, path: Path, *, threads: int = 1, round_up: bool = False) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            # Read, not mapped: a file replaced under a mapping corrupts the interpreter that uses it.
            with silent_standard_error():
                self._interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
        except (ValueError, RuntimeError, OSError) as error:
            raise RunError(f"{path} cannot be loaded as a LiteRT model ({error}); export it again.") from error
        signatures = self._interpreter.get_signature_list()
        signature = next(iter(signatures))
        self._names = list(signatures[signature]["inputs"])
        runner = self._interpreter.get_signature_runner(signature)
        self._path = path
        details = runner.get_input_details()
        self._inputs = {name: details[name] for name in self._names}
        self._output = next(iter(runner.get_output_details().values()))
        self._quantized = bool(self._output["quantization"][0])
        self._shapes: dict[str, tuple[int, ...]] = {}
        # The only input, where it is a set; the array that the last set was in, and whether the tensors are as large.
        self._one_set = self._names[0] if round_up and len(self._names) == 1 else ""
        self._index = self._inputs[self._names[0]]["index"]
        self._buffer, self._fits_buffer, self._idle = np.zeros((1, 0), np.int32), False, 0
        batches = {tuple(detail["shape_signature"])[:1] for detail in self._inputs.values()}
        self.fixed_batch = batches != {(-1,)}

    def run(self, inputs: Mapping[str, np.ndarray | Rows]) -> np.ndarray:
        """Model inputs by name, (rows, ...) each, to outputs (rows, ...) float32."""
        try:
            batch = {name: inputs[name] for name in self._names}
        except KeyError:
            raise RunError(
                f"{self._path} takes {self._names}, the run makes {list(inputs)}: it is of another model."
            ) from None
        rows = len(batch[self._names[0]])
        if rows == 1:
            one = {name: row if isinstance(row, np.ndarray) else row.take(_FIRST) for name, row in batch.items()}
            if self._one_set:
                return self._guarded(self._answered_set, one[self._one_set])
            return self._guarded(self._answered, one)
        step = 1 if self.fixed_batch else ROWS_AT_ONCE
        # Like lengths follow each other: little padding, and few changes of a tensor's size.
        widths = lengths(inputs)
        order = np.arange(rows) if widths is None else np.argsort(widths, kind="stable")
        outputs = [
            self._guarded(
                self._answered, {name: take(inputs[name], order[start : start + step]) for name in self._names}
            )
            for start in range(0, rows, step)
        ]
        if not outputs:
            return np.zeros((0, *self._output["shape"][1:]), np.float32)
        found = np.empty((rows, *outputs[0].shape[1:]), outputs[0].dtype)
        found[order] = np.concatenate(outputs)
        return found

    def _guarded(self, answered: Callable[[Any], np.ndarray], batch: object) -> np.ndarray:
        try:
            return answered(batch)
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise RunError(f"{self._path} cannot run on this model's inputs ({reason}); export it again.") from error

    def _answered_set(self, row: np.ndarray) -> np.ndarray:
        """One set of ids, (1, ids), padded to the width of the one before: to look up padding costs next to nothing,
        and to make all tensors anew as much as a small network. Done all the same where much padding has added up.
        """
        buffer, needed = self._buffer, row.shape[1]
        idle = self._idle + buffer.shape[1] - needed
        if needed > buffer.shape[1] or idle > _IDLE or not self._fits_buffer:
            buffer = np.zeros((1, -(-needed // _STEP) * _STEP), self._inputs[self._one_set]["dtype"])
            buffer[:, :needed] = row
            answer = self._answered({self._one_set: buffer})
            self._buffer, self._idle, self._fits_buffer = buffer, 0, True
            return answer
        self._idle = idle
        buffer[:, :needed] = row
        buffer[:, needed:] = 0
        self._interpreter.set_tensor(self._index, buffer)
        self._interpreter.invoke()
        answer = self._interpreter.get_tensor(self._output["index"])
        return _dequantized(answer, self._output) if self._quantized else answer

    def _answered(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        shapes = {name: array.shape for name, array in batch.items()}
        if shapes != self._shapes:
            for name, shape in shapes.items():
                self._interpreter.resize_tensor_input(self._inputs[name]["index"], shape)
            with silent_standard_error() if not self._shapes else contextlib.nullcontext():
                self._interpreter.allocate_tensors()
            self._shapes, self._fits_buffer = shapes, False
        for name, rows in batch.items():
            detail = self._inputs[name]
            fits = rows.dtype == detail["dtype"] and rows.flags.c_contiguous and detail["quantization"] in _AS_IT_IS
            self._interpreter.set_tensor(detail["index"], rows if fits else _quantized(rows, detail))
        self._interpreter.invoke()
        return _dequantized(self._interpreter.get_tensor(self._output["index"]), self._output)


def _quantized(rows: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Numbers in the integers of a fully quantized input; anything else in the type the file wants."""
    dtype = np.dtype(detail["dtype"])
    scale, zero = detail["quantization"]
    if scale:
        limits = np.iinfo(dtype)
        rows = np.clip(np.round(rows / scale) + zero, limits.min, limits.max)
    return np.ascontiguousarray(rows, dtype)


def _dequantized(rows: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    return (rows.astype(np.float32) - zero) * scale if scale else rows
