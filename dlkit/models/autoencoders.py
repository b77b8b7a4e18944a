"""Which networks learn what normal rows look like, so that what they cannot reconstruct is not normal?

All take one input, a window (batch, window, channels) or the features of a row (batch, n), scaled, float32, and give
what is left of it: input - reconstruction, of the same shape. So the target is 0 everywhere, the squared error is that
of the reconstruction, and one output says all that a score needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models import autoencoder_layers
from dlkit.models.latent_parts import narrowed


def dense(
    spec: Spec, *, units: tuple[int, ...] = (64,), code: int = 0, activation: str = "relu", dropout: float = 0.0
) -> keras.Model:
    """Dense layers of `units`, narrowing to a `code`, and the same back (Hinton & Salakhutdinov 2006).

    `code`: width of the bottleneck; 0: a quarter of the inputs, 8 at most. `dropout`: after each hidden layer.
    """
    _check(spec, units, code, dropout=dropout)
    return _residual(spec, lambda rows, size: _mirrored(rows, units, _code(size, code), activation, dropout))


def denoising(
    spec: Spec, *, noise: float = 0.3, units: tuple[int, ...] = (64,), code: int = 0, activation: str = "relu"
) -> keras.Model:
    """As `dense`; in training, Gaussian noise is added to its input, which it has to take away (Vincent et al. 2008).

    `noise`: its standard deviation; the inputs have one of about 1.
    """
    _check(spec, units, code, noise=noise)

    def reconstruct(rows: keras.KerasTensor, size: int) -> keras.KerasTensor:
        noisy = keras.layers.GaussianNoise(noise)(rows)
        return _mirrored(noisy, units, _code(size, code), activation)

    return _residual(spec, reconstruct)


def sparse(spec: Spec, *, code: int = 0, strength: float = 0.1, activation: str = "relu") -> keras.Model:
    """One wide hidden layer of which few units may be active at once (Ng 2011, with an L1 penalty).

    `code`: its width; 0: as wide as the inputs, 256 at most. `strength`: weight of the mean activity in the loss.
    """
    _check(spec, (), code, strength=strength)

    def reconstruct(rows: keras.KerasTensor, size: int) -> keras.KerasTensor:
        hidden = keras.layers.Dense(code or min(size, 256), activation=activation)(rows)
        hidden = autoencoder_layers.SparsePenalty(strength=strength)(hidden)
        return keras.layers.Dense(size)(hidden)

    return _residual(spec, reconstruct)


def contractive(spec: Spec, *, code: int = 0, strength: float = 1e-3) -> keras.Model:
    """One sigmoid hidden layer that changes little where the input does (Rifai et al. 2011).

    `code`: its width; 0: as wide as the inputs, 128 at most. `strength`: weight of the squared Jacobian in the loss.
    """
    _check(spec, (), code, strength=strength)

    def reconstruct(rows: keras.KerasTensor, size: int) -> keras.KerasTensor:
        hidden = autoencoder_layers.ContractiveDense(code or min(size, 128), strength=strength)(rows)
        return keras.layers.Dense(size)(hidden)

    return _residual(spec, reconstruct)


def convolutional(
    spec: Spec, *, filters: tuple[int, ...] = (32, 16), kernel: int = 7, code: int = 0, activation: str = "relu"
) -> keras.Model:
    """Convolutions over time, each halving the length, a dense `code`, and the same back. For windows.

    `code`: width of the bottleneck; 0: a quarter of the inputs, 8 at most.
    """
    window, channels = _window_of(spec, "convolutional")
    _check(spec, filters, code)
    if kernel < 1:
        raise SettingsError(f"model.kernel: expected 1 step or more, got {kernel}.")
    if window < 2 ** len(filters):
        raise SettingsError(
            f"model.filters: {len(filters)} convolutions halve the window {len(filters)} times, and it has {window} "
            "steps only. Give fewer filters or a longer window."
        )

    def reconstruct(rows: keras.KerasTensor) -> keras.KerasTensor:
        lengths = [window]
        for width in filters:
            rows = keras.layers.Conv1D(width, kernel, strides=2, padding="same", activation=activation)(rows)
            lengths.append(math.ceil(lengths[-1] / 2))
        short, width = lengths[-1], filters[-1]
        rows = keras.layers.Dense(_code(window * channels, code))(keras.layers.Flatten()(rows))
        rows = keras.layers.Dense(short * width, activation=activation)(rows)
        rows = keras.layers.Reshape((short, width))(rows)
        for width, length in zip(reversed(filters), reversed(lengths[:-1]), strict=True):
            rows = keras.layers.UpSampling1D(2)(rows)
            if rows.shape[1] > length:
                rows = keras.layers.Cropping1D((0, rows.shape[1] - length))(rows)
            rows = keras.layers.Conv1D(width, kernel, padding="same", activation=activation)(rows)
        return keras.layers.Conv1D(channels, kernel, padding="same")(rows)

    return _residual_of_window(spec, reconstruct)


def lstm(spec: Spec, *, units: int = 32, code: int = 0) -> keras.Model:
    """An LSTM reads the window into a code, another one writes the window from it (Malhotra et al. 2016). For windows.

    `code`: width of the bottleneck; 0: a quarter of the inputs, 8 at most.
    """
    window, channels = _window_of(spec, "lstm")
    _check(spec, (units,), code)

    def reconstruct(rows: keras.KerasTensor) -> keras.KerasTensor:
        rows = keras.layers.LSTM(units)(rows)
        rows = keras.layers.Dense(_code(window * channels, code))(rows)
        rows = keras.layers.RepeatVector(window)(rows)
        rows = keras.layers.LSTM(units, return_sequences=True)(rows)
        return keras.layers.Dense(channels)(rows)

    return _residual_of_window(spec, reconstruct)


def vae(
    spec: Spec, *, units: tuple[int, ...] = (64,), code: int = 0, noise: float = 0.3, activation: str = "relu"
) -> keras.Model:
    """A variational autoencoder (Kingma & Welling 2014); its score is the log-likelihood of the reconstruction from the
    mean of the code, the one-sample form of An & Cho's reconstruction probability (2015).

    `code`: width of the latent code; 0: a quarter of the inputs, 8 at most. `noise`: standard deviation of the
    observations around their reconstruction, which weighs the two terms of the bound: the squared error counts
    1 / (2 noise²).
    """
    _check(spec, units, code, noise=noise)

    def reconstruct(rows: keras.KerasTensor, size: int) -> keras.KerasTensor:
        latent = _code(size, code)
        rows = keras.layers.Dense(2 * latent)(narrowed(rows, units, activation))
        # The loss is a mean over `size` numbers, the bound a sum over them.
        rows = autoencoder_layers.LatentCode(weight=2 * noise**2 / size)(keras.layers.Reshape((2, latent))(rows))
        return keras.layers.Dense(size)(narrowed(rows, units[::-1], activation))

    return _residual(spec, reconstruct)


def pca(spec: Spec, *, code: int = 0) -> keras.Model:
    """Principal components as a network: the best of all linear autoencoders, without training.

    `code`: number of components; 0: a quarter of the inputs, 8 at most.
    """
    _check(spec, (), code)
    return _residual(spec, lambda rows, size: autoencoder_layers.PrincipalComponents(_code(size, code))(rows))


def _residual(spec: Spec, reconstruct: Callable[[keras.KerasTensor, int], keras.KerasTensor]) -> keras.Model:
    """A network of the flattened input: `reconstruct` takes (batch, size) and size, and gives (batch, size)."""
    shape, size = _shape(spec), _size(spec)

    def of_any_shape(rows: keras.KerasTensor) -> keras.KerasTensor:
        if len(shape) == 1:
            return reconstruct(rows, size)
        return keras.layers.Reshape(shape)(reconstruct(keras.layers.Flatten()(rows), size))

    return _residual_of_window(spec, of_any_shape)


def _residual_of_window(spec: Spec, reconstruct: Callable[[keras.KerasTensor], keras.KerasTensor]) -> keras.Model:
    (name,) = spec.inputs
    inputs = keras.Input(_shape(spec), dtype="float32", name=name)
    return keras.Model(inputs, keras.layers.Subtract(name="residual")([inputs, reconstruct(inputs)]))


def _mirrored(
    rows: keras.KerasTensor, units: tuple[int, ...], code: int, activation: str, dropout: float = 0.0
) -> keras.KerasTensor:
    """(batch, size) through dense layers to a linear code and back."""
    codes = keras.layers.Dense(code, name="code")(narrowed(rows, units, activation, dropout))
    return keras.layers.Dense(rows.shape[1])(narrowed(codes, units[::-1], activation, dropout))


def _shape(spec: Spec) -> tuple[int, ...]:
    (tensor,) = spec.inputs.values()
    return tuple(int(length) for length in tensor.shape if length is not None)


def _size(spec: Spec) -> int:
    return math.prod(_shape(spec))


def _code(size: int, code: int) -> int:
    return code or max(1, min(8, round(size / 4)))


def _window_of(spec: Spec, model: str) -> tuple[int, int]:
    shape = _shape(spec)
    if len(shape) != 2:
        raise SettingsError(
            f"--model {model} reads windows of a series in their order; these are rows of {shape[0]} features. "
            "Take --model dense."
        )
    return shape[0], shape[1]


def _check(spec: Spec, units: tuple[int, ...], code: int, **numbers: float) -> None:
    if min(units, default=1) < 1:
        raise SettingsError(f"model.units: expected positive numbers, got {units}.")
    narrow = not numbers.keys() & {"strength", "noise"}
    if narrow and _size(spec) == 1:
        raise SettingsError(
            "An autoencoder has to say a row in fewer numbers, and these rows have one. Give a table of two columns or "
            "more; of one that is measured over time, with its times (data.layout=stream), windows are read."
        )
    if code < 0 or (code >= _size(spec) and narrow):
        raise SettingsError(
            f"model.code={code}: expected 1 to {_size(spec) - 1} (0: chosen by the width of the input), narrower than "
            f"the {_size(spec)} numbers of a row, or the network learns to copy anything."
        )
    for name, value in numbers.items():
        if not 0 <= value < (1 if name == "dropout" else math.inf):
            raise SettingsError(
                f"model.{name}={value}: expected {'a probability' if name == 'dropout' else '0 or more'}."
            )
