"""Which layers for texts does Keras not have?"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from dlkit.contracts import Examples, Ragged
from dlkit.models.layers import looked_up

_ROWS_AT_ONCE = 2_000


@keras.saving.register_keras_serializable("dlkit")
class NgramSum(keras.layers.Layer):
    """Sum of a text's n-gram weights, started from log-count ratios (Wang & Manning 2012, eq. 1), plus a bias.

    Input: n-gram ids (batch, length) int32 in [0, size], 0 pads; with a second input, their values (batch, length)
    float32, else every value is 1. Output: (batch, units) after `activation`.

    In Wang & Manning a linear classifier with weights w learns from inputs scaled by the ratios r. Here the products
    u = r w are the weights, so that one table serves; the gradient of w is carried over by du = r² dw. `start`: every
    w before training, the strength of the pure naive Bayes answer. `smoothing`: added to every count before ratios are
    taken. Without `naive_bayes` every ratio is 1 and every weight 0 before training: a linear classifier.
    """

    def __init__(
        self,
        size: int,
        units: int,
        *,
        activation: str | None = None,
        start: float = 0.01,
        smoothing: float = 1.0,
        naive_bayes: bool = True,
        kernel_regularizer: keras.regularizers.Regularizer | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.size, self.units, self.start, self.naive_bayes = size, units, start, naive_bayes
        self.smoothing = smoothing
        self.activation = keras.activations.get(activation)
        # XLA has no product with sparse rows.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def build(self, input_shape: object) -> None:  # noqa: ARG002 (the length of a row has no weight)
        table = (self.size + 1, self.units)  # row 0 is padding, and stays 0
        self.kernel = self.add_weight(
            shape=table, initializer="zeros", regularizer=self.kernel_regularizer, name="kernel"
        )
        if self.naive_bayes:
            self.ratio = self.add_weight(shape=table, initializer="ones", trainable=False, name="ratio")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def start_from(self, train: Examples) -> None:
        """Set the ratios by the training rows: targets (rows, 1) float32 of 0 and 1, or (rows,) int32 classes."""
        if not self.naive_bayes:
            return
        ratio = log_count_ratios(train, self.size, self.units, smoothing=self.smoothing)
        self.ratio.assign(ratio)
        self.kernel.assign(self.start * ratio)

    def call(
        self, ngram_ids: keras.KerasTensor, ngram_values: keras.KerasTensor | None = None, training: bool | None = None
    ) -> keras.KerasTensor:
        # TensorFlow's product with sparse rows computes in 32 bits.
        if training and keras.backend.backend() == "tensorflow" and self.compute_dtype == "float32":
            summed = self._sum_in_training(ngram_ids, ngram_values)
        else:
            summed = self._sum_of_all(ngram_ids, ngram_values, training)
        return self.activation(summed + self.bias)

    def _sum_of_all(
        self, ngram_ids: keras.KerasTensor, ngram_values: keras.KerasTensor | None, training: bool | None
    ) -> keras.KerasTensor:
        """Padding is looked up too, as a row of zeros, which must have no gradient."""
        if training and ngram_values is None:
            ngram_values = ops.cast(ngram_ids > 0, self.compute_dtype)
        table = self._scaled() if training else ops.convert_to_tensor(self.kernel)
        if self.units == 1 and ngram_values is None:  # without a last axis of 1, LiteRT sums half as fast again
            return ops.sum(looked_up(ops.reshape(table, (-1,)), ngram_ids), axis=1, keepdims=True)
        rows = looked_up(table, ngram_ids)
        return ops.sum(rows if ngram_values is None else rows * ops.expand_dims(ngram_values, -1), axis=1)

    def _scaled(self) -> keras.KerasTensor:
        """The table by value, its gradient times the squared ratio."""
        if not self.naive_bayes:
            return ops.convert_to_tensor(self.kernel)
        held = ops.stop_gradient(self.kernel)
        return held + ops.square(self.ratio) * (self.kernel - held)

    def _sum_in_training(
        self, ngram_ids: keras.KerasTensor, ngram_values: keras.KerasTensor | None
    ) -> keras.KerasTensor:
        """A product of sparse rows with the table: its gradient is one dense table, not a slice a word."""
        import tensorflow as tf

        there = tf.where(ngram_ids > 0)
        cells = tf.stack([there[:, 0], tf.cast(tf.gather_nd(ngram_ids, there), tf.int64)], axis=1)
        count = tf.shape(there)[0]
        values = tf.ones(count) if ngram_values is None else tf.gather_nd(ngram_values, there)
        shape = tf.cast(tf.stack([tf.shape(ngram_ids)[0], self.size + 1]), tf.int64)
        return tf.sparse.sparse_dense_matmul(tf.SparseTensor(cells, values, shape), self._scaled())

    def compute_output_shape(self, ids: tuple[int | None, ...], *_: object) -> tuple[int | None, ...]:
        return (ids[0], self.units)

    def get_config(self) -> dict[str, object]:
        activation = keras.activations.serialize(self.activation)
        own = {"size": self.size, "units": self.units, "activation": activation}
        own |= {"start": self.start, "smoothing": self.smoothing, "naive_bayes": self.naive_bayes}
        return (
            super().get_config() | own | {"kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer)}
        )


def log_count_ratios(train: Examples, size: int, units: int, *, smoothing: float = 1.0) -> np.ndarray:
    """(size + 1, units) float32: log((p / |p|) / (q / |q|)), p = smoothing + count inside the class, q outside of it.

    `units` 1: the class is target 1. Row 0 is 0. Targets: class numbers (rows,) or (rows, 1), or one-hot.
    """
    ids, targets = _ragged(train.inputs, "ngram_ids"), np.asarray(train.targets)
    values = _ragged(train.inputs, "ngram_weights")
    if ids is None:
        raise TypeError("log-count ratios need ragged n-gram ids")
    one_hot = targets.ndim == 2 and targets.shape[1] > 1
    classes = (targets.argmax(axis=1) if one_hot else targets.reshape(len(targets))).astype(np.int32)
    counts = _counts(ids, values, classes, size, max(units, 2))
    total = counts.sum(axis=0, dtype=np.float64)
    ratio = np.zeros((size + 1, units), np.float32)
    for unit in range(units):
        inside = counts[1 if units == 1 else unit].astype(np.float64)
        p, q = smoothing + inside, smoothing + total - inside
        ratio[1:, unit] = np.log((p[1:] / p[1:].sum()) / (q[1:] / q[1:].sum()))
    return ratio


def _counts(ids: Ragged, values: Ragged | None, classes: np.ndarray, size: int, count: int) -> np.ndarray:
    """(classes, size + 1) float32: the sum of an id's values in the rows of each class; some rows at a time, for
    numpy counts in 64 bits whatever it is given.
    """
    counts = np.zeros((count, size + 1), np.float32)
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        offsets = ids.offsets[start : start + _ROWS_AT_ONCE + 1]
        some = slice(offsets[0], offsets[-1])
        owner = np.repeat(classes[start : start + _ROWS_AT_ONCE], np.diff(offsets))
        for number in range(count):
            inside = owner == number
            weights = None if values is None else values.values[some][inside]
            counts[number] += np.bincount(ids.values[some][inside], weights, minlength=size + 1)
    return counts


def _ragged(inputs: Mapping[str, object], name: str) -> Ragged | None:
    rows = inputs.get(name)
    return rows if isinstance(rows, Ragged) else None


@keras.saving.register_keras_serializable("dlkit")
class MaskPadding(keras.layers.Layer):
    """Zeros where the mask says padding, so that a layer without a mask sees nothing there.

    (batch, length, features) to the same, without a mask: what follows needs none.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None) -> keras.KerasTensor:
        return inputs if mask is None else inputs * ops.expand_dims(ops.cast(mask, inputs.dtype), -1)

    def compute_mask(self, *_: object) -> None:
        return None


