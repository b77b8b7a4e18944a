"""How many pictures a second does the lecture notes' network learn from: as the notes write it, and by the recipe?

    DLKIT_DATA=DIR python benchmarks/picture_training.py [--rows N] [--rounds N] [--seed N]

Five ways to train Conv 32, MaxPool, Dense 512, softmax on the same CIFAR-10 pictures, batches of 128, RMSprop:

* notes: float32 arrays divided by 255, one-hot targets, `model.fit(x, y)` with its defaults.
* dlkit: the recipe's network, uint8 pictures scaled inside of it, `Batches`, in 16 bits where the machine has them.
* dlkit, augmented: the same with flips and shifts.
* dlkit, 32 bits: the same without either.
* no pipeline: the recipe's network on one batch again and again, which no pipeline has to make: what the others take
  longer is the share of a step that waits for data.

An epoch of each in every round, in one process; the first, in which the step is traced, is left out. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from measuring import in_rounds, machine

from dlkit import catalog
from dlkit.contracts import Examples, Spec
from dlkit.data import builders
from dlkit.data.batches import Batches
from dlkit.training.precision import Precision, computing_in

TARGET, MOST_WAITING = 1.3, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=12_800, help="training pictures")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each that are counted")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "DLKIT_DATA" not in os.environ:
        parser.error("set DLKIT_DATA to a folder that holds cifar10/cifar10.zip")
    keras.utils.set_random_seed(options.seed)
    recipe = catalog.load(catalog.entry("cifar10"))
    archive = Path(os.environ["DLKIT_DATA"]).expanduser().resolve() / "cifar10" / "cifar10.zip"
    train = builders.load("cifar10", path=archive, allow_download=False).splits["train"]
    train = train.take(np.random.default_rng(options.seed).permutation(len(train))[: options.rows])
    transform = recipe.preprocessing.fit(train, {"image": "image"})
    answer = recipe.task.fit(train, "label")
    targets = np.asarray(recipe.task.encode(answer, train.targets))
    examples = Examples(transform.encode(train.inputs), targets)
    spec = Spec(transform.tensors, recipe.task.heads(answer), transform.sizes, transform.tables)
    size = recipe.training.batch_size

    def network(precision: Precision = recipe.training.precision) -> keras.Model:
        with computing_in(precision):
            model = recipe.build(spec)
        assert isinstance(model, keras.Model)
        model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        return model

    augmented = replace(recipe.training, augment=("flip", "shift")).augment
    epochs = {
        "notes": notes(train.inputs["image"], targets, size),
        "dlkit": epoch_of(network(), Batches(examples, size, seed=options.seed)),
        "dlkit, augmented": epoch_of(network(), Batches(examples, size, seed=options.seed, augment=augmented)),
        "dlkit, 32 bits": epoch_of(network("float32"), Batches(examples, size, seed=options.seed)),
        "no pipeline": one_batch(network(), examples, size, options.rows // size),
    }
    seconds = in_rounds(epochs, options.rounds)
    each = {name: statistics.median(values) for name, values in seconds.items()}
    document = {
        "pictures_per_second": {name: round(options.rows / value, 1) for name, value in each.items()},
        "ratio_to_notes": {name: round(each["notes"] / value, 2) for name, value in each.items()},
        "target": TARGET,
        "share_of_waiting": {
            name: round(max(0.0, 1 - each["no pipeline"] / each[name]), 3) for name in ("dlkit", "dlkit, augmented")
        },
        "most_waiting": MOST_WAITING,
        "rows": options.rows, "seed": options.seed,
        "machine": machine(),
    }  # fmt: skip
    print(json.dumps(document, indent=1))


def notes(pixels: np.ndarray, targets: np.ndarray, batch_size: int) -> Callable[[], object]:
    """An epoch of the notes' script."""
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Dropout(0.25),
            keras.layers.Flatten(),
            keras.layers.Dense(512, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    rows, one_hot = pixels.astype(np.float32) / 255, keras.utils.to_categorical(targets, 10)
    return lambda: model.fit(rows, one_hot, batch_size=batch_size, verbose=0)


def epoch_of(model: keras.Model, batches: Batches) -> Callable[[], object]:
    """An epoch as `dlkit.training.fit` runs it."""

    def epoch() -> None:
        model.fit(batches.dataset(), shuffle=False, verbose=0)
        batches.epoch += 1

    return epoch


def one_batch(model: keras.Model, examples: Examples, size: int, steps: int) -> Callable[[], object]:
    batch = next(iter(Batches(examples, size)))
    repeated = tf.data.Dataset.from_tensors(batch).cache().repeat(steps)
    options = tf.data.Options()
    options.autotune.enabled = False  # as `Batches` has it
    repeated = repeated.with_options(options)
    return lambda: model.fit(repeated, shuffle=False, verbose=0)


if __name__ == "__main__":
    main()
