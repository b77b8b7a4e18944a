"""dlkit: data to a trained, judged and exported Keras model, with one command or a few lines of Python.

    import dlkit

    run = dlkit.run("imdb")                         # data → train → evaluate → export → verify → report
    dlkit.load("imdb").predict(["What a film!"])    # without TensorFlow
    dlkit.TextClassifier().fit(texts, labels)       # scikit-learn conventions

Names are loaded when they are first used, so that `import dlkit` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dlkit.api import run
    from dlkit.data.tables import TableData
    from dlkit.data.texts import TextData
    from dlkit.errors import DlkitError
    from dlkit.estimators import TableClassifier, TableRegressor, TextClassifier
    from dlkit.inference import Predictor, load
    from dlkit.preprocessing.tables import TableFeatures
    from dlkit.preprocessing.text import MultiHot
    from dlkit.recipe import Recipe, Variant
    from dlkit.run_folder import Run
    from dlkit.tasks import Classification, Regression
    from dlkit.training.settings import Training

_HOMES = {
    "Classification": "dlkit.tasks",
    "DlkitError": "dlkit.errors",
    "MultiHot": "dlkit.preprocessing.text",
    "Predictor": "dlkit.inference",
    "Recipe": "dlkit.recipe",
    "Regression": "dlkit.tasks",
    "Run": "dlkit.run_folder",
    "TableClassifier": "dlkit.estimators",
    "TableData": "dlkit.data.tables",
    "TableFeatures": "dlkit.preprocessing.tables",
    "TableRegressor": "dlkit.estimators",
    "TextClassifier": "dlkit.estimators",
    "TextData": "dlkit.data.texts",
    "Training": "dlkit.training.settings",
    "Variant": "dlkit.recipe",
    "load": "dlkit.inference",
    "run": "dlkit.api",
}

__all__ = [
    "Classification",
    "DlkitError",
    "MultiHot",
    "Predictor",
    "Recipe",
    "Regression",
    "Run",
    "TableClassifier",
    "TableData",
    "TableFeatures",
    "TableRegressor",
    "TextClassifier",
    "TextData",
    "Training",
    "Variant",
    "load",
    "run",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dlkit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
