"""Which windows, streams and tables with known anomalies can be had without a network?

All are generated, the same every time. They show that things work, not how good they are on real data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Split
from dlkit.data.samples import Dice
from dlkit.data.splitting import fingerprint as fingerprint_of
from dlkit.inference.windows import ANOMALY, NORMAL

BEAT = 48
_START = np.datetime64("2024-01-01T00:00:00", "ns")


@dataclass(frozen=True)
class AnomalySample:
    """`rows`: windows, rows of a table, or of a stream in the order of time; `layout` says which."""

    rows: Split
    kinds: Mapping[str, ColumnKind]
    layout: Literal["windows", "stream", "table"]
    title: str
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        columns = [column.tolist() for column in [*self.rows.inputs.values(), np.asarray(self.rows.targets)]]
        return fingerprint_of(repr(row) for row in zip(*columns, strict=True))


def beats(rows: int = 600) -> AnomalySample:
    """Heartbeats of 48 steps: a small wave, a spike and a broad wave; of every sixth one the spike is missing, late, or
    upside down.
    """
    dice = Dice(7)
    step = np.arange(BEAT)
    windows, targets = np.empty((rows, BEAT)), np.empty(rows, object)
    for row in range(rows):
        odd = row % 6 == 5
        small, spike, broad = (dice.uniform(0.85, 1.15, 3) * (0.4, 2.0, 0.8)).tolist()
        late = float(dice.uniform(-1, 1, 1)[0])
        if odd:
            kind = dice.choose(("missing", "late", "upside down"))
            spike *= {"missing": 0.1, "late": 1.0, "upside down": -0.8}[kind]
            late += 7 if kind == "late" else 0
        windows[row] = (
            small * np.exp(-(((step - 10) / 2.5) ** 2))
            + spike * np.exp(-(((step - 18 - late) / 1.5) ** 2))
            + broad * np.exp(-(((step - 34 - late) / 4) ** 2))
            + 0.08 * dice.normal(BEAT)
        ).round(4)
        targets[row] = ANOMALY if odd else NORMAL
    return AnomalySample(
        Split({"beat": windows}, targets), {"beat": "series"}, "windows", "generated heartbeats, every sixth abnormal"
    )


def pump(days: int = 42) -> AnomalySample:
    """Pressure and flow of a pump every half hour, with a daily course; after four weeks a leak (pressure falls, flow
    rises), a stuck sensor and a day without its course.
    """
    dice = Dice(8)
    count = days * 48
    hour = np.arange(count) / 2
    course = np.sin(2 * math.pi * hour / 24) + 0.4 * np.sin(4 * math.pi * hour / 24)
    pressure = 5 + 0.6 * course + 0.08 * dice.normal(count)
    flow = 80 + 14 * course + 2.0 * dice.normal(count)
    targets = np.full(count, NORMAL, object)
    odd = ((days - 11, 24), (days - 7, 30), (days - 3, 48))
    leak, stuck, flat = (slice(48 * day, 48 * day + rows) for day, rows in odd)
    for some in (leak, stuck, flat):
        targets[some] = ANOMALY
    pressure[leak] -= 1.2
    flow[leak] += 20
    pressure[stuck] = pressure[stuck.start]
    flow[flat] = 80 + 2.0 * dice.normal(48)
    times = _START + np.arange(count) * np.timedelta64(30, "m")
    rows = Split({"pressure_bar": pressure.round(3), "flow_l_min": flow.round(2)}, targets, times)
    return AnomalySample(rows, dict.fromkeys(rows.inputs, "number"), "stream", "a generated pump, half-hourly")


def machines(rows: int = 800) -> AnomalySample:
    """Rows of a table: load, speed, power, temperature and mode of a machine, of which the first two explain the rest;
    every tenth row has a power or a temperature that does not belong to its load, though each for itself is usual.
    """
    dice = Dice(9)
    load, speed = dice.uniform(0, 100, rows), dice.uniform(500, 3000, rows)
    power = 2 + 0.0004 * load * speed / 10 + 0.1 * dice.normal(rows)
    temperature = 30 + 0.35 * load + 0.004 * speed + 0.6 * dice.normal(rows)
    odd = np.arange(rows) % 10 == 9
    # Another row's power or temperature: usual, but not here.
    hot = odd & (dice.uniform(0, 1, rows) < 0.5)
    power, temperature = np.where(odd & ~hot, power[::-1], power), np.where(hot, temperature[::-1], temperature)
    mode = np.empty(rows, object)
    mode[:] = ["idle" if value < 20 else "full" if value > 80 else "part" for value in load]
    inputs = {
        "load": load.round(1),
        "speed": speed.round(0),
        "power": power.round(3),
        "temperature": temperature.round(2),
        "mode": mode,
    }
    kinds: dict[str, ColumnKind] = {name: "category" if name == "mode" else "number" for name in inputs}
    return AnomalySample(
        Split(inputs, np.where(odd, ANOMALY, NORMAL).astype(object)),
        kinds,
        "table",
        "generated machines, every tenth odd",
    )


SAMPLES: Mapping[str, Callable[[], AnomalySample]] = {"beats": beats, "pump": pump, "machines": machines}
