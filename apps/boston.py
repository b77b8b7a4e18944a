"""Boston house prices: what does a house in this district cost?

dlkit run boston
dlkit run boston --model ensemble
"""

from __future__ import annotations

from dlkit import Recipe, Regression, TableData, TableFeatures, Training, Variant
from dlkit.models import dense

recipe = Recipe(
    data=TableData("boston_housing"),
    preprocessing=TableFeatures(scaling="standard"),
    task=Regression(unit="k$"),
    model=dense.mlp,
    training=Training(
        epochs=120,
        batch_size=16,
        optimizer="rmsprop",
        learning_rate=3e-3,
        schedule="cosine",
        keep="last",
        refit=True,
        folds=4,
        steps_per_execution=16,
    ),
    variants={
        "ensemble": Variant(
            dense.ensemble,
            task=Regression(unit="k$", target_scaling="log"),
            training=Training(
                epochs=200,
                batch_size=16,
                learning_rate=2e-3,
                schedule="cosine",
                keep="last",
                refit=True,
                folds=4,
                steps_per_execution=16,
            ),
        ),
        "linear": dense.linear,
    },
    baselines=("gradient_boosting",),
)
