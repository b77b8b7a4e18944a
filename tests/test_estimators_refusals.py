"""Does an estimator refuse what it cannot learn from, by errors that are ours and scikit-learn's at once?"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import dlkit
from dlkit.errors import DataError, DlkitError, InputError, SettingsError

# A network of one epoch often has not beaten its untrained self, and says so.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

Estimator = dlkit.TextClassifier | dlkit.TableClassifier | dlkit.TableRegressor
QUICK = {"epochs": 1, "units": (4,), "refit": False, "random_state": 0}
NUMBERS = np.random.default_rng(0).random((40, 3))
ABOVE = NUMBERS[:, 0] > 0.5
TEXTS = ["a good film", "a bad film"] * 20
KINDS = ["good", "bad"] * 20


def quick(kind: type[Estimator], **changes: object) -> Estimator:
    return kind(**{**QUICK, **changes})


class Frame:
    """What a text estimator sees of a data frame."""

    columns = ("text",)


@pytest.fixture(scope="module")
def fitted() -> dlkit.TableClassifier:
    """A classifier that was fitted on a number, a bool and a category."""
    table = {"area": NUMBERS[:, 0], "new": NUMBERS[:, 1] > 0.5, "fuel": ["gas", "oil"] * 20}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return quick(dlkit.TableClassifier).fit(table, ABOVE)


TABLE, VALUES, TEXT = dlkit.TableClassifier, dlkit.TableRegressor, dlkit.TextClassifier


@pytest.mark.parametrize(
    ("kind", "x", "y", "said"),
    [
        (TABLE, NUMBERS, ABOVE[:-1], "X has 40 rows and y has 39"),
        (VALUES, NUMBERS, NUMBERS[:-1, 0], "X has 40 rows and y has 39"),
        (TEXT, TEXTS, KINDS[:-1], "X has 40 rows and y has 39"),
        (TABLE, NUMBERS, None, "y is None"),
        (TABLE, NUMBERS, [True] * 40, r"1 class .*at least 2"),
        (VALUES, NUMBERS, [3.0] * 40, "The target is 3 in all"),
        (TABLE, NUMBERS[:1], [True], "X has 1 row"),
        (VALUES, NUMBERS[:1], [1.0], "X has 1 row"),
        (TEXT, TEXTS[:1], KINDS[:1], "X has 1 row"),
        (TABLE, NUMBERS[:2], [True, False], "nothing can be held out"),
        (VALUES, [], [], "X|array"),
        (TEXT, [], [], "found 0 texts"),
        (TABLE, NUMBERS, [None, *KINDS[1:]], "row 0: the label is missing"),
        (TABLE, NUMBERS, NUMBERS[:, 0], "Unknown label type: continuous"),
        (VALUES, NUMBERS, KINDS, "y: expected numbers .* use a classifier"),
        (VALUES, NUMBERS, [np.nan] * 40, "Input y contains NaN"),
        (VALUES, np.where(NUMBERS > 0.9, np.inf, NUMBERS), NUMBERS[:, 0], r"column 'x\d', row \d+: .*infinite"),
        (VALUES, [[1, 2], [3]], [1.0, 2.0], r"rows of one length, got lengths \[1, 2\]"),
        (VALUES, {"a": [1, 2], "b": [1]}, [1.0, 2.0], "columns of one length"),
        (VALUES, {}, [], "has no columns"),
        (TEXT, ["\U0001f600"] * 40, KINDS, "no word occurs"),
    ],
)
def test_bad_rows_are_refused_in_a_sentence(kind: type[Estimator], x: object, y: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        quick(kind).fit(x, y)
    assert isinstance(error.value, DataError | InputError)
    assert str(error.value).startswith(f"{kind.__name__}: ")


@pytest.mark.parametrize(
    ("kind", "x", "y", "said"),
    [
        (TEXT, ["a good film", None] * 20, KINDS, "row 1: expected a text, got NoneType"),
        (TEXT, "a good film", KINDS, "expected a list of texts, got one str"),
        (TEXT, np.array([TEXTS]).T, KINDS, "Give the column of texts alone"),
        (TEXT, Frame(), KINDS, "Give the column of texts alone"),
        (TABLE, "rows", KINDS, "got one text"),
        (TABLE, {"when": np.array(["2020-01-01"] * 40, "datetime64[D]")}, KINDS, "column 'when': expected numbers"),
        (TABLE, {"what": [{}] * 40}, KINDS, "column 'what': .* got dict"),
        (TABLE, NUMBERS, [{}] * 40, "a label is a text, a number or a bool"),
    ],
)
def test_bad_types_are_refused_in_a_sentence(kind: type[Estimator], x: object, y: object, said: str) -> None:
    with pytest.raises(TypeError, match=said) as error:
        quick(kind).fit(x, y)
    assert isinstance(error.value, InputError)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ({"area": [1.0], "new": [True]}, r"columns \['fuel'\] are missing"),
        ({"area": [1.0], "new": [True], "fuel": ["gas"], "rooms": [3]}, "no.* column 'rooms'"),
        ({"area": ["big"], "new": [True], "fuel": ["gas"]}, "column 'area', row 0: expected a number, got str 'big'"),
        ({"area": [np.inf], "new": [True], "fuel": ["gas"]}, "column 'area', row 0: .*finite"),
        ([[1.0, 2.0]], "X has 2 features, but TableClassifier is expecting 3"),
        ({"area": [], "new": [], "fuel": []}, "0 rows"),
    ],
)
# Rows without names are taken by position, and are told so.
@pytest.mark.filterwarnings("ignore:X does not have")
def test_rows_that_do_not_fit_the_fitted_ones_are_refused(fitted: dlkit.TableClassifier, x: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        fitted.predict(x)
    assert isinstance(error.value, DlkitError)


def test_an_answer_that_is_no_number_is_refused(fitted: dlkit.TableClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"area": [0.5, 0.5], "new": [True, True], "fuel": ["gas", "gas"]}
    # As of values far out, where one infinity is taken from another.
    monkeypatch.setattr("dlkit.estimators.network.outputs", lambda *_: np.array([[0.5], [np.nan]]))
    for ask in (fitted.predict, fitted.predict_proba):
        with pytest.raises(ValueError, match="X, row 1: the answer is no finite number") as error:
            ask(rows)
        assert isinstance(error.value, InputError)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0}, {"epochs": 1.5}, {"batch_size": 0}, {"batch_size": "32"}, {"learning_rate": 0},
        {"learning_rate": "fast"}, {"learning_rate": float("nan")}, {"patience": 0}, {"units": ()}, {"units": 8},
        {"units": (8, 0)}, {"dropout": 1}, {"scaling": "robust"}, {"validation_fraction": 1.0}, {"random_state": -1},
        {"random_state": "lucky"}, {"members": 0}, {"target_scaling": "minmax"}, {"refit": "yes"},
    ],
    ids=str,
)  # fmt: skip
def test_a_parameter_that_cannot_be_is_refused_by_name(change: dict[str, object]) -> None:
    (name,) = change
    with pytest.raises(ValueError, match=rf"^TableRegressor: {name}: ") as error:
        quick(dlkit.TableRegressor, **change).fit(NUMBERS, NUMBERS[:, 0])
    assert isinstance(error.value, SettingsError)


def test_a_fit_that_fails_leaves_what_was_learnt_before() -> None:
    estimator = quick(dlkit.TableRegressor).fit(NUMBERS, NUMBERS[:, 0])
    before = estimator.predict(NUMBERS)
    with pytest.raises(DataError):
        estimator.fit({"other": [1.0, 2.0]}, [3.0, 3.0])
    assert (estimator.predict(NUMBERS) == before).all()
