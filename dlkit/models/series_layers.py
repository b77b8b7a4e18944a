"""Which layers for series does Keras not have?

Shapes are (batch, steps, channels) float32 throughout. A forecast is (batch, horizon, targets x quantiles): the first
`targets` channels of the past, each with its quantiles side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

_LEAST_SPREAD = 1e-5
"""Added to a window's variance, on the standardised scale: a constant window is divided by no more than this."""


@keras.saving.register_keras_serializable("dlkit")
class InstanceScale(keras.layers.Layer):
    """What a window is measured from and in: (batch, 1, channels) each, of past (batch, window, channels).

    `kind`: "standard" gives mean and standard deviation of the window (Kim et al. 2022, section 3.1, without the
    affine part), "last" its last values and 1 (NLinear: Zeng et al. 2023, section 4).
    """

    def __init__(self, kind: str = "standard", **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def call(self, past: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        if self.kind == "last":
            last = past[:, -1:]
            return last, ops.ones_like(last)
        centre = ops.mean(past, axis=1, keepdims=True)
        return centre, ops.sqrt(ops.mean(ops.square(past - centre), axis=1, keepdims=True) + _LEAST_SPREAD)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"kind": self.kind}


@keras.saving.register_keras_serializable("dlkit")
class Scaled(keras.layers.Layer):
    """(past - centre) / spread."""

    def call(self, past: keras.KerasTensor, centre: keras.KerasTensor, spread: keras.KerasTensor) -> keras.KerasTensor:
        return (past - centre) / spread


@keras.saving.register_keras_serializable("dlkit")
class ScaledBack(keras.layers.Layer):
    """A forecast times spread plus centre: the way back from `Scaled`, for each quantile of the targets."""

    def __init__(self, targets: int, quantiles: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.targets, self.quantiles = targets, quantiles

    def call(
        self, forecast: keras.KerasTensor, centre: keras.KerasTensor, spread: keras.KerasTensor
    ) -> keras.KerasTensor:
        centre, spread = (ops.repeat(one[:, :, : self.targets], self.quantiles, axis=2) for one in (centre, spread))
        return forecast * spread + centre

    def compute_output_shape(self, forecast: tuple[int | None, ...], *_: object) -> tuple[int | None, ...]:
        return forecast

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"targets": self.targets, "quantiles": self.quantiles}


@keras.saving.register_keras_serializable("dlkit")
class Trend(keras.layers.Layer):
    """The moving average over `width` steps, as long as the series: its ends are continued by their own values.

    Wu et al. 2021, equation 1. `width`: odd.
    """

    def __init__(self, width: int = 25, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.width = width

    def call(self, past: keras.KerasTensor) -> keras.KerasTensor:
        side = self.width // 2
        first, last = ops.repeat(past[:, :1], side, axis=1), ops.repeat(past[:, -1:], side, axis=1)
        return ops.average_pool(ops.concatenate([first, past, last], axis=1), self.width, strides=1)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"width": self.width}


@keras.saving.register_keras_serializable("dlkit")
class Part(keras.layers.Layer):
    """The steps from `start` up to `stop`, and of them the first `channels` (None: all)."""

    def __init__(
        self, start: int | None = None, stop: int | None = None, channels: int | None = None, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.start, self.stop, self.channels = start, stop, channels

    def call(self, series: keras.KerasTensor) -> keras.KerasTensor:
        return series[:, self.start : self.stop, : self.channels]

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"start": self.start, "stop": self.stop, "channels": self.channels}


@keras.saving.register_keras_serializable("dlkit")
class LastSeason(keras.layers.Layer):
    """The last `season` steps over and over, `horizon` steps long; each channel `quantiles` times side by side."""

    def __init__(self, season: int, horizon: int, quantiles: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.season, self.horizon, self.quantiles = season, horizon, quantiles

    def call(self, past: keras.KerasTensor) -> keras.KerasTensor:
        last = past[:, -self.season :]
        times = -(-self.horizon // self.season)
        return ops.repeat(ops.tile(last, (1, times, 1))[:, : self.horizon], self.quantiles, axis=2)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"season": self.season, "horizon": self.horizon, "quantiles": self.quantiles}


@keras.saving.register_keras_serializable("dlkit")
class StepBias(keras.layers.Layer):
    """Adds one learned number to each step and channel, 0 at first: the quantiles of a forecast that has no weights."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros", name="bias")

    def call(self, forecast: keras.KerasTensor) -> keras.KerasTensor:
        return forecast + self.bias


@keras.saving.register_keras_serializable("dlkit")
class Patches(keras.layers.Layer):
    """Stretches of `size` steps, one every `stride`, the last ending with the window (Nie et al. 2023, section 3.1).

    `independent`: each channel as a row of its own, (batch x channels, patches, size); otherwise all channels of a
    stretch side by side, (batch, patches, size x channels).
    """

    def __init__(self, size: int, stride: int, *, independent: bool, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.size, self.stride, self.independent = size, stride, independent

    def call(self, past: keras.KerasTensor) -> keras.KerasTensor:
        _, window, channels = past.shape
        count = 1 + (window - self.size) // self.stride
        first = window - self.size - (count - 1) * self.stride
        if self.independent:
            past, channels = ops.expand_dims(ops.transpose(past, (0, 2, 1)), 3), 1
            past = ops.reshape(past, (-1, window, 1))
        if self.stride == self.size:
            return ops.reshape(past[:, first:], (-1, count, self.size * channels))
        places = [first + self.stride * patch + step for patch in range(count) for step in range(self.size)]
        return ops.reshape(ops.take(past, places, axis=1), (-1, count, self.size * channels))

    def compute_output_shape(self, past: tuple[int | None, int, int]) -> tuple[int | None, ...]:
        batch, window, channels = past
        count = 1 + (window - self.size) // self.stride
        return (None, count, self.size) if self.independent else (batch, count, self.size * channels)

    def get_config(self) -> dict[str, object]:
        own = {"size": self.size, "stride": self.stride, "independent": self.independent}
        return super().get_config() | own


@keras.saving.register_keras_serializable("dlkit")
class ChannelsBack(keras.layers.Layer):
    """(batch x channels, features) to (batch, channels, features): the way back from independent `Patches`."""

    def __init__(self, channels: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        return ops.reshape(features, (-1, self.channels, features.shape[-1]))

    def compute_output_shape(self, features: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, self.channels, features[-1])

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"channels": self.channels}


@keras.saving.register_keras_serializable("dlkit")
class Positions(keras.layers.Layer):
    """Adds one learned vector to each step, (steps, features)."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.vectors = self.add_weight(shape=shape[1:], initializer="uniform", name="vectors")

    def call(self, steps: keras.KerasTensor) -> keras.KerasTensor:
        return steps + self.vectors


@keras.saving.register_keras_serializable("dlkit")
class FirstStepLearns(keras.layers.Layer):
    """The forecast as it is; in training, only the error of its first step moves weights.

    So a network learns to forecast one step from what was measured, never from its own forecasts.
    """

    def call(self, forecast: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        if not training:
            return forecast
        return ops.concatenate([forecast[:, :1], ops.stop_gradient(forecast[:, 1:])], axis=1)


CELLS: dict[str, type[keras.layers.Layer]] = {
    "simple_rnn": keras.layers.SimpleRNNCell,
    "lstm": keras.layers.LSTMCell,
    "gru": keras.layers.GRUCell,
}


@keras.saving.register_keras_serializable("dlkit")
class FeedbackCell(keras.layers.Layer):
    """One step of a decoder: its last forecast in, the next one out.

    Input: covariates known for the step, (batch, n), n may be 0. States: those of `cell`, then the last forecast of the
    targets, (batch, targets). Output: (batch, targets x quantiles), the last forecast plus a linear map of the cell's
    output; the quantile numbered `median` is fed back.
    """

    def __init__(self, cell: keras.layers.Layer, targets: int, quantiles: int, median: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.cell, self.targets, self.quantiles, self.median = cell, targets, quantiles, median
        self.change = keras.layers.Dense(targets * quantiles, name="change")
        states = cell.state_size if isinstance(cell.state_size, list) else [cell.state_size]
        self.state_size = [*states, targets]
        self.output_size = targets * quantiles

    def build(self, known: tuple[int | None, int]) -> None:
        if not self.cell.built:
            self.cell.build((known[0], self.targets + known[-1]))
        self.change.build((known[0], self.cell.units))

    def call(
        self, known: keras.KerasTensor, states: Sequence[keras.KerasTensor], training: bool | None = None
    ) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
        *inner, last = states
        joined = ops.concatenate([last, known], axis=-1) if known.shape[-1] else last
        output, inner = self.cell(joined, inner, training=training)
        forecast = ops.repeat(last, self.quantiles, axis=-1) + self.change(output)
        middle = forecast
        if self.quantiles > 1:
            by_target = ops.reshape(forecast, (-1, self.targets, self.quantiles))
            middle = by_target[:, :, self.median]
        return forecast, [*inner, middle]


@keras.saving.register_keras_serializable("dlkit")
class Feedback(keras.layers.Layer):
    """Reads the past, then goes on from its own forecasts (Graves 2013, section 2; Sutskever et al. 2014).

    Input: past (batch, window, channels), targets first, and optionally known (batch, window + horizon, covariates): at
    each step the covariates of the step that is forecast. Output: (batch, horizon, targets x quantiles).
    `kind`: of the cell, see `CELLS`. `shared`: the cell that reads the past also goes on, so that all channels must be
    targets; otherwise the decoder is a cell of its own that starts from the reader's last states. `median`: number of
    the quantile that is fed back; None in files of before it was asked for: the one in the middle.
    """

    def __init__(
        self,
        kind: str,
        units: int,
        *,
        horizon: int,
        targets: int,
        quantiles: int = 1,
        median: int | None = None,
        shared: bool = False,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.kind, self.units, self.shared = kind, units, shared
        self.median = quantiles // 2 if median is None else median
        self.horizon, self.targets, self.quantiles = horizon, targets, quantiles
        cell = CELLS[kind](units)
        decoder = cell if shared else CELLS[kind](units)
        self.reader = keras.layers.RNN(cell, return_state=True, name="reader")
        self.cell = FeedbackCell(decoder, targets, quantiles, self.median, name="writer_cell")
        self.writer = keras.layers.RNN(self.cell, return_sequences=True, name="writer")

    def build(self, past_shape: tuple[int, int, int], known_shape: tuple[int, int, int] | None = None) -> None:
        batch, window, channels = past_shape
        covariates = known_shape[-1] if known_shape else 0
        self.reader.build((batch, window - 1, channels + covariates))
        self.writer.build((batch, self.horizon, covariates))

    def call(
        self, past: keras.KerasTensor, known: keras.KerasTensor | None = None, training: bool | None = None
    ) -> keras.KerasTensor:
        read, ahead = past[:, :-1], ops.repeat(past[:, :1, :0], self.horizon, axis=1)
        if known is not None:
            read = ops.concatenate([read, known[:, 1 : past.shape[1]]], axis=-1)
            ahead = known[:, past.shape[1] :]
        states = self.reader(read, training=training)[1:]
        last = past[:, -1, : self.targets]
        return self.writer(ahead, initial_state=[*states, last], training=training)

    def compute_output_shape(self, past: tuple[int | None, ...], *_: object) -> tuple[int | None, ...]:
        return (past[0], self.horizon, self.targets * self.quantiles)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {
            "kind": self.kind,
            "units": self.units,
            "horizon": self.horizon,
            "targets": self.targets,
            "quantiles": self.quantiles,
            "median": self.median,
            "shared": self.shared,
        }


@keras.saving.register_keras_serializable("dlkit")
class StretchWriter(keras.layers.Layer):
    """All stretches of a forecast at once, each by one step of a GRU from the same state (Lin et al. 2023).

    Input: the reader's last states, (batch x targets, units). Output: (batch, horizon, targets x quantiles). What the
    step reads is a learned vector of the stretch's place and one of the target, half of `units` each.
    """

    def __init__(
        self, patch: int, *, horizon: int, targets: int, quantiles: int = 1, dropout: float = 0.0, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.patch, self.dropout = patch, dropout
        self.horizon, self.targets, self.quantiles = horizon, targets, quantiles
        self.stretches = -(-horizon // patch)
        self.drop = keras.layers.Dropout(dropout)
        self.values = keras.layers.Dense(patch * quantiles, name="values")

    def build(self, state_shape: tuple[int, int]) -> None:
        units = state_shape[-1]
        half = units // 2
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.places = self.add_weight(shape=(self.stretches, half), initializer=normal, name="places")
        self.names = self.add_weight(shape=(self.targets, units - half), initializer=normal, name="names")
        self.cell = keras.layers.GRUCell(units, name="cell")
        self.cell.build((None, units))
        self.values.build((None, units))

    def call(self, state: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        units = state.shape[-1]
        places = ops.repeat(ops.expand_dims(self.places, 0), self.targets, axis=0)
        names = ops.repeat(ops.expand_dims(self.names, 1), self.stretches, axis=1)
        states = ops.repeat(ops.reshape(state, (-1, self.targets, 1, units)), self.stretches, axis=2)
        read = ops.zeros_like(states) + ops.concatenate([places, names], axis=-1)
        written, _ = self.cell(ops.reshape(read, (-1, units)), [ops.reshape(states, (-1, units))])
        values = self.values(self.drop(written, training=training))
        steps = ops.reshape(values, (-1, self.targets, self.stretches * self.patch, self.quantiles))
        steps = ops.transpose(steps[:, :, : self.horizon], (0, 2, 1, 3))
        return ops.reshape(steps, (-1, self.horizon, self.targets * self.quantiles))

    def compute_output_shape(self, state_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:  # noqa: ARG002 (rows and channels are one axis there)
        return (None, self.horizon, self.targets * self.quantiles)

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {
            "patch": self.patch,
            "horizon": self.horizon,
            "targets": self.targets,
            "quantiles": self.quantiles,
            "dropout": self.dropout,
        }
