"""Which Transformer reads a text? In a file of its own, for KerasHub takes seconds to load."""

from __future__ import annotations

import keras
import keras_hub

from dlkit.contracts import Spec
from dlkit.errors import SettingsError


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
    if "sequence_length" not in spec.sizes:
        raise SettingsError("This model reads words in their order: it needs preprocessing of the kind Sequences.")
    sizes = {"dimension": dimension, "heads": heads, "intermediate": intermediate, "blocks": blocks}
    for name, value in sizes.items():
        if value < 1:
            raise SettingsError(f"model.{name}: expected 1 or more, got {value}.")
    if dimension % heads:
        raise SettingsError(f"model.heads={heads} does not divide model.dimension={dimension}.")
    if not 0 <= dropout < 1:
        raise SettingsError(f"model.dropout: expected a probability in [0, 1), got {dropout}.")
    (name,) = spec.inputs
    inputs = keras.Input(spec.inputs[name].shape, dtype=spec.inputs[name].dtype, name=name)
    words = keras.layers.Embedding(spec.sizes["vocabulary"] + 1, dimension, name="words")(inputs)
    states = words + keras_hub.layers.PositionEmbedding(spec.sizes["sequence_length"])(words)
    padding = keras.ops.not_equal(inputs, 0)  # handed on by hand: PositionEmbedding knows no masks
    for _ in range(blocks):
        encoder = keras_hub.layers.TransformerEncoder(intermediate, heads, dropout=dropout)
        states = encoder(states, padding_mask=padding)
    mean = keras.layers.GlobalAveragePooling1D()(states, mask=padding)
    mean = keras.layers.Dropout(dropout)(mean) if dropout else mean
    head = keras.layers.Dense(spec.head.units, activation=spec.head.activation, name="answer")
    return keras.Model(inputs, head(mean))
