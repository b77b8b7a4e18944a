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
    from dlkit.api import explain, keras_model, run
    from dlkit.data.anomalies import AnomalyData
    from dlkit.data.images import ImageData
    from dlkit.data.latents import LatentData
    from dlkit.data.pairs import PairData
    from dlkit.data.series import SeriesData
    from dlkit.data.tables import TableData
    from dlkit.data.texts import TextData
    from dlkit.errors import DlkitError
    from dlkit.estimators import TableClassifier, TableRegressor, TextClassifier
    from dlkit.forecasting import Forecasting
    from dlkit.generation import Generation, Reconstruction
    from dlkit.inference import Predictor, load
    from dlkit.inference.decoding import Search
    from dlkit.preprocessing.images import Images
    from dlkit.preprocessing.latents import LatentRows
    from dlkit.preprocessing.ngrams import Ngrams
    from dlkit.preprocessing.pairs import Pairs
    from dlkit.preprocessing.sequences import Sequences
    from dlkit.preprocessing.series import SeriesWindows
    from dlkit.preprocessing.tables import TableFeatures
    from dlkit.preprocessing.text import MultiHot
    from dlkit.preprocessing.windows import ScaledRows
    from dlkit.recipe import Ensemble, Recipe, Variant
    from dlkit.run_folder import Run
    from dlkit.tasks import AnomalyDetection, Classification, Joint, Regression
    from dlkit.training.settings import Training
    from dlkit.translation import Translation
    from dlkit.variants import text_variants

_HOMES = {
    "AnomalyData": "dlkit.data.anomalies",
    "AnomalyDetection": "dlkit.tasks",
    "Classification": "dlkit.tasks",
    "DlkitError": "dlkit.errors",
    "Ensemble": "dlkit.recipe",
    "Forecasting": "dlkit.forecasting",
    "Generation": "dlkit.generation",
    "ImageData": "dlkit.data.images",
    "Images": "dlkit.preprocessing.images",
    "Joint": "dlkit.tasks",
    "LatentData": "dlkit.data.latents",
    "LatentRows": "dlkit.preprocessing.latents",
    "MultiHot": "dlkit.preprocessing.text",
    "Ngrams": "dlkit.preprocessing.ngrams",
    "PairData": "dlkit.data.pairs",
    "Pairs": "dlkit.preprocessing.pairs",
    "Predictor": "dlkit.inference",
    "Recipe": "dlkit.recipe",
    "Reconstruction": "dlkit.generation",
    "Regression": "dlkit.tasks",
    "Run": "dlkit.run_folder",
    "ScaledRows": "dlkit.preprocessing.windows",
    "Search": "dlkit.inference.decoding",
    "Sequences": "dlkit.preprocessing.sequences",
    "SeriesData": "dlkit.data.series",
    "SeriesWindows": "dlkit.preprocessing.series",
    "TableClassifier": "dlkit.estimators",
    "TableData": "dlkit.data.tables",
    "TableFeatures": "dlkit.preprocessing.tables",
    "TableRegressor": "dlkit.estimators",
    "TextClassifier": "dlkit.estimators",
    "TextData": "dlkit.data.texts",
    "Training": "dlkit.training.settings",
    "Translation": "dlkit.translation",
    "Variant": "dlkit.recipe",
    "explain": "dlkit.api",
    "keras_model": "dlkit.api",
    "load": "dlkit.inference",
    "run": "dlkit.api",
    "text_variants": "dlkit.variants",
}

__all__ = [
    "AnomalyData",
    "AnomalyDetection",
    "Classification",
    "DlkitError",
    "Ensemble",
    "Forecasting",
    "Generation",
    "ImageData",
    "Images",
    "Joint",
    "LatentData",
    "LatentRows",
    "MultiHot",
    "Ngrams",
    "PairData",
    "Pairs",
    "Predictor",
    "Recipe",
    "Reconstruction",
    "Regression",
    "Run",
    "ScaledRows",
    "Search",
    "Sequences",
    "SeriesData",
    "SeriesWindows",
    "TableClassifier",
    "TableData",
    "TableFeatures",
    "TableRegressor",
    "TextClassifier",
    "TextData",
    "Training",
    "Translation",
    "Variant",
    "explain",
    "keras_model",
    "load",
    "run",
    "text_variants",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'dlkit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
