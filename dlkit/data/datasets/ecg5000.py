"""ECG5000: is a heartbeat normal?

500 heartbeats of one patient with severe congestive heart failure, each cut out and brought to 140 samples, to mean 0
and variance 1 (BIDMC database, record chf07, Goldberger et al. 2000; prepared by Chen, Hao et al. 2015 for the UCR
archive). Label 1 is a normal beat (292); 2 to 5 are abnormal: R-on-T premature ventricular contraction (177), premature
ventricular contraction (10), supraventricular or ectopic beat (19), unclassified (2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError

SAMPLES = 140
LABELS = ("1", "2", "3", "4", "5")
"""The first one is a normal beat."""


def read(paths: Sequence[Path]) -> Examples:
    """The beats of the text file."""
    (path,) = paths
    return {"train": beats(path)}


def beats(path: Path) -> Iterator[tuple[str, Example]]:
    """A line a beat: the label, then 140 numbers, with blanks or commas between them."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        rows = [np.array(line.replace(",", " ").split(), np.float64) for line in lines if line.strip()]
    except ValueError as error:  # UnicodeDecodeError too
        raise DataError(
            f"{path}: expected a label and {SAMPLES} numbers a line ({error}). Get the file again."
        ) from None
    for number, row in enumerate(rows):
        if len(row) != SAMPLES + 1 or not np.isfinite(row).all():
            raise DataError(
                f"{path}, beat {number + 1}: expected a label and {SAMPLES} finite numbers, got {len(row)} fields. "
                "Get the file again."
            )
        yield f"{number:04d}", {"beat": row[1:], "label": f"{row[0]:g}"}


SOURCE = Source(
    name="ecg5000",
    title="ECG5000 heartbeats",
    forms=(
        (
            File(
                "ECG5000_TRAIN.txt",
                sha256=("0d96aff193311a6dc6111bf0dbd2f7d2313987fbf7a1da4a383d92563876057b",),
                bytes=1_128_500,
            ),
        ),
    ),
    read=read,
    rows={"train": 500},
    kinds={"beat": "series"},
    target="label",
    target_kind="label",
    labels=LABELS,
    window=SAMPLES,
    home="https://www.timeseriesclassification.com/description.php?Dataset=ECG5000",
    licence="Open Data Commons Attribution 1.0 (BIDMC database, PhysioNet)",
    notes=("each beat comes with mean 0 and variance 1: its size in millivolts is lost",),
)
