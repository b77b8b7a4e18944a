"""How does a network that reads in order run on one row in LiteRT, with no more work than one row needs?

Keras' own loop, converted, does 23 operations a step for an LSTM: a mask for each state, the product of the step's
input, two counters, and with all outputs kept it copies them at every step, so that time grows with the square of the
length. Here the inputs' products are one product before the loop, padding is cut off before it, and outputs are
written in place. Of KerasHub's encoder, converted, a third of the time goes into transposing the scores of all pairs of
words and into tensors whose size is known at the call alone. Here it is a few products, and padding a term of scores.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from dlkit.models.layers import is_recurrent

State = tuple[tf.Tensor, ...]


def without_padding(ids: tf.Tensor) -> tf.Tensor:
    """Ids (1, length) without the zeros at their end."""
    count = tf.reduce_sum(tf.cast(tf.not_equal(ids, 0), tf.int32))
    return tf.slice(ids, [0, 0], tf.stack([1, count]))


def loops_over_padding(model: keras.Model) -> bool:
    """Whether id 0 is padding to this network, over which its loops would go."""
    masked = (isinstance(layer, keras.layers.Embedding) and layer.mask_zero for layer in model._flatten_layers())
    return is_recurrent(model) and any(masked)


def reads_one_row(model: keras.Model) -> bool:
    """Whether LiteRT is to take one row at a time: a recurrent layer has no other builtin form; its length is free."""
    return is_recurrent(model) or any(_is_of_hub(layer, "TransformerEncoder") for layer in model._flatten_layers())


def _is_of_hub(layer: keras.layers.Layer, name: str) -> bool:
    """Whether it is the layer of KerasHub called so, told from afar: to import KerasHub takes a second."""
    return type(layer).__name__ == name and type(layer).__module__.startswith("keras_hub.")


def step_by_step(model: keras.Model) -> keras.Model:
    """The same network, of the same variables, for one row: its recurrent layers in a loop of ours, where there is no
    padding, its attention in plain products.

    The network itself where it is a class of its own, or masks by values: what its loops have to do is not known.
    """
    if any(isinstance(layer, keras.layers.Masking) for layer in model._flatten_layers()):
        return model
    if isinstance(model, keras.Sequential):
        inputs = outputs = keras.Input(batch_shape=model.input_shape, dtype=model.inputs[0].dtype)
        for layer in model.layers:
            outputs = _call(layer, outputs)
        return keras.Model(inputs, outputs)
    if not hasattr(model, "operations"):  # of a graph, which only the Functional API has
        return model
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=_call)


def _call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
    if isinstance(layer, keras.Model):
        return step_by_step(layer)(*args, **kwargs)
    if _is_of_hub(layer, "TransformerEncoder") and not set(kwargs) - {"padding_mask"}:
        return PlainEncoder(layer)(*args, **kwargs)
    if _is_of_hub(layer, "PositionEmbedding") and len(args) == 1 and not kwargs:
        return FirstPositions(layer)(*args)
    if _is_plain(layer) and len(args) == 1 and not set(kwargs) - {"mask", "training"}:
        return StepByStep(layer)(*args)
    return layer(*args, **kwargs)


def _is_plain(layer: keras.layers.Layer) -> bool:
    if type(layer) is keras.layers.Bidirectional:
        both = layer.forward_layer, layer.backward_layer
        return layer.merge_mode == "concat" and all(map(_is_plain, both))
    if type(layer) is keras.layers.GRU and not layer.cell.reset_after:
        return False
    return type(layer) in _PREPARED and not layer.stateful


@contextlib.contextmanager
def in_loops_of_ours(model: keras.Model) -> Iterator[None]:
    """Inside the block, recurrent layers that a model of its own class, or one that it is made of, has as attributes
    are `StepByStep`.
    """
    models = [vars(one) for one in model._flatten_layers() if isinstance(one, keras.Model)]
    found = [
        (own, {name: layer for name, layer in own.items() if _is_recurrent(layer) and _is_plain(layer)})
        for own in models
    ]
    try:
        # Past Keras, which keeps account of a model's layers: what the model is made of does not change.
        for own, layers in found:
            own.update({name: StepByStep(layer) for name, layer in layers.items()})
        yield
    finally:
        for own, layers in found:
            own.update(layers)


def _is_recurrent(value: object) -> bool:
    return isinstance(value, keras.layers.RNN | keras.layers.Bidirectional)


class StepByStep(keras.layers.Layer):
    """A recurrent layer on rows without padding, (rows, length, features), how many is known; output as the layer's,
    and its last states where the layer gives them.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(name=f"{layer.name}_steps")
        self.layer = layer
        self.built = True

    def call(self, inputs: tf.Tensor, mask: None = None, training: bool = False) -> tf.Tensor | list[tf.Tensor]:  # noqa: ARG002 (the layer's signature)
        if not isinstance(self.layer, keras.layers.Bidirectional):
            output, states = _run(self.layer, inputs)
            return [output, *states] if self.layer.return_state else output
        forward, backward = self.layer.forward_layer, self.layer.backward_layer
        from_the_end, last = _run(backward, inputs)
        if backward.return_sequences:
            from_the_end = tf.reverse(from_the_end, [1])
        output, states = _run(forward, inputs)
        output = tf.concat([output, from_the_end], axis=-1)
        return [output, *states, *last] if forward.return_state else output

    def compute_mask(self, *_: object) -> None:
        return None

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return self.layer.compute_output_shape(shape)


