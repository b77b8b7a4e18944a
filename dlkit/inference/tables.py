"""How does a row of a table become the numbers that a network takes?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit.contracts import ColumnKind, Columns, Rows, Tensor
from dlkit.inference.plain import Plain
from dlkit.inference.runs import write_json


@dataclass(frozen=True)
class NumberColumn:
    """A number is filled with `fill` where missing, then becomes (x - shift) / scale.

    With `flag`, a second feature is 1 where the number was missing (it was so in training rows too).
    """

    fill: float
    shift: float
    scale: float
    flag: bool = False


@dataclass(frozen=True)
class TableRows(Plain):
    """Columns of numbers and categories to one row of float32 features.

    `numbers`: column name to how it is scaled. `categories`: column name to the values seen in training, one
    feature each (one-hot: they have no order); a missing or unseen value is all zeros. `furthest`: where it is given,
    scaled numbers end at it, below 0 and above.
    Features stand in the order numbers, then categories, each as listed.
    """

    numbers: Mapping[str, NumberColumn]
    categories: Mapping[str, tuple[str, ...]]
    furthest: float | None = None

    kind = "table"

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        numbers: dict[str, ColumnKind] = dict.fromkeys(self.numbers, "number")
        return numbers | dict.fromkeys(self.categories, "category")

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        return self.categories

    @property
    def features(self) -> list[str]:
        """Name of each feature, in their order."""
        names = []
        for name, column in self.numbers.items():
            names += [name, f"{name} is missing"] if column.flag else [name]
        return names + [f"{name}={value}" for name, values in self.categories.items() for value in values]

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {"features": Tensor((len(self.features),))}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """`{column: (rows,)}` to `{"features": (rows, features) float32}`; arithmetic in float64."""
        features: list[np.ndarray] = []
        for name, column in self.numbers.items():
            values = np.asarray(inputs[name], np.float64)
            missing = np.isnan(values)
            with np.errstate(over="ignore"):
                scaled = (np.where(missing, column.fill, values) - column.shift) / column.scale
            features.append(scaled if self.furthest is None else np.clip(scaled, -self.furthest, self.furthest))
            if column.flag:
                features.append(missing)
        for name, known in self.categories.items():
            features += [np.array([value == seen for value in inputs[name]], bool) for seen in known]
        # A number beyond float32 becomes infinite; the predictor refuses what comes of it.
        with np.errstate(over="ignore"):
            return {"features": np.stack(features, axis=1).astype(np.float32)}

    def remarks(self, inputs: Columns) -> list[str | None]:
        rows = len(next(iter(inputs.values())))
        remarks: list[str | None] = [None] * rows
        for name, known in self.categories.items():
            fine = {None, "", *known}
            for row, value in enumerate(inputs[name]):
                if value not in fine:
                    seen = "was never seen in training, or too seldom"
                    remarks[row] = f"column {name!r}: {value!r} {seen}; it is treated as missing"
        return remarks

    def save(self, folder: Path) -> None:
        settings = {
            "kind": self.kind,
            "numbers": {name: vars(column) for name, column in self.numbers.items()},
            "categories": {name: list(values) for name, values in self.categories.items()},
            **({"furthest": self.furthest} if self.furthest is not None else {}),
        }
        write_json(folder / "preprocessing.json", settings)

    @classmethod
    def load(cls, folder: Path, settings: Mapping[str, object]) -> TableRows:  # noqa: ARG003 (one signature for all kinds)
        numbers, categories = settings["numbers"], settings["categories"]
        if not isinstance(numbers, dict) or not isinstance(categories, dict):
            raise TypeError("numbers and categories are JSON objects")
        return cls(
            {name: NumberColumn(**column) for name, column in numbers.items()},
            {name: tuple(values) for name, values in categories.items()},
            float(str(settings["furthest"])) if "furthest" in settings else None,
        )
