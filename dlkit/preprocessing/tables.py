"""How are the columns of a table scaled and encoded?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Examples, Split, Transform
from dlkit.errors import DataError, SettingsError
from dlkit.inference.tables import NumberColumn, TableRows

SILENT = 1e38
"""Divided by so much, a column is 0 to a network."""


@dataclass(frozen=True)
class TableFeatures:
    """Numbers scaled, categories one-hot; what is missing is filled with the training median and flagged.

    `scaling`: "standard" gives mean 0 and standard deviation 1, "minmax" the range [0, 1] of the training rows
    (sensitive to a single outlier), "none" leaves the units. `max_categories`: most frequent values of a category
    column that get a feature.
    """

    scaling: Literal["standard", "minmax", "none"] = "standard"
    max_categories: int = 50

    def __post_init__(self) -> None:
        if self.scaling not in ("standard", "minmax", "none"):
            raise SettingsError(f"preprocessing.scaling: expected standard, minmax or none, got {self.scaling!r}.")
        if self.max_categories < 1:
            raise SettingsError(f"preprocessing.max_categories: expected 1 or more, got {self.max_categories}.")

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind], *, constant: float = SILENT) -> TableRows:
        """`constant`: what a column that is the same on all training rows is divided by."""
        numbers: dict[str, NumberColumn] = {}
        categories: dict[str, tuple[str, ...]] = {}
        for name, kind in kinds.items():
            if kind == "number":
                numbers[name] = self._number(np.asarray(train.inputs[name], np.float64), constant)
            elif kind == "category":
                # "" is what a missing category is in a SavedModel's string tensor, so it can be no category itself.
                counts = Counter(value for value in train.inputs[name] if value not in (None, ""))
                frequent = sorted(counts, key=lambda value: (-counts[value], value))[: self.max_categories]
                categories[name] = tuple(sorted(frequent))
            else:
                raise SettingsError(
                    f"preprocessing: column {name!r} holds {kind}s; a table takes numbers and categories."
                )
        if not numbers and not any(categories.values()):
            raise DataError("The table has no usable column beside the target. Give at least one number or category.")
        return TableRows(numbers, categories)

    def _number(self, values: np.ndarray, constant: float) -> NumberColumn:
        present = values[~np.isnan(values)]
        if not len(present):
            return NumberColumn(fill=0.0, shift=0.0, scale=constant)
        shift, scale = 0.0, 1.0
        if self.scaling == "standard":
            shift, scale = float(present.mean()), float(present.std())
        elif self.scaling == "minmax":
            shift, scale = float(present.min()), float(present.max() - present.min())
        # A constant column has no spread to divide by. Its weights are never learnt: it is 0, whatever comes later.
        usable = np.isfinite(scale) and scale > 1e-12 * float(np.abs(present).max())
        scale = scale if usable else constant
        return NumberColumn(float(np.median(present)), shift, scale, flag=len(present) < len(values))

    def whole(self, transform: Transform, train: Split) -> tuple[Split, list[str]]:
        """The training rows as they are, and a note on each column of which not all categories get a feature."""
        return train, passed_over(transform, train, "preprocessing.max_categories")

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)


def passed_over(transform: Transform, train: Split, setting: str = "") -> list[str]:
    """A note on each column of which not all categories get a feature. `setting`: what gives more of them one."""
    known = transform.categories if isinstance(transform, TableRows) else {}
    different = {name: len({*train.inputs[name]} - {None, ""}) for name in known}
    remedy = f" ({setting})" if setting else ""
    return [
        f"column {name!r} holds {different[name]} different words: the {len(values)} most frequent are told apart, "
        f"the others count as missing{remedy}"
        for name, values in known.items()
        if len(values) < different[name]
    ]
