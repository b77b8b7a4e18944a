"""Which layers for pictures does Keras not have?"""

from __future__ import annotations

from collections.abc import Sequence

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
