"""Are windows scaled by the training rows, when they are asked for, and alike in both forms?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from dlkit.contracts import Chosen, ColumnKind, Examples, Split, take
from dlkit.errors import InputError, SettingsError
from dlkit.inference.inputs import columns_from
from dlkit.inference.tables import TableRows
from dlkit.inference.windows import FURTHEST, ScaledWindows
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.windows import ScaledRows

KINDS: dict[str, ColumnKind] = {"bar": "series", "l/min": "series"}


def rows(count: int = 50, window: int = 8) -> Split:
    rng = np.random.default_rng(3)
    bar, flow = rng.normal(5, 0.1, count + window - 1), rng.normal(1e6, 30, count + window - 1)
    flow[7] = np.nan
    return Split({name: sliding_window_view(one, window) for name, one in (("bar", bar), ("l/min", flow))})


def fitted(split: Split) -> ScaledWindows:
    transform = ScaledRows().fit(split, KINDS)
    assert isinstance(transform, ScaledWindows)
    return transform


def test_each_row_of_a_stream_counts_once_for_its_scale() -> None:
    split = rows()
    column = fitted(split).numbers["bar"]
    every = np.concatenate([split.inputs["bar"][0], split.inputs["bar"][1:, -1]])
    assert column.shift == pytest.approx(every.mean()) and column.scale == pytest.approx(every.std())


def test_robust_scaling_is_not_moved_by_an_outlier() -> None:
    calm = Split({"x": np.random.default_rng(0).normal(size=(100, 4))})
    wild = Split({"x": np.where(np.arange(400).reshape(100, 4) == 7, 1e9, calm.inputs["x"])})
    scales = [ScaledRows(scaling="robust").fit(one, {"x": "series"}) for one in (calm, wild)]
    first, second = (scale.numbers["x"] for scale in scales)
    assert second.scale == pytest.approx(first.scale, rel=0.05) and first.scale == pytest.approx(1, abs=0.15)


def test_robust_scaling_of_a_column_that_is_mostly_one_value_is_by_its_deviation() -> None:
    x = np.where(np.arange(400) % 5 == 0, np.arange(400) * 1e3, 0.0)
    column = ScaledRows(scaling="robust").fit(Split({"x": x}), {"x": "number"}).numbers["x"]
    assert (column.shift, column.scale) == (0.0, pytest.approx(x.std()))


@pytest.mark.parametrize("scaling", ["standard", "robust"])
def test_a_small_unit_is_no_constant(scaling: Literal["standard", "robust"]) -> None:
    x = np.random.default_rng(0).normal(1e-12, 1e-13, (100, 4))
    column = ScaledRows(scaling=scaling).fit(Split({"x": x}), {"x": "series"}).numbers["x"]
    assert column.scale == pytest.approx(x.std(), rel=0.2)


def test_words_that_get_no_feature_are_noted() -> None:
    train = Split({"x": np.arange(9.0), "word": np.array([*"aabbcdefg"], object)})
    settings = ScaledRows(max_categories=2)
    transform = settings.fit(train, {"x": "number", "word": "category"})
    (note,) = settings.whole(transform, train)[1]
    assert note.startswith("column 'word' holds 7 different words: the 2 most frequent are told apart")


def test_windows_are_scaled_when_they_are_taken() -> None:
    split = rows()
    made = fitted(split).encode(split.inputs)["window"]
    assert not isinstance(made, np.ndarray) and len(made) == 50
    taken = take(made, np.array([4, 0]))
    assert taken.shape == (2, 8, 2) and taken.dtype == np.float32
    column = fitted(split).numbers["bar"]
    np.testing.assert_allclose(taken[0, :, 0], (split.inputs["bar"][4] - column.shift) / column.scale, rtol=1e-5)


def test_both_forms_give_equal_bits_with_missing_and_wild_values() -> None:
    split = rows()
    transform = fitted(split)
    wild = {name: column[:20].copy() for name, column in split.inputs.items()}
    wild["bar"][3, 2], wild["l/min"][4, 0] = 1e300, -1e12
    plain = take(transform.encode(wild)["window"], np.arange(20))
    graph = graph_of(transform).encode(raw_tensors(wild, transform.kinds))["window"].numpy()
    np.testing.assert_array_equal(plain, graph)
    assert plain[3, 2, 0] == FURTHEST and plain[4, 0, 1] == -FURTHEST


def test_a_wild_number_of_a_table_ends_at_the_limit_in_both_forms(tmp_path: Path) -> None:
    split = Split({"x": np.arange(20.0)})
    transform = ScaledRows().fit(split, {"x": "number"})
    assert isinstance(transform, TableRows)
    wild = {"x": np.array([1e300, -1e300, np.nan])}
    plain = transform.encode(wild)["features"]
    graph = graph_of(transform).encode(raw_tensors(wild, transform.kinds))["features"].numpy()
    np.testing.assert_array_equal(plain, graph)
    assert plain[0, 0] == FURTHEST and plain[1, 0] == -FURTHEST  # type: ignore[index]  # an array
    transform.save(tmp_path)
    settings = json.loads((tmp_path / "preprocessing.json").read_text())
    assert TableRows.load(tmp_path, settings) == transform


def test_a_saved_transform_is_the_same_again(tmp_path: Path) -> None:
    transform = fitted(rows())
    transform.save(tmp_path)
    settings = json.loads((tmp_path / "preprocessing.json").read_text())
    assert ScaledWindows.load(tmp_path, settings) == transform


def test_of_longer_rows_the_newest_steps_count_and_shorter_ones_are_refused() -> None:
    transform = fitted(rows())
    columns = columns_from([{"bar": [1.0, None, *range(8)], "l/min": [*range(10)]}], transform.kinds)
    taken = take(transform.encode(columns)["window"], np.array([0]))
    newest = np.stack([np.arange(8.0), np.arange(2.0, 10.0)], axis=-1)
    np.testing.assert_array_equal(taken[0], transform.scaled(newest))
    with pytest.raises(InputError, match=r"differ in length: bar 9, l/min 8"):
        transform.encode(columns_from([{"bar": [*range(9)], "l/min": [*range(8)]}], transform.kinds))
    with pytest.raises(InputError, match=r"expected a window of 8 numbers.*got 3"):
        transform.encode(columns_from([{"bar": [1, 2, 3], "l/min": [1, 2, 3]}], transform.kinds))


@pytest.mark.parametrize("value", ["5", 5, {"a": 1}, [], ["x"], [float("inf")]])
def test_what_is_no_list_of_numbers_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="Item 1"):
        columns_from([{"bar": value}], {"bar": "series"})


def test_missing_numbers_are_remarked() -> None:
    split = rows()
    remarks = fitted(split).remarks(split.inputs)
    assert remarks[0] == "1 of its 16 numbers are missing; the usual value stands in for them" and remarks[20] is None
    older = {name: np.pad(rows, ((0, 0), (5, 0)), constant_values=np.nan) for name, rows in split.inputs.items()}
    assert fitted(split).remarks(older) == remarks


def test_a_constant_channel_keeps_its_own_unit() -> None:
    column = ScaledRows().fit(Split({"x": np.full((30, 4), 7.0)}), {"x": "series"}).numbers["x"]
    assert (column.shift, column.scale) == (7.0, 1.0)


def test_series_do_not_mix_with_other_columns() -> None:
    split = Split({"x": np.zeros((30, 4)), "y": np.zeros(30)})
    with pytest.raises(SettingsError, match="column 'y' is no series"):
        ScaledRows().fit(split, {"x": "series", "y": "number"})


def test_chosen_examples_are_those_rows() -> None:
    split = rows()
    examples = Examples(fitted(split).encode(split.inputs), np.arange(50))
    some = examples.take(np.array([9, 2, 30]))
    made = some.inputs["window"]
    assert isinstance(made, Chosen) and np.asarray(some.targets).tolist() == [9, 2, 30]
    np.testing.assert_array_equal(made.take(np.array([1])), take(examples.inputs["window"], np.array([2])))
