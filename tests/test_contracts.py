"""Do rows that are made on demand pass through all rooms without ever being copied into one array?"""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Joined, Ragged, Rows, Spec, Split, Tensor, joined, take
from dlkit.data.batches import Batches
from dlkit.training.fit import Objective, fit, outputs
from dlkit.training.settings import Training


@dataclass(frozen=True)
class Windows:
    """Windows of a series: row i is `series[i : i + length]`. `taken` notes how many rows were asked for at a time."""

    series: np.ndarray
    length: int
    taken: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.series) - self.length

    def take(self, indices: np.ndarray) -> np.ndarray:
        self.taken.append(len(indices))
        return np.asarray(self.series[indices[:, None] + np.arange(self.length)])


def ragged(*rows: list[int]) -> Ragged:
    return Ragged.from_lists([np.array(row, np.int32) for row in rows])


def test_ragged_rows_are_padded_to_the_longest_row_taken_and_no_further() -> None:
    rows = ragged([1, 2, 3, 4], [], [5], [6, 7])
    assert len(rows) == 4 and rows.values.dtype == np.int32
    assert rows.take(np.array([2, 3])).tolist() == [[5, 0], [6, 7]]
    assert rows.take(np.array([3, 0, 1])).tolist() == [[6, 7, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]]


@pytest.mark.parametrize("indices", [[1], [1, 1], []])
def test_empty_ragged_rows_have_one_column_of_padding(indices: list[int]) -> None:
    taken = ragged([1, 2], []).take(np.array(indices, np.int64))
    assert taken.shape == (len(indices), 1) and not taken.any()


def test_ragged_rows_of_nothing_at_all_are_rows_too() -> None:
    assert len(ragged()) == 0
    assert ragged([], []).take(np.arange(2)).tolist() == [[0], [0]]


def test_ragged_rows_joined_are_ragged_rows() -> None:
    both = joined(ragged([1], [2, 3]), ragged([], [4]))
    assert isinstance(both, Ragged) and len(both) == 4
    assert both.take(np.arange(4)).tolist() == [[1, 0], [2, 3], [0, 0], [4, 0]]


def test_arrays_joined_are_an_array() -> None:
    both = joined(np.array([[1], [2]]), np.array([[3]]))
    assert isinstance(both, np.ndarray) and both.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 0, 3], [2, 2], [3], [0]])
def test_rows_made_on_demand_are_joined_without_being_made(order: list[int]) -> None:
    first, second = Windows(np.arange(10, 15.0), 2), Windows(np.arange(30, 34.0), 2)
    both = joined(first, second)
    assert isinstance(both, Joined) and isinstance(both, Rows) and len(both) == 5
    assert first.taken == second.taken == []
    starts = [10, 11, 12, 30, 31]
    assert take(both, np.array(order)).tolist() == [[starts[row], starts[row] + 1] for row in order]


def test_an_array_and_rows_on_demand_can_be_joined() -> None:
    both = joined(np.array([[1.0, 2.0]]), Windows(np.arange(30, 34.0), 2))
    assert take(both, np.array([2, 0])).tolist() == [[31, 32], [1, 2]]


def test_a_split_takes_and_joins_rows_of_all_columns_and_targets() -> None:
    split = Split({"a": np.array([1, 2, 3]), "b": np.array(["x", None, "z"], object)}, np.array([7.0, 8.0, 9.0]))
    part = split.take(np.array([2, 0]))
    assert part.inputs["b"].tolist() == ["z", "x"] and np.asarray(part.targets).tolist() == [9, 7]
    both = part.joined(split)
    assert len(both) == 5 and np.asarray(both.targets).tolist() == [9, 7, 7, 8, 9]


def test_several_targets_or_none_are_taken_and_joined_too() -> None:
    heads = Split({"a": np.arange(3)}, {"age": np.arange(3.0), "sex": np.array(["m", "f", "f"], object)})
    both = heads.take(np.array([1])).joined(heads)
    assert isinstance(both.targets, dict)
    assert both.targets["age"].tolist() == [1, 0, 1, 2] and both.targets["sex"].tolist() == ["f", "m", "f", "f"]
    nothing = Split({"a": np.arange(3)})
    assert nothing.take(np.array([0])).joined(nothing).targets is None


def test_a_spec_with_several_heads_has_no_single_one() -> None:
    assert Spec({"x": Tensor((1,))}, {"y": Head(1)}).head == Head(1)
    with pytest.raises(ValueError, match="too many values"):
        _ = Spec({"x": Tensor((1,))}, {"y": Head(1), "z": Head(2)}).head


@pytest.mark.parametrize("targets", ["array", "mapping", "none"])
def test_batches_carry_every_kind_of_target(targets: str) -> None:
    inputs = {"a": np.arange(5, dtype=np.float32), "b": ragged([1], [2, 3], [], [4], [5])}
    made = {"array": np.arange(5.0), "mapping": {"y": np.arange(5.0), "z": np.arange(5)}, "none": None}[targets]
    batches = Batches(Examples(inputs, made), 2)  # type: ignore[arg-type]  # one of the three
    first = next(iter(batches.dataset()))
    taken = first if targets == "none" else first[0]
    assert len(batches) == 3 and set(taken) == {"a", "b"} and taken["b"].numpy().tolist() == [[1, 0], [2, 3]]
    if targets == "mapping":
        assert set(first[1]) == {"y", "z"}


def test_windows_over_a_series_train_without_being_copied() -> None:
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(1_200) / 7).astype(np.float32) + 0.01 * rng.standard_normal(1_200).astype(np.float32)
    windows = Windows(series, 24)
    targets = series[24:, None]
    examples = Examples({"window": windows}, targets)
    half = len(windows) // 2
    early = Examples({"window": Windows(series[: half + 24], 24)}, targets[:half])
    late = Examples({"window": Windows(series[half:], 24)}, targets[half:])

    def network() -> keras.Model:
        return keras.Sequential([keras.Input((24,)), keras.layers.Dense(1)])

    def trained(rows: Examples) -> keras.Model:
        settings = Training(epochs=8, batch_size=64, learning_rate=0.02, tensorboard=False)
        objective = Objective("mse", ["mae"])
        return fit(network, rows, None, objective=objective, settings=settings, seed=0, say=lambda _: None).model

    model = trained(examples)
    error = float(((outputs(model, examples) - targets) ** 2).mean())
    assert error < 0.05 * float(series.var()), "it learnt from the rows it asked for"
    assert max(windows.taken) <= 256 and len(windows.taken) > 100, "never all windows at once"
    dense = trained(Examples({"window": windows.take(np.arange(len(windows)))}, targets))
    two_parts = trained(early.joined(late))
    for ours, theirs, parts in zip(model.get_weights(), dense.get_weights(), two_parts.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(ours, parts)


def test_a_network_without_targets_trains_on_its_own_loss() -> None:
    """The case of a VAE: nothing to predict, the model adds its loss itself."""

    class OwnLoss(keras.layers.Layer):
        def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
            self.add_loss(keras.ops.mean(inputs**2))
            return inputs

    def network() -> keras.Model:
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), OwnLoss()])

    rows = Examples({"x": np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)})
    settings = Training(epochs=10, batch_size=8, learning_rate=0.05, tensorboard=False)
    result = fit(network, rows, rows, objective=Objective(None, []), settings=settings, seed=0, say=lambda _: None)
    assert result.history[-1]["loss"] < 0.5 * result.history[0]["loss"]
    assert result.untrained_loss is not None and result.history[-1]["val_loss"] < result.untrained_loss
