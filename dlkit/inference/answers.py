"""How do a network's outputs become an answer for a person?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.latents import LatentAnswer
from dlkit.inference.runs import write_json
from dlkit.inference.sentences import SentenceAnswer

LABELS = "labels.txt"
EQUALS = 2e-4
"""Probabilities that are as near as this are equal: each may be 1e-4 off in an artefact that is not quantized."""


@dataclass(frozen=True)
class ClassAnswer:
    """One class out of several. `labels`: the class of output 0, of output 1, …

    Two classes are one sigmoid output, the probability of `labels[1]`; more are a softmax, one output each.
    """

    labels: tuple[str, ...]

    kind = "class"

    @property
    def units(self) -> int:
        """Outputs of the network."""
        return 1 if len(self.labels) == 2 else len(self.labels)

    @property
    def width(self) -> int:
        """Columns of `comparable`."""
        return len(self.labels)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, 1) or (rows, classes) network outputs to (rows, classes) probabilities, rows summing to 1."""
        outputs = np.asarray(outputs, np.float64)
        outputs = outputs.reshape(len(outputs), math.prod(outputs.shape[1:]))
        return np.concatenate([1 - outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs

    def decode(self, outputs: np.ndarray) -> list[dict[str, object]]:
        answers: list[dict[str, object]] = []
        for row in self.probabilities(outputs):
            best = int(row.argmax())
            by_label = {label: float(value) for label, value in zip(self.labels, row, strict=True)}
            answers.append({"label": self.labels[best], "score": float(row[best]), "probabilities": by_label})
        return answers

    def comparable(self, outputs: np.ndarray) -> np.ndarray:
        """What two artefacts must agree on, in units in which 1e-4 means the same for every model."""
        return self.probabilities(outputs)

    def agrees(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(rows,) bool, from two results of `comparable`: is our class the likeliest there, alone or among equals?

        Outputs of 8 bits have 256 values, and two classes often share one; of two nearer than `EQUALS`, rounding alone
        says which is the likeliest.
        """
        of_ours = np.take_along_axis(theirs, ours.argmax(axis=1, keepdims=True), axis=1)[:, 0]
        return of_ours >= theirs.max(axis=1) - EQUALS

    def settings(self) -> dict[str, object]:
        """What `load` takes."""
        return {"kind": self.kind, "labels": list(self.labels)}

    def save(self, folder: Path) -> None:
        write_json(folder / "answer.json", self.settings())
        # The same list for people and for other LiteRT tools, which read a line a label.
        lines = "".join(label.replace("\n", " ") + "\n" for label in self.labels)
        (folder / LABELS).write_text(lines, encoding="utf-8")

    @classmethod
    def load(cls, settings: Mapping[str, object]) -> ClassAnswer:
        labels = settings["labels"]
        if not isinstance(labels, list):
            raise TypeError("labels is a JSON list")
        return cls(tuple(labels))


@dataclass(frozen=True)
class ValueAnswer:
    """A number in the user's own units: `output * scale + mean`, the inverse of the target scaling.

    `spread`: standard deviation of the training targets, the yardstick of agreement. `logarithm`: the network learned
    the natural logarithm of the target, so that the exponential is the answer.
    """

    name: str
    unit: str = ""
    mean: float = 0.0
    scale: float = 1.0
    spread: float = 1.0
    logarithm: bool = False

    kind = "value"
    units = width = 1

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, 1) network outputs to (rows,) float64 in own units."""
        values = np.asarray(outputs, np.float64).reshape(len(outputs)) * self.scale + self.mean
        return np.exp(values) if self.logarithm else values

    def decode(self, outputs: np.ndarray) -> list[dict[str, object]]:
        return [{"value": float(value), "name": self.name, "unit": self.unit} for value in self.values(outputs)]

    def comparable(self, outputs: np.ndarray) -> np.ndarray:
        """Values in standard deviations of the training targets, so that 1e-4 does not depend on the unit."""
        return (self.values(outputs) / self.spread)[:, None]

    def agrees(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(rows,) bool, from two results of `comparable`: equal to a twentieth of a standard deviation?"""
        return np.abs(ours - theirs).max(axis=1) <= 0.05

    def settings(self) -> dict[str, object]:
        """What `load` takes."""
        return {"kind": self.kind, **vars(self)}

    def save(self, folder: Path) -> None:
        write_json(folder / "answer.json", self.settings())

    @classmethod
    def load(cls, settings: Mapping[str, object]) -> ValueAnswer:
        mean, scale, spread = (float(str(settings[key])) for key in ("mean", "scale", "spread"))
        return cls(str(settings["name"]), str(settings["unit"]), mean, scale, spread, bool(settings["logarithm"]))


@dataclass(frozen=True)
class JointAnswer:
    """Several answers about one row, each from an output of its own. `parts`: by name, in alphabetical order.

    A network's outputs lie side by side in that order: (rows, units of all parts).
    """

    parts: Mapping[str, ClassAnswer | ValueAnswer]

    kind = "joint"

    def split(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """(rows, units of all parts) to (rows, units) by name."""
        outputs = np.asarray(outputs)
        outputs = outputs.reshape(len(outputs), math.prod(outputs.shape[1:]))
        edges = np.cumsum([0, *(part.units for part in self.parts.values())])
        if outputs.shape[1] != edges[-1]:
            raise ValueError(f"expected {edges[-1]} outputs a row for {list(self.parts)}, got {outputs.shape[1]}")
        return {name: outputs[:, edges[place] : edges[place + 1]] for place, name in enumerate(self.parts)}

    def decode(self, outputs: np.ndarray) -> list[dict[str, object]]:
        """An object a row with the answer of each part by its name."""
        of_parts = {name: self.parts[name].decode(part) for name, part in self.split(outputs).items()}
        return [dict(zip(of_parts, row, strict=True)) for row in zip(*of_parts.values(), strict=True)]

    def comparable(self, outputs: np.ndarray) -> np.ndarray:
        return np.concatenate([self.parts[name].comparable(part) for name, part in self.split(outputs).items()], axis=1)

    def agrees(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(rows,) bool, from two results of `comparable`: is each part the same answer?"""
        same, start = np.ones(len(ours), bool), 0
        for part in self.parts.values():
            end = start + part.width
            same &= part.agrees(ours[:, start:end], theirs[:, start:end])
            start = end
        return same

    def save(self, folder: Path) -> None:
        parts = {name: part.settings() for name, part in self.parts.items()}
        write_json(folder / "answer.json", {"kind": self.kind, "parts": parts})

    @classmethod
    def load(cls, settings: Mapping[str, object]) -> JointAnswer:
        parts = settings["parts"]
        if not isinstance(parts, dict):
            raise TypeError("parts is a JSON object")
        kinds: dict[str, type[ClassAnswer | ValueAnswer]] = {one.kind: one for one in (ClassAnswer, ValueAnswer)}
        return cls({name: kinds[part["kind"]].load(part) for name, part in parts.items()})


AnyAnswer = ClassAnswer | ValueAnswer | JointAnswer | AnomalyAnswer | ForecastAnswer | LatentAnswer | SentenceAnswer
