"""How many reviews a second does the network learn from: by gather-and-sum, and by Dense on multi-hot rows?

Usage: multi_hot_training.py ARCHIVE SEED, with DLKIT_CACHE set. Both are trained by Keras' `fit` without XLA, epochs of
the two in turns. Dense has its 25,000 x 10,000 float32 matrix ready in memory; making it is not counted.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from dlkit.apps.imdb import recipe
from measuring import Stages

from dlkit.contracts import Examples, Ragged, Spec
from dlkit.data import builders
from dlkit.data.batches import Batches

EPOCHS, BATCH_SIZE = 6, 512


def matrix(rows: Ragged, width: int) -> np.ndarray:
    """(rows, width) float32: 1 where a row has the word."""
    ones = np.zeros((len(rows), width), np.float32)
    ones[np.repeat(np.arange(len(rows)), np.diff(rows.offsets)), rows.values - 1] = 1
    return ones


def dense(width: int) -> keras.Model:
    hidden = [keras.layers.Dense(16, activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input((width,)), *hidden, keras.layers.Dense(1, activation="sigmoid")])


def epochs_in_turns(epochs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of an epoch; the first one, in which the step is compiled, is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(EPOCHS + 1):
        for name, epoch in epochs.items():
            started = time.perf_counter()
            epoch()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def main(archive: Path, seed: int) -> None:
    train = builders.load("imdb", path=archive, allow_download=False).splits["train"]
    transform = recipe.preprocessing.fit(train, {"text": "text"})
    task = recipe.task
    answer = task.fit(train, "label")
    rows = transform.encode(train.inputs)["word_ids"]
    assert isinstance(rows, Ragged)
    targets = np.asarray(task.encode(answer, train.targets))
    width = transform.sizes["vocabulary"]
    keras.utils.set_random_seed(seed)
    ours = recipe.build(Spec(transform.tensors, task.heads(answer), transform.sizes))
    assert isinstance(ours, keras.Model)
    theirs = dense(width)
    theirs.set_weights(ours.get_weights())
    for model in (ours, theirs):
        model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"], jit_compile=False)
    batches = Batches(Examples({"word_ids": rows}, targets), BATCH_SIZE, seed=seed)
    dataset, ones = batches.dataset(), matrix(rows, width)
    seconds = epochs_in_turns(
        {
            "gather": lambda: ours.fit(dataset, shuffle=False, verbose=0),
            "dense": lambda: theirs.fit(ones, targets, batch_size=BATCH_SIZE, verbose=0),
        }
    )
    stages = Stages({name: round(value, 4) for name, value in seconds.items()})
    stages.print(rows=len(rows), matrix_mb=round(ones.nbytes / 1e6))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
