"""How is a LiteRT file run on any number of rows, without TensorFlow?"""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dlkit.contracts import Rows, lengths, take
from dlkit.errors import RunError
from dlkit.inference.quiet import silent_standard_error

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

T = TypeVar("T")
ROWS_AT_ONCE = 256
_FIRST = np.zeros(1, np.int64)
_AS_IT_IS = ((0.0, 0), (1.0, 0))
"""Scale and zero point of inputs that are not quantized, or whose integers stand for themselves, as pixels do."""


def interpreter(path: Path, *, threads: int, content: bytes | None = None) -> Any:
    """A loaded `.tflite` file, of which `content` may have been read before; RunError where it is none."""
    from ai_edge_litert.interpreter import Interpreter

    content = content or _read(path)
    try:
        with silent_standard_error():
            return Interpreter(model_content=content, num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise _not_loaded(path, error) from error


def _read(path: Path) -> bytes:
    # Read, not mapped: a file replaced under a mapping corrupts the interpreter that uses it.
    try:
        return path.read_bytes()
    except OSError as error:
        raise _not_loaded(path, error) from error


def _not_loaded(path: Path, error: Exception) -> RunError:
    return RunError(f"{path} cannot be loaded as a LiteRT model ({error}); export it again.")


class LiteRT:
    """A loaded `.tflite` file; `run` takes its signature from input to answer, the only one of most files.

    Files with a free batch axis run up to 256 rows at once, files with batch 1 (recurrent networks) row by row.
    `threads`: 1 is best at batch 1 for small and recurrent networks. `widths`: ascending; where ids are the only input,
    a row of them is padded with zeros, which must change no answer, to the next of these numbers. Not safe for use by
    several threads at once.
    """

    def __init__(self, path: Path, *, threads: int = 1, widths: Sequence[int] = ()) -> None:
        content = _read(path)
        self._interpreter = interpreter(path, threads=threads, content=content)
        signatures = self._interpreter.get_signature_list()
        signature = "serving_default" if "serving_default" in signatures else next(iter(signatures))
        self._names = list(signatures[signature]["inputs"])
        runner = self._interpreter.get_signature_runner(signature)
        self._path = path
        # Of several signatures ours need not be the first, which is all that the interpreter's own tensors are of.
        self._runner = _quietly(runner) if len(signatures) > 1 else None
        details = runner.get_input_details()
        self._inputs = {name: details[name] for name in self._names}
        self._output = next(iter(runner.get_output_details().values()))
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._quantized = bool(self._output["quantization"][0])
        self._name, self._index = self._names[0], self._inputs[self._names[0]]["index"]
        # Each interpreter of a file with float16 weights would unpack them all for itself.
        packed = any(detail["dtype"] == np.float16 for detail in self._interpreter.get_tensor_details())
        self._widths = widths if len(self._names) == 1 and not packed else ()
        # The run may be moved or replaced while it is in use.
        self._another = partial(interpreter, path, threads=threads, content=content if self._widths else None)
        self._of_width: list[tuple[Interpreter, np.ndarray] | None] = [None] * len(self._widths)
        batches = {tuple(detail["shape_signature"])[:1] for detail in self._inputs.values()}
        self.fixed_batch = batches != {(-1,)}

    def takes(self, name: str, tensor: str) -> bool:
        """Whether the signature `name` has such an input."""
        return tensor in self._interpreter.get_signature_list().get(name, {}).get("inputs", [])

    def width(self, name: str, tensor: str) -> int:
        """Length of the last axis of an input of the signature `name`."""
        return int(self._interpreter.get_signature_runner(name).get_input_details()[tensor]["shape"][-1])

    def signature(self, name: str) -> Callable[..., dict[str, np.ndarray]]:
        """A further signature of a latent model: arrays by name in, (rows, ...) each, and arrays by name out."""
        if name not in self._interpreter.get_signature_list():
            raise RunError(f"{self._path} has no signature {name!r}: it is no latent model, or older. Export it again.")
        runner = _quietly(self._interpreter.get_signature_runner(name))
        return lambda **inputs: self._guarded(lambda batch: runner(**batch), inputs)

    def run(self, inputs: Mapping[str, np.ndarray | Rows]) -> np.ndarray:
        """Model inputs by name, (rows, ...) each, to outputs (rows, ...) float32."""
        ids = inputs.get(self._name) if self._widths else None
        if ids is not None and len(ids) == 1:
            return self._guarded(self._padded, ids if isinstance(ids, np.ndarray) else ids.take(_FIRST))
        try:
            batch = {name: inputs[name] for name in self._names}
        except KeyError:
            raise RunError(
                f"{self._path} takes {self._names}, the run makes {list(inputs)}: it is of another model."
            ) from None
        rows = len(batch[self._names[0]])
        if rows == 1:
            one = {name: row if isinstance(row, np.ndarray) else row.take(_FIRST) for name, row in batch.items()}
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

    def _guarded(self, answered: Callable[[Any], T], batch: object) -> T:
        try:
            return answered(batch)
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise RunError(f"{self._path} cannot run on this model's inputs ({reason}); export it again.") from error

    def _padded(self, ids: np.ndarray) -> np.ndarray:
        """One row, by an interpreter that keeps its size: to make all tensors anew takes as long as a small network."""
        count = ids.shape[1]
        place = bisect_left(self._widths, count)
        if place == len(self._widths):
            return self._answered({self._name: ids})
        interpreter, padded = self._of_width[place] or self._sized(place)
        padded[:, :count] = ids
        padded[:, count:] = 0
        interpreter.set_tensor(self._index, padded)
        interpreter.invoke()
        answer = interpreter.get_tensor(self._output["index"])
        return _dequantized(answer, self._output) if self._quantized else answer

    def _sized(self, place: int) -> tuple[Interpreter, np.ndarray]:
        """An interpreter for rows of `widths[place]` ids, and the array that these are laid in."""
        padded = np.zeros((1, self._widths[place]), self._inputs[self._name]["dtype"])
        with silent_standard_error():
            interpreter = self._another()
            interpreter.resize_tensor_input(self._index, padded.shape)
            interpreter.allocate_tensors()
        self._of_width[place] = interpreter, padded
        return interpreter, padded

    def _answered(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        if self._runner is not None:
            (outputs,) = self._runner(**batch).values()
            return np.asarray(outputs)
        shapes = {name: array.shape for name, array in batch.items()}
        if shapes != self._shapes:
            for name, shape in shapes.items():
                self._interpreter.resize_tensor_input(self._inputs[name]["index"], shape)
            with silent_standard_error() if not self._shapes else contextlib.nullcontext():
                self._interpreter.allocate_tensors()
            self._shapes = shapes
        for name, rows in batch.items():
            detail = self._inputs[name]
            fits = rows.dtype == detail["dtype"] and rows.flags.c_contiguous and detail["quantization"] in _AS_IT_IS
            self._interpreter.set_tensor(detail["index"], rows if fits else _quantized(rows, detail))
        self._interpreter.invoke()
        return _dequantized(self._interpreter.get_tensor(self._output["index"]), self._output)


def _quietly(runner: Callable[..., dict[str, np.ndarray]]) -> Callable[..., dict[str, np.ndarray]]:
    """The same, but that its first call is silent, at which a delegate says that it was made."""
    called = False

    def call(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        nonlocal called
        with contextlib.nullcontext() if called else silent_standard_error():
            called = True
            return dict(runner(**inputs))

    return call


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
