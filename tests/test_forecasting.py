"""Does the task of forecasting learn from a series in the order of time, by the loss that its answer asks for?"""

from __future__ import annotations

import numpy as np
import pytest
from keras import losses

from dlkit.contracts import Examples, Joined
from dlkit.data.series import SeriesData
from dlkit.errors import DataError, SettingsError
from dlkit.forecasting import Forecasting, naive_error
from dlkit.training.losses import Pinball, named

SPLITS = SeriesData(window=24, horizon=4).load("sample", say=lambda _: None)


def test_targets_are_standardised_by_the_training_part() -> None:
    task = Forecasting()
    answer = task.fit(SPLITS.train, "load")
    steps = task.encode(answer, SPLITS.train.targets)
    part = SPLITS.train.part["load"]  # type: ignore[attr-defined]  # a part of a series
    first = (part[24:28] - part.mean()) / part.std()
    np.testing.assert_allclose(steps.take(np.array([0]))[0, :, 0], first, atol=1e-6)
    assert answer.naive_error == (np.abs(part[24:] - part[:-24]).mean(),)
    assert task.heads(answer)["forecast"].units == 1 and task.sizes(answer) == {"quantiles": 1, "median": 0}


def test_windows_of_two_parts_are_joined_without_copies() -> None:
    task = Forecasting()
    answer = task.fit(SPLITS.train, "load")
    some = [Examples({"past": np.zeros((len(split), 1))}, split.targets) for split in (SPLITS.train, SPLITS.validation)]
    both = some[0].joined(some[1])
    assert isinstance(both.targets, Joined)
    steps = task.encode(answer, both.targets)
    assert len(steps) == len(SPLITS.train) + len(SPLITS.validation)
    last = np.array([len(steps) - 1])
    alone = task.encode(answer, SPLITS.validation.targets).take(np.array([len(SPLITS.validation) - 1]))
    np.testing.assert_array_equal(steps.take(last), alone)


def test_rows_that_are_no_series_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"data=SeriesData"):
        Forecasting().fit(SPLITS.train.take(np.array([2, 1])), "load")
    with pytest.raises(DataError):
        Forecasting().encode(Forecasting().fit(SPLITS.train, "load"), None)


@pytest.mark.parametrize("quantiles", [(0.1, 0.9), (0.9, 0.5, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.2)])
def test_quantiles_ascend_and_hold_the_median(quantiles: tuple[float, ...]) -> None:
    with pytest.raises(SettingsError, match=r"task.quantiles"):
        Forecasting(quantiles=quantiles)


def test_the_network_is_told_which_quantile_is_the_forecast() -> None:
    task = Forecasting(quantiles=(0.5, 0.9))
    assert task.sizes(task.fit(SPLITS.train, "load")) == {"quantiles": 2, "median": 0}


def test_the_loss_of_quantiles_is_least_at_them() -> None:
    task = Forecasting(quantiles=(0.1, 0.5, 0.9))
    answer = task.fit(SPLITS.train, "load")
    loss = named(task.loss(answer))
    assert isinstance(loss, Pinball) and answer.units == 3
    assert task.sizes(answer) == {"quantiles": 3, "median": 1}
    truth = np.sort(np.random.default_rng(0).normal(size=2_000)).reshape(-1, 1, 1).astype(np.float32)
    best = np.quantile(truth, [0.1, 0.5, 0.9])

    def cost(quantiles: np.ndarray) -> float:
        return float(loss(truth, np.tile(quantiles.astype(np.float32), (2_000, 1, 1))))

    assert cost(best) < min(cost(best + step) for step in (-0.2, 0.2))
    again = losses.deserialize(losses.serialize(loss))
    assert isinstance(again, Pinball) and again.shares == loss.shares


def test_two_targets_have_their_quantiles_side_by_side() -> None:
    loss = Pinball((0.1, 0.5, 0.9))
    truth, answers = np.array([[[1.0, 2.0]]]), np.array([[[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]]])
    assert float(loss(truth, answers)) == 0
    assert float(loss(truth, answers[..., ::-1])) > 0


def test_the_yardstick_is_the_season_or_else_the_step_before() -> None:
    assert naive_error(np.array([1.0, 5.0, 2.0, 6.0]), 2) == 1
    assert naive_error(np.array([1.0, 3.0]), 24) == 2
    assert naive_error(np.array([1.0, 1.0, 1.0]), 1) == 1
