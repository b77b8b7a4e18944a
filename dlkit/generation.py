"""What is asked of a latent model: a distribution to draw from, or a narrow code that says nearly all?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from dlkit.contracts import ColumnKind, Head, Split, Splits, Targets, Transform
from dlkit.errors import DataError, SettingsError
from dlkit.inference.latents import LatentAnswer, LatentInputs
from dlkit.inference.tables import TableRows

_USES = ("none", "condition", "classify")


@dataclass(frozen=True)
class Generation:
    """Pictures or rows like those that were learned from; the model owns its loss, the evidence lower bound.

    `labels`: what becomes of the labels of the training rows. "none": figures alone use them; "condition": they go in
    beside the input, so that a label asks for a picture of its class; "classify": the code has to tell them, by a joint
    loss. `samples`: how many codes a row the likelihood of held-out rows is estimated from (Burda et al. 2016, eq. 8);
    `likelihood_rows`: how many test rows it is estimated on. The bound is always that of all test rows.
    """

    labels: Literal["none", "condition", "classify"] = "none"
    samples: int = 500
    likelihood_rows: int = 250

    name: ClassVar[str] = "generation"
    monitor: ClassVar[tuple[str, Literal["max", "min"]]] = ("elbo", "max")

    def __post_init__(self) -> None:
        if self.labels not in _USES:
            raise SettingsError(f"task.labels: expected {', '.join(_USES)}, got {self.labels!r}.")
        for name in ("samples", "likelihood_rows"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingsError(f"task.{name}={value!r}: expected a whole number of 1 or more.")

    def readable(self, splits: Splits) -> Splits:
        """The rows, with their labels as one more column where the model is given them."""
        if self.labels == "none":
            return splits
        if splits.train.targets is None:
            raise DataError(
                f"task.labels={self.labels} needs a label for each row, and {splits.source} has none. Give folders of "
                "classes or a column of labels (--set data.target=NAME), or take a model that does without labels."
            )
        if self.labels == "classify":
            return splits
        column = splits.target_name or "label"
        if column in splits.kinds:
            raise DataError(
                f"{splits.source}: the labels are in a column {column!r}, and so is what is to be encoded. Give the "
                "column of labels another name."
            )
        kinds: dict[str, ColumnKind] = {**splits.kinds, column: "category"}
        parts = {name: getattr(splits, name) for name in ("train", "validation", "test")}
        given = {
            name: replace(part, inputs={**part.inputs, column: np.asarray(part.targets)})
            for name, part in parts.items()
        }
        return replace(splits, **given, kinds=kinds)

    def check(self, model: object) -> None:
        """SettingsError unless the built model does with labels what is asked of it."""
        classifies = getattr(model, "classifier", None) is not None
        if classifies and self.labels != "classify":
            raise SettingsError(
                f"task.labels={self.labels}: this model has a classifier, which learns labels. Say --set "
                "task.labels=classify, or take another --model."
            )
        if self.labels == "classify" and not classifies:
            raise SettingsError(
                "task.labels=classify: the code is to tell the class, and this model has no classifier. Take --model "
                "joint, or say --set task.labels=none"
            )
        if getattr(model, "conditional", False) != (self.labels == "condition"):
            raise SettingsError(
                f"task.labels={self.labels}: "
                + ("this model reads no label" if self.labels == "condition" else "this model reads a label, too")
                + ". Build encoder and decoder from every input of the spec, or set task.labels otherwise."
            )

    def fit(self, train: Split, target_name: str) -> LatentAnswer:  # noqa: ARG002 (one signature for all tasks)
        """An answer without shape yet: see `completed`."""
        labels = sorted(set(train.targets)) if isinstance(train.targets, np.ndarray) else []
        if self.labels != "none" and len(labels) < 2:
            raise DataError(
                f"task.labels={self.labels}: the training rows have {len(labels)} class; expected 2 or more."
            )
        return LatentAnswer(labels=tuple(labels))

    def going_on(self, known: LatentAnswer, train: Split, target_name: str) -> LatentAnswer:
        """As `fit`, but with all classes of the run that training goes on from, where the model deals with them: these
        rows may hold a part of them.
        """
        if self.labels == "none" or not known.labels:
            return self.fit(train, target_name)
        return LatentAnswer(labels=known.labels)

    def completed(self, answer: LatentAnswer, transform: Transform) -> LatentAnswer:
        """The answer with the shape of what is reconstructed, and a table's way back to its own units."""
        if not isinstance(transform, LatentInputs):
            raise SettingsError(
                f"A latent model takes pixels in [0, 1] or standardised rows: preprocessing=LatentRows(), got "
                f"{type(transform).__name__}."
            )
        if not isinstance(transform.part, TableRows):
            return replace(answer, shape=transform.shape)
        scales = {name: (column.shift, column.scale) for name, column in transform.part.numbers.items()}
        features = tuple(transform.part.features)
        shift, scale = zip(*(scales.get(name, (0.0, 1.0)) for name in features), strict=True)
        return replace(
            answer,
            shape=transform.shape,
            features=features,
            shift=shift,
            scale=scale,
            flagged=tuple(name for name, column in transform.part.numbers.items() if column.flag),
            categories=dict(transform.part.categories),
        )

    def sizes(self, answer: LatentAnswer) -> dict[str, int]:
        """What a model builder knows of the labels: how many "classes" there are."""
        return {"classes": len(answer.labels)} if answer.labels else {}

    def heads(self, answer: LatentAnswer) -> Mapping[str, Head]:
        return {"reconstruction": Head(math.prod(answer.shape), None if answer.features else "sigmoid")}

    def encode(self, answer: LatentAnswer, targets: Targets) -> np.ndarray | None:
        """(rows,) int32 numbers of the labels that the code has to tell; None where it has none to tell."""
        if self.labels != "classify" or not isinstance(targets, Mapping):
            return None
        numbers = {label: number for number, label in enumerate(answer.labels)}
        unknown = sorted(set(targets["label"]) - set(numbers))
        if unknown:
            raise DataError(f"Labels {unknown[:5]} do not occur in the training rows, which have {list(numbers)[:10]}.")
        return np.array([numbers[label] for label in targets["label"]], np.int32)

    def loss(self, answer: LatentAnswer) -> None:
        """The model adds its own."""

    def metrics(self, answer: LatentAnswer) -> list[str]:  # noqa: ARG002 (one signature for all tasks)
        return []


@dataclass(frozen=True)
class Reconstruction(Generation):
    """A code of a few numbers from which the input can be made again, for compression or against noise.

    The settings are those of `Generation`.
    """

    name: ClassVar[str] = "reconstruction"
    monitor: ClassVar[tuple[str, Literal["max", "min"]]] = ("mse", "min")
