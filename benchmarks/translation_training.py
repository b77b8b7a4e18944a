"""How many words a second does a Transformer learn from: as the Keras example trains it, and by the recipe?

    DLKIT_DATA=DIR python benchmarks/translation_training.py [--rows N] [--rounds N] [--seed N] [--sample]

Ways to train an encoder and a decoder of the recipe's sizes (blocks, width, heads, feed-forward units, vocabulary) on
the same pairs of sentences; a target piece that is no padding counts as a word:

* keras.io: layers and compile arguments of the example "English-to-Spanish translation with a sequence-to-sequence
  Transformer" (F. Chollet, 2021): learned positions, `MultiHeadAttention` with `key_dim` the whole width, softmax in
  the network, RMSprop, an accuracy. Arrays padded to the longest row, `fit` with its defaults.
* keras.io, 20 pieces: the same with rows cut to the example's 20 pieces and its batches of 64: less padding, but what
  is cut off is never learnt.
* dlkit, 32 bits: the recipe's network, loss, optimizer and batches, computed in 32 bits.
* dlkit: the recipe as it is.

An epoch of each in every round, in one process; the first, in which the step is traced, is left out. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops
from measuring import in_rounds, machine

from dlkit import catalog, pipeline
from dlkit.contracts import Examples, Ragged, Spec, take
from dlkit.data.batches import Batches
from dlkit.training.fit import compile_model
from dlkit.training.precision import Precision, computing_in

TARGET = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=4_000, help="training pairs")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each that are counted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", action="store_true", help="generated pairs, for a try without data")
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    recipe = catalog.load(catalog.entry("transformer"))
    splits = recipe.data.load("sample" if options.sample else None, say=lambda _: None, allow_download=False)
    prepared = pipeline.prepare(recipe, splits)
    some = np.random.default_rng(options.seed).permutation(len(splits.train))[: options.rows]
    raw = recipe.preprocessing.examples(prepared.transform, splits.train.take(some))
    examples, everything = prepared.encoded(raw), np.arange(len(some))
    rows = [examples.inputs["source"], examples.inputs["target"], examples.targets]
    padded = [take(column, everything) for column in rows if isinstance(column, Ragged)]
    longest, short = max(column.shape[1] for column in padded), [column[:, :20] for column in padded]
    network = network_of(prepared, recipe.training.precision)
    sizes, spec = network.options, prepared.spec
    processor: dict[str, list[float]] = {}
    epochs = {
        "keras.io": example(padded, spec, sizes, batch_size=32),
        "keras.io, 20 pieces": example(short, spec, sizes, batch_size=64),
        "dlkit, 32 bits": of_recipe(network_of(prepared, "float32"), prepared, examples, options.seed),
        "dlkit": of_recipe(network, prepared, examples, options.seed),
    }
    words = {name: int(((short if "20" in name else padded)[2] > 0).sum()) for name in epochs}
    seconds = in_rounds({name: counted(name, epoch, processor) for name, epoch in epochs.items()}, options.rounds)
    document = {
        **compared("words_per_second", words, seconds),
        **compared("words_per_processor_second", words, {name: each[1:] for name, each in processor.items()}),
        "target": TARGET, "rows": len(some), "longest": longest, "sizes": dict(sizes), "sample": splits.sample,
        "vocabulary": prepared.spec.sizes["target_vocabulary"], "seed": options.seed,
        "machine": machine(),
    }  # fmt: skip
    print(json.dumps(document, indent=1))


def compared(what: str, words: dict[str, int], seconds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Medians over the rounds, and the recipe's over each of them."""
    rates = {name: words[name] / statistics.median(each) for name, each in seconds.items()}
    return {
        what: {name: round(rate) for name, rate in rates.items()},
        f"ratio_of_{what}": {name: round(rates["dlkit"] / rate, 2) for name, rate in rates.items()},
    }


def counted(name: str, epoch: Callable[[], object], processor: dict[str, list[float]]) -> Callable[[], None]:
    """An epoch that also notes its processor seconds: by the clock, what else the machine does counts as well."""

    def run() -> None:
        started = time.process_time()
        epoch()
        processor.setdefault(name, []).append(time.process_time() - started)

    return run


