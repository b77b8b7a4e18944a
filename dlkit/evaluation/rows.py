"""Which few rows stand for all of them?"""

from __future__ import annotations

import numpy as np


def evenly(rows: int, count: int) -> np.ndarray:
    """Up to `count` row numbers from all over so many rows, which may be sorted by class."""
    return np.unique(np.linspace(0, rows - 1, min(count, rows)).astype(np.int64))
