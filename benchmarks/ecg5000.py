"""Which autoencoder tells abnormal heartbeats of ECG5000 best?

    DLKIT_DATA=DIR python benchmarks/ecg5000.py [--models pca,dense,…] [--seeds 0,1,2,3,4] > docs/ecg5000.md

Each seed splits the beats anew and starts the network anew. 70 % of them, abnormal ones left out, are learned from (a
fifth of these sets threshold and epoch), the rest are judged. Every row is the recipe's own model and training.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import time
from dataclasses import replace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from dlkit.catalog import entry, load
from dlkit.contracts import raw_targets
from dlkit.data.anomalies import AnomalyData
from dlkit.evaluation.anomaly_figures import Rows, baselines
from dlkit.evaluation.scores import score
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.pipeline import prepare, train
from dlkit.recipe import Recipe
from dlkit.training.fit import outputs

FIGURES = ("roc_auc", "average_precision", "f1", "precision", "recall")


def figures(recipe: Recipe, seed: int) -> tuple[dict[str, float], dict[str, float], float, float]:
    """Test figures of the network and of the isolation forest, the validation ROC AUC, and seconds of training."""
    assert isinstance(recipe.data, AnomalyData)
    recipe = replace(
        recipe,
        data=replace(recipe.data, split_seed=seed),
        training=replace(recipe.training, tensorboard=False),
    )
    prepared = prepare(recipe, recipe.data.load(None, say=lambda _: None))
    started = time.perf_counter()
    outcome = train(prepared, seed=seed, say=lambda _: None)
    seconds = time.perf_counter() - started
    prepared = prepared.settled(np.asarray(outcome.held_out))
    assert isinstance(prepared.answer, AnomalyAnswer)
    found = score("anomaly", prepared.answer, raw_targets(prepared.test), outputs(outcome.model, prepared.test))
    rows = Rows(prepared.train, prepared.validation, prepared.test)
    forest = baselines(prepared.answer, rows, seed=seed)["isolation_forest"]
    return found, forest, outcome.validation["roc_auc"], seconds


def line(name: str, found: list[dict[str, float]], validation: list[float], seconds: list[float]) -> str:
    cells = [f"{np.mean(values):.4f} ± {np.std(values):.4f}" for values in ([one[n] for one in found] for n in FIGURES)]
    chosen = f"{np.mean(validation):.4f}" if validation else "–"
    return f"| {name} | {' | '.join(cells)} | {chosen} | {f'{np.mean(seconds):.1f}' if seconds else '–'} |"


def main() -> None:
    recipe = load(entry("anomaly"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(recipe.models))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    given = parser.parse_args()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    seeds = [int(seed) for seed in given.seeds.split(",")]
    print("# ECG5000: abnormal heartbeats, learned from normal ones alone\n")
    arguments = "" if given.models == ",".join(recipe.models) else f" --models {given.models}"
    print(f"Made by `DLKIT_DATA=DIR python benchmarks/ecg5000.py{arguments}`. Mean ± standard deviation over seeds")
    print(f"{given.seeds}: other splits of 70 % to learn from and 30 % (150 beats) to judge by, other first weights.")
    print(f"{platform.machine()}, {os.cpu_count()} cores.\n")
    print(f"| model | {' | '.join(FIGURES)} | validation roc_auc | training, s |")
    print("|" + "---|" * (len(FIGURES) + 3), flush=True)
    forests: list[dict[str, float]] = []
    for name in given.models.split(","):
        runs = [figures(recipe.with_model(name), seed) for seed in seeds]
        forests = [run[1] for run in runs]
        print(line(name, [run[0] for run in runs], [run[2] for run in runs], [run[3] for run in runs]), flush=True)
    print(line("isolation forest", forests, [], []))


if __name__ == "__main__":
    main()
