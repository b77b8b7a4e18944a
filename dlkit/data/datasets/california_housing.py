"""California housing: what does a house cost, given its block?

Pace & Barry 1997, census of 1990: 20,640 block groups, 8 numbers each; the target `MedHouseVal` is the median
price in hundreds of thousands of dollars, cut off at 5. Columns are made and named as scikit-learn does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dlkit.data.archives import members
from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError

MEMBER = "CaliforniaHousing/cal_housing.data"
FEATURES = ("MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude")
COLUMNS = (*FEATURES, "MedHouseVal")


def read(paths: Sequence[Path]) -> Examples:
    """Rows of the archive's one table: no header, nine numbers a line, totals per block group."""
    (archive,) = paths
    found = dict(members(archive, wanted=lambda name: name == MEMBER))
    if MEMBER not in found:
        raise DataError(f"{archive}: expected a member {MEMBER!r}, found none. Get the archive again.")
    try:
        lines = found[MEMBER].decode().split()
        table = np.array([line.split(",") for line in lines], np.float64).reshape(len(lines), -1)
        longitude, latitude, age, rooms, bedrooms, population, households, income, price = table.T
    except ValueError as error:
        raise DataError(f"{archive}: expected lines of nine numbers in {MEMBER!r} ({error}).") from error
    if not (np.isfinite(table).all() and (households > 0).all()):
        raise DataError(f"{archive}: {MEMBER!r} has missing values or a block without households.")
    averages = [rooms / households, bedrooms / households, population, population / households]
    columns = [income, age, *averages, latitude, longitude, price / 100_000]
    return {"train": examples(np.column_stack(columns))}


def examples(table: np.ndarray) -> Iterator[tuple[str, Example]]:
    for number, row in enumerate(table.tolist()):
        yield f"{number:05d}", dict(zip(COLUMNS, row, strict=True))


SOURCE = Source(
    name="california_housing",
    title="California housing prices",
    forms=(
        (
            File(
                "cal_housing.tgz",
                sha256=("aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681",),
                url="https://ndownloader.figshare.com/files/5976036",
                url_sha256="aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681",
            ),
        ),
    ),
    read=read,
    rows={"train": 20_640},
    kinds=dict.fromkeys(FEATURES, "number"),
    target="MedHouseVal",
    target_kind="value",
    home="http://lib.stat.cmu.edu/datasets/",
    licence="none stated (StatLib)",
)
