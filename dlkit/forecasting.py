"""What is asked of a forecast: points or quantiles, by which loss, and by which yardstick is it judged?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from dlkit.contracts import Chosen, Head, Joined, Rows, Split, Targets
from dlkit.data.series_windows import SeriesSplit
from dlkit.errors import DataError, SettingsError
from dlkit.inference.forecasts import MEDIAN, ForecastAnswer
from dlkit.inference.series import ScaledSteps
from dlkit.preprocessing.series import channel_of


@dataclass(frozen=True)
class Forecasting:
    """The next steps of one or several targets.

    `loss_name`: "mse", "mae" or "huber" of the standardised steps, for a forecast of points. `quantiles`: such as
    (0.1, 0.5, 0.9), the median among them: the network then gives each, by the pinball loss (Koenker & Bassett 1978).
    `unit`: of the targets, for reports.
    """

    loss_name: Literal["mse", "mae", "huber"] = "mse"
    quantiles: tuple[float, ...] = ()
    unit: str = ""

    name: ClassVar[str] = "forecasting"
    monitor: ClassVar[tuple[str, Literal["max", "min"]]] = ("mse", "min")

    def __post_init__(self) -> None:
        if self.loss_name not in ("mse", "mae", "huber"):
            raise SettingsError(f"task.loss_name: expected mse, mae or huber, got {self.loss_name!r}.")
        shares = self.quantiles
        if not shares:
            return
        if not all(0 < share < 1 for share in shares) or list(shares) != sorted(set(shares)) or MEDIAN not in shares:
            raise SettingsError(
                f"task.quantiles={shares!r}: expected shares above 0 and below 1 in ascending order, 0.5 among them, "
                "such as (0.1, 0.5, 0.9)."
            )

    def sizes(self, answer: ForecastAnswer) -> dict[str, int]:
        """What a model builder knows of the answer: "quantiles", 1 for a forecast of points, and "median", which of
        them is the forecast.
        """
        median = answer.quantiles.index(MEDIAN) if answer.quantiles else 0
        return {"quantiles": max(len(answer.quantiles), 1), "median": median}

    def fit(self, train: Split, target_name: str) -> ForecastAnswer:  # noqa: ARG002 (one signature for all tasks)
        if not isinstance(train, SeriesSplit):
            raise SettingsError("A forecast is learnt from a series: data=SeriesData(...).")
        layout = train.layout
        channels = [channel_of(train, name) for name in layout.targets]
        errors = [naive_error(train.part[name], layout.season) for name in layout.targets]
        return ForecastAnswer(
            targets=layout.targets,
            mean=tuple(channel.mean for channel in channels),
            scale=tuple(channel.scale for channel in channels),
            naive_error=tuple(errors),
            season=layout.season,
            quantiles=tuple(self.quantiles),
            logarithm=layout.logarithm,
            unit=self.unit,
        )

    def heads(self, answer: ForecastAnswer) -> Mapping[str, Head]:
        return {"forecast": Head(answer.units)}

    def encode(self, answer: ForecastAnswer, targets: Targets) -> Rows:
        """(rows, horizon, targets) float64 in own units to float32 on the standardised scale, made on `take`."""
        if isinstance(targets, Joined):
            return Joined(self.encode(answer, targets.first), self.encode(answer, targets.second))
        if isinstance(targets, Chosen) and isinstance(targets.rows, np.ndarray):
            return Chosen(self.encode(answer, targets.rows), targets.numbers)
        if not isinstance(targets, np.ndarray):
            raise DataError("A forecast needs the steps that follow each window; the data gives none.")
        return ScaledSteps(targets, np.array(answer.mean), np.array(answer.scale), answer.logarithm)

    def loss(self, answer: ForecastAnswer) -> str:
        if answer.quantiles:
            return f"pinball:{','.join(f'{share:g}' for share in answer.quantiles)}"
        return self.loss_name

    def metrics(self, answer: ForecastAnswer) -> list[str]:
        return [] if answer.quantiles or self.loss_name == "mae" else ["mae"]


def naive_error(values: np.ndarray, season: int) -> float:
    """Mean absolute difference of steps one season apart, of neighbours where there are none; 1 where it is 0."""
    for lag in (season, 1):
        differences = np.abs(values[lag:] - values[:-lag]) if len(values) > lag else np.zeros(0)
        differences = differences[np.isfinite(differences)]
        if len(differences) and differences.mean() > 0:
            return float(differences.mean())
    return 1.0
