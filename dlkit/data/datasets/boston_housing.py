"""Boston housing: what does a house cost, given its town?

Harrison & Rubinfeld 1978: 506 census tracts around Boston, 13 numbers each; the target `medv` is the median
price in thousands of dollars, cut off at 50. Feature `b` encodes race: it is 1000 (p - 0.63)^2 of the share p of
Black residents, on the assumption that segregation moves prices. scikit-learn removed the dataset for it. It
serves here as a small known problem; `california_housing` is offered beside it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dlkit.data.archives import members
from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError

FEATURES = ("crim", "zn", "indus", "chas", "nox", "rm", "age", "dis", "rad", "tax", "ptratio", "b", "lstat")
COLUMNS = (*FEATURES, "medv")


def read(paths: Sequence[Path]) -> Examples:
    """Rows of the CSV, or of Keras' archive of two arrays."""
    (path,) = paths
    try:
        rows = array_rows(path) if path.suffix == ".npz" else csv_rows(path)
    except (ValueError, KeyError, EOFError, csv.Error) as error:  # numpy reports a bad npz as one of these
        raise DataError(f"{path}: expected the columns {', '.join(COLUMNS)} as numbers ({error}).") from error
    if not all(math.isfinite(value) for row in rows for value in row):
        raise DataError(f"{path}: a value is missing or infinite; this dataset has none such. Get the file again.")
    return {"train": examples(rows)}


def csv_rows(path: Path) -> list[list[float]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        header, *lines = csv.reader(file)
    if tuple(header) != COLUMNS:
        raise ValueError(f"the header is {', '.join(header)}")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(COLUMNS):
            raise ValueError(f"line {number} has {len(line)} fields")
    return [[float(field) for field in line] for line in lines]


def array_rows(path: Path) -> list[list[float]]:
    arrays = {name: np.load(io.BytesIO(content), allow_pickle=False) for name, content in members(path)}
    rows: list[list[float]] = np.column_stack([arrays["x.npy"], arrays["y.npy"]]).astype(np.float64).tolist()
    if any(len(row) != len(COLUMNS) for row in rows):
        raise ValueError(f"the arrays have {len(rows[0])} columns")
    return rows


def examples(rows: list[list[float]]) -> Iterator[tuple[str, Example]]:
    for number, row in enumerate(rows):
        yield f"{number:03d}", dict(zip(COLUMNS, row, strict=True))


SOURCE = Source(
    name="boston_housing",
    title="Boston housing prices",
    forms=(
        (
            File(
                "BostonHousing.csv",
                sha256=("ab16ba38fbbbbcc69fe930aab1293104f1442c8279c130d9eba03dd864bef675",),
            ),
        ),
        (
            File(
                "boston_housing.npz",
                sha256=("f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",),
                url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/boston_housing.npz",
                url_sha256="f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
            ),
        ),
    ),
    read=read,
    rows={"train": 506},
    kinds=dict.fromkeys(FEATURES, "number"),
    target="medv",
    target_kind="value",
    home="http://lib.stat.cmu.edu/datasets/boston",
    licence="none stated (StatLib)",
    notes=("feature `b` encodes race; california_housing is a dataset of the same kind without it",),
)
