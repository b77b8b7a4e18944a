"""Does k-fold validation judge every row once, by a network and a preprocessing that never saw it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from dlkit.contracts import ColumnKind, Split, Splits
from dlkit.errors import SettingsError
from dlkit.inference.tables import TableRows
from dlkit.models import dense
from dlkit.pipeline import Outcome, Prepared, prepare, train
from dlkit.preprocessing.tables import TableFeatures
from dlkit.recipe import Recipe
from dlkit.tasks import Regression
from dlkit.training.fit import fit
from dlkit.training.k_fold import cross_validate, split_folds, summarise
from dlkit.training.settings import Training

SEEN: list[list[float]] = []
"""The values of column "row" that each fit of the preprocessing saw, in the order of the fits."""


@dataclass(frozen=True)
class Spied(TableFeatures):
    """Table features that note which rows they are fitted on."""

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> TableRows:
        SEEN.append(train.inputs["row"].tolist())
        return super().fit(train, kinds)


class _Given:
    """Data that a test passes by."""

    def load(self, *_: object, **__: object) -> Splits:
        raise NotImplementedError


def part(first: int, last: int) -> Split:
    """Rows numbered from `first`; the number is a column, so that it can be seen who got which row."""
    numbers = np.arange(first, last, dtype=np.float64)
    rng = np.random.default_rng(first)
    inputs = {"row": numbers, "x": rng.standard_normal(len(numbers))}
    return Split(inputs, 2 * inputs["x"] + 0.1 * rng.standard_normal(len(numbers)))


def prepared(training: Training) -> Prepared:
    kinds: dict[str, ColumnKind] = {"row": "number", "x": "number"}
    splits = Splits(part(0, 25), part(25, 34), part(34, 44), kinds, "numbers", "made", "sha256:0", target_name="y")
    return prepare(Recipe(_Given(), Spied(), Regression(), dense.linear, training), splits)


def trained(training: Training, *, seed: int = 0) -> tuple[Prepared, Outcome]:
    SEEN.clear()
    ready = prepared(training)
    return ready, train(ready, seed=seed, say=lambda _: None)


@pytest.mark.parametrize(("rows", "k"), [(10, 2), (404, 4), (405, 4), (407, 4), (11, 5), (100, 50)])
@pytest.mark.parametrize("seed", [0, 1])
def test_folds_are_disjoint_cover_all_rows_and_are_of_equal_size(rows: int, k: int, seed: int) -> None:
    folds = split_folds(rows, k, seed)
    held_out = [part.tolist() for _, part in folds]
    assert len(folds) == k and sorted(row for part in held_out for row in part) == list(range(rows))
    sizes = [len(part) for part in held_out]
    assert max(sizes) - min(sizes) <= 1
    for inside, outside in folds:
        assert sorted([*inside.tolist(), *outside.tolist()]) == list(range(rows))


def test_folds_are_shuffled_by_their_seed() -> None:
    first, again, other = (np.concatenate([part for _, part in split_folds(60, 3, seed)]) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    assert first.tolist() != list(range(60))


def test_equal_rows_are_held_out_together() -> None:
    groups = np.arange(60) // 3
    folds = split_folds(60, 5, 0, groups=groups)
    assert sorted(np.concatenate([held for _, held in folds]).tolist()) == list(range(60))
    for rest, held in folds:
        assert len(held) == 12 and not set(groups[rest]) & set(groups[held])
    alone = split_folds(20, 5, 0, groups=np.arange(20))
    for (rest, held), (same, too) in zip(alone, split_folds(20, 5, 0), strict=True):
        assert rest.tolist() == same.tolist() and held.tolist() == too.tolist()
    with pytest.raises(SettingsError, match="need 10 different rows, the training has 4"):
        split_folds(40, 5, 0, groups=np.arange(40) // 10)


def test_a_class_that_training_would_lack_is_not_held_out() -> None:
    labels = np.array(["a", "b"] * 15, object)
    labels[4] = "rare"
    folds = split_folds(30, 3, 0, labels=[labels])
    assert all(4 in rest and 4 not in held for rest, held in folds)
    assert sum(len(held) for _, held in folds) == 29
    others = np.array(["x", "y"] * 15, object)
    others[7] = "once"
    folds = split_folds(30, 3, 0, labels=[labels, others])
    assert all({4, 7} <= set(rest) and not {4, 7} & set(held) for rest, held in folds)


def test_folds_that_would_hold_nothing_out_are_refused() -> None:
    labels = np.array(["a"] * 17 + ["b", "c", "d"], object)
    whole, refused = 0, 0
    for seed in range(60):
        try:
            assert all(len(held) for _, held in split_folds(20, 10, seed, labels=[labels]))
            whole += 1
        except SettingsError as error:
            assert "fewer folds" in str(error)
            refused += 1
    assert whole and refused


def test_a_figure_that_a_fold_lacks_is_left_out() -> None:
    several = summarise([{"mae": 1.0, "r2": 0.5}, {"mae": 3.0}, {"mae": 2.0, "r2": 0.1}])
    assert list(several) == ["mae"] and several["mae"]["mean"] == 2.0


def test_too_few_rows_for_the_folds_are_said() -> None:
    with pytest.raises(SettingsError, match="4 folds of at least 2 rows need 8 rows, the training has 7"):
        split_folds(7, 4, 0)


def test_the_deviation_is_that_of_a_sample() -> None:
    """Over k - 1, not k: the folds are a sample of all ways to split."""
    summary = summarise([{"mae": 1.0}, {"mae": 2.0}, {"mae": 4.0}])
    assert summary["mae"]["mean"] == pytest.approx(7 / 3)
    assert summary["mae"]["std"] == pytest.approx(((16 + 1 + 25) / 9 / 2) ** 0.5)
    assert summary["mae"]["values"] == [1.0, 2.0, 4.0]


def test_each_fold_is_called_once_with_its_rows_in_order() -> None:
    calls: list[int] = []

    def one(number: int, inside: np.ndarray, outside: np.ndarray) -> tuple[dict[str, float], list[dict[str, float]]]:
        calls.append(number)
        return {"held": float(len(outside))}, [{"epoch": 1.0}]

    result = cross_validate(11, 3, seed=0, one=one)
    assert calls == [1, 2, 3] and [score["held"] for score in result.figures] == [4, 4, 3]
    assert result.summary()["k"] == 3 and len(result.curves) == 3


@pytest.fixture(scope="module")
def three_folds() -> tuple[Outcome, list[list[float]], Outcome]:
    """An outcome with 3 folds, which rows each fit of the preprocessing saw, and the same without folds."""
    settings = Training(epochs=3, batch_size=8, learning_rate=0.1, tensorboard=False, folds=3)
    _, outcome = trained(settings)
    seen = [list(rows) for rows in SEEN]
    return outcome, seen, trained(replace(settings, folds=0))[1]


def test_preprocessing_is_fitted_inside_each_fold_and_never_on_its_held_out_rows(
    three_folds: tuple[Outcome, list[list[float]], Outcome],
) -> None:
    outcome, (first, *in_folds), _ = three_folds
    assert outcome.folds is not None and len(in_folds) == 3
    assert first == list(range(25)), "the network itself: training rows alone"
    for seen, (inside, outside) in zip(in_folds, outcome.folds.folds, strict=True):
        assert sorted(seen) == sorted(inside.tolist())
        assert not set(seen) & set(outside.tolist())
    assert not any(row >= 34 for seen in in_folds for row in seen), "test rows are in no fold"


def test_folds_change_nothing_of_the_training_itself(
    three_folds: tuple[Outcome, list[list[float]], Outcome],
) -> None:
    with_folds, _, without = three_folds
    for ours, theirs in zip(with_folds.model.get_weights(), without.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert without.folds is None


def test_folds_are_trained_from_different_seeds_for_all_epochs(
    three_folds: tuple[Outcome, list[list[float]], Outcome],
) -> None:
    folds = three_folds[0].folds
    assert folds is not None
    assert [len(curve) for curve in folds.curves] == [3, 3, 3]
    assert len({curve[0]["loss"] for curve in folds.curves}) == 3


def test_the_largest_seed_has_folds_too() -> None:
    _, outcome = trained(Training(epochs=1, batch_size=8, folds=2, tensorboard=False), seed=2**32 - 1)
    assert outcome.folds is not None and len(outcome.folds.curves) == 2


def test_a_refit_trains_anew_on_both_splits_for_as_many_epochs_as_were_best() -> None:
    settings = Training(epochs=6, batch_size=8, learning_rate=0.9, patience=2, tensorboard=False, refit=True)
    ready, outcome = trained(settings, seed=5)
    best = outcome.trained.best_epoch
    assert 1 <= best < 6, "the best epoch is not the last, or this test says nothing"
    by_hand = fit(
        lambda: dense.linear(ready.spec),
        ready.encoded(ready.train.joined(ready.validation)),
        None,
        objective=ready.objective,
        settings=replace(settings, epochs=best, patience=None, keep="last"),
        seed=5,
        say=lambda _: None,
    )
    for ours, theirs in zip(outcome.model.get_weights(), by_hand.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(ready.train.joined(ready.validation)) == 34
    assert len(outcome.trained.history) == best + 2, "the curves are those of the training with a validation split"


def test_validation_figures_are_those_before_the_refit() -> None:
    settings = Training(epochs=3, batch_size=8, learning_rate=0.05, tensorboard=False)
    _, once = trained(settings)
    _, again = trained(replace(settings, refit=True))
    assert once.validation == again.validation
    assert not np.array_equal(once.model.get_weights()[0], again.model.get_weights()[0])
