"""Which network forecasts a series?

All take "past" (batch, window, channels) float32 on the standardised scale, targets first, and optionally "known"
(batch, window + horizon, covariates), what is known beforehand of each step; all give (batch, horizon, targets x
quantiles) on the same scale, each target's quantiles side by side.

`normalise` measures each window by itself and puts the forecast back (Kim et al. 2022): "standard" from its mean in
its standard deviations, "last" from its last value, "none" not at all.
"""

from __future__ import annotations

from typing import Literal, get_args

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models import layers, series_layers
from dlkit.models import series_parts as parts
from dlkit.models.options import at_least_one, dropped

Decoding = Literal["direct", "one_step", "autoregressive"]
"""How a recurrent network answers: "direct" gives all steps at once from its last state. The others forecast one step
and read it as if it were measured, on and on: "one_step" learns from measured values alone (Williams & Zipser 1989),
"autoregressive" from its own forecasts, through all steps."""


def naive(spec: Spec) -> keras.Model:
    """The last value again at every step; quantiles are learned distances from it, nothing else."""
    return _repeated(spec, 1)


def seasonal_naive(spec: Spec, *, season: int = 0) -> keras.Model:
    """The last season again. `season`: its steps, such as 24 of an hourly series; 0: as found in the series."""
    return _repeated(spec, _season(spec, season))


def linear(
    spec: Spec,
    *,
    decomposition: int = 25,
    normalise: Literal["none", "last", "standard"] = "none",
    individual: bool = False,
    seasonal: bool = False,
) -> keras.Model:
    """One linear map from a window to all steps ahead: DLinear, or NLinear (Zeng et al. 2023, section 4).

    `decomposition`: width of the moving average whose result and rest have a map each (DLinear: 25); 0: one map for
    the window as it is (NLinear, with normalise="last"). `individual`: maps for each target, otherwise all share one.
    `seasonal`: the map, of zeros at first, is added to the last season: for series too short to learn the season from.
    Channels that are no targets are not read.
    """
    parts.check(spec, "linear")
    if decomposition < 0 or (decomposition and decomposition % 2 == 0):
        raise SettingsError(f"model.decomposition: expected an odd number of steps, or 0, got {decomposition}.")
    sizes = spec.sizes
    inputs, past, scale = parts.scaled(spec, normalise, channels=sizes["targets"])
    components = [past]
    if decomposition:
        trend = series_layers.Trend(decomposition, name="trend")(past)
        components = [trend, keras.layers.Subtract(name="rest")([past, trend])]
    units = sizes["horizon"] * sizes["quantiles"]
    if seasonal and individual:
        raise SettingsError("model.seasonal: all targets share the map that is added; leave model.individual out.")
    first = "zeros" if seasonal else "glorot_uniform"
    maps = [
        (layers.MemberDense(units) if individual else keras.layers.Dense(units, kernel_initializer=first))(
            keras.layers.Permute((2, 1))(part)
        )
        for part in components
    ]
    steps = parts.by_step(spec, sum(maps[1:], maps[0]))
    if seasonal:
        season = series_layers.LastSeason(_season(spec, 0), sizes["horizon"], sizes["quantiles"], name="last_season")
        steps = keras.layers.Add()([steps, season(past)])
    return parts.forecast(spec, inputs, steps, scale)


def simple_rnn(
    spec: Spec,
    *,
    units: int = 32,
    normalise: Literal["none", "last", "standard"] = "none",
    decoding: Literal["direct", "one_step", "autoregressive"] = "direct",
    dropout: float = 0.0,
) -> keras.Model:
    """Elman's network (1990); see `Decoding` for how its last state answers."""
    return _recurrent(spec, "simple_rnn", units, normalise=normalise, decoding=decoding, dropout=dropout)


