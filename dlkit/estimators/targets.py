"""What are the labels or values of these rows, and how do labels come back as they were given?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from dlkit.errors import DataError
from dlkit.estimators.columns import is_missing_value
from dlkit.estimators.refusals import EstimatorTypeError, checked_by_sklearn


@dataclass(frozen=True)
class Labels:
    """`classes`: (classes,) labels as they were given, in their own order. `names`: what each is called in a run,
    where a label is a `str`: its text, or its Python form where two labels have the same text (1 and "1").
    """

    classes: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, given: np.ndarray) -> Labels:
        """The labels that occur in `given`, as `labels_from` gives them."""
        classes = _sorted(given)
        plain = classes.tolist()
        names = [str(label) for label in plain]
        if max(Counter(names).values()) > 1:
            names = [repr(label) for label in plain]
        return cls(classes, tuple(names))

    def named(self, given: np.ndarray) -> np.ndarray:
        """(rows,) labels to (rows,) object array of their names."""
        by_label = dict(zip(self.classes.tolist(), self.names, strict=True))
        return _objects([by_label[label] for label in given.tolist()])

    def order(self, names: Sequence[str]) -> np.ndarray:
        """(classes,) where each class stands among `names`, which may be sorted as text: "10" before "2"."""
        return np.array([names.index(name) for name in self.names], np.int64)


def labels_from(y: object, rows: int) -> np.ndarray:
    """(rows,) labels: of one plain type (text, whole numbers, bool), or an object array where they are anything else
    that can be told apart by value. DataError for missing labels, EstimatorTypeError for those without a hash.
    """
    array = _labels_array(_given(y))
    with checked_by_sklearn():
        array = column_or_1d(array, warn=True)
        if array.dtype.kind == "f":
            assert_all_finite(array, input_name="y")
        if array.dtype.kind != "O":
            check_classification_targets(array)
    _check_rows(array, rows)
    for row, label in enumerate(array.tolist()):
        if is_missing_value(label):
            raise DataError(f"y, row {row}: the label is missing ({label}). Leave the row out or give it a label.")
        if not isinstance(label, Hashable):
            raise EstimatorTypeError(f"y, row {row}: a label is a text, a number or a bool, got {label!r:.60}.")
    return array


def values_from(y: object, rows: int) -> np.ndarray:
    """(rows,) float64 values to predict, all finite."""
    with checked_by_sklearn():
        array = column_or_1d(_given(y), warn=True)
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: y holds complex numbers. Give real ones.")
    try:
        values = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"y: expected numbers ({error}). To tell classes apart use a classifier.") from error
    with checked_by_sklearn():
        assert_all_finite(values, input_name="y")
    _check_rows(values, rows)
    return values


def _given(y: object) -> object:
    if y is None:
        # scikit-learn's tools look for these words.
        raise DataError("requires y to be passed, but the target y is None. Give a label or a value for each row.")
    return y


def _labels_array(y: object) -> np.ndarray:
    """Labels with their own types: numpy would make text of 1 in [1, "a"], and two columns of [("a", 1), ("b", 2)]."""
    if isinstance(y, list | tuple) and y:
        texts = [isinstance(label, str) for label in y]
        if any(isinstance(label, tuple) for label in y) or any(texts) != all(texts):
            return _objects(y)
        if not any(isinstance(label, Sequence | np.ndarray) for label in y):
            array = np.asarray(y)
            return array if array.ndim == 1 and array.dtype.kind != "O" else _objects(y)
    array = np.asarray(y)
    if array.dtype.kind == "O" and array.ndim == 1:
        kinds = {type(label) for label in array.tolist()}
        # Labels of one plain type keep that type: scikit-learn's scores refuse numbers in an object array.
        return np.array(array.tolist()) if kinds <= {int} or kinds <= {bool} else array
    return array.astype(object) if array.dtype.kind == "T" else array


def _objects(values: Iterable[object]) -> np.ndarray:
    """An object array of one axis, even of tuples."""
    plain = list(values)
    array = np.empty(len(plain), object)
    for row, value in enumerate(plain):
        array[row] = value
    return array


def _sorted(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind != "O":
        return np.unique(labels)
    different = set(labels.tolist())
    try:
        return _objects(sorted(different))
    except TypeError:
        return _objects(sorted(different, key=lambda label: (type(label).__name__, repr(label))))


def _check_rows(array: np.ndarray, rows: int) -> None:
    if len(array) != rows:
        raise DataError(f"X has {rows} rows and y has {len(array)}: expected one label or value for each row.")
