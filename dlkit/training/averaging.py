"""Which weights does a training end with that averages over its steps?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Inside the block the network has the moving mean of its weights, where its optimizer keeps one."""
    means = model.optimizer._model_variables_moving_average if model.optimizer.use_ema else []
    weights = model.trainable_variables[: len(means)]
    last = [keras.ops.convert_to_numpy(weight) for weight in weights]
    for weight, mean in zip(weights, means, strict=True):
        weight.assign(mean)
    try:
        yield
    finally:
        for weight, value in zip(weights, last, strict=True):
            weight.assign(value)
