"""Do the plots of a forecast show what is forecast, with its interval, for one step as for many?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlkit.evaluation.forecast_drawings import error_by_step, over_history, spread_of_errors
from dlkit.evaluation.forecasts import ErrorBand, by_step
from dlkit.evaluation.plots import plot
from dlkit.inference.forecasts import ForecastAnswer

SHARES = (0.1, 0.5, 0.9)


def answer(*, quantiles: bool) -> ForecastAnswer:
    targets = ("load", "wind")
    return ForecastAnswer(
        targets, (10.0, 0.0), (2.0, 1.0), (1.0, 1.0), quantiles=SHARES if quantiles else (), unit="MW"
    )


@pytest.mark.parametrize("horizon", [1, 6])
@pytest.mark.parametrize("quantiles", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 30])
def test_every_shape_of_forecast_is_drawn(horizon: int, quantiles: bool, rows: int, tmp_path: Path) -> None:
    offsets = np.tile([-1.0, 1.0], (horizon, 2, 1))
    made, random = answer(quantiles=quantiles), np.random.default_rng(0)
    inputs = {name: random.normal(10, 2, (rows, 8)) for name in made.targets}
    truth, line = random.normal(10, 2, (rows, horizon, 2)), random.normal(size=(rows, horizon, 2))
    outputs = random.normal(size=(rows, horizon, made.units))
    steps = {name: by_step(made, truth, points) for name, points in {"network": line, "naive": line + 1}.items()}
    plots = plot(
        [
            lambda: over_history(made, inputs, truth, outputs, line, band=ErrorBand(offsets)),
            lambda: error_by_step(steps),
            lambda: spread_of_errors(made, truth, outputs),
        ],
        tmp_path,
    )
    assert [one.name for one in plots] == ["forecast", "error_by_step", "residuals"]
    drawn = plots[0].path.read_text(encoding="utf-8")
    assert ("80% interval" in drawn) == quantiles and "load (MW)" in drawn
    assert ("80% of validation errors" in drawn) != quantiles
    assert f"over {horizon} steps" in plots[0].alt and "naive from" in plots[1].alt