def network_of(prepared: pipeline.Prepared, precision: Precision) -> keras.Model:
    with computing_in(precision):
        model = prepared.recipe.build(prepared.spec)
    assert isinstance(model, keras.Model)
    return model


def of_recipe(model: keras.Model, prepared: pipeline.Prepared, examples: Examples, seed: int) -> Callable[[], object]:
    """An epoch as `dlkit.training.fit` runs it."""
    settings = prepared.recipe.training
    batches = Batches(
        examples, settings.batch_size, seed=seed, by_length=settings.length_bucketing, tokens=settings.batch_tokens
    )
    compile_model(model, prepared.objective, settings, epoch=len(batches))

    def epoch() -> None:
        model.fit(batches.dataset(), shuffle=False, verbose=0)
        batches.epoch += 1

    return epoch


def example(padded: list[np.ndarray], spec: Spec, sizes: Mapping[str, Any], *, batch_size: int) -> Callable[[], object]:
    """An epoch of the Keras example. `padded`: ids of source, target in and target out."""
    source, begun, target = padded
    words, width, heads = spec.sizes["target_vocabulary"] + 1, sizes["width"], sizes["heads"]
    length = max(source.shape[1], target.shape[1])
    inputs = [keras.Input((None,), dtype="int32") for _ in range(2)]
    read = PositionalEmbedding(length, words, width)(inputs[0])
    for _ in range(sizes["encoders"]):
        read = TransformerEncoder(width, sizes["intermediate"], heads)(read)
    written = PositionalEmbedding(length, words, width)(inputs[1])
    for _ in range(sizes["decoders"]):
        written = TransformerDecoder(width, sizes["intermediate"], heads)(written, read)
    answers = layers.Dense(words, activation="softmax")(layers.Dropout(0.5)(written))
    model = keras.Model(inputs, answers)
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda: model.fit([source, begun], target, batch_size=batch_size, verbose=0)


class PositionalEmbedding(layers.Layer):
    """Learned vectors of words and of their places."""

    def __init__(self, length: int, words: int, width: int) -> None:
        super().__init__()
        self.words, self.places = layers.Embedding(words, width), layers.Embedding(length, width)

    def call(self, ids: keras.KerasTensor) -> keras.KerasTensor:
        return self.words(ids) + self.places(ops.arange(ops.shape(ids)[-1]))

    def compute_mask(self, ids: keras.KerasTensor, mask: keras.KerasTensor | None = None) -> keras.KerasTensor:  # noqa: ARG002 (Keras' signature)
        return ops.not_equal(ids, 0)


class Sums(layers.Layer):
    """What both blocks of the example share."""

    def __init__(self, width: int, intermediate: int, heads: int, *, attentions: int) -> None:
        super().__init__()
        self.supports_masking = True
        self.attentions = [layers.MultiHeadAttention(heads, width) for _ in range(attentions)]
        self.dense = keras.Sequential([layers.Dense(intermediate, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization() for _ in range(attentions + 1)]


class TransformerEncoder(Sums):
    """Self-attention and a feed-forward part, each normalised after its sum."""

    def __init__(self, width: int, intermediate: int, heads: int) -> None:
        super().__init__(width, intermediate, heads, attentions=1)

    def call(self, read: keras.KerasTensor, mask: keras.KerasTensor | None = None) -> keras.KerasTensor:
        padding = None if mask is None else ops.cast(ops.expand_dims(mask, 1), "int32")
        read = self.norms[0](read + self.attentions[0](read, read, attention_mask=padding))
        return self.norms[1](read + self.dense(read))


class TransformerDecoder(Sums):
    """Self-attention, attention on the source and a feed-forward part, each normalised after its sum."""

    def __init__(self, width: int, intermediate: int, heads: int) -> None:
        super().__init__(width, intermediate, heads, attentions=2)

    def call(self, written: keras.KerasTensor, read: keras.KerasTensor) -> keras.KerasTensor:
        places = ops.arange(ops.shape(written)[1])
        causal = ops.cast(ops.expand_dims(places, 1) >= places, "int32")
        causal = ops.tile(ops.expand_dims(causal, 0), (ops.shape(written)[0], 1, 1))
        written = self.norms[0](written + self.attentions[0](written, written, attention_mask=causal))
        written = self.norms[1](written + self.attentions[1](written, read))
        return self.norms[2](written + self.dense(written))


if __name__ == "__main__":
    main()
