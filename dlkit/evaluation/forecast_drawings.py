"""What does a forecast look like over what was measured, and how does its error grow with the steps ahead?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlkit.contracts import Columns
from dlkit.evaluation.drawings import BLUE, GREY, ORANGE, Drawing
from dlkit.evaluation.forecasts import ErrorBand, forecast_of, intervals, steps_of
from dlkit.evaluation.pages import figure as number
from dlkit.evaluation.pages import shortened
from dlkit.inference.forecasts import ForecastAnswer

_EXAMPLES = 3
_SHOWN_BEFORE = 2
"""History is shown so many times as long as the forecast."""
_COLOURS = {"network": BLUE, "linear": ORANGE}


def over_history(
    answer: ForecastAnswer,
    inputs: Columns,
    targets: np.ndarray,
    outputs: np.ndarray,
    linear: np.ndarray,
    *,
    band: ErrorBand | None = None,
) -> Drawing:
    """The first target at origins spread evenly over the test part: history, truth, forecast, interval, the line.

    `inputs`: raw windows by column; `linear`: (rows, horizon, targets) on the standardised scale. `band`: drawn where
    the network gives no quantiles.
    """
    name = answer.targets[0]
    truth, points, line = targets[..., 0], answer.values(outputs)[..., 0], answer.own(linear)[..., 0]
    rows = np.unique(np.linspace(0, len(truth) - 1, _EXAMPLES + 2).astype(int)[1:-1])
    figure = Figure(figsize=(8.4, 2.3 * len(rows)), layout="constrained")
    horizon = truth.shape[1]
    before = min(inputs[name].shape[1], _SHOWN_BEFORE * horizon + 4)
    interval, label = _interval(answer, outputs[rows], band)
    ahead = np.arange(1, horizon + 1)
    for place, (row, axes) in enumerate(zip(rows, np.atleast_1d(figure.subplots(len(rows), 1)), strict=True)):
        history = inputs[name][row][-before:]
        axes.plot(np.arange(1 - before, 1), history, color=GREY, label="measured")
        axes.plot(np.append(0, ahead), np.append(history[-1], truth[row]), color=GREY, linestyle=":", label="truth")
        marker = "o" if horizon < 3 else None
        axes.plot(ahead, line[row], color=ORANGE, linewidth=1.2, marker=marker, markersize=4, label="linear")
        axes.plot(ahead, points[row], color=BLUE, marker=marker, markersize=4, label="forecast")
        if interval is not None:
            low, high = interval[place, :, 0].T
            axes.fill_between(ahead, low, high, color=BLUE, alpha=0.2, linewidth=0, label=label)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set(ylabel=shortened(f"{name} ({answer.unit})" if answer.unit else name, 24))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if place == 0:
            axes.legend(fontsize=8, ncols=5, loc="upper left")
    axes.set(xlabel="steps ahead")
    alt = (
        f"{len(rows)} forecasts of {shortened(name, 40)} over {horizon} steps; mean absolute error of those shown "
        f"{number(float(np.abs(points[rows] - truth[rows]).mean()))}, of the line "
        f"{number(float(np.abs(line[rows] - truth[rows]).mean()))}."
    )
    return Drawing("forecast", "Forecast over history", alt, figure)


def _interval(answer: ForecastAnswer, outputs: np.ndarray, band: ErrorBand | None) -> tuple[np.ndarray | None, str]:
    """The ends of the widest interval, (rows, horizon, targets, 2) in own units, and what it is; None where there is
    none.
    """
    widest = intervals(answer)[-1:]
    if widest:
        ends = answer.bands(outputs)[..., [widest[0].low, widest[0].high]]
        return ends, f"{widest[0].nominal:.0%} interval"
    if answer.quantiles or band is None:
        return None, ""
    ends = band.around(answer.points(outputs))
    of_own = np.stack([answer.own(ends[..., end]) for end in (0, 1)], axis=-1)
    return of_own, f"{band.nominal:.0%} of validation errors"


def error_by_step(steps: Mapping[str, Mapping[str, Sequence[float]]]) -> Drawing:
    """Mean squared error a step ahead, of the network and the baselines. `steps`: name to `forecasts.by_step`."""
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    styles = iter(("--", ":", "-."))
    for name, found in reversed(list(steps.items())):  # the network above all others
        error = found["mse"]
        colour = _COLOURS.get(name, GREY)
        axes.plot(
            range(1, len(error) + 1), error, color=colour, linestyle="-" if name in _COLOURS else next(styles, ":"),
            marker="o" if len(error) < 3 else None, label=name.replace("_", " "),
        )  # fmt: skip
    axes.set(xlabel="steps ahead", ylabel="mean squared error (standardised)", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8)
    ends = "; ".join(
        f"{name.replace('_', ' ')} from {number(found['mse'][0])} to {number(found['mse'][-1])}"
        for name, found in steps.items()
    )
    return Drawing("error_by_step", "Error by step ahead", f"From the first to the last step: {ends}.", figure)


def spread_of_errors(answer: object, targets: np.ndarray, outputs: np.ndarray) -> Drawing:
    """How the errors of all steps and targets spread, in standard deviations of the training part."""
    forecast = forecast_of(answer)
    errors = (forecast.points(outputs) - forecast.standardised(steps_of(targets))).ravel()
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    limit = float(np.quantile(np.abs(errors), 0.999)) or 1.0
    axes.hist(errors, bins=60, range=(-limit, limit), color=BLUE, edgecolor="white", linewidth=0.3)
    axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
    axes.set(xlabel="forecast minus truth (standard deviations)", ylabel="steps")
    alt = f"Errors have mean {number(float(errors.mean()))} and standard deviation {number(float(errors.std()))}."
    return Drawing("residuals", "Errors", alt, figure)
