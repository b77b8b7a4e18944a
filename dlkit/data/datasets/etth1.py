"""ETTh1: how warm will a transformer's oil be, and what load will it carry, in the next days?

Zhou et al. 2021, "Informer": two years of hourly measurements at a transformer in China, six loads and the oil
temperature. The split is theirs: 12, 4 and 4 months of 30 days; the last 3,020 of the 17,420 rows are not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlkit.data.series_files import parts_of
from dlkit.data.sources import Examples, File, Source

CHANNELS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
ROWS = {"train": 8_640, "validation": 2_880, "test": 2_880}


def read(paths: Sequence[Path]) -> Examples:
    """The three parts, in the order of their times."""
    (path,) = paths
    return parts_of(path, ("date", *CHANNELS), ROWS)


SOURCE = Source(
    name="etth1",
    title="ETTh1 transformer temperature and load",
    forms=(
        (
            File(
                "ETTh1.csv",
                sha256=("f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",),
                url="https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv",
                url_sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
            ),
        ),
    ),
    read=read,
    rows=ROWS,
    kinds={"date": "category", **dict.fromkeys(CHANNELS, "number")},
    ordered=True,
    home="https://github.com/zhouhaoyi/ETDataset",
    licence="CC BY-ND 4.0",
    folder="ett",
)
