"""How does a SavedModel do to raw tensors what the plain preprocessing does to raw columns?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import numpy as np
import tensorflow as tf

from dlkit.contracts import Column, ColumnKind, Columns, Transform
from dlkit.inference.images import ImagePixels
from dlkit.inference.joined import JoinedTransform
from dlkit.inference.latents import LatentInputs
from dlkit.inference.ngrams import NgramText
from dlkit.inference.sequences import SequenceText
from dlkit.inference.series import SeriesInputs
from dlkit.inference.tables import TableRows
from dlkit.inference.text import MultiHotText
from dlkit.inference.translation import PairText
from dlkit.inference.windows import FURTHEST, ScaledWindows
from dlkit.preprocessing.image_graphs import ImagePixelsGraph, encoded
from dlkit.preprocessing.pair_graphs import PairTextGraph
from dlkit.preprocessing.series_graphs import SeriesInputsGraph
from dlkit.preprocessing.text_graphs import MultiHotTextGraph, NgramTextGraph, SequenceTextGraph


class Graph(Protocol):
    """A preprocessing inside a SavedModel: `signature` names the raw tensors, `encode` gives the model's inputs."""

    signature: Mapping[str, tf.TensorSpec]

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]: ...


def graph_of(transform: Transform) -> Graph:
    """The TensorFlow form of a fitted preprocessing."""
    if type(transform) not in _GRAPHS:
        raise TypeError(f"{type(transform).__name__} has no TensorFlow form yet: add it to preprocessing/graphs.py.")
    return _GRAPHS[type(transform)](transform)


def raw_tensors(
    columns: Columns, kinds: Mapping[str, ColumnKind], tick: Literal["s", "ns"] = "s"
) -> dict[str, tf.Tensor]:
    """Raw columns as the tensors that a `Graph` takes. `tick`: see `SeriesInputs.tick`."""
    return {name: _tensor(columns[name], kind, tick) for name, kind in kinds.items()}


def _tensor(column: Column, kind: ColumnKind, tick: str) -> tf.Tensor:
    if kind in ("text", "category"):
        # Lone surrogates have no UTF-8; passed through as bytes, TensorFlow reads them as separators, as the rule says.
        return tf.constant(
            ["" if value is None else value.encode("utf-8", "surrogatepass") for value in column], tf.string
        )
    if kind == "image":
        return tf.constant([encoded(picture) for picture in column], tf.string)
    if kind == "time":
        return tf.constant(column.astype(f"datetime64[{tick}]").astype(np.int64))
    return tf.constant(column, tf.float64)


class JoinedGraph(tf.Module):
    """The TensorFlow form of `JoinedTransform`: raw tensors to the inputs of all parts."""

    def __init__(self, transform: JoinedTransform) -> None:
        super().__init__()
        self._parts = {name: graph_of(part) for name, part in transform.parts.items()}
        self.signature = {name: spec for part in self._parts.values() for name, spec in part.signature.items()}

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {f"{name}_{key}": one for name, part in self._parts.items() for key, one in part.encode(raw).items()}


class TableRowsGraph(tf.Module):
    """The TensorFlow form of `TableRows`: columns by name, numbers (rows,) float64 (NaN where missing), categories
    (rows,) strings ("" where missing), to `{"features": (rows, features) float32}`. Arithmetic in float64, as there.
    """

    def __init__(self, transform: TableRows) -> None:
        super().__init__()
        self._transform = transform
        self.signature = {
            name: tf.TensorSpec((None,), tf.float64 if kind == "number" else tf.string, name=name)
            for name, kind in transform.kinds.items()
        }

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        features: list[tf.Tensor] = []
        for name, column in self._transform.numbers.items():
            missing = tf.math.is_nan(raw[name])
            filled = tf.where(missing, tf.constant(column.fill, tf.float64), raw[name])
            scaled = (filled - column.shift) / column.scale
            limit = self._transform.furthest
            features.append(scaled if limit is None else tf.clip_by_value(scaled, -limit, limit))
            if column.flag:
                features.append(tf.cast(missing, tf.float64))
        for name, known in self._transform.categories.items():
            features += [tf.cast(raw[name] == value, tf.float64) for value in known]
        return {"features": tf.cast(tf.stack(features, axis=1), tf.float32)}


class LatentInputsGraph(tf.Module):
    """The TensorFlow form of `LatentInputs`: pictures or columns of a table, and a label (rows,) string, which has to
    be one of training, to the network's inputs.
    """

    def __init__(self, transform: LatentInputs) -> None:
        super().__init__()
        self._transform = transform
        self._part = graph_of(transform.part)
        label = {transform.label: tf.TensorSpec((None,), tf.string, name=transform.label)} if transform.label else {}
        self.signature = {**self._part.signature, **label}
        self.takes_arrays = isinstance(self._part, ImagePixelsGraph) and not label

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = self._scaled(self._part.encode(raw))
        if self._transform.label:
            is_one = raw[self._transform.label][:, tf.newaxis] == tf.constant(self._transform.labels)
            known = ", ".join(self._transform.labels)
            message = f"{self._transform.label}: expected one of {known}"
            tf.debugging.assert_equal(tf.reduce_any(is_one, axis=1), True, message=message)
            found["label"] = tf.argmax(tf.cast(is_one, tf.int32), axis=1, output_type=tf.int32)
        return found

    def of_arrays(self, arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        """(rows, height, width, 1, 3 or 4) uint8 to the same, without labels."""
        return self._scaled(self._part.of_arrays(arrays))  # type: ignore[attr-defined]  # asked for where it takes arrays

    def _scaled(self, of_part: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        (found,) = of_part.values()
        if self._transform.binarise == "threshold":
            found = tf.cast(found >= 128, tf.float32)
        elif self._transform.name == "image":
            found = tf.cast(found, tf.float32) / 255
        return {self._transform.name: found}


class ScaledWindowsGraph(tf.Module):
    """The TensorFlow form of `ScaledWindows`: channels by name, (rows, window) float64, NaN where missing, to
    `{"window": (rows, window, channels) float32}`. Arithmetic in float64, as there.
    """

    def __init__(self, transform: ScaledWindows) -> None:
        super().__init__()
        self._transform = transform
        self.signature = {
            name: tf.TensorSpec((None, transform.window), tf.float64, name=name) for name in transform.numbers
        }

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        scaled = []
        for name, column in self._transform.numbers.items():
            filled = tf.where(tf.math.is_nan(raw[name]), tf.constant(column.fill, tf.float64), raw[name])
            scaled.append(tf.clip_by_value((filled - column.shift) / column.scale, -FURTHEST, FURTHEST))
        return {"window": tf.cast(tf.stack(scaled, axis=2), tf.float32)}


_GRAPHS: dict[type, Callable[[Any], Graph]] = {
    MultiHotText: MultiHotTextGraph,
    SequenceText: SequenceTextGraph,
    NgramText: NgramTextGraph,
    ImagePixels: ImagePixelsGraph,
    JoinedTransform: JoinedGraph,
    LatentInputs: LatentInputsGraph,
    TableRows: TableRowsGraph,
    ScaledWindows: ScaledWindowsGraph,
    SeriesInputs: SeriesInputsGraph,
    PairText: PairTextGraph,
}
