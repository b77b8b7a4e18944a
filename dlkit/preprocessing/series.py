"""On which scale does a forecasting network see a series, and what does it know of the calendar?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlkit.contracts import Chosen, ColumnKind, Examples, Split, Transform
from dlkit.data.series_windows import SeriesSplit
from dlkit.errors import SettingsError, did_you_mean
from dlkit.inference import times as clock
from dlkit.inference.series import CYCLES, Channel, SeriesInputs


@dataclass(frozen=True)
class SeriesWindows:
    """The last steps of each channel, standardised by the training part.

    `calendar`: cycles ("day", "week", "year") whose sine and cosine at each step, also at those ahead, the network is
    told; for series with times in even steps.
    """

    calendar: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for cycle in self.calendar:
            if cycle not in CYCLES:
                raise SettingsError(f"preprocessing.calendar: unknown {cycle!r}.{did_you_mean(str(cycle), CYCLES)}")

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> SeriesInputs:  # noqa: ARG002 (one signature for all)
        if not isinstance(train, SeriesSplit):
            raise SettingsError(
                "preprocessing: expected windows of a series in the order of time, got rows drawn from them. K-fold "
                "validation would train on the future: say --set training.folds=0."
            )
        layout = train.layout
        if self.calendar and (layout.time is None or layout.step is None):
            raise SettingsError("preprocessing.calendar needs a series with times; this one has none.")
        if self.calendar and layout.step is not None and clock.fixed(layout.step) is None:
            months = clock.in_months(layout.step)
            raise SettingsError(
                f"preprocessing.calendar needs steps of one length, and {'months' if months else 'working days'} are "
                f"not. Leave it out: a window of a {'year' if months else 'week'} holds the season."
            )
        return SeriesInputs(
            channels=tuple(channel_of(train, name) for name in (*layout.targets, *layout.others)),
            known=tuple(channel_of(train, name) for name in layout.known),
            targets=len(layout.targets),
            window=layout.window,
            horizon=layout.horizon,
            time=layout.time,
            step=layout.step,
            season=layout.season,
            cycles=self.calendar,
            logarithm=layout.logarithm,
            zoned=layout.zoned,
        )

    def examples(self, transform: Transform, split: Split) -> Examples:
        if not isinstance(split, SeriesSplit) or split.numbers is None or not isinstance(transform, SeriesInputs):
            return Examples(transform.encode(split.inputs), split.targets)
        # Views of all windows, of which those that hold gaps are never taken.
        rows = {name: Chosen(every, split.numbers) for name, every in transform.standardised(split.inputs).items()}
        return Examples(rows, Chosen(np.asarray(split.targets), split.numbers))


def channel_of(train: SeriesSplit, name: str) -> Channel:
    """A column with mean and standard deviation of the training part; one that is constant there keeps its unit."""
    values = train.part[name][np.isfinite(train.part[name])]
    if train.layout.logarithm and name not in train.layout.known:
        values = np.log(values)
    mean, spread = float(values.mean()), float(values.std())
    return Channel(name, mean, spread if spread > 1e-12 * float(np.abs(values).max()) else 1.0)
