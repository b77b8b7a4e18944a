"""How does a window of numbers, raw as it was measured, become what a network takes?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dlkit.contracts import ColumnKind, Columns, Rows, Tensor
from dlkit.errors import InputError
from dlkit.inference.plain import Plain
from dlkit.inference.runs import write_json
from dlkit.inference.tables import NumberColumn

NORMAL, ANOMALY = "normal", "anomaly"
"""What is known of a row; None where nobody knows."""
FURTHEST = 1e4
"""In standard deviations; values further off count as so far: a wild one is to end in an alarm, not in infinity."""

DAY = 86_400
"""Seconds. Rows of a day each are told apart without a time of day."""


def holding(flags: np.ndarray, length: int) -> np.ndarray:
    """(flags - length + 1,) bool: is any of `length` flags that follow each other up?"""
    up = np.concatenate([[0], np.cumsum(flags)])
    return np.asarray(up[length:] > up[:-length])


@dataclass(frozen=True)
class ScaledWindows(Plain):
    """Windows of `window` steps of one or several channels, each scaled: (x - shift) / scale.

    `numbers`: channel to how it is scaled; a missing number is filled with `fill`, the training rows' median. `gap`:
    seconds; of rows of a stream that are further apart, one does not follow the other. None: any follows. `time`: the
    column of times of the stream it was learnt from; None where there was none, or nobody knows.
    """

    window: int
    numbers: Mapping[str, NumberColumn]
    gap: float | None = None
    time: str | None = None

    kind = "windows"

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        return dict.fromkeys(self.numbers, "series")

    @property
    def within_a_day(self) -> bool:
        """Whether rows are known to follow each other within a day, so that a day alone is no time."""
        return self.time is not None and self.gap is not None and self.gap < DAY

    @property
    def features(self) -> list[str]:
        """Name of each channel, in their order."""
        return list(self.numbers)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {"window": Tensor((self.window, len(self.numbers)))}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"window": self.window, "channels": len(self.numbers)}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """`{channel: (rows, steps)}` to `{"window": (rows, window, channels) float32}`, scaled when they are asked for;
        of longer rows the newest steps.
        """
        columns = {name: np.asarray(inputs[name], np.float64) for name in self.numbers}
        self.check_lengths({name: column.shape[1] for name, column in columns.items()})
        return {"window": Windows({name: column[:, -self.window :] for name, column in columns.items()}, self)}

    def check_lengths(self, steps: Mapping[str, int], where: str = "") -> None:
        """InputError, beginning with `where`, unless there are as many numbers of each channel, and enough."""
        for name, count in steps.items():
            if count < self.window:
                column = f"{where}, column {name!r}" if where else f"Column {name!r}"
                raise InputError(
                    f"{column}: expected a window of {self.window} numbers, or more of which the newest count, got "
                    f"{count}."
                )
        if len(set(steps.values())) > 1:
            found = ", ".join(f"{name} {count}" for name, count in steps.items())
            begins = f"{where}: the" if where else "The"
            raise InputError(f"{begins} channels of a window differ in length: {found}. Give as many numbers of each.")

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Raw values (..., channels) float64 as the network takes them: float32."""
        fill, shift, scale = self._scaling
        with np.errstate(over="ignore"):
            scaled = (np.where(np.isnan(values), fill, values) - shift) / scale
        return np.minimum(np.maximum(scaled, -FURTHEST), FURTHEST).astype(np.float32)

    def whole(self, times: np.ndarray | None, count: int) -> np.ndarray:
        """Numbers of the windows, of all `count` in a stream of such (rows,) times, in which no row follows a gap."""
        if times is None or self.gap is None:
            return np.arange(count)
        return np.flatnonzero(~holding(np.diff(times) / np.timedelta64(1, "s") > self.gap, self.window - 1))

    @cached_property
    def _scaling(self) -> np.ndarray:
        """(3, channels) float64: fill, shift and scale."""
        return np.array([(column.fill, column.shift, column.scale) for column in self.numbers.values()]).T

    def remarks(self, inputs: Columns) -> list[str | None]:
        newest = (np.asarray(inputs[name], np.float64)[:, -self.window :] for name in self.numbers)
        missing = sum(np.isnan(values).sum(axis=1) for values in newest)
        return [
            f"{count} of its {self.window * len(self.numbers)} numbers are missing; the usual value stands in for them"
            if count
            else None
            for count in np.asarray(missing).tolist()
        ]

    def figures(self, inputs: Columns) -> dict[str, float]:
        """The share of numbers that are missing."""
        missing = [float(np.isnan(np.asarray(inputs[name], np.float64)).mean()) for name in self.numbers]
        return {"missing_share": float(np.mean(missing))}

    def save(self, folder: Path) -> None:
        numbers = {name: vars(column) for name, column in self.numbers.items()}
        settings = {"kind": self.kind, "window": self.window, "numbers": numbers, "gap": self.gap, "time": self.time}
        write_json(folder / "preprocessing.json", settings)

    @classmethod
    def load(cls, folder: Path, settings: Mapping[str, object]) -> ScaledWindows:  # noqa: ARG003 (one signature for all kinds)
        numbers = settings["numbers"]
        if not isinstance(numbers, dict):
            raise TypeError("numbers is a JSON object")
        gap, time = settings.get("gap"), settings.get("time")  # runs of streams had none once
        columns = {name: NumberColumn(**column) for name, column in numbers.items()}
        whole = None if gap is None else float(str(gap))
        return cls(int(str(settings["window"])), columns, whole, None if time is None else str(time))


@dataclass(frozen=True)
class Windows:
    """Raw windows as `Rows`: scaled when they are asked for, so that of a long stream there are no copies."""

    columns: Columns
    transform: ScaledWindows

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, indices: np.ndarray) -> np.ndarray:
        """(len(indices), window, channels) float32."""
        return self.transform.scaled(np.stack([column[indices] for column in self.columns.values()], axis=-1))
