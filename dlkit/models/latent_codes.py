"""Which codes are drawn of a row, and how likely is it given them?"""

from __future__ import annotations

import math
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
