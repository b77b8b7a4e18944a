"""Does a network's output come back in own units, with quantiles in order?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.runs import read_json

POINTS = ForecastAnswer(("load", "wind"), (10.0, 0.0), (2.0, 0.5), (1.0, 1.0), season=24, unit="MW")
BANDS = ForecastAnswer(("load",), (1.0,), (0.5,), (1.0,), quantiles=(0.1, 0.5, 0.9), logarithm=True)


def test_targets_come_back_in_their_own_units() -> None:
    outputs = np.array([[[1.0, 2.0], [0.0, -2.0], [-1.0, 0.0]]])
    (answer,) = POINTS.decode(outputs)
    assert answer == {"forecast": {"load": [12, 10, 8], "wind": [1, -1, 0]}, "unit": "MW"}


def test_quantiles_are_put_in_order_and_the_median_is_the_forecast() -> None:
    outputs = np.log(np.array([[[4.0, 2.0, 8.0]]])) / 0.5 - 2.0
    (answer,) = BANDS.decode(outputs)
    assert answer["forecast"]["load"] == pytest.approx([4.0])  # type: ignore[index]  # an object
    found = answer["quantiles"]["load"]  # type: ignore[index]  # as above
    assert list(found) == ["0.1", "0.5", "0.9"]
    assert [values[0] for values in found.values()] == pytest.approx([2, 4, 8])


@pytest.mark.parametrize("answer", [POINTS, BANDS], ids=["points", "quantiles"])
def test_it_is_the_same_once_saved_and_loaded(answer: ForecastAnswer, tmp_path: Path) -> None:
    answer.save(tmp_path)
    assert ForecastAnswer.load(read_json(tmp_path / "answer.json")) == answer


def test_standardised_is_the_way_back() -> None:
    values = np.array([[[3.0], [9.0]]])
    np.testing.assert_allclose(BANDS.own(BANDS.standardised(values)), values)


def test_artefacts_agree_to_a_twentieth_of_a_deviation() -> None:
    ours = POINTS.comparable(np.zeros((2, 3, 2)))
    theirs = ours + np.array([[0.04], [0.06]])
    assert ours.shape == (2, 6) and POINTS.agrees(ours, theirs).tolist() == [True, False]
