"""Which network gives what an answer is read from: the trained one, or one that searches with it?"""

from __future__ import annotations

import keras
import numpy as np

from dlkit.contracts import Examples
from dlkit.inference.answers import AnyAnswer
from dlkit.inference.sentence_pieces import END, START, UNKNOWN
from dlkit.inference.sentences import SentenceAnswer
from dlkit.models.decoding import Decoder
from dlkit.training.fit import outputs

ROWS_AT_ONCE = 64
"""Of a search, which holds a cache for each of its beams."""


def answers_of(model: keras.Model, answer: AnyAnswer, examples: Examples) -> np.ndarray:
    """(rows, …) what the answer is read from: the network's outputs, or those of a search with it."""
    if not isinstance(answer, SentenceAnswer):
        return outputs(model, examples)
    source = Examples({"source": examples.inputs["source"]})
    return outputs(searching(model, answer), source, batch_size=ROWS_AT_ONCE)


def searching(model: keras.Model, answer: SentenceAnswer, *, beam: int | None = None) -> Decoder:
    """A search with `model` as `answer` has it, or of another width."""
    return Decoder(
        model,
        start=START,
        end=END,
        never=(0, START, UNKNOWN),
        beam=answer.beam if beam is None else beam,
        length_penalty=answer.length_penalty,
    )
