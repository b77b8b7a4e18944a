"""How do examples become batches, in an order that a seed and an epoch fix?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from dlkit.contracts import Examples, Rows, take


class Batches:
    """Examples as batches of (inputs, targets), or of inputs alone where there are no targets: iterate for numpy
    arrays, or take the `tf.data.Dataset`.

    With `seed`, rows are shuffled anew each epoch by (seed, epoch), so that a resumed run sees the batches that the
    interrupted one would have seen; `epoch` is set before each pass. A model of one input gets the bare tensor.
    Rows are gathered when their batch is due: ragged rows are never padded further than their batch needs.
    """

    def __init__(self, examples: Examples, batch_size: int, *, seed: int | None = None) -> None:
        self.examples, self.batch_size, self.seed = examples, batch_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.batch_size)

    def dataset(self) -> tf.data.Dataset:
        batches = tf.data.Dataset.from_generator(self.__iter__, output_signature=self._signature())
        return batches.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(2)

    def __iter__(self) -> Iterator[object]:
        order = np.arange(len(self.examples))
        if self.seed is not None:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        for start in range(0, len(order), self.batch_size):
            yield self._batch(order[start : start + self.batch_size])

    def _batch(self, indices: np.ndarray) -> object:
        inputs = _single({name: take(rows, indices) for name, rows in self.examples.inputs.items()})
        targets = self.examples.targets
        if targets is None:
            return inputs
        if isinstance(targets, Mapping):
            return inputs, {name: column[indices] for name, column in targets.items()}
        return inputs, targets[indices]

    def _signature(self) -> object:
        inputs = _single({name: _spec(rows) for name, rows in self.examples.inputs.items()})
        targets = self.examples.targets
        if targets is None:
            return inputs
        if isinstance(targets, Mapping):
            return inputs, {name: _spec(column) for name, column in targets.items()}
        return inputs, _spec(targets)


def _spec(rows: np.ndarray | Rows) -> tf.TensorSpec:
    if isinstance(rows, np.ndarray):
        return tf.TensorSpec((None, *rows.shape[1:]), rows.dtype)
    row = rows.take(np.arange(0, min(1, len(rows))))
    # On-demand rows may differ in length from batch to batch along their first axis (ragged word ids).
    return tf.TensorSpec((None, None, *row.shape[2:]), row.dtype)


def _single(by_name: dict[str, object]) -> object:
    return next(iter(by_name.values())) if len(by_name) == 1 else by_name
