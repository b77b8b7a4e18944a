"""Which Transformer reads a text? In a file of its own, for KerasHub takes seconds to load."""

from __future__ import annotations

import keras
import keras_hub

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models.options import at_least_one, probability
from dlkit.models.text import answered, check_reads_in_order


def transformer(
    spec: Spec,
    *,
    dimension: int = 32,
    heads: int = 2,
    intermediate: int = 64,
    blocks: int = 1,
    dropout: float = 0.2,
) -> keras.Model:
    """An encoder of self-attention blocks with learned positions, then the mean over time (Vaswani et al. 2017).

    Takes word ids (batch, length) int32, 0 where a text is padded; gives (batch, head units). `dimension`: of word
    vectors, split among `heads`. `intermediate`: units of each block's feed-forward part.
    """
    check_reads_in_order(spec)
    sizes = {"dimension": dimension, "heads": heads, "intermediate": intermediate, "blocks": blocks}
    for name, value in sizes.items():
        at_least_one(name, value)
    if dimension % heads:
        raise SettingsError(f"model.heads={heads} does not divide model.dimension={dimension}.")
    probability("dropout", dropout)
    (name,) = spec.inputs
    inputs = keras.Input(spec.inputs[name].shape, dtype=spec.inputs[name].dtype, name=name)
    words = keras.layers.Embedding(spec.sizes["vocabulary"] + 1, dimension, name="words")(inputs)
    states = words + keras_hub.layers.PositionEmbedding(spec.sizes["sequence_length"])(words)
    padding = keras.ops.not_equal(inputs, 0)  # handed on by hand: PositionEmbedding knows no masks
    for _ in range(blocks):
        encoder = keras_hub.layers.TransformerEncoder(intermediate, heads, dropout=dropout)
        states = encoder(states, padding_mask=padding)
    mean = keras.layers.GlobalAveragePooling1D()(states, mask=padding)
    return answered(spec, inputs, mean, dropout)
