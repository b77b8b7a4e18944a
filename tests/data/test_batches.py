"""Does each epoch hold every row once, in an order of the seed's, with rows of like length together where asked?"""

from __future__ import annotations

from itertools import chain

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Ragged
from dlkit.data.batches import Batches
from dlkit.data.binarised import Binarised
from dlkit.errors import SettingsError
from dlkit.training.fit import outputs

ROWS = 1_000
LENGTHS = np.random.default_rng(0).integers(0, 60, ROWS)
EXAMPLES = Examples(
    {"ids": Ragged.from_lists([np.full(length, row + 1, np.int32) for row, length in enumerate(LENGTHS)])},
    np.arange(ROWS),
)
"""Each id tells its row, and so does the target. More rows than one pool of 50 batches of 8."""


def epoch(seed: int | None, number: int = 0, *, by_length: bool = True) -> list[tuple[np.ndarray, np.ndarray]]:
    batches = Batches(EXAMPLES, 8, seed=seed, by_length=by_length)
    batches.epoch = number
    found = list(batches)
    assert len(found) == len(batches)
    return found  # type: ignore[return-value]  # pairs, for there are targets


def rows_of(batches: list[tuple[np.ndarray, np.ndarray]]) -> list[list[int]]:
    return [targets.tolist() for _, targets in batches]


@pytest.mark.parametrize("by_length", [True, False])
@pytest.mark.parametrize("seed", [None, 3])
def test_every_row_comes_once_an_epoch_with_its_own_target(seed: int | None, by_length: bool) -> None:
    batches = epoch(seed, by_length=by_length)
    assert sorted(chain.from_iterable(rows_of(batches))) == list(range(ROWS))
    for ids, targets in batches:
        assert ids.shape[1] == max(LENGTHS[targets].max(), 1)
        for row, target in zip(ids, targets, strict=True):
            assert row.tolist() == [target + 1] * LENGTHS[target] + [0] * (ids.shape[1] - LENGTHS[target])


def test_a_seed_and_an_epoch_fix_the_batches_by_length() -> None:
    first = rows_of(epoch(3, 1))
    assert rows_of(epoch(3, 1)) == first
    others = [rows_of(epoch(3, 2)), rows_of(epoch(4, 1))]
    assert first not in others and others[0] != others[1]
    # Not the order of batches alone: their rows are others, too.
    assert {frozenset(batch) for batch in first}.isdisjoint({frozenset(batch) for batch in others[0]})


@pytest.mark.parametrize("options", [{"by_length": True}, {"tokens": 240}, {}])
def test_rows_that_come_twice_fill_both_halves_of_their_batch(options: dict[str, int]) -> None:
    batches = Batches(EXAMPLES, 8, seed=3, twice=True, **options)
    found = list(batches.dataset().as_numpy_iterator())
    assert len(found) == len(batches) == len(batches.order())
    for (ids, targets), rows in zip(found, batches.order(), strict=True):
        assert targets.tolist() == rows.tolist()
        half = len(rows) // 2
        assert (ids[:half] == ids[half:]).all() and (rows[:half] == rows[half:]).all()
        assert ids.size <= 240 or "tokens" not in options
    assert sorted(chain.from_iterable(rows_of(found))) == sorted([*range(ROWS), *range(ROWS)])


@pytest.mark.parametrize("seed", [None, 3])
def test_order_says_which_rows_iteration_and_the_dataset_give(seed: int | None) -> None:
    batches = Batches(EXAMPLES, 8, seed=seed, by_length=True)
    batches.epoch = 5
    said = [rows.tolist() for rows in batches.order()]
    assert rows_of(list(batches)) == said  # type: ignore[arg-type]  # pairs
    assert [targets.numpy().tolist() for _, targets in batches.dataset()] == said


def test_one_dataset_gives_each_epoch_its_own_order() -> None:
    batches = Batches(EXAMPLES, 8, seed=3, by_length=True)
    dataset = batches.dataset()
    for number in (0, 1):
        batches.epoch = number
        assert [targets.numpy().tolist() for _, targets in dataset] == [rows.tolist() for rows in batches.order()]


@pytest.mark.parametrize("batch_size", [7, 100, 2_000])
@pytest.mark.parametrize("width", [3, 4_000])
@pytest.mark.parametrize("seed", [None, 3])
def test_a_dataset_whose_batches_are_made_together_gives_those_of_iteration(
    batch_size: int, width: int, seed: int | None
) -> None:
    """Random pixels and changes of pictures included, and so is the short batch at the end."""
    pixels = np.random.default_rng(0).integers(0, 256, (303, 1, width, 1), np.uint8)
    pictures = np.random.default_rng(1).integers(0, 256, (303, 4, 4, 1), np.uint8)
    examples = Examples(
        {"drawn": Binarised(pixels, 0, anew=True), "seen": pictures}, {"a": np.arange(303), "b": np.zeros((303, 2))}
    )
    batches = Batches(examples, batch_size, seed=seed, augment=("flip", "shift"))
    batches.epoch = 2
    dataset = batches.dataset()
    assert dataset.cardinality() == len(batches) == -(-303 // batch_size)
    for made, given in zip(dataset, batches, strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, keras.tree.map_structure(np.asarray, made), given)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((4, 2), np.uint8),
        np.zeros((4, 8, 8, 3), np.float32),
        Ragged.from_lists([np.ones(length, np.int32) for length in (3, 1, 2)]),
    ],
    ids=["numbers", "windows", "words"],
)
def test_rows_that_are_no_pictures_cannot_be_changed_as_such(rows: np.ndarray | Ragged) -> None:
    with pytest.raises(
        SettingsError, match=r"training\.augment=flip,shift changes pictures: this recipe's rows are none"
    ):
        Batches(Examples({"rows": rows}), 2, augment=("flip", "shift"))


def test_the_end_of_an_epoch_waits_for_no_tuning_of_the_pipeline() -> None:
    """TensorFlow's thread for it looks up after ever longer pauses, and an iterator cannot end before."""
    assert Batches(EXAMPLES, 8).dataset().options().autotune.enabled is False


def test_rows_by_length_need_far_less_padding_and_do_not_come_short_ones_first() -> None:
    padded = {by_length: sum(ids.size for ids, _ in epoch(3, by_length=by_length)) for by_length in (True, False)}
    assert padded[True] < 1.1 * LENGTHS.sum() < 1.5 * LENGTHS.sum() < padded[False]
    widths = [ids.shape[1] for ids, _ in epoch(3)]
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.3
    assert sorted(widths) != widths and sorted(ids.shape[1] for ids, _ in epoch(None)) == [
        ids.shape[1] for ids, _ in epoch(None)
    ]


def test_rows_of_one_length_are_shuffled_as_ever() -> None:
    dense = Examples({"x": np.arange(20)}, np.arange(20))
    orders = [[rows.tolist() for rows in Batches(dense, 3, seed=1, by_length=flag).order()] for flag in (True, False)]
    assert orders[0] == orders[1]


def test_outputs_come_in_the_order_of_ragged_rows() -> None:
    inputs = keras.Input((None,), dtype="int32")
    summed = keras.layers.Lambda(lambda ids: keras.ops.sum(keras.ops.cast(ids, "float32"), axis=1, keepdims=True))
    model = keras.Model(inputs, summed(inputs))
    expected = (np.arange(ROWS) + 1) * LENGTHS
    np.testing.assert_array_equal(outputs(model, EXAMPLES, batch_size=64)[:, 0], expected)
