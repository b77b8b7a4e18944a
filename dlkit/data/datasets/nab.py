"""NAB: when did something go wrong in this stream of measurements?

The Numenta Anomaly Benchmark (Lavin & Ahmad 2015): one number every few minutes, and windows in which an anomaly is
known to lie. Of its 58 streams these are the 7 real ones whose cause is known (a failing machine, New York's taxis on
holidays, …) and 11 artificial ones, 5 of them without an anomaly. All streams are in one table; `stream` tells which.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError

_CHECKSUMS: Mapping[str, Mapping[str, str]] = {
    "artificialNoAnomaly": {
        "art_daily_no_noise": "ccb7743ac2de8ca110db4af796d11ba31a23ad448a28e353a935c15f637756bc",
        "art_daily_perfect_square_wave": "662ff0a295b81eb0ff8e81116a54a497cd6f6b07c19c7a5ea72cce494913ce62",
        "art_daily_small_noise": "c4b304229f69f108eaa024fb2406fcd4510c5c5d95cd0053e2da6989682e4e6d",
        "art_flatline": "1cc10761ddd6d55fb5f0d9cfc73610416abbb120ee14bb65eff288509a463397",
        "art_noisy": "ad455adeaf06852222500955f2aefe6bd389cc762ef68e7102ee543209c8607f",
    },
    "artificialWithAnomaly": {
        "art_daily_flatmiddle": "ea5df125947e9ee2b977ac3d341f3c2a029588862af97cae4a654fc56e838702",
        "art_daily_jumpsdown": "4af31802e87dff4b4ba3ceb21714ba9d905f7888e1f53d47cc6dd4f856f9debc",
        "art_daily_jumpsup": "f79f92b93ee4f9c10e2dc552505e8880b0c618639ed5e0f9816e044b75c26456",
        "art_daily_nojump": "65c85d1834376ed5e622f01721d478609577ea0df0a067c5a5ebe5edea03b077",
        "art_increase_spike_density": "0959d8871d5c1a3fc3120fb7421e4ef113fffb434af2889085b52aebdb69360c",
        "art_load_balancer_spikes": "99f7130e54c7c3e818df8e3bdc0974cd241914bb14a10a9c3fa7c1374125d224",
    },
    "realKnownCause": {
        "ambient_temperature_system_failure": "230b68ccca20f59d562afd5d24ad52939c9b784386bed0054018358bf9120581",
        "cpu_utilization_asg_misconfiguration": "58ba65dc0737cfbac11b51514476d50c438d44011232144bb8d93f392df58f9f",
        "ec2_request_latency_system_failure": "98378580aa80157e057c61d59d81daddccc6c65a2c0c800e3f01f603b8215c3f",
        "machine_temperature_system_failure": "92bf5b87fc7f9bba8ca0b7ec63ccaac8cb4a1371a258e8c29a10ae9c018d82a4",
        "nyc_taxi": "d8fa6f7f0734bf5c8be12c52a94e20a82664c397d9dec4449156bd453d32856d",
        "rogue_agent_key_hold": "47b110baa8e3636574c1033dda1cce780873647fab58223d159d4fee6f180e86",
        "rogue_agent_key_updown": "9797cfef477c13306f7a33874ab4d6cf700f8f2c7e5825a2a5bc02004370909a",
    },
}
STREAMS = {f"{group}/{name}": sha for group, names in _CHECKSUMS.items() for name, sha in names.items()}
"""Name of each stream to the sha256 of its file."""
LABELS = "labels/combined_windows.json"


def read(paths: Sequence[Path]) -> Examples:
    """All streams, one after the other; the last path is that of the labels."""
    *streams, labels = paths
    return {"train": rows(streams, labels)}


def rows(streams: Sequence[Path], labels: Path) -> Iterator[tuple[str, Example]]:
    """A row a measurement: the stream, its time, its value, and whether it lies in a labelled window."""
    windows = _windows(labels)
    for path in streams:
        name = f"{path.parent.name}/{path.stem}"
        if f"{name}.csv" not in windows:
            raise DataError(f"{labels}: the stream {name} has no entry. Get the file again.")
        inside = windows[f"{name}.csv"]
        for number, (time, value) in enumerate(_measurements(path)):
            anomalous = any(first <= time <= last for first, last in inside)
            yield (
                f"{name}/{number:06d}",
                {
                    "stream": name,
                    "time": str(time),
                    "value": value,
                    "label": "anomaly" if anomalous else "normal",
                },
            )


def _measurements(path: Path) -> Iterator[tuple[np.datetime64, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *lines = csv.reader(file)
        rows = [(np.datetime64(datetime.fromisoformat(time), "s"), float(value)) for time, value in lines]
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path}: expected the columns timestamp and value ({error}). Get the file again.") from error
    if header != ["timestamp", "value"]:
        raise DataError(f"{path}: expected the columns timestamp and value, got {', '.join(header)}.")
    yield from rows


def _windows(path: Path) -> dict[str, list[tuple[np.datetime64, np.datetime64]]]:
    """First and last time of each window by the file of the stream."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: [(np.datetime64(first, "us"), np.datetime64(last, "us")) for first, last in windows]
            for name, windows in found.items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{path}: expected a JSON object of streams, each a list of [first, last] ({error}). Get the file again."
        ) from error


SOURCE = Source(
    name="nab",
    title="Numenta Anomaly Benchmark, 18 streams",
    forms=(
        (
            *(File(f"{name}.csv", sha256=(checksum,)) for name, checksum in STREAMS.items()),
            File(LABELS, sha256=("9654b2327ad4ff5db4be90b3c5cb2f4ac182619a604e7fcc67804bc48af1455f",)),
        ),
    ),
    read=read,
    rows={"train": 113913},
    kinds={"stream": "category", "time": "category", "value": "number"},
    target="label",
    target_kind="label",
    labels=("normal", "anomaly"),
    ordered=True,
    home="https://github.com/numenta/NAB",
    licence="MIT (repository; earlier versions AGPL-3.0)",
)
