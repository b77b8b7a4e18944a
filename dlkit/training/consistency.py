"""What do two answers to the same words lose, each by itself and by what they differ?"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, None]]


@functools.cache
def loss_of_twins(smoothing: float, consistency: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function of logits (2, places, words) float32 and the right words (2, places) int32 that gives (2, places):
    the cross-entropy of each answer, targets smoothed, and `consistency` / 4 times the sum of their divergences
    KL(one | other) + KL(other | one) (Liang et al. 2021, eq. 4).

    One loop a direction, by XLA: TensorFlow's operations, each of which reads and writes all logits, take 2.6 times as
    long. XLA compiles for a size: places are padded to the next of few.
    """
    share = consistency / 4

    @tf.function(jit_compile=True)
    def forward(logits: tf.Tensor, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        largest = tf.reduce_max(logits, axis=-1, keepdims=True)
        powers = tf.exp(logits - largest)
        total = tf.reduce_sum(powers, axis=-1, keepdims=True)
        normaliser = largest + tf.math.log(total)
        # Logits differ as their log-softmax does, up to one number, of which both divergences together have none.
        ahead = tf.reduce_sum(powers * _difference(logits), axis=-1, keepdims=True) / total
        right = tf.gather(logits, words[..., None], axis=-1, batch_dims=2)
        mean = tf.reduce_mean(logits, axis=-1, keepdims=True)
        crossentropy = normaliser - (1 - smoothing) * right - smoothing * mean
        losses = crossentropy + share * tf.reduce_sum(ahead, axis=0, keepdims=True)
        return tf.squeeze(losses, -1), normaliser, ahead

    @tf.function(jit_compile=True)
    def backward(
        logits: tf.Tensor, words: tf.Tensor, normaliser: tf.Tensor, ahead: tf.Tensor, upstream: tf.Tensor
    ) -> tf.Tensor:
        shares = tf.exp(logits - normaliser)
        each = upstream[..., None]
        both = share * tf.reduce_sum(each, axis=0, keepdims=True)  # either's divergences are in the losses of both
        apart = both * (shares * (1 + _difference(logits) - ahead) - tf.reverse(shares, [0]))
        count = logits.shape[-1]
        return each * (shares - smoothing / count - (1 - smoothing) * tf.one_hot(words, count)) + apart

    @tf.custom_gradient
    def loss(logits: tf.Tensor, words: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        places = tf.shape(words)[1]
        missing = _enough_for(places) - places
        logits = tf.pad(logits, [[0, 0], [0, missing], [0, 0]])
        words = tf.pad(words, [[0, 0], [0, missing]])
        losses, *sums = forward(logits, words)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
            return backward(logits, words, *sums, tf.pad(upstream, [[0, 0], [0, missing]]))[:, :places], None

        return losses[:, :places], gradient

    return loss


def _difference(logits: tf.Tensor) -> tf.Tensor:
    """How far each answer's logits are above the other's."""
    return logits - tf.reverse(logits, [0])


def _enough_for(places: tf.Tensor) -> tf.Tensor:
    """The next number of the form 4 to 7 times a power of two: four sizes for each doubling."""
    powers = 2 ** tf.range(29, dtype=tf.int32)
    step = tf.reduce_max(tf.where(4 * powers <= places, powers, 1))
    return step * (-(-places // step))
