"""How far do the last value, the last season and a straight line get on the same windows?"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from dlkit.contracts import Examples, take
from dlkit.errors import DataError
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.series import SeriesInputs

_AT_ONCE = 1_024
_MOST_PRODUCTS = 2e11
"""Multiplications that a line may cost; of more windows evenly spread ones are taken."""
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Ridge penalties, as shares of the mean variance of an input."""


def forecasts(
    transform: SeriesInputs,
    answer: ForecastAnswer,
    train: Examples,
    validation: Examples,
    test: Examples,
    *,
    refit: bool = False,
) -> dict[str, np.ndarray]:
    """Baseline name to its forecasts of the test windows, (rows, horizon, targets) on the standardised scale.

    "naive": the last value; "seasonal_naive": the last season, where the series has one that the window holds;
    "linear": one line from a window to all steps, shared by the targets, by ridge regression on windows less their last
    value (NLinear of Zeng et al. 2023, solved exactly), whose penalty the validation windows choose. `refit`: the line
    learns from training and validation windows, as the network did.
    """
    targets, horizon, season = transform.targets, transform.horizon, transform.season
    past = _past(test, np.arange(len(test)), targets)
    found = {"naive": np.repeat(past[:, -1:], horizon, axis=1)}
    if 1 < season <= transform.window:
        places = np.arange(horizon) % season - season
        found["seasonal_naive"] = past[:, places]
    lines = _lines(train, answer, targets)
    errors = [_error(line, validation, answer, targets) for line in lines]
    chosen = int(np.argmin(errors))
    line = _lines(train.joined(validation), answer, targets)[chosen] if refit else lines[chosen]
    found["linear"] = _applied(line, past)
    return found


def _past(examples: Examples, rows: np.ndarray, targets: int) -> np.ndarray:
    """(rows, window, targets) float64."""
    return take(examples.inputs["past"], rows)[:, :, :targets].astype(np.float64)


def _ahead(examples: Examples, rows: np.ndarray, answer: ForecastAnswer) -> np.ndarray:
    if examples.targets is None or isinstance(examples.targets, dict):
        raise DataError("A line is fitted to the steps that follow each window; the data gives none.")
    return answer.standardised(take(examples.targets, rows))  # type: ignore[arg-type]  # one array, or rows made on demand


def _lines(examples: Examples, answer: ForecastAnswer, targets: int) -> list[np.ndarray]:
    """(window + 1, horizon) for each penalty; the last row is the constant."""
    first = _past(examples, np.arange(1), targets)
    window, horizon = first.shape[1], _ahead(examples, np.arange(1), answer).shape[1]
    every = len(examples) * targets * (window + 1.0) * (window + 1 + horizon)
    rows = np.arange(0, len(examples), max(int(-(-every // _MOST_PRODUCTS)), 1))
    products, sums = np.zeros((window + 1, window + 1)), np.zeros((window + 1, horizon))
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        past = _past(examples, some, targets)
        seen, last = _seen(past)
        ahead = _by_target(_ahead(examples, some, answer)) - last
        products += seen.T @ seen
        sums += seen.T @ ahead
    scale = np.trace(products) / len(products)
    # The constant is not held back.
    held = np.append(np.ones(window), 1e-6)
    return [cho_solve(cho_factor(products + np.diag(strength * scale * held + 1e-9)), sums) for strength in _STRENGTHS]


def _by_target(values: np.ndarray) -> np.ndarray:
    """(rows, steps, targets) to (rows x targets, steps)."""
    return values.transpose(0, 2, 1).reshape(-1, values.shape[1])


def _seen(past: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a line sees, (rows x targets, window + 1): steps less the last one, and a constant; and the last ones."""
    flat = _by_target(past)
    last = flat[:, -1:]
    return np.concatenate([flat - last, np.ones_like(last)], axis=1), last


def _applied(line: np.ndarray, past: np.ndarray) -> np.ndarray:
    parts = []
    for start in range(0, len(past), _AT_ONCE):
        some = past[start : start + _AT_ONCE]
        seen, last = _seen(some)
        parts.append((seen @ line + last).reshape(len(some), some.shape[2], -1).transpose(0, 2, 1))
    return np.concatenate(parts)


def _error(line: np.ndarray, examples: Examples, answer: ForecastAnswer, targets: int) -> float:
    total, count = 0.0, 0
    for start in range(0, len(examples), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(examples)))
        errors = _applied(line, _past(examples, rows, targets)) - _ahead(examples, rows, answer)
        total, count = total + float(np.square(errors).sum()), count + errors.size
    return total / count
