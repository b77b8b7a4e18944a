"""How good is a forecast: on the published scale, in own units, step by step, over time, and against a line?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlkit.errors import DataError, SettingsError, TrainingError
from dlkit.inference import times as clock
from dlkit.inference.forecasts import ForecastAnswer

ORIGINS = 8
"""Stretches of time into which the origins of a backtest are put."""
_OFF = 0.1
"""A share of truths inside an interval that is off by more than this is warned of."""
MOST_SHOWN = 12
"""Steps ahead in a table."""
LEAST_ERRORS = 10
_LEAST_JUDGED = 100
"""Truths below which a share inside an interval says little."""


@dataclass(frozen=True)
class Interval:
    """A band between two quantiles. `nominal`: the share of truths that should lie in it; `low`, `high`: numbers of its
    quantiles.
    """

    nominal: float
    low: int
    high: int


def intervals(answer: ForecastAnswer) -> list[Interval]:
    """The bands that lie evenly around the median, the narrowest first."""
    shares = answer.quantiles
    found = [
        Interval(shares[high] - shares[low], low, high)
        for low in range(len(shares))
        for high in range(low + 1, len(shares))
        if abs(shares[low] + shares[high] - 1) < 1e-9
    ]
    return sorted(found, key=lambda one: one.nominal)


def figures(answer: object, targets: object, outputs: np.ndarray) -> dict[str, float]:
    """The figures of a forecast.

    `targets`: (rows, horizon, targets) in own units. `outputs`: (rows, horizon, targets x quantiles).

    `mse`, `mae`: on the standardised scale, over all rows, steps and targets, as tables are published. `mase`: mean
    absolute error in own units over that of the seasonal naive forecast in training, mean over targets (Hyndman &
    Koehler 2006). Of a single target `own_mae` and `own_rmse` in its unit, `mape` (share of the truth, where all are
    above 0). With quantiles `pinball` (standardised), and for each interval `coverage_80`, the share of truths in it.
    """
    forecast, truth = forecast_of(answer), steps_of(targets)
    if len(truth) != len(outputs):
        raise DataError(f"{len(truth)} windows do not fit {len(outputs)} forecasts: expected one for each.")
    if truth.shape[2] != len(forecast.targets):
        raise DataError(f"{truth.shape[2]} targets do not fit forecasts of {len(forecast.targets)}.")
    found = of_points(forecast, truth, forecast.points(outputs))
    if not forecast.quantiles:
        return found
    every, measured = forecast.every(outputs), forecast.standardised(truth)
    short = measured[..., None] - every
    shares = np.array(forecast.quantiles)
    found["pinball"] = float(np.maximum(shares * short, (shares - 1) * short).mean())
    for band in intervals(forecast):
        inside = (measured >= every[..., band.low]) & (measured <= every[..., band.high])
        found[f"coverage_{100 * band.nominal:g}"] = float(inside.mean())
    return found


def of_points(answer: ForecastAnswer, targets: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """`figures` without those of quantiles, from `points` (rows, horizon, targets) on the standardised scale."""
    if not len(points):
        raise DataError("There are no windows to judge the forecast on: expected at least 1. Give more rows.")
    if not np.isfinite(points).all():
        raise TrainingError(
            f"{int((~np.isfinite(points)).any(axis=(1, 2)).sum())} of {len(points)} forecasts are NaN or infinite. "
            "Lower training.learning_rate, or look for extreme values in the series."
        )
    rows = per_target(answer, targets, points)
    found = {name: float(np.mean([float(str(row[name])) for row in rows])) for name in ("mse", "mae", "mase")}
    if len(rows) == 1:
        found |= {name: float(str(rows[0][name])) for name in ("own_mae", "own_rmse", "mape") if name in rows[0]}
    return found


def per_target(answer: ForecastAnswer, targets: np.ndarray, points: np.ndarray) -> list[dict[str, str | float]]:
    """A row a target: `target`, and the figures of `of_points`, own units among them."""
    errors = points - answer.standardised(targets)
    own = answer.own(points) - targets
    found = []
    for place, name in enumerate(answer.targets):
        error, of_own, truth = errors[..., place], own[..., place], targets[..., place]
        row: dict[str, str | float] = {
            "target": name,
            "mse": float(np.square(error).mean()),
            "mae": float(np.abs(error).mean()),
            "mase": float(np.abs(of_own).mean() / answer.naive_error[place]),
            "own_mae": float(np.abs(of_own).mean()),
            "own_rmse": float(np.sqrt(np.square(of_own).mean())),
        }
        if truth.min() > 0:
            row["mape"] = float((np.abs(of_own) / truth).mean())
        found.append(row)
    return found


def by_step(answer: ForecastAnswer, targets: np.ndarray, points: np.ndarray) -> dict[str, list[float]]:
    """{"mse": one a step ahead, …}, over rows and targets: `mse` and `mae` on the standardised scale, `mase` as
    `figures` has it, and of a single target `own_mae` in its unit.
    """
    errors = points - answer.standardised(targets)
    own = _own_by_step(answer, targets, points)
    found = {
        "mse": np.square(errors).mean(axis=(0, 2)).tolist(),
        "mae": np.abs(errors).mean(axis=(0, 2)).tolist(),
        "mase": (own / np.array(answer.naive_error)).mean(axis=1).tolist(),
    }
    return found | ({"own_mae": own[:, 0].tolist()} if len(answer.targets) == 1 else {})


def by_target_and_step(
    answer: ForecastAnswer, targets: np.ndarray, points: np.ndarray
) -> dict[str, dict[str, list[float]]]:
    """Target to {"own_mae": one a step ahead, in its unit, "mase": …}."""
    own = _own_by_step(answer, targets, points)
    return {
        name: {"own_mae": own[:, place].tolist(), "mase": (own[:, place] / answer.naive_error[place]).tolist()}
        for place, name in enumerate(answer.targets)
    }


def _own_by_step(answer: ForecastAnswer, targets: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(horizon, targets): mean absolute errors in own units."""
    found: np.ndarray = np.abs(answer.own(points) - targets).mean(axis=0)
    return found


