"""How is a model made without a recipe, from rows in memory? By scikit-learn's conventions, on the same machinery."""

from dlkit.estimators.table import TableClassifier, TableRegressor
from dlkit.estimators.text import TextClassifier

__all__ = ["TableClassifier", "TableRegressor", "TextClassifier"]
