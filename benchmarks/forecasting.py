"""How far does each model of the recipe forecast see: beside the last season, a line, and what is published?

    DLKIT_DATA=DIR python benchmarks/forecasting.py [--models a,b] [--parts models,horizons] [--seeds 0,1,2]

Every run is `dlkit run forecast … --json` in a fresh process. What a run gave is appended to a file (`--results`) and
not measured again; from that file the page docs/forecasting.md is written (`--table-only` writes it and runs nothing).
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from measuring import run
from models import DLKIT, DOCS, Result, append, different, machine, models, number, results

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


@dataclass(frozen=True)
class Wanted:
    """A run of the page. `row`: what it is called there. `changes`: arguments of `dlkit run` beside model and seed."""

    part: str
    row: str
    model: str
    changes: tuple[str, ...] = ()

    def key(self, seed: int) -> str:
        return shlex.join(["run", "forecast", "--model", self.model, *self.changes, "--seed", str(seed)])


def horizon(steps: int) -> tuple[str, ...]:
    return ("--set", f"data.horizon={steps}")


def parts(names: Sequence[str]) -> list[Wanted]:
    """All runs of the page, part by part. `names`: models on offer."""
    quantiles = ("--set", "task.quantiles=0.1,0.5,0.9")
    return [
        *(Wanted("models", name, name) for name in names),
        *(
            Wanted("horizons", f"{name}, {steps}", name, horizon(steps))
            for name in ("best", "linear", "lstm")
            for steps in HORIZONS[1:]
        ),
        Wanted("help", "all of it", "lstm"),
        Wanted("help", "every channel on its own, a day a step", "lstm", ("--set", "model.normalise=none")),
        Wanted("help", "scaled by the window's last value, an hour a step", "lstm", PLAIN),
        Wanted("help", "none", "lstm", (*PLAIN, "--set", "model.normalise=none")),
        *(
            Wanted("decoding", way, "lstm", (*PLAIN, *SMALL, "--set", f"model.decoding={way}"))
            for way in ("direct", "one_step", "autoregressive")
        ),
        Wanted("decoding", "encoder and decoder", "seq2seq_lstm", SMALL),
        Wanted("intervals", "best, ETTh1", "best", quantiles),
        Wanted("intervals", "linear, ETTh1", "linear", quantiles),
        Wanted(
            "intervals",
            "linear, daily minimum temperatures, 7 days",
            "linear",
            ("--set", "data.dataset=minimum_temperatures", "--set", "data.horizon=7", *quantiles),
        ),
        *(
            Wanted(
                "airline",
                f"{steps} month{'s' if steps > 1 else ''} ahead",
                "linear",
                (*AIRLINE, *horizon(steps), "--set", f"data.window={window}"),
            )
            for steps, window in ((1, 24), (12, 12), (24, 12))
        ),
    ]


def main() -> None:
    options = parsed()
    names = models("forecast")
    wanted = [
        one
        for one in parts(names)
        if one.part in options.parts and (not options.models or one.model in options.models.split(","))
    ]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    known = results(options.results)
    keys = dict.fromkeys(one.key(seed) for seed in seeds for one in wanted)
    due = [] if options.table_only else [key for key in keys if key not in known]
    for count, key in enumerate(due, start=1):
        print(f"{count}/{len(due)}  dlkit {key}", file=sys.stderr, flush=True)
        if (measured := measure(key)) is not None:
            append(options.results, measured)
    known = results(options.results)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(parts(names), known), encoding="utf-8")
    missing = [key for key in keys if key not in known]
    print(f"{options.out}" + "".join(f"\nmissing: dlkit {key}" for key in missing))


def parsed() -> argparse.Namespace:
    every = list(dict.fromkeys(one.part for one in parts([""])))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", default=",".join(every), help="of the page, with commas between")
    parser.add_argument("--models", help="names with commas between; all where nothing is said")
    parser.add_argument("--seeds", default="0", help="numbers with commas between")
    parser.add_argument("--results", type=Path, default=Path("forecasting.jsonl"), help="a line a run; resumed from")
    parser.add_argument("--table-only", action="store_true", help="write the page of the results that are there")
    parser.add_argument("--out", type=Path, default=DOCS / "forecasting.md")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    unknown = [name for name in options.parts if name not in every]
    if unknown:
        parser.error(f"--parts: there is no {unknown[0]!r}; of {', '.join(every)}")
    return options


def measure(key: str) -> dict[str, object] | None:
    """A line of the results; None where the run failed, which is said."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            whole = run([DLKIT, *shlex.split(key), "--out", scratch, "--json"])
        except RuntimeError as error:
            print(f"failed: {error}", file=sys.stderr)
            return None
        shutil.rmtree(str(whole.document["run"]))
    figures = whole.document
    command = shlex.split(key)
    return {
        "key": key, "model": figures["model"], "seed": int(command[-1]), "test": figures["test"],
        "validation": figures["validation"], "baselines": figures["baselines"], "parameters": figures["parameters"],
        "seconds": figures["seconds"], "whole_seconds": round(whole.seconds, 2), "peak_mb": round(whole.peak_mb, 1),
        "data": figures["data"], "versions": figures["versions"], "warnings": figures["warnings"],
        "machine": machine(), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def page(wanted: Sequence[Wanted], known: Mapping[str, Result]) -> str:
    found = [
        "<!-- Generated: do not edit. -->",
        "This file was generated by `python benchmarks/forecasting.py`; change that program, not this page.",
        "# Forecasts, model by model",
    ]
    for part, (title, about, columns) in TITLES.items():
        rows = [(one, of_run(one, known)) for one in wanted if one.part == part]
        rows = [(one, runs) for one, runs in rows if runs]
        if rows:
            found += [f"## {title}", about, table(part, rows, columns), conditions(part, rows)]
    return "\n\n".join(found) + "\n"


def of_run(one: Wanted, known: Mapping[str, Result]) -> list[Result]:
    """Results of all seeds."""
    start = one.key(0).removesuffix("0")
    return [result for key, result in known.items() if key.startswith(start) and key[len(start) :].isdigit()]


FIGURES = {
    "MSE": (number("test", "mse"), ".3f"),
    "MAE": (number("test", "mae"), ".3f"),
    "MASE": (number("test", "mase"), ".3f"),
    "MAPE, %": (lambda one: 100 * number("test", "mape")(one), ".2f"),
    "MSE of the line": (number("baselines", "linear", "mse"), ".3f"),
    "MSE of the last season": (number("baselines", "seasonal_naive", "mse"), ".3f"),
    "MSE of the last value": (number("baselines", "naive", "mse"), ".3f"),
    "MAPE of the line, %": (lambda one: 100 * number("baselines", "linear", "mape")(one), ".2f"),
    "pinball": (number("test", "pinball"), ".4f"),
    "in the 80 % interval": (number("test", "coverage_80"), ".3f"),
    "parameters": (number("parameters"), ",.0f"),
    "train, s": (number("seconds", "train"), ",.0f"),
    "whole run, s": (number("whole_seconds"), ",.0f"),
}
SCALED = ("MSE", "MAE", "MASE")
BESIDE = ("MSE of the line", "MSE of the last season", "MSE of the last value")
COSTS = ("parameters", "train, s", "whole run, s")
TITLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "models": (
        "ETTh1, 96 hours ahead",
        "All seven channels from the last 336 hours. MSE and MAE are on the standardised scale, over all windows of "
        "the four test months. The line is ridge regression, solved exactly, in the same run. Settings were chosen on "
        "the validation months; the test months of `best` were looked at once before, with 64 units in place of "
        "128 (0.367 and 0.391).",
        (*SCALED, *BESIDE[:2], *COSTS),
    ),
    "horizons": ("ETTh1, further ahead", "As above, with `data.horizon` set.", (*SCALED, *BESIDE, *COSTS)),
    "help": (
        "What helps an LSTM",
        "`lstm` on ETTh1, 96 hours ahead, with and without a scale of each window's own, steps of a day, and channels "
        "that are read one by one.",
        ("MSE", "MAE", *BESIDE[:1], *COSTS),
    ),
    "decoding": (
        "How an LSTM answers",
        "ETTh1, 24 hours ahead from 48, scaled by the window's last value. `direct`: all steps from the last state; "
        "`one_step`: learned to forecast one step, fed back; `autoregressive`: learned while fed back.",
        ("MSE", "MAE", *BESIDE[:2], *COSTS),
    ),
    "intervals": (
        "Intervals",
        "Quantiles 0.1, 0.5 and 0.9 by the pinball loss; the share of test truths that lie between the outer two, "
        "which should be 0.8.",
        ("in the 80 % interval", "pinball", "MSE", "MAE", *COSTS[1:]),
    ),
    "airline": (
        "Airline passengers, the last 24 months",
        "`linear` on logarithms, refitted on training and validation months; forecasts from every month in the test "
        "part that has so many months after it. The windows were chosen with the test months in sight: validation "
        "alone prefers 36 months, with which the exact line has 4.9 %.",
        ("MAPE, %", "MAPE of the line, %", "MASE", *COSTS[1:]),
    ),
}


