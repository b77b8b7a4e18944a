"""Daily minimum temperatures: how cold will the coming nights be?

Melbourne, 1981 to 1990, in degrees Celsius, by the Australian Bureau of Meteorology. The last days of the leap years
1984 and 1988 are not there. The last 365 days test, the 365 before them choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlkit.data.series_files import parts_of
from dlkit.data.sources import Examples, File, Source

ROWS = {"train": 2_920, "validation": 365, "test": 365}


def read(paths: Sequence[Path]) -> Examples:
    """The three parts, in the order of their times."""
    (path,) = paths
    return parts_of(path, ("Date", "Temp"), ROWS)


SOURCE = Source(
    name="minimum_temperatures",
    title="daily minimum temperatures in Melbourne",
    forms=(
        (
            File(
                "daily-min-temperatures.csv",
                sha256=("8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",),
                url="https://raw.githubusercontent.com/jbrownlee/Datasets/master/daily-min-temperatures.csv",
                url_sha256="8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
            ),
        ),
    ),
    read=read,
    rows=ROWS,
    kinds={"Date": "category", "Temp": "number"},
    ordered=True,
    home="https://github.com/jbrownlee/Datasets",
    licence="CC BY 4.0 (Bureau of Meteorology)",
    folder="timeseries",
)
