"""How do several networks answer as one?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from dlkit.contracts import Spec

_LEAST = 1e-7


@keras.saving.register_keras_serializable("dlkit")
class LogOpinionPool(keras.layers.Layer):
    """Weighted product of probabilities, made to sum to 1 again (Genest & Zidek 1986, section 3).

    Takes a list of outputs (batch, units) of a sigmoid or softmax, gives (batch, units): for a sigmoid, log-odds are
    added up.
    """

    def __init__(self, weights: Sequence[float], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.opinion_weights = [float(weight) for weight in weights]

    def call(self, opinions: list[keras.KerasTensor]) -> keras.KerasTensor:
        total = 0.0
        for weight, opinion in zip(self.opinion_weights, opinions, strict=True):
            logs = ops.log(ops.maximum(opinion, _LEAST))
            if opinion.shape[-1] == 1:
                # Bounded after the difference, which is exact: `1 - _LEAST` is no number of float32.
                logs = logs - ops.log(ops.maximum(1 - opinion, _LEAST))
            total = total + weight * logs
        return ops.sigmoid(total) if opinions[0].shape[-1] == 1 else ops.softmax(total)

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return shapes[0]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"weights": self.opinion_weights}


def pooled(
    members: Mapping[str, keras.Model], part_of: Mapping[str, str], spec: Spec, weights: Sequence[float]
) -> keras.Model:
    """One network of trained members. `part_of`: whose inputs a member takes, the first part of their names."""
    inputs = {name: keras.Input(tensor.shape, dtype=tensor.dtype, name=name) for name, tensor in spec.inputs.items()}
    opinions = []
    for name, member in members.items():
        own = [inputs[f"{part_of[name]}_{tensor.name}"] for tensor in member.inputs]
        opinions.append(member(own if len(own) > 1 else own[0]))
    answer = LogOpinionPool(weights, name="pool")(opinions)
    # A network of one input gets the bare tensor, as `Batches` gives it.
    return keras.Model(inputs if len(inputs) > 1 else next(iter(inputs.values())), answer)


def pool(opinions: Sequence[np.ndarray], weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """The pooled answers of members' outputs, (rows, units) each, as `LogOpinionPool` gives them; float64."""
    total = np.zeros_like(opinions[0], np.float64)
    for weight, opinion in zip(weights, opinions, strict=True):
        bounded = np.clip(opinion.astype(np.float64), _LEAST, 1 - _LEAST)
        total += weight * (np.log(bounded) - np.log1p(-bounded) if opinion.shape[1] == 1 else np.log(bounded))
    if total.shape[1] == 1:
        return 1 / (1 + np.exp(-total))
    powers = np.exp(total - total.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def best_weights(opinions: Sequence[np.ndarray], targets: np.ndarray) -> list[float]:
    """Weights of 0 or more whose pool has the lowest log loss on held-out rows.

    `targets`: (rows, 1) of 0 and 1, (rows,) class numbers, or (rows, classes) of 0 and a 1.
    """
    from scipy.optimize import minimize

    one_hot = targets.ndim == 2 and targets.shape[1] > 1
    classes = targets.argmax(axis=1) if one_hot else targets.reshape(len(targets)).astype(np.int64)

    def loss(weights: np.ndarray) -> float:
        found = pool(opinions, weights)
        right = np.where(classes == 1, found[:, 0], 1 - found[:, 0]) if found.shape[1] == 1 else None
        chance = found[np.arange(len(classes)), classes] if right is None else right
        return float(-np.log(np.maximum(chance, 1e-12)).mean())

    start = np.full(len(opinions), 1 / len(opinions))
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(0.0, 5.0)] * len(opinions))
    return [round(float(weight), 4) for weight in found.x]
