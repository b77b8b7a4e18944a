"""How do examples become batches, in an order that a seed and an epoch fix?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from dlkit.contracts import Examples, Ragged, Rows, lengths, take
from dlkit.data.augmentation import augmented
from dlkit.data.binarised import Binarised
from dlkit.errors import SettingsError


class Batches:
    """Examples as batches of (inputs, targets), or of inputs alone where there are no targets: iterate for numpy
    arrays, or take the `tf.data.Dataset`.

    With `seed`, rows are shuffled anew each epoch by (seed, epoch), so that a resumed run sees the batches that the
    interrupted one would have seen; `epoch` is set before each pass. A model of one input gets the bare tensor.
    Rows are gathered when their batch is due: ragged rows are never padded further than their batch needs. With
    `by_length`, ragged rows of like length share a batch, so that there is little to pad: all rows in ascending order
    without a seed, else within pools of 50 shuffled batches, and then the batches of a pool in shuffled order.
    Examples that can be made anew are, in every epoch of a seed; which rows share a batch goes by them as they stand.
    `tokens`: ragged rows of like length share a batch, as many as fill so many places, the padding of the longest input
    counted; the rows of a batch differ from epoch to epoch, their lengths do not.
    `augment`: changes to inputs of pixels, see `augmentation`. `balanced`: rows of rare classes come so often that
    all classes have as many, which wants augmentation, or they come as mere copies. `twice`: the second half of a batch
    has the rows of the first once more; `tokens` counts both.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        seed: int | None = None,
        by_length: bool = False,
        augment: Sequence[str] = (),
        balanced: bool = False,
        tokens: int = 0,
        twice: bool = False,
    ) -> None:
        self.examples, self.batch_size, self.seed = examples, batch_size, seed
        self.epoch = 0
        self.augment = tuple(augment)
        self._this_epoch: list[np.ndarray] = []
        self._rows_now = examples
        self._lengths = lengths(examples.inputs) if by_length else None
        self._rows = _balanced(examples.targets) if balanced else np.arange(len(examples))
        self.tokens, self.twice = tokens, twice
        if tokens and lengths(examples.inputs) is None:
            raise SettingsError("training.batch_tokens counts words: this recipe's rows are all of the same length.")
        if self.augment and not any(map(_are_pictures, examples.inputs.values())):
            raise SettingsError(
                f"training.augment={','.join(self.augment)} changes pictures: this recipe's rows are none. "
                "Leave it out."
            )

    def __len__(self) -> int:
        if self.tokens:
            return len(self._by_tokens())
        return math.ceil(len(self._rows) / self.batch_size)

    def dataset(self) -> tf.data.Dataset:
        """The batches of `epoch` as it stands when their first one is asked for."""
        signature = self._signature()
        specs = tf.nest.flatten(signature)
        together = self._together(specs)

        # By number, not from a generator, which takes TensorFlow half as long again.
        def numbered(number: tf.Tensor) -> object:
            parts = tf.numpy_function(partial(self._numbered, together), [number], [spec.dtype for spec in specs])
            for part, spec in zip(parts, specs, strict=True):
                part.set_shape(spec.shape)
            return tf.nest.pack_sequence_as(signature, parts)

        made = tf.data.Dataset.range(math.ceil(len(self) / together)).map(numbered)
        if together > 1:
            made = made.rebatch(self.batch_size).apply(tf.data.experimental.assert_cardinality(len(self)))
        # There is nothing to tune; and the thread that tunes is asked to stop, but looks only after 10, 30, 70 … 2550,
        # 5110 ms: an epoch would end no sooner, for up to as long again as its batches took.
        options = tf.data.Options()
        options.autotune.enabled = False
        return made.prefetch(2).with_options(options)

    def _together(self, specs: Sequence[tf.TensorSpec]) -> int:
        """Batches made in one call, of which each costs TensorFlow as long as a small network's step."""
        if self.tokens or self.twice or not all(spec.shape[1:].is_fully_defined() for spec in specs):
            return 1
        row = sum(spec.shape[1:].num_elements() * spec.dtype.size for spec in specs)
        return max(1, min(_MOST_TOGETHER, _BYTES_TOGETHER // (row * self.batch_size)))

    def _numbered(self, together: int, number: np.int64) -> list[np.ndarray]:
        if number == 0:
            self._this_epoch = self._begin()
        first = int(number) * together
        some = range(first, min(first + together, len(self._this_epoch)))
        batches = [tf.nest.flatten(self._batch(self._this_epoch[one], one)) for one in some]
        return [np.concatenate(parts) for parts in zip(*batches, strict=True)] if together > 1 else batches[0]

    def __iter__(self) -> Iterator[object]:
        for number, indices in enumerate(self._begin()):
            yield self._batch(indices, number)

    def _begin(self) -> list[np.ndarray]:
        if self.seed is not None and self.examples.anew is not None:
            self._rows_now = self.examples.anew(np.random.default_rng((self.seed, self.epoch, len(self.examples))))
        return self.order()

    def order(self) -> list[np.ndarray]:
        """The rows of each batch of this epoch."""
        return [np.tile(rows, 2) for rows in self._order()] if self.twice else self._order()

    def _order(self) -> list[np.ndarray]:
        order = self._rows
        if self.tokens:
            return self._by_tokens()
        if self.seed is None:
            order = order if self._lengths is None else np.argsort(self._lengths, kind="stable")
            return self._cut(order)
        random = np.random.default_rng((self.seed, self.epoch))
        order = random.permutation(order)
        if self._lengths is None:
            return self._cut(order)
        batches: list[np.ndarray] = []
        for start in range(0, len(order), _POOL * self.batch_size):
            pool = order[start : start + _POOL * self.batch_size]
            parts = self._cut(pool[np.argsort(self._lengths[pool], kind="stable")])
            batches += [parts[number] for number in random.permutation(len(parts))]
        return batches

    def _by_tokens(self) -> list[np.ndarray]:
        """Batches of rows whose inputs are all of like length, the last input first; in shuffled order with a seed."""
        random = None if self.seed is None else np.random.default_rng((self.seed, self.epoch))
        rows = self._rows if random is None else random.permutation(self._rows)
        each = [np.diff(column.offsets)[rows] for column in self.examples.inputs.values() if isinstance(column, Ragged)]
        order = np.lexsort(each)
        starts, widest = [0], 0
        for place, width in enumerate(np.max(each, axis=0)[order].tolist()):
            widest = max(widest, width)
            if place > starts[-1] and widest * (place + 1 - starts[-1]) * (1 + self.twice) > self.tokens:
                starts.append(place)
                widest = width
        batches = np.split(rows[order], starts[1:])
        return batches if random is None else [batches[number] for number in random.permutation(len(batches))]

    def _cut(self, order: np.ndarray) -> list[np.ndarray]:
        return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]

    def _batch(self, indices: np.ndarray, number: int) -> object:
        random = np.random.default_rng((self.seed or 0, self.epoch, number))
        by_name = {
            name: rows.drawn(indices, random)
            if self.seed is not None and isinstance(rows, Binarised)
            else take(rows, indices)
            for name, rows in self._rows_now.inputs.items()
        }
        if self.augment:
            by_name = {
                name: augmented(rows, self.augment, random) if _are_pictures(rows) else rows
                for name, rows in by_name.items()
            }
        inputs = _single(by_name)
        targets = self._rows_now.targets
        if targets is None:
            return inputs
        if isinstance(targets, Mapping):
            return inputs, {name: take(column, indices) for name, column in targets.items()}
        return inputs, take(targets, indices)

    def _signature(self) -> object:
        inputs = _single({name: _spec(rows) for name, rows in self.examples.inputs.items()})
        targets = self.examples.targets
        if targets is None:
            return inputs
        if isinstance(targets, Mapping):
            return inputs, {name: _spec(column) for name, column in targets.items()}
        return inputs, _spec(targets)


_MOST_TOGETHER, _BYTES_TOGETHER = 16, 2**22
_POOL = 50
"""Batches whose rows are sorted together: enough for short padding, few enough for batches that differ each epoch."""


def _balanced(targets: object) -> np.ndarray:
    """Row numbers in which every class has as many as the largest, its rows in turn."""
    if not isinstance(targets, np.ndarray) or not _are_classes(targets):
        raise SettingsError("training.balance needs one class a row; this recipe has another kind of target.")
    one_hot = targets.ndim == 2 and targets.shape[1] > 1
    classes = targets.argmax(axis=1) if one_hot else targets.reshape(len(targets))
    found, counts = np.unique(classes, return_counts=True)
    return np.concatenate([np.resize(np.flatnonzero(classes == one), counts.max()) for one in found])


def _are_classes(targets: np.ndarray) -> bool:
    """(rows,) or (rows, 1) class numbers, or (rows, classes) of 0 and a 1."""
    if targets.dtype.kind == "i":
        return True
    if targets.ndim > 2 or not np.isin(targets, (0, 1)).all():
        return False
    return targets.ndim == 1 or targets.shape[1] == 1 or bool((targets.sum(axis=1) == 1).all())


def _spec(rows: np.ndarray | Rows) -> tf.TensorSpec:
    if isinstance(rows, np.ndarray):
        return tf.TensorSpec((None, *rows.shape[1:]), rows.dtype)
    row = rows.take(np.arange(0, min(1, len(rows))))
    if row.dtype == np.uint8 and row.ndim == 4:
        return tf.TensorSpec((None, *row.shape[1:]), row.dtype)
    if row.ndim >= 3:  # windows of a series, pictures
        return tf.TensorSpec((None, *row.shape[1:]), row.dtype)
    # On-demand rows may differ in length from batch to batch along their first axis (ragged word ids).
    return tf.TensorSpec((None, None, *row.shape[2:]), row.dtype)


def _are_pictures(rows: np.ndarray | Rows) -> bool:
    spec = _spec(rows)
    return spec.dtype == tf.uint8 and spec.shape.rank == 4


def _single(by_name: Mapping[str, object]) -> object:
    return next(iter(by_name.values())) if len(by_name) == 1 else by_name
