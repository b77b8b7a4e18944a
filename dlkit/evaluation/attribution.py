"""How much of a network's logit does each of its input ids carry?

Integrated gradients (Sundararajan, Taly & Yan 2017, eq. 1) along the straight line from zero word vectors to those of
the text; the weights sum to the logit of the text less that of the baseline (their Proposition 1, completeness). The
integral is taken by Gauss-Legendre points, twice as many again until that sum is right. For a network that is linear
in its word vectors a weight is value times kernel, whatever the number of points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np
import tensorflow as tf

from dlkit.errors import SettingsError
from dlkit.models.layers import Chain, MultiHotDense
from dlkit.models.text_layers import AttentionPooling, NgramSum

TOLERANCE = 0.01
"""How far the weights' sum may be from the difference of the logits, as a share of it, or of 1 if that is more."""
MOST_STEPS = 512
_IDS_AT_ONCE = 1 << 14
"""Points are run so many at a time that they hold this many ids: memory does not grow with their number."""


@dataclass(frozen=True)
class Carried:
    """`ids`, `weights`: (n,), the ids of the row and what each carries. `logits`: (units,) of the text.

    `logit`, `baseline`: of the text and of zero word vectors, toward the class that is explained.
    `attention`: (n,) where the network has an `AttentionPooling`.
    """

    ids: np.ndarray
    weights: np.ndarray
    logits: np.ndarray
    logit: float
    baseline: float
    attention: np.ndarray | None = None


class Attributor(Protocol):
    """A network, opened at its word vectors."""

    def carried(self, inputs: Mapping[str, np.ndarray], toward: np.ndarray, *, steps: int) -> Carried:
        """`inputs`: one row without padding, each (1, n). `toward`: (units,), the logits are multiplied with it."""
        ...


def attributor(model: keras.Model) -> Attributor:
    """SettingsError for a network whose words cannot be told apart."""
    layers = [layer for layer in _layers(model) if not isinstance(layer, keras.layers.InputLayer)]
    if layers and isinstance(layers[0], MultiHotDense | NgramSum):
        return _SumOfRows(model, layers[0], layers[-1])
    words = [layer for layer in layers if isinstance(layer, keras.layers.Embedding) and layer.name == "words"]
    last = layers[-1] if layers else None
    if len(words) != 1 or not isinstance(last, keras.layers.Dense) or not getattr(model, "inputs", None):
        raise _unknown("it is no functional network with an Embedding named 'words' and a Dense layer at its end")
    return _WordVectors(model, words[0], last)


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    return list(model.stack) if isinstance(model, Chain) else list(model.layers)


def _unknown(reason: str) -> SettingsError:
    return SettingsError(
        f"The words' weights of this network cannot be found: {reason}. Explained are the models of dlkit.models, and "
        "own functional ones that begin with Embedding(…, name='words'), MultiHotDense or NgramSum and end with Dense."
    )


