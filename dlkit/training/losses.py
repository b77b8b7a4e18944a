"""Which losses does Keras not have?"""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

SIDE = 5.0
"""Nats by which a class has to be on its side: e^10 to 1 for the right class against any other."""
_LEAST = 1e-30


@keras.saving.register_keras_serializable("dlkit")
def margin(targets: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
    """Squared hinge loss of each class against the rest, as linear support vector machines have it.

    The decisions are log-probabilities less their mean over the k classes, a sum of zero: `SIDE` (1 + c) or more is
    asked of the right class, - `SIDE` (1 - c) or less of each other one, c = (k - 2) / k, which sums to zero as well
    (the reinforced hinge of Liu & Yuan 2011, squared).

    `targets`: (rows, 1) of 0 and 1, or class numbers (rows,) or (rows, 1). `probabilities`: (rows, 1) of a sigmoid or
    (rows, k) of a softmax, whose logarithms differ as its inputs do. Gives (rows,).
    """
    if probabilities.shape[-1] == 1:
        probabilities = ops.concatenate([1 - probabilities, probabilities], axis=-1)
    logs = ops.log(ops.maximum(probabilities, _LEAST))
    classes = logs.shape[-1]
    centre = (classes - 2) / classes
    right = ops.one_hot(ops.reshape(ops.cast(targets, "int32"), (-1,)), classes, dtype=logs.dtype)
    decisions = logs - ops.mean(logs, axis=-1, keepdims=True)
    missing = right * ops.relu(SIDE * (1 + centre) - decisions)
    missing += (1 - right) * ops.relu(decisions + SIDE * (1 - centre))
    return ops.sum(ops.square(missing), axis=-1) / SIDE


LOSSES = {"margin": margin}
"""By the name that a task uses; all other names are Keras'."""


SMOOTHED = "smoothed:"
"""Begins the name of cross-entropy on smoothed targets: "smoothed:0.2"."""


def named(loss: object) -> object:
    """Our loss of that name, or by the names of several outputs; what is none of ours, as it is."""
    if isinstance(loss, Mapping):
        return {name: named(one) for name, one in loss.items()}
    if isinstance(loss, str) and loss.startswith(SMOOTHED):
        return keras.losses.CategoricalCrossentropy(label_smoothing=float(loss.removeprefix(SMOOTHED)))
    return LOSSES.get(loss, loss) if isinstance(loss, str) else loss
