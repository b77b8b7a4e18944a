"""Which value or class belongs to a row of a table, learnt from rows in memory?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import RegressorMixin

from dlkit.contracts import ColumnKind, Columns, Split
from dlkit.estimators.classes import Classifier
from dlkit.estimators.columns import Table, kinds_of, matched, raw_columns, table_from
from dlkit.estimators.network import Network, share, whole, widths
from dlkit.estimators.refusals import refusing
from dlkit.estimators.targets import Labels, labels_from, values_from
from dlkit.inference.answers import ValueAnswer
from dlkit.models import dense
from dlkit.preprocessing.tables import TableFeatures
from dlkit.tasks import Classification, Regression


class Tabular(Network):
    """X is a 2-D array, a list of rows, a mapping `{column: values}` or a data frame.

    A column of numbers is scaled, one of texts becomes one feature a value (one-hot; of more than 50
    values the most frequent, and `fit` warns); NaN and None are missing values.
    After `fit`: `n_features_in_`, the number of columns, and `feature_names_in_` where X has names.
    """

    scaling: Literal["standard", "minmax", "none"]
    units: tuple[int, ...]
    dropout: float
    n_features_in_: int
    feature_names_in_: np.ndarray
    _kinds: Mapping[str, ColumnKind]

    def _note(self, table: Table, kinds: Mapping[str, ColumnKind]) -> None:
        self._kinds, self.n_features_in_ = kinds, len(kinds)
        if table.named:
            self.feature_names_in_ = np.array(list(kinds), object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _raw(self, x: object) -> Columns:
        named = hasattr(self, "feature_names_in_")
        table = matched(table_from(x), self._kinds, named=named, who=type(self).__name__)
        return raw_columns(table, self._kinds)

    def _perceptron(self) -> Callable[..., object]:
        return partial(dense.mlp, units=widths(self.units), dropout=share("dropout", self.dropout, zero=True))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags


class TableClassifier(Classifier, Tabular):
    """A perceptron on the columns of a table: `dlkit.TableClassifier().fit(rows, labels).predict(rows)`.

    X: see `Tabular`; labels are texts, whole numbers or bools (or anything with a hash) and come back as given.
    `scaling`: of the numbers, see `TableFeatures`. `units`: of each hidden layer. `dropout`: probability to drop a
    unit after each. `epochs`: at most; training stops when the loss on the held-out rows, a share
    `validation_fraction` of all, has not fallen for `patience` epochs (None: never). `refit`: then train anew on all
    rows for as many epochs as were best. `batch_size`: None for one that fits the number of rows, 8 to 512.
    `random_state`: a whole number repeats the fit bit for bit on the same machine.
    """

    def __init__(
        self,
        *,
        scaling: Literal["standard", "minmax", "none"] = "standard",
        units: tuple[int, ...] = (64, 64),
        dropout: float = 0.0,
        epochs: int = 100,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        patience: int | None = 10,
        validation_fraction: float = 0.2,
        refit: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.scaling = scaling
        self.units = units
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.random_state = random_state

    def fit(self, X: object, y: object) -> Self:  # noqa: N803 (scikit-learn's name)
        """Learn from rows and their labels, one each."""
        with refusing(type(self).__name__):
            table = table_from(X)
            kinds = kinds_of(table)
            given = labels_from(y, len(table))
            labels = Labels.of(given)
            rows = Split(raw_columns(table, kinds), labels.named(given))
            features, model = TableFeatures(scaling=self.scaling), self._perceptron()
        self._learn(rows, kinds, features, Classification(), model)
        self._note(table, kinds)
        self.classes_, self._labels = labels.classes, labels
        return self


class TableRegressor(RegressorMixin, Tabular):
    """A perceptron on the columns of a table: `dlkit.TableRegressor().fit(rows, values).predict(rows)`.

    X and the other parameters: see `TableClassifier`. `members`: above 1, so many perceptrons learn independently
    and answer with their mean. `target_scaling`: what the network learns of the values, see `Regression`.
    """

    def __init__(
        self,
        *,
        scaling: Literal["standard", "minmax", "none"] = "standard",
        units: tuple[int, ...] = (64, 64),
        members: int = 1,
        dropout: float = 0.0,
        target_scaling: Literal["standard", "log", "none"] = "standard",
        epochs: int = 100,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        patience: int | None = 10,
        validation_fraction: float = 0.2,
        refit: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.scaling = scaling
        self.units = units
        self.members = members
        self.dropout = dropout
        self.target_scaling = target_scaling
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.random_state = random_state

    def fit(self, X: object, y: object) -> Self:  # noqa: N803 (scikit-learn's name)
        """Learn from rows and their values, one each, in their own unit."""
        with refusing(type(self).__name__):
            table = table_from(X)
            kinds = kinds_of(table)
            rows = Split(raw_columns(table, kinds), values_from(y, len(table)))
            features, task = TableFeatures(scaling=self.scaling), Regression(target_scaling=self.target_scaling)
            model = self._network()
        self._learn(rows, kinds, features, task, model)
        self._note(table, kinds)
        return self

    def predict(self, X: object) -> np.ndarray:  # noqa: N803 (scikit-learn's name)
        """(rows,) float64 values in the unit of those given."""
        found = self._outputs(X)
        answer = self._learnt().content.answer
        if not isinstance(answer, ValueAnswer):
            raise TypeError(f"a regressor answers with values, got {type(answer).__name__}")
        return answer.values(found)

    def _network(self) -> Callable[..., object]:
        if whole("members", self.members) == 1:
            return self._perceptron()
        dropout = share("dropout", self.dropout, zero=True)
        return partial(dense.ensemble, members=int(self.members), units=widths(self.units), dropout=dropout)
