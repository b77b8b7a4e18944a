"""How do several translators that learn side by side answer as one?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from dlkit.models.translation_layers import Stepper, Tensors


@keras.saving.register_keras_serializable("dlkit")
class Members(keras.Model):
    """Several networks whose logits are averaged, which is the geometric mean of their distributions. A `Stepper`.

    In training each answers by itself, (members, batch, target length, words), and has a loss of its own: the members
    have nothing in common but the batches. Afterwards their mean, (batch, target length, words), is the answer.
    """

    def __init__(self, members: Sequence[keras.Model], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.members: list[Any] = list(members)
        self.longest_target: int = self.members[0].longest_target
        self.built = True

    def call(self, inputs: Mapping[str, keras.KerasTensor], training: bool | None = None) -> keras.KerasTensor:
        answers = [member(inputs, training=training) for member in self.members]
        return ops.stack(answers) if training else _mean(answers)

    def attention(self, inputs: Mapping[str, keras.KerasTensor]) -> keras.KerasTensor | None:
        """See `Stepper`: the mean of the members that have any."""
        found = [shares for member in self.members if (shares := member.attention(inputs)) is not None]
        return _mean(found) if found else None

    def encode(self, source: keras.KerasTensor) -> Tensors:
        return self._of_each(lambda member, _: member.encode(source))

    def first_cache(self, state: Tensors, length: int | keras.KerasTensor) -> Tensors:
        return self._of_each(lambda member, number: member.first_cache(_own(state, number), length))

    def step(
        self, token: keras.KerasTensor, position: keras.KerasTensor, state: Tensors, cache: Tensors
    ) -> tuple[keras.KerasTensor, Tensors]:
        answers: list[keras.KerasTensor] = []

        def step(member: Stepper, number: int) -> Tensors:
            logits, after = member.step(token, position, _own(state, number), _own(cache, number))
            answers.append(logits)
            return after

        after = self._of_each(step)
        return _mean(answers), after

    def _of_each(self, part: Callable[[Any, int], Tensors]) -> Tensors:
        """The tensors that `part` gives of each member and its number, by names that say whose they are."""
        named = ((number, part(member, number)) for number, member in enumerate(self.members))
        return {f"{number}_{name}": tensor for number, tensors in named for name, tensor in tensors.items()}

    def get_config(self) -> dict[str, object]:
        members = [keras.saving.serialize_keras_object(member) for member in self.members]
        return super().get_config() | {"members": members}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Members:
        members = [keras.saving.deserialize_keras_object(one, custom_objects) for one in config["members"]]
        return cls(**config | {"members": members})


def _own(tensors: Tensors, number: int) -> Tensors:
    """Those of a member, by the names that it gave them."""
    own = f"{number}_"
    return {name.removeprefix(own): tensor for name, tensor in tensors.items() if name.startswith(own)}


def _mean(answers: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    total = answers[0]
    for other in answers[1:]:
        total = total + other
    return total * (1 / len(answers))
