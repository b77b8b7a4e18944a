"""In which functions does a translator leave the house, for LiteRT and for TensorFlow?

A whole search in one call, and its parts, `encode` and `step`, for who searches by himself: `inference/decoding.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from dlkit.contracts import Transform
from dlkit.export.litert import write_functions
from dlkit.export.one_row import in_loops_of_ours, without_padding
from dlkit.inference.forms import argument_names
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translating import CACHE, STATE
from dlkit.models.decoding import Decoder
from dlkit.models.layers import is_recurrent
from dlkit.models.translation_layers import Tensors
from dlkit.preprocessing.graphs import graph_of
from dlkit.preprocessing.pair_graphs import SentencesGraph
from dlkit.training.answering import searching


class Parts:
    """`encode` and `step` of a network as functions of named tensors, `rows` sentences at once (None: any number).

    `encode`: "source" (rows, length) int32 to what stays, named "state_…", and what a first step takes, "cache_…".
    `step`: those, "pieces" (rows,) and "position" () int32 to "chances" (rows, vocabulary) float32, log-probabilities,
    and a new cache. Any number of rows.
    """

    def __init__(self, decoder: Decoder, *, rows: int | None) -> None:
        self._decoder, self._network = decoder, decoder.network
        source = tf.TensorSpec((rows, None), tf.int32, name="source")
        self.encode = tf.function(self._encode, input_signature=[source]).get_concrete_function()
        given = {
            name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=name)
            for name, tensor in self.encode.structured_outputs.items()
        }
        given |= {"pieces": tf.TensorSpec((None,), tf.int32, name="pieces")}
        given |= {"position": tf.TensorSpec((), tf.int32, name="position")}
        self.step = tf.function(self._step, input_signature=[given]).get_concrete_function()

    def _encode(self, source: tf.Tensor) -> dict[str, tf.Tensor]:
        state = self._network.encode(source)
        cache = self._network.first_cache(state, self._decoder.longest)
        return _named(STATE, state) | _named(CACHE, cache)

    def _step(self, given: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        state, cache = (
            {name.removeprefix(prefix): tensor for name, tensor in given.items() if name.startswith(prefix)}
            for prefix in (STATE, CACHE)
        )
        logits, cache = self._network.step(given["pieces"], given["position"], state, cache)
        return {"chances": self._decoder.log_probabilities(logits)} | _named(CACHE, cache)


def _named(prefix: str, tensors: Tensors) -> dict[str, tf.Tensor]:
    # A function may not give back what it was given.
    return {f"{prefix}{name}": tf.identity(tensor) for name, tensor in tensors.items()}


class OneSentence:
    """A network that reads one sentence, as LiteRT wants it: recurrent layers in loops of ours, and tensors of known
    sizes for the loop that writes.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network, self.longest_target = network, network.longest_target
        self.first_cache = network.first_cache
        self._is_recurrent = is_recurrent(network)

    def encode(self, source: tf.Tensor) -> Tensors:
        if self._is_recurrent:  # attention masks padding, loops would read it
            source = without_padding(source)
        with in_loops_of_ours(self.network):
            return _of_rows(1, self.network.encode(source))

    def step(self, token: tf.Tensor, position: tf.Tensor, state: Tensors, cache: Tensors) -> tuple[tf.Tensor, Tensors]:
        logits, cache = self.network.step(token, position, state, cache)
        return logits, _of_rows(token.shape[0], cache)


def _of_rows(rows: int | None, tensors: Tensors) -> Tensors:
    """The same tensors, of so many rows as is known: a reshape has lost count."""
    for tensor in tensors.values():
        tensor.set_shape((rows, *tensor.shape[1:]))
    return tensors


def write_translator(path: Path, model: keras.Model, answer: SentenceAnswer, *, quantize: str | None) -> None:
    """Write a LiteRT file of three signatures: `encode` and `step` as `Parts` has them, of one sentence and of any
    number of hypotheses, and `greedy`, "source" (1, length) int32 to "outputs" as `SentenceAnswer` reads them.
    """
    network = OneSentence(model)
    decoder = searching(network, answer, beam=1)
    parts = Parts(decoder, rows=1)

    def greedy(source: tf.Tensor) -> dict[str, tf.Tensor]:
        # Keras' own minds the sign of zero, which LiteRT has no operation for.
        ids, score = decoder.greedy(source, argmax=lambda values: tf.argmax(values, axis=-1, output_type=tf.int32))
        return {"outputs": tf.concat([score[:, tf.newaxis], tf.cast(ids, tf.float32)], axis=1)}

    one = tf.TensorSpec((1, None), tf.int32, name="source")
    whole = tf.function(greedy, input_signature=[one]).get_concrete_function()
    write_functions(path, {"encode": parts.encode, "step": parts.step, "greedy": whole}, model, quantize=quantize)


class TranslationServable(tf.Module):
    """What a SavedModel of a translator can do, as `functions` by the names of their signatures.

    `serving_default`, `greedy`: raw sentences (rows,) to "translation" (rows,) strings, "score" (rows,) float32 and
    "outputs" as `SentenceAnswer` reads them, by the search of `answer` and by a greedy one. `network`: "source" (rows,
    length) int32 to "outputs". `encode`, `step`: see `Parts`.
    """

    def __init__(self, transform: Transform, model: keras.Model, answer: SentenceAnswer) -> None:
        super().__init__()
        self._graph, self._sentences = graph_of(transform), SentencesGraph(answer.pieces)
        # The variables, and the model out of sight, as in `saved_model.Servable`.
        self._variables = [variable.value for variable in model.variables]
        self._decoders = _Hidden(searching(model, answer), searching(model, answer, beam=1))
        (column,) = self._graph.signature
        self._column, name = column, argument_names([column])[column]
        raw, source = tf.TensorSpec((None,), tf.string, name=name), tf.TensorSpec((None, None), tf.int32, name="source")
        parts = Parts(self._decoders.greedy, rows=None)
        self.functions: dict[str, Any] = {
            "serving_default": tf.function(self._serve, input_signature=[raw]),
            "greedy": tf.function(self._serve_greedily, input_signature=[raw]),
            "network": tf.function(self._network, input_signature=[source]),
            "encode": parts.encode,
            "step": parts.step,
        }

    def _serve(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._answered(self._decoders.whole, raw)

    def _serve_greedily(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._answered(self._decoders.greedy, raw)

    def _answered(self, decoder: Decoder, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = decoder(self._graph.encode({self._column: raw}))
        ids = tf.cast(outputs[:, 1:], tf.int32)
        return {"outputs": outputs, "translation": self._sentences(ids), "score": outputs[:, 0]}

    def _network(self, source: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": self._decoders.whole({"source": source})}


class _Hidden:
    """Models that a tf.Module must not find."""

    def __init__(self, whole: Decoder, greedy: Decoder) -> None:
        self.whole, self.greedy = whole, greedy