@keras.saving.register_keras_serializable("dlkit")
class MaskedMean(keras.layers.GlobalAveragePooling1D):
    """Keras' mean over time; zeros where all of a row is padding, which Keras divides by nothing: not a number."""

    def call(self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None) -> keras.KerasTensor:
        if mask is None:
            return super().call(inputs)
        there = ops.expand_dims(ops.cast(mask, inputs.dtype), -1)
        return ops.sum(inputs * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1)


@keras.saving.register_keras_serializable("dlkit")
class AttentionPooling(keras.layers.Layer):
    """Weighted mean over time, with weights that the layer finds (Yang et al. 2016, eq. 5 to 7).

    u = tanh(W h + b), weights = softmax over time of u · c, result = sum of weights h. Input (batch, length, features)
    with its mask; output: (batch, features) and the weights (batch, length), 0 where the input is padding.
    """

    def __init__(self, units: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.context = self.add_weight(shape=(self.units, 1), name="context")

    def call(
        self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        scores = ops.squeeze(ops.matmul(ops.tanh(ops.matmul(inputs, self.kernel) + self.bias), self.context), -1)
        if mask is not None:
            scores = ops.where(mask, scores, -1e9)
        # By hand: Keras' own softmax warns of texts of one word, whose only weight rightly is 1.
        weights = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)
        return ops.sum(inputs * ops.expand_dims(weights, -1), axis=1), weights

    def compute_mask(self, *_: object) -> tuple[None, None]:
        return None, None

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        return (input_shape[0], input_shape[2]), (input_shape[0], input_shape[1])

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"units": self.units}
