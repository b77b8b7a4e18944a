"""Which variational autoencoder learns codes of pictures and rows, and makes new ones from codes?

All take one input, pictures (batch, height, width, channels) float32 in [0, 1] or standardised rows (batch, features),
and give its reconstruction. Where the spec has a further input "label", encoder and decoder read the class too (Sohn et
al. 2015), so that a picture of a class can be asked for. Pixels are black or white with the chance that the decoder
gives; numbers of a row are normal around it, with variance 1 unless `table` is told otherwise.
"""

from __future__ import annotations

from typing import Any, Literal

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models import latent_layers
from dlkit.models import latent_parts as parts
from dlkit.models.options import at_least_one


def convolutional(
    spec: Spec,
    *,
    code: int | None = None,
    filters: tuple[int, ...] = (32, 64),
    units: int = 256,
    activation: str = "elu",
    beta: float = 1.0,
    free_bits: float = 0.0,
    warm_up: int = 0,
) -> keras.Model:
    """The lecture notes' network: 3x3 convolutions of `filters`, each halving the picture, and the same back.

    `code`: numbers of the latent code (None: 50, of a small input half). `units`: of a dense layer before it, and of
    one after it, 0: none. `activation`: "relu" leaves more of the code unused. `beta`: weight of the KL (Higgins et al.
    2017). `free_bits`: nats of KL of each unit that cost nothing (Kingma et al. 2016). `warm_up`: weight updates in
    which the weight of the KL rises from 0.
    """
    parts.check_pictures(spec, "convolutional", filters, instead="table")
    code = parts.checked_code(spec, code, 50)
    parts.check_numbers(units=units, beta=beta, free_bits=free_bits, warm_up=warm_up)
    return latent_layers.VariationalAutoencoder(
        parts.encoder_of(spec, parts.convolutional_read(filters, units, activation=activation), parts.linear(2 * code)),
        parts.decoder_of(spec, parts.convolutional_write(spec, filters, units, activation=activation), code),
        likelihood=parts.likelihood_of(spec),
        beta=beta,
        free_bits=free_bits,
        warm_up=warm_up,
    )


def mlp(
    spec: Spec,
    *,
    code: int | None = None,
    units: tuple[int, ...] = (200, 200),
    activation: str = "tanh",
    samples: int = 1,
    bound: Literal["elbo", "iwae"] = "elbo",
    gradient: Literal["total", "path"] = "total",
    resampled: int = 0,
    beta: float = 1.0,
    free_bits: float = 0.0,
    warm_up: int = 0,
) -> keras.Model:
    """Two dense layers each way, as Burda et al. 2016 have them; pictures are flattened, and rows of a table fit too.

    `samples`: codes drawn of each row at a step. `bound`: "iwae" weighs them by their importance (their eq. 8), "elbo"
    takes their mean. `gradient`: "path" has less noise, see `VariationalAutoencoder`. `resampled`: of many samples so
    many are learned from, drawn by weight; it makes steps quicker (0: all are). The others: see `convolutional`.
    """
    at_least_one("units", *(units or (0,)))
    at_least_one("samples", samples)
    code = parts.checked_code(spec, code, 50)
    kl = {"beta": beta, "free_bits": free_bits, "warm_up": warm_up}
    parts.check_numbers(**kl)
    drawn = {"samples": samples, "bound": bound, "gradient": gradient, "resampled": resampled}
    return _of_dense_layers(spec, code, units, activation, **drawn, **kl)


def joint(
    spec: Spec,
    *,
    code: int | None = None,
    units: tuple[int, ...] = (200, 200),
    activation: str = "tanh",
    label_weight: float = 10.0,
    beta: float = 1.0,
    free_bits: float = 0.0,
    warm_up: int = 0,
) -> keras.Model:
    """As `mlp`, with a linear classifier of the code; one loss trains both: bound + `label_weight` x cross-entropy.

    So the codes of a class lie together. Labels are targets in training, and nobody asks for them afterwards.
    """
    at_least_one("units", *(units or (0,)))
    code = parts.checked_code(spec, code, 50)
    weights = {"label_weight": label_weight, "beta": beta, "free_bits": free_bits, "warm_up": warm_up}
    parts.check_numbers(**weights)
    classifier = parts.classifier_of(spec, code, instead="mlp")
    return _of_dense_layers(spec, code, units, activation, classifier=classifier, **weights)


def table(
    spec: Spec,
    *,
    code: int | None = None,
    units: tuple[int, ...] = (64, 64),
    activation: str = "tanh",
    noise: float = 0.3,
    beta: float = 1.0,
    free_bits: float = 0.0,
    warm_up: int = 0,
) -> keras.Model:
    """As `mlp`, for rows of a table: a number x is N(x; decoder's output, `noise`²), in nats
    (x - output)² / (2 `noise`²) + log `noise` + log(2 pi) / 2.

    `noise`: in standard deviations of a column. Only what columns share counts for more than a number of the code
    costs, and with 1 (as `mlp` has it) that is little in most tables: the smaller it is, the more of the code is used.
    """
    _, shape = parts.described(spec)
    if len(shape) != 1:
        raise SettingsError(
            "--model table reads rows of a table; these are pictures. Take --model mlp, or give a table: --data "
            "FILE.csv, or to try it --data sample --set data.sample=houses"
        )
    at_least_one("units", *(units or (0,)))
    code = parts.checked_code(spec, code, 50)
    kl = {"beta": beta, "free_bits": free_bits, "warm_up": warm_up}
    parts.check_numbers(**kl)
    if not 0.01 <= noise <= 10:
        raise SettingsError(
            f"model.noise={noise}: expected standard deviations of a column, from 0.01 (nearly exact) to 10."
        )
    return _of_dense_layers(spec, code, units, activation, noise=noise, **kl)


def _of_dense_layers(
    spec: Spec, code: int, units: tuple[int, ...], activation: str, **options: Any
) -> latent_layers.VariationalAutoencoder:
    """`options`: what `VariationalAutoencoder` takes beside its halves and the likelihood."""
    return latent_layers.VariationalAutoencoder(
        parts.encoder_of(spec, parts.dense_read(units, activation), parts.linear(2 * code)),
        parts.decoder_of(spec, parts.dense_write(spec, units, activation), code),
        likelihood=parts.likelihood_of(spec),
        **options,
    )
