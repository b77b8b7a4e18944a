"""From how many months is an airline's next year read best, as months before the test say?

    DLKIT_DATA=DIR python benchmarks/airline_windows.py [--windows 12,13,18,24,36] [--horizons 1,12,24]

144 months are few: the 24 of validation prefer another window with every accident. So each window is
judged by a backtest with rolling origin (Tashman 2000) on training and validation months; the test is not looked at. A
line fitted on all months up to an origin, by least squares with a slight ridge, on logarithms less the last one of each
window, as the recipe's `linear` with `model.normalise=last` has it, forecasts the 24 months behind it; origins are
half a year apart. Prints the mean absolute percentage error of each, and the window that is best over all horizons: by
the mean of its errors as shares of the best one's.
"""

from __future__ import annotations

import argparse
from statistics import mean

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlkit.data import builders

AHEAD, FIRST, APART = 24, 72, 6
"""Months judged behind an origin; months before the first origin; months between origins."""
RIDGE = 1e-2


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--windows", default="12,13,18,24,36")
    parser.add_argument("--horizons", default="1,12,24")
    options = parser.parse_args()
    windows, horizons = ([int(one) for one in text.split(",")] for text in (options.windows, options.horizons))
    parts = builders.load("airline_passengers", path=None, allow_download=True, say=lambda _: None).splits
    known = np.log(np.concatenate([parts[part].inputs["Passengers"] for part in ("train", "validation")]))
    errors = {window: [backtest(known, window, horizon) for horizon in horizons] for window in windows}
    best = np.min([*errors.values()], axis=0)
    print("| months read | " + " | ".join(f"{horizon} ahead" for horizon in horizons) + " |")
    print("|---|" + "---:|" * len(horizons))
    for window, found in errors.items():
        print(f"| {window} | " + " | ".join(f"{100 * error:.2f} %" for error in found) + " |")
    print(f"\nchosen: {min(errors, key=lambda window: mean(errors[window] / best))}")


def backtest(logs: np.ndarray, window: int, horizon: int) -> float:
    """Mean absolute percentage error over all origins and the forecasts of `horizon` months behind each."""
    found = []
    for origin in range(FIRST, len(logs) - AHEAD + 1, APART):
        weights = line(logs[:origin], window, horizon)
        given, truth = pairs(logs[origin - window : origin + AHEAD], window, horizon)
        forecasts = inputs(given) @ weights + given[:, -1:]
        found.append(np.abs(np.expm1(forecasts - truth)).mean())
    return float(np.mean(found))


def line(logs: np.ndarray, window: int, horizon: int) -> np.ndarray:
    given, truth = pairs(logs, window, horizon)
    rows = inputs(given)
    penalty = RIDGE * np.diag([*np.ones(window), 0.0])
    return np.linalg.solve(rows.T @ rows + penalty, rows.T @ (truth - given[:, -1:]))


def pairs(logs: np.ndarray, window: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    both = sliding_window_view(logs, window + horizon)
    return both[:, :window], both[:, window:]


def inputs(given: np.ndarray) -> np.ndarray:
    """What the line reads: a window less its last month, and 1."""
    return np.concatenate([given - given[:, -1:], np.ones((len(given), 1))], axis=1)


if __name__ == "__main__":
    main()
