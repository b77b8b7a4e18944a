"""How do the two halves of a latent model become signatures of an artefact?

`encode`: the encoded input to "mean" (and "log_variance" of a variational model, "probabilities" of one that
classifies); `decode`: "code" to "outputs"; `reconstruct`: the encoded input and standard normal "noise" to "outputs",
which repeat because the noise is given. A conditional model takes "label" in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from dlkit.contracts import Tensor
from dlkit.models.latent_layers import LatentModel

Forward = Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]
Functions = dict[str, tuple[Forward, Mapping[str, Tensor]]]
"""A function, and the tensors that it takes, by the name of its signature."""


def latent_functions(model: keras.Model, tensors: Mapping[str, Tensor]) -> Functions:
    """The signatures of a latent model beside the one from input to reconstruction; none of another model."""
    if not isinstance(model, LatentModel):
        return {}
    (name,) = (name for name in tensors if name != "label")
    label = {"label": tensors["label"]} if "label" in tensors else {}
    code = Tensor((model.latent,))

    def encode(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = model.encode(inputs[name], inputs.get("label"))
        return found | ({} if model.classifier is None else {"probabilities": model.classify(inputs[name])})

    def decode(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"outputs": model.decode(inputs["code"], inputs.get("label"))}

    def reconstruct(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"outputs": model.reconstruct(inputs[name], inputs.get("noise"), inputs.get("label"))}

    noise = {"noise": code} if model.variational else {}
    return {
        "encode": (encode, tensors),
        "decode": (decode, {"code": code, **label}),
        "reconstruct": (reconstruct, {**tensors, **noise}),
    }


def called_with(
    functions: Functions, rows: Mapping[str, np.ndarray], random: np.random.Generator | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """What each signature takes where the encoded rows are these: they themselves, their codes, and noise. `random`:
    where this is drawn from; always the same where it is None.
    """
    code = np.asarray(functions["encode"][0]({name: tf.constant(values) for name, values in rows.items()})["mean"])
    noise = (random or np.random.default_rng(0)).standard_normal(code.shape, np.float32)
    given = {"code": code, "noise": noise, **rows}
    return {name: {key: given[key] for key in taken} for name, (_, taken) in functions.items()}
