"""Which convolutional network says what a picture shows?

All take pixels (batch, size, size, channels) of 0 to 255, uint8 or float32, scale them by the mean and spread of the
training pixels, and give (batch, head units); with several heads a dict of those by the head's name.
"""

from __future__ import annotations

import math

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models import image_layers
from dlkit.models.options import at_least_one, dropped

_KEPT = 0.9
"""Share of the old mean and variance that batch normalisation keeps at a step (He et al. 2016). Keras' own 0.99 needs
hundreds of steps, and small data sets have a dozen an epoch."""


def cnn(spec: Spec, *, filters: int = 32, units: int = 512, dropout: float = 0.5) -> keras.Model:
    """One convolution, one pooling, two dense layers: the network of the lecture notes.

    `dropout`: probability to drop a unit before the head; half of it after the pooling.
    """
    check_size(spec, "cnn", 4)
    at_least_one("filters", filters)
    at_least_one("units", units)
    inputs, pixels = scaled(spec)
    maps = keras.layers.Conv2D(filters, 3, activation="relu")(pixels)
    maps = dropped(keras.layers.MaxPooling2D(2)(maps), dropout / 2)
    features = keras.layers.Dense(units, activation="relu")(keras.layers.Flatten()(maps))
    return headed(spec, inputs, features, dropout)


def cnn_bn(spec: Spec, *, filters: tuple[int, ...] = (32, 64, 128), dropout: float = 0.4) -> keras.Model:
    """Blocks of two 3x3 convolutions, each batch-normalised (Ioffe & Szegedy 2015), and a pooling; then the mean.

    `filters`: of each block. `dropout`: before the head; half of it after each pooling.
    """
    at_least_one("filters", *(filters or (0,)))
    check_size(spec, "cnn_bn", 2 ** len(filters))
    inputs, maps = scaled(spec)
    for width in filters:
        maps = _convolved(_convolved(maps, width), width)
        maps = dropped(keras.layers.MaxPooling2D(2)(maps), dropout / 2)
    return headed(spec, inputs, keras.layers.GlobalAveragePooling2D()(maps), dropout)


def inception(spec: Spec, *, filters: int = 32, blocks: int = 3, dropout: float = 0.4) -> keras.Model:
    """Blocks that look with several fields of view at once and join what they find (Szegedy et al. 2015, figure 2b).

    A block's branches: 1x1; 1x1 and 3x3; 1x1 and two 3x3 in place of a 5x5 (Szegedy et al. 2016, figure 5); pooling
    and 1x1, `filters` each. Each block but the first follows a pooling, as the first follows that of the stem.
    """
    at_least_one("filters", filters)
    at_least_one("blocks", blocks)
    check_size(spec, "inception", 2**blocks)
    inputs, pixels = scaled(spec)
    maps = _convolved(pixels, filters)
    for _ in range(blocks):
        maps = _inception_block(keras.layers.MaxPooling2D(2)(maps), filters)
    return headed(spec, inputs, keras.layers.GlobalAveragePooling2D()(maps), dropout)


def resnet(spec: Spec, *, blocks: int = 3, filters: int = 16, dropout: float = 0.0) -> keras.Model:
    """A residual network for small pictures, 6 `blocks` + 2 layers deep (He et al. 2016, section 4.2).

    Three stages of `blocks` blocks with `filters`, 2 `filters` and 4 `filters` filters; a block is two 3x3 convolutions
    whose result is added to their input, which a 1x1 convolution brings to the same shape where needed (option B).
    """
    at_least_one("blocks", blocks)
    at_least_one("filters", filters)
    check_size(spec, "resnet", 4)
    inputs, pixels = scaled(spec)
    maps = _convolved(pixels, filters)
    for stage in range(3):
        for block in range(blocks):
            maps = _residual_block(maps, filters * 2**stage, strides=2 if stage and not block else 1)
    return headed(spec, inputs, keras.layers.GlobalAveragePooling2D()(maps), dropout)


