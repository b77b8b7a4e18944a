"""What is a pre-trained network worth where there are few labelled pictures?

    DLKIT_DATA=DIR python benchmarks/transfer_curve.py --weights squeezenet_notop.h5 [--per-class 10,50,100]

`dlkit run transfer` with `data.per_class` labelled pictures of each class of CIFAR-10, as the frozen backbone and as
the same network from scratch, each in a fresh process: test accuracy on all 10,000 test pictures. Prints a table, and
the points by which the first is ahead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import mean

from measuring import run

DLKIT = str(Path(sys.executable).with_name("dlkit"))
MODELS = {"transfer": "frozen features", "tuned": "last layers tuned", "scratch": "from scratch"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="of SqueezeNet 1.1 without its classifier")
    parser.add_argument("--per-class", default="10,50,100,500", help="numbers with commas between")
    parser.add_argument("--models", default="transfer,scratch", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--size", type=int, help="pixels; as in the recipe where nothing is said")
    options = parser.parse_args()
    counts, models = options.per_class.split(","), options.models.split(",")
    found: dict[tuple[str, str], list[float]] = {}
    for count in counts:
        for model in models:
            for seed in options.seeds.split(","):
                print(f"{model}, {count} pictures a class, seed {seed} …", file=sys.stderr, flush=True)
                accuracy = measured(model, count, seed, options.weights, options.size)
                found.setdefault((count, model), []).append(accuracy)
    print("\n".join(table(found, counts, models)))


def measured(model: str, count: str, seed: str, weights: Path, size: int | None) -> float:
    changes = [f"data.per_class={count}", *([f"preprocessing.size={size}"] if size else [])]
    changes += [] if model == "scratch" else [f"model.weights={weights.resolve()}"]
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [part for change in changes for part in ("--set", change)]
        command = [DLKIT, "run", "transfer", "--model", model, *arguments, "--seed", seed, "--out", scratch, "--json"]
        test = run(command).document["test"]
    assert isinstance(test, dict), test
    return float(test["accuracy"])


def table(found: dict[tuple[str, str], list[float]], counts: list[str], models: list[str]) -> list[str]:
    ahead = "transfer" in models and "scratch" in models
    heads = [*(MODELS[model] for model in models), *(["points ahead"] if ahead else [])]
    lines = ["| pictures a class | " + " | ".join(heads) + " |", "|---:|" + "---:|" * len(heads)]
    for count in counts:
        cells = [f"{mean(found[count, model]):.4f}" for model in models]
        if ahead:
            cells.append(f"{100 * (mean(found[count, 'transfer']) - mean(found[count, 'scratch'])):+.1f}")
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