def _run(layer: keras.layers.RNN, inputs: tf.Tensor) -> tuple[tf.Tensor, State]:
    """The layer's output, and the states after the last step."""
    if layer.go_backwards:
        inputs = tf.reverse(inputs, [1])
    rows, units = inputs.shape[0], layer.cell.units  # more than one where a row's channels are read one by one
    steps = inputs[0] if rows == 1 else tf.reshape(tf.transpose(inputs, (1, 0, 2)), (-1, inputs.shape[2]))
    products, step, states = _PREPARED[type(layer)](layer.cell, steps)
    products = tf.reshape(products, (-1, rows, products.shape[1]))
    length = tf.shape(products)[0]
    start = tuple(tf.zeros((rows, units)) for _ in range(states))
    if not layer.return_sequences:
        _, *states = tf.while_loop(
            lambda at, *_: at < length,
            lambda at, *before: (at + 1, *step(tf.gather(products, at), before)),
            (tf.constant(0), *start),
        )
        return states[0], tuple(states)

    def kept(at: tf.Tensor, outputs: tf.Tensor, *before: tf.Tensor) -> tuple[tf.Tensor, ...]:
        after = step(tf.gather(products, at), before)
        return (at + 1, keras.ops.slice_update(outputs, (at if rows == 1 else at * rows, 0), after[0]), *after)

    shapes = (tf.TensorShape([]), tf.TensorShape([None, units]), *(state.shape for state in start))
    outputs = tf.zeros(tf.stack([length if rows == 1 else length * rows, units]))
    found = tf.while_loop(lambda at, *_: at < length, kept, (tf.constant(0), outputs, *start), shape_invariants=shapes)
    _, outputs, *last = found
    if rows == 1:
        return tf.expand_dims(outputs, 0), tuple(last)
    return tf.transpose(tf.reshape(outputs, (-1, rows, units)), (1, 0, 2)), tuple(last)


