"""How likely are test digits to each model of the recipe vae, how much do codes keep, and how quick are decoders?

    DLKIT_DATA=DIR python benchmarks/latents.py [--models a,b] [--parts likelihood,codes] [--seeds 0,1,2]

Every run is `dlkit run … --json` in a fresh process, then `dlkit bench`. What a run gave is appended to a file
(`--results`) and not measured again; from that file the page docs/latents.md is written (`--table-only` writes it and
runs nothing).
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from measuring import run
from models import DLKIT, DOCS, Result, append, different, machine, models, number, results, scaled

EVERY_ROW = ("--set", "task.likelihood_rows=10000")
CODE_32 = ("--set", "model.code=32")


@dataclass(frozen=True)
class Wanted:
    """A run of the page. `row`: what it is called there. `changes`: arguments of `dlkit run` beside model and seed."""

    part: str
    recipe: str
    model: str
    changes: tuple[str, ...] = ()
    row: str = ""

    @property
    def name(self) -> str:
        return self.row or f"`{self.model}`"

    def key(self, seed: int) -> str:
        return shlex.join(["run", self.recipe, "--model", self.model, *self.changes, "--seed", str(seed)])


def wanted() -> list[Wanted]:
    """All runs of the page, part by part."""
    return [
        *(Wanted("likelihood", "vae", name, EVERY_ROW) for name in models("vae")),
        *(Wanted("codes", "autoencoder", name, CODE_32) for name in models("autoencoder")),
    ]


FIGURES: dict[str, tuple[Callable[[Result], float], str]] = {
    "ELBO": (number("test", "elbo"), ".2f"),
    "NLL": (number("test", "nll"), ".2f"),
    "reconstruction": (number("test", "reconstruction"), ".2f"),
    "KL": (number("test", "kl"), ".2f"),
    "mean image, NLL": (number("baselines", "mean_image", "nll"), ".1f"),
    "units": (number("latents", "code"), ".0f"),
    "active": (number("latents", "active_units"), ".0f"),
    "linear probe": (number("test", "probe_accuracy"), ".3f"),
    "PCA's probe": (number("baselines", "pca", "probe_accuracy"), ".3f"),
    "MSE": (number("test", "mse"), ".5f"),
    "MSE of PCA": (number("baselines", "pca", "mse"), ".5f"),
    "ratio to PCA": (lambda one: number("test", "mse")(one) / number("baselines", "pca", "mse")(one), ".2f"),
    "denoised, MSE": (number("test", "denoised_mse"), ".4f"),
    "by PCA": (number("baselines", "pca", "denoised_mse"), ".4f"),
    "noisy": (number("baselines", "noisy_input", "denoised_mse"), ".4f"),
    "SavedModel, µs": (number("bench", "saved_model", "decoder_latency_us"), ",.0f"),
    "LiteRT, µs": (number("bench", "tflite", "decoder_latency_us"), ",.1f"),
    "times lower": (number("bench", "tflite", "decoder_speedup"), ".1f"),
    "LiteRT, kB": (scaled(number("bench", "tflite", "bytes"), 1e-3), ",.0f"),
    "parameters": (number("parameters"), ",.0f"),
    "epochs": (number("epochs"), ".0f"),
    "train, s": (number("seconds", "train"), ",.0f"),
    "processor, s": (number("cpu_seconds"), ",.0f"),
}
DECODERS = ("SavedModel, µs", "LiteRT, µs", "times lower", "LiteRT, kB", "parameters")
COSTS = {*DECODERS, "units", "epochs", "train, s", "processor, s"}
TITLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "likelihood": (
        "How likely test digits are",
        "MNIST, 10,000 test digits, nats an image. ELBO = -reconstruction - KL; NLL: 500 importance samples of each "
        "image (Burda et al. 2016, eq. 8). Figures of another binarisation are another question: compare rows of one. "
        "active: units whose mean varies by more than 0.01. linear probe: logistic regression on the codes of 5,000 "
        "training digits. processor: seconds of all cores over the whole run, this evaluation included.",
        ("ELBO", "NLL", "reconstruction", "KL", "mean image, NLL", "units", "active", "linear probe", "epochs",
         "train, s", "processor, s"),
    ),
    "codes": (
        "What codes of 32 numbers keep",
        "MNIST, grey values, mean squared error a pixel over the test digits, beside principal components with as many "
        "numbers, fitted to 20,000 training digits in the same run. denoised: digits with the noise of the training, "
        "compared with the clean ones.",
        ("MSE", "MSE of PCA", "ratio to PCA", "linear probe", "PCA's probe", "denoised, MSE", "by PCA", "noisy",
         "epochs", "train, s", "processor, s"),
    ),
    "decoders": (
        "From a code to a picture",
        "`dlkit bench RUN`: one code at a time, LiteRT with one thread against the SavedModel's signature `decode`, in "
        "the same process, in turns; medians.",
        DECODERS,
    ),
}  # fmt: skip
PUBLISHED = (
    "Published, on the same images with another order and draw of pixels: NLL 86.76 of a VAE and 84.78 of an "
    "importance-weighted one with 50 samples, both 200-200-50 (Burda et al. 2016, table 1); keras.io's example of a "
    "code of 2 numbers ends at a training loss of 146.95, of grey values."
)


def main() -> None:
    options = parsed()
    every = wanted()
    chosen = [
        one
        for one in every
        if one.part in options.parts and (not options.models or one.model in options.models.split(","))
    ]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    known = results(options.results)
    keys = dict.fromkeys(one.key(seed) for seed in seeds for one in chosen)
    due = [] if options.table_only else [key for key in keys if key not in known]
    for count, key in enumerate(due, start=1):
        print(f"{count}/{len(due)}  dlkit {key}", file=sys.stderr, flush=True)
        if (measured := measure(key)) is not None:
            append(options.results, measured)
    known = results(options.results)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(every, known), encoding="utf-8")
    missing = [key for key in keys if key not in known]
    print(f"{options.out}" + "".join(f"\nmissing: dlkit {key}" for key in missing))


def parsed() -> argparse.Namespace:
    parts = list(dict.fromkeys(one.part for one in wanted()))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", default=",".join(parts), help="of the page, with commas between")
    parser.add_argument("--models", help="names with commas between; all where nothing is said")
    parser.add_argument("--seeds", default="0", help="numbers with commas between")
    parser.add_argument("--results", type=Path, default=Path("latents.jsonl"), help="a line a run; resumed from")
    parser.add_argument("--table-only", action="store_true", help="write the page of the results that are there")
    parser.add_argument("--out", type=Path, default=DOCS / "latents.md")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    if unknown := [name for name in options.parts if name not in parts]:
        parser.error(f"--parts: there is no {unknown[0]!r}; of {', '.join(parts)}")
    return options


def measure(key: str) -> dict[str, object] | None:
    """A line of the results; None where the run failed, which is said."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            before = os.times()
            whole = run([DLKIT, *shlex.split(key), "--out", scratch, "--json"])
            after = os.times()
            figures = whole.document
            bench = run([DLKIT, "bench", str(figures["run"]), "--json"]).document
        except RuntimeError as error:
            print(f"failed: {error}", file=sys.stderr)
            return None
        shutil.rmtree(str(figures["run"]))
    command = shlex.split(key)
    of_children = after.children_user + after.children_system - before.children_user - before.children_system
    taken = (
        "recipe", "model", "test", "validation", "baselines", "latents", "parameters", "epochs", "seconds", "data",
        "versions", "warnings",
    )  # fmt: skip
    return {
        "key": key, "seed": int(command[-1]), **{name: figures[name] for name in taken}, "bench": bench["artefacts"],
        "cpu_seconds": round(of_children), "whole_seconds": round(whole.seconds, 2), "machine": machine(),
        "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def page(every: Sequence[Wanted], known: Mapping[str, Result]) -> str:
    found = [
        "<!-- Generated: do not edit. -->",
        "This file was generated by `python benchmarks/latents.py`; change that program, not this page.",
        "# Codes, and what is made from them",
    ]
    for part, (title, about, columns) in TITLES.items():
        rows = [(one, of_run(one, known)) for one in every if part in (one.part, "decoders")]
        rows = [(one, runs) for one, runs in rows if runs]
        if rows:
            found += [f"## {title}", about, table(part, rows, columns)]
            found += [PUBLISHED] if part == "likelihood" else []
            found += [conditions(rows)]
    return "\n\n".join(found) + "\n"


def of_run(one: Wanted, known: Mapping[str, Result]) -> list[Result]:
    """Results of all seeds."""
    start = one.key(0).removesuffix("0")
    return [result for key, result in known.items() if key.startswith(start) and key[len(start) :].isdigit()]


def table(part: str, rows: Sequence[tuple[Wanted, Sequence[Result]]], columns: Sequence[str]) -> str:
    protocol = part == "likelihood"
    lines = [
        "| | " + "pixels | " * protocol + " | ".join(columns) + " |",
        "|---|" + "---|" * protocol + "---:|" * len(columns),
    ]
    for one, runs in rows:
        cells = [cell([FIGURES[name][0](run) for run in runs], FIGURES[name][1], name) for name in columns]
        if protocol:
            cells.insert(0, different(binarised(run) for run in runs))
        lines.append(f"| {one.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def binarised(result: Result) -> str:
    latents = result["latents"]
    return {"none": "grey"}.get(name := str(latents["binarise"]), name) if isinstance(latents, Mapping) else ""


def cell(values: Sequence[float], form: str, name: str) -> str:
    if any(map(math.isnan, values)):  # a figure that the run does not have
        return "–"
    apart = f" ± {stdev(values):{form}}" if len(values) > 1 and name not in COSTS else ""
    return f"{mean(values):{form}}{apart}"


def conditions(rows: Sequence[tuple[Wanted, Sequence[Result]]]) -> str:
    """Commands, seeds, machine and versions, each once."""
    runs = [result for _, found in rows for result in found]
    seeds = sorted({int(str(result["seed"])) for result in runs})
    loads = [float(str(result["load"])) for result in runs]
    versions = different(
        ", ".join(f"{name} {value}" for name, value in result["versions"].items())
        for result in runs
        if isinstance(result["versions"], dict)
    )
    commands = different(
        f"`dlkit {shlex.join(['run', one.recipe, '--model', 'MODEL', *one.changes, '--seed', 'SEED'])}`"
        for one, _ in rows
    )
    return (
        f"{commands}. Seeds {', '.join(map(str, seeds))}. Machine: "
        f"{different(str(run['machine']) for run in runs)}, load {min(loads):g} to {max(loads):g} when a run had "
        f"ended. Versions: {versions}."
    )


if __name__ == "__main__":
    main()
