"""Which networks answer in a model, how much does each count, and what of an encoded row does each take?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from dlkit.contracts import Rows, Transform, take
from dlkit.errors import SettingsError
from dlkit.evaluation.attribution import Attributor, Carried, attributor
from dlkit.inference.joined import JoinedTransform
from dlkit.inference.ngrams import NgramText
from dlkit.inference.sequences import SequenceText
from dlkit.inference.text import MultiHotText
from dlkit.models.pooling import LogOpinionPool

Texts = MultiHotText | SequenceText | NgramText


@dataclass(frozen=True)
class Member:
    """A network that answers, alone or with others.

    `weight`: of its logits in the answer's. `inputs`: its own names of them to those in an encoded row.
    """

    weight: float
    network: Attributor
    transform: Texts
    inputs: Mapping[str, str]

    def carried(self, encoded: Mapping[str, np.ndarray | Rows], row: int, toward: np.ndarray, *, steps: int) -> Carried:
        """What the words of a row carry to the answer: times `weight`, but for `logits`, which are the member's own."""
        inputs = {own: take(encoded[name], np.array([row])) for own, name in self.inputs.items()}
        return self.network.carried(inputs, self.weight * toward, steps=steps)


def members(model: keras.Model, transform: Transform) -> list[Member]:
    """Those of an ensemble as `pooled` makes it, else the network itself.

    SettingsError for one that reads anything else than a text, or cannot be opened.
    """
    if not isinstance(transform, JoinedTransform):
        return [Member(1.0, attributor(model), of_texts(transform), {name: name for name in transform.tensors})]
    pool = model.layers[-1]
    if not isinstance(pool, LogOpinionPool):
        raise SettingsError(
            f"The words' weights of this network cannot be found: it reads {', '.join(transform.parts)} side by side, "
            f"but its last layer is {type(pool).__name__}, no LogOpinionPool of members."
        )
    return [
        _member(weight, opinion, transform) for weight, opinion in zip(pool.opinion_weights, pool.input, strict=True)
    ]


def _member(weight: float, opinion: keras.KerasTensor, transform: JoinedTransform) -> Member:
    # Keras has no public way from a tensor back to the call that made it.
    network, node, _ = opinion._keras_history
    taken = network._inbound_nodes[node].input_tensors
    inputs = {own.name: tensor.name for own, tensor in zip(network.inputs, taken, strict=True)}
    own, name = next(iter(inputs.items()))
    part = transform.parts[name.removesuffix(f"_{own}")]
    return Member(weight, attributor(network), of_texts(part), inputs)


def of_texts(transform: Transform) -> Texts:
    """The transform of a text model; SettingsError for one of anything else."""
    if isinstance(transform, MultiHotText | SequenceText | NgramText):
        return transform
    read = ", ".join(f"{name} ({kind})" for name, kind in list(transform.kinds.items())[:5])
    raise SettingsError(f"Explained are the words of a text, but this model reads {read}. Take a run of a text recipe.")