class _SumOfRows:
    """`MultiHotDense` or `NgramSum`, and what comes after it up to a Dense layer; nothing, if the first is the last.

    All ids enter through one sum of kernel rows, so one gradient by that sum is the gradient by every row.
    """

    def __init__(self, model: keras.Model, first: MultiHotDense | NgramSum, last: keras.layers.Layer) -> None:
        self._first, self._last = first, last
        if last is not first:
            if not isinstance(last, keras.layers.Dense):
                raise _unknown(f"its last layer is {type(last).__name__}")
            between = _stacked(model) if isinstance(model, Chain) else _opened(first.output, last)
            self._between: Callable[..., tf.Tensor] = between
        # `MultiHotDense` has no row for id 0.
        self._shift = 1 if isinstance(first, MultiHotDense) else 0
        self._kernel: np.ndarray = keras.ops.convert_to_numpy(first.kernel)
        self._bias: np.ndarray = keras.ops.convert_to_numpy(first.bias)

    def carried(self, inputs: Mapping[str, np.ndarray], toward: np.ndarray, *, steps: int) -> Carried:
        ids, *values = (array[0] for array in inputs.values())
        there = ids > 0
        rows = self._kernel[ids[there] - self._shift].astype(np.float64)
        if values:
            rows = rows * values[0][there, None]
        total = rows.sum(axis=0)

        def at(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            sums = points[:, None] * total + self._bias
            return self._logits_and_gradients(sums.astype(np.float32), toward)

        slope, logits, logit, baseline = _integral(at, toward, total, 1 if self._last is self._first else steps)
        return Carried(ids[there], rows @ slope, logits, logit, baseline)

    def _logits_and_gradients(self, sums: np.ndarray, toward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (points, units) and gradients by the sums (points, kernel columns)."""
        if self._last is self._first:
            return sums, np.broadcast_to(toward, sums.shape)
        hidden = tf.constant(sums)
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            logits = _logits(self._last, self._between(self._first.activation(hidden)))
            target = tf.linalg.matvec(logits, tf.constant(toward, tf.float32))
        return logits.numpy(), tape.gradient(target, hidden).numpy()


class _WordVectors:
    """A functional network from the output of its Embedding "words" on. One text at a time, so no mask is needed."""

    def __init__(self, model: keras.Model, words: keras.layers.Embedding, last: keras.layers.Dense) -> None:
        if len(inputs := model.inputs) != 1:
            raise _unknown(f"it has {len(inputs)} inputs")
        rest = _opened([inputs[0], words.output], last)
        self._words = words
        pooling = [layer for layer in model.layers if isinstance(layer, AttentionPooling)]
        self._attention = None
        if pooling:
            weights = keras.Model(inputs, pooling[0].output[1])
            row = tf.TensorSpec((None, None), tf.int32)
            self._attention = tf.function(lambda ids: weights([ids], training=False), input_signature=[row])

        def at(ids: tf.Tensor, vectors: tf.Tensor, toward: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(vectors)
                logits = _logits(last, rest([ids, vectors], training=False))
                target = tf.linalg.matvec(logits, toward)
            return logits, tape.gradient(target, vectors)

        self._at = tf.function(at, input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None, words.output_dim), tf.float32),
            tf.TensorSpec((None,), tf.float32),
        ])  # fmt: skip

    def carried(self, inputs: Mapping[str, np.ndarray], toward: np.ndarray, *, steps: int) -> Carried:
        (ids,) = inputs.values()
        vectors = keras.ops.convert_to_numpy(self._words(ids))[0]

        def at(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            batch = max(_IDS_AT_ONCE // ids.shape[1], 1)
            starts = range(0, len(points), batch)
            parts = [self._part(ids, vectors, points[start : start + batch], toward) for start in starts]
            return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

        slope, logits, logit, baseline = _integral(at, toward, vectors, steps)
        attention = None
        if self._attention is not None:
            attention = self._attention(ids.astype(np.int32)).numpy()[0].astype(np.float64)
        return Carried(ids[0], (slope * vectors).sum(axis=1), logits, logit, baseline, attention)

    def _part(
        self, ids: np.ndarray, vectors: np.ndarray, points: np.ndarray, toward: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        along = (points[:, None, None] * vectors).astype(np.float32)
        repeated = np.repeat(ids, len(points), axis=0).astype(np.int32)
        logits, gradients = self._at(repeated, along, toward.astype(np.float32))
        return logits.numpy(), gradients.numpy()


def _opened(start: keras.KerasTensor | list[keras.KerasTensor], last: keras.layers.Dense) -> Callable[..., tf.Tensor]:
    """The part of a functional network from `start` to the input of its last layer."""
    tensors = start if isinstance(start, list) else [start]
    histories = [tensor._keras_history for tensor in tensors]
    try:
        return keras.activations.linear if last.input is start else keras.Model(start, last.input)
    except (AttributeError, ValueError) as error:
        raise _unknown(f"it cannot be cut behind its word vectors ({str(error)[:100]})") from error
    finally:
        # Keras writes the part's graph over the network's own inputs, which then could not be saved any more.
        for tensor, history in zip(tensors, histories, strict=True):
            tensor._keras_history = history


def _stacked(model: Chain) -> Callable[[tf.Tensor], tf.Tensor]:
    def between(features: tf.Tensor) -> tf.Tensor:
        for layer in model.stack[1:-1]:
            features = layer(features)
        return features

    return between


def _integral(
    at: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], toward: np.ndarray, whole: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """The mean gradient on the way from zero to `whole`, the logits of `whole`, and both ends toward the class.

    `at`: from points on the way, 0 to 1, to logits (points, units) and gradients (points, *shape of whole).
    """
    while True:
        nodes, shares = np.polynomial.legendre.leggauss(steps)
        # The ends weigh nothing: they are run along, for a recurrent network takes its time once a call.
        logits, gradients = at(np.array([0.0, 1.0, *(nodes + 1) / 2]))
        slope = np.tensordot(shares / 2, gradients[2:].astype(np.float64), axes=1)
        baseline, logit = (logits[:2].astype(np.float64) @ toward).tolist()
        gap = abs(float((slope * whole).sum()) - (logit - baseline))
        if gap <= TOLERANCE * max(1.0, abs(logit - baseline)) or 2 * steps > MOST_STEPS:
            return slope, logits[1], logit, baseline
        steps *= 2


def _logits(last: keras.layers.Dense, features: tf.Tensor) -> tf.Tensor:
    """What the last layer's activation gets: logits that are taken back from probabilities of 1 would be infinite."""
    logits = keras.ops.matmul(features, last.kernel)
    return logits + last.bias if last.use_bias else logits
