"""Which codes are drawn of a row, and how likely is it given them?"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def sampled(mean: Any, log_variance: Any, noise: Any) -> Any:
    """The reparametrised code: mean + standard deviation x noise."""
    return mean + ops.exp(0.5 * log_variance) * noise


@keras.saving.register_keras_serializable("dlkit")
class Sampling(keras.layers.Layer):
    """Codes drawn from normal distributions given by mean and log-variance, (batch, latent) each.

    Gives the codes (samples, batch, latent) and the standard normal noise that they were made from.
    """

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self._generator = keras.random.SeedGenerator(seed)

    def call(self, mean: Any, log_variance: Any, samples: int = 1) -> tuple[Any, Any]:
        noise = keras.random.normal((samples, *ops.shape(mean)), dtype=mean.dtype, seed=self._generator)
        return sampled(mean, log_variance, noise), noise

    def resampled(self, log_weights: Any, count: int) -> Any:
        """(count, batch) numbers of samples, each as often as its share of the weights (samples, batch) has it.

        Drawn systematically: one uniform number a row, and from there steps of 1 / count.
        """
        import tensorflow as tf

        shares = tf.transpose(tf.cumsum(tf.nn.softmax(log_weights, axis=0)))
        first = keras.random.uniform((tf.shape(shares)[0], 1), seed=self._generator)
        at = (first + tf.range(count, dtype=tf.float32)) / count
        found = tf.searchsorted(shares, at, side="right")
        return tf.transpose(tf.minimum(found, log_weights.shape[0] - 1))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"seed": self.seed}


def log_ratio(codes: Any, noise: Any, log_variance: Any) -> Any:
    """Logarithm of p(z) / q(z | x), (samples, batch), for codes (samples, batch, latent) made from `noise`."""
    return 0.5 * ops.sum(ops.square(noise) + log_variance - ops.square(codes), axis=-1)


def joint_bound(log_weights: Any) -> Any:
    """(batch,) log of the mean weight over samples."""
    return ops.logsumexp(log_weights, axis=0) - math.log(log_weights.shape[0])


@functools.cache
def bernoulli() -> Callable[[Any, Any], Any]:
    """A function of numbers in [0, 1] (batch, *shape) and logits (samples, batch, *shape), both float32: x log p +
    (1 - x) log(1 - p) summed over `shape`, nats, (samples, batch). It has a gradient for the logits alone.

    One loop a direction, by XLA: TensorFlow's operations, each of which reads and writes all logits, take 2.5 times as
    long. For training: no artefact has it.
    """
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def forward(x: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        # log(1 + e) is 2.4e-7 off at most, where e < 1, and costs less than log1p.
        each = x * logits - tf.nn.relu(logits) - tf.math.log(1 + tf.exp(-tf.abs(logits)))
        return tf.reduce_sum(each, axis=-1)

    @tf.function(jit_compile=True)
    def backward(x: tf.Tensor, logits: tf.Tensor, change: tf.Tensor) -> tf.Tensor:
        return tf.expand_dims(change, -1) * (x - tf.sigmoid(logits))

    @tf.custom_gradient
    def of_rows(x: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[None, Any]]]:
        return forward(x, logits), lambda change: (None, backward(x, logits, change))

    def log_likelihood(x: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        size = math.prod(x.shape[1:])
        return of_rows(tf.reshape(x, (-1, size)), tf.reshape(logits, (logits.shape[0], -1, size)))

    return log_likelihood
