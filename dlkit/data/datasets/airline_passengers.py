"""Airline passengers: how many will fly next month?

Box & Jenkins 1976, series G: passengers of international airlines by month from 1949 to 1960, in thousands. The last 24
months test, the 24 before them choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlkit.data.series_files import parts_of
from dlkit.data.sources import Examples, File, Source

ROWS = {"train": 96, "validation": 24, "test": 24}


def read(paths: Sequence[Path]) -> Examples:
    """The three parts, in the order of their times."""
    (path,) = paths
    return parts_of(path, ("Month", "Passengers"), ROWS)


SOURCE = Source(
    name="airline_passengers",
    title="airline passengers by month",
    forms=(
        (
            File(
                "airline-passengers.csv",
                sha256=("8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",),
                url="https://raw.githubusercontent.com/jbrownlee/Datasets/master/airline-passengers.csv",
                url_sha256="8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
            ),
        ),
    ),
    read=read,
    rows=ROWS,
    kinds={"Month": "category", "Passengers": "number"},
    ordered=True,
    home="https://github.com/jbrownlee/Datasets",
    licence="none stated (Box & Jenkins 1976)",
    folder="timeseries",
)
