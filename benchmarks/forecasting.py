"""How far does each model of the recipe forecast see: beside the last season, a line, and what is published?

    DLKIT_DATA=DIR python benchmarks/forecasting.py [--models a,b] [--parts models,horizons] [--seeds 0,1,2]

Every run is `dlkit run forecast … --json` in a fresh process. What a run gave is appended to a file (`--results`) and
not measured again; from that file the page docs/forecasting.md is written (`--table-only` writes it and runs nothing).
"""

from __future__ import annotations

from collections.abc import Sequence

from pages import Page, Part, Wanted, models, number, scaled, write

HORIZONS = (96, 192, 336, 720)
PUBLISHED: dict[str, dict[int, tuple[float, float]]] = {
    "PatchTST/64 (Nie et al. 2023)": {
        96: (0.370, 0.400), 192: (0.413, 0.429), 336: (0.422, 0.440), 720: (0.447, 0.468),
    },
    "NLinear (Zeng et al. 2023)": {
        96: (0.374, 0.394), 192: (0.408, 0.415), 336: (0.429, 0.427), 720: (0.440, 0.453),
    },
    "DLinear (Zeng et al. 2023)": {
        96: (0.375, 0.399), 192: (0.405, 0.416), 336: (0.439, 0.443), 720: (0.472, 0.490),
    },
    "Informer (Zhou et al. 2021)": {
        96: (0.865, 0.713), 192: (1.008, 0.792), 336: (1.107, 0.809), 720: (1.181, 0.865),
    },
}  # fmt: skip
"""ETTh1, all channels, by horizon: mean squared and mean absolute error on the standardised scale (Zeng et al. 2023,
table 2; Nie et al. 2023, table 3)."""
PLAIN = ("--set", "model.patch=1", "--set", "model.independent=false", "--set", "model.dropout=0.0")
SMALL = ("--set", "data.window=48", "--set", "data.horizon=24")
AIRLINE = (
    "--set", "data.dataset=airline_passengers", "--set", "data.scale=log", "--set", "task.loss_name=mse",
    "--set", "model.decomposition=0", "--set", "model.normalise=last", "--set", "training.refit=true",
    "--set", "training.keep=last", "--epochs", "200", "--set", "training.batch_size=16",
    "--set", "training.learning_rate=0.01", "--set", "training.tensorboard=false",
)  # fmt: skip
QUANTILES = ("--set", "task.quantiles=0.1,0.5,0.9")
FIGURES = {
    "MSE": (number("test", "mse"), ".3f"),
    "MAE": (number("test", "mae"), ".3f"),
    "MASE": (number("test", "mase"), ".3f"),
    "MAPE, %": (scaled(number("test", "mape"), 100), ".2f"),
    "MSE of the line": (number("baselines", "linear", "mse"), ".3f"),
    "MSE of the last season": (number("baselines", "seasonal_naive", "mse"), ".3f"),
    "MSE of the last value": (number("baselines", "naive", "mse"), ".3f"),
    "MAPE of the line, %": (scaled(number("baselines", "linear", "mape"), 100), ".2f"),
    "pinball": (number("test", "pinball"), ".4f"),
    "in the 80 % interval": (number("test", "coverage_80"), ".3f"),
    "parameters": (number("parameters"), ",.0f"),
    "train, s": (number("seconds", "train"), ",.0f"),
    "whole run, s": (number("whole_seconds"), ",.0f"),
}
SCALED = ("MSE", "MAE", "MASE")
BESIDE = ("MSE of the line", "MSE of the last season", "MSE of the last value")
COSTS = ("parameters", "train, s", "whole run, s")


def forecast(model: str, *changes: str, row: str = "") -> Wanted:
    return Wanted("forecast", model, changes, row)


def horizon(steps: int) -> tuple[str, ...]:
    return ("--set", f"data.horizon={steps}")


def published(steps: int, columns: Sequence[str], *, named: bool) -> list[str]:
    """Rows of `PUBLISHED` for that horizon, `named` by it."""
    return [
        f"| {name}{f', {steps}' if named else ''}: published | "
        + " | ".join([*(f"{figure:.3f}" for figure in by_horizon[steps]), *["–"] * (len(columns) - 2)])
        + " |"
        for name, by_horizon in PUBLISHED.items()
    ]


