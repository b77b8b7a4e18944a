"""Is an autoencoder worth it: how far do a windowed Gaussian and an isolation forest get on the same rows?"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import IsolationForest

_TREES = 100


def windowed_gaussian(values: np.ndarray, *, window: int = 6_400, step: int = 100) -> np.ndarray:
    """(rows,) float64 distance of each row from the mean of those before it, in standard deviations; 0 for the first.

    `values`: (rows,) or (rows, channels), of which the largest distance counts. The mean and deviation are those of the
    `window` rows before, moved on every `step` rows; of all rows before until there are as many (the baseline of the
    Numenta Anomaly Benchmark; as its tail probability, without rounding to 1 beyond 8 standard deviations).
    """
    values = np.asarray(values, np.float64).reshape(len(values), -1)
    rows = np.arange(len(values))
    stop = np.where(rows <= window, rows, window + (rows - window) // step * step)
    start = np.maximum(stop - window, 0)
    # About the mean, so that sums of squares keep their digits.
    centred = values - values.mean(axis=0)
    sums, squares = (
        np.concatenate([np.zeros((1, values.shape[1])), part.cumsum(axis=0)]) for part in (centred, centred**2)
    )
    count = np.maximum(stop - start, 1)[:, None]
    mean = (sums[stop] - sums[start]) / count
    spread = np.sqrt(np.maximum((squares[stop] - squares[start]) / count - mean**2, 1e-12))
    distance = np.abs(centred - mean) / spread
    distance[0] = 0
    return distance.max(axis=1)


def isolation_forest(train: np.ndarray, rows: np.ndarray, *, seed: int) -> np.ndarray:
    """(rows,) float64 in (0, 1), higher is odder: the score of Liu, Ting & Zhou 2008, eq. 2, of a forest of 100 trees.

    `train`: normal windows (n, window, channels) or rows (n, channels); `rows`: what is scored, of the same shape.
    """
    forest = IsolationForest(n_estimators=_TREES, random_state=seed).fit(train.reshape(len(train), -1))
    return -forest.score_samples(rows.reshape(len(rows), -1))
