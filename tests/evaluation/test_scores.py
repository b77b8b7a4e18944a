"""Are the figures those that scikit-learn and Keras would give?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from dlkit.errors import DataError, SettingsError, TrainingError
from dlkit.evaluation.mistakes import worst_mistakes
from dlkit.evaluation.scores import better, confusion, main_figure, per_class, score
from dlkit.inference.answers import ClassAnswer, ValueAnswer

THREE = ClassAnswer(("a", "b", "c"))


def test_binary_figures_agree_with_scikit_learn_and_with_hand_counting(classes):
    answer, targets, outputs = classes
    found = score("classification", answer, targets, outputs)
    truth = targets == "pos"
    assert found["accuracy"] == pytest.approx(np.mean((outputs[:, 0] > 0.5) == truth))
    assert found["roc_auc"] == pytest.approx(roc_auc_score(truth, outputs[:, 0]))
    assert found["loss"] == pytest.approx(log_loss(truth, outputs[:, 0].astype(float)), abs=1e-6)


def test_three_classes_have_a_macro_f1_and_no_roc_auc():
    outputs = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    found = score("classification", THREE, np.array(["a", "b", "b", "c"], object), outputs)
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert found["loss"] == pytest.approx(-(np.log([0.8, 0.7, 0.3, 0.8])).mean())
    assert "roc_auc" not in found


def test_the_loss_of_a_certain_mistake_is_clipped_as_keras_does():
    found = score("classification", THREE, np.array(["a"], object), np.array([[0.0, 1.0, 0.0]]))
    assert found["loss"] == pytest.approx(-math.log(1e-7))


def test_roc_auc_is_left_out_where_only_one_class_occurs():
    answer = ClassAnswer(("neg", "pos"))
    assert "roc_auc" not in score("classification", answer, np.array(["pos", "pos"], object), np.array([[0.9], [0.2]]))


def test_a_label_that_training_never_saw_counts_as_wrong_and_is_shown():
    targets = np.array(["a", "zebra"], object)
    outputs = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0]])
    assert score("classification", THREE, targets, outputs)["accuracy"] == 0.5
    table = confusion(THREE, targets, outputs)
    assert table.labels == ("a", "b", "c", "zebra")
    assert table.counts[3].tolist() == [1, 0, 0, 0]


def test_regression_is_judged_in_the_targets_own_units():
    answer = ValueAnswer("price", "k$", mean=20.0, scale=10.0)
    found = score("regression", answer, np.array([10.0, 30.0]), np.array([[-1.0], [1.4]]))
    assert found == pytest.approx({"mae": 2.0, "mse": 8.0, "rmse": math.sqrt(8), "r2": 0.92})


def test_one_row_has_no_r2():
    found = score("regression", ValueAnswer("x"), np.array([1.0]), np.array([[3.0]]))
    assert found == {"mae": 2.0, "mse": 4.0, "rmse": 2.0}


def test_per_class_counts_each_class_also_those_never_answered():
    table = per_class(THREE, np.array(["a", "a", "b"], object), np.array([[0.9, 0, 0], [0, 0.9, 0], [0, 0.9, 0]]))
    assert table[0] == {"label": "a", "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}
    assert table[2] == {"label": "c", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_better_knows_which_way_is_up():
    assert better("classification", {"accuracy": 0.9}, {"accuracy": 0.8})
    assert better("regression", {"mae": 1.0}, {"mae": 2.0})
    assert not better("regression", {"mae": 2.0}, {"mae": 2.0})
    assert main_figure("regression") == ("mae", "min")


def test_outputs_that_are_no_numbers_are_an_error_not_a_figure():
    with pytest.raises(TrainingError, match="1 of 2 rows with NaN"):
        score("regression", ValueAnswer("x"), np.array([1.0, 2.0]), np.array([[1.0], [np.nan]]))


@pytest.mark.parametrize(("targets", "outputs"), [([], np.zeros((0, 1))), ([1.0], np.zeros((2, 1)))])
def test_rows_that_do_not_fit_are_an_error(targets, outputs):
    with pytest.raises(DataError, match="expected"):
        score("regression", ValueAnswer("x"), np.array(targets), outputs)


def test_an_unknown_task_names_the_known_ones():
    with pytest.raises(SettingsError, match="Did you mean 'regression'"):
        score("regresion", ValueAnswer("x"), np.zeros(1), np.zeros((1, 1)))


def test_a_task_with_the_wrong_kind_of_answer_is_an_error():
    with pytest.raises(SettingsError, match="needs an answer with classes"):
        score("classification", ValueAnswer("x"), np.zeros(1), np.zeros((1, 1)))


def test_the_mistake_it_is_most_sure_of_comes_first_and_right_answers_do_not_come():
    inputs = {"text": np.array(["fine", "so so", "bad\x00\nfilm " + 500 * "x"], object)}
    targets = np.array(["pos", "neg", "neg"], object)
    found = worst_mistakes(
        "classification", ClassAnswer(("neg", "pos")), inputs, targets, np.array([[0.9], [0.6], [0.97]])
    )
    assert [mistake["row"] for mistake in found] == [2, 1]
    assert found[0]["input"].startswith("bad film xxx")
    assert len(found[0]["input"]) <= 400
    assert found[1] | {"input": "so so", "truth": "neg", "answer": "pos", "sureness": "60.0% sure"} == found[1]


def test_the_largest_error_of_a_table_is_shown_with_all_its_columns():
    inputs = {"rooms": np.array([3.0, np.nan]), "river": np.array(["yes", None], object)}
    found = worst_mistakes(
        "regression", ValueAnswer("price", "k$"), inputs, np.array([10.0, 50.0]), np.array([[11.0], [20.0]])
    )
    assert found[0]["input"] == {"rooms": "missing", "river": "missing"}
    assert found[0]["sureness"] == "-30.00 k$"
    assert found[1]["input"] == {"rooms": "3.000", "river": "yes"}


def test_top_3_accuracy_counts_rows_whose_class_is_among_the_three_most_probable():
    answer = ClassAnswer(tuple("abcde"))
    outputs = np.array([[0.5, 0.3, 0.1, 0.06, 0.04]] * 5)
    found = score("classification", answer, np.array([*"abcde"], object), outputs)
    assert (found["accuracy"], found["top_3_accuracy"]) == (0.2, 0.6)
    unknown = score("classification", answer, np.array(["a", "zebra"], object), outputs[:2])
    assert unknown["top_3_accuracy"] == 0.5


def test_top_3_accuracy_is_that_of_all_rows_at_once_for_many_rows():
    rng = np.random.default_rng(0)
    outputs = rng.dirichlet(np.ones(46), 2_500)
    labels = np.array([f"topic {number:02}" for number in range(46)], object)
    truth = rng.integers(0, 46, 2_500)
    found = score("classification", ClassAnswer(tuple(labels)), labels[truth], outputs)
    expected = (np.argsort(-outputs, axis=1)[:, :3] == truth[:, None]).any(axis=1).mean()
    assert found["top_3_accuracy"] == pytest.approx(expected)


def test_three_classes_have_no_top_3_accuracy_since_it_would_always_be_1():
    outputs = np.eye(3)
    assert "top_3_accuracy" not in score("classification", THREE, np.array([*"abc"], object), outputs)