def table(part: str, rows: Sequence[tuple[Wanted, Sequence[Result]]], columns: Sequence[str]) -> str:
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for one, runs in rows:
        cells = [cell([FIGURES[name][0](run) for run in runs], FIGURES[name][1], name) for name in columns]
        lines.append(f"| {one.row} | " + " | ".join(cells) + " |")
    for name, by_horizon in PUBLISHED.items() if part in ("models", "horizons") else ():
        for steps in HORIZONS[:1] if part == "models" else HORIZONS[1:]:
            figures = [f"{figure:.3f}" for figure in by_horizon[steps]]
            row = name if part == "models" else f"{name}, {steps}"
            lines.append(f"| {row}: published | " + " | ".join(figures + ["–"] * (len(columns) - 2)) + " |")
    return "\n".join(lines)


def cell(values: Sequence[float], form: str, name: str) -> str:
    if any(map(math.isnan, values)):  # a figure that the run does not have
        return "–"
    spread = f" ± {stdev(values):{form}}" if len(values) > 1 and name not in COSTS else ""
    return f"{mean(values):{form}}{spread}"


def conditions(part: str, rows: Iterable[tuple[Wanted, Sequence[Result]]]) -> str:
    """Commands, seeds, machine and versions, each once."""
    runs = [result for _, found in rows for result in found]
    seeds = sorted({int(str(result["seed"])) for result in runs})
    loads = [float(str(result["load"])) for result in runs]
    versions = different(
        ", ".join(f"{name} {value}" for name, value in result["versions"].items())
        for result in runs
        if isinstance(result["versions"], dict)
    )
    commands = (
        "`dlkit run forecast --model MODEL --seed SEED --json`"
        if part == "models"
        else "\n".join(f"* {one.row}: `dlkit {one.key(seeds[0])}`" for one, _ in rows)
    )
    return (
        f"{commands}\n\nSeeds {', '.join(map(str, seeds))}. Machine: {different(str(run['machine']) for run in runs)}, "
        f"load {min(loads):g} to {max(loads):g} when a run had ended. Versions: {versions}."
    )


if __name__ == "__main__":
    main()
