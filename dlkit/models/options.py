"""Which options have models of all kinds, and how are they checked?"""

from __future__ import annotations

import keras

from dlkit.errors import SettingsError


def at_least_one(name: str, *values: int) -> None:
    """SettingsError unless each value of an option of the model is 1 or more."""
    if min(values) < 1:
        raise SettingsError(f"model.{name}: expected 1 or more, got {min(values)}.")


def probability(name: str, value: float) -> None:
    """SettingsError unless an option of the model is a probability below 1."""
    if not 0 <= value < 1:
        raise SettingsError(f"model.{name}: expected a probability in [0, 1), got {value}.")


def dropped(features: keras.KerasTensor, dropout: float) -> keras.KerasTensor:
    """`features` with dropout, or as they are where it is 0."""
    probability("dropout", dropout)
    return keras.layers.Dropout(dropout)(features) if dropout else features


KL_APART = ("elbo", "total")
"""Bound and gradient of a variational autoencoder in which the KL is a part of the loss that can be weighed."""


def way_to_the_kl(bound: str, gradient: str) -> str:
    """The settings that make the KL such a part, as a command line takes them; "" where it is one."""
    wanted = {"bound": (bound, KL_APART[0]), "gradient": (gradient, KL_APART[1])}
    return " ".join(f"--set model.{name}={one}" for name, (now, one) in wanted.items() if now != one)


def check_bound(bound: str, gradient: str, *, weighed: bool, joint: bool, samples: int = 1, resampled: int = 0) -> None:
    """SettingsError for settings that the loss would not look at. `weighed`: whether the KL has a weight; `joint`:
    whether there is a classifier.
    """
    if weighed and (bound, gradient) != KL_APART:
        raise SettingsError(
            "model.beta, model.free_bits and model.warm_up weigh the KL, which stands apart only in model.bound=elbo "
            f"with model.gradient=total; got bound={bound}, gradient={gradient}. Leave them out, or say "
            f"{way_to_the_kl(bound, gradient)}"
        )
    if resampled and not (bound == "iwae" and gradient == "path" and 0 < resampled < samples):
        raise SettingsError(
            f"model.resampled={resampled}: expected fewer than model.samples={samples}, of which weights choose: it "
            f"needs model.bound=iwae with model.gradient=path, got bound={bound}, gradient={gradient}."
        )
    if joint and gradient == "path":
        raise SettingsError(
            "model.gradient=path is that of the bound alone, and this model has a classifier, too. Say --set "
            "model.gradient=total"
        )
