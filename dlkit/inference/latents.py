"""How do pictures and rows reach a latent model, and what does its reconstruction say to a person?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlkit.contracts import Column, ColumnKind, Columns, Rows, Tensor, take
from dlkit.errors import InputError, did_you_mean
from dlkit.inference.images import ImagePixels, size_of
from dlkit.inference.runs import write_json
from dlkit.inference.tables import TableRows

Protocol = Literal["none", "static", "dynamic", "threshold"]
PROTOCOLS: dict[str, str] = {
    "none": "grey values in [0, 1]",
    "static": "statically binarised: each pixel drawn once, from a seed, 1 with the probability of its grey value",
    "dynamic": "dynamically binarised: each pixel drawn anew in every epoch; held-out pixels once, from a seed",
    "threshold": "binarised at half of full brightness",
}
"""What figures on pictures rest on, by the name in `preprocessing.binarise`."""
SAME = 0.05
"""Root mean squared difference, of pixels in [0, 1] or of standardised features, up to which two answers are one."""


class UnitPixels:
    """Pictures as float32 in [0, 1], made when they are asked for; with `threshold` 0 or 1.

    `pixels`: (rows, height, width, channels) uint8.
    """

    def __init__(self, pixels: np.ndarray | Rows, *, threshold: bool = False) -> None:
        self.pixels, self.threshold = pixels, threshold

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: np.ndarray) -> np.ndarray:
        pixels = take(self.pixels, indices)
        return (pixels >= 128).astype(np.float32) if self.threshold else pixels / np.float32(255)


@dataclass(frozen=True)
class LatentInputs:
    """Pictures or table rows as a latent model takes them, with their label where the model is given one.

    `part`: of the pictures or the table. `binarise`: the protocol of training. An artefact draws nothing: under
    "static" and "dynamic" it takes grey values, which give a linear first layer what the draws give on average.
    `label`: name of the column of labels, "" where there is none; `labels`: those seen in training.
    `mean`: of the training rows, in the network's units; only where this comes straight from fitting.
    """

    part: ImagePixels | TableRows
    binarise: Protocol = "none"
    label: str = ""
    labels: tuple[str, ...] = ()
    mean: np.ndarray | None = field(default=None, compare=False, repr=False)

    kind = "latent_inputs"

    @property
    def name(self) -> str:
        """Of the network's input: "image", or "row" of a table."""
        return "image" if isinstance(self.part, ImagePixels) else "row"

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, channels), or (features,)."""
        return self.part.shape if isinstance(self.part, ImagePixels) else (len(self.part.features),)

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        of_label: dict[str, ColumnKind] = {self.label: "category"} if self.label else {}
        return {**self.part.kinds, **of_label}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {self.name: Tensor(self.shape)} | ({"label": Tensor((), "int32")} if self.label else {})

    @property
    def sizes(self) -> Mapping[str, int]:
        return self.part.sizes

    @property
    def tables(self) -> Mapping[str, np.ndarray]:
        return {} if self.mean is None else {"mean": self.mean}

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        return {**self.part.choices, **({self.label: self.labels} if self.label else {})}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """Raw columns to {"image": (rows, height, width, channels)} in [0, 1], or {"row": (rows, features)}, float32,
        and "label" (rows,) int32, the number of each.
        """
        found: dict[str, np.ndarray | Rows] = {self.name: self.clean(inputs)}
        return found | ({"label": self.numbers(inputs[self.label])} if self.label else {})

    def clean(self, inputs: Columns) -> np.ndarray | Rows:
        """What is to be reconstructed: the pictures or rows as an artefact takes them."""
        (found,) = self.part.encode(inputs).values()
        return UnitPixels(found, threshold=self.binarise == "threshold") if self.name == "image" else found

    def numbers(self, labels: Column) -> np.ndarray:
        """(rows,) labels to int32 numbers; InputError for one that training had not."""
        known = {label: number for number, label in enumerate(self.labels)}
        for row, label in enumerate(labels.tolist(), start=1):
            if label not in known:
                given = "no label" if label is None else f"the label {label!r}"
                raise InputError(
                    f"Item {row}, column {self.label!r}: expected a label seen in training, got {given}."
                    f"{did_you_mean(str(label), self.labels)}"
                )
        return np.array([known[label] for label in labels.tolist()], np.int32)

    def remarks(self, inputs: Columns) -> list[str | None]:
        remarks = self.part.remarks(inputs)
        for row, size in enumerate(self._other_sizes(inputs)):
            if size is not None and remarks[row] is None:
                height, width, *_ = self.shape
                given = f"the picture has {size[1]} x {size[0]} pixels"
                remarks[row] = f"{given}; it was made {width} x {height}, as the model takes it"
        return remarks

    def figures(self, inputs: Columns) -> dict[str, float]:
        """The share "resized": of pictures that have another size than the model takes, where there are some."""
        found = [size is not None for size in self._other_sizes(inputs)]
        return self.part.figures(inputs) | ({"resized": sum(found) / len(found)} if any(found) else {})

    def _other_sizes(self, inputs: Columns) -> list[tuple[int, int] | None]:
        """(height, width) of each picture that is of another size; of a table none."""
        if not isinstance(self.part, ImagePixels):
            return []
        sizes = [size_of(picture) for picture in inputs[self.part.column]]
        return [None if size == self.shape[:2] else size for size in sizes]

    def save(self, folder: Path) -> None:
        inside = folder / "part"
        inside.mkdir()
        self.part.save(inside)
        settings = {name: getattr(self, name) for name in ("kind", "binarise", "label", "labels")}
        write_json(folder / "preprocessing.json", settings)

    @classmethod
    def load(cls, _folder: Path, settings: Mapping[str, object], part: object) -> LatentInputs:
        """`part`: as its own file says."""
        binarise, labels = str(settings["binarise"]), settings["labels"]
        if binarise not in PROTOCOLS or not isinstance(labels, list) or not isinstance(part, ImagePixels | TableRows):
            raise ValueError(f"binarise is {binarise!r}, labels are {labels!r}")
        return cls(part, binarise, str(settings["label"]), tuple(labels))  # type: ignore[arg-type]  # checked above


@dataclass(frozen=True)
class LatentAnswer:
    """What a latent model makes of its input. Outputs of the network are the reconstruction, (rows, *shape).

    `shape`: (height, width, channels) of pictures, whose values lie in [0, 1], or (features,) of a table's rows.
    `labels`: classes known of the training rows. `features`: of a table, with the `shift` and `scale` that lead from
    the network's units to the user's own: value * scale + shift. The features are those of `TableRows`: numbers, each
    with a second one where it is among the `flagged`, which may be missing, then those of `categories`, one a value.
    """

    shape: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    shift: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    flagged: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    kind = "latent"

    @property
    def width(self) -> int:
        """Columns of `comparable`."""
        return math.prod(self.shape)

    def reconstructions(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, *shape), whatever an artefact made of the axes."""
        return np.asarray(outputs).reshape(len(outputs), *self.shape)

    def decode(self, outputs: np.ndarray) -> list[dict[str, object]]:
        """{"reconstruction"}: of a picture rows of pixels from 0 to 255 (of colours, if it has some), of a table's row
        an object of its columns, which is a row again: numbers in their own units, None where one is missing, and the
        likeliest value of a category.
        """
        found = self.reconstructions(outputs)
        if not self.features:
            return [{"reconstruction": picture.tolist()} for picture in pixels(found)]
        values = found.astype(np.float64) * np.array(self.scale) + np.array(self.shift)
        columns = [self._column(column, values[:, places]) for column, places in self.columns.items()]
        return [{"reconstruction": dict(zip(self.columns, row, strict=True))} for row in zip(*columns, strict=True)]

    @property
    def columns(self) -> dict[str, slice]:
        """Where in a row's features each column of the table lies: a number, its flag behind it, or a category."""
        found, place, end = {}, 0, len(self.features) - sum(map(len, self.categories.values()))
        while place < end:
            width = 1 + (self.features[place] in self.flagged)
            found[self.features[place]] = slice(place, place + width)
            place += width
        for name, known in self.categories.items():
            found[name] = slice(place, place + len(known))
            place += len(known)
        return found

    def _column(self, name: str, values: np.ndarray) -> list[object]:
        """(rows, features of the column) in own units to what a table would have in it."""
        if name not in self.categories:
            missing = values[:, 1] > 0.5 if name in self.flagged else np.zeros(len(values), bool)
            return [None if gone else value for value, gone in zip(values[:, 0].tolist(), missing, strict=True)]
        known = self.categories[name]
        return [known[place] for place in values.argmax(axis=1)] if known else [None] * len(values)

    def comparable(self, outputs: np.ndarray) -> np.ndarray:
        return np.asarray(outputs).reshape(len(outputs), self.width)

    def agrees(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(rows,) bool, from two results of `comparable`: do they look the same, to a twentieth of the range?"""
        return np.sqrt(np.square(ours - theirs, dtype=np.float64).mean(axis=1)) <= SAME

    def settings(self) -> dict[str, object]:
        """What `load` takes."""
        return {"kind": self.kind, **vars(self)}

    def save(self, folder: Path) -> None:
        write_json(folder / "answer.json", self.settings())

    @classmethod
    def load(cls, settings: Mapping[str, object]) -> LatentAnswer:
        found = {name: settings[name] for name in ("shape", "labels", "features", "shift", "scale")}
        # Runs of the first latent models have neither: their rows stay features.
        found["flagged"], categories = settings.get("flagged", []), settings.get("categories", {})
        if not all(isinstance(one, list) for one in found.values()) or not isinstance(categories, dict):
            raise TypeError("expected JSON lists, and an object of categories")
        known = {name: tuple(values) for name, values in categories.items()}
        lists: dict[str, Any] = {name: tuple(one) for name, one in found.items()}  # type: ignore[arg-type]
        return cls(**lists, categories=known)


def pixels(values: np.ndarray) -> np.ndarray:
    """(rows, height, width, channels) in [0, 1] to uint8 pixels, (rows, height, width) where there is one channel."""
    found = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return found[..., 0] if found.shape[-1] == 1 else found


def row_line(row: Mapping[str, object]) -> str:
    """A row of a table for a person: its columns with their values, "?" where one is missing."""
    return ", ".join(f"{name}={_shown(value)}" for name, value in row.items())


def _shown(value: object) -> str:
    return "?" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