def lstm(
    spec: Spec,
    *,
    units: int = 64,
    patch: int = 1,
    independent: bool = False,
    normalise: Literal["none", "last", "standard"] = "none",
    decoding: Literal["direct", "one_step", "autoregressive"] = "direct",
    dropout: float = 0.0,
) -> keras.Model:
    """Long short-term memory (Hochreiter & Schmidhuber 1997); see `Decoding` for how its last state answers.

    All help that is known to it: `patch` steps are read at once (0: a season's), so that a window of weeks is some days
    long to it (Lin et al. 2023), and with `independent` one network reads each target alone (Nie et al. 2023).
    """
    return _recurrent(
        spec,
        "lstm",
        units,
        normalise=normalise,
        decoding=decoding,
        dropout=dropout,
        patch=patch,
        independent=independent,
    )


def gru(
    spec: Spec,
    *,
    units: int = 64,
    patch: int = 1,
    independent: bool = False,
    normalise: Literal["none", "last", "standard"] = "none",
    decoding: Literal["direct", "one_step", "autoregressive"] = "direct",
    dropout: float = 0.0,
) -> keras.Model:
    """Gated recurrent units (Cho et al. 2014); options as of `lstm`."""
    return _recurrent(
        spec,
        "gru",
        units,
        normalise=normalise,
        decoding=decoding,
        dropout=dropout,
        patch=patch,
        independent=independent,
    )


def stacked_lstm(
    spec: Spec,
    *,
    units: tuple[int, ...] = (64, 32),
    normalise: Literal["none", "last", "standard"] = "none",
    dropout: float = 0.0,
) -> keras.Model:
    """LSTMs of `units` one above the other; the last state of the uppermost gives all steps."""
    parts.check(spec, "stacked_lstm")
    at_least_one("units", *(units or (0,)))
    inputs, states, scale = parts.scaled(spec, normalise)
    states = parts.with_known(spec, inputs, states)
    for width in units[:-1]:
        states = dropped(keras.layers.LSTM(width, return_sequences=True)(states), dropout)
    last = dropped(keras.layers.LSTM(units[-1])(states), dropout)
    return parts.forecast(spec, inputs, parts.all_steps(spec, last), scale)


def bilstm(
    spec: Spec, *, units: int = 32, normalise: Literal["none", "last", "standard"] = "none", dropout: float = 0.0
) -> keras.Model:
    """Two LSTMs, one from each end of the window (Schuster & Paliwal 1997); their last states give all steps."""
    parts.check(spec, "bilstm")
    at_least_one("units", units)
    inputs, past, scale = parts.scaled(spec, normalise)
    both = keras.layers.Bidirectional(keras.layers.LSTM(units))(parts.with_known(spec, inputs, past))
    return parts.forecast(spec, inputs, parts.all_steps(spec, dropped(both, dropout)), scale)


def cnn1d(
    spec: Spec,
    *,
    filters: int = 32,
    width: int = 3,
    normalise: Literal["none", "last", "standard"] = "none",
    dropout: float = 0.0,
) -> keras.Model:
    """Causal convolutions, each looking twice as far back, until the last step sees the window (Bai et al. 2018).

    `filters` of `width` steps in each; what a convolution finds is added to its input. The last step gives all steps
    ahead.
    """
    parts.check(spec, "cnn1d")
    at_least_one("filters", filters)
    if width < 2:
        raise SettingsError(f"model.width: expected 2 steps or more, got {width}.")
    inputs, past, scale = parts.scaled(spec, normalise)
    maps = keras.layers.Conv1D(filters, 1, name="channels")(parts.with_known(spec, inputs, past))
    seen, dilation = 1, 1
    while seen < spec.sizes["window"]:
        found = keras.layers.Conv1D(filters, width, dilation_rate=dilation, padding="causal", activation="relu")(maps)
        maps = keras.layers.Add()([maps, dropped(found, dropout)])
        seen, dilation = seen + (width - 1) * dilation, 2 * dilation
    last = keras.layers.Flatten()(series_layers.Part(start=-1, name="last")(maps))
    return parts.forecast(spec, inputs, parts.all_steps(spec, last), scale)


