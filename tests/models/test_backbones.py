"""Does a pre-trained network keep what it has learned, and say what is missing where its weights are?"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from dlkit.contracts import Head, Spec, Tensor
from dlkit.errors import DataNotFoundError, SettingsError
from dlkit.export.litert import write_litert
from dlkit.export.proof import keras_model
from dlkit.inference.litert import LiteRT
from dlkit.models import backbones
from dlkit.models.backbones import frozen_features, rest_of, squeezenet, transfer

SIZE = 40


def spec(size: int = SIZE, channels: int = 3, heads: dict[str, Head] | None = None) -> Spec:
    return Spec(
        {"pixels": Tensor((size, size, channels), "uint8")},
        heads or {"answer": Head(3, "softmax")},
        {"image_size": size, "channels": channels},
    )


def pictures(rows: int = 4, channels: int = 3, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, size, size, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SqueezeNet's weights as Keras 1 wrote them, random."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.h5"
    keras.utils.set_random_seed(3)
    layers = squeezenet(SIZE).layers
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.replace("_", "/").encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name.replace("_", "/"))
            arrays = layer.get_weights()
            names = ["uniform", "b"][: len(arrays)]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays, strict=True):
                group[name] = array + 0.01 * (array.ndim == 1)
    return path


@pytest.fixture
def model(weights: Path) -> keras.Model:
    keras.utils.set_random_seed(1)
    return transfer(spec(), weights=str(weights))


def trained(model: keras.Model, rows: np.ndarray) -> list[np.ndarray]:
    """How far each weight moved in two steps."""
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", jit_compile=False)
    for _ in range(2):
        model.train_on_batch(rows, np.arange(len(rows)) % 3)
    return [np.abs(one - two).max() for one, two in zip(model.get_weights(), before, strict=True)]


def test_squeezenet_has_the_weights_of_its_paper() -> None:
    """Iandola et al. 2016, SqueezeNet 1.1: 1,235,496 with the classifier, 512 x 1000 + 1000 of it."""
    assert squeezenet().count_params() == 1_235_496 - 513_000 == 722_496
    assert squeezenet(31).output.shape == (None, 1, 1, 512)
    assert squeezenet(227).output.shape == (None, 13, 13, 512)


def test_an_old_file_gives_each_layer_its_own_weights(weights: Path, model: keras.Model) -> None:
    network = model.get_layer("backbone").layer
    with h5py.File(weights) as file:
        for layer in network.layers:
            if layer.weights:
                group = file[layer.name.replace("_", "/")]
                np.testing.assert_array_equal(layer.kernel, group["uniform"])
                np.testing.assert_array_equal(layer.bias, group["b"])


def test_squeezenet_sees_blue_green_red_less_their_means(model: keras.Model) -> None:
    rows = pictures()
    seen = np.asarray(keras.Model(model.inputs[0], model.get_layer("scaled").output)(rows))
    np.testing.assert_allclose(seen, rows[..., ::-1] - np.array([104.006, 116.669, 122.679]), atol=1e-4)


@pytest.mark.parametrize("name", ["VGG16", "MobileNetV2", "DenseNet121", "EfficientNetB0"])
def test_layers_scale_pixels_as_keras_scales_them_for_its_networks(name: str) -> None:
    """The modes caffe, tf and torch of keras.applications, and none."""
    preprocess = backbones._preprocess_of(getattr(keras.applications, name))
    inputs = keras.Input((SIZE, SIZE, 3))
    outputs = backbones._as_trained(inputs, preprocess)
    rows = pictures().astype(np.float32)
    seen = rows if outputs is inputs else keras.Model(inputs, outputs)(rows)
    np.testing.assert_allclose(seen, preprocess(rows), atol=1e-4)


def test_only_the_head_learns_and_the_rest_does_not_move(model: keras.Model) -> None:
    assert [weight.path for weight in model.trainable_weights] == ["answer/kernel", "answer/bias"]
    moved = trained(model, pictures())
    assert not any(moved[:-2]) and all(moved[-2:])


def test_the_last_layers_learn_where_that_is_asked(weights: Path, tmp_path: Path) -> None:
    model = transfer(spec(), weights=str(weights), trainable_blocks=2)
    names = [weight.path.split("/")[-2] for weight in model.trainable_weights]
    assert names == ["fire9_expand1x1"] * 2 + ["fire9_expand3x3"] * 2 + ["answer"] * 2
    model.save(tmp_path / "model.keras")
    again = keras_model(tmp_path / "model.keras")
    assert [weight.shape for weight in again.trainable_weights] == [weight.shape for weight in model.trainable_weights]
    moved = trained(model, pictures())
    assert not any(moved[:-6]) and all(moved[-6:])


def small_network(size: int, weights: str | None) -> keras.Model:
    """A stand-in for a large network: convolution, batch normalisation, dropout, convolution."""
    inputs = keras.Input((size, size, 3))
    maps = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(inputs))
    maps = keras.layers.Conv2D(5, 3, name="last")(keras.layers.Dropout(0.5)(maps))
    return keras.Model(inputs, maps, name="small")


@pytest.fixture
def with_batch_normalisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "_squeezenet", small_network)


@pytest.mark.usefixtures("with_batch_normalisation")
@pytest.mark.parametrize("blocks", [0, 2])
def test_batch_normalisation_and_dropout_of_the_backbone_stay_in_inference(blocks: int) -> None:
    keras.utils.set_random_seed(1)
    model = transfer(spec(), trainable_blocks=blocks, dropout=0.0)
    rows = pictures()
    np.testing.assert_array_equal(model(rows, training=True), model(rows, training=False))
    names = [weight.path.split("/")[-2] for weight in model.trainable_weights]
    assert len(names) == 2 * blocks + 2 and not any("batch" in name for name in names)
    moved = dict(zip([weight.path for weight in model.weights], trained(model, rows), strict=True))
    assert not any(distance for path, distance in moved.items() if "batch" in path)
    assert bool(moved[next(path for path in moved if "last/kernel" in path)]) is (blocks > 0)


@pytest.mark.usefixtures("with_batch_normalisation")
def test_all_learns_from_random_weights_batch_statistics_too() -> None:
    model = transfer(spec(), weights="none")
    assert all(trained(model, pictures()))


def test_frozen_features_and_the_rest_are_the_network(model: keras.Model) -> None:
    rows = pictures()
    features, rest = frozen_features(model), rest_of(model)
    assert not features.trainable_weights and features(rows).shape == (4, 512)
    np.testing.assert_array_equal(rest(features(rows)), model(rows))
    before = np.asarray(model(rows))
    trained(rest, np.asarray(features(rows)))
    assert np.abs(np.asarray(model(rows)) - before).max() > 1e-6
    np.testing.assert_array_equal(rest(features(rows)), model(rows))


def test_the_rest_of_several_heads_answers_by_their_names(weights: Path) -> None:
    model = transfer(spec(heads={"age": Head(1), "mood": Head(4, "softmax")}), weights=str(weights))
    answers, parts = model(pictures()), rest_of(model)(frozen_features(model)(pictures()))
    assert answers.keys() == parts.keys() == {"age", "mood"}
    for name, answer in answers.items():
        np.testing.assert_array_equal(parts[name], answer)


@pytest.mark.parametrize("options", [{"trainable_blocks": 1}, {"weights": "none"}])
def test_features_that_learn_are_not_to_be_computed_once(weights: Path, options: dict[str, object]) -> None:
    model = transfer(spec(), **({"weights": str(weights)} | options))  # type: ignore[arg-type]  # parametrised
    for part in (frozen_features, rest_of):
        with pytest.raises(SettingsError, match=r"model\.trainable_blocks=0"):
            part(model)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_and_litert_answer_as_the_network_does(weights: Path, channels: int, tmp_path: Path) -> None:
    model, rows = transfer(spec(channels=channels), weights=str(weights)), pictures(20, channels)
    expected = np.asarray(model(rows))
    assert np.abs(np.diff(expected, axis=0)).max() > 1e-4
    np.testing.assert_array_equal(model(rows.astype(np.float32)), expected)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras_model(tmp_path / "model.keras")(rows), expected)
    write_litert(tmp_path / "model.tflite", model, spec(channels=channels).inputs)
    np.testing.assert_allclose(LiteRT(tmp_path / "model.tflite").run({"pixels": rows}), expected, atol=1e-5)


def test_a_grey_picture_is_a_colour_picture_of_equal_channels(weights: Path) -> None:
    colour, grey = transfer(spec(), weights=str(weights)), transfer(spec(channels=1), weights=str(weights))
    grey.set_weights(colour.get_weights())
    rows = pictures(channels=1)
    np.testing.assert_array_equal(grey(rows), colour(np.repeat(rows, 3, axis=-1)))


@pytest.mark.parametrize("ending", ["weights.h5", "keras", "transfer.keras", "scratch.keras"])
def test_weights_are_read_from_every_kind_of_file(weights: Path, ending: str, tmp_path: Path) -> None:
    network = squeezenet(SIZE)
    network.load_weights(weights)
    path = tmp_path / f"own.{ending}"
    if ending == "weights.h5":
        network.save_weights(path)
    elif ending == "scratch.keras":
        scratch = transfer(spec(), weights="none")
        scratch.get_layer("squeezenet").set_weights(network.get_weights())
        scratch.save(path)
    else:
        (network if ending == "keras" else transfer(spec(), weights=str(weights))).save(path)
    read = transfer(spec(), weights=str(path)).get_layer("backbone").get_weights()
    assert all(np.array_equal(one, two) for one, two in zip(read, network.get_weights(), strict=True))


@pytest.mark.parametrize("backbone", ["mobilenet_v3_small", "MobileNetV3Small"])
def test_networks_of_keras_go_by_their_names_and_reach_litert(backbone: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = transfer(spec(32), backbone=backbone, weights="none")
    rows = pictures(16, size=32)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # without statistics of its own, a deep random network answers nothing
    model(rows, training=True)
    assert np.abs(np.diff(model(rows), axis=0)).max() > 0.01
    write_litert(tmp_path / "model.tflite", model, spec(32).inputs)
    np.testing.assert_allclose(LiteRT(tmp_path / "model.tflite").run({"pixels": rows}), model(rows), atol=1e-4)


def test_a_preset_of_kerashub_brings_its_weights_and_its_scaling(tmp_path: Path) -> None:
    import keras_hub

    keras.utils.set_random_seed(1)
    network = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 8],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )
    network.save_to_preset(tmp_path)
    scale, offset = [1 / 60, 1 / 50, 1 / 40], [-2.0, -1.0, 0.5]
    keras_hub.layers.ResNetImageConverter(scale=scale, offset=offset).save_to_preset(tmp_path)
    model, rows = transfer(spec(), backbone=str(tmp_path)), pictures()
    expected = np.asarray(network(rows * np.array(scale) + offset, training=False)).mean(axis=(1, 2))
    np.testing.assert_allclose(frozen_features(model)(rows), expected, atol=1e-4)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras_model(tmp_path / "model.keras")(rows), model(rows))


def _no_network(*_: object, **__: object) -> None:
    raise Exception("URL fetch failure on https://example.org: None -- no route")  # noqa: TRY002 (Keras raises this)


@pytest.mark.parametrize("backbone", ["squeezenet", "mobilenet_v2"])
def test_a_machine_without_network_is_told_the_ways_on(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.utils, "get_file", _no_network)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", _no_network)
    with pytest.raises(DataNotFoundError, match=r"URL fetch failure.*model.weights=PATH.*model.weights=none"):
        transfer(spec(32), backbone=backbone)


def _text_file(folder: Path) -> Path:
    path = folder / "text.h5"
    path.write_text("no weights")
    return path


def _other_network(folder: Path) -> Path:
    path = folder / "other.weights.h5"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save_weights(path)
    return path


def _other_keras_file(folder: Path) -> Path:
    path = folder / "other.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    return path


def _other_archive(folder: Path) -> Path:
    path = folder / "archive.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    return path


@pytest.mark.parametrize("wrong", [_text_file, _other_network, _other_keras_file, _other_archive])
def test_a_file_of_something_else_is_refused(wrong: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no weights of model.backbone=squeezenet.*50 arrays, 722,496"):
        transfer(spec(), weights=str(wrong(tmp_path)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backbone": "squeezenett"}, SettingsError, "got 'squeezenett'. Did you mean 'squeezenet'"),
        ({"backbone": "resnet_18_imagenett"}, SettingsError, "Did you mean 'resnet_18_imagenet'"),
        ({"weights": "imagnet"}, SettingsError, "expected imagenet, none, or a file"),
        ({"weights": "nowhere.h5"}, DataNotFoundError, "there is no file nowhere.h5"),
        ({"weights": "none", "trainable_blocks": 1}, SettingsError, "model.trainable_blocks"),
        ({"trainable_blocks": -1}, SettingsError, "model.trainable_blocks"),
        ({"weights": "none", "dropout": 1.0}, SettingsError, "model.dropout"),
    ],
)
def test_settings_that_make_no_network_are_said(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        transfer(spec(), **options)  # type: ignore[arg-type]  # parametrised


def test_more_layers_than_there_are_cannot_learn(weights: Path) -> None:
    with pytest.raises(SettingsError, match="squeezenet has 25 layers that could, got 26"):
        transfer(spec(), weights=str(weights), trainable_blocks=26)


@pytest.mark.parametrize(("backbone", "least"), [("squeezenet", 31), ("mobilenet_v2", 32), ("xception", 71)])
def test_a_picture_too_small_for_a_backbone_is_refused(backbone: str, least: int) -> None:
    with pytest.raises(SettingsError, match=rf"preprocessing.size={least - 1}.*{least} pixels or more"):
        transfer(spec(least - 1), backbone=backbone, weights="none")


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA, with the weights beside it")
def test_the_real_weights_of_squeezenet_are_read() -> None:
    path = Path(os.environ["DLKIT_DATA"]).parent / "weights" / "squeezenet_imagenet_notop.h5"
    network = transfer(spec(), weights=str(path)).get_layer("backbone").layer
    with h5py.File(path) as file:
        np.testing.assert_array_equal(network.get_layer("conv1").kernel, file["conv1/uniform1"])
        np.testing.assert_array_equal(network.get_layer("fire9_expand3x3").kernel, file["fire9/expand3x3/uniform25"])
