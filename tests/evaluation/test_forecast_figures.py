"""Are a forecast's figures those of the papers, and is it said first when a line does better?"""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.contracts import Examples
from dlkit.errors import DataError, TrainingError
from dlkit.evaluation import forecast_baselines, forecasts
from dlkit.evaluation.headline import headline
from dlkit.evaluation.scores import main_figure, score
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.series import Channel, ScaledSteps, SeriesInputs, StandardWindows

ANSWER = ForecastAnswer(("load",), (10.0,), (2.0,), (4.0,), season=2)


def test_figures_are_on_both_scales() -> None:
    truth = np.array([[[10.0], [14.0]]])
    found = score("forecasting", ANSWER, truth, np.array([[[0.0], [1.0]]]))
    assert main_figure("forecasting") == ("mse", "min")
    assert found == pytest.approx(
        {"mse": 0.5, "mae": 0.5, "mase": 0.25, "own_mae": 1.0, "own_rmse": np.sqrt(2), "mape": 1 / 14}
    )


def test_coverage_is_the_share_of_truths_in_the_interval() -> None:
    answer = ForecastAnswer(("load",), (0.0,), (1.0,), (1.0,), quantiles=(0.1, 0.5, 0.9))
    truth = np.array([0.0, 0.5, 2.0, -3.0]).reshape(4, 1, 1)
    outputs = np.tile([-1.0, 0.0, 1.0], (4, 1, 1))
    found = forecasts.figures(answer, truth, outputs)
    assert found["coverage_80"] == 0.5
    # By hand: mean over shares of max(q d, (q - 1) d), d = truth - quantile.
    differences = truth[..., None] - outputs[:, :, None]
    shares = np.array([0.1, 0.5, 0.9])
    assert found["pinball"] == pytest.approx(np.maximum(shares * differences, (shares - 1) * differences).mean())


def test_forecasts_that_cannot_be_judged_are_refused() -> None:
    with pytest.raises(DataError, match=r"do not fit"):
        forecasts.figures(ANSWER, np.zeros((2, 1, 1)), np.zeros((3, 1, 1)))
    with pytest.raises(TrainingError, match=r"1 of 2 forecasts are NaN"):
        forecasts.figures(ANSWER, np.zeros((2, 1, 1)), np.array([[[np.nan]], [[0.0]]]))


def test_errors_are_told_by_step_and_by_stretch_of_time() -> None:
    points = {"network": np.zeros((16, 3, 1)), "naive": np.ones((16, 3, 1))}
    truth = 10 + 2 * np.tile(np.array([0.0, 1.0, 2.0])[:, None], (16, 1, 1))
    assert forecasts.by_step(ANSWER, truth, points["network"])["mse"] == [0, 1, 4]
    # Two of own units are one standard deviation, four the yardstick.
    found = forecasts.by_step(ANSWER, truth, points["network"])
    assert found["own_mae"] == [0, 2, 4] and found["mase"] == [0, 0.5, 1]
    times = np.datetime64("2024-01-01", "ns") + np.arange(16) * np.timedelta64(1, "D")
    rows = forecasts.backtest(ANSWER, truth, points, times)
    assert len(rows) == 8 and rows[1] == {
        "from": "2024-01-03",
        "to": "2024-01-04",
        "windows": 2,
        "mse": {"network": pytest.approx(5 / 3), "naive": pytest.approx(2 / 3)},
    }


def test_stretches_of_a_series_with_zones_are_told_in_utc() -> None:
    times = np.datetime64("2024-01-01", "ns") + np.arange(2) * np.timedelta64(1, "D")
    rows = forecasts.backtest(ANSWER, np.ones((2, 1, 1)), {"network": np.ones((2, 1, 1))}, times, zoned=True)
    assert [row["from"] for row in rows] == ["2024-01-01T00:00Z", "2024-01-02T00:00Z"]


def test_each_of_several_targets_has_errors_by_step_in_its_own_unit() -> None:
    answer = ForecastAnswer(("load", "wind"), (10.0, 0.0), (2.0, 0.5), (4.0, 1.0))
    truth, points = np.tile([10.0, 0.0], (4, 3, 1)), np.tile([1.0, 2.0], (4, 3, 1)) * np.arange(3)[:, None]
    steps = {
        "network": forecasts.by_step(answer, truth, points),
        "linear": forecasts.by_step(answer, truth, 0 * points),
    }
    assert "own_mae" not in steps["network"] and steps["network"]["mase"] == [0, 0.75, 1.5]
    by_target = forecasts.by_target_and_step(answer, truth, points)
    assert by_target == {
        "load": {"own_mae": [0, 2, 4], "mase": [0, 0.5, 1]},
        "wind": {"own_mae": [0, 1, 2], "mase": [0, 1, 2]},
    }
    rows = forecasts.step_rows(steps, by_target)
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[1] == {
        "step": 2, "mse": 2.5, "mae": 1.5, "mase": 0.75,
        "own_mae of load": 2, "own_mae of wind": 1, "mse of linear": 0,
    }  # fmt: skip


