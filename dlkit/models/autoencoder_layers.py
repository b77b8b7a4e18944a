"""Which layers do autoencoders need that Keras does not have?"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from dlkit.contracts import Examples, take

_ROWS_AT_ONCE = 1_024


@keras.saving.register_keras_serializable("dlkit")
class ContractiveDense(keras.layers.Layer):
    """`Dense(units, "sigmoid")` whose Jacobian is kept small: (batch, n) to (batch, units), each in (0, 1).

    In training, `strength` times the mean over rows of ||dh/dx||², the squared Frobenius norm of the Jacobian, is added
    to the loss: sum_j (h_j (1 - h_j))² sum_i w_ij² (Rifai et al. 2011, eq. 8).
    """

    def __init__(self, units: int, *, strength: float, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units, self.strength = units, strength

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        hidden = ops.sigmoid(ops.matmul(inputs, self.kernel) + self.bias)
        if training:
            exactly = ops.cast(hidden, "float32")
            slopes = ops.square(exactly * (1 - exactly))
            norms = ops.sum(ops.square(ops.cast(self.kernel, "float32")), axis=0)
            self.add_loss(self.strength * ops.mean(ops.matmul(slopes, ops.expand_dims(norms, 1))))
        return hidden

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"units": self.units, "strength": self.strength}


@keras.saving.register_keras_serializable("dlkit")
class SparsePenalty(keras.layers.Layer):
    """A code (batch, units) as it is; in training its activity, times `strength`, is added to the loss.

    The activity is the mean absolute value over rows and units. With `target`, of a code in (0, 1), it is how far each
    unit's mean over the batch is from being active in that share of the rows: KL(target || mean), a mean over units (Ng
    2011, section 2). Keras' own activity regularizers sum over the rows, so that their weight would change with the
    size of a batch.
    """

    def __init__(self, *, strength: float, target: float | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.strength, self.target = strength, target

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        if training:
            self.add_loss(self.strength * self._activity(ops.cast(inputs, "float32")))
        return inputs

    def _activity(self, code: keras.KerasTensor) -> keras.KerasTensor:
        if self.target is None:
            return ops.mean(ops.abs(code))
        share, rare = ops.clip(ops.mean(code, axis=0), 1e-6, 1 - 1e-6), self.target
        return ops.mean(rare * ops.log(rare / share) + (1 - rare) * ops.log((1 - rare) / (1 - share)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"strength": self.strength, "target": self.target}


@keras.saving.register_keras_serializable("dlkit")
class MaskingNoise(keras.layers.Layer):
    """In training, a share `rate` of each row's numbers is set to 0, the others stay (Vincent et al. 2010, 3.3)."""

    def __init__(self, rate: float, seed: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self._generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        if not training:
            return inputs
        kept = keras.random.uniform(ops.shape(inputs), seed=self._generator) >= self.rate
        return inputs * ops.cast(kept, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"rate": self.rate, "seed": self.seed}


def divergence(mean: keras.KerasTensor, log_variance: keras.KerasTensor) -> keras.KerasTensor:
    """KL of each unit's normal distribution from the standard one, nats (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (ops.exp(log_variance) + ops.square(mean) - 1 - log_variance)


@keras.saving.register_keras_serializable("dlkit")
class LatentCode(keras.layers.Layer):
    """The Gaussian code of a variational autoencoder: [mean, log-variance] (batch, 2, units) to (batch, units).

    In training a sample of it, and `weight` times its divergence from the standard normal distribution is added to the
    loss (Kingma & Welling 2014, appendix B); otherwise its mean, so that an export holds no random operation.
    """

    def __init__(self, *, weight: float, seed: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.weight, self.seed = weight, seed
        self._generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        mean, log_variance = inputs[:, 0], inputs[:, 1]
        if not training:
            return mean
        whole = divergence(ops.cast(mean, "float32"), ops.cast(log_variance, "float32"))  # beside a loss in 32 bits
        self.add_loss(self.weight * ops.mean(ops.sum(whole, axis=-1)))
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self._generator)
        return mean + ops.exp(0.5 * log_variance) * noise

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"weight": self.weight, "seed": self.seed}


@keras.saving.register_keras_serializable("dlkit")
class PrincipalComponents(keras.layers.Layer):
    """Rows (batch, n) brought onto the `units` principal components of the training rows and back: (batch, n).

    The linear limit of an autoencoder: mean + (x - mean) W Wᵀ has the least squared error of all linear networks with
    as narrow a code (Baldi & Hornik 1989). It is solved, not trained: `start_from` finds mean and W.
    """

    solved = True

    def __init__(self, units: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.mean = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="mean")
        self.components = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="orthogonal", name="components"
        )

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        codes = ops.matmul(inputs - self.mean, self.components)
        return self.mean + ops.matmul(codes, ops.transpose(self.components))

    def start_from(self, train: Examples) -> None:
        """Mean and components of the training rows, some rows at a time; the largest entry of each is above 0."""
        (rows,) = train.inputs.values()
        total, size = np.zeros(self.mean.shape[0]), self.mean.shape[0]
        products = np.zeros((size, size))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            indices = np.arange(start, min(start + _ROWS_AT_ONCE, len(rows)))
            part = take(rows, indices).reshape(len(indices), size).astype(np.float64)
            total += part.sum(axis=0)
            products += part.T @ part
        mean = total / len(rows)
        _, vectors = np.linalg.eigh(products / len(rows) - np.outer(mean, mean))
        components = vectors[:, ::-1][:, : self.units]
        largest = components[np.abs(components).argmax(axis=0), np.arange(components.shape[1])]
        self.mean.assign(mean.astype(np.float32))
        self.components.assign((components * np.sign(largest)).astype(np.float32))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"units": self.units}
