"""Which Transformer reads a text? In a file of its own, for KerasHub takes seconds to load."""

from __future__ import annotations

import keras
import keras_hub

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models.options import at_least_one, probability
from dlkit.models.text import answered, word_vectors


def transformer(
    spec: Spec,
    *,
    dimension: int | None = None,
    heads: int = 2,
    intermediate: int = 64,
    blocks: int = 1,
    dropout: float = 0.2,
    freeze: bool = False,
) -> keras.Model:
    """An encoder of self-attention blocks with learned positions, then the mean over time (Vaswani et al. 2017).

    Takes word ids (batch, length) int32, 0 where a text is padded; gives (batch, head units). `dimension`: of word
    vectors, split among `heads`; None takes that of own word vectors, or 32. `intermediate`: units of each block's
    feed-forward part. `freeze`: own word vectors stay as they are.
    """
    for name, value in {"heads": heads, "intermediate": intermediate, "blocks": blocks}.items():
        at_least_one(name, value)
    probability("dropout", dropout)
    # The mask is handed on by hand: PositionEmbedding knows none.
    inputs, words = word_vectors(spec, dimension, freeze=freeze, masked=False)
    _check_heads(words.shape[-1], heads, own="word_vectors" in spec.tables)
    states = words + keras_hub.layers.PositionEmbedding(spec.sizes["sequence_length"])(words)
    padding = keras.ops.not_equal(inputs, 0)
    for _ in range(blocks):
        encoder = keras_hub.layers.TransformerEncoder(intermediate, heads, dropout=dropout)
        states = encoder(states, padding_mask=padding)
    mean = keras.layers.GlobalAveragePooling1D()(states, mask=padding)
    return answered(spec, inputs, mean, dropout)


def _check_heads(width: int, heads: int, *, own: bool) -> None:
    """SettingsError unless word vectors of that `width` can be split among the heads."""
    if width % heads:
        fits = max(count for count in range(1, width + 1) if count <= heads and width % count == 0)
        whose = f"{width}, the size of the word vectors in preprocessing.vectors" if own else f"model.dimension={width}"
        raise SettingsError(f"model.heads={heads} does not divide {whose}. Say e.g. --set model.heads={fits}.")
