"""Does an item become the raw columns that the model was trained on, or is it said what is wrong with it?"""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.contracts import ColumnKind
from dlkit.errors import InputError
from dlkit.inference.inputs import column_from, columns_from

TEXT: dict[str, ColumnKind] = {"text": "text"}
TABLE: dict[str, ColumnKind] = {"size": "number", "colour": "category"}


def test_texts_become_an_object_column_of_str() -> None:
    columns = columns_from(["one", {"text": "two"}], TEXT)
    assert columns["text"].tolist() == ["one", "two"] and columns["text"].dtype == object


def test_rows_become_columns_whatever_the_order_of_their_keys() -> None:
    columns = columns_from([{"size": 1, "colour": "red"}, {"colour": "blue", "size": "2.5"}], TABLE)
    assert columns["size"].tolist() == [1, 2.5] and columns["size"].dtype == np.float64
    assert columns["colour"].tolist() == ["red", "blue"]


@pytest.mark.parametrize("value", [None, "", " ", "NA", "nan", "null", "?", float("nan")])
def test_what_stands_for_an_unknown_number_is_nan(value: object) -> None:
    assert np.isnan(columns_from([{"size": value, "colour": "red"}], TABLE)["size"]).all()
    assert np.isnan(columns_from([{"colour": "red"}], TABLE)["size"]).all()


@pytest.mark.parametrize("value", [None, "", "  ", float("nan")])
def test_what_stands_for_an_unknown_category_is_none(value: object) -> None:
    assert columns_from([{"size": 1, "colour": value}], TABLE)["colour"].tolist() == [None]
    assert columns_from([{"size": 1}], TABLE)["colour"].tolist() == [None]


def test_numbers_of_numpy_are_numbers() -> None:
    for number in (np.float32(6.5), np.int64(6), np.float64(6.5), np.uint8(6)):
        columns = columns_from([{"size": number, "colour": number}], TABLE)
        assert columns["size"].tolist() == [float(number)] and columns["colour"].tolist() == [f"{number:g}"]


def test_items_are_numbered_from_where_they_begin() -> None:
    with pytest.raises(InputError, match="Item 34, column 'text'"):
        columns_from(["one", ""], TEXT, first=33)


@pytest.mark.parametrize(("value", "word"), [(4, "4"), (4.0, "4"), (4.5, "4.5"), (" red ", "red"), ("4", "4")])
def test_a_category_given_as_a_number_is_the_word_that_a_file_would_hold(value: object, word: str) -> None:
    assert columns_from([{"size": 1, "colour": value}], TABLE)["colour"].tolist() == [word]


@pytest.mark.parametrize(
    ("items", "kinds", "message"),
    [
        ("one text", TEXT, "Expected a list of items, got one str"),
        ({"text": "x"}, TEXT, "Expected a list of items, got one dict"),
        (["x", 5], TEXT, "Item 2, column 'text': expected a text, got int '5'"),
        ([None], TEXT, "Item 1, column 'text': expected a text, got NoneType"),
        ([b"x"], TEXT, "expected a text, got bytes"),
        ([" \n"], TEXT, "Item 1, column 'text': the text is empty"),
        ([{"txt": "x"}], TEXT, "the model has no column 'txt'. Did you mean 'text'"),
        ([{}], TEXT, "the text column 'text' is missing"),
        ([{"size": 1}, "x"], TABLE, "Item 2: expected an object with the columns size, colour; got str 'x'"),
        ([{"size": "big"}], TABLE, "Item 1, column 'size': expected a number, got str 'big'"),
        ([{"size": [1]}], TABLE, "expected a number, got list"),
        ([{"size": float("inf")}], TABLE, "expected a finite number, got inf"),
        ([{"size": "-inf"}], TABLE, "expected a finite number"),
        ([{"size": 10**400}], TABLE, "expected a number, got int"),
        ([{"size": 10**5000}], TABLE, "expected a number, got int a number of thousands of digits"),
        ([{"size": "1_000"}], TABLE, "expected a number, got str '1_000'"),
        ([{"colour": 10**5000}], TABLE, "expected a category, got a number of thousands of digits"),
        ([{"colour": ["red"]}], TABLE, "Item 1, column 'colour': expected a category, got list"),
        ([{"sise": 1}], TABLE, "the model has no column 'sise'. Did you mean 'size'"),
        ([{"size": 1, 5: 2}], TABLE, "the model has no column '5'"),
        ([{}], TABLE, "Item 1 is empty: expected the columns size, colour"),
    ],
)
def test_an_item_that_does_not_fit_is_said_with_its_number_and_column(
    items: object, kinds: dict[str, ColumnKind], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        columns_from(items, kinds)  # type: ignore[arg-type]  # that is the point
    assert error.value.exit_code == 2


def test_one_column_is_checked_by_the_same_rules() -> None:
    assert column_from(["1", None, 2], "number", "column 'size'")[[0, 2]].tolist() == [1, 2]
    with pytest.raises(InputError, match="column 'size', row 1: expected a number, got str 'x'"):
        column_from([1, "x"], "number", "column 'size'")


@pytest.mark.parametrize("field", ["NA", "none", " ? ", ""])
def test_a_category_that_a_file_marks_as_missing_is_missing_in_a_request_too(field: str) -> None:
    assert columns_from([{"colour": field}], {"colour": "category"})["colour"].tolist() == [None]