def step_rows(steps: Mapping[str, object], by_target: Mapping[str, object]) -> list[dict[str, float]]:
    """`by_step` by name of the network and the baselines, and `by_target_and_step` of the network, as rows of a table,
    of a long horizon for some steps, the first and the last among them: `step`, the network's figures, with several
    targets `own_mae` of each as well, and `mse` of the baselines.
    """
    if "network" not in steps:
        return []
    columns = _curves(steps["network"])
    if len(by_target) <= MOST_SHOWN:
        columns |= {f"own_mae of {name}": _curves(found)["own_mae"] for name, found in by_target.items()}
    others = {name.replace("_", " "): _curves(found) for name, found in steps.items() if name != "network"}
    columns |= {f"mse of {name}": found["mse"] for name, found in others.items()}
    horizon = len(columns["mse"])
    shown = np.arange(1, horizon + 1)
    if horizon > MOST_SHOWN:
        shown = np.unique(np.round(np.geomspace(1, horizon, MOST_SHOWN)).astype(int))
    return [{"step": step, **{name: found[step - 1] for name, found in columns.items()}} for step in shown.tolist()]


def _curves(found: object) -> dict[str, list[float]]:
    return {str(name): list(curve) for name, curve in found.items()} if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class ErrorBand:
    """An interval around a forecast of points, from what it was off by on the validation windows.

    `offsets`: (horizon, targets, 2), the `shares` quantiles of truth less forecast at each step ahead, on the
    standardised scale.
    """

    offsets: np.ndarray
    shares: tuple[float, float] = (0.1, 0.9)

    @property
    def nominal(self) -> float:
        """The share of truths that should lie in it."""
        return self.shares[1] - self.shares[0]

    def around(self, points: np.ndarray) -> np.ndarray:
        """(rows, horizon, targets) to (rows, horizon, targets, 2), its ends, on the standardised scale."""
        return points[..., np.newaxis] + self.offsets

    def coverage(self, answer: ForecastAnswer, targets: np.ndarray, points: np.ndarray) -> float:
        """The share of truths, steps and targets, that lie in it."""
        errors = answer.standardised(targets) - points
        return float(((errors >= self.offsets[..., 0]) & (errors <= self.offsets[..., 1])).mean())


def error_band(answer: ForecastAnswer, targets: np.ndarray, points: np.ndarray) -> ErrorBand | None:
    """The band of the errors on validation windows; None where there are too few to have such quantiles."""
    if len(points) < LEAST_ERRORS:
        return None
    errors = answer.standardised(targets) - points
    return ErrorBand(np.moveaxis(np.quantile(errors, ErrorBand.shares, axis=0), 0, -1))


