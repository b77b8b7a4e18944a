"""Which losses does Keras not have?"""

from __future__ import annotations

import keras
from keras import ops

LEAD = 5.0
"""Log-odds by which the right class has to lead each other one: a chance of 0.99 against a single other class."""
_LEAST = 1e-30


@keras.saving.register_keras_serializable("dlkit")
def margin(targets: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
    """Squared hinge loss on log-odds: the right class has to lead every other one by `LEAD` (Weston & Watkins 1999).

    `targets`: (rows, 1) of 0 and 1, or class numbers (rows,) or (rows, 1). `probabilities`: (rows, 1) of a sigmoid or
    (rows, classes) of a softmax, whose logarithms differ as its inputs do. Gives (rows,).
    """
    if probabilities.shape[-1] == 1:
        probabilities = ops.concatenate([1 - probabilities, probabilities], axis=-1)
    logs = ops.log(ops.maximum(probabilities, _LEAST))
    right = ops.one_hot(ops.reshape(ops.cast(targets, "int32"), (-1,)), logs.shape[-1], dtype=logs.dtype)
    own = ops.sum(logs * right, axis=-1, keepdims=True)
    missing = ops.relu(LEAD + logs - own) * (1 - right)
    return ops.sum(ops.square(missing), axis=-1) / LEAD


LOSSES = {"margin": margin}
"""By the name that a task uses; all other names are Keras'."""
