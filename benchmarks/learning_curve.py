"""How fast does a network for pictures learn, and how much of what the processor can do does that use?

    python benchmarks/learning_curve.py RUN… [--out FILE.svg]

RUN: finished runs, as saved_models/cifar10/4. Draws validation accuracy by minutes of training, and prints a table:
a run's epochs, minutes, test accuracy, operations a second in its quickest epoch (2 for each multiply-add; a training
step takes three times the forward pass), and that as a share of what a product of two 4,096 x 4,096 matrices reaches
now on this machine in the same precision. Validation passes are counted with the epochs, as their time is.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlkit.evaluation.drawings import Drawing

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from measuring import HERE

SIDE = 4_096


@dataclass(frozen=True)
class Curve:
    """A run. `minutes` and `accuracy`: at the end of each epoch, on validation pictures. `operations`: a second."""

    name: str
    minutes: list[float]
    accuracy: list[float]
    test: float
    operations: float
    precision: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "cifar10_fast.svg")
    options = parser.parse_args()
    curves = [curve(run) for run in options.runs]

    from dlkit.evaluation.plots import plot

    (made,) = plot([partial(drawing, curves)], options.out.parent)
    made.path.replace(options.out)
    peaks = {precision: peak(precision) for precision in {one.precision for one in curves}}
    print("| run | epochs | minutes | test accuracy | operations a second | share of the peak |")
    print("|---|---:|---:|---:|---:|---:|")
    for one in curves:
        print(
            f"| {one.name} | {len(one.minutes)} | {one.minutes[-1]:.1f} | {one.test:.4f} | {one.operations:.2e} | "
            f"{one.operations / peaks[one.precision]:.0%} |"
        )
    print("\n" + ", ".join(f"peak in {name}: {each:.2e}" for name, each in peaks.items()) + " operations a second")


def curve(run: Path) -> Curve:
    """What a run says of its training."""
    from dlkit.export.proof import keras_model
    from dlkit.models.images import multiply_adds
    from dlkit.training.precision import quickest

    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    settings = json.loads((run / "run.json").read_text(encoding="utf-8"))["settings"]["training"]
    with (run / "history.csv").open(encoding="utf-8", newline="") as file:
        epochs = list(csv.DictReader(file))
    seconds = [float(row["seconds"]) for row in epochs]
    passes = 3 * metrics["data"]["train_rows"] + metrics["data"]["validation_rows"]
    name = f"{metrics['model']}, {len(epochs)} epochs"
    return Curve(
        name=name,
        minutes=[sum(seconds[: count + 1]) / 60 for count in range(len(seconds))],
        accuracy=[float(row["val_accuracy"]) for row in epochs],
        test=metrics["test"]["accuracy"],
        operations=2 * passes * multiply_adds(keras_model(run / "model.keras")) / min(seconds),
        precision=quickest() if settings["precision"] == "auto" else settings["precision"],
    )


def peak(precision: str) -> float:
    """Operations a second of a large product of matrices, the best of five."""
    import tensorflow as tf

    kind = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
    square = tf.cast(tf.random.normal((SIDE, SIDE), seed=0), kind)
    product = tf.function(lambda: tf.reduce_sum(tf.cast(tf.matmul(square, square), tf.float32)))
    product()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        float(product())
        times.append(time.perf_counter() - started)
    return 2 * SIDE**3 / min(times)


def drawing(curves: list[Curve]) -> Drawing:
    from matplotlib.figure import Figure

    from dlkit.evaluation.drawings import Drawing

    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    for one in curves:
        axes.plot(one.minutes, one.accuracy, marker=".", label=one.name)
    axes.set(xlabel="minutes of training", ylabel="validation accuracy")
    axes.legend(fontsize=8)
    ends = (f"{one.name} ends at {one.accuracy[-1]:.3f} after {one.minutes[-1]:.0f} minutes" for one in curves)
    return Drawing("learning_curve", "Accuracy by minutes of training", f"{'; '.join(ends)}.", figure)


if __name__ == "__main__":
    main()
