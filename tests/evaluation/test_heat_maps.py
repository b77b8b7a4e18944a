"""Do the maps of a network show the place that it decides by, wherever its convolutions are?"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Spec, Tensor
from dlkit.evaluation.heat_maps import filters, grad_cam, heat_maps, overlay, stretched
from dlkit.evaluation.plots import plot
from dlkit.inference.answers import ClassAnswer
from dlkit.models.backbones import squeezenet, transfer
from dlkit.models.fast import fast
from dlkit.models.image_layers import InInference, MeanWithMirror, WithMirror

SIZE = 16
SQUARE = (slice(9, 13), slice(2, 6))
BRIGHT = 250


@pytest.fixture
def pixels() -> np.ndarray:
    """Four grey pictures of noise, each with a bright square of 4 x 4 at the same place."""
    pictures = np.random.default_rng(0).integers(0, 60, (4, SIZE, SIZE, 1), dtype=np.uint8)
    pictures[(slice(None), *SQUARE)] = BRIGHT
    return pictures


def backbone(name: str = "backbone") -> keras.Model:
    """Two features in a grid of 8 x 8: how bright a place is, above a threshold, and how dark."""
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(inputs)
    features = keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="conv")(scaled)
    model = keras.Model(inputs, keras.layers.AveragePooling2D(2, name="grid")(features), name=name)
    kernel = np.full((3, 3, 1, 2), 1 / 9, np.float32)
    kernel[..., 1] *= -1
    model.get_layer("conv").set_weights([kernel, np.array([-0.5, 0.5], np.float32)])
    return model


def head(features: keras.KerasTensor, units: int, *, mirrored: bool = False) -> keras.KerasTensor:
    """Class 1 (of two) or class 0 (of three) is that of bright places; by its bias it is all but sure."""
    answer = keras.layers.Dense(units, activation="sigmoid" if units == 1 else "softmax", name="answer")
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    outputs = answer(MeanWithMirror()(pooled) if mirrored else pooled)
    kernel = np.array([[9.0], [-1.0]]) if units == 1 else np.array([[9.0, 0.0, -9.0], [-1.0, 1.0, 0.0]])
    answer.set_weights([kernel, np.full(units, 40.0 if units == 1 else 0.0)])
    return outputs


def flat(units: int = 1) -> keras.Model:
    inner = backbone()
    return keras.Model(inner.input, head(inner.output, units))


def with_a_backbone_inside(units: int = 1) -> keras.Model:
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="pixels")
    return keras.Model(inputs, head(backbone()(inputs), units))


def with_its_mirror_image(units: int = 1) -> keras.Model:
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="pixels")
    return keras.Model(inputs, head(backbone()(WithMirror()(inputs)), units, mirrored=True))


def wrapped(units: int = 1) -> keras.Model:
    """The whole classifier is one layer of another network, and that one of a Sequential."""
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="pixels")
    inner = keras.Model(inputs, with_a_backbone_inside(units)(inputs))
    return keras.Sequential([keras.Input((SIZE, SIZE, 1), dtype="uint8"), inner])


def with_a_softmax_of_its_own(units: int = 1) -> keras.Model:
    """Probabilities that come from an operation, not from a layer's activation."""
    model = flat(3)
    model.get_layer("answer").activation = keras.activations.linear
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="pixels")
    outputs = keras.ops.softmax(model(inputs))
    return keras.Model(inputs, outputs[:, :1] if units == 1 else outputs)


