"""Is a preprocessing fitted on the training split alone, and does it come back from a run folder as it was?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Ragged, Split, Splits, Transform
from dlkit.data.samples import sample
from dlkit.errors import DataError, SettingsError
from dlkit.inference.predictor import load_transform
from dlkit.inference.runs import ASSETS
from dlkit.inference.tables import TableRows
from dlkit.inference.text import MultiHotText
from dlkit.pipeline import prepare
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.tables import TableFeatures
from dlkit.preprocessing.text import MultiHot
from dlkit.recipe import Recipe
from dlkit.tasks import Classification, Regression
from dlkit.training.settings import Training


def column(*values: str | None) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = values
    return made


def parts(name: str) -> Splits:
    """A sample in three parts by position."""
    made = sample(name)
    train, validation, test = (made.rows.take(np.arange(start, start + 300)) for start in (0, 300, 600))
    return Splits(train, validation, test, made.kinds, name, "sample", made.fingerprint, target_name=made.target)


def spoilt(split: Split) -> Split:
    """The same rows with every value changed: numbers a thousandfold, words and categories new."""
    inputs = {
        name: values * 1000 if values.dtype == np.float64 else column(*(f"new {value}" for value in values))
        for name, values in split.inputs.items()
    }
    assert isinstance(split.targets, np.ndarray)
    targets = split.targets * 1000 if split.targets.dtype == np.float64 else split.targets
    return Split(inputs, targets)


def text_recipe() -> Recipe:
    return Recipe(_NoData(), MultiHot(max_words=100), Classification(), _no_model, Training())


def table_recipe() -> Recipe:
    return Recipe(_NoData(), TableFeatures(), Regression(target_scaling="standard"), _no_model, Training())


class _NoData:
    def load(self, *_: object, **__: object) -> Splits:
        raise NotImplementedError


def _no_model(spec: object) -> object:
    raise NotImplementedError


@pytest.mark.parametrize(("name", "recipe"), [("reviews", text_recipe()), ("houses", table_recipe())])
def test_validation_and_test_rows_change_nothing_that_is_fitted(name: str, recipe: Recipe) -> None:
    splits = parts(name)
    spoiled = replace(splits, validation=spoilt(splits.validation), test=spoilt(splits.test))
    ours, theirs = prepare(recipe, splits), prepare(recipe, spoiled)
    assert ours.transform == theirs.transform and ours.answer == theirs.answer and ours.spec == theirs.spec
    other = prepare(recipe, replace(splits, train=spoilt(splits.train)))
    assert other.transform != ours.transform


def test_standard_scaling_gives_mean_0_and_deviation_1_on_training_rows() -> None:
    made = sample("houses")
    features = np.asarray(TableFeatures().fit(made.rows, {"area_m2": "number"}).encode(made.rows.inputs)["features"])
    assert features.mean() == pytest.approx(0, abs=1e-6) and features.std() == pytest.approx(1, abs=1e-6)


def test_min_max_scaling_gives_the_range_0_to_1_on_training_rows_and_may_leave_it_later() -> None:
    transform = TableFeatures(scaling="minmax").fit(Split({"x": np.array([2.0, 4.0, 6.0])}), {"x": "number"})
    features = np.asarray(transform.encode({"x": np.array([2.0, 5.0, 6.0, 8.0])})["features"])
    assert features[:, 0].tolist() == [0, 0.75, 1, 1.5]


@pytest.mark.parametrize("scaling", ["standard", "minmax"])
@pytest.mark.parametrize("value", [0.0, 7.0, 0.1, -1e30])
def test_a_constant_column_becomes_0_and_nothing_is_divided_by_0(scaling: str, value: float) -> None:
    settings = TableFeatures(scaling=scaling)  # type: ignore[arg-type]  # parametrised
    transform = settings.fit(Split({"x": np.full(30, value)}), {"x": "number"})
    features = np.asarray(transform.encode({"x": np.full(2, value)})["features"])
    np.testing.assert_allclose(features, 0, atol=max(1e-6, abs(value) * 1e-12))
    others = np.array([value + 1, 1500.0, -1e30, 1e38])
    np.testing.assert_allclose(np.asarray(transform.encode({"x": others})["features"])[:3], 0, atol=1e-7)
    graph = graph_of(transform).encode(raw_tensors({"x": others}, {"x": "number"}))["features"].numpy()
    np.testing.assert_allclose(graph, np.asarray(transform.encode({"x": others})["features"]), rtol=1e-6, atol=1e-30)


def test_a_column_without_a_number_in_training_says_nothing_later() -> None:
    transform = TableFeatures().fit(
        Split({"x": np.full(30, np.nan), "y": np.arange(30.0)}), dict.fromkeys("xy", "number")
    )
    features = np.asarray(transform.encode({"x": np.array([np.nan, 1500.0]), "y": np.zeros(2)})["features"])
    np.testing.assert_allclose(features[1], features[0], atol=1e-7)


def test_the_most_frequent_categories_get_a_feature_each() -> None:
    train = Split({"c": column("b", "a", "b", "c", "a", "b", None, None, None, None)})
    transform = TableFeatures(max_categories=2).fit(train, {"c": "category"})
    assert transform.categories == {"c": ("a", "b")}
    assert np.asarray(transform.encode({"c": column("a", "c", "b")})["features"]).tolist() == [[1, 0], [0, 0], [0, 1]]
    rows, (note,) = TableFeatures(max_categories=2).whole(transform, train)
    assert rows is train and note.startswith("column 'c' holds 3 different words: the 2 most frequent are told apart")
    transform = TableFeatures(max_categories=3).fit(train, {"c": "category"})
    assert TableFeatures(max_categories=3).whole(transform, train)[1] == []


def test_the_vocabulary_is_the_most_frequent_words_with_ties_by_alphabet() -> None:
    train = Split({"text": column("b a c", "B c<br />d", "c")})
    transform = MultiHot(max_words=3).fit(train, {"text": "text"})
    assert transform.vocabulary == ("c", "b", "a")
    ids = transform.encode({"text": column("a zebra C c a", "")})["word_ids"]
    assert isinstance(ids, Ragged)
    assert ids.take(np.arange(2)).tolist() == [[1, 3], [0, 0]]


def test_training_rows_encoded_while_fitting_are_those_encoded_afterwards() -> None:
    train = sample("reviews").rows
    transform = MultiHot(max_words=50, min_count=2).fit(train, {"text": "text"})
    first, second = transform.encode(train.inputs)["word_ids"], transform.encode(train.inputs)["word_ids"]
    assert isinstance(first, Ragged) and isinstance(second, Ragged) and first is not second
    np.testing.assert_array_equal(first.offsets, second.offsets)
    np.testing.assert_array_equal(first.values, second.values)


def test_min_count_leaves_rare_words_out() -> None:
    assert MultiHot(min_count=2).fit(Split({"t": column("a b", "a c")}), {"t": "text"}).vocabulary == ("a",)


def saved_and_loaded(transform: Transform, folder: Path) -> Transform:
    (folder / ASSETS).mkdir()
    transform.save(folder / ASSETS)
    return load_transform(folder)


def test_a_table_preprocessing_comes_back_equal_from_its_json(tmp_path: Path) -> None:
    made = sample("houses")
    kinds = {**made.kinds, "empty": "number"}
    rows = Split({**made.rows.inputs, "empty": np.full(len(made.rows), np.nan)})
    transform = TableFeatures().fit(rows, kinds)
    again = saved_and_loaded(transform, tmp_path)
    assert isinstance(again, TableRows) and again == transform
    assert list(again.kinds) == list(transform.kinds) and again.features == transform.features
    np.testing.assert_array_equal(
        np.asarray(again.encode(rows.inputs)["features"]), np.asarray(transform.encode(rows.inputs)["features"])
    )


def test_a_text_preprocessing_comes_back_equal_from_its_files(tmp_path: Path) -> None:
    words = ("the", "größe", "𠮷", "İ", "e\u0301", "½", "한국어", "३")
    transform = MultiHot().fit(Split({"my text": column(" ".join(words), "the")}), {"my text": "text"})
    again = saved_and_loaded(transform, tmp_path)
    assert isinstance(again, MultiHotText) and again == transform and set(again.vocabulary) == set(words)
    assert json.loads((tmp_path / ASSETS / "preprocessing.json").read_text())["kind"] == "multi_hot_text"


@pytest.mark.parametrize(
    ("train", "kinds", "message"),
    [
        (Split({"t": column("😀", "!!!")}), {"t": "text"}, "2 training texts: no word occurs 1 times or more"),
        (Split({"a": column("x"), "b": column("y")}), {"a": "text", "b": "text"}, "exactly 1 text column, got 2"),
        (Split({"a": column("x")}), {"a": "category"}, "exactly 1 text column, got 0"),
    ],
)
def test_texts_that_cannot_be_used_are_said(train: Split, kinds: dict[str, str], message: str) -> None:
    with pytest.raises((DataError, SettingsError), match=message):
        MultiHot().fit(train, kinds)  # type: ignore[arg-type]  # parametrised


def test_a_table_without_a_usable_column_is_said() -> None:
    with pytest.raises(DataError, match="no usable column"):
        TableFeatures().fit(Split({"c": column(None, None)}), {"c": "category"})
    with pytest.raises(SettingsError, match="column 't' holds texts"):
        TableFeatures().fit(Split({"t": column("a", "b")}), {"t": "text"})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TableFeatures(scaling="robust"), "none, got 'robust'"),  # type: ignore[arg-type]  # that is the point
        (lambda: TableFeatures(max_categories=0), "max_categories: expected 1 or more, got 0"),
        (lambda: MultiHot(max_words=0), "max_words: expected 1 or more, got 0"),
        (lambda: MultiHot(min_count=-1), "min_count: expected 1 or more, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(make: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()  # type: ignore[operator]  # parametrised
