"""What do dropout of bytes and a loss of twins in one loop save of a Transformer's training step?

    python benchmarks/translator_step.py [--rows N] [--length N] [--rounds N] [--seed N]

Steps of the recipe's network on one batch of random pieces, in turns, in one process, in the precision that is
quickest here; the first two of each are left out. "plain": cross-entropy alone, with `ByteDropout` and with
`keras.layers.Dropout` in its place. "consistent": `training.consistency`, half of the rows being the other half once
more, also with the loss by TensorFlow's own operations, softmax and divergences by the textbook, and with neither.
Milliseconds of processor time, medians; prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from measuring import in_rounds, machine

from dlkit.contracts import Spec
from dlkit.models import translation, translation_layers
from dlkit.training import losses
from dlkit.training.losses import Tokens
from dlkit.training.precision import computing_in, instructions, quickest

WORDS = 6_000
SMOOTHING, CONSISTENCY = 0.1, 5.0
VOCABULARIES = {"source_vocabulary": WORDS, "target_vocabulary": WORDS, "joint": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=256, help="in a batch, an even number")
    parser.add_argument("--length", type=int, default=16, help="pieces of each sentence")
    parser.add_argument("--rounds", type=int, default=9, help="steps of each that are counted")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    half = random.integers(1, WORDS + 1, (3, options.rows // 2, options.length)).astype(np.int32)
    rows = np.concatenate([half, half], axis=1)
    dropout = patch.object(translation_layers, "ByteDropout", keras.layers.Dropout)
    loss = patch.object(losses, "loss_of_twins", by_operations)
    steps = {
        "plain": stepping(rows, 0.0, options.seed),
        "plain, Keras' dropout": stepping(rows, 0.0, options.seed, dropout),
        "consistent": stepping(rows, CONSISTENCY, options.seed),
        "consistent, TensorFlow's operations": stepping(rows, CONSISTENCY, options.seed, loss),
        "consistent, neither": stepping(rows, CONSISTENCY, options.seed, dropout, loss),
    }
    processor: dict[str, list[float]] = {}
    in_rounds({name: counted(name, step, processor) for name, step in steps.items()}, options.rounds)
    medians = {name: statistics.median(each[1:]) for name, each in processor.items()}
    document = {
        "milliseconds": {name: round(1e3 * each, 1) for name, each in medians.items()},
        "ratio": {name: round(each / medians[name.partition(",")[0]], 2) for name, each in medians.items()},
        "rows": options.rows, "length": options.length, "words": WORDS, "precision": quickest(),
        "machine": f"{machine()}, {' '.join(instructions())}",
    }  # fmt: skip
    print(json.dumps(document, indent=1))


def stepping(
    rows: np.ndarray, consistency: float, seed: int, *instead: AbstractContextManager[object]
) -> Callable[[], None]:
    """A step of a new network. `instead`: what takes the place of our parts while it is built and traced."""
    keras.utils.set_random_seed(seed)
    source, target, right = rows
    length = source.shape[1]
    with ExitStack() as replaced:
        for each in instead:
            replaced.enter_context(each)
        with computing_in("auto"):
            sizes = {**VOCABULARIES, "longest_source": length, "longest_target": length}
            model = translation.transformer(Spec({}, {}, sizes), dropout=0.15)
        model.compile(
            keras.optimizers.Adam(1e-3, global_clipnorm=1.0), Tokens(SMOOTHING, consistency), jit_compile=False
        )
        batch = {"source": source, "target": target}
        model.train_on_batch(batch, right)
    return lambda: model.train_on_batch(batch, right)


def counted(name: str, step: Callable[[], None], processor: dict[str, list[float]]) -> Callable[[], None]:
    def run() -> None:
        started = time.process_time()
        step()
        processor.setdefault(name, []).append(time.process_time() - started)

    return run


def by_operations(smoothing: float, consistency: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """`loss_of_twins` as its definition says it, each line an operation on all logits."""

    def loss(logits: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        count = logits.shape[-1]
        flat = losses._crossentropy(tf.reshape(logits, (-1, count)), tf.reshape(words, (-1,)), smoothing)
        logs = tf.nn.log_softmax(logits)
        apart = tf.reduce_sum((tf.exp(logs[0]) - tf.exp(logs[1])) * (logs[0] - logs[1]), axis=-1)
        return tf.reshape(flat, tf.shape(words)) + consistency / 4 * apart

    return loss


if __name__ == "__main__":
    main()
