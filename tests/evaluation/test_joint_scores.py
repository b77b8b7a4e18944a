"""Are the figures of several answers, and of their baselines, those that one counts by hand?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlkit.contracts import Examples
from dlkit.data.columns import strings
from dlkit.errors import DataError, SettingsError
from dlkit.evaluation.baselines import baselines, warnings_for
from dlkit.evaluation.scores import better, higher_is_better, main_figure, per_class, score
from dlkit.inference.answers import ClassAnswer, JointAnswer, ValueAnswer

ANSWER = JointAnswer(
    {
        "age": ValueAnswer("age", "years", mean=40.0, scale=10.0, spread=20.0),
        "gender": ClassAnswer(("female", "male")),
    }
)
TARGETS = {"gender": strings(["male", "female", "male", "male"]), "age": np.array([30.0, 50.0, 70.0, 10.0])}
OUTPUTS = np.array([[0.0, 0.9], [0.0, 0.6], [2.0, 0.8], [-2.0, 0.3]])
"""Ages 40, 40, 60, 20, each 10 years off; two of four genders."""


def test_figures_of_each_answer_stand_behind_its_name() -> None:
    found = score("joint", ANSWER, TARGETS, OUTPUTS)
    ages = {"age_mae": 10.0, "age_mse": 100.0, "age_rmse": 10.0, "age_r2": 1 - 400 / 2000}
    # Of "female" nothing is found (F1 0); of "male" two of three, and one too many: F1 2 / 3.
    genders = {"gender_accuracy": 0.5, "gender_macro_f1": 1 / 3, "gender_roc_auc": 2 / 3}
    loss = -np.mean(np.log([0.9, 0.4, 0.8, 0.3]))
    # 10 of 20 years, and one of two genders wrong.
    assert found == pytest.approx({"mean_error": (0.5 + 0.5) / 2, **ages, **genders, "gender_loss": loss})
    assert next(iter(found)) == "mean_error"


def test_classes_are_counted_for_each_answer_that_has_some() -> None:
    found = per_class(ANSWER, TARGETS, OUTPUTS)
    assert [(row["target"], row["label"], row["recall"], row["support"]) for row in found] == [
        ("gender", "female", 0.0, 1),
        ("gender", "male", pytest.approx(2 / 3), 3),
    ]


def test_the_mean_error_is_0_where_all_is_right_and_lower_is_better() -> None:
    right = np.array([[-1.0, 1.0], [1.0, 0.0], [3.0, 1.0], [-3.0, 1.0]])
    found = score("joint", ANSWER, TARGETS, right)
    assert found["mean_error"] == 0 and found["age_mae"] == 0 and found["gender_accuracy"] == 1
    assert main_figure("joint") == ("mean_error", "min")
    assert better("joint", found, score("joint", ANSWER, TARGETS, OUTPUTS))


def test_figures_behind_a_name_are_best_where_those_of_the_answer_are() -> None:
    assert higher_is_better("gender_accuracy") and higher_is_better("gender_roc_auc") and higher_is_better("age_r2")
    assert not any(map(higher_is_better, ("age_mae", "gender_loss", "mean_error")))


def test_targets_must_fit_the_answers() -> None:
    for targets in ({"age": TARGETS["age"]}, TARGETS["age"]):
        with pytest.raises(DataError, match=r"Expected targets \['age', 'gender'\]"):
            score("joint", ANSWER, targets, OUTPUTS)
    with pytest.raises(SettingsError, match="joint needs several answers, got ClassAnswer"):
        score("joint", ANSWER.parts["gender"], TARGETS, OUTPUTS)


def people(rows: int, seed: int) -> Examples:
    """Age lies in the first feature, gender in the sign of the second; the others are noise."""
    features = np.random.default_rng(seed).standard_normal((rows, 4)).astype(np.float32)
    ages = 40 + 20.0 * features[:, 0].astype(np.float64)
    genders = np.array(["female", "male"], object)[(features[:, 1] > 0).astype(int)]
    return Examples({"features": features}, {"age": ages, "gender": genders})


def fixed(ages: list[float], genders: list[str]) -> Examples:
    return Examples(
        {"features": np.zeros((len(ages), 1), np.float32)}, {"age": np.array(ages), "gender": strings(genders)}
    )


def test_constant_answers_are_the_mean_and_the_majority() -> None:
    train = fixed([20, 30, 40, 50], ["male", "male", "male", "female"])
    test = fixed([25, 55], ["male", "female"])
    found = baselines("joint", ANSWER, train, train, test, seed=0)["constant"]
    # All ages 35: 10 and 20 years off. All "male", with a probability of 3 / 4: one of two right.
    assert found["age_mae"] == pytest.approx(15) and found["age_mse"] == pytest.approx(250)
    assert found["gender_accuracy"] == 0.5
    assert found["gender_loss"] == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)
    assert found["mean_error"] == pytest.approx((15 / 20 + 0.5) / 2)


def test_linear_models_learn_each_answer_and_beat_the_constant_ones() -> None:
    parts = [people(300, seed) for seed in range(3)]
    found = baselines("joint", ANSWER, *parts, seed=0)
    assert list(found) == ["constant", "linear"]
    assert found["linear"]["age_mae"] < 1 and found["linear"]["gender_accuracy"] > 0.95
    assert better("joint", found["linear"], found["constant"])
    assert set(found["linear"]) == set(score("joint", ANSWER, parts[2].targets or {}, np.full((300, 2), 0.4)))


def test_a_baseline_that_there_is_not_is_refused() -> None:
    parts = [people(20, seed) for seed in range(3)]
    with pytest.raises(SettingsError, match="There is no baseline 'trees'"):
        baselines("joint", ANSWER, *parts, seed=0, extra=["trees"])


def test_baselines_of_several_answers_need_a_target_for_each() -> None:
    one = Examples({"features": np.zeros((9, 2), np.float32)}, np.zeros(9))
    with pytest.raises(DataError, match="Several answers need a target each"):
        baselines("joint", ANSWER, one, one, one, seed=0)


def test_a_network_that_loses_to_constant_answers_is_told_to_have_learned_nothing() -> None:
    constant = {"constant": {"mean_error": 0.5}, "linear": {"mean_error": 0.3}}
    first, second = warnings_for("joint", {"mean_error": 0.6}, constant, {}, sample=False)
    assert first.startswith("The network (mean_error 0.6) does not beat the constant baseline (0.5). It has learned")
    assert second.startswith("The network (mean_error 0.6) does not beat the linear baseline (0.3). Use the simpler")
    assert warnings_for("joint", {"mean_error": 0.2}, constant, {}, sample=False) == []


def test_figures_beyond_the_best_and_rare_classes_of_one_answer_are_said() -> None:
    best, figures = {"age_mae": 2.4, "gender_accuracy": 0.8}, {"mean_error": 0.0, "age_mae": 1.0}
    (leak,) = warnings_for("joint", {**figures, "gender_accuracy": 0.8}, {}, best, sample=True)
    assert leak.startswith("The test age_mae 1 is better than the best possible on this sample (2.4)")
    (leak,) = warnings_for("joint", {"mean_error": 0.1, "gender_accuracy": 0.99}, {}, best, sample=True)
    assert leak.startswith("The test gender_accuracy 0.99 is better")
    train = {"age": np.arange(20.0), "gender": strings(["male"] * 17 + ["female"] * 3)}
    (rare,) = warnings_for("joint", {"mean_error": 0.1}, {}, {}, sample=False, train=train)
    assert rare.startswith("1 of 2 classes have fewer than 10 training examples: female (3)")
