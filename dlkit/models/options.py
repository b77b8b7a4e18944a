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
