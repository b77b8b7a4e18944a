"""What can be forecast without a download, and how well at best?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlkit.data.samples import Dice
from dlkit.errors import SettingsError, did_you_mean

NOISE = 1.0
"""Standard deviation of what nobody can know beforehand, in megawatts."""


@dataclass(frozen=True)
class SeriesSample:
    """`times`: (rows,) datetime64[ns]. `values`: column to (rows,) float64. `noise`: standard deviation, in the
    columns' units, of what no model can forecast.
    """

    times: np.ndarray
    values: dict[str, np.ndarray]
    step: np.timedelta64
    noise: float
    title: str


def load(rows: int = 2_400) -> SeriesSample:
    """The load of a small grid in megawatts, hourly: a day's and a week's cycle and noise of 1 MW.

    No error is smaller than the noise: the best mean squared error is 1 MW².
    """
    dice = Dice(6)
    hours = np.arange(rows)
    day, week = 2 * math.pi * hours / 24, 2 * math.pi * hours / 168
    cycle = 4 * np.sin(day - 2.0) + 1.5 * np.sin(2 * day) + 2 * np.sin(week - 1.0)
    start = np.datetime64("2024-01-01", "ns")
    return SeriesSample(
        times=start + hours * np.timedelta64(1, "h"),
        values={"load": 30 + cycle + NOISE * dice.normal(rows)},
        step=np.timedelta64(3_600_000_000_000, "ns"),
        noise=NOISE,
        title="generated hourly load of a grid",
    )


SAMPLES: dict[str, Callable[[], SeriesSample]] = {"load": load}


def series_sample(name: str) -> SeriesSample:
    """The sample of that name."""
    if name not in SAMPLES:
        raise SettingsError(f"data.sample={name!r}: no such sample of a series.{did_you_mean(str(name), SAMPLES)}")
    return SAMPLES[name]()
