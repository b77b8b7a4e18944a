"""What do the networks for series share: their inputs, the scale of a window, their ways to a forecast?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError, did_you_mean
from dlkit.models import series_layers
from dlkit.models.options import dropped

Normalise = Literal["none", "last", "standard"]
if TYPE_CHECKING:
    Scale = tuple[keras.KerasTensor, keras.KerasTensor] | None


def check(spec: Spec, name: str) -> None:
    if "horizon" not in spec.sizes or "past" not in spec.inputs:
        raise SettingsError(f"model {name} forecasts series: it needs preprocessing of the kind SeriesWindows.")


def scaled(
    spec: Spec, normalise: Normalise, *, channels: int | None = None
) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor, Scale]:
    """The inputs by name, the past (its first `channels`) measured as `normalise` says, and its measures."""
    one_of("normalise", normalise, get_args(Normalise))
    inputs = {name: keras.Input(tensor.shape, dtype=tensor.dtype, name=name) for name, tensor in spec.inputs.items()}
    past = inputs["past"]
    if channels is not None and channels < past.shape[-1]:
        past = series_layers.Part(channels=channels, name="targets")(past)
    if normalise == "none":
        return inputs, past, None
    centre, spread = series_layers.InstanceScale(normalise, name="window_scale")(past)
    return inputs, series_layers.Scaled(name="scaled")(past, centre, spread), (centre, spread)


def with_known(spec: Spec, inputs: dict[str, keras.KerasTensor], past: keras.KerasTensor) -> keras.KerasTensor:
    """The past, beside it what was known of each of its steps."""
    if "known" not in inputs:
        return past
    before = series_layers.Part(stop=spec.sizes["window"], name="known_before")(inputs["known"])
    return keras.layers.Concatenate()([past, before])


def stretch(spec: Spec, patch: int) -> int:
    """Steps read at once: `patch`, or a season's where it is 0 and the window holds two of them, else 1."""
    window, season = spec.sizes["window"], spec.sizes.get("season", 1)
    if not 0 <= patch <= window:
        raise SettingsError(
            f"model.patch={patch}: expected 1 to {window} steps, which the window has, or 0 for a season."
        )
    return patch or (season if 2 * season <= window else 1)


def answers(spec: Spec) -> int:
    """Numbers a step of a forecast."""
    return spec.sizes["targets"] * spec.sizes["quantiles"]


def all_steps(spec: Spec, features: keras.KerasTensor) -> keras.KerasTensor:
    """(batch, features) to a forecast by one dense layer."""
    shape = spec.sizes["horizon"], answers(spec)
    return keras.layers.Reshape(shape)(keras.layers.Dense(math.prod(shape), name="answer")(features))


def each_channel(spec: Spec, features: keras.KerasTensor, dropout: float) -> keras.KerasTensor:
    """(batch x targets, features) to a forecast by one dense layer that all targets share."""
    steps = keras.layers.Dense(spec.sizes["horizon"] * spec.sizes["quantiles"], name="answer")
    return by_step(spec, series_layers.ChannelsBack(spec.sizes["targets"])(steps(dropped(features, dropout))))


def by_step(spec: Spec, features: keras.KerasTensor) -> keras.KerasTensor:
    """(batch, targets, horizon x quantiles) to (batch, horizon, targets x quantiles)."""
    targets, horizon, quantiles = (spec.sizes[name] for name in ("targets", "horizon", "quantiles"))
    if quantiles == 1:
        return keras.layers.Permute((2, 1))(features)
    steps = keras.layers.Permute((2, 1, 3))(keras.layers.Reshape((targets, horizon, quantiles))(features))
    return keras.layers.Reshape((horizon, targets * quantiles))(steps)


def forecast(
    spec: Spec,
    inputs: dict[str, keras.KerasTensor],
    steps: keras.KerasTensor,
    scale: Scale,
    *,
    effect: bool = True,
) -> keras.Model:
    """The network, with what the known covariates add to each step (`effect`) and the way back from `scale`."""
    targets, quantiles = spec.sizes["targets"], spec.sizes["quantiles"]
    if effect and "known" in inputs:
        ahead = series_layers.Part(spec.sizes["window"], name="known_ahead")(inputs["known"])
        added = keras.layers.Dense(answers(spec), use_bias=False, kernel_initializer="zeros", name="effect")(ahead)
        # Added flat: of one number a step LiteRT's converter turns one of the two round, and then they do not fit.
        flat = keras.layers.Add()([keras.layers.Flatten()(part) for part in (steps, added)])
        steps = keras.layers.Reshape((spec.sizes["horizon"], answers(spec)))(flat)
    if scale is not None:
        steps = series_layers.ScaledBack(targets, quantiles, name="scaled_back")(steps, *scale)
    return keras.Model(list(inputs.values()) if len(inputs) > 1 else inputs["past"], steps)


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise SettingsError(f"model.{name}: unknown {value!r}.{did_you_mean(str(value), choices)}")
