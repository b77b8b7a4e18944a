"""How many pictures a second do networks learn from with normalisation and GELU in one operation each, and with Keras'?

    python benchmarks/fused_layers.py [--models NAME…] [--batch N] [--rounds N] [--seed N]

The same network twice, by the recipe's own function: with `FusedBatchNormalization` and `FusedGelu`, and with
`keras.layers.BatchNormalization` and `keras.activations.gelu` in their places. Steps of one batch of random pictures of
32 x 32, in turns, in one process, in the precision that is quickest here; the first two of each are left out. Prints
JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from measuring import in_rounds, machine

from dlkit.contracts import Head, Spec, Tensor
from dlkit.models import fast, image_layers, images
from dlkit.training.precision import computing_in, instructions, quickest

MODELS: dict[str, Callable[[Spec], keras.Model]] = {
    "fast": fast.fast,
    "cnn_bn": images.cnn_bn,
    "resnet": images.resnet,
    "inception": images.inception,
    "separable": images.separable,
}
SPEC = Spec(
    {"pixels": Tensor((32, 32, 3), "uint8")},
    {"answer": Head(10, "softmax")},
    {"image_size": 32, "channels": 3},
    {"pixel_mean": np.full(3, 120, np.float32), "pixel_spread": np.full(3, 60, np.float32)},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--batch", type=int, default=256, help="pictures in a batch")
    parser.add_argument("--rounds", type=int, default=5, help="steps of each that are counted")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    pictures = random.integers(0, 256, (options.batch, 32, 32, 3)).astype(np.float32)
    classes = random.integers(0, 10, options.batch)
    found = {name: rates(MODELS[name], pictures, classes, options.rounds, options.seed) for name in options.models}
    with_units = f"{machine()}, {' '.join(instructions())}"
    print(json.dumps({**found, "batch": options.batch, "precision": quickest(), "machine": with_units}, indent=1))


def rates(
    build: Callable[[Spec], keras.Model], pictures: np.ndarray, classes: np.ndarray, rounds: int, seed: int
) -> dict[str, object]:
    """Pictures a second of both, by their median step, and how many times as fast the fused one is."""

    def step(build: Callable[[Spec], keras.Model]) -> Callable[[], None]:
        keras.utils.set_random_seed(seed)
        with computing_in("auto"):
            model = build(SPEC)
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        model.train_on_batch(pictures, classes)
        return lambda: model.train_on_batch(pictures, classes)

    seconds = in_rounds({"fused": step(build), "keras": step(lambda spec: keras_own(build, spec))}, rounds)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    each = {name: round(len(pictures) / median, 1) for name, median in medians.items()}
    return {"pictures_per_second": each, "ratio": round(medians["keras"] / medians["fused"], 2)}


def keras_own(build: Callable[[Spec], keras.Model], spec: Spec) -> keras.Model:
    """The network with Keras' layers."""
    with (
        patch.object(image_layers, "FusedBatchNormalization", keras.layers.BatchNormalization),
        patch.object(image_layers, "FusedGelu", lambda: keras.layers.Activation("gelu")),
    ):
        return build(spec)


if __name__ == "__main__":
    main()
