"""Which autoencoder brings pictures and rows down to a code of few numbers, and back?

All take one input, pictures (batch, height, width, channels) float32 in [0, 1] or standardised rows (batch, features),
and give its reconstruction, whose squared error they minimise; the code is linear unless said otherwise. With the class
as a further input "label", encoder and decoder read it too.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models import autoencoder_layers, latent_layers
from dlkit.models import latent_parts as parts
from dlkit.models.options import at_least_one, probability

_SHARE = 0.05


def dense(
    spec: Spec,
    *,
    code: int | None = None,
    units: tuple[int, ...] = (512, 256),
    activation: str = "relu",
    dropout: float = 0.0,
    tied: bool = False,
) -> keras.Model:
    """Dense layers of `units`, narrowing to the code, and the same back (Hinton & Salakhutdinov 2006).

    `code`: its numbers (None: 32, of a small input half). `units=()`: a linear autoencoder, which spans the same space
    as principal components do (Baldi & Hornik 1989). `dropout`: after each layer of the encoder. `tied`: the decoder's
    kernels are those of the encoder, transposed: half the weights (Vincent et al. 2010, 2.2).
    """
    at_least_one("units", *(units or (1,)))
    code = parts.checked_code(spec, code, 32)
    probability("dropout", dropout)
    if tied and "label" in spec.inputs:
        raise SettingsError("model.tied: a decoder that also reads the label is no mirror image. Leave it out.")
    read = parts.dense_read(units, activation, dropout=dropout)
    write = _mirrored(spec, units, activation) if tied else parts.dense_write(spec, units, activation)
    return _autoencoder(spec, read, write, code)


def convolutional(
    spec: Spec,
    *,
    code: int | None = None,
    filters: tuple[int, ...] = (32, 64),
    units: int = 128,
    activation: str = "relu",
) -> keras.Model:
    """3x3 convolutions of `filters`, each halving the picture, a dense layer of `units`, the code, and the same back.

    `units=0`: no dense layer before the code.
    """
    parts.check_pictures(spec, "convolutional", filters, instead="dense")
    code = parts.checked_code(spec, code, 32)
    parts.check_numbers(units=units)
    read = parts.convolutional_read(filters, units, activation=activation)
    return _autoencoder(spec, read, parts.convolutional_write(spec, filters, units, activation=activation), code)


def denoising(
    spec: Spec,
    *,
    code: int | None = None,
    units: tuple[int, ...] = (512, 256),
    activation: str = "relu",
    corruption: Literal["gaussian", "masking"] = "gaussian",
    noise: float = 0.3,
) -> keras.Model:
    """As `dense`; in training its input is noisy, and the reconstruction has to be clean (Vincent et al. 2010).

    `noise`: the standard deviation of Gaussian noise (pixels reach from 0 to 1, rows have about 1), or the share of
    numbers that are set to 0 by `corruption="masking"`.
    """
    at_least_one("units", *(units or (0,)))
    code = parts.checked_code(spec, code, 64)
    parts.check_numbers(noise=noise)
    if corruption == "masking" and noise >= 1:
        raise SettingsError(f"model.noise={noise}: expected a share below 1 of the numbers that are set to 0.")

    def read(inputs: keras.KerasTensor, label: keras.KerasTensor | None) -> keras.KerasTensor:
        masked = corruption == "masking"
        noisy = autoencoder_layers.MaskingNoise(noise) if masked else keras.layers.GaussianNoise(noise)
        return parts.narrowed(parts.beside(parts.flat(noisy(inputs)), label), units, activation)

    return _autoencoder(spec, read, parts.dense_write(spec, units, activation), code)


def sparse(
    spec: Spec,
    *,
    code: int | None = None,
    units: tuple[int, ...] = (512,),
    activation: str = "relu",
    penalty: Literal["l1", "kl"] = "l1",
    strength: float = 1e-3,
    share: float = _SHARE,
) -> keras.Model:
    """A code of which few numbers are other than 0 at once (Ng 2011).

    `penalty`: "l1", the mean of a code that is 0 or more; "kl", how far each number of a code in (0, 1) is from being
    on in a `share` of the rows. `strength`: its weight beside the squared error.
    """
    at_least_one("units", *(units or (1,)))
    code = parts.checked_code(spec, code, 128)
    parts.check_numbers(strength=strength)
    if not 0 < share < 1:
        raise SettingsError(f"model.share={share}: expected a share of rows above 0 and below 1.")
    if penalty == "l1" and share != _SHARE:
        raise SettingsError(f"model.share={share} is for model.penalty=kl, and it is l1. Leave it out.")
    on = autoencoder_layers.SparsePenalty(strength=strength, target=share if penalty == "kl" else None)
    read = parts.dense_read(units, activation)

    def code_of(features: keras.KerasTensor) -> keras.KerasTensor:
        found = keras.layers.Dense(code, "sigmoid" if penalty == "kl" else "relu", dtype="float32", name="code")
        return on(found(features))

    return _autoencoder(spec, read, parts.dense_write(spec, units, activation), code, code_of)


def contractive(spec: Spec, *, code: int | None = None, strength: float = 1e-4) -> keras.Model:
    """One sigmoid layer that changes little where the input does, and a linear one back (Rifai et al. 2011).

    `strength`: weight of the squared norm of the code's Jacobian beside the squared error.
    """
    code = parts.checked_code(spec, code, 128)
    parts.check_numbers(strength=strength)

    def code_of(features: keras.KerasTensor) -> keras.KerasTensor:
        return autoencoder_layers.ContractiveDense(code, strength=strength, name="code")(features)

    return _autoencoder(spec, parts.dense_read((), "linear"), parts.dense_write(spec, (), "linear"), code, code_of)


def joint(
    spec: Spec,
    *,
    code: int | None = None,
    units: tuple[int, ...] = (512, 256),
    activation: str = "relu",
    label_weight: float = 0.1,
) -> keras.Model:
    """As `dense`, with a linear classifier of the code: squared error + `label_weight` x cross-entropy, one loss.

    So the code keeps what tells classes apart, too. Labels are targets in training; nobody asks for them afterwards.
    """
    at_least_one("units", *(units or (0,)))
    code = parts.checked_code(spec, code, 32)
    parts.check_numbers(label_weight=label_weight)
    write = parts.dense_write(spec, units, activation)
    more = {"classifier": parts.classifier_of(spec, code, instead="dense"), "label_weight": label_weight}
    return _autoencoder(spec, parts.dense_read(units, activation), write, code, **more)


def _autoencoder(
    spec: Spec, read: parts.Read, write: parts.Part, code: int, code_of: parts.Part | None = None, **more: Any
) -> latent_layers.Autoencoder:
    """`more`: what `Autoencoder` takes beside its halves."""
    encoder, decoder = parts.encoder_of(spec, read, code_of or parts.linear(code)), parts.decoder_of(spec, write, code)
    return latent_layers.Autoencoder(encoder, decoder, likelihood=parts.likelihood_of(spec), **more)


def _mirrored(spec: Spec, units: tuple[int, ...], activation: str) -> parts.Part:
    """The way back through the encoder's dense layers, the last one first."""
    widths = (*units[::-1], math.prod(parts.described(spec)[1]))

    def write(code: keras.KerasTensor) -> keras.KerasTensor:
        for place, width in enumerate(widths):
            last = place == len(units)
            code = latent_layers.TiedDense(width, of=place, activation="linear" if last else activation)(code)
        return parts.shaped(spec, code)

    return write
