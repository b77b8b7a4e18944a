"""How are several preprocessings fitted on the same rows, each of them once?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlkit.contracts import ColumnKind, Examples, Preprocessing, Split, Transform
from dlkit.inference.joined import JoinedTransform


@dataclass(frozen=True)
class Joined:
    """Preprocessings by the name of who needs them; equal ones are fitted once, under the first one's name."""

    members: Mapping[str, Preprocessing]

    def part_of(self, member: str) -> str:
        """The name under which a member's preprocessing was fitted."""
        wanted = self.members[member]
        return next(name for name, settings in self.members.items() if settings == wanted)

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> JoinedTransform:
        names = dict.fromkeys(self.part_of(member) for member in self.members)
        return JoinedTransform({name: self.members[name].fit(train, kinds) for name in names})

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)


def part_examples(examples: Examples, name: str, part: Transform) -> Examples:
    """What the part `name`, which is `part`, made of the rows, by its own names."""
    return Examples({key: examples.inputs[f"{name}_{key}"] for key in part.tensors}, examples.targets)