def brightest(maps: np.ndarray) -> list[tuple[int, int]]:
    """The row and column of each map's maximum, in pixels of the picture."""
    scale = SIZE // maps.shape[1]
    places = [np.unravel_index(one.argmax(), one.shape) for one in maps]
    return [(int(row) * scale + scale // 2, int(column) * scale + scale // 2) for row, column in places]


def in_the_square(place: tuple[int, int]) -> bool:
    return all(side.start <= at < side.stop for at, side in zip(place, SQUARE, strict=True))


@pytest.mark.parametrize("network", [flat, with_a_backbone_inside, with_its_mirror_image, wrapped])
@pytest.mark.parametrize(("units", "bright"), [(1, 1), (3, 0)])
def test_the_map_of_the_bright_class_is_brightest_in_the_square(pixels, network: Callable, units, bright):
    found = heat_maps(network(units), pixels, np.full(4, bright))
    assert found is not None
    assert (found.layer, found.maps.shape) == ("grid", (4, 8, 8))
    assert all(in_the_square(place) for place in brightest(found.maps))
    assert found.maps.min() == 0
    dark = heat_maps(network(units), pixels, np.full(4, 1 - bright))
    assert dark is not None
    assert not any(in_the_square(place) for place in brightest(dark.maps))


def test_probabilities_that_no_layer_makes_are_derived_too(pixels):
    found = heat_maps(with_a_softmax_of_its_own(3), pixels, np.zeros(4, int))
    assert found is not None
    assert all(in_the_square(place) for place in brightest(found.maps))


def test_a_map_is_that_of_equations_1_and_2(pixels):
    inner = backbone()
    answer = keras.layers.Dense(3, activation="softmax")
    model = keras.Model(inner.input, answer(keras.layers.Flatten()(inner.output)))
    features = np.asarray(inner(pixels), np.float64)
    gradients = np.asarray(answer.kernel, np.float64).reshape(8, 8, 2, 3)
    for number in range(3):
        weights = gradients[..., number].mean(axis=(0, 1))
        expected = np.maximum((features * weights).sum(axis=-1), 0)
        found = heat_maps(model, pixels, np.full(4, number))
        assert found is not None
        np.testing.assert_allclose(found.maps, expected, atol=1e-6)


def test_a_picture_has_the_same_map_alone_as_among_others_and_the_network_stays_as_it_was(pixels):
    model = wrapped(1)
    before = np.asarray(model(pixels))
    together = heat_maps(model, pixels, np.array([1, 0, 1, 0]))
    alone = heat_maps(model, pixels[1:2], np.array([0]))
    assert together is not None
    assert alone is not None
    np.testing.assert_allclose(together.maps[1:2], alone.maps, atol=1e-7)
    np.testing.assert_array_equal(np.asarray(model(pixels)), before)
    layers = list(model._flatten_layers())
    assert not any("call" in vars(layer) for layer in layers)
    answers = [layer for layer in layers if layer.name == "answer"]
    assert [layer.activation for layer in answers] == [keras.activations.sigmoid]


def test_a_network_that_fails_stays_as_it_was(pixels):
    model = flat()
    with pytest.raises(ValueError, match="incompatible"):
        heat_maps(model, pixels[:, :5], np.ones(4, int))
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


def test_networks_without_a_grid_of_features_have_no_map_and_no_filters(pixels):
    dense = keras.Sequential([
        keras.Input((SIZE, SIZE, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    whole = keras.Sequential([
        keras.Input((SIZE, SIZE, 1)), keras.layers.Conv2D(2, SIZE), keras.layers.Flatten(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    for model in (dense, whole):
        assert heat_maps(model, pixels.astype(np.float32), np.ones(4, int)) is None
    assert filters(dense) is None
    test = Examples({"pixels": pixels}, np.array(["dark", "bright"] * 2, object))
    assert grad_cam(dense, ClassAnswer(("dark", "bright")), test, np.full((4, 1), 0.7)) is None


def test_right_and_wrong_pictures_stand_above_their_maps(pixels, tmp_path):
    answer = ClassAnswer(("dark", "bright"))
    test = Examples({"pixels": pixels}, np.array(["bright", "dark", "bright", "dark"], object))
    drawing = grad_cam(wrapped(), answer, test, np.array([[0.9], [0.8], [0.7], [0.1]]))
    assert drawing is not None
    words = [text.get_text() for text in drawing.figure.axes[0].texts]
    below = ["answer: bright", "answer: bright", "answer: dark"], ["answer: bright", "truth: dark"]
    assert words[:2] == ["right", "map"]
    assert sorted(words[2:5]) == below[0]
    assert words[5:] == ["wrong", "map", *below[1]]
    assert len(drawing.figure.axes[0].images) == 8
    assert "3 test pictures answered rightly and 1 answered wrongly" in drawing.alt
    assert "8 × 8 values from the layer grid" in drawing.alt
    (made,) = plot([lambda: drawing], tmp_path)
    assert made.path.name == "grad_cam.png"
    all_wrong = grad_cam(wrapped(), answer, test, np.array([[0.1], [0.8], [0.2], [0.9]]))
    assert all_wrong is not None
    assert "right" not in [text.get_text() for text in all_wrong.figure.axes[0].texts]


def test_an_overlay_is_brightest_where_the_map_is_and_grey_where_it_is_0():
    heat = np.zeros((4, 4))
    heat[1, 2] = 3.0
    for channels in (1, 3):
        made = overlay(np.full((16, 16, channels), 100, np.uint8), heat)
        assert made.shape == (16, 16, 3)
        assert 0 <= made.min() <= made.max() <= 1
        row, column = np.unravel_index(made.sum(axis=-1).argmax(), (16, 16))
        assert (row // 4, column // 4) == (1, 2)
        assert np.ptp(made[15, 0]) == 0
    flat_picture = overlay(np.full((16, 16, 1), 100, np.uint8), np.zeros((4, 4)))
    assert np.ptp(flat_picture) == 0


@pytest.mark.parametrize("network", [flat, with_a_backbone_inside, with_its_mirror_image, wrapped])
def test_the_filters_are_those_of_the_first_convolution(network: Callable):
    drawing = filters(network())
    assert drawing is not None
    shown = [np.asarray(image.get_array()) for image in drawing.figure.axes[0].images]
    assert [image.shape for image in shown] == [(3, 3), (3, 3)]
    assert "All 2 filters of the layer conv, 3 × 3 weights in one channel each" in drawing.alt


def colour_spec(size: int) -> Spec:
    sizes = {"image_size": size, "channels": 3}
    return Spec({"pixels": Tensor((size, size, 3), "uint8")}, {"answer": Head(3, "softmax")}, sizes)


def tiles(drawing) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in drawing.figure.axes[0].images]


def test_the_filters_of_fast_are_those_of_its_whitening():
    drawing = filters(fast(colour_spec(16), widths=(4, 4)))
    assert drawing is not None
    assert "All 24 filters of the layer whitening, 2 × 2 weights in three colours each" in drawing.alt
    assert len(tiles(drawing)) == 24


def test_the_filters_of_a_frozen_backbone_are_drawn_in_the_colours_of_the_picture(tmp_path):
    """SqueezeNet takes blue first: what answers to red has its weights in the last channel of the file."""
    path = tmp_path / "squeezenet.weights.h5"
    network = squeezenet(40)
    kernel = np.zeros((3, 3, 3, 64), np.float32)
    kernel[1, 1, 2] = 1
    network.get_layer("conv1").set_weights([kernel, np.zeros(64)])
    network.save_weights(path)
    drawing = filters(transfer(colour_spec(40), weights=str(path)))
    assert drawing is not None
    assert "All 64 filters of the layer conv1" in drawing.alt
    middle = tiles(drawing)[0][1, 1]
    np.testing.assert_array_equal(middle, [1, 0, 0])


@pytest.mark.parametrize("mixed", [False, True])
def test_colours_stay_in_their_order_where_no_preprocessing_turns_them(mixed: bool):
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    pixels = keras.layers.Rescaling([1 / 255] * 3, -0.5)(inputs)
    pixels = keras.layers.Dense(3)(pixels) if mixed else pixels
    inner, convolution = keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, name="first")
    maps = InInference(keras.Model(inner, convolution(inner)))(pixels)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))
    if mixed:
        dense = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
        dense.set_weights([np.full((3, 3), 1 / 3), np.zeros(3)])
    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 2)).astype(np.float32)
    convolution.set_weights([kernel, np.zeros(2)])
    drawing = filters(model)
    assert drawing is not None
    np.testing.assert_allclose(tiles(drawing), [stretched(kernel[..., 0]), stretched(kernel[..., 1])], atol=1e-6)


def test_each_filter_is_stretched_to_its_own_range_and_at_most_64_are_shown():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(70, 2, name="first")])
    kernel = np.random.default_rng(0).standard_normal((2, 2, 3, 70)).astype(np.float32)
    kernel[..., 1] *= 1e-3
    model.get_layer("first").set_weights([kernel, np.zeros(70)])
    drawing = filters(model)
    assert drawing is not None
    shown = [np.asarray(image.get_array()) for image in drawing.figure.axes[0].images]
    assert len(shown) == 64
    assert all((image.min(), image.max()) == (0, 1) for image in shown)
    assert "The first 64 of 70 filters" in drawing.alt
    np.testing.assert_array_equal(stretched(np.full((2, 2, 3), 7.0)), np.full((2, 2, 3), 0.5))


@pytest.mark.parametrize(("channels", "size"), [(4, 3), (3, 1)])
def test_filters_that_are_no_pictures_are_not_drawn(channels, size):
    assert filters(keras.Sequential([keras.Input((8, 8, channels)), keras.layers.Conv2D(2, size)])) is None