def backtest(
    answer: ForecastAnswer,
    targets: np.ndarray,
    forecasts: Mapping[str, np.ndarray],
    times: np.ndarray | None,
    *,
    zoned: bool = False,
) -> list[dict[str, object]]:
    """A row a stretch of origins: `from`, `to` (times of the last step known, or numbers of windows), `windows`, and by
    name of the forecast its `mse`. `zoned`: times are known to be UTC, and said to be.

    The origin rolls over every step of the test part; networks and baselines stay as they were trained (Tashman 2000:
    fixed fit, rolling origin).
    """
    truth = answer.standardised(targets)
    errors = {name: np.square(points - truth).mean(axis=(1, 2)) for name, points in forecasts.items()}
    parts = [part for part in np.array_split(np.arange(len(targets)), min(ORIGINS, len(targets))) if len(part)]
    named = [str(row) for row in range(len(targets))] if times is None else None
    found = []
    for part in parts:
        ends = part[[0, -1]]
        first, last = [named[end] for end in ends] if named else clock.shown(np.asarray(times)[ends], zoned=zoned)
        mse = {name: float(error[part].mean()) for name, error in errors.items()}
        found.append({"from": first, "to": last, "windows": len(part), "mse": mse})
    return found


def skill(test: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """1 - mse / mse of the baseline, by its name: 0.1 is a squared error a tenth smaller, below 0 a larger one."""
    return {name: 1 - test["mse"] / found["mse"] if found["mse"] else 0.0 for name, found in baselines.items()}


def warnings_for(
    answer: ForecastAnswer,
    test: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    best: Mapping[str, float],
    *,
    truths: int,
) -> list[str]:
    """What a user must know before the forecast is believed. `truths`: steps and targets that it was judged on."""
    lost = {name: figures["mse"] for name, figures in baselines.items() if test["mse"] >= figures["mse"]}
    found = []
    if lost:
        remedy = (
            "A line solved exactly does as well, is smaller and faster: take --model linear, or train longer."
            if list(lost) == ["linear"]
            else "It has learned nothing of use: train longer, change the learning rate, or forecast fewer steps."
        )
        shown = ", ".join(f"{name.replace('_', ' ')} ({mse:.4g})" for name, mse in lost.items())
        found.append(
            f"The network (mse {test['mse']:.4g}) does not beat the baseline{'s' * (len(lost) > 1)} {shown}. {remedy}"
        )
    for name, limit in best.items():
        # Noise of one step is in many windows: by luck alone a figure lies some per cent below the best.
        if name in test and test[name] < 0.9 * limit:
            found.append(
                f"The test {name} {test[name]:.4g} is better than the best possible on this sample ({limit:.4g}): the "
                "future has leaked into the windows."
            )
    for band in intervals(answer):
        share = test.get(f"coverage_{100 * band.nominal:g}", band.nominal)
        if abs(share - band.nominal) > _OFF and truths >= _LEAST_JUDGED:
            found.append(
                f"{share:.0%} of the test truths lie in the interval that should hold {band.nominal:.0%}: do not rely "
                "on its width."
            )
    return found


def sentence(skills: Mapping[str, float], mse: float) -> str:
    """Skill in words, the baselines in the order of how hard they are to beat."""
    parts = [
        f"{abs(value):.1%} {'below' if value > 0 else 'above'} that of {name.replace('_', ' ')}"
        for name, value in sorted(skills.items(), key=lambda one: one[1])
    ]
    return f"the forecast's squared error ({mse:.4g}) is {', '.join(parts)}"


def forecast_of(answer: object) -> ForecastAnswer:
    """The answer, known to be a forecast; SettingsError where the task and its answer do not fit."""
    if not isinstance(answer, ForecastAnswer):
        raise SettingsError(f"forecasting needs an answer with steps, got {type(answer).__name__}.")
    return answer


def steps_of(targets: object) -> np.ndarray:
    """Steps that follow each window, known to be there."""
    if not isinstance(targets, np.ndarray) or targets.ndim != 3:
        raise DataError("A forecast is judged by the steps that follow each window; the data gives none.")
    return targets
