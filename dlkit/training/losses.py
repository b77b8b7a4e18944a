"""Which losses does Keras not have?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from dlkit.errors import SettingsError
from dlkit.training.consistency import loss_of_twins

SIDE = 5.0
"""Nats by which a class has to be on its side: e^10 to 1 for the right class against any other."""
_LEAST = 1e-30


@keras.saving.register_keras_serializable("dlkit")
def margin(targets: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
    """Squared hinge loss of each class against the rest, as linear support vector machines have it.

    The decisions are log-probabilities less their mean over the k classes, a sum of zero: `SIDE` (1 + c) or more is
    asked of the right class, - `SIDE` (1 - c) or less of each other one, c = (k - 2) / k, which sums to zero as well
    (the reinforced hinge of Liu & Yuan 2011, squared).

    `targets`: (rows, 1) of 0 and 1, or class numbers (rows,) or (rows, 1). `probabilities`: (rows, 1) of a sigmoid or
    (rows, k) of a softmax, whose logarithms differ as its inputs do. Gives (rows,).
    """
    if probabilities.shape[-1] == 1:
        probabilities = ops.concatenate([1 - probabilities, probabilities], axis=-1)
    logs = ops.log(ops.maximum(probabilities, _LEAST))
    classes = logs.shape[-1]
    centre = (classes - 2) / classes
    right = ops.one_hot(ops.reshape(ops.cast(targets, "int32"), (-1,)), classes, dtype=logs.dtype)
    decisions = logs - ops.mean(logs, axis=-1, keepdims=True)
    missing = right * ops.relu(SIDE * (1 + centre) - decisions)
    missing += (1 - right) * ops.relu(decisions + SIDE * (1 - centre))
    return ops.sum(ops.square(missing), axis=-1) / SIDE


@keras.saving.register_keras_serializable("dlkit")
class Pinball(keras.losses.Loss):
    """Mean pinball loss of several quantiles (Koenker & Bassett 1978): an answer below the truth costs the quantile's
    share of the difference, one above it the rest of the share.

    `targets`: (rows, steps, targets). Answers: (rows, steps, targets x quantiles), a target's quantiles side by side.
    """

    def __init__(self, shares: Sequence[float], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.shares = tuple(shares)

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        shares = ops.convert_to_tensor(np.array(self.shares, np.float32))
        short = ops.repeat(y_true, len(self.shares), axis=-1) - y_pred
        shares = ops.tile(shares, (y_pred.shape[-1] // len(self.shares),))
        return ops.mean(ops.maximum(shares * short, (shares - 1) * short), axis=-1)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"shares": self.shares}


@keras.saving.register_keras_serializable("dlkit")
class Tokens(keras.losses.Loss):
    """Cross-entropy of the next word, mean over all words of a batch that are there (id 0 is none).

    `targets`: (rows, length) int32. Answers: logits (rows, length, words), or those of several networks, (networks,
    rows, length, words), whose losses are averaged. `smoothing`: share of the certainty that is spread evenly over all
    words (Szegedy et al. 2016, section 7). `consistency`: the second half of a batch has the rows of the first once
    more, and the two answers, which differ by dropout, are to be alike: see `loss_of_twins`.
    """

    def __init__(self, smoothing: float = 0.0, consistency: float = 0.0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.smoothing, self.consistency = smoothing, consistency

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        targets = tf.cast(y_true, tf.int32)
        answers = [y_pred] if len(y_pred.shape) == 3 else tf.unstack(y_pred)
        losses = tf.add_n([self._of(answer, targets) for answer in answers]) / len(answers)
        there = tf.cast(targets != 0, losses.dtype)
        # Keras takes the mean over all places: those that are there stand for the others.
        return tf.reshape(losses, tf.shape(targets)) * there / tf.maximum(tf.reduce_mean(there), 1e-6)

    def _of(self, answers: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """(places,) from logits of one network, (rows, length, words), and words (rows, length)."""
        words = answers.shape[-1]
        if self.consistency:
            of_both = loss_of_twins(self.smoothing, self.consistency)
            return tf.reshape(of_both(tf.reshape(answers, (2, -1, words)), tf.reshape(targets, (2, -1))), (-1,))
        return _crossentropy(tf.reshape(answers, (-1, words)), tf.reshape(targets, (-1,)), self.smoothing)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"smoothing": self.smoothing, "consistency": self.consistency}


def _crossentropy(logits: tf.Tensor, targets: tf.Tensor, smoothing: float) -> tf.Tensor:
    """(places,) from logits (places, words) and words (places,): that of targets 1 - `smoothing` + `smoothing` / words
    for the right word, `smoothing` / words for each other one.

    With a gradient of its own, softmax less targets: what TensorFlow derives from the terms of a smoothed loss writes
    several arrays of that size, and makes a step of a small Transformer take 1.6 times as long.
    """

    @tf.custom_gradient
    def loss(logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        largest = tf.reduce_max(logits, axis=-1, keepdims=True)
        powers = tf.exp(logits - largest)
        total = tf.reduce_sum(powers, axis=-1, keepdims=True)
        right = tf.stack([tf.range(tf.size(targets)), targets], axis=-1)
        mean = (1 - smoothing) * tf.gather_nd(logits, right) + smoothing * tf.reduce_mean(logits, axis=-1)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            each = upstream[:, None]
            spread = powers * (each / total) - each * (smoothing / logits.shape[-1])
            return tf.tensor_scatter_nd_add(spread, right, -(1 - smoothing) * upstream)

        return tf.squeeze(largest + tf.math.log(total), -1) - mean, gradient

    return loss(logits)


LOSSES = {"margin": margin}
"""By the name that a task uses; all other names are Keras'."""


SMOOTHED, SMOOTHED_BINARY = "smoothed:", "smoothed_binary:"
"""Begin the names of cross-entropy on smoothed targets, one-hot rows and those of one sigmoid: "smoothed:0.2"."""


PINBALL = "pinball:"
"""Begins the name of the loss of quantiles: "pinball:0.1,0.5,0.9"."""


TOKENS = "tokens:"
"""Begins the name of the loss of words: "tokens:0.1", with the share of smoothing."""


def named(loss: object, *, consistency: float = 0.0) -> object:
    """Our loss of that name, or by the names of several outputs; what is none of ours, as it is.

    `consistency`: see `Tokens`; raises SettingsError where the loss is another.
    """
    if consistency and not (isinstance(loss, str) and loss.startswith(TOKENS)):
        raise SettingsError(
            f"training.consistency={consistency:g} compares distributions of words, as translators give them; the "
            "answers of this recipe are of another kind. Leave it at 0."
        )
    if isinstance(loss, Mapping):
        return {name: named(one) for name, one in loss.items()}
    if isinstance(loss, str) and loss.startswith(SMOOTHED):
        return keras.losses.CategoricalCrossentropy(label_smoothing=float(loss.removeprefix(SMOOTHED)))
    if isinstance(loss, str) and loss.startswith(SMOOTHED_BINARY):
        return keras.losses.BinaryCrossentropy(label_smoothing=float(loss.removeprefix(SMOOTHED_BINARY)))
    if isinstance(loss, str) and loss.startswith(PINBALL):
        return Pinball([float(share) for share in loss.removeprefix(PINBALL).split(",")])
    if isinstance(loss, str) and loss.startswith(TOKENS):
        return Tokens(float(loss.removeprefix(TOKENS)), consistency)
    return LOSSES.get(loss, loss) if isinstance(loss, str) else loss