def separable(spec: Spec, *, filters: tuple[int, ...] = (64, 128, 256), dropout: float = 0.2) -> keras.Model:
    """Depthwise separable convolutions, each step normalised (Howard et al. 2017, figure 3).

    What that saves: `convolution_costs`, and a table of it in docs/pictures.md.
    A full convolution of half the first `filters`, then two separable ones for each of `filters`; each pair but the
    first halves height and width.
    """
    at_least_one("filters", *(filters or (0,)))
    check_size(spec, "separable", 2 ** (len(filters) - 1))
    inputs, pixels = scaled(spec)
    maps = _convolved(pixels, max(filters[0] // 2, 1))
    for stage, width in enumerate(filters):
        for strides in (2 if stage else 1, 1):
            maps = keras.layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(maps)
            maps = _convolved(_normalised(maps), width, 1)
    return headed(spec, inputs, keras.layers.GlobalAveragePooling2D()(maps), dropout)


def lenet(spec: Spec, *, dropout: float = 0.0) -> keras.Model:
    """LeNet-5: 6 and 16 maps, 120 and 84 units, tanh, mean pooling (LeCun et al. 1998, section II.B).

    As there, pictures of less than 32 pixels, such as MNIST's 28, get a border of 2 first.
    """
    check_size(spec, "lenet", 12)
    inputs, maps = scaled(spec)
    border = "same" if spec.sizes["image_size"] < 32 else "valid"
    for filters, padding in ((6, border), (16, "valid")):
        maps = keras.layers.Conv2D(filters, 5, padding=padding, activation="tanh")(maps)
        maps = keras.layers.AveragePooling2D(2)(maps)
    features = keras.layers.Flatten()(maps)
    for units in (120, 84):
        features = keras.layers.Dense(units, activation="tanh")(features)
    return headed(spec, inputs, features, dropout)


def scaled(spec: Spec, *, mirrored: bool = False) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input, and (pixels - mean) / spread of each channel.

    `mirrored`: with mirror images outside of training; `headed` takes the same option.
    """
    (name,) = spec.inputs
    inputs = keras.Input(spec.inputs[name].shape, dtype="float32", name=name)
    mean, spread = mean_and_spread(spec)
    offsets = [-middle / width for middle, width in zip(mean, spread, strict=True)]
    pixels = keras.layers.Rescaling([1 / width for width in spread], offsets, name="scaled")(inputs)
    return inputs, image_layers.WithMirror(name="with_mirror")(pixels) if mirrored else pixels


def mean_and_spread(spec: Spec) -> tuple[list[float], list[float]]:
    """Of each channel of the training pixels, 0 to 255; half and a quarter of the range where they are not known."""
    channels = spec.sizes["channels"]
    mean, spread = spec.tables.get("pixel_mean"), spec.tables.get("pixel_spread")
    return (
        [127.5] * channels if mean is None else [float(number) for number in mean],
        [63.75] * channels if spread is None else [float(number) for number in spread],
    )


def headed(
    spec: Spec,
    inputs: keras.KerasTensor,
    features: keras.KerasTensor,
    dropout: float,
    *,
    use_bias: bool = True,
    mirrored: bool = False,
) -> keras.Model:
    """From the input to the head on `features`, (batch, n), with `dropout` before it.

    The only head is a Dense layer named "answer"; several are named as in the spec, and the outputs are a dict.
    """
    if mirrored:
        features = image_layers.MeanWithMirror(name="mean_with_mirror")(features)
    features = dropped(features, dropout)
    outputs = {}
    for name, head in spec.heads.items():
        own = name if len(spec.heads) > 1 else "answer"
        answer = keras.layers.Dense(head.units, activation=head.activation, use_bias=use_bias, name=own)
        outputs[name] = answer(features)
    return keras.Model(inputs, outputs if len(outputs) > 1 else next(iter(outputs.values())))


def check_size(spec: Spec, name: str, least: int) -> None:
    """SettingsError unless the network gets pictures, and large enough ones for its poolings."""
    if "image_size" not in spec.sizes:
        raise SettingsError(f"model {name} reads pictures: it needs preprocessing of the kind Images.")
    if spec.sizes["image_size"] < least:
        raise SettingsError(
            f"preprocessing.size={spec.sizes['image_size']}: too small for the poolings of model {name}. "
            f"Expected {least} pixels or more."
        )


def convolution_costs(
    kernel: int = 3, channels: int = 3, filters: int = 128, height: int = 5, width: int = 5
) -> dict[str, float]:
    """Multiplications of a convolution and of a depthwise separable one in its place (Howard et al. 2017, section 3.1).

    `kernel`: height and width of the filters; `height`, `width`: of the result. "normal" = filters kernel² channels
    height width; "separable" = "depthwise" + "pointwise" = (kernel² channels + channels filters) height width;
    "ratio" = separable / normal = 1 / filters + 1 / kernel².
    """
    at_least_one("kernel, channels, filters, height or width", kernel, channels, filters, height, width)
    normal = filters * kernel**2 * channels * height * width
    depthwise = kernel**2 * channels * height * width
    pointwise = channels * filters * height * width
    return {
        "normal": normal,
        "depthwise": depthwise,
        "pointwise": pointwise,
        "separable": depthwise + pointwise,
        "ratio": (depthwise + pointwise) / normal,
    }


def multiply_adds(model: keras.Model) -> int:
    """Multiplications, each with its addition, that one picture takes in convolutions and dense layers.

    Mirror images outside of training are not counted: they take the same again.
    """
    return sum(_multiply_adds(layer) for layer in model._flatten_layers(include_self=False))


def _multiply_adds(layer: keras.layers.Layer) -> int:
    if isinstance(layer, keras.layers.SeparableConv2D):
        kernels = [layer.depthwise_kernel, layer.pointwise_kernel]
    elif isinstance(
        layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense, image_layers.Whitening)
    ):
        kernels = [layer.kernel]
    else:
        return 0
    positions = math.prod(layer.output.shape[1:-1])
    return sum(positions * math.prod(kernel.shape) for kernel in kernels)


def _convolved(maps: keras.KerasTensor, filters: int, kernel: int = 3, *, strides: int = 1) -> keras.KerasTensor:
    """Convolution, normalisation, ReLU."""
    return _normalised(_convolution(maps, filters, kernel, strides))


def _convolution(maps: keras.KerasTensor, filters: int, kernel: int = 3, strides: int = 1) -> keras.KerasTensor:
    """Without a bias, for a normalisation follows; started as in He et al. 2015, equation 10."""
    return keras.layers.Conv2D(
        filters, kernel, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(maps)


def _normalised(maps: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.ReLU()(image_layers.FusedBatchNormalization(momentum=_KEPT)(maps))


def _inception_block(maps: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    near = _convolved(maps, filters, 1)
    middle = _convolved(_convolved(maps, filters, 1), filters)
    wide = _convolved(_convolved(_convolved(maps, filters, 1), filters), filters)
    pooled = _convolved(keras.layers.MaxPooling2D(3, strides=1, padding="same")(maps), filters, 1)
    return keras.layers.Concatenate()([near, middle, wide, pooled])


def _residual_block(maps: keras.KerasTensor, filters: int, *, strides: int) -> keras.KerasTensor:
    change = _convolution(_convolved(maps, filters, strides=strides), filters)
    change = image_layers.FusedBatchNormalization(momentum=_KEPT)(change)
    if maps.shape[-1] != filters or strides > 1:
        # First every other pixel, then the 1x1 convolution: with strides of its own, its gradient ends the process
        # where channels are no multiple of 16 and the batch is odd (oneDNN of TensorFlow 2.21, AVX-512).
        maps = keras.layers.MaxPooling2D(1, strides=strides, padding="same")(maps) if strides > 1 else maps
        maps = _convolution(maps, filters, 1)
        maps = image_layers.FusedBatchNormalization(momentum=_KEPT)(maps)
    return keras.layers.ReLU()(keras.layers.Add()([maps, change]))
