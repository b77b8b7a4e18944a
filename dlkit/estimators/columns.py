"""Which raw columns does X hold, and of which kind is each?

X is what users of scikit-learn have: an array, a list of rows, a mapping of columns, or a data frame of any library
(known by its `columns`, so that none needs to be imported).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_array

from dlkit.contracts import Column, ColumnKind
from dlkit.errors import DataError, InputError, did_you_mean
from dlkit.estimators.refusals import EstimatorTypeError, checked_by_sklearn
from dlkit.inference.inputs import column_from

TEXT = "text"
"""Name of the only column of a text estimator."""


@dataclass(frozen=True)
class Table:
    """Columns as they were given, (rows,) each; `named`: by the user, not by their position."""

    columns: Mapping[str, np.ndarray]
    named: bool

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def table_from(x: object) -> Table:
    """The columns of X, whatever holds them; those of an array are called x0, x1, …"""
    # A sparse matrix of keys is a mapping too, of positions; scikit-learn's check says that it is none for us.
    if isinstance(x, Mapping) and not issparse(x):
        return _named({name: x[name] for name in x}, x)
    if hasattr(x, "columns") and hasattr(x, "__getitem__"):
        return _named({name: x[name] for name in x.columns}, x)
    if isinstance(x, str | bytes):
        raise EstimatorTypeError(f"X: expected a table of rows and columns, got one text {x!r:.40}.")
    with checked_by_sklearn():
        array = check_array(_rows(x), dtype=None, ensure_all_finite=False, input_name="X")
    return Table({f"x{position}": array[:, position] for position in range(array.shape[1])}, named=False)


def _rows(x: object) -> object:
    """Rows as they are; numpy would make text of the numbers in [[1.5, "gas"], [2.5, "oil"]]."""
    if not isinstance(x, list | tuple) or not all(isinstance(row, list | tuple) for row in x):
        return x
    lengths = sorted({len(row) for row in x})
    if len(lengths) > 1:
        raise DataError(f"X: expected rows of one length, got lengths {lengths[:5]}. Fill what is missing with None.")
    mixed = any(isinstance(value, str) or value is None for row in x for value in row)
    return np.array(x, object) if mixed else x


def _named(given: Mapping[object, object], x: object) -> Table:
    columns: dict[str, np.ndarray] = {}
    for name, values in given.items():
        if str(name) in columns:
            raise DataError(f"X: two columns are called {str(name)!r}. Give each its own name.")
        array = np.asarray(values)
        if array.ndim != 1:
            raise DataError(f"X, column {str(name)!r}: expected one value a row, got shape {array.shape}.")
        columns[str(name)] = array
    lengths = {name: len(array) for name, array in columns.items()}
    if not columns:
        raise DataError(f"X: this {type(x).__name__} has no columns. Give at least one.")
    if len(set(lengths.values())) > 1:
        raise DataError(f"X: expected columns of one length, got {lengths}.")
    if not min(lengths.values()):
        raise DataError("X: found columns with 0 rows while a minimum of 1 is required.")
    return Table(columns, named=True)


def kinds_of(table: Table) -> dict[str, ColumnKind]:
    """Number or category, for each column, by what it holds."""
    return {name: _kind(name, values) for name, values in table.columns.items()}


def _kind(name: str, values: np.ndarray) -> Literal["number", "category"]:
    if values.dtype.kind in "biuf":
        return "number"
    if values.dtype.kind not in "OUT":
        raise EstimatorTypeError(
            f"X, column {name!r}: expected numbers or texts, got {values.dtype}. Turn it into numbers (a date into "
            "days since some day) or texts."
        )
    present = [value for value in values.tolist() if not is_missing_value(value)]
    for value in present:
        if not isinstance(value, str | int | float | np.number | np.bool_):
            raise EstimatorTypeError(
                f"X, column {name!r}: a value must be a text (string) or a number, got {type(value).__name__}."
            )
    return "category" if any(isinstance(value, str) for value in present) else "number"


def is_missing_value(value: object) -> bool:
    # The missing values of data frame libraries compare with nothing, not even with themselves.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def raw_columns(table: Table, kinds: Mapping[str, ColumnKind]) -> dict[str, Column]:
    """The columns as `contracts.ColumnKind` describes them; InputError for a value that its column cannot take."""
    return {name: _column(name, table.columns[name], kind) for name, kind in kinds.items()}


def _column(name: str, values: np.ndarray, kind: ColumnKind) -> Column:
    where = f"X, column {name!r}"
    if kind != "number" or values.dtype.kind not in "biuf":
        plain = [None if is_missing_value(value) else value for value in values.tolist()]
        return column_from([value.item() if isinstance(value, np.generic) else value for value in plain], kind, where)
    numbers = values.astype(np.float64)
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise InputError(f"{where}, row {infinite[0]}: a number is infinite (inf). Give a finite one, or NaN.")
    return numbers


def matched(table: Table, kinds: Mapping[str, ColumnKind], *, named: bool, who: str) -> Table:
    """The table with the columns that were fitted: by name where both have names, by position otherwise."""
    if len(table.columns) != len(kinds) and not (named and table.named):
        # scikit-learn's tools look for these words.
        raise InputError(f"X has {len(table.columns)} features, but {who} is expecting {len(kinds)} features as input.")
    if named != table.named:
        # As scikit-learn says it: columns in another order would be taken for each other.
        has, fitted = ("has", "without") if table.named else ("does not have", "with")
        warnings.warn(f"X {has} feature names, but {who} was fitted {fitted} feature names", stacklevel=6)
    if not (named and table.named):
        return Table(dict(zip(kinds, table.columns.values(), strict=True)), table.named)
    for name in table.columns:
        if name not in kinds:
            raise InputError(f"X: {who} was not fitted with a column {name!r}.{did_you_mean(name, kinds)}")
    missing = [name for name in kinds if name not in table.columns]
    if missing:
        raise InputError(f"X: the columns {missing[:5]} are missing; {who} was fitted with them. Give all of them.")
    return table


def texts_from(x: object) -> Column:
    """(rows,) object array of `str`: a list, an array or a column of a data frame. Empty texts are texts."""
    if hasattr(x, "columns") or getattr(x, "ndim", 1) != 1:
        raise EstimatorTypeError(
            f"X: expected texts, one a row, got a {type(x).__name__} with columns. Give the column of texts alone."
        )
    if isinstance(x, str | bytes | Mapping) or not isinstance(x, Iterable) or not isinstance(x, Sized):
        raise EstimatorTypeError(f"X: expected a list of texts, got one {type(x).__name__}. Put it into a list.")
    texts = np.empty(len(x), object)
    if not len(texts):
        raise InputError("X: found 0 texts while a minimum of 1 is required.")
    for row, text in enumerate(x):
        if not isinstance(text, str):
            raise EstimatorTypeError(
                f"X, row {row}: expected a text, got {type(text).__name__} {str(text)[:40]!r}. Leave the row out, or "
                "give an empty text."
            )
        texts[row] = str(text)
    return texts
