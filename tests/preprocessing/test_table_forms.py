"""Does the TensorFlow form of the table preprocessing agree with the plain form, to the last bit?"""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.contracts import ColumnKind, Split
from dlkit.inference.tables import TableRows
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.tables import TableFeatures

KINDS: dict[str, ColumnKind] = {"size": "number", "far": "number", "gone": "number", "colour": "category"}


def column(values: list[str | None]) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = values
    return made


def rows(count: int, *, seed: int) -> Split:
    """Numbers of very different size, some missing; categories with accents, some missing, some rare."""
    rng = np.random.default_rng(seed)
    size, far = rng.normal(3, 2, count), rng.normal(1e9, 1e-2, count)
    size[rng.random(count) < 0.2] = np.nan
    colours: list[str | None] = ["rot", "grün", None, "", " rot", "青"]
    chosen = [colours[number] for number in rng.integers(0, len(colours), count)]
    return Split({"size": size, "far": far, "gone": np.full(count, np.nan), "colour": column(chosen)})


def both(transform: TableRows, split: Split) -> tuple[np.ndarray, np.ndarray]:
    plain = transform.encode(split.inputs)["features"]
    assert isinstance(plain, np.ndarray)
    return plain, graph_of(transform).encode(raw_tensors(split.inputs, transform.kinds))["features"].numpy()


@pytest.mark.parametrize("scaling", ["standard", "minmax", "none"])
def test_both_forms_give_equal_bits_with_missing_and_unseen_values(scaling: str) -> None:
    transform = TableFeatures(scaling=scaling).fit(rows(200, seed=0), KINDS)  # type: ignore[arg-type]  # parametrised
    held_out = rows(500, seed=1)
    held_out.inputs["colour"][:3] = ["never seen", "ROT", "grün "]
    held_out.inputs["far"][3] = np.nan
    plain, graph = both(transform, held_out)
    assert plain.dtype == graph.dtype == np.float32 and plain.shape == (500, len(transform.features))
    np.testing.assert_array_equal(plain, graph)


def test_arithmetic_is_in_float64_in_both_forms() -> None:
    split = rows(200, seed=0)
    plain, graph = both(TableFeatures().fit(split, KINDS), split)
    far = split.inputs["far"]
    exact = (far - far.mean()) / far.std()
    names = TableFeatures().fit(split, KINDS).features
    # In float32, 1e9 + 0.01 is 1e9: all rows would be equal.
    np.testing.assert_allclose(plain[:, names.index("far")], exact, rtol=1e-6)
    np.testing.assert_allclose(graph[:, names.index("far")], exact, rtol=1e-6)


def test_an_unseen_or_missing_category_is_all_zeros_in_both_forms_and_remarked() -> None:
    train = Split({"colour": column(["red", "blue", None, "red"])})
    transform = TableFeatures().fit(train, {"colour": "category"})
    asked = Split({"colour": column(["blue", "green", None])})
    plain, graph = both(transform, asked)
    assert transform.features == ["colour=blue", "colour=red"]
    assert plain.tolist() == graph.tolist() == [[1, 0], [0, 0], [0, 0]]
    remarks = transform.remarks(asked.inputs)
    assert remarks[0] is None and remarks[2] is None and "'green' was never seen" in str(remarks[1])


def test_a_missing_number_is_the_training_median_and_flagged_in_both_forms() -> None:
    train = Split({"size": np.array([1.0, 2.0, 9.0, np.nan])})
    transform = TableFeatures(scaling="none").fit(train, {"size": "number"})
    plain, graph = both(transform, Split({"size": np.array([np.nan, 5.0])}))
    assert transform.features == ["size", "size is missing"]
    assert plain.tolist() == graph.tolist() == [[2, 1], [5, 0]]


def test_a_value_missing_only_after_training_is_filled_but_has_no_flag() -> None:
    transform = TableFeatures(scaling="none").fit(Split({"size": np.array([1.0, 2.0, 9.0])}), {"size": "number"})
    plain, graph = both(transform, Split({"size": np.array([np.nan])}))
    assert plain.tolist() == graph.tolist() == [[2.0]]
