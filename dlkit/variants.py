"""Which networks does every text recipe offer, and how does each want its texts and its training?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dlkit.models import text, transformers
from dlkit.preprocessing.ngrams import Ngrams
from dlkit.preprocessing.sequences import Sequences
from dlkit.recipe import Variant
from dlkit.training.settings import Training

READERS: dict[str, Callable[..., object]] = {
    "embedding": text.embedding,
    "cnn": text.cnn,
    "simple_rnn": text.simple_rnn,
    "lstm": text.lstm,
    "gru": text.gru,
    "bilstm": text.bilstm,
    "bilstm_attention": text.bilstm_attention,
    "transformer": transformers.transformer,
}
"""Networks that read words in their order."""


def text_variants(
    *,
    sequences: Sequences | None = None,
    ngrams: Ngrams | None = None,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
) -> dict[str, Variant]:
    """Variants by name: those of `READERS`, "fasttext" and "ngrams".

    `sequences`, `ngrams`: how the networks of a kind take a text; None: as usual. `batch_size`, `learning_rate`: of
    those that read words in their order.
    """
    reading = Training(
        epochs=15, batch_size=batch_size, learning_rate=learning_rate, patience=2, refit=True, length_bucketing=True
    )
    averaging = replace(reading, epochs=30, batch_size=64, learning_rate=2e-3)
    # Plain descent: methods that scale each weight's step, as Adam does, let the many rare n-grams run ahead.
    descent = Training(
        epochs=8, batch_size=512, optimizer="sgd", learning_rate=1.0, momentum=0.9, schedule="cosine", refit=True
    )
    grams = ngrams or Ngrams()
    variants = {
        name: Variant(model, sequences or Sequences(), training=averaging if name == "embedding" else reading)
        for name, model in READERS.items()
    }
    return variants | {
        "fasttext": Variant(text.fasttext, grams, training=replace(averaging, learning_rate=3e-3)),
        "ngrams": Variant(text.ngrams, grams, training=descent),
    }
