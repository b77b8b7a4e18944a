"""Of which halves is an autoencoder made: dense or convolutional, with or without the class as a second input?

An encoder reads pictures or rows (and classes, one-hot) to features (batch, n), and codes are made of these; a decoder
writes (batch, *shape of the input) from codes, beside which the class stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import keras
import numpy as np

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models.options import at_least_one

Part = Callable[["keras.KerasTensor"], "keras.KerasTensor"]
Read = Callable[["keras.KerasTensor", "keras.KerasTensor | None"], "keras.KerasTensor"]


def encoder_of(spec: Spec, read: Read, code_of: Part) -> keras.Model:
    name, shape = described(spec)
    inputs = keras.Input(shape, dtype="float32", name=name)
    label = _label(spec)
    code = code_of(read(inputs, one_hot(spec, label)))
    return keras.Model(inputs if label is None else [inputs, label], code, name="encoder")


def linear(outputs: int) -> Part:
    """A code of `outputs` numbers from features, in 32 bits even where the network computes in 16."""
    return keras.layers.Dense(outputs, dtype="float32", name="code")


def decoder_of(spec: Spec, write: Part, code: int) -> keras.Model:
    codes, label = keras.Input((code,), dtype="float32", name="code"), _label(spec)
    found = write(beside(codes, one_hot(spec, label)))
    return keras.Model(codes if label is None else [codes, label], found, name="decoder")


def dense_read(units: tuple[int, ...], activation: str, *, dropout: float = 0.0) -> Read:
    """Flattened, through dense layers of `units`."""

    def read(inputs: keras.KerasTensor, label: keras.KerasTensor | None) -> keras.KerasTensor:
        return narrowed(beside(flat(inputs), label), units, activation, dropout)

    return read


def dense_write(spec: Spec, units: tuple[int, ...], activation: str) -> Part:
    """Through dense layers of `units`, the last first, to a number for each of the input."""
    _, shape = described(spec)

    def write(code: keras.KerasTensor) -> keras.KerasTensor:
        features = narrowed(code, units[::-1], activation)
        last = keras.layers.Dense(math.prod(shape), dtype="float32")
        found = last(features)
        if (logits := mean_logits(spec)) is not None:  # the untrained decoder gives the mean picture
            last.bias.assign(logits)
        return shaped(spec, found)

    return write


def shaped(spec: Spec, numbers: keras.KerasTensor) -> keras.KerasTensor:
    """(batch, n) in the shape of the input."""
    _, shape = described(spec)
    return numbers if len(shape) == 1 else keras.layers.Reshape(shape, dtype="float32")(numbers)


def convolutional_read(filters: tuple[int, ...], units: int = 0, *, activation: str = "relu") -> Read:
    """3x3 convolutions, each halving height and width, flattened; then a dense layer of `units` (0: none)."""

    def read(inputs: keras.KerasTensor, label: keras.KerasTensor | None) -> keras.KerasTensor:
        for width in filters:
            inputs = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation=activation)(inputs)
        features = beside(keras.layers.Flatten()(inputs), label)
        return keras.layers.Dense(units, activation=activation)(features) if units else features

    return read


def convolutional_write(spec: Spec, filters: tuple[int, ...], units: int = 0, *, activation: str = "relu") -> Part:
    """The mirror image of `convolutional_read`: dense layers, then transposed 3x3 convolutions, each doubling height
    and width, the last one to the channels.
    """
    _, (height, width, channels) = described(spec)
    sizes = [(height, width)]
    for _ in filters:
        sizes.append((math.ceil(sizes[-1][0] / 2), math.ceil(sizes[-1][1] / 2)))

    def write(code: keras.KerasTensor) -> keras.KerasTensor:
        small = (*sizes[-1], filters[-1])
        maps = narrowed(code, (units, math.prod(small)) if units else (math.prod(small),), activation)
        maps = keras.layers.Reshape(small)(maps)
        for depth, size in zip(reversed(filters[:-1]), reversed(sizes[1:-1]), strict=True):
            maps = keras.layers.Conv2DTranspose(depth, 3, strides=2, padding="same", activation=activation)(maps)
            maps = _cropped(maps, size)
        maps = keras.layers.Conv2DTranspose(channels, 3, strides=2, padding="same", dtype="float32")(maps)
        return _cropped(maps, sizes[0])

    return write


def narrowed(
    rows: keras.KerasTensor, units: tuple[int, ...], activation: str, dropout: float = 0.0
) -> keras.KerasTensor:
    """(batch, n) through dense layers of `units`, a share `dropout` of each dropped in training."""
    for width in units:
        rows = keras.layers.Dense(width, activation=activation)(rows)
        if dropout:
            rows = keras.layers.Dropout(dropout)(rows)
    return rows


def flat(inputs: keras.KerasTensor) -> keras.KerasTensor:
    return inputs if len(inputs.shape) == 2 else keras.layers.Flatten()(inputs)


def beside(features: keras.KerasTensor, label: keras.KerasTensor | None) -> keras.KerasTensor:
    return features if label is None else keras.layers.Concatenate()([features, label])


def mean_logits(spec: Spec) -> np.ndarray | None:
    """Logits of the mean of the training pictures, flat, where the spec has it."""
    mean = spec.tables.get("mean")
    if mean is None or "image" not in spec.inputs:
        return None
    share = np.clip(np.asarray(mean, np.float64).ravel(), 1e-3, 1 - 1e-3)
    return np.asarray(np.log(share / (1 - share)), np.float32)


def described(spec: Spec) -> tuple[str, tuple[int, ...]]:
    """Name and shape of what is encoded: pictures (height, width, channels) or rows (features,)."""
    ((name, tensor),) = ((name, tensor) for name, tensor in spec.inputs.items() if name != "label")
    return name, tuple(int(length) for length in tensor.shape if length is not None)


def likelihood_of(spec: Spec) -> Literal["bernoulli", "gaussian"]:
    """Pixels are black or white; numbers of a row are normal."""
    return "bernoulli" if "image" in spec.inputs else "gaussian"


def one_hot(spec: Spec, label: keras.KerasTensor | None) -> keras.KerasTensor | None:
    if label is None:
        return None
    # Rows of a table: the 0 and 1 of a one-hot operation get ranges of their own in int8, and 0 then comes out as 0.5.
    return keras.ops.take(np.eye(spec.sizes["classes"], dtype=np.float32), label, axis=0)


def checked_code(spec: Spec, code: int | None, usual: int) -> int:
    """Numbers of the code: `code`, where it is not given `usual`, but half of a small input at most.

    SettingsError unless it is narrower than the input.
    """
    name, shape = described(spec)
    size = math.prod(shape)
    if size == 1:
        raise SettingsError(
            "A code has to be shorter than what it stands for, and these rows have one number. Give two columns or "
            "more."
        )
    if code is None:
        return max(1, min(usual, size // 2))
    if not 1 <= code < size:
        of = f"a picture of {' x '.join(map(str, shape))}" if name == "image" else "a row"
        raise SettingsError(
            f"model.code={code}: expected 1 to {size - 1}, fewer than the {size} numbers of {of}: as wide as the "
            "input it would hold everything."
        )
    return code


def classifier_of(spec: Spec, code: int, *, instead: str) -> keras.Model:
    """A linear classifier of codes, to logits; SettingsError where there are no classes. `instead`: a model that does
    without them.
    """
    classes = spec.sizes.get("classes", 0)
    if classes < 2:
        found = "one class" if classes else "no labels"
        raise SettingsError(
            f"--model joint learns labels of two classes or more; this data has {found}. Take --model {instead}."
        )
    codes = keras.Input((code,), name="code")
    return keras.Model(codes, keras.layers.Dense(classes, dtype="float32")(codes), name="classifier")


def check_pictures(spec: Spec, model: str, filters: tuple[int, ...], *, instead: str) -> None:
    """SettingsError unless there are pictures that can be halved once for each of `filters`. `instead`: a model that
    reads rows of a table.
    """
    at_least_one("filters", *(filters or (0,)))
    _, shape = described(spec)
    if len(shape) != 3:
        raise SettingsError(
            f"--model {model} reads pictures; these are rows of {shape[0]} features. Take --model {instead}."
        )
    least = 2 ** len(filters)
    if min(shape[:2]) < least:
        raise SettingsError(
            f"model.filters: {len(filters)} convolutions halve a picture {len(filters)} times, which needs {least} x "
            f"{least} pixels, and these have {shape[0]} x {shape[1]}. Give fewer filters or larger pictures."
        )


def check_numbers(**numbers: float) -> None:
    for name, value in numbers.items():
        if not 0 <= value < math.inf:
            raise SettingsError(f"model.{name}={value}: expected a number of 0 or more.")


def _label(spec: Spec) -> keras.KerasTensor | None:
    return keras.Input((), dtype="int32", name="label") if "label" in spec.inputs else None


def _cropped(maps: keras.KerasTensor, size: tuple[int, int]) -> keras.KerasTensor:
    """Twice a size that was rounded up is one more than it was."""
    more = maps.shape[1] - size[0], maps.shape[2] - size[1]
    return keras.layers.Cropping2D(((0, more[0]), (0, more[1])))(maps) if any(more) else maps