def seq2seq_lstm(
    spec: Spec,
    *,
    units: int = 64,
    normalise: Literal["none", "last", "standard"] = "none",
    decoding: Literal["direct", "autoregressive"] = "autoregressive",
    dropout: float = 0.0,
) -> keras.Model:
    """One LSTM reads, another writes a step at a time, from the first one's last state (Sutskever et al. 2014).

    `decoding`: "autoregressive" gives the writer its last forecast and what is known of the step; "direct" the reader's
    last state at every step.
    """
    parts.check(spec, "seq2seq_lstm")
    at_least_one("units", units)
    parts.one_of("decoding", decoding, ("direct", "autoregressive"))
    inputs, past, scale = parts.scaled(spec, normalise)
    if decoding == "autoregressive":
        written = _fed_back(spec, inputs, dropped(past, dropout), ("lstm", units), shared=False)
        return parts.forecast(spec, inputs, written, scale, effect=False)
    read = keras.layers.LSTM(units, name="reader")(parts.with_known(spec, inputs, past))
    each = keras.layers.RepeatVector(spec.sizes["horizon"])(dropped(read, dropout))
    written = dropped(keras.layers.LSTM(units, return_sequences=True, name="writer")(each), dropout)
    return parts.forecast(spec, inputs, keras.layers.Dense(parts.answers(spec), name="answer")(written), scale)


def best(
    spec: Spec,
    *,
    units: int = 128,
    patch: int = 0,
    normalise: Literal["none", "last", "standard"] = "last",
    dropout: float = 0.3,
) -> keras.Model:
    """A GRU that reads `patch` steps at once and writes all stretches ahead in one step: SegRNN (Lin et al. 2023).

    One network reads each target alone; channels that are no targets are not read. `patch`: 0 for a season's steps.
    """
    parts.check(spec, "best")
    if units < 2:
        raise SettingsError(
            f"model.units: expected 2 or more, half for a stretch's place and half for a target, got {units}."
        )
    patch = parts.stretch(spec, patch)
    inputs, past, scale = parts.scaled(spec, normalise, channels=spec.sizes["targets"])
    steps = series_layers.Patches(patch, patch, independent=True, name="stretches")(past)
    state = keras.layers.GRU(units, name="reader")(keras.layers.Dense(units, activation="relu", name="stretch")(steps))
    writer = series_layers.StretchWriter(
        patch,
        horizon=spec.sizes["horizon"],
        targets=spec.sizes["targets"],
        quantiles=spec.sizes["quantiles"],
        dropout=dropout,
        name="writer",
    )
    return parts.forecast(spec, inputs, writer(state), scale)


