"""Does KerasHub's encoder answer in LiteRT as in Keras, by the plain products that its file holds?"""

from __future__ import annotations

from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
from readers import WORDS, check_rows_of_any_length, stirred

from dlkit.contracts import Tensor
from dlkit.export.litert import write_litert
from dlkit.inference.litert import LiteRT

LONGEST, FEATURES = 30, 12


def masked_by_hand(**options: object) -> keras.Model:
    """As dlkit's own network: learned positions, and the mask handed on."""
    inputs = keras.Input((None,), dtype="int32", name="ids")
    words = keras.layers.Embedding(WORDS + 1, FEATURES)(inputs)
    states, there = words + keras_hub.layers.PositionEmbedding(LONGEST)(words), keras.ops.not_equal(inputs, 0)
    for _ in range(2):
        states = keras_hub.layers.TransformerEncoder(7, 3, **options)(states, padding_mask=there)
    mean = keras.layers.GlobalAveragePooling1D()(states, mask=there)
    return stirred(keras.Model(inputs, keras.layers.Dense(2)(mean)))


def masked_by_keras(**options: object) -> keras.Model:
    """The mask goes from layer to layer by itself."""
    inputs = keras.Input((None,), dtype="int32", name="ids")
    states = keras.layers.Embedding(WORDS + 1, FEATURES, mask_zero=True)(inputs)
    states = keras_hub.layers.TransformerEncoder(7, 3, **options)(states)
    return stirred(keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(states))))


@pytest.mark.parametrize("build", [masked_by_hand, masked_by_keras])
@pytest.mark.parametrize(
    "options",
    [{}, {"normalize_first": True, "activation": "gelu", "layer_norm_epsilon": 0.1}],
    ids=["as it is", "other"],
)
def test_rows_of_any_length_and_padding_are_answered_as_in_keras(
    tmp_path: Path, build: type[keras.Model], options: dict[str, object]
) -> None:
    model = build(**options)
    check_rows_of_any_length(tmp_path / "m.tflite", model, 3, 1, 20, 7, 20)


def test_what_may_look_at_what_is_left_to_the_layer_itself(tmp_path: Path) -> None:
    inputs = keras.Input((5, FEATURES), name="rows")
    earlier = keras.ops.expand_dims(keras.ops.tril(keras.ops.ones((5, 5), "bool")), 0)
    states = keras_hub.layers.TransformerEncoder(7, 3)(inputs, attention_mask=earlier)
    model = stirred(keras.Model(inputs, keras.layers.Dense(2)(states[:, 0])))
    write_litert(tmp_path / "m.tflite", model, {"rows": Tensor((5, FEATURES))})
    row = np.random.default_rng(5).normal(size=(1, 5, FEATURES)).astype(np.float32)
    np.testing.assert_allclose(LiteRT(tmp_path / "m.tflite").run({"rows": row}), np.asarray(model(row)), atol=2e-5)
