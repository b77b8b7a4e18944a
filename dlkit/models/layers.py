"""Which layers does Keras not have?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops


def looked_up(table: keras.KerasTensor, ids: keras.KerasTensor) -> keras.KerasTensor:
    """Rows of a table (size, units) by ids of any shape, none of them negative.

    `keras.ops.take` first looks for negative ids: three operations more, a third of a small network's time in LiteRT.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(table, ids)
    return ops.take(table, ids, axis=0)


def side_by_side(outputs: Any) -> Any:
    """(rows, units) of a network with one head; those of several heads in alphabetical order of their names."""
    if not isinstance(outputs, Mapping):
        return outputs
    return ops.concatenate([outputs[name] for name in sorted(outputs)], axis=-1)


def is_recurrent(model: keras.Model) -> bool:
    """Whether a layer at any depth reads its input step by step."""
    return any(isinstance(layer, keras.layers.RNN) for layer in model._flatten_layers())


@keras.saving.register_keras_serializable("dlkit")
class ByteDropout(keras.layers.Dropout):
    """`Dropout` by a random byte for each number: in training the share `rate`, to the nearest 256th, is 0.

    Any shape and float type. Keras draws a random number of 16 or 32 bits each: 2.7 times as slow, a tenth of the step
    of a small Transformer; and of 16 bits it drops more than was asked for, 0.156 for 0.15 (random numbers of few bits
    fall together). A `rate` above 0 drops a 256th at least, one below 1 leaves as much.
    """

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training or self.rate in (0, 1) or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training)
        import tensorflow as tf

        dropped = min(max(round(256 * self.rate), 1), 255)
        count = tf.size(inputs)
        seed = self.seed_generator.next()
        words = tf.random.stateless_uniform([(count + 3) // 4], seed, minval=None, maxval=None, dtype=tf.uint32)
        drawn = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count], tf.shape(inputs))
        kept = tf.cast(drawn >= tf.constant(dropped, tf.uint8), inputs.dtype)
        return inputs * (kept * tf.cast(256 / (256 - dropped), inputs.dtype))


@keras.saving.register_keras_serializable("dlkit")
class MultiHotDense(keras.layers.Layer):
    """`Dense(units)` on multi-hot rows, computed from the positions of the ones: relu(sum of kernel rows + bias).

    Input: word ids (batch, length) int32 in [0, size], unique within a row; 0 pads and adds nothing, id i stands for
    the one at position i - 1. Output: (batch, units) float32. Weights are those of a Dense layer on (batch, size)
    rows: kernel (size, units) and bias (units,). A row costs as many additions as it has ones, not `size`.
    """

    def __init__(
        self,
        size: int,
        units: int,
        *,
        activation: str | None = None,
        kernel_regularizer: keras.regularizers.Regularizer | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.size, self.units = size, units
        self.activation = keras.activations.get(activation)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        # XLA has no product with sparse rows.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def build(self, input_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002 (the length of a row has no weight)
        self.kernel = self.add_weight(
            shape=(self.size, self.units),
            initializer="glorot_uniform",
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, word_ids: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        quick = training and keras.backend.backend() == "tensorflow" and self.compute_dtype == "float32"
        summed = self._sum_of_ones(word_ids) if quick else self._sum_of_all(word_ids)
        return self.activation(summed + self.bias)

    def _sum_of_all(self, word_ids: keras.KerasTensor) -> keras.KerasTensor:
        """Padding is looked up too, as a row of zeros: operations that every backend and LiteRT have."""
        # `* 1.0` makes the gradient dense. A gradient of slices lists a word once for each row that holds it, and
        # RMSprop and Adam would square the parts instead of their sum: away from the Dense layer after a few steps.
        kernel = self.kernel * 1.0
        padded = ops.concatenate([ops.zeros((1, self.units), kernel.dtype), kernel], axis=0)
        return ops.sum(looked_up(padded, word_ids), axis=1)

    def _sum_of_ones(self, word_ids: keras.KerasTensor) -> keras.KerasTensor:
        """The same by a product of sparse rows with the kernel, whose gradient is dense: a third of a step's time."""
        import tensorflow as tf

        ones = tf.where(word_ids > 0)
        positions = tf.cast(tf.gather_nd(word_ids, ones), tf.int64) - 1
        shape = tf.cast(tf.stack([tf.shape(word_ids)[0], self.size]), tf.int64)
        rows = tf.SparseTensor(tf.stack([ones[:, 0], positions], axis=1), tf.ones_like(positions, tf.float32), shape)
        return tf.sparse.sparse_dense_matmul(rows, ops.convert_to_tensor(self.kernel))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {
            "size": self.size,
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@keras.saving.register_keras_serializable("dlkit")
class MemberDense(keras.layers.Layer):
    """`members` independent Dense layers at once: (batch, members, features) to (batch, members, units).

    Kernel (members, features, units), each member's part initialised as a Dense layer's own (Glorot & Bengio 2010).
    """

    def __init__(self, units: int, *, activation: str | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int, int, int]) -> None:
        _, members, features = input_shape
        limit = (6 / (features + self.units)) ** 0.5
        uniform = keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.add_weight(shape=(members, features, self.units), initializer=uniform, name="kernel")
        self.bias = self.add_weight(shape=(members, 1, self.units), initializer="zeros", name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        by_member = ops.matmul(ops.transpose(inputs, (1, 0, 2)), self.kernel) + self.bias
        return self.activation(ops.transpose(by_member, (1, 0, 2)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, object]:
        activation = keras.activations.serialize(self.activation)
        return super().get_config() | {"units": self.units, "activation": activation}


@keras.saving.register_keras_serializable("dlkit")
class MemberMean(keras.layers.Layer):
    """Mean over members, (batch, members, units) to (batch, units); their variance is added to the loss in training.

    The squared error of the mean plus the members' variance is the mean of the members' squared errors (Krogh &
    Vedelsby 1995, eq. 6).
    """

    def __init__(self, *, activation: str | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        if training:
            self.add_loss(ops.mean(ops.var(ops.cast(inputs, "float32"), axis=1)))  # beside a loss in 32 bits
        return self.activation(ops.mean(inputs, axis=1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"activation": keras.activations.serialize(self.activation)}


@keras.saving.register_keras_serializable("dlkit")
class Chain(keras.Model):
    """The subclassing API at its smallest: layers made in `__init__`, used in `call`."""

    def __init__(self, stack: Sequence[keras.layers.Layer], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.stack = list(stack)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """By shapes, which is all that a file remembers: Keras' own way is a call with floats; word ids are none."""
        shape = tuple(input_shape)
        for layer in self.stack:
            if not layer.built:  # a layer out of a file is
                layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        for layer in self.stack:
            takes_training = isinstance(layer, keras.layers.Dropout)
            inputs = layer(inputs, training=training) if takes_training else layer(inputs)
        return inputs

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"stack": [keras.saving.serialize_keras_object(layer) for layer in self.stack]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> Chain:
        stack = config.pop("stack")
        return cls([keras.saving.deserialize_keras_object(layer, custom_objects) for layer in stack], **config)
