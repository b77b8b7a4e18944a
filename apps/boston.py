"""Boston house prices: what does a house in this district cost?

    dlkit run boston --model ensemble        # or without: dlkit run boston

506 districts, 13 numbers each, the median price in thousands of dollars. `mlp` is the network of the lecture notes:
two hidden layers of 64 units, squared error; with so few rows, k-fold validation says how good it is. `ensemble` trains
eight such networks with dropout at once and answers with their mean. Both learn the standardised price.

Mean absolute error in k$, mean ± standard deviation over folds of the 405 training and validation rows, and on the 101
test rows, looked at once; seed 0, 2 cores of an AMD EPYC (`--set training.folds=4` for the second column):

    =================  ===========  ===========  =====
    model              10 folds     4 folds      test
    =================  ===========  ===========  =====
    mlp                2.16 ± 0.30  2.27 ± 0.34  1.64
    ensemble           2.07 ± 0.29  2.14 ± 0.31  1.61
    gradient boosting  2.16         2.20         1.66
    linear                                       3.22
    =================  ===========  ===========  =====

For comparison: Chollet 2021, section 4.3, has 2.38 for `mlp` with 4 folds on another split. Feature `b` encodes race:
for anything but following the notes take California housing,
    dlkit run boston --set data.dataset=california_housing --set task.unit="100 k$"
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dlkit import Recipe, Regression, TableData, TableFeatures, Training, Variant
from dlkit.models import dense

training = Training(
    epochs=120,
    batch_size=32,
    learning_rate=5e-3,
    schedule="cosine",
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
    training=replace(training, optimizer="adamw", weight_decay=0.3),
    variants={
        "ensemble": Variant(
            partial(dense.ensemble, members=8, activation="relu", dropout=0.1),
            training=replace(training, epochs=100),
        ),
        "linear": dense.linear,
    },
    baselines=("gradient_boosting",),
)