class FirstPositions(keras.layers.Layer):
    """KerasHub's learned positions of one row, (1, length, features), looked up as words are.

    To cut off the rest of the table, and repeat that for each row, takes LiteRT longer at each change of the length.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(name=f"{layer.name}_first")
        self.layer = layer
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        table = tf.convert_to_tensor(self.layer.position_embeddings)
        return tf.expand_dims(tf.gather(table, tf.range(tf.shape(inputs)[1])), 0)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


class PlainEncoder(keras.layers.Layer):
    """KerasHub's encoder on one row, (1, length, features), as few products of matrices; output as the layer's."""

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(name=f"{layer.name}_plain")
        self.layer = layer
        self.built = self.supports_masking = True

    def call(
        self, inputs: tf.Tensor, padding_mask: tf.Tensor | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        layer, there = self.layer, mask if padding_mask is None else padding_mask
        states = tf.reshape(inputs, (-1, inputs.shape[2]))
        found = layer._self_attention_layer_norm(states) if layer.normalize_first else states
        states = states + self._attended(found, there)
        found = states = states if layer.normalize_first else layer._self_attention_layer_norm(states)
        found = layer._feedforward_layer_norm(found) if layer.normalize_first else found
        states = states + layer._feedforward_output_dense(layer._feedforward_intermediate_dense(found))
        return tf.expand_dims(states if layer.normalize_first else layer._feedforward_layer_norm(states), 0)

    def _attended(self, states: tf.Tensor, there: tf.Tensor | None) -> tf.Tensor:
        """(length, features) of words that look at each other, at those alone that are `there`, (1, length) bool."""
        attention = self.layer._self_attention_layer
        parts = attention._query_dense, attention._key_dense, attention._value_dense
        query, key, value = (_heads(states, part.kernel, part.bias) for part in parts)
        scores = tf.matmul(query * query.shape[2] ** -0.5, key, transpose_b=True)  # (heads, length, length)
        if there is not None:
            scores += (tf.cast(there, scores.dtype) - 1) * 1e9
        found = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), (1, 0, 2))
        kernel = attention._output_dense.kernel  # (heads, size, features)
        joined = tf.reshape(found, (-1, kernel.shape[0] * kernel.shape[1]))
        return _product(joined, tf.reshape(kernel, (-1, kernel.shape[2])), attention._output_dense.bias)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape


def _heads(states: tf.Tensor, kernel: tf.Variable, bias: tf.Variable) -> tf.Tensor:
    """(heads, length, size) of states (length, features), a kernel (features, heads, size) and a bias (heads, size)."""
    features, heads, size = kernel.shape
    products = _product(states, tf.reshape(kernel, (features, -1)), tf.reshape(bias, (-1,)))
    return tf.transpose(tf.reshape(products, (-1, heads, size)), (1, 0, 2))


Prepared = tuple[tf.Tensor, Callable[[tf.Tensor, State], State], int]
"""The products of inputs (steps, gates x units), the states (rows, units) after a step, the output first; how many."""


def _simple_rnn(cell: keras.layers.SimpleRNNCell, inputs: tf.Tensor) -> Prepared:
    def step(product: tf.Tensor, states: State) -> State:
        return (cell.activation(product + tf.matmul(states[0], cell.recurrent_kernel)),)

    return _product(inputs, cell.kernel, cell.bias if cell.use_bias else None), step, 1


def _lstm(cell: keras.layers.LSTMCell, inputs: tf.Tensor) -> Prepared:
    def step(product: tf.Tensor, states: State) -> State:
        output, memory = states
        gates = tf.split(product + tf.matmul(output, cell.recurrent_kernel), 4, axis=1)
        taken, held, given = (cell.recurrent_activation(gates[place]) for place in (0, 1, 3))
        memory = held * memory + taken * cell.activation(gates[2])
        return given * cell.activation(memory), memory

    return _product(inputs, cell.kernel, cell.bias if cell.use_bias else None), step, 2


def _gru(cell: keras.layers.GRUCell, inputs: tf.Tensor) -> Prepared:
    """Keras' form, with the reset after the product (`reset_after=True`)."""
    biases = tf.unstack(tf.convert_to_tensor(cell.bias)) if cell.use_bias else (None, 0.0)

    def step(product: tf.Tensor, states: State) -> State:
        (output,) = states
        update_in, reset_in, new_in = tf.split(product, 3, axis=1)
        of_state = tf.matmul(output, cell.recurrent_kernel) + biases[1]
        update_state, reset_state, new_state = tf.split(of_state, 3, axis=1)
        update = cell.recurrent_activation(update_in + update_state)
        reset = cell.recurrent_activation(reset_in + reset_state)
        new = cell.activation(new_in + reset * new_state)
        return (update * output + (1 - update) * new,)

    return _product(inputs, cell.kernel, biases[0]), step, 1


def _product(inputs: tf.Tensor, kernel: object, bias: object) -> tf.Tensor:
    product = tf.matmul(inputs, tf.convert_to_tensor(kernel))
    return product if bias is None else product + bias


_PREPARED: dict[type, Callable[..., Prepared]] = {
    keras.layers.SimpleRNN: _simple_rnn,
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
}