def test_a_table_of_a_long_horizon_has_some_of_its_steps() -> None:
    rows = forecasts.step_rows({"network": {"mse": [float(step) for step in range(1, 97)]}}, {})
    assert len(rows) <= forecasts.MOST_SHOWN and all(row["mse"] == row["step"] for row in rows)
    assert (rows[0]["step"], rows[-1]["step"]) == (1, 96) and forecasts.step_rows({}, {}) == []


def test_a_band_of_validation_errors_holds_as_many_of_them_as_it_says_at_each_step() -> None:
    random = np.random.default_rng(0)
    errors = random.normal(size=(2_000, 3, 1)) * np.array([1.0, 2.0, 4.0])[:, None]
    points = random.normal(size=errors.shape)
    band = forecasts.error_band(ANSWER, ANSWER.own(points + errors), points)
    assert band is not None and band.nominal == pytest.approx(0.8)
    assert band.coverage(ANSWER, ANSWER.own(points + errors), points) == pytest.approx(0.8, abs=0.005)
    width = band.offsets[:, 0, 1] - band.offsets[:, 0, 0]
    np.testing.assert_allclose(width / width[0], [1, 2, 4], rtol=0.1)
    assert band.coverage(ANSWER, ANSWER.own(points + 2 * errors), points) < 0.6
    assert forecasts.error_band(ANSWER, ANSWER.own(points[:9]), points[:9]) is None


def test_a_network_that_loses_to_a_line_is_warned_of_and_skill_is_stated_first() -> None:
    baselines = {"naive": {"mse": 2.0}, "linear": {"mse": 0.5}}
    (warning,) = forecasts.warnings_for(ANSWER, {"mse": 0.6}, baselines, {}, truths=1000)
    assert "does not beat the baseline linear (0.5). A line solved exactly does as well" in warning
    assert not forecasts.warnings_for(ANSWER, {"mse": 0.4}, baselines, {}, truths=1000)
    (leak,) = forecasts.warnings_for(ANSWER, {"mse": 0.2}, baselines, {"mse": 0.3}, truths=1000)
    assert "leaked" in leak
    skill = forecasts.skill({"mse": 0.6}, baselines)
    assert skill == pytest.approx({"naive": 0.7, "linear": -0.2})
    said = headline(
        {"task": "forecasting", "data": {"test_rows": 9, "name": "x"}, "test": {"mse": 0.6}, "skill": skill}
    )
    assert "20.0% above that of linear, 70.0% below that of naive" in said


def test_an_interval_that_holds_too_few_truths_is_warned_of() -> None:
    answer = ForecastAnswer(("load",), (0.0,), (1.0,), (1.0,), quantiles=(0.1, 0.5, 0.9))
    test = {"mse": 0.1, "coverage_80": 0.5}
    assert "50% of the test truths" in forecasts.warnings_for(answer, test, {}, {}, truths=1000)[0]
    assert not forecasts.warnings_for(answer, {**test, "coverage_80": 0.78}, {}, {}, truths=1000)


def examples(rows: int, start: int) -> Examples:
    """Windows of 8 steps of two series that a line continues exactly: a season of 4 and a slope."""
    steps = np.arange(start, start + rows + 12)
    series = np.stack([np.sin(steps * np.pi / 2) + 0.01 * steps, np.cos(steps * np.pi / 2)], axis=1)
    index = np.arange(rows)[:, None]
    past = StandardWindows([series[:, place][index + np.arange(8)] for place in (0, 1)], (Channel("a"), Channel("b")))
    return Examples({"past": past}, series[index + np.arange(8, 12)])


def test_the_baselines_are_what_their_names_say() -> None:
    transform = SeriesInputs((Channel("a"), Channel("b")), window=8, horizon=4, targets=2, season=4)
    answer = ForecastAnswer(("a", "b"), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0), season=4)
    train, validation, test = examples(60, 0), examples(20, 60), examples(20, 80)
    found = forecast_baselines.forecasts(transform, answer, train, validation, test, refit=False)
    past, truth = test.inputs["past"].take(np.arange(20)), np.asarray(test.targets)
    np.testing.assert_array_equal(found["naive"], np.repeat(past[:, -1:], 4, axis=1))
    np.testing.assert_array_equal(found["seasonal_naive"], past[:, -4:])
    assert np.abs(found["linear"] - truth).max() < 0.02  # a line continues both
    again = forecast_baselines.forecasts(transform, answer, train, validation, test, refit=True)
    assert np.abs(again["linear"] - truth).max() < 0.02


def test_a_season_that_the_window_does_not_hold_is_no_baseline() -> None:
    transform = SeriesInputs((Channel("a"), Channel("b")), window=8, horizon=4, targets=2, season=24)
    answer = ForecastAnswer(("a", "b"), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
    found = forecast_baselines.forecasts(transform, answer, examples(30, 0), examples(9, 30), examples(9, 39))
    assert set(found) == {"naive", "linear"}


def test_steps_to_forecast_are_scaled_when_they_are_asked_for() -> None:
    steps = ScaledSteps(np.array([[[12.0], [8.0]], [[10.0], [14.0]]]), np.array([10.0]), np.array([2.0]))
    np.testing.assert_array_equal(steps.take(np.array([1])), [[[0.0], [2.0]]])
    assert len(steps) == 2 and steps.take(np.array([0])).dtype == np.float32
