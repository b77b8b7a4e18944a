"""How many reviews a second does an LSTM learn from: in plain Keras, and with batches of like length?

    DLKIT_DATA=DIR python benchmarks/lstm_training.py [--rows N] [--rounds N] [--length N] [--seed N]

Three ways to train Embedding(32), LSTM(32), Dense(1) on the same reviews of at most 500 words from the same 20,000:

* plain: as most people write it. Ids padded with 0 to 500 in one array, `Embedding(mask_zero=True)`,
  `keras.layers.LSTM`, `compile("adam", …)` and `model.fit(x, y)` with its defaults, so batches of 32.
* bucketing: the recipe's network and dlkit's batches of like length, padded to the longest of theirs, 32 at a time.
* dlkit: the same with the batch size of `dlkit run imdb --model lstm`.

An epoch of each in every round, in one process, so that what else the machine does meets all. The first epoch, in which
the step is traced, is left out. Reading and encoding are not counted. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from dlkit.apps import imdb
from measuring import in_rounds, machine

from dlkit.contracts import Examples, Ragged, Spec
from dlkit.data import builders
from dlkit.data.batches import Batches
from dlkit.preprocessing.sequences import Sequences

recipe = imdb.recipe.with_model("lstm")
TARGET = 1.5
UNITS, DIMENSION = 32, 32


@dataclass(frozen=True)
class Prepared:
    """Encoded reviews and what a network must know of them."""

    rows: Ragged
    targets: np.ndarray
    spec: Spec


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=4_000, help="training reviews")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each that are counted")
    parser.add_argument("--length", type=int, default=500, help="most words of a review that are read")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "DLKIT_DATA" not in os.environ:
        parser.error("set DLKIT_DATA to a folder that holds imdb/aclImdb_v1.tar.gz")
    archive = Path(os.environ["DLKIT_DATA"]).expanduser().resolve() / "imdb" / "aclImdb_v1.tar.gz"
    prepared = prepare(archive, options.rows, options.length, options.seed)
    epochs = {
        "plain": plain(prepared, options.length),
        "bucketing, batch 32": ours(prepared, 32, options.seed),
        f"dlkit, batch {recipe.training.batch_size}": ours(prepared, recipe.training.batch_size, options.seed),
    }
    seconds = in_rounds(epochs, options.rounds)
    each = {name: statistics.median(values) for name, values in seconds.items()}
    rows = len(prepared.rows)
    document = {
        "examples_per_second": {name: round(rows / value, 1) for name, value in each.items()},
        "ratio_to_plain": {name: round(each["plain"] / value, 2) for name, value in each.items()},
        "target": TARGET,
        "seconds_per_epoch": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "rows": rows, "length": options.length, "mean_words": round(float(np.diff(prepared.rows.offsets).mean()), 1),
        "seed": options.seed,
        "machine": machine(),
    }  # fmt: skip
    print(json.dumps(document, indent=1))


def prepare(archive: Path, rows: int, length: int, seed: int) -> Prepared:
    train = builders.load("imdb", path=archive, allow_download=False).splits["train"]
    train = train.take(np.random.default_rng(seed).permutation(len(train))[:rows])
    assert isinstance(recipe.preprocessing, Sequences)
    transform = Sequences(max_words=recipe.preprocessing.max_words, length=length).fit(train, {"text": "text"})
    answer = recipe.task.fit(train, "label")
    (encoded,) = transform.encode(train.inputs).values()
    assert isinstance(encoded, Ragged)
    targets = np.asarray(recipe.task.encode(answer, train.targets))
    return Prepared(encoded, targets, Spec(transform.tensors, recipe.task.heads(answer), transform.sizes))


def plain(prepared: Prepared, length: int) -> Callable[[], object]:
    """An epoch of plain Keras."""
    ids = [prepared.rows.values[a:b] for a, b in zip(prepared.rows.offsets, prepared.rows.offsets[1:], strict=False)]
    padded = keras.utils.pad_sequences(ids, maxlen=length, padding="post")
    model = keras.Sequential(
        [
            keras.layers.Embedding(prepared.spec.sizes["vocabulary"] + 1, DIMENSION, mask_zero=True),
            keras.layers.LSTM(UNITS),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return lambda: model.fit(padded, prepared.targets, verbose=0)


def ours(prepared: Prepared, batch_size: int, seed: int) -> Callable[[], object]:
    """An epoch as `dlkit.training.fit` runs it."""
    model = recipe.build(prepared.spec)
    assert isinstance(model, keras.Model)
    model.compile(
        keras.optimizers.Adam(recipe.training.learning_rate),
        "binary_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=recipe.training.steps_per_execution,
        jit_compile=False,
    )
    (name,) = prepared.spec.inputs
    examples = Examples({name: prepared.rows}, prepared.targets)
    batches = Batches(examples, batch_size, seed=seed, by_length=True)

    def epoch() -> None:
        model.fit(batches.dataset(), shuffle=False, verbose=0)
        batches.epoch += 1

    return epoch


if __name__ == "__main__":
    main()
