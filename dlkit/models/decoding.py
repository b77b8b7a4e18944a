"""How does a network that says how likely each next piece is write whole translations, inside of a graph?

Greedy search and beam search, as `inference/decoding.py` does them outside, on many rows at once. What both say of
scores and bounds is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from dlkit.models.translation_layers import Stepper, Tensors

NEVER = -1e9
"""Logarithm of the probability of what is never written."""


class Decoder(keras.Model):
    """Source ids to translations: ids (rows, length) int32, 0 pads, to (rows, 1 + longest) float32, which is the score
    of the translation and its ids without start and end, 0 after the last.

    The score is the log-probability, its end's included, divided by ((5 + n) / 6)^`length_penalty` for n pieces with
    the end (Wu et al. 2016, eq. 14). `beam`: hypotheses that are kept, 1 is greedy. `start`, `end`: their ids; `never`:
    ids that are not written.
    """

    predict_function: Any

    def __init__(
        self,
        network: Stepper,
        *,
        start: int,
        end: int,
        never: tuple[int, ...],
        beam: int = 1,
        length_penalty: float = 1.0,
    ) -> None:
        super().__init__()
        self.network, self.beam, self.length_penalty = network, beam, length_penalty
        self.start, self.end, self.never = start, end, never
        self.longest = network.longest_target
        self.built = True

    def call(self, inputs: Mapping[str, keras.KerasTensor] | keras.KerasTensor) -> keras.KerasTensor:
        find = self.greedy if self.beam == 1 else self.best_of_beam
        ids, score = find(_source(inputs))
        return ops.concatenate([ops.expand_dims(score, 1), ops.cast(ids, "float32")], axis=1)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """As Keras', traced once for rows and lengths of all numbers: Keras' traces some times until it sees that."""
        import tensorflow as tf

        if self.predict_function is None:
            spec = tf.TensorSpec((None, None), tf.int32)
            self.predict_function = tf.function(lambda ids: self(ids, training=False), [spec], autograph=False)
        return np.asarray(self.predict_function(np.asarray(_source(x), np.int32)))

    def log_probabilities(self, logits: keras.KerasTensor) -> keras.KerasTensor:
        """(rows, vocabulary) float32, `NEVER` or lower for ids that are not written."""
        allowed = np.zeros(logits.shape[-1], np.float32)
        allowed[list(self.never)] = NEVER
        return ops.log_softmax(ops.cast(logits, "float32") + allowed)

    def bounds(self, source: keras.KerasTensor) -> keras.KerasTensor:
        """(rows,) int32 most pieces of a translation, its end among them."""
        return ops.minimum(3 * ops.sum(ops.cast(source > 0, "int32"), axis=1) + 10, self.longest)

    def penalty(self, pieces: keras.KerasTensor) -> keras.KerasTensor:
        return ((5 + ops.cast(pieces, "float32")) / 6) ** self.length_penalty

    def greedy(
        self, source: keras.KerasTensor, argmax: Callable[[keras.KerasTensor], keras.KerasTensor] | None = None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Ids (rows, longest) int32 and scores (rows,) float32. `argmax`: over the last axis, int32."""
        find = argmax or (lambda values: ops.cast(ops.argmax(values, axis=-1), "int32"))
        bound, state = self.bounds(source), self.network.encode(source)

        def one(now: _Line) -> tuple[_Line]:
            logits, cache = self.network.step(now.pieces, now.position, state, now.cache)
            chances, later = self.log_probabilities(logits), now.position + 1
            pieces = ops.where(later < bound, find(chances), self.end)
            is_open = ops.equal(now.lengths, 0)
            likely = ops.sum(chances * ops.one_hot(pieces, chances.shape[-1]), axis=1)
            stays_open = ops.logical_and(is_open, ops.not_equal(pieces, self.end))
            written = ops.expand_dims(ops.where(stays_open, pieces, 0), 1)
            return (
                _Line(
                    later,
                    pieces,
                    ops.slice_update(now.ids, (0, now.position), written),
                    now.totals + ops.where(is_open, likely, 0.0),
                    ops.where(ops.equal(is_open, stays_open), now.lengths, later),
                    cache,
                ),
            )

        nothing = ops.zeros_like(source[:, 0])
        begin = _Line(
            ops.convert_to_tensor(0, "int32"),
            nothing + self.start,
            ops.expand_dims(nothing, 1) + ops.zeros((1, self.longest), "int32"),
            ops.cast(nothing, "float32"),
            nothing,
            self.network.first_cache(state, self.longest),
        )
        (found,) = ops.while_loop(lambda now: ops.any(ops.equal(now.lengths, 0)), one, (begin,))
        return found.ids, found.totals / self.penalty(found.lengths)

    def best_of_beam(self, source: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Ids (rows, longest) int32 and scores (rows,) float32."""
        ids, scores = self.beam_search(source)
        return ids[:, 0], scores[:, 0]

    def beam_search(self, source: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Ids (rows, beam, longest) int32 and scores (rows, beam) float32, the best first."""
        beam, bound = self.beam, self.bounds(source)
        zero = ops.zeros_like(source[:, :1])
        first = (ops.cumsum(zero + 1, axis=0) - 1) * beam  # the first hypothesis of each row
        state = self.network.encode(source)
        cache = self.network.first_cache(state, self.longest)
        state, cache = (_chosen(tensors, ops.repeat(first // beam, beam, axis=1)) for tensors in (state, cache))

        def one(now: _Beam) -> tuple[_Beam]:
            logits, cache = self.network.step(ops.reshape(now.pieces, (-1,)), now.position, state, now.cache)
            width, later = logits.shape[-1], now.position + 1
            chances = ops.reshape(self.log_probabilities(logits), (-1, beam, width)) + ops.expand_dims(now.totals, 2)
            ends = chances[:, :, self.end]
            going = ops.where(np.arange(width) == self.end, -np.inf, chances)
            totals, places = ops.top_k(ops.reshape(going, (-1, beam * width)), beam)
            over, by_length = ops.equal(later, bound), self.penalty(later)
            counts = ops.logical_or(ends >= totals[:, -1:], ops.expand_dims(over, 1))
            counts = ops.logical_and(counts, ops.expand_dims(now.is_open, 1))
            both = ops.concatenate([now.scores, ops.where(counts, ends / by_length, -np.inf)], axis=1)
            scores, kept = ops.top_k(both, beam)
            better = ops.logical_and(ops.logical_not(over), totals[:, 0] / by_length > scores[:, -1])
            parents, pieces = ops.cast(places // width, "int32"), ops.cast(places % width, "int32")
            live = ops.slice_update(_of_each(now.live, parents), (0, 0, now.position), ops.expand_dims(pieces, 2))
            return (
                _Beam(
                    later,
                    ops.logical_and(now.is_open, better),
                    pieces,
                    live,
                    totals,
                    _of_each(ops.concatenate([now.done, now.live], axis=1), kept),
                    scores,
                    _chosen(cache, first + parents),
                ),
            )

        never = ops.cast(zero, "float32") - np.inf
        ids = ops.expand_dims(zero, 2) + ops.zeros((1, beam, self.longest), "int32")
        begin = _Beam(
            ops.convert_to_tensor(0, "int32"),
            ops.equal(zero[:, 0], 0),
            ops.repeat(zero + self.start, beam, axis=1),
            ids,
            # All hypotheses start alike: one of them is enough.
            ops.concatenate([ops.cast(zero, "float32"), *[never] * (beam - 1)], axis=1),
            ids,
            ops.repeat(never, beam, axis=1),
            cache,
        )
        (found,) = ops.while_loop(lambda now: ops.any(now.is_open), one, (begin,))
        return found.done, found.scores


class _Line(NamedTuple):
    """A greedy search under way. `pieces`: (rows,) the last ones. `ids`: (rows, longest) all of them. `totals`: their
    log-probabilities. `lengths`: with the end, 0 where there is none yet.
    """

    position: Any
    pieces: Any
    ids: Any
    totals: Any
    lengths: Any
    cache: Tensors


class _Beam(NamedTuple):
    """A beam search under way. `is_open`: (rows,) whether it goes on. `pieces`: (rows, beam) the last ones of the
    hypotheses, `live` (rows, beam, longest) all of them, `totals` their log-probabilities. `done`, `scores`: of those
    that ended.
    """

    position: Any
    is_open: Any
    pieces: Any
    live: Any
    totals: Any
    done: Any
    scores: Any
    cache: Tensors


def _source(inputs: Any) -> Any:
    """Source ids, of inputs by name or bare."""
    return inputs["source"] if isinstance(inputs, Mapping) else inputs


def _chosen(tensors: Tensors, numbers: keras.KerasTensor) -> Tensors:
    """Some rows of each tensor, by their numbers (rows, beam)."""
    flat = ops.reshape(numbers, (-1,))
    return {name: ops.take(tensor, flat, axis=0) for name, tensor in tensors.items()}


def _of_each(values: keras.KerasTensor, numbers: keras.KerasTensor) -> keras.KerasTensor:
    """(rows, n, length), of each row those at `numbers` (rows, beam)."""
    return ops.take_along_axis(values, ops.expand_dims(numbers, 2), axis=1)