def transformer(
    spec: Spec,
    *,
    patch: int = 0,
    dimension: int = 32,
    heads: int = 4,
    blocks: int = 2,
    normalise: Literal["none", "last", "standard"] = "standard",
    dropout: float = 0.2,
) -> keras.Model:
    """Self-attention over stretches of `patch` steps, half of each shared with the next: PatchTST (Nie et al. 2023).

    One network reads each target alone; channels that are no targets are not read. `patch`: 0 for a season's steps.
    `dimension`: of a stretch's vector, split among `heads`; four times as many units in each block's feed-forward part.
    """
    parts.check(spec, "transformer")
    patch = parts.stretch(spec, patch)
    for name, value in {"dimension": dimension, "heads": heads, "blocks": blocks}.items():
        at_least_one(name, value)
    if dimension % heads:
        raise SettingsError(f"model.heads={heads} does not divide model.dimension={dimension}.")
    inputs, past, scale = parts.scaled(spec, normalise, channels=spec.sizes["targets"])
    states = series_layers.Patches(patch, max(patch // 2, 1), independent=True, name="stretches")(past)
    states = series_layers.Positions(name="positions")(keras.layers.Dense(dimension)(states))
    for _ in range(blocks):
        attention = keras.layers.MultiHeadAttention(heads, dimension // heads, dropout=dropout)
        states = keras.layers.LayerNormalization()(states + dropped(attention(states, states), dropout))
        wide = keras.layers.Dense(dimension * 4, activation="gelu")(states)
        wide = dropped(keras.layers.Dense(dimension)(wide), dropout)
        states = keras.layers.LayerNormalization()(states + wide)
    return parts.forecast(spec, inputs, parts.each_channel(spec, keras.layers.Flatten()(states), dropout), scale)


def _recurrent(
    spec: Spec,
    kind: Literal["simple_rnn", "lstm", "gru"],
    units: int,
    *,
    normalise: parts.Normalise,
    decoding: Decoding,
    dropout: float,
    patch: int = 1,
    independent: bool = False,
) -> keras.Model:
    parts.check(spec, kind)
    at_least_one("units", units)
    parts.one_of("decoding", decoding, get_args(Decoding))
    patch = parts.stretch(spec, patch)
    inputs, past, scale = parts.scaled(spec, normalise, channels=spec.sizes["targets"] if independent else None)
    if decoding != "direct":
        _check_feedback(spec, decoding, patch=patch, independent=independent)
        forecast = _fed_back(spec, inputs, dropped(past, dropout), (kind, units))
        if decoding == "one_step":
            forecast = series_layers.FirstStepLearns(name="first_step_learns")(forecast)
        return parts.forecast(spec, inputs, forecast, scale, effect=False)
    layer = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[kind]
    steps = past if independent else parts.with_known(spec, inputs, past)
    if patch > 1 or independent:
        steps = series_layers.Patches(patch, patch, independent=independent, name="stretches")(steps)
    if patch > 1:
        steps = keras.layers.Dense(units, activation="relu", name="stretch")(steps)
    if independent:
        return parts.forecast(spec, inputs, parts.each_channel(spec, layer(units)(steps), dropout), scale)
    last = dropped(layer(units)(steps), dropout)
    return parts.forecast(spec, inputs, parts.all_steps(spec, last), scale)


def _check_feedback(spec: Spec, decoding: str, *, patch: int, independent: bool) -> None:
    if patch > 1 or independent:
        raise SettingsError(
            f"model.decoding={decoding} goes on from step to step with all channels: expected model.patch=1 and "
            "model.independent=false."
        )
    targets, channels = spec.sizes["targets"], spec.inputs["past"].shape[-1]
    if channels != targets:
        raise SettingsError(
            f"model.decoding={decoding} reads its own forecasts, so every channel must be forecast: {targets} of "
            f"{channels} are targets. Make all of them targets, or use model.decoding=direct."
        )


def _fed_back(
    spec: Spec,
    inputs: dict[str, keras.KerasTensor],
    past: keras.KerasTensor,
    cell: tuple[str, int],
    *,
    shared: bool = True,
) -> keras.KerasTensor:
    """A forecast step by step. `cell`: its kind and units; `shared`: it reads the past as well."""
    if spec.sizes["window"] < 2:
        raise SettingsError("A network that goes on from its forecasts needs a window of 2 steps or more, got 1.")
    kind, units = cell
    layer = series_layers.Feedback(
        kind,
        units,
        horizon=spec.sizes["horizon"],
        targets=spec.sizes["targets"],
        quantiles=spec.sizes["quantiles"],
        median=spec.sizes.get("median"),
        shared=shared,
        name="feedback",
    )
    return layer(past, inputs["known"]) if "known" in inputs else layer(past)


def _season(spec: Spec, season: int) -> int:
    """Steps of a season that the window holds: `season`, or as found in the series where it is 0."""
    parts.check(spec, "seasonal_naive")
    found, window = season or spec.sizes.get("season", 1), spec.sizes["window"]
    if found == 1 and not season:
        raise SettingsError("model.season: the series shows no season. Give its steps: --set data.season=24.")
    if found > window:
        raise SettingsError(
            f"A season has {found} steps and the window only {window}. Expected a window of a season or more: "
            f"--set data.window={2 * found}."
        )
    return found


def _repeated(spec: Spec, season: int) -> keras.Model:
    parts.check(spec, "naive")
    sizes = spec.sizes
    inputs, past, _ = parts.scaled(spec, "none", channels=sizes["targets"])
    forecast = series_layers.LastSeason(season, sizes["horizon"], sizes["quantiles"])(past)
    if sizes["quantiles"] > 1:
        forecast = series_layers.StepBias(name="quantiles")(forecast)
    return keras.Model(list(inputs.values()) if len(inputs) > 1 else inputs["past"], forecast)
