"""Does every network for series hold what the house promises: shapes, no leak, files and LiteRT that agree?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Head, Spec, Tensor
from dlkit.errors import SettingsError
from dlkit.export.litert import write_litert
from dlkit.export.proof import keras_model
from dlkit.inference.litert import LiteRT
from dlkit.models import series, series_layers

WINDOW, HORIZON = 16, 6
Build = Callable[..., keras.Model]
MODELS: dict[str, Build] = {
    "naive": series.naive,
    "seasonal_naive": partial(series.seasonal_naive, season=4),
    "dlinear": partial(series.linear, decomposition=5),
    "nlinear": partial(series.linear, decomposition=0, normalise="last", individual=True),
    "simple_rnn": partial(series.simple_rnn, units=4),
    "lstm": partial(series.lstm, units=4),
    "lstm_patched": partial(series.lstm, units=4, patch=4, normalise="standard", dropout=0.1),
    "lstm_with_all_help": partial(series.lstm, units=4, patch=4, independent=True, normalise="standard"),
    "gru": partial(series.gru, units=4, normalise="last"),
    "stacked_lstm": partial(series.stacked_lstm, units=(4, 3), dropout=0.1),
    "bilstm": partial(series.bilstm, units=4),
    "cnn1d": partial(series.cnn1d, filters=4),
    "seq2seq_lstm": partial(series.seq2seq_lstm, units=4, normalise="standard"),
    "seq2seq_direct": partial(series.seq2seq_lstm, units=4, decoding="direct"),
    "best": partial(series.best, units=5, patch=4),
    "transformer": partial(series.transformer, patch=4, dimension=8, heads=2, blocks=1),
}
ALL_TARGETS: dict[str, Build] = {
    "lstm_one_step": partial(series.lstm, units=4, decoding="one_step"),
    "gru_one_step": partial(series.gru, units=4, decoding="one_step", normalise="last"),
    "simple_rnn_autoregressive": partial(series.simple_rnn, units=4, decoding="autoregressive"),
}
"""Networks that read their own forecasts: every channel must be a target."""
EVERY = {**MODELS, **ALL_TARGETS}
LEARNING = [name for name in EVERY if name not in {"naive", "seasonal_naive"}]


def spec(name: str, *, quantiles: int = 1, known: int = 0, horizon: int = HORIZON, channels: int = 3) -> Spec:
    """Of three channels two are targets where the network takes that; of one, the one."""
    targets = 2 if channels == 3 and name not in ALL_TARGETS else channels
    inputs = {"past": Tensor((WINDOW, channels))}
    if known:
        inputs["known"] = Tensor((WINDOW + horizon, known))
    sizes = {"window": WINDOW, "horizon": horizon, "targets": targets, "quantiles": quantiles}
    return Spec(inputs, {"forecast": Head(targets * quantiles)}, sizes)


def built(name: str, **sizes: int) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The network with weights that are not zero, and five rows for it."""
    keras.utils.set_random_seed(1)
    its = spec(name, **sizes)
    model = EVERY[name](its)
    random = np.random.default_rng(2)
    model.set_weights([weight + 0.1 * random.normal(size=weight.shape) for weight in model.get_weights()])
    rows = {key: random.normal(size=(5, *tensor.shape)).astype(np.float32) for key, tensor in its.inputs.items()}
    return model, rows


