"""How well do codes bring back what they are of, beside the mean row and PCA, and how well do they separate classes?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dlkit.errors import DataError, TrainingError
from dlkit.evaluation.rows import evenly

_MOST_LABELLED = 5_000
"""Training rows from which a linear classifier learns."""
_EXACT = 4_096
"""Pixels or features up to which principal components are computed exactly, from the covariance."""
_SMALLEST, _LARGEST = 1e-6, 1 - 1e-6


@dataclass(frozen=True)
class Labelled:
    """Rows as the network gets them, (rows, ...) float32, and (rows,) labels as `str`, or None."""

    rows: np.ndarray
    labels: object = None


def figures(truth: object, found: np.ndarray) -> dict[str, float]:
    """`mse`, `mae`: of reconstructions, (rows, ...), mean over rows and pixels or features."""
    if not isinstance(truth, np.ndarray) or truth.shape != found.shape:
        raise DataError("A reconstruction is judged by the rows that it is of; these are of another shape.")
    if not len(truth):
        raise DataError("There are no rows to judge the model on: expected at least 1. Give the test split rows.")
    if not np.isfinite(found).all():
        bad = int((~np.isfinite(found)).reshape(len(found), -1).any(axis=1).sum())
        raise TrainingError(
            f"The model reconstructs {bad} of {len(found)} rows with NaN or infinity. Lower training.learning_rate, or "
            "look for extreme values in the inputs."
        )
    difference = found.astype(np.float64) - truth
    return {"mse": float(np.square(difference).mean()), "mae": float(np.abs(difference).mean())}


def mean_row(train: Labelled, test: Labelled) -> dict[str, float]:
    """Figures of the mean of the training rows as the answer for every test row."""
    mean = train.rows.mean(axis=0, dtype=np.float64)
    return figures(test.rows, np.broadcast_to(mean, test.rows.shape))


def nats(mean: np.ndarray, test: np.ndarray, likelihood: str, *, variance: np.ndarray | float = 1.0) -> float:
    """-log p(x) of a test row, on average, where its pixels know nothing of each other: "bernoulli" pixels that are as
    bright as the mean says, or "gaussian" values around the mean, with `variance`.
    """
    if likelihood == "gaussian":
        each = np.square(test - mean) / variance + np.log(2 * np.pi * np.asarray(variance))
        return float(0.5 * each.reshape(len(test), -1).sum(axis=1).mean())
    share = np.clip(mean, _SMALLEST, _LARGEST)
    bright = test.mean(axis=0, dtype=np.float64)
    return float(-(bright * np.log(share) + (1 - bright) * np.log(1 - share)).sum())


def principal_components(
    train: Labelled, test: Labelled, size: int, *, seed: int, noisy: np.ndarray | None = None
) -> dict[str, float]:
    """`mse`, `mae` and `probe_accuracy` of codes of so many numbers (fewer, where rows or pixels are).

    `noisy`: the test rows with noise, for `denoised_mse`: how far they are from clean once they went through a code.
    """
    known, rows = (one.rows.reshape(len(one.rows), -1) for one in (train, test))
    solver = "covariance_eigh" if known.shape[1] <= _EXACT else "randomized"
    model = PCA(min(size, *known.shape), svd_solver=solver, random_state=seed).fit(known)
    codes = model.transform(rows)
    found = figures(test.rows, model.inverse_transform(codes).reshape(test.rows.shape))
    if noisy is not None:
        cleaned = model.inverse_transform(model.transform(noisy.reshape(rows.shape)))
        found["denoised_mse"] = figures(rows, cleaned)["mse"]
    accuracy = probe(model.transform(known), train.labels, codes, test.labels)
    return found if accuracy is None else found | {"probe_accuracy": accuracy}


def probe(train: np.ndarray, train_labels: object, test: np.ndarray, test_labels: object) -> float | None:
    """Accuracy on the test rows of a linear classifier that learned from (rows, units) codes of training rows.

    Logistic regression of standardised codes, from at most 5,000 rows evenly over all; None without labels, or where
    the training rows have a single class.
    """
    known, held_out = _labelled(train, train_labels), _labelled(test, test_labels)
    if known is None or held_out is None:
        return None
    some = evenly(len(known[0]), _MOST_LABELLED)
    codes, labels = (rows[some] for rows in known)
    if len(np.unique(labels)) < 2:  # of a rare one there may be none among these
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    with warnings.catch_warnings():
        # A few steps short of its optimum it separates classes as well.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(model.fit(codes, labels).score(*held_out))


def _labelled(codes: np.ndarray, labels: object) -> tuple[np.ndarray, np.ndarray] | None:
    if not isinstance(labels, np.ndarray) or labels.ndim != 1:
        return None
    known = np.array([label is not None for label in labels], bool)
    return (codes[known], labels[known].astype(str)) if known.any() else None
