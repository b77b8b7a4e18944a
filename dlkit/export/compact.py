"""What does a quantized LiteRT file hold more than once, and need not?

The converter quantizes a table of word vectors twice, as a whole where words are looked up and row by row where the
next word is chosen by it; it writes the scales of a weight again for each function that uses it, 12 bytes a row; and
it names each of some thousand tensors, which nobody asks for by name: signatures count them. In a translator of rows of
128 bytes all that is a third of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def compacted(content: bytes) -> bytes:
    """The same file with each table and each list of scales once, and without names of tensors."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    _share_tables(model)
    _share_scales(model)
    for tensor in _tensors(model):
        tensor.name = None
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _share_tables(model: Any) -> None:
    """Weights that are a looked-up table with scales by row become that table, with its one scale.

    A scale for all is coarser for rows of small numbers; its error is a 254th of the largest number at most.
    """
    tables = {tensor.buffer: tensor for tensor in _tensors(model) if _is_quantized(tensor, one_scale=True)}
    for weights in _tensors(model):
        if not _is_quantized(weights, one_scale=False):
            continue
        for table in tables.values():
            if _are_the_same(model, table, weights):
                old = weights.buffer
                weights.buffer, weights.quantization = table.buffer, table.quantization
                if not any(tensor.buffer == old for tensor in _tensors(model)):
                    model.buffers[old].data = None
                break


def _tensors(model: Any) -> Iterator[Any]:
    return (tensor for graph in model.subgraphs for tensor in graph.tensors)


def _is_quantized(tensor: Any, *, one_scale: bool) -> bool:
    scales = None if tensor.quantization is None else tensor.quantization.scale
    matrix = tensor.type == schema.TensorType.INT8 and tensor.shape is not None and len(tensor.shape) == 2
    return matrix and scales is not None and (len(scales) == 1) == one_scale


def _are_the_same(model: Any, table: Any, weights: Any) -> bool:
    """Whether both are the same numbers but for rounding."""
    if list(table.shape) != list(weights.shape) or model.buffers[weights.buffer].data is None:
        return False
    first, second = (_numbers(model, tensor) for tensor in (table, weights))
    return bool(np.abs(first - second).max() <= table.quantization.scale[0])


def _numbers(model: Any, tensor: Any) -> np.ndarray:
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.int8).reshape(tensor.shape)
    scales = np.asarray(tensor.quantization.scale, np.float32)
    return data * (scales if len(scales) == 1 else scales[:, np.newaxis])


class _Once:
    """Quantization that several tensors share: written at the first of them, pointed to by the others."""

    def __init__(self, quantization: Any) -> None:
        self._quantization = quantization
        self._place: int | None = None

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 (the name that FlatBuffers calls)
        if self._place is None:
            self._place = int(self._quantization.Pack(builder))
        return self._place


def _share_scales(model: Any) -> None:
    known: dict[bytes, _Once] = {}
    for tensor in _tensors(model):
        found = tensor.quantization
        if found is not None and found.scale is not None:
            parts = (found.scale, found.zeroPoint, [found.quantizedDimension])
            key = b"|".join(np.asarray(part).tobytes() for part in parts)
            tensor.quantization = known.setdefault(key, _Once(found))