def answers(model: keras.Model, rows: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(model(rows if len(rows) > 1 else rows["past"], training=False))


@pytest.mark.parametrize(("channels", "quantiles", "known"), [(3, 1, 0), (3, 3, 2), (1, 1, 1)])
@pytest.mark.parametrize("name", EVERY)
def test_litert_forecasts_as_keras_does_with_builtin_operations(
    name: str, channels: int, quantiles: int, known: int, tmp_path: Path
) -> None:
    sizes = {"channels": channels, "quantiles": quantiles, "known": known}
    model, rows = built(name, **sizes)
    expected = answers(model, rows)
    its = spec(name, **sizes)
    assert expected.shape == (5, HORIZON, its.head.units)
    write_litert(tmp_path / "model.tflite", model, its.inputs)
    together = LiteRT(tmp_path / "model.tflite").run(rows)
    np.testing.assert_allclose(together, expected, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_a_file_gives_the_network_back(name: str, tmp_path: Path) -> None:
    model, rows = built(name, quantiles=3, known=2)
    model.save(tmp_path / "model.keras")
    back = keras_model(tmp_path / "model.keras")
    np.testing.assert_allclose(answers(back, rows), answers(model, rows), atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_one_step_ahead_is_a_horizon_of_one(name: str) -> None:
    model, rows = built(name, horizon=1)
    assert answers(model, rows).shape == (5, 1, spec(name).sizes["targets"])


@pytest.mark.parametrize("name", EVERY)
def test_a_row_is_forecast_alike_alone_and_among_others(name: str) -> None:
    model, rows = built(name)
    alone = answers(model, {key: value[2:3] for key, value in rows.items()})
    np.testing.assert_allclose(alone[0], answers(model, rows)[2], atol=1e-5)


@pytest.mark.parametrize("name", LEARNING)
def test_every_weight_learns(name: str) -> None:
    model, rows = built(name, quantiles=3, known=2)
    before = model.get_weights()
    model.compile("adam", "mse", run_eagerly=True)
    random = np.random.default_rng(3)
    expected = random.normal(size=(5, *model.output_shape[1:])).astype(np.float32)
    for _ in range(2):
        model.train_on_batch(rows, expected)
    still = [
        variable.path
        for variable, old in zip(model.weights, before, strict=True)
        if variable.trainable and np.array_equal(variable.numpy(), old)
    ]
    assert still == []


def test_naive_repeats_the_last_value_and_seasonal_naive_the_last_season() -> None:
    past = np.arange(WINDOW * 3, dtype=np.float32).reshape(1, WINDOW, 3)
    naive = answers(series.naive(spec("naive")), {"past": past})
    np.testing.assert_array_equal(naive, np.repeat(past[:, -1:, :2], HORIZON, axis=1))
    seasonal = answers(series.seasonal_naive(spec("naive"), season=4), {"past": past})
    np.testing.assert_array_equal(seasonal, past[:, [-4, -3, -2, -1, -4, -3], :2])


def test_the_season_found_in_the_series_is_taken() -> None:
    its = spec("naive")
    found = Spec(its.inputs, its.heads, {**its.sizes, "season": 3})
    past = np.random.default_rng(0).normal(size=(1, WINDOW, 3)).astype(np.float32)
    np.testing.assert_array_equal(answers(series.seasonal_naive(found), {"past": past})[:, 3], past[:, -3, :2])


@pytest.mark.parametrize("name", ["lstm_with_all_help", "seq2seq_lstm", "transformer", "lstm_patched"])
def test_a_window_normalised_by_itself_is_forecast_alike_on_any_level_and_scale(name: str) -> None:
    model, rows = built(name)
    moved = answers(model, {"past": 100 * rows["past"] + 50})
    expected = 100 * answers(model, rows)[..., :2] + 50
    np.testing.assert_allclose(moved, expected, rtol=1e-2, atol=1e-2)


def test_a_series_without_a_season_has_no_last_one() -> None:
    its = spec("naive")
    for build in (series.seasonal_naive, partial(series.linear, seasonal=True)):
        with pytest.raises(SettingsError, match=r"model\.season: the series shows no season"):
            build(Spec(its.inputs, its.heads, {**its.sizes, "season": 1}))


def test_a_seasonal_line_begins_as_the_last_season() -> None:
    its = spec("dlinear", quantiles=3)
    its = Spec(its.inputs, its.heads, {**its.sizes, "season": 4})
    model = series.linear(its, seasonal=True, decomposition=0, normalise="last")
    past = np.random.default_rng(0).normal(size=(2, WINDOW, 3)).astype(np.float32)
    expected = np.repeat(past[:, [-4, -3, -2, -1, -4, -3], :2], 3, axis=2)
    np.testing.assert_allclose(answers(model, {"past": past}), expected, atol=1e-5)


def test_nlinear_follows_the_last_level() -> None:
    model, rows = built("nlinear")
    np.testing.assert_allclose(answers(model, {"past": rows["past"] + 7}), answers(model, rows) + 7, atol=1e-4)


def test_the_trend_is_the_moving_average_with_its_ends_held() -> None:
    past = np.random.default_rng(0).normal(size=(2, 9, 3)).astype(np.float32)
    padded = np.concatenate([past[:, :1]] * 2 + [past] + [past[:, -1:]] * 2, axis=1)
    expected = np.stack([padded[:, at : at + 5].mean(axis=1) for at in range(9)], axis=1)
    np.testing.assert_allclose(series_layers.Trend(5)(past), expected, atol=1e-6)


def test_a_constant_window_gives_finite_forecasts_and_gradients() -> None:
    model, rows = built("lstm_with_all_help")
    rows["past"][:] = 3
    assert np.isfinite(answers(model, rows)).all()
    model.compile("sgd", "mse")
    assert np.isfinite(model.train_on_batch(rows["past"], np.zeros((5, HORIZON, 2), np.float32)))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("name", ["lstm_with_all_help", "best", "transformer", "dlinear", "nlinear"])
def test_independent_channels_do_not_see_each_other(name: str) -> None:
    model, rows = built(name)
    before = answers(model, rows)
    rows["past"][:, :, 1:] += 1
    after = answers(model, rows)
    np.testing.assert_allclose(after[..., 0], before[..., 0], atol=1e-6)
    assert np.abs(after[..., 1] - before[..., 1]).max() > 1e-3


def test_the_last_patch_ends_with_the_window() -> None:
    past = np.arange(22, dtype=np.float32).reshape(1, 11, 2)
    even = np.asarray(series_layers.Patches(4, 4, independent=True)(past))
    np.testing.assert_array_equal(even[0], past[0, 3:, 0].reshape(2, 4))
    lapped = np.asarray(series_layers.Patches(4, 2, independent=True)(past))
    np.testing.assert_array_equal(lapped[1], np.stack([past[0, at : at + 4, 1] for at in (1, 3, 5, 7)]))
    mixed = np.asarray(series_layers.Patches(4, 4, independent=False)(past))
    np.testing.assert_array_equal(mixed[0], past[0, 3:].reshape(2, 8))


def test_one_step_decoding_learns_from_the_first_step_alone() -> None:
    model, rows = built("lstm_one_step")
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    forecast = answers(model, rows)
    before = model.get_weights()
    late = forecast.copy()
    late[:, 1:] += 5  # wrong from the second step on, right at the first
    model.train_on_batch(rows["past"], late)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)
    model.train_on_batch(rows["past"], forecast + 5)
    assert any(np.abs(new - old).max() > 1e-3 for old, new in zip(before, model.get_weights(), strict=True))


def test_a_decoder_goes_on_as_if_its_forecasts_were_measured() -> None:
    model, rows = built("lstm_one_step")
    forecast = answers(model, rows)
    window = np.concatenate([rows["past"], forecast[:, :1]], axis=1)
    its = spec("lstm_one_step")
    later = Spec({"past": Tensor((WINDOW + 1, 3))}, its.heads, {**its.sizes, "window": WINDOW + 1})
    longer = ALL_TARGETS["lstm_one_step"](later)
    longer.set_weights(model.get_weights())
    np.testing.assert_allclose(answers(longer, {"past": window})[:, :-1], forecast[:, 1:], atol=1e-5)


@pytest.mark.parametrize("name", ["lstm_one_step", "simple_rnn_autoregressive"])
@pytest.mark.parametrize("median", [0, 2])
def test_a_decoder_reads_the_quantile_that_is_the_forecast(name: str, median: int) -> None:
    its = spec(name, quantiles=3)
    keras.utils.set_random_seed(1)
    model = EVERY[name](Spec(its.inputs, its.heads, {**its.sizes, "median": median}))
    (layer,) = [one for one in model.layers if one.name == "feedback"]
    rows = {"past": np.random.default_rng(2).normal(size=(5, WINDOW, 3)).astype(np.float32)}
    before = answers(model, rows).reshape(5, HORIZON, 3, 3)
    bias = layer.cell.change.bias
    for quantile in range(3):  # moved at the first step, what is fed back alone moves the next one of the others
        moved = bias.numpy().reshape(3, 3).copy()
        moved[:, quantile] += 1
        bias.assign(moved.ravel())
        change = answers(model, rows).reshape(5, HORIZON, 3, 3) - before
        others = [other for other in range(3) if other != quantile]
        assert (np.abs(change[:, 1][..., others]).max() > 0.5) == (quantile == median)
        moved[:, quantile] -= 1
        bias.assign(moved.ravel())
    assert type(layer).from_config(layer.get_config()).cell.median == median


@pytest.mark.parametrize("name", LEARNING)
def test_what_is_known_of_a_step_moves_its_forecast(name: str) -> None:
    model, rows = built(name, known=2)
    before = answers(model, rows)
    rows["known"][:, -1] += 1
    after = answers(model, rows)
    assert np.abs(after - before)[:, -1].max() > 1e-3
    np.testing.assert_allclose(after[:, :-1], before[:, :-1], atol=1e-6)


def test_a_stretch_is_a_season_where_the_window_holds_two() -> None:
    its = spec("best")
    for season, length in ((4, 4), (8, 8), (9, 1)):
        model = series.best(Spec(its.inputs, its.heads, {**its.sizes, "season": season}))
        assert model.get_layer("stretches").size == length


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (partial(series.linear, decomposition=4), "model.decomposition"),
        (partial(series.linear, normalise="mean"), "model.normalise"),
        (series.seasonal_naive, "model.season"),
        (partial(series.seasonal_naive, season=17), "A season has 17 steps"),
        (partial(series.linear, seasonal=True, individual=True), "model.seasonal"),
        (partial(series.lstm, units=0), "model.units"),
        (partial(series.lstm, patch=17), "model.patch=17"),
        (partial(series.lstm, decoding="beam"), "model.decoding"),
        (partial(series.lstm, decoding="one_step"), "2 of 3 are targets"),
        (partial(series.lstm, decoding="autoregressive", patch=2), "model.patch=1"),
        (partial(series.stacked_lstm, units=()), "model.units"),
        (partial(series.cnn1d, width=1), "model.width"),
        (partial(series.transformer, heads=3), "does not divide"),
        (partial(series.gru, dropout=1.0), "model.dropout"),
    ],
)
def test_settings_that_make_no_network_are_said(build: Build, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build(spec("lstm"))


def test_a_network_for_series_says_what_preprocessing_it_needs() -> None:
    with pytest.raises(SettingsError, match="series"):
        series.lstm(Spec({"features": Tensor((3,))}, {"answer": Head(1)}))
