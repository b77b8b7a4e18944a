"""Which recurrent network translates, and how does it find what to read at each step?"""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from dlkit.models.translation_layers import NEVER, RowsDense, Tensors, embedding, logits, reshaped, softmax

_LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
_CELLS = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}
_START = 1
_LEAST = 1e-9


@keras.saving.register_keras_serializable("dlkit")
class Seq2Seq(keras.Model):
    """A recurrent network reads a sentence from both ends, another writes it anew. A `Stepper`.

    Input and output: see `Transformer`. At each step the state h of the writer asks, the memory m of what was read
    answers with its weighted mean, the context c; tanh(W [h, c]) chooses the word, and c is read by the next step
    together with that word (Luong et al. 2015, 3.3). Scores: vᵀ tanh(W h + U m), "additive", or hᵀ U m, "dot". With
    `copy`, the chance of a word is g softmax(logits) + (1 - g) the weights of the places where it stands in the source
    (See et al. 2017, eq. 9), and the logits are its logarithm. `sampling`, `sampling_steps`: see
    `models.translation.seq2seq`.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        *,
        cell: str,
        attention: str,
        dimension: int,
        units: int,
        dropout: float,
        copy: bool,
        sampling: float,
        sampling_steps: int = 2_000,  # files of earlier networks do not say
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.sizes = dict(sizes)
        self.longest_target = sizes["longest_target"]
        self.options = {"cell": cell, "attention": attention, "dimension": dimension, "units": units}
        self.options |= {"dropout": dropout, "copy": copy, "sampling": sampling, "sampling_steps": sampling_steps}
        self.kind, self.units, self.copy = attention, units, copy
        self.sampling, self.sampling_steps = sampling, sampling_steps
        self.target_words = embedding(sizes["target_vocabulary"], dimension, "target_words")
        self.source_words = (
            self.target_words if sizes["joint"] else embedding(sizes["source_vocabulary"], dimension, "source_words")
        )
        self.drop = keras.layers.Dropout(dropout)
        reader = _LAYERS[cell](units, return_sequences=True, return_state=True)
        self.reader = keras.layers.Bidirectional(reader, name="reader")
        self.writer = _CELLS[cell](units, name="writer")
        self.states = 2 if cell == "lstm" else 1
        self.first = [
            _built(keras.layers.Dense(units, activation="tanh", name=f"first_{number}"), 2 * units)
            for number in range(self.states)
        ]
        context = 0 if attention == "none" else 2 * units
        self.reader.build((None, None, dimension))
        self.writer.build((None, dimension + context))
        self.chosen = _built(RowsDense(dimension, activation="tanh", name="chosen"), units + context)
        if attention != "none":
            self.keys = _built(RowsDense(units, use_bias=False, name="keys"), 2 * units)
        if attention == "additive":
            self.queries = _built(RowsDense(units, name="queries"), units)
            self.score = _built(keras.layers.Dense(1, use_bias=False, name="score"), units)
        if copy:
            self.gate = _built(RowsDense(1, activation="sigmoid", name="gate"), units + context)
        self.random = keras.random.SeedGenerator()
        self.built = True

    def call(self, inputs: Mapping[str, keras.KerasTensor], training: bool | None = None) -> keras.KerasTensor:
        state, target = self.encode(inputs["source"], training), inputs["target"]
        if training and self.sampling:
            guesses = ops.argmax(ops.stop_gradient(self._written(target, state, training)[0]), axis=-1)
            guesses = ops.pad(ops.cast(guesses[:, :-1], target.dtype), ((0, 0), (1, 0)), constant_values=_START)
            share = self.sampling_share()  # before the draw, which counts as a step
            guessed = keras.random.uniform(ops.shape(target), seed=self.random) < share
            target = ops.where(ops.logical_and(guessed, target > 0), guesses, target)
        return self._written(target, state, training)[0]

    def sampling_share(self) -> keras.KerasTensor:
        """() float32: of the words that the next training step reads, how many are the network's own guesses."""
        # The generator counts its draws, one a training step, and is kept in checkpoints; a variable of our own would
        # be a weight, which files of earlier networks do not have.
        steps = ops.cast(ops.convert_to_tensor(self.random.state)[1], "float32")
        return self.sampling * ops.minimum(steps / self.sampling_steps, 1.0)

    def attention(self, inputs: Mapping[str, keras.KerasTensor]) -> keras.KerasTensor | None:
        """See `Stepper`."""
        weights = self._written(inputs["target"], self.encode(inputs["source"]), training=False)[1]
        return None if weights is None else ops.cast(weights, "float32")

    def encode(self, source: keras.KerasTensor, training: bool | None = False) -> Tensors:
        words = self.drop(self.source_words(source), training=training)
        memory, *last = self.reader(words, mask=ops.not_equal(source, 0), training=training)
        ends = zip(last[: self.states], last[self.states :], strict=True)
        state = {
            f"first_{number}": dense(ops.concatenate(pair, axis=-1))
            for number, (dense, pair) in enumerate(zip(self.first, ends, strict=True))
        }
        if self.kind != "none":
            memory = self.drop(memory, training=training)
            mask = ops.cast(NEVER * ops.cast(ops.equal(source, 0), "float32"), memory.dtype)
            state |= {"memory": memory, "keys": self.keys(memory), "mask": mask}
        if self.copy:
            state["copied"] = ops.one_hot(source, self.sizes["target_vocabulary"] + 1, dtype="float32")
        return state

    def first_cache(self, state: Tensors, length: int | keras.KerasTensor) -> Tensors:  # noqa: ARG002 (no step adds to it)
        cache = {f"state_{number}": state[f"first_{number}"] for number in range(self.states)}
        if self.kind != "none":
            cache["context"] = ops.zeros_like(state["memory"][:, 0])
        return cache

    def step(
        self,
        token: keras.KerasTensor,
        position: keras.KerasTensor,  # noqa: ARG002 (the states know)
        state: Tensors,
        cache: Tensors,
    ) -> tuple[keras.KerasTensor, Tensors]:
        cache = self._next(self.target_words(token), state, cache)
        rows = {name: ops.expand_dims(tensor, 1) for name, tensor in cache.items()}
        return ops.cast(ops.squeeze(self._logits(rows, state, training=False)[0], 1), "float32"), cache

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"sizes": dict(self.sizes)} | dict(self.options)

    def _written(
        self, target: keras.KerasTensor, state: Tensors, training: bool | None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor | None]:
        """Logits and weights of all steps, each reading the word of `target` that stands there."""

        def step(cache: Tensors, word: keras.KerasTensor) -> tuple[Tensors, Tensors]:
            cache = self._next(word, state, cache)
            return cache, cache

        words = self.drop(self.target_words(target), training=training)
        _, steps = ops.scan(step, self.first_cache(state, 0), ops.transpose(words, (1, 0, 2)))
        return self._logits({name: ops.transpose(rows, (1, 0, 2)) for name, rows in steps.items()}, state, training)

    def _next(self, word: keras.KerasTensor, state: Tensors, cache: Tensors) -> Tensors:
        states = [cache[f"state_{number}"] for number in range(self.states)]
        read = word if self.kind == "none" else ops.concatenate([word, cache["context"]], axis=-1)
        _, states = self.writer(read, states)
        after = {f"state_{number}": one for number, one in enumerate(states)}
        if self.kind != "none":
            weights = self._weights(ops.expand_dims(states[0], 1), state)
            after["context"] = ops.squeeze(ops.matmul(weights, state["memory"]), 1)
        return after

    def _weights(self, asking: keras.KerasTensor, state: Tensors) -> keras.KerasTensor:
        """(batch, steps, source length) of the states (batch, steps, units)."""
        if self.kind == "dot":
            scores = ops.matmul(asking, ops.transpose(state["keys"], (0, 2, 1)))
        else:
            both = ops.expand_dims(self.queries(asking), 2) + ops.expand_dims(state["keys"], 1)
            scores = self.score(ops.reshape(ops.tanh(both), (-1, self.units)))
            scores = reshaped(scores, ops.shape(both)[1], ops.shape(both)[2], like=both)
        return softmax(scores + ops.expand_dims(state["mask"], 1))

    def _logits(
        self, steps: Tensors, state: Tensors, training: bool | None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor | None]:
        """Of steps (batch, steps, …): logits (batch, steps, target words + 1), and weights of the source's words."""
        found, weights = steps["state_0"], None
        if self.kind != "none":
            weights = self._weights(found, state)
            found = ops.concatenate([found, steps["context"]], axis=-1)
        chosen = self.drop(self.chosen(found), training=training)
        scores = logits(chosen, self.target_words)
        if not self.copy:
            return scores, weights
        gate = ops.cast(self.gate(found), "float32")
        copied = ops.matmul(ops.cast(weights, "float32"), state["copied"])
        chances = gate * ops.softmax(ops.cast(scores, "float32")) + (1 - gate) * copied
        return ops.log(chances + _LEAST), weights


def _built(layer: keras.layers.Dense, read: int) -> keras.layers.Dense:
    layer.build((None, read))
    return layer
