"""How does a SavedModel do to raw tensors what the plain preprocessing does to raw columns?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from dlkit.contracts import Column, ColumnKind, Columns, Transform
from dlkit.inference.tables import TableRows
from dlkit.inference.text import MultiHotText
from dlkit.inference.words import LAST_KEPT, LAST_TABLED, LINE_BREAK, rule

_VANISHES = 0


class Graph(Protocol):
    """A preprocessing inside a SavedModel: `signature` names the raw tensors, `encode` gives the model's inputs."""

    signature: Mapping[str, tf.TensorSpec]

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]: ...


def graph_of(transform: Transform) -> Graph:
    """The TensorFlow form of a fitted preprocessing."""
    if isinstance(transform, MultiHotText):
        return MultiHotTextGraph(transform)
    if isinstance(transform, TableRows):
        return TableRowsGraph(transform)
    raise TypeError(f"{type(transform).__name__} has no TensorFlow form yet: add it to preprocessing/graphs.py.")


def raw_tensors(columns: Columns, kinds: Mapping[str, ColumnKind]) -> dict[str, tf.Tensor]:
    """Raw columns as the tensors that a `Graph` takes."""
    return {name: _tensor(columns[name], kind) for name, kind in kinds.items()}


def _tensor(column: Column, kind: ColumnKind) -> tf.Tensor:
    if kind in ("text", "category"):
        # Lone surrogates have no UTF-8; passed through as bytes, TensorFlow reads them as separators, as the rule says.
        return tf.constant(
            ["" if value is None else value.encode("utf-8", "surrogatepass") for value in column], tf.string
        )
    return tf.constant(column, tf.float64 if kind == "number" else None)


class MultiHotTextGraph(tf.Module):
    """The TensorFlow form of `MultiHotText`: (rows,) strings to `{"word_ids": (rows, most words) int32}`.

    It lives inside a SavedModel and agrees with the plain form on every string (tested on all IMDb reviews and on
    generated Unicode): the rule on code points is a table made by the plain form's own function.
    """

    def __init__(self, transform: MultiHotText) -> None:
        super().__init__()
        rules = [rule(code) for code in range(LAST_TABLED + 1)]
        self._rules = tf.constant([_VANISHES if code is None else code for code in rules], tf.int32)
        self._column = transform.column
        vocabulary = tf.lookup.KeyValueTensorInitializer(
            list(transform.vocabulary), range(1, len(transform.vocabulary) + 1), tf.string, tf.int32
        )
        self._ids = tf.lookup.StaticHashTable(vocabulary, default_value=0)
        self.signature = {self._column: tf.TensorSpec((None,), tf.string, name=self._column)}

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        ids = tf.ragged.map_flat_values(self._ids.lookup, self.words(raw[self._column]))
        return {"word_ids": _unique_sorted(ids)}

    def words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """(rows,) strings to (rows, words of the row) strings, as `dlkit.inference.words.words`."""
        texts = tf.strings.regex_replace(texts, LINE_BREAK, " ")
        codes = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        codes = tf.ragged.map_flat_values(self._ruled, codes)
        codes = _without(codes, _VANISHES)
        return tf.strings.split(tf.strings.unicode_encode(codes, "UTF-8"))

    def _ruled(self, codes: tf.Tensor) -> tf.Tensor:
        tabled = tf.gather(self._rules, tf.minimum(codes, LAST_TABLED))
        return tf.where(codes <= LAST_TABLED, tabled, tf.where(codes <= LAST_KEPT, codes, ord(" ")))


def _without(codes: tf.RaggedTensor, code: int) -> tf.RaggedTensor:
    """`codes` without those equal to `code`.

    `tf.ragged.boolean_mask` would do, in memory of rows times the longest row: gigabytes for one long text in a batch.
    """
    stays = codes.flat_values != code
    before = tf.concat([[0], tf.cumsum(tf.cast(stays, tf.int64))], 0)
    return tf.RaggedTensor.from_row_splits(
        tf.boolean_mask(codes.flat_values, stays), tf.gather(before, codes.row_splits), validate=False
    )


def _unique_sorted(ids: tf.RaggedTensor) -> tf.Tensor:
    """Each row's different ids above 0 in ascending order, padded with 0 to the longest row (at least 1)."""
    rows = tf.cast(ids.nrows(), tf.int64)
    stride = tf.cast(tf.reduce_max(tf.concat([ids.flat_values, [0]], 0)), tf.int64) + 1
    keys = ids.value_rowids() * stride + tf.cast(ids.flat_values, tf.int64)
    keys = tf.sort(tf.unique(tf.boolean_mask(keys, ids.flat_values > 0)).y)
    values = tf.cast(keys % stride, tf.int32)
    ragged = tf.RaggedTensor.from_value_rowids(values, keys // stride, nrows=rows)
    width = tf.maximum(tf.cast(ragged.bounding_shape(axis=1), tf.int32), 1)
    return ragged.to_tensor(0, shape=tf.stack([tf.cast(rows, tf.int32), width]))


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
            features.append((filled - column.shift) / column.scale)
            if column.flag:
                features.append(tf.cast(missing, tf.float64))
        for name, known in self._transform.categories.items():
            features += [tf.cast(raw[name] == value, tf.float64) for value in known]
        return {"features": tf.cast(tf.stack(features, axis=1), tf.float32)}
