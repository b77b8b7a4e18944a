"""Boston house prices: what does a house in this district cost?

    dlkit run boston
    dlkit run boston --model ensemble
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dlkit import Recipe, Regression, TableData, TableFeatures, Training, Variant
from dlkit.models import dense

training = Training(
    epochs=120,
    batch_size=32,
    optimizer="adamw",
    learning_rate=5e-3,
    schedule="cosine",
    weight_decay=0.3,
    keep="last",
    refit=True,
    folds=10,
    steps_per_execution=16,
)

recipe = Recipe(
    data=TableData("boston_housing"),
    preprocessing=TableFeatures(scaling="standard"),
    task=Regression(unit="k$", target_scaling="standard"),
    model=dense.mlp,
    training=training,
    variants={
        "ensemble": Variant(
            partial(dense.ensemble, members=8, activation="relu", dropout=0.1),
            training=replace(training, epochs=100, optimizer="adam", weight_decay=0.0),
        ),
        "linear": dense.linear,
    },
    baselines=("gradient_boosting",),
)
