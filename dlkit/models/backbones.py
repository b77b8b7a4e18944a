"""How does a network that has learned from a million pictures serve where there are few?"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from dlkit.contracts import Spec
from dlkit.errors import DataNotFoundError, SettingsError, did_you_mean
from dlkit.models import image_layers
from dlkit.models.images import check_size, headed

SQUEEZENET_URL = (
    "https://raw.githubusercontent.com/rcmalli/keras-squeezenet/62b3f05869108b7e6b0510739473bf6ccfbf1073/"
    "weights/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
SQUEEZENET_SHA256 = "2d935d8c102ad1232484a77da8e6fbdf3ff4ab608974a0d8b6283115ffff204f"
_SQUEEZENET_MEANS = (104.006, 116.669, 122.679)

Preprocess = Callable[[np.ndarray], np.ndarray]
"""RGB pixels (..., 3) float32 of 0 to 255 to what a network was trained on; linear in each channel."""


def transfer(
    spec: Spec,
    *,
    backbone: str = "squeezenet",
    weights: str | None = "imagenet",
    trainable_blocks: int = 0,
    dropout: float = 0.2,
) -> keras.Model:
    """A pre-trained network without its classifier, the mean over its last maps, and a head that learns.

    Takes pixels (batch, size, size, 1 or 3) of 0 to 255, gives (batch, head units); grey is repeated three times.
    `backbone`: "squeezenet", a network of keras.applications ("mobilenet_v2"), or a KerasHub preset
    ("resnet_18_imagenet"; also a folder that holds one). `weights`: "imagenet" downloads them; a path to .h5,
    .weights.h5 or .keras (also a run's own model.keras) reads them; "none" or None starts from random ones, and all of
    the network learns. `trainable_blocks`: how many of the last layers with weights learn too, batch normalisation not
    counted: its weights and statistics stay as they are.
    """
    check_size(spec, "transfer", 1)
    weights = None if weights == "none" else weights
    if trainable_blocks < 0 or (weights is None and trainable_blocks):
        raise SettingsError(
            f"model.trainable_blocks: expected 0 or more layers, 0 where model.weights=none (then all layers learn), "
            f"got {trainable_blocks}."
        )
    (name,) = spec.inputs
    inputs = keras.Input(spec.inputs[name].shape, dtype="float32", name=name)
    pixels = keras.layers.Concatenate()([inputs] * 3) if spec.sizes["channels"] == 1 else inputs
    network, preprocess = _backbone(backbone, spec.sizes["image_size"], weights)
    pixels = _as_trained(pixels, preprocess)
    if weights is None:
        maps = network(pixels)
    else:
        _freeze_all_but(network, trainable_blocks)
        maps = image_layers.InInference(network, name="backbone")(pixels)
    pooling = keras.layers.GlobalAveragePooling2D if len(maps.shape) == 4 else keras.layers.GlobalAveragePooling1D
    return headed(spec, inputs, pooling(name="pooled")(maps), dropout)


def squeezenet(image_size: int | None = None) -> keras.Model:
    """SqueezeNet 1.1 without its classifier, 722,496 random weights (Iandola et al. 2016, arXiv 1602.07360).

    Takes (batch, size, size, 3) float32, at least 31 pixels; gives maps (batch, about size / 16, the same, 512).
    The pre-trained weights are those of rcmalli/keras-squeezenet, converted from the authors' Caffe model. They were
    trained on BGR of 0 to 255 less the means 104.006, 116.669 and 122.679.
    """
    inputs = keras.Input((image_size, image_size, 3))
    maps = keras.layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(inputs)
    filters = iter((16, 16, 32, 32, 48, 48, 64, 64))
    for fires in ((2, 3), (4, 5), (6, 7, 8, 9)):
        maps = keras.layers.MaxPooling2D(3, strides=2, name=f"pool{fires[0] - 1}")(maps)
        for fire in fires:
            maps = _fire(maps, next(filters), f"fire{fire}")
    return keras.Model(inputs, maps, name="squeezenet")


def learns_on_features(model: keras.Model) -> bool:
    """Whether a network is a frozen backbone and what learns on its features."""
    backbones = [layer for layer in model.layers if isinstance(layer, image_layers.InInference)]
    return len(backbones) == 1 and not backbones[0].trainable_weights


def frozen_features(model: keras.Model) -> keras.Model:
    """The part of a `transfer` network that does not learn: pixels to pooled features (batch, n).

    Its answers on rows that training does not change (no augmentation) may be computed once for all epochs.
    """
    _check_frozen(model)
    return keras.Model(model.inputs[0], model.get_layer("pooled").output)


def rest_of(model: keras.Model) -> keras.Model:
    """The part of a `transfer` network that learns: pooled features (batch, n) to its answers.

    Weights are shared with `model`: train this, and `model` has learned.
    """
    _check_frozen(model)
    features = keras.Input(model.get_layer("pooled").output.shape[1:], name="features")
    names = [layer.name for layer in model.layers]
    learned, answers = features, {}
    for layer in model.layers[names.index("pooled") + 1 :]:
        if isinstance(layer, keras.layers.Dropout):
            learned = layer(learned)
        else:
            answers[layer.name] = layer(learned)
    return keras.Model(features, answers if isinstance(model.output, dict) else answers["answer"])


def _check_frozen(model: keras.Model) -> None:
    if not learns_on_features(model):
        raise SettingsError(
            "Features can be computed once only where the backbone does not learn: model transfer with "
            "model.trainable_blocks=0 and pre-trained model.weights."
        )


def _fire(maps: keras.KerasTensor, squeeze: int, name: str) -> keras.KerasTensor:
    """Squeeze to few maps, expand by four times as many 1x1 and 3x3 filters (Iandola et al. 2016, figure 1)."""
    few = keras.layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze1x1")(maps)
    one = keras.layers.Conv2D(4 * squeeze, 1, activation="relu", name=f"{name}_expand1x1")(few)
    three = keras.layers.Conv2D(4 * squeeze, 3, padding="same", activation="relu", name=f"{name}_expand3x3")(few)
    return keras.layers.Concatenate(name=f"{name}_concat")([one, three])


def _backbone(name: str, size: int, weights: str | None) -> tuple[keras.Model, Preprocess]:
    """The network, with its weights, and the preprocessing that it was trained with."""
    plain = name.replace("_", "").replace("-", "").lower()
    applications = _applications()
    preprocess: Preprocess = _caffe
    if plain == "squeezenet":
        network = _squeezenet(size, weights)
    elif plain in applications:
        build = applications[plain]
        network, preprocess = _application(build, size, weights), _preprocess_of(build)
    else:
        network, preprocess = _preset(name, weights)
        if network.input.shape[1:] not in [(None, None, 3), (size, size, 3)]:
            raise SettingsError(
                f"preprocessing.size={size}: model.backbone={name} takes pictures of {network.input.shape[1:]}."
            )
    if weights not in (None, "imagenet"):
        _read_weights(network, Path(str(weights)), name)
    return network, preprocess


def _squeezenet(size: int, weights: str | None) -> keras.Model:
    if size < 31:
        raise SettingsError(
            f"preprocessing.size={size}: too small for model.backbone=squeezenet. Expected 31 pixels or more."
        )
    network = squeezenet(size)
    if weights == "imagenet":
        with _downloading("squeezenet"):
            path = keras.utils.get_file(origin=SQUEEZENET_URL, file_hash=SQUEEZENET_SHA256, cache_subdir="models")
            network.load_weights(path)
    return network


def _caffe(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., ::-1] - np.array(_SQUEEZENET_MEANS, np.float32)


def _applications() -> dict[str, Callable[..., keras.Model]]:
    """Networks of keras.applications by their name in small letters."""
    return {name.lower(): build for name, build in vars(keras.applications).items() if inspect.isfunction(build)}


def _application(build: Callable[..., keras.Model], size: int, weights: str | None) -> keras.Model:
    chosen = "imagenet" if weights == "imagenet" else None
    with warnings.catch_warnings():
        # MobileNets were trained at a few sizes, say so, and serve at others as well.
        warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
        try:
            with _downloading(build.__name__) if chosen else contextlib.nullcontext():
                return build(include_top=False, weights=chosen, input_shape=(size, size, 3))
        except ValueError as error:
            found = re.search(r"at least (\d+)x\1", str(error))
            expected = f"Expected {found[1]} pixels or more." if found else f"Keras says: {_first_line(error)}"
            raise SettingsError(
                f"preprocessing.size={size}: does not fit model.backbone={build.__name__}. {expected}"
            ) from error


def _preprocess_of(build: Callable[..., keras.Model]) -> Preprocess:
    # Keras works in place on arrays.
    module = importlib.import_module(build.__module__)
    return lambda pixels: np.asarray(module.preprocess_input(pixels.copy(), data_format="channels_last"))


def _preset(name: str, weights: str | None) -> tuple[keras.Model, Preprocess]:
    """A backbone of KerasHub, by the preset's name or folder."""
    import keras_hub

    folder = Path(name).is_dir()
    if not folder and name not in keras_hub.models.Backbone.presets:
        near = difflib.get_close_matches(name, keras_hub.models.ImageClassifier.presets, n=5)  # there are hundreds
        raise SettingsError(
            f"model.backbone: expected squeezenet, a network of keras.applications or a preset of KerasHub, "
            f"got {name!r}.{did_you_mean(name, [*_names(), *near])}"
        )
    with _downloading(name):
        network = keras_hub.models.Backbone.from_preset(name, load_weights=weights == "imagenet")
        inputs, outputs = network.input, network.output
        if not hasattr(inputs, "shape") or len(inputs.shape) != 4 or not hasattr(outputs, "shape"):
            raise SettingsError(f"model.backbone={name} reads no pictures, or gives more than one set of maps.")
        converter = keras_hub.layers.ImageConverter.from_preset(name)
    scale = 1.0 if converter.scale is None else np.asarray(converter.scale, np.float32)
    offset = 0.0 if converter.offset is None else np.asarray(converter.offset, np.float32)
    return network, lambda pixels: pixels * scale + offset


def _names() -> list[str]:
    """As keras.applications' modules write them: mobilenet_v2, convnext_tiny."""
    sizes = r"(?<=[a-z0-9])(v[23]|tiny|small|base|xlarge|large|mobile)"
    return ["squeezenet", *(re.sub(sizes, r"_\1", name) for name in _applications())]


@contextlib.contextmanager
def _downloading(name: str) -> Iterator[None]:
    """Say on standard error what is fetched; DataNotFoundError with the ways on where it cannot be."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (ValueError, SettingsError) as error:
        if "corrupted" not in str(error):
            raise
        raise _not_found(name, error) from error
    except Exception as error:
        # Keras raises a bare Exception where an address does not answer; KerasHub whatever its hosts' clients raise.
        raise _not_found(name, error) from error


def _not_found(name: str, error: Exception) -> DataNotFoundError:
    return DataNotFoundError(
        f"The pre-trained {name} could not be fetched ({_first_line(error)}). Expected a network, or its file in "
        "~/.keras. Give a file of its weights (--set model.weights=PATH), or start from random ones "
        "(--set model.weights=none)."
    )


def _read_weights(network: keras.Model, path: Path, name: str) -> None:
    if path.suffix not in (".h5", ".keras"):
        raise SettingsError(
            f"model.weights: expected imagenet, none, or a file that ends in .h5, .weights.h5 or .keras, got '{path}'."
        )
    if not path.is_file():
        raise DataNotFoundError(
            f"model.weights: there is no file {path}. Give one that is there, imagenet to download, or none."
        )
    try:
        if path.suffix == ".keras":
            network.set_weights(_alike(network, keras.saving.load_model(path, compile=False)).get_weights())
        else:
            network.load_weights(path)
    except Exception as error:
        # h5py and Keras raise OSError, KeyError, ValueError or TypeError, by where a file is wrong.
        raise SettingsError(
            f"model.weights: {path} holds no weights of model.backbone={name} without its classifier "
            f"({_first_line(error)}). Expected {len(network.weights)} arrays, {network.count_params():,} numbers."
        ) from error


def _alike(network: keras.Model, saved: keras.Model) -> keras.Model:
    """What has weights of the same shapes: the saved network, or one in its layers, as `transfer` has its backbone."""
    shapes = [weight.shape for weight in network.weights]
    inner = [layer for layer in saved._flatten_layers() if isinstance(layer, keras.Model)]
    return next((one for one in inner if [weight.shape for weight in one.weights] == shapes), saved)


def _as_trained(pixels: keras.KerasTensor, preprocess: Preprocess) -> keras.KerasTensor:
    """`preprocess` in layers, found by its answers to black and to each channel alone."""
    black = preprocess(np.zeros((1, 1, 3), np.float32))[0, 0]
    alone = preprocess(255 * np.eye(3, dtype=np.float32)[None])[0] - black
    source = [int(place) for place in np.abs(alone).argmax(axis=0)]
    scale = [float(alone[place, channel]) / 255 for channel, place in enumerate(source)]
    if source != [0, 1, 2]:
        pixels = keras.ops.take(pixels, source, axis=-1)
    if scale == [1, 1, 1] and not black.any():
        return pixels
    return keras.layers.Rescaling(scale, [float(number) for number in black], name="scaled")(pixels)


def _freeze_all_but(network: keras.Model, last: int) -> None:
    """Only the `last` layers with weights learn, batch normalisation never."""
    layers = [layer for layer in network._flatten_layers(include_self=False) if layer._trainable_variables]
    able = [layer for layer in layers if not isinstance(layer, keras.layers.BatchNormalization)]
    if last > len(able):
        raise SettingsError(f"model.trainable_blocks: {network.name} has {len(able)} layers that could, got {last}.")
    network.trainable = bool(last)
    for layer in [layer for layer in layers if layer not in able[len(able) - last :]]:
        if any(True for _ in layer._flatten_layers(include_self=False)):  # parts of it may learn
            for variable in layer._trainable_variables:
                variable.trainable = False
        else:
            layer.trainable = False


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