def parts(names: Sequence[str]) -> dict[str, Part]:
    """`names`: models on offer."""
    near, far = (*SCALED, *BESIDE[:2], *COSTS), (*SCALED, *BESIDE, *COSTS)
    return {
        "models": Part(
            "ETTh1, 96 hours ahead",
            "All seven channels from the last 336 hours. MSE and MAE are on the standardised scale, over all windows "
            "of the four test months. The line is ridge regression, solved exactly, in the same run. Settings were "
            "chosen on the validation months; the test months of `best` were looked at once before, with 64 units in "
            "place of 128 (0.367 and 0.391).",
            near,
            [forecast(name) for name in names],
            published(HORIZONS[0], near, named=False),
        ),
        "horizons": Part(
            "ETTh1, further ahead",
            "As above, with `data.horizon` set.",
            far,
            [
                forecast(name, *horizon(steps), row=f"{name}, {steps}")
                for name in ("best", "linear", "lstm")
                for steps in HORIZONS[1:]
            ],
            [line for steps in HORIZONS[1:] for line in published(steps, far, named=True)],
        ),
        "help": Part(
            "What helps an LSTM",
            "`lstm` on ETTh1, 96 hours ahead, with and without a scale of each window's own, steps of a day, and "
            "channels that are read one by one.",
            ("MSE", "MAE", *BESIDE[:1], *COSTS),
            [
                forecast("lstm", row="all of it"),
                forecast("lstm", "--set", "model.normalise=none", row="every channel on its own, a day a step"),
                forecast("lstm", *PLAIN, row="scaled by the window's last value, an hour a step"),
                forecast("lstm", *PLAIN, "--set", "model.normalise=none", row="none"),
            ],
        ),
        "decoding": Part(
            "How an LSTM answers",
            "ETTh1, 24 hours ahead from 48, scaled by the window's last value. `direct`: all steps from the last "
            "state; `one_step`: learned to forecast one step, fed back; `autoregressive`: learned while fed back.",
            ("MSE", "MAE", *BESIDE[:2], *COSTS),
            [
                *(
                    forecast("lstm", *PLAIN, *SMALL, "--set", f"model.decoding={way}", row=way)
                    for way in ("direct", "one_step", "autoregressive")
                ),
                forecast("seq2seq_lstm", *SMALL, row="encoder and decoder"),
            ],
        ),
        "intervals": Part(
            "Intervals",
            "Quantiles 0.1, 0.5 and 0.9 by the pinball loss; the share of test truths that lie between the outer two, "
            "which should be 0.8.",
            ("in the 80 % interval", "pinball", "MSE", "MAE", *COSTS[1:]),
            [
                forecast("best", *QUANTILES, row="best, ETTh1"),
                forecast("linear", *QUANTILES, row="linear, ETTh1"),
                forecast(
                    "linear", "--set", "data.dataset=minimum_temperatures", *horizon(7), *QUANTILES,
                    row="linear, daily minimum temperatures, 7 days",
                ),
            ],
        ),
        "airline": Part(
            "Airline passengers, the last 24 months",
            "`linear` on logarithms, refitted on training and validation months; forecasts from every month in the "
            "test part that has so many months after it, so 24 months ahead there is one. 18 months are read, which "
            "is what a backtest on the months before the test chooses (`python benchmarks/airline_windows.py`).",
            ("MAPE, %", "MAPE of the line, %", "MASE", *COSTS[1:]),
            [
                forecast(
                    "linear", *AIRLINE, *horizon(steps), "--set", "data.window=18",
                    row=f"{steps} month{'s' if steps > 1 else ''} ahead",
                )
                for steps in (1, 12, 24)
            ],
        ),
    }  # fmt: skip


if __name__ == "__main__":
    write(
        Page(
            "forecasting",
            "Forecasts, model by model",
            parts(models("forecast")),
            FIGURES,
            COSTS,
            ("model", "test", "validation", "baselines", "parameters", "seconds"),
        ),
        __doc__ or "",
    )
