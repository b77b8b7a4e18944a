"""Does every network for pictures hold what the house promises: files give it back whole, artefacts agree?"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Head, Spec, Tensor
from dlkit.errors import SettingsError
from dlkit.export.litert import write_litert
from dlkit.export.proof import keras_model
from dlkit.inference.litert import LiteRT
from dlkit.models import images
from dlkit.models.fast import fast

MODELS: dict[str, Callable[..., keras.Model]] = {
    "cnn": partial(images.cnn, filters=4, units=16),
    "cnn_bn": partial(images.cnn_bn, filters=(4, 6)),
    "inception": partial(images.inception, filters=4, blocks=2),
    "resnet": partial(images.resnet, filters=4, blocks=1),
    "separable": partial(images.separable, filters=(6, 8)),
    "lenet": images.lenet,
    "fast": partial(fast, widths=(6, 8)),
    "fast without flip": partial(fast, widths=(6, 8), test_flip=False),
}
LEAST = {"cnn": 4, "cnn_bn": 8, "inception": 8, "resnet": 4, "separable": 4, "lenet": 12, "fast": 9}
"""The least size of a picture, with the sizes of the network left as they are."""
BUILDERS = {name: getattr(images, name, fast) for name in LEAST}


def spec(size: int = 16, channels: int = 3, heads: dict[str, Head] | None = None) -> Spec:
    tables = {
        "pixel_mean": np.array([120.0, 110.0, 100.0], np.float32)[:channels],
        "pixel_spread": np.array([60.0, 55.0, 70.0], np.float32)[:channels],
    }
    return Spec(
        {"pixels": Tensor((size, size, channels), "uint8")},
        heads or {"answer": Head(3, "softmax")},
        {"image_size": size, "channels": channels},
        tables,
    )


def pictures(rows: int = 5, size: int = 16, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, size, size, channels), dtype=np.uint8)


def built(name: str, given: Spec | None = None) -> keras.Model:
    """The network with biases and statistics that are not 0 and 1."""
    keras.utils.set_random_seed(1)
    model = MODELS[name](given or spec())
    rng = np.random.default_rng(2)
    weights = model.get_weights()
    model.set_weights([one + 0.1 * np.abs(rng.normal(size=one.shape)) if one.ndim == 1 else one for one in weights])
    return model


@pytest.mark.parametrize("name", MODELS)
def test_uint8_and_float_pictures_get_one_answer_and_other_pictures_another(name: str) -> None:
    model, rows = built(name), pictures()
    answers = np.asarray(model(rows))
    assert answers.shape == (5, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(model(rows.astype(np.float32)), answers)
    assert np.abs(np.diff(answers, axis=0)).max() > 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_a_file_gives_the_network_back_without_code_of_the_user(name: str, tmp_path: Path) -> None:
    model = built(name)
    model.save(tmp_path / "model.keras")
    again = keras_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(pictures()), model(pictures()))
    assert images.multiply_adds(again) == images.multiply_adds(model)
    assert len(again.trainable_weights) == len(model.trainable_weights)


@pytest.mark.parametrize("name", MODELS)
def test_litert_takes_uint8_and_answers_as_keras_does(name: str, tmp_path: Path) -> None:
    model, rows = built(name), pictures(40)
    write_litert(tmp_path / "model.tflite", model, spec().inputs)
    artefact = LiteRT(tmp_path / "model.tflite")
    expected = np.asarray(model(rows))
    np.testing.assert_allclose(artefact.run({"pixels": rows}), expected, atol=1e-5)
    alone = np.concatenate([artefact.run({"pixels": rows[row : row + 1]}) for row in range(40)])
    np.testing.assert_allclose(alone, expected, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_several_heads_answer_by_their_names_and_learn(name: str) -> None:
    heads = {"age": Head(1), "mood": Head(4, "softmax")}
    model = MODELS[name](spec(channels=1, heads=heads))
    answers = model(pictures(channels=1))
    assert {head: answer.shape for head, answer in answers.items()} == {"age": (5, 1), "mood": (5, 4)}
    assert {"age", "mood"} <= {layer.name for layer in model.layers}
    model.compile("sgd", {"age": "mse", "mood": "sparse_categorical_crossentropy"}, jit_compile=False)
    before = model.get_layer("age").get_weights()[0]
    targets = {"age": np.ones((5, 1), np.float32), "mood": np.array([0, 1, 2, 3, 0])}
    assert np.isfinite(model.train_on_batch(pictures(channels=1), targets)).all()
    assert np.abs(model.get_layer("age").get_weights()[0] - before).max() > 0


@pytest.mark.parametrize("name", BUILDERS)
def test_the_smallest_picture_goes_through_and_a_smaller_one_is_refused(name: str) -> None:
    least = LEAST[name]
    assert BUILDERS[name](spec(least))(pictures(2, least)).shape == (2, 3)
    expected = rf"preprocessing.size={least - 1}.* {name}.*{least} pixels or more"
    with pytest.raises(SettingsError, match=expected):
        BUILDERS[name](spec(least - 1))


@pytest.mark.parametrize("name", BUILDERS)
def test_a_network_for_pictures_says_what_preprocessing_it_needs(name: str) -> None:
    table = Spec({"features": Tensor((5,))}, {"answer": Head(1)})
    with pytest.raises(SettingsError, match="Images"):
        BUILDERS[name](table)


def test_the_input_is_scaled_by_the_training_pixels_or_else_by_half_the_range() -> None:
    rows = pictures()
    mean, spread = np.array([120.0, 110.0, 100.0]), np.array([60.0, 55.0, 70.0])
    inputs, pixels = images.scaled(spec())
    np.testing.assert_allclose(keras.Model(inputs, pixels)(rows), (rows - mean) / spread, atol=1e-5)
    bare = Spec(spec().inputs, spec().heads, spec().sizes)
    inputs, pixels = images.scaled(bare)
    np.testing.assert_allclose(keras.Model(inputs, pixels)(rows), (rows - 127.5) / 63.75, atol=1e-5)


def test_parameters_of_the_lecture_notes_network_are_those_counted_by_hand() -> None:
    convolution, dense, head = 3 * 3 * 3 * 32 + 32, 15 * 15 * 32 * 512 + 512, 512 * 10 + 10
    counted = images.cnn(spec(32, heads={"answer": Head(10, "softmax")})).count_params()
    assert counted == convolution + dense + head == 3_692_938


@pytest.mark.parametrize("size", [28, 32])
def test_lenet_has_the_parameters_of_lenet_5_with_full_connections(size: int) -> None:
    """LeCun et al. 1998: 156, then 16 maps of 5x5x6, here all with all, 48,120 and 10,164; and 10 dense outputs."""
    counted = images.lenet(spec(size, channels=1, heads={"answer": Head(10, "softmax")})).count_params()
    assert counted == 156 + 16 * (5 * 5 * 6 + 1) + 48_120 + 10_164 + 850 == 61_706


def test_resnet_20_has_the_layers_and_the_weights_of_its_paper() -> None:
    """He et al. 2016, table 6: 0.27 million, and here two projections."""
    model = images.resnet(spec(32, heads={"answer": Head(10, "softmax")}))
    kernels = [layer.kernel.shape for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert sum(shape[:2] == (3, 3) for shape in kernels) == 19
    assert [shape for shape in kernels if shape[:2] == (1, 1)] == [(1, 1, 16, 32), (1, 1, 32, 64)]
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 272_474


def test_a_shortcut_takes_every_other_pixel_through_its_projection() -> None:
    """He et al. 2016, section 3.3, option B: a 1x1 convolution with strides of 2."""
    maps = keras.Input((7, 7, 4))
    block = keras.Model(maps, images._residual_block(maps, 8, strides=2))
    (projection,) = [
        layer for layer in block.layers if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1)
    ]
    rows = np.random.default_rng(0).normal(size=(5, 7, 7, 4)).astype(np.float32)
    found = np.asarray(keras.Model(maps, projection.output)(rows))
    np.testing.assert_allclose(found, rows[:, ::2, ::2] @ np.asarray(projection.kernel)[0, 0], atol=1e-5)


def test_a_separable_convolution_costs_what_the_formula_says() -> None:
    costs = images.convolution_costs()
    assert costs["normal"] == 128 * (3 * 3 * 3) * 5 * 5 == 86_400
    assert (costs["depthwise"], costs["pointwise"], costs["separable"]) == (675, 9_600, 10_275)
    for kernel, channels, filters in ((3, 3, 128), (5, 64, 64), (1, 7, 2)):
        costs = images.convolution_costs(kernel, channels, filters, 9, 4)
        assert costs["ratio"] == pytest.approx(1 / filters + 1 / kernel**2)
    with pytest.raises(SettingsError, match="expected 1 or more, got 0"):
        images.convolution_costs(0)


def test_the_table_of_costs_in_the_docs_is_that_of_its_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(root / "benchmarks")
    program = importlib.import_module("convolution_costs")
    written = (root / "docs" / "pictures.md").read_text(encoding="utf-8")
    monkeypatch.setattr(program, "PAGE", tmp_path / "pictures.md")
    program.PAGE.write_text(written, encoding="utf-8")
    program.main()
    assert program.PAGE.read_text(encoding="utf-8") == written
    assert "| 128 x (3 x 3 x 3) x 5 x 5 | 86,400 | 675 | 9,600 | 10,275 | 1/128 + 1/9 = 0.1189 |" in written
    program.PAGE.write_text("no marks", encoding="utf-8")
    with pytest.raises(SystemExit, match="has not both marks"):
        program.main()


def test_a_separable_convolution_costs_what_its_weights_do() -> None:
    """Each weight of a kernel is multiplied once for each place of the result."""
    inputs = keras.Input((7, 7, 3))
    layers = {
        "normal": keras.layers.Conv2D(128, 3, use_bias=False),
        "separable": keras.layers.SeparableConv2D(128, 3, use_bias=False),
        "depthwise": keras.layers.DepthwiseConv2D(3, use_bias=False),
    }
    costs = images.convolution_costs()
    for name, layer in layers.items():
        outputs = layer(inputs)
        assert outputs.shape[1:3] == (5, 5)
        assert layer.count_params() * 5 * 5 == costs[name] == images.multiply_adds(keras.Model(inputs, outputs))


def test_multiply_adds_are_counted_with_strides_groups_and_networks_inside() -> None:
    inner = keras.Sequential([keras.Input((9, 9, 4)), keras.layers.Conv2D(8, 3, strides=2, padding="same", groups=2)])
    inputs = keras.Input((9, 9, 4))
    outputs = keras.layers.Dense(5)(keras.layers.Flatten()(inner(inputs)))
    assert images.multiply_adds(keras.Model(inputs, outputs)) == 5 * 5 * 9 * 2 * 8 + 5 * 5 * 8 * 5


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (images.cnn, {"filters": 0}, "model.filters"),
        (images.cnn, {"units": 0}, "model.units"),
        (images.cnn, {"dropout": 1.0}, r"model.dropout: expected a probability in \[0, 1\), got 1.0"),
        (images.cnn_bn, {"filters": ()}, "model.filters"),
        (images.cnn_bn, {"dropout": -0.1}, "model.dropout"),
        (images.inception, {"blocks": 0}, "model.blocks"),
        (images.inception, {"blocks": 5}, "32 pixels or more"),
        (images.resnet, {"blocks": 0}, "model.blocks"),
        (images.separable, {"filters": (8, 0)}, "model.filters"),
        (images.lenet, {"dropout": 2.0}, "model.dropout"),
    ],
)
def test_settings_that_make_no_network_are_said(
    build: Callable[..., object], options: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        build(spec(), **options)
