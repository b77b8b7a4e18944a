"""How are windows of a series, or rows of a table, scaled by what is normal?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Examples, Split, Transform
from dlkit.data.anomaly_streams import StreamSplit
from dlkit.errors import SettingsError
from dlkit.inference.tables import NumberColumn, TableRows
from dlkit.inference.windows import FURTHEST, ScaledWindows
from dlkit.preprocessing.tables import TableFeatures, passed_over

_CONSTANT = 1e-12


@dataclass(frozen=True)
class ScaledRows:
    """Each channel of a window, or column of a table, scaled by the training rows; categories one-hot.

    `scaling`: "standard" gives mean 0 and standard deviation 1, "robust" median 0 and interquartile range 1.35 (as a
    normal distribution of standard deviation 1 has), which training rows with outliers want. `max_categories`: most
    frequent values of a category column that get a feature.
    """

    scaling: Literal["standard", "robust"] = "standard"
    max_categories: int = 50

    def __post_init__(self) -> None:
        if self.scaling not in ("standard", "robust"):
            raise SettingsError(f"preprocessing.scaling: expected standard or robust, got {self.scaling!r}.")
        if self.max_categories < 1:
            raise SettingsError(f"preprocessing.max_categories: expected 1 or more, got {self.max_categories}.")

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> ScaledWindows | TableRows:
        if "series" not in kinds.values():
            table = TableFeatures(max_categories=self.max_categories).fit(train, kinds)
            numbers = {
                name: self._number(np.asarray(train.inputs[name], np.float64), flag=column.flag)
                for name, column in table.numbers.items()
            }
            return TableRows(numbers, table.categories, furthest=FURTHEST)
        others = [name for name, kind in kinds.items() if kind != "series"]
        if others:
            raise SettingsError(f"preprocessing: column {others[0]!r} is no series, as the others are. Leave it out.")
        steps = {train.inputs[name].shape[1] for name in kinds}
        if len(steps) > 1:
            raise SettingsError(f"preprocessing: the channels have windows of different lengths: {sorted(steps)}.")
        numbers = {name: self._number(_every(train.inputs[name])) for name in kinds}
        gap, time = (train.gap, train.time) if isinstance(train, StreamSplit) else (None, None)
        return ScaledWindows(steps.pop(), numbers, gap, time)

    def _number(self, values: np.ndarray, *, flag: bool = False) -> NumberColumn:
        present = values[np.isfinite(values)]
        if not len(present):
            return NumberColumn(fill=0.0, shift=0.0, scale=1.0, flag=flag)
        middle = float(np.median(present))
        if self.scaling == "robust":
            low, high = np.quantile(present, (0.25, 0.75))
            # Where half of all numbers are one, the other half still has a spread.
            shift, scale = middle, float(high - low) / 1.349 or float(present.std())
        else:
            shift, scale = float(present.mean()), float(present.std())
        # A constant column has no spread to divide by: what differs from it later counts in its own unit.
        usable = np.isfinite(scale) and scale > _CONSTANT * float(np.abs(present).max())
        return NumberColumn(middle, shift, scale if usable else 1.0, flag)

    def whole(self, transform: Transform, train: Split) -> tuple[Split, list[str]]:
        """The training rows as they are, and a note on each column of which not all categories get a feature."""
        return train, passed_over(transform, train, "preprocessing.max_categories")

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)


def _every(windows: np.ndarray) -> np.ndarray:
    """Numbers of which each window of a stream adds its last row alone: else a number counts as often as it is seen."""
    overlap = windows.strides[0] < windows.strides[1] * windows.shape[1]
    if not overlap:
        return windows.ravel()
    return np.concatenate([windows[0], windows[1:, -1]])
