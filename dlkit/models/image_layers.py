"""Which layers for pictures does Keras not have?"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from dlkit.contracts import Examples, take

_LOOKED_AT = 5_000
_AT_ONCE = 50


@keras.saving.register_keras_serializable("dlkit")
class Whitening(keras.layers.Layer):
    """A convolution whose frozen filters make the training pictures' patches uncorrelated (Jordan 2024, section 3.1).

    Input: (batch, height, width, channels) float32, scaled by `mean` and `spread`. Output: (batch, height - size + 1,
    width - size + 1, 2 size² channels): the patch along each eigenvector of the patches' second moments, over
    sqrt(eigenvalue + epsilon), then the negatives of all of these, plus a bias that learns. `mean`, `spread`: one
    number a channel, 0 to 255, for `start_from`, which sees pictures that are not scaled yet.
    """

    def __init__(
        self,
        mean: Sequence[float],
        spread: Sequence[float],
        *,
        size: int = 2,
        epsilon: float = 5e-4,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.mean, self.spread = [float(number) for number in mean], [float(number) for number in spread]
        self.size, self.epsilon = size, epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = len(self.mean)
        filters = 2 * self.size**2 * channels
        shape = (self.size, self.size, input_shape[-1], filters)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", trainable=False, name="kernel")
        self.bias = self.add_weight(shape=(filters,), initializer="zeros", name="bias")

    def start_from(self, train: Examples) -> None:
        """Set the filters by 5,000 training pictures, taken evenly: (rows, height, width, channels), 0 to 255."""
        (pixels,) = train.inputs.values()
        rows = np.unique(np.linspace(0, len(train) - 1, min(len(train), _LOOKED_AT)).astype(np.int64))
        width = self.kernel.shape[0] * self.kernel.shape[1] * self.kernel.shape[2]
        moments, count = np.zeros((width, width)), 0
        for start in range(0, len(rows), _AT_ONCE):
            pictures = (take(pixels, rows[start : start + _AT_ONCE]).astype(np.float32) - self.mean) / self.spread
            found = _patches(pictures, self.size)
            moments, count = moments + found.T @ found, count + len(found)
        values, vectors = np.linalg.eigh(moments / count)
        whitening = vectors[:, ::-1] / np.sqrt(np.maximum(values[::-1], 0) + self.epsilon)
        self.kernel.assign(np.concatenate([whitening, -whitening], axis=1).reshape(self.kernel.shape))

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return ops.conv(inputs, self.kernel, padding="valid", data_format="channels_last") + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        lost = self.size - 1
        sides = [None if side is None else side - lost for side in input_shape[1:3]]
        return (input_shape[0], *sides, 2 * self.size**2 * len(self.mean))

    def get_config(self) -> dict[str, object]:
        own = {"mean": self.mean, "spread": self.spread, "size": self.size, "epsilon": self.epsilon}
        return super().get_config() | own


def _patches(pictures: np.ndarray, size: int) -> np.ndarray:
    """All (size, size, channels) patches of (rows, height, width, channels), as (patches, size² channels)."""
    height, width = pictures.shape[1] - size + 1, pictures.shape[2] - size + 1
    shifts = [pictures[:, y : y + height, x : x + width] for y in range(size) for x in range(size)]
    return np.concatenate(shifts, axis=-1).reshape(-1, size * size * pictures.shape[-1])


@keras.saving.register_keras_serializable("dlkit")
class Dirac(keras.initializers.VarianceScaling):
    """Filters that at first hand their input on (Jordan 2024, section 3.2).

    Kernel (height, width, channels, filters): filter i < channels has its 1 in the middle of channel i, zeros else;
    further filters are uniform in ±1 / sqrt(height width channels), as PyTorch's.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1 / 3, "fan_in", "uniform", seed)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        height, width, channels, filters = shape
        same = np.arange(min(channels, filters))
        identity = np.zeros(shape, np.float32)
        identity[height // 2, width // 2, same, same] = 1
        others = (np.arange(filters) >= channels).astype(np.float32)
        return ops.convert_to_tensor(identity, dtype) + super().__call__(shape, dtype) * ops.cast(others, dtype)

    def get_config(self) -> dict[str, object]:
        return {"seed": self.seed}


@keras.saving.register_keras_serializable("dlkit")
class QuickBias(keras.layers.Layer):
    """A bias for each channel that learns `rate` times as fast as other weights under gradient descent.

    The weights are the biases over sqrt(rate): gradient and step each gain the root. Under Adam and RMSprop, whose
    steps know no scale of the gradient, it learns sqrt(rate) times as fast.
    """

    def __init__(self, rate: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs + self.bias * self.rate**0.5

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"rate": self.rate}


@keras.saving.register_keras_serializable("dlkit")
class WithMirror(keras.layers.Layer):
    """Outside of training: pictures, then their mirror images, (2 batch, height, width, channels).

    In training (batch, height, width, channels) stays as it is. `MeanWithMirror` must follow.
    """

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        return inputs if training else ops.concatenate([inputs, ops.flip(inputs, axis=2)], axis=0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable("dlkit")
class MeanWithMirror(keras.layers.Layer):
    """Outside of training: the mean of a picture's and its mirror image's features, (2 batch, n) to (batch, n).

    Before a Dense layer, which is linear, it gives the mean of their logits.
    """

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        return inputs if training else ops.mean(ops.reshape(inputs, (2, -1, inputs.shape[-1])), axis=0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable("dlkit")
class InInference(keras.layers.Wrapper):
    """A network that answers as in inference while what follows is trained; its weights may learn all the same.

    Batch normalisation keeps the statistics it was trained with, dropout is off. `network(x, training=False)` does
    not do: Keras 3 forgets the argument where the call is part of a Functional model that is trained.
    """

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return self.layer(inputs, training=False)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return self.layer.compute_output_shape(input_shape)


@keras.saving.register_keras_serializable("dlkit")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer (Ioffe & Szegedy 2015), in training as one operation a direction where Keras has some ten.

    Input and output: (batch, height, width, channels), of any float type; inputs of another rank, with a mask or
    normalised along another axis go Keras' way. In 16 bits a step of it takes a sixth of the time and squares the
    distances to the mean in 32.
    """

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        along_channels = len(inputs.shape) == 4 and self.axis in (-1, 3)
        if training and self.trainable and along_channels and mask is None and not self.synchronized:
            return self._normalised(inputs)
        return super().call(inputs, training=training, mask=mask)

    def _normalised(self, maps: keras.KerasTensor) -> keras.KerasTensor:
        import tensorflow as tf

        channels = maps.shape[-1]
        maps = ops.cast(maps, self.compute_dtype)
        normalised = tf.raw_ops.FusedBatchNormV3(
            x=maps,
            scale=ops.cast(self.gamma, "float32") if self.scale else ops.ones((channels,)),
            offset=ops.cast(self.beta, "float32") if self.center else ops.zeros((channels,)),
            mean=ops.zeros((0,)),
            variance=ops.zeros((0,)),
            epsilon=self.epsilon,
            is_training=True,
        )
        # Its variance is that of all pictures as these let guess it; Keras keeps that of the batch itself.
        count = ops.cast(ops.size(maps) / channels, "float32")
        variance = normalised.batch_variance * ((count - 1) / count)
        for kept, now in ((self.moving_mean, normalised.batch_mean), (self.moving_variance, variance)):
            kept.assign(kept * self.momentum + ops.cast(now, kept.dtype) * (1 - self.momentum))
        return normalised.y


@keras.saving.register_keras_serializable("dlkit")
class FusedGelu(keras.layers.Layer):
    """x Φ(x), Φ the normal distribution's (Hendrycks & Gimpel 2016), in training one loop a direction, by XLA.

    Any shape and float type. Keras' `gelu` is some ten operations, each of which reads and writes all of the maps: nine
    times as slow in 16 bits. Outside of training it is Keras', so that no artefact needs XLA.
    """

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        return _gelu()(inputs) if training else ops.gelu(inputs, approximate=False)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


@functools.cache
def _gelu() -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    """With its gradient; compiled once for each shape and type, whichever layer asks."""
    import tensorflow as tf

    def share(numbers: tf.Tensor) -> tf.Tensor:
        return 0.5 * (1 + tf.math.erf(numbers * 0.5**0.5))

    @tf.function(jit_compile=True)
    def forward(maps: tf.Tensor) -> tf.Tensor:
        numbers = tf.cast(maps, tf.float32)
        return tf.cast(numbers * share(numbers), maps.dtype)

    @tf.function(jit_compile=True)
    def backward(maps: tf.Tensor, change: tf.Tensor) -> tf.Tensor:
        numbers = tf.cast(maps, tf.float32)
        density = tf.exp(-0.5 * numbers**2) / (2 * math.pi) ** 0.5
        return tf.cast(tf.cast(change, tf.float32) * (share(numbers) + numbers * density), maps.dtype)

    return tf.custom_gradient(lambda maps: (forward(maps), lambda change: backward(maps, change)))
