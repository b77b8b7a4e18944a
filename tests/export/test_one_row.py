"""Does a recurrent network answer in LiteRT as in Keras, by a loop that does no needless work?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from readers import IDS, WORDS, check_rows_of_any_length, rows, stirred

from dlkit.contracts import Tensor
from dlkit.export.litert import write_litert
from dlkit.inference.litert import LiteRT
from dlkit.models import series_layers

UNITS = 5
Layer = Callable[..., keras.layers.Layer]
LAYERS: dict[str, Layer] = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "gru without reset_after": lambda units, **more: keras.layers.GRU(units, reset_after=False, **more),
    "lstm of other activations": lambda units, **more: keras.layers.LSTM(
        units, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False, **more
    ),
    "gru without bias": lambda units, **more: keras.layers.GRU(units, use_bias=False, **more),
    "bilstm": lambda units, **more: keras.layers.Bidirectional(keras.layers.LSTM(units, **more)),
    "bigru, summed": lambda units, **more: keras.layers.Bidirectional(
        keras.layers.GRU(units, **more), merge_mode="sum"
    ),
    "backwards": lambda units, **more: keras.layers.LSTM(units, go_backwards=True, **more),
}


def reader(layer: Layer, *, mask: bool = True, sequences: bool = True) -> keras.Model:
    inputs = keras.Input((None,), dtype="int32", name="ids")
    states = keras.layers.Embedding(WORDS + 1, 4, mask_zero=mask)(inputs)
    if sequences:
        states = layer(UNITS, return_sequences=True)(states)
    return stirred(keras.Model(inputs, keras.layers.Dense(2)(layer(UNITS)(states))))


@pytest.mark.parametrize("sequences", [False, True], ids=["last state", "all states"])
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_every_layer_answers_as_in_keras_on_rows_of_any_length_in_turn(
    tmp_path: Path, layer: Layer, sequences: bool
) -> None:
    model = reader(layer, sequences=sequences)
    check_rows_of_any_length(tmp_path / "m.tflite", model, 3, 1, 40, 7, 40)


def test_zero_is_a_word_where_the_network_says_so(tmp_path: Path) -> None:
    model = reader(LAYERS["lstm"], mask=False)
    write_litert(tmp_path / "m.tflite", model, IDS)
    artefact = LiteRT(tmp_path / "m.tflite")
    longer = np.pad(rows(5)[0], ((0, 0), (0, 3)))
    np.testing.assert_allclose(artefact.run({"ids": longer}), np.asarray(model(longer)), atol=1e-5)
    assert np.abs(np.asarray(model(longer)) - np.asarray(model(longer[:, :5]))).max() > 1e-3


def sequential() -> keras.Model:
    layers = [keras.Input((6, 3), name="rows"), keras.layers.LSTM(UNITS), keras.layers.Dense(2)]
    return keras.Sequential(layers)


def nested() -> keras.Model:
    inputs = keras.Input((6, 3), name="rows")
    return keras.Model(inputs, keras.layers.Add()([sequential()(inputs), sequential()(inputs)]))


def masking() -> keras.Model:
    inputs = keras.Input((6, 3), name="rows")
    return keras.Model(inputs, keras.layers.LSTM(UNITS)(keras.layers.Masking()(inputs)))


class Own(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.reader, self.head = keras.layers.GRU(UNITS), keras.layers.Dense(2)
        self(np.zeros((1, 6, 3), np.float32))

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return self.head(self.reader(inputs))


def starts_from_a_state() -> keras.Model:
    inputs = keras.Input((6, 3), name="rows")
    states = [keras.layers.Dense(UNITS)(inputs[:, 0]) for _ in range(2)]
    return keras.Model(inputs, keras.layers.LSTM(UNITS)(inputs, initial_state=states))


@pytest.mark.parametrize("build", [sequential, nested, masking, Own, starts_from_a_state])
def test_networks_of_every_api_keep_their_answers(tmp_path: Path, build: Callable[[], keras.Model]) -> None:
    model = stirred(build())
    write_litert(tmp_path / "m.tflite", model, {"rows": Tensor((6, 3))})
    some = np.random.default_rng(1).normal(size=(4, 6, 3)).astype(np.float32)
    some[1, :2] = some[2, 3] = 0  # rows that a mask leaves out
    expected = np.asarray(model(some))
    np.testing.assert_allclose(LiteRT(tmp_path / "m.tflite").run({"rows": some}), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 1e-2


def test_a_step_does_no_masking_and_no_copying(tmp_path: Path) -> None:
    import contextlib
    import io
    import re

    import tensorflow as tf

    write_litert(tmp_path / "m.tflite", reader(LAYERS["lstm"]), IDS)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        tf.lite.experimental.Analyzer.analyze(model_path=str(tmp_path / "m.tflite"))
    bodies = [
        part for part in re.split(r"\n(?=Subgraph#)", said.getvalue()) if "while" in part and "_body" in part[:200]
    ]
    steps = [re.findall(r"Op#\d+ (\w+)", body) for body in bodies]
    assert len(steps) == 2
    assert max(map(len, steps)) <= 17
    assert not {"SELECT_V2", "CONCATENATION", "SLICE"} & {name for step in steps for name in step}


@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru"])
def test_channels_of_a_row_are_read_one_by_one(name: str, tmp_path: Path) -> None:
    layer = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[name]
    inputs = keras.Input((8, 3), name="past")
    steps = series_layers.Patches(2, 2, independent=True)(inputs)
    states = keras.layers.Bidirectional(layer(4))(layer(5, return_sequences=True)(steps))
    model = stirred(keras.Model(inputs, keras.layers.Flatten()(series_layers.ChannelsBack(3)(states))))
    rows = np.random.default_rng(0).normal(size=(5, 8, 3)).astype(np.float32)
    write_litert(tmp_path / "m.tflite", model, {"past": Tensor((8, 3))})
    np.testing.assert_allclose(LiteRT(tmp_path / "m.tflite").run({"past": rows}), model(rows), atol=1e-5)
