"""How do a network's outputs become a forecast in the user's own units?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit.inference.runs import write_json

MEDIAN = 0.5


@dataclass(frozen=True)
class ForecastAnswer:
    """The next steps of one or several targets.

    The network gives (rows, horizon, targets x quantiles), targets outermost, on the scale of the training part:
    `output * scale + mean` of each target is in own units, or its natural logarithm (`logarithm`). `quantiles`: in
    ascending order, the median among them; empty for a forecast of points alone. `season`: steps of one. `naive_error`:
    of each target, the mean absolute difference between steps one season apart in training, the yardstick of MASE
    (Hyndman & Koehler 2006), in own units.
    """

    targets: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    naive_error: tuple[float, ...]
    season: int = 1
    quantiles: tuple[float, ...] = ()
    logarithm: bool = False
    unit: str = ""

    kind = "forecast"

    @property
    def each(self) -> int:
        """Numbers a target and step: its quantiles, or one."""
        return max(len(self.quantiles), 1)

    @property
    def units(self) -> int:
        """Numbers a step."""
        return len(self.targets) * self.each

    def every(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, horizon, targets x quantiles) to (rows, horizon, targets, quantiles) float64, quantiles ascending; one
        of them where the forecast is of points.
        """
        outputs = np.asarray(outputs, np.float64)
        split = outputs.reshape(*outputs.shape[:2], len(self.targets), self.each)
        # Nothing keeps a network's quantiles from crossing; put in order they are no worse (Chernozhukov et al. 2010).
        return np.sort(split, axis=-1) if self.quantiles else split

    def points(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, horizon, targets) float64 on the standardised scale: the median, where there are quantiles."""
        middle = self.quantiles.index(MEDIAN) if self.quantiles else 0
        return self.every(outputs)[..., middle]

    def own(self, standardised: np.ndarray) -> np.ndarray:
        """(…, targets) on the standardised scale to own units."""
        values = standardised * np.array(self.scale) + np.array(self.mean)
        return np.exp(values) if self.logarithm else values

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """(…, targets) in own units to the standardised scale."""
        values = np.log(values) if self.logarithm else values
        return (values - np.array(self.mean)) / np.array(self.scale)

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, horizon, targets) float64 in own units."""
        return self.own(self.points(outputs))

    def bands(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, horizon, targets, quantiles) float64 in own units."""
        return np.moveaxis(self.own(np.moveaxis(self.every(outputs), -1, 0)), 0, -1)

    def decode(self, outputs: np.ndarray) -> list[dict[str, object]]:
        """A row each: {"forecast": {target: values by step}}, with "quantiles": {target: {"0.1": values by step}}."""
        points = self.values(outputs)
        bands = self.bands(outputs) if self.quantiles else None
        answers: list[dict[str, object]] = []
        for row in range(len(points)):
            forecast = {name: points[row, :, place].tolist() for place, name in enumerate(self.targets)}
            answers.append({"forecast": forecast})
            if bands is not None:
                answers[-1]["quantiles"] = {
                    name: {f"{share:g}": bands[row, :, place, at].tolist() for at, share in enumerate(self.quantiles)}
                    for place, name in enumerate(self.targets)
                }
            if self.unit:
                answers[-1]["unit"] = self.unit
        return answers

    def comparable(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, steps x targets x quantiles) in standard deviations of the training part."""
        return np.asarray(outputs, np.float64).reshape(len(outputs), -1)

    def agrees(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(rows,) bool, from two results of `comparable`: is no step off by more than a twentieth of a deviation?"""
        return np.abs(ours - theirs).max(axis=1) <= 0.05

    def save(self, folder: Path) -> None:
        write_json(folder / "answer.json", {"kind": self.kind, **vars(self)})

    @classmethod
    def load(cls, settings: Mapping[str, object]) -> ForecastAnswer:
        lists = {}
        for name in ("mean", "scale", "naive_error", "quantiles"):
            found = settings[name]
            if not isinstance(found, list):
                raise TypeError(f"{name} is a JSON list")
            lists[name] = tuple(map(float, found))
        targets = settings["targets"]
        if not isinstance(targets, list):
            raise TypeError("targets is a JSON list")
        return cls(
            targets=tuple(map(str, targets)),
            season=int(str(settings["season"])),
            logarithm=bool(settings["logarithm"]),
            unit=str(settings["unit"]),
            **lists,
        )
