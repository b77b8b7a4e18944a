"""Small translators with weights at random, for tests of what is exported."""

from __future__ import annotations

import keras
import numpy as np

from dlkit.contracts import Head, Spec
from dlkit.inference.sentence_pieces import MARK, SentencePieces
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translation import PairText
from dlkit.models import translation, translator_ensembles

PIECES = SentencePieces(tuple(f"{mark}{letter}" for letter in "abcdefghijkl" for mark in ("", MARK)))
TEXT = PairText("source", PIECES, PIECES, longest_source=14, longest_target=11)
ANSWER = SentenceAnswer(PIECES, TEXT.longest_target, beam=3)
SENTENCES = ("a cab", "", "jab led a bad lad", "?", "fab", "a b c d e f g h i j k l a b c d e", "cab a", "kid hid")
KINDS = {
    "transformer": lambda spec: translation.transformer(
        spec, width=16, heads=2, intermediate=24, encoders=1, decoders=2
    ),
    # Weights of fewer than 1,024 numbers are not quantized.
    "wide transformer": lambda spec: translation.transformer(
        spec, width=64, heads=2, intermediate=64, encoders=1, decoders=1
    ),
    "two transformers": lambda spec: translation.transformer(
        spec, width=16, heads=4, intermediate=24, encoders=1, decoders=2, members=2
    ),
    "transformer and gru": lambda spec: translator_ensembles.Members(
        [
            translation.transformer(spec, width=16, heads=2, intermediate=24, encoders=1, decoders=1),
            translation.seq2seq(spec, cell="gru", attention="dot", dimension=8, units=12),
        ]
    ),
    "lstm": lambda spec: translation.seq2seq(spec, cell="lstm", attention="additive", dimension=8, units=12),
    "copying gru": lambda spec: translation.seq2seq(
        spec, cell="gru", attention="dot", copy=True, dimension=8, units=12
    ),
}


def built(kind: str, *, seed: int = 5) -> keras.Model:
    """Weights larger than at first, so that what is read makes a difference."""
    keras.utils.set_random_seed(seed)
    model = KINDS[kind](Spec(TEXT.tensors, {"tokens": Head(PIECES.highest_id + 1)}, TEXT.sizes))
    dice = np.random.default_rng(seed)
    model.set_weights([weight + 0.4 * dice.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def column(texts: tuple[str, ...] = SENTENCES) -> dict[str, np.ndarray]:
    rows = np.empty(len(texts), object)
    rows[:] = texts
    return {"source": rows}
