"""Are the baselines strong, quick and blind to the test rows, and do warnings say what matters?"""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import sparse

from dlkit.contracts import Examples, Ragged
from dlkit.errors import DataError, SettingsError
from dlkit.evaluation.baselines import baselines, k_fold_baseline, warnings_for
from dlkit.evaluation.boosting import boosted_classifiers
from dlkit.evaluation.features import matrix, vocabulary_sizes
from dlkit.evaluation.scores import score
from dlkit.inference.answers import ClassAnswer, ValueAnswer
from dlkit.training.k_fold import split_folds

BINARY = ClassAnswer(("neg", "pos"))
PRICE = ValueAnswer("price", "k$")


def words(rows: int, *, size: int, length: int, seed: int, labels: tuple[str, ...] = ("neg", "pos")) -> Examples:
    """Rows of word ids, Zipf-like, in which the first words after 20 speak for a class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(labels), rows)
    ids = (size ** rng.random((rows, length))).astype(np.int32)
    hints = 20 + truth[:, None] + len(labels) * rng.integers(0, 30, (rows, 6))
    ids[:, :6] = np.where(rng.random((rows, 6)) < 0.4, hints, ids[:, :6])
    offsets = np.arange(rows + 1, dtype=np.int64) * length
    return Examples({"word_ids": Ragged(ids.ravel(), offsets)}, np.array(labels, object)[truth])


def table(rows: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, 4)).astype(np.float32)
    targets = 20 + 3 * features[:, 0] - 2 * features[:, 1] + 4 * np.sin(2 * features[:, 2]) + rng.standard_normal(rows)
    return Examples({"features": features}, targets.astype(np.float64))


def test_the_linear_model_learns_from_words_and_beats_the_majority():
    parts = [words(600, size=300, length=30, seed=seed) for seed in range(3)]
    found = baselines("classification", BINARY, *parts, seed=0)
    assert list(found) == ["majority", "linear"]
    assert found["linear"]["accuracy"] > 0.75 > found["majority"]["accuracy"]
    assert set(found["linear"]) == set(score("classification", BINARY, parts[2].targets, np.full((600, 1), 0.4)))


def test_many_classes_of_words_have_a_linear_model_too():
    labels = ("a", "b", "c", "d")
    parts = [words(500, size=400, length=30, seed=seed, labels=labels) for seed in range(3)]
    found = baselines("classification", ClassAnswer(labels), *parts, seed=0)
    assert found["linear"]["accuracy"] > 2 * found["majority"]["accuracy"]


def test_a_linear_model_on_15000_texts_of_10000_words_takes_less_than_3_seconds_and_stays_sparse():
    parts = [words(rows, size=10_000, length=130, seed=seed) for seed, rows in enumerate((15_000, 2_000, 2_000))]
    features = matrix(parts[0], vocabulary_sizes(parts[0]))
    assert sparse.issparse(features)
    assert features.data.nbytes + features.indices.nbytes < 30e6
    started = time.process_time()
    baselines("classification", BINARY, *parts, seed=0)
    assert time.process_time() - started < 3


def test_words_become_ones_however_often_they_occur_and_unknown_ids_and_padding_vanish():
    train = Examples({"ids": Ragged.from_lists([np.array([1, 2, 2]), np.array([3])])})
    sizes = vocabulary_sizes(train)
    ragged = Examples({"ids": Ragged.from_lists([np.array([2, 2, 9]), np.array([0, 1]), np.array([], int)])})
    padded = Examples({"ids": np.array([[2, 2, 9], [0, 1, 0], [0, 0, 0]], np.int32)})
    for examples in (ragged, padded):
        assert matrix(examples, sizes).toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_several_inputs_stand_side_by_side():
    numbers = np.array([[0.5, 1.5]], np.float32)
    dense = Examples({"a": numbers, "b": np.ones((1, 2, 2), np.uint8)})
    assert matrix(dense, vocabulary_sizes(dense)).tolist() == [[0.5, 1.5, 1, 1, 1, 1]]
    mixed = Examples({"a": numbers, "ids": Ragged.from_lists([np.array([2])])})
    assert matrix(mixed, vocabulary_sizes(mixed)).toarray().tolist() == [[0.5, 1.5, 0, 1]]


def test_baselines_leave_the_examples_of_the_network_as_they_are():
    parts = [words(60, size=50, length=20, seed=seed) for seed in range(3)]
    copies = [(part.inputs["word_ids"].values.copy(), part.inputs["word_ids"].offsets.copy()) for part in parts]
    baselines("classification", BINARY, *parts, seed=0)
    for part, (ids, offsets) in zip(parts, copies, strict=True):
        assert np.array_equal(part.inputs["word_ids"].values, ids)
        assert np.array_equal(part.inputs["word_ids"].offsets, offsets)


def test_boosting_beats_the_linear_model_where_the_truth_is_bent():
    found = baselines(
        "regression", PRICE, table(400, 0), table(150, 1), table(300, 2), seed=0, extra=["gradient_boosting"]
    )
    assert found["gradient_boosting"]["mae"] < 0.7 * found["linear"]["mae"] < found["mean"]["mae"]


def test_baselines_repeat_for_a_seed():
    parts = table(200, 0), table(80, 1), table(80, 2)
    first = baselines("regression", PRICE, *parts, seed=3, extra=["gradient_boosting"])
    assert first == baselines("regression", PRICE, *parts, seed=3, extra=["gradient_boosting"])


def test_settings_are_chosen_without_a_look_at_the_test_rows():
    train, validation, test = (table(120, seed) for seed in range(3))
    halves = [
        Examples({"features": test.inputs["features"][part]}, test.targets[part])
        for part in (slice(60), slice(60, 120))
    ]
    whole = baselines("regression", PRICE, train, validation, test, seed=0)["linear"]["mae"]
    apart = [baselines("regression", PRICE, train, validation, half, seed=0)["linear"]["mae"] for half in halves]
    assert whole == pytest.approx(np.mean(apart))


def test_refit_learns_from_the_validation_rows_too():
    train, validation, test = table(40, 0), table(400, 1), table(300, 2)
    apart = baselines("regression", PRICE, train, validation, test, seed=0)
    refit = baselines("regression", PRICE, train, validation, test, seed=0, refit=True)
    mean_of_both = np.concatenate([train.targets, validation.targets]).mean()
    assert refit["mean"]["mae"] == pytest.approx(np.abs(test.targets - mean_of_both).mean())
    assert refit["linear"]["mse"] < apart["linear"]["mse"]


def test_a_model_far_from_converged_does_not_bother_the_user(recwarn):
    train = table(300, 0)
    wild = Examples({"features": train.inputs["features"] * np.array([1e6, 1, 1e-6, 1], np.float32)}, train.targets)
    labelled = Examples(wild.inputs, np.where(train.targets > 20, "pos", "neg").astype(object))
    found = baselines("classification", BINARY, labelled, labelled, labelled, seed=0)
    assert found["linear"]["accuracy"] >= found["majority"]["accuracy"]
    assert not recwarn.list


def test_classes_of_a_row_or_two_do_not_bother_the_user(recwarn):
    labels = tuple(f"{number:02}" for number in range(30))
    rows = Examples({"features": table(50, 0).inputs["features"]}, np.array([*labels, *labels[:20]], object))
    found = baselines("classification", ClassAnswer(labels), rows, rows, rows, seed=0)
    assert found["linear"]["accuracy"] > found["majority"]["accuracy"]
    assert not recwarn.list


def test_boosting_learns_from_many_rows_with_one_of_a_class():
    rng = np.random.default_rng(0)
    features, targets = rng.random((10_100, 2)), np.array(["a", "b"] * 5_050, object)
    targets[7] = "once"
    (model,) = boosted_classifiers(features, targets, 0)
    assert "once" in model.fit(features, targets).classes_


def test_training_rows_of_one_class_give_that_class():
    one = Examples({"x": np.zeros((4, 1), np.float32)}, np.array(["pos"] * 4, object))
    found = baselines("classification", BINARY, one, one, one, seed=0, extra=["gradient_boosting"])
    assert {figures["accuracy"] for figures in found.values()} == {1.0}


def test_inputs_that_are_not_finite_are_our_error():
    bad = Examples({"features": np.array([[np.nan]], np.float32)}, np.array([1.0]))
    with pytest.raises(DataError, match=r"'features'.*NaN"):
        baselines("regression", PRICE, bad, bad, bad, seed=0)


def test_an_unknown_baseline_is_named_with_its_neighbour():
    part = table(10, 0)
    with pytest.raises(SettingsError, match="Did you mean 'gradient_boosting'"):
        baselines("regression", PRICE, part, part, part, seed=0, extra=["gradient_bosting"])


def test_boosting_on_words_is_refused_with_a_remedy():
    part = words(20, size=90, length=8, seed=0)
    with pytest.raises(SettingsError, match="'linear' is the strong one for text"):
        baselines("classification", BINARY, part, part, part, seed=0, extra=["gradient_boosting"])


def test_k_fold_baselines_use_the_networks_own_folds():
    rows = table(160, 0)
    features, folds = rows.inputs["features"], split_folds(160, 4, seed=0)
    found = k_fold_baseline("regression", PRICE, features, rows.targets, folds, seed=0)
    means = [np.abs(rows.targets[test] - rows.targets[train].mean()).mean() for train, test in folds]
    assert found["mean"]["mae"]["values"] == pytest.approx(means)
    assert found["gradient_boosting"]["mae"]["mean"] < found["mean"]["mae"]["mean"]
    assert len(found["gradient_boosting"]["mae"]["values"]) == 4


def test_a_network_that_loses_to_the_linear_model_is_told_so():
    found = warnings_for(
        "classification", {"accuracy": 0.871}, {"majority": {"accuracy": 0.5}, "linear": {"accuracy": 0.884}}, {}, False
    )
    assert len(found) == 1
    assert found[0].startswith("The network (accuracy 0.871) does not beat the linear baseline (0.884).")


def test_a_network_no_better_than_the_mean_has_learned_nothing():
    found = warnings_for("regression", {"mae": 6.0}, {"mean": {"mae": 6.0}, "linear": {"mae": 7.0}}, {}, False)
    assert len(found) == 1
    assert "learned nothing" in found[0]


@pytest.mark.parametrize(
    ("task", "test", "best", "leaks"),
    [
        ("classification", {"accuracy": 0.99}, {"accuracy": 0.9}, True),
        ("classification", {"accuracy": 0.905}, {"accuracy": 0.9}, False),
        ("regression", {"mae": 0.2}, {"mae": 1.0}, True),
        ("regression", {"mae": 0.97}, {"mae": 1.0}, False),
    ],
)
def test_a_figure_better_than_possible_is_a_leak_unless_it_is_luck(task, test, best, leaks):
    found = warnings_for(task, test, {}, best, True, rows=500)
    assert bool(found) is leaks
    assert all("better than the best possible on this sample" in warning for warning in found)


def test_classes_with_fewer_than_ten_training_examples_are_counted_and_the_rarest_named():
    train = np.array([*"a" * 30, *"b" * 10, *"c" * 9, *"d" * 2, *"e" * 2, "f", "g", "h"], object)
    (found,) = warnings_for("classification", {"accuracy": 0.9}, {}, {}, False, train=train)
    assert found.startswith(
        "6 of 8 classes have fewer than 10 training examples: f (1), g (1), h (1), d (2), e (2), …."
    )
    assert warnings_for("classification", {"accuracy": 0.9}, {}, {}, False, train=train[:40]) == []
    assert warnings_for("regression", {"mae": 1.0}, {}, {}, False, train=np.arange(5.0)) == []


def test_hundreds_of_classes_of_words_have_a_linear_model_in_a_second_or_two():
    labels = tuple(f"class {number:03}" for number in range(300))
    parts = [words(3_000, size=2_000, length=30, seed=seed, labels=labels) for seed in range(3)]
    started = time.process_time()
    found = baselines("classification", ClassAnswer(labels), *parts, seed=0)
    assert time.process_time() - started < 5
    assert found["linear"]["accuracy"] > 5 * found["majority"]["accuracy"]
    assert 1 >= found["linear"]["top_3_accuracy"] > found["linear"]["accuracy"]
