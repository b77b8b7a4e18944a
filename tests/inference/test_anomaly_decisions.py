"""Are scores calibrated, thresholds what their rule says, and alarms explained?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.errors import DataError, SettingsError
from dlkit.inference.anomalies import (
    AnomalyAnswer,
    best_f1_threshold,
    contributions,
    events,
    extreme_threshold,
    fit_tail,
    quantile_threshold,
    scores,
    usual_errors,
)

RNG = np.random.default_rng(5)
NORMAL = RNG.normal(size=(4_000, 6, 2)) * (0.1, 3.0)


@pytest.fixture(scope="module")
def answer() -> AnomalyAnswer:
    return AnomalyAnswer(("flow", "heat"), window=6).calibrated(NORMAL, rate=1e-3)


def test_a_normal_window_scores_about_one_whatever_the_unit_of_its_channels(answer: AnomalyAnswer) -> None:
    assert answer.scores(NORMAL).mean() == pytest.approx(1, abs=1e-6)
    thousandfold = AnomalyAnswer(("flow", "heat"), window=6).calibrated(NORMAL * 1_000)
    assert np.allclose(thousandfold.scores(NORMAL * 1_000), answer.scores(NORMAL))


def test_rounding_is_no_deviation_where_all_is_reproduced_exactly() -> None:
    rounding = 1e-7 * NORMAL / np.abs(NORMAL).max()
    exact = AnomalyAnswer(("flow", "heat"), window=6).calibrated(rounding)
    assert exact.scores(rounding).max() < 1e-5 and exact.threshold == 1e-3
    assert exact.decisions(exact.scores(rounding + 0.01)).all()


def test_contributions_sum_to_the_score() -> None:
    level = usual_errors(NORMAL)
    for newest in (0, 1, 2, 6, 9):
        parts = contributions(NORMAL, level, newest=newest)
        assert np.allclose(parts.sum(axis=(1, 2)), scores(NORMAL, level, newest=newest))
    assert not contributions(NORMAL, level, newest=2)[:, :-2].any()


def test_an_alarm_names_the_channel_and_the_moment_that_made_it(answer: AnomalyAnswer) -> None:
    odd = np.zeros((1, 6, 2))
    odd[0, 4, 0] = 5.0
    (found,) = answer.decode(odd.reshape(1, 12))
    assert found["anomaly"] is True
    assert found["channels"] == pytest.approx({"flow": 1.0, "heat": 0.0})
    assert np.argmax(found["moments"]) == 4
    assert sum(found["moments"]) == pytest.approx(1)
    assert found["rarity"] < 1e-6


def test_a_window_reproduced_exactly_is_no_alarm_and_divides_by_nothing(answer: AnomalyAnswer) -> None:
    (found,) = answer.decode(np.zeros((1, 6, 2)))
    assert (found["score"], found["anomaly"], found["rarity"]) == (0.0, False, 1.0)
    assert set(found["channels"].values()) == {0.0}


def test_a_channel_that_never_erred_alarms_at_its_first_error() -> None:
    still = NORMAL.copy()
    still[..., 0] = 0
    answer = AnomalyAnswer(("still", "heat"), window=6).calibrated(still)
    first = np.zeros((1, 6, 2))
    first[0, 5, 0] = 0.1
    assert answer.decisions(answer.scores(first)).all()


def test_an_overflowing_or_missing_residual_is_an_alarm_with_a_finite_score(answer: AnomalyAnswer) -> None:
    for value in (np.inf, np.nan, 1e200):
        found = answer.scores(np.full((1, 6, 2), value))
        assert np.isfinite(found).all()
        assert answer.decisions(found).all()
    assert np.isnan(answer.comparable(np.full((1, 6, 2), np.nan))).all()


@pytest.mark.parametrize(("shape", "name"), [(0.3, "heavy"), (0.0, "exponential"), (-0.2, "bounded")])
def test_the_extreme_value_rule_finds_rates_beyond_what_was_seen(shape: float, name: str) -> None:
    from scipy.stats import genpareto

    truth = genpareto(shape)
    seen = truth.rvs(20_000, random_state=3)
    assert extreme_threshold(seen, 1e-5) == pytest.approx(truth.isf(1e-5), rel=0.35), name
    tail = fit_tail(seen)
    assert tail.probability(np.array([tail.threshold(1e-4)])) == pytest.approx(1e-4)


def test_the_tail_agrees_with_the_quantile_where_rows_are_many() -> None:
    seen = RNG.chisquare(6, size=50_000)
    assert extreme_threshold(seen, 1e-3) == pytest.approx(quantile_threshold(seen, 0.999), rel=0.05)


@pytest.mark.parametrize("rate", [0.019, 0.05, 0.1, 0.3, 0.6])
def test_a_rate_of_many_rows_is_kept_too(rate: float) -> None:
    seen = RNG.chisquare(6, size=5_000)
    assert (seen > extreme_threshold(seen, rate)).mean() == pytest.approx(rate, rel=0.1)


def test_neighbouring_peaks_are_one_event() -> None:
    bursts = np.zeros(10_000)
    bursts[np.arange(0, 10_000, 100)[:, None] + np.arange(5)] = 1 + RNG.exponential(size=(100, 1))
    assert fit_tail(bursts, quantile=0.9).share == pytest.approx(0.05)
    assert fit_tail(bursts, quantile=0.9, gap=10).share == pytest.approx(0.01)


@pytest.mark.parametrize("seen", [np.ones(50), np.zeros(3), np.array([1.0])])
def test_constant_scores_give_a_threshold_and_no_crash(seen: np.ndarray) -> None:
    assert extreme_threshold(seen, 1e-3) == seen[0]
    assert quantile_threshold(seen) == seen[0]


def test_best_f1_separates_what_can_be_separated() -> None:
    found = np.array([0.1, 0.2, 0.2, 0.8, 0.9, 0.3])
    labels = np.array([0, 0, 0, 1, 1, 0], bool)
    assert best_f1_threshold(found, labels) == pytest.approx(0.55)


def test_best_f1_is_the_best_of_all_thresholds_with_ties() -> None:
    from sklearn.metrics import f1_score

    found = RNG.integers(0, 12, size=300).astype(float)
    labels = RNG.random(300) < found / 15
    best = max(f1_score(labels, found > t) for t in np.arange(-0.5, 12))
    assert f1_score(labels, found > best_f1_threshold(found, labels)) == pytest.approx(best)


def test_best_f1_needs_both_kinds() -> None:
    with pytest.raises(DataError, match=r"0 anomalies of 3 labelled rows.*extreme"):
        best_f1_threshold(np.arange(3.0), np.zeros(3, bool))
    with pytest.raises(DataError, match="0 anomalies of 0 labelled rows"):
        best_f1_threshold(np.zeros(0), np.zeros(0, bool))


def test_bad_calibrations_say_what_to_do() -> None:
    fresh = AnomalyAnswer(("a",))
    with pytest.raises(DataError, match="no held-out normal rows"):
        fresh.calibrated(np.zeros((0, 1)))
    with pytest.raises(DataError, match=r"not finite.*learning rate"):
        fresh.calibrated(np.full((9, 1), np.nan))
    with pytest.raises(SettingsError, match=r"task\.rate.*got 2"):
        fresh.calibrated(np.ones((9, 1)), rate=2)
    with pytest.raises(SettingsError, match=r"task\.rule"):
        AnomalyAnswer(("a",), rule="guess")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"task\.newest"):
        AnomalyAnswer(("a",), newest=-1)


def test_rarity_falls_from_one_to_zero_as_scores_rise(answer: AnomalyAnswer) -> None:
    rising = answer.rarity(np.linspace(0, 50, 2_000))
    assert rising[0] == 1
    assert rising[-1] < 1e-6
    assert (np.diff(rising) <= 1e-3).all()


def test_the_newest_rows_alone_make_the_score() -> None:
    answer = AnomalyAnswer(("flow", "heat"), window=6, newest=2).calibrated(NORMAL)
    assert answer.scores(NORMAL).mean() == pytest.approx(1, abs=1e-6)
    old = np.zeros((1, 6, 2))
    old[0, 3] = 1e3
    assert answer.scores(old) == 0


def test_what_is_saved_decides_alike(tmp_path: Path, answer: AnomalyAnswer) -> None:
    answer.save(tmp_path)
    loaded = AnomalyAnswer.load(json.loads((tmp_path / "answer.json").read_text(encoding="utf-8")))
    assert loaded == answer


def test_artefacts_agree_but_for_rows_on_the_edge(answer: AnomalyAnswer) -> None:
    edge = np.log1p(answer.threshold)
    ours = np.array([[edge - 1e-5], [edge - 0.1], [edge + 0.2]])
    theirs = np.array([[edge + 1e-5], [edge + 0.1], [edge + 0.4]])
    assert answer.agrees(ours, theirs).tolist() == [True, False, True]
    assert answer.comparable(NORMAL[:3]).shape == (3, 1)


def test_a_row_of_a_table_is_a_window_of_one() -> None:
    rows = NORMAL[:, 0]
    answer = replace(AnomalyAnswer(("flow", "heat")), rule="quantile").calibrated(rows, rate=0.01)
    assert answer.decisions(answer.scores(rows)).mean() == pytest.approx(0.01, abs=1e-3)
    assert "moments" not in answer.decode(rows[:1])[0]


def test_events_are_runs_and_small_gaps_are_bridged() -> None:
    flags = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1], bool)
    assert events(flags).tolist() == [[1, 3], [4, 5], [8, 9]]
    assert events(flags, gap=1).tolist() == [[1, 5], [8, 9]]
    assert events(np.zeros(4, bool)).shape == (0, 2)
