"""Are events, false alarms, baselines and silent failures of a detector what they are said to be?"""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.errors import DataError
from dlkit.evaluation.anomalies import (
    count_events,
    events_at,
    pages,
    row_figures,
    silent_failures,
)
from dlkit.evaluation.anomaly_baselines import isolation_forest, windowed_gaussian
from dlkit.evaluation.nab_score import Stream

RNG = np.random.default_rng(2)


def test_row_figures_are_those_of_the_textbook() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1], bool)
    found = row_figures(np.array([0.1, 0.2, 0.3, 0.9, 0.8, 0.95]), labels, 0.5)
    assert found["roc_auc"] == pytest.approx(7 / 8)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx((2 / 3, 1, 0.8))
    assert found["alarm_share"] == 0.5


def test_rows_of_one_kind_have_no_ranking() -> None:
    found = row_figures(np.arange(4.0), np.zeros(4, bool), 2.5)
    assert found == {"alarm_share": 0.25}
    assert "roc_auc" not in row_figures(np.arange(4.0), np.ones(4, bool), 2.5)


def test_rows_and_labels_must_fit() -> None:
    with pytest.raises(DataError, match="3 labels do not fit 4 scores"):
        row_figures(np.arange(4.0), np.zeros(3, bool), 1)
    with pytest.raises(DataError, match="no rows"):
        row_figures(np.zeros(0), np.zeros(0, bool), 1)


def test_an_alarm_that_lasts_calls_again_after_the_quiet_time() -> None:
    flags = np.zeros(100, bool)
    flags[[3, 4, 12, 13, 14, 60]] = True
    assert pages(flags, 10).tolist() == [3, 13, 60]
    assert len(pages(np.ones(100, bool), 10)) == 10
    assert pages(np.zeros(5, bool), 3).tolist() == []


def test_events_and_false_alarms_a_week() -> None:
    flags = np.zeros(1_000, bool)
    flags[[5, 100, 101, 420, 700, 950]] = True
    counted = count_events(flags, np.array([[400, 450], [600, 650]]), rows_a_week=100, quiet=10, start=50)
    assert (counted.events, counted.found, counted.false_alarms) == (2, 1, 3)
    assert counted.weeks == pytest.approx((950 - 100) / 100)
    figures = counted.figures()
    assert (figures["event_recall"], figures["event_precision"]) == (0.5, 0.25)
    assert figures["false_alarms_a_week"] == pytest.approx(3 / 8.5)
    assert (counted + counted).false_alarms == 6
    quiet_week = count_events(np.zeros(100, bool), np.zeros((0, 2), np.int64), rows_a_week=100, quiet=10)
    assert quiet_week.figures() == {"false_alarms_a_week": 0}


def test_firing_always_is_no_way_to_find_events() -> None:
    one = Stream(np.ones(2_000), np.array([[1_000, 1_100]]))
    counted = events_at([one], 1.0, rows_a_week=[200], quiet=[20])
    assert (counted.found, counted.false_alarms) == (0, 0)


def test_the_lowest_threshold_within_the_budget_is_taken() -> None:
    scores = np.zeros(2_000)
    scores[[500, 900, 1_500]] = (3, 5, 4)
    scores[1_050] = 2
    one = Stream(scores, np.array([[1_000, 1_100]]))
    weeks = (2_000 - 300 - 100) / 200
    assert events_at([one], 2.9 / weeks, rows_a_week=[200], quiet=[20]).found == 0
    enough = events_at([one], 3.1 / weeks, rows_a_week=[200], quiet=[20])
    assert (enough.found, enough.false_alarms) == (1, 3)


def test_the_windowed_gaussian_forgets() -> None:
    values = np.r_[RNG.normal(size=300), 50 + RNG.normal(size=700)]
    found = windowed_gaussian(values, window=100, step=10)
    assert found[0] == 0
    assert found[300] > 20
    assert found[450:].max() < 6


@pytest.mark.parametrize(("window", "step"), [(100, 10), (64, 1), (2_000, 100)])
def test_the_windowed_gaussian_is_that_of_the_rows_before(window: int, step: int) -> None:
    values = RNG.normal(size=700) + 1e6
    found = windowed_gaussian(values, window=window, step=step)
    for row in (1, 50, 399, 650):
        stop = row if row <= window else window + (row - window) // step * step
        before = values[max(stop - window, 0) : stop]
        assert found[row] == pytest.approx(abs(values[row] - before.mean()) / max(before.std(), 1e-6), rel=1e-3)


def test_the_isolation_forest_finds_an_outlier() -> None:
    train = RNG.normal(size=(200, 4, 2))
    rows = np.concatenate([train[:20], np.full((1, 4, 2), 9.0)])
    found = isolation_forest(train, rows, seed=0)
    assert found.argmax() == 20
    assert np.array_equal(found, isolation_forest(train, rows, seed=0))


def test_constant_scores_are_told() -> None:
    (first, *_) = silent_failures(np.full(50, 0.25), 1.0)
    assert first.startswith("All 50 scores are 0.25")


def test_a_model_no_better_than_untrained_is_told() -> None:
    labels = np.arange(100) >= 90
    scores = np.where(labels, 5.0, 1.0) + RNG.random(100)
    assert silent_failures(scores, 4.0, labels=labels, untrained=RNG.random(100)) == []
    (found,) = silent_failures(scores, 4.0, labels=labels, untrained=scores * 3)
    assert "no better than before training: ROC AUC 1.000, untrained 1.000" in found
    (found,) = silent_failures(scores, 4.0, untrained=scores)
    assert "its median error is" in found


def test_anomalies_that_score_low_are_told() -> None:
    labels = np.arange(100) >= 90
    found = silent_failures(np.where(labels, 0.0, 1.0) + RNG.random(100), 1.9, labels=labels)
    assert any("lower than normal rows (ROC AUC 0.0" in one for one in found)


def test_a_threshold_that_fires_always_or_never_is_told() -> None:
    scores = RNG.random(100) + 1
    (found,) = silent_failures(scores, 0.5)
    assert "fires always: 100.0% of 100 rows" in found
    (found,) = silent_failures(scores, 0.5, labels=np.arange(100) >= 40, untrained=None)[-1:]
    assert "fires always" in found, "over half of the rows are anomalies, and normal ones are alarms too"
    (found,) = silent_failures(scores, 9.0)
    assert "never fires: no row of 100" in found
    assert silent_failures(scores, 9.0, labels=np.zeros(100, bool)) == []
    assert silent_failures(scores, float(np.median(scores))) == []
