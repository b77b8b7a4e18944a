"""How long is a training step of a variational autoencoder: as keras.io writes it, and by the recipe?

    DLKIT_DATA=DIR python benchmarks/vae_training.py [--rows N] [--rounds N] [--batch N…] [--models NAME…] [--seed N]

The same networks on the same MNIST pictures by the same Adam, in batches of the same size: the recipe's `mlp` (Burda et
al. 2016) and its `convolutional` one.

* keras.io: a subclass of `keras.Model` with its own `train_step` and three trackers as in keras.io's example of a
  convolutional VAE (F. Chollet 2020), float32 arrays in memory, `fit(x, batch_size=…)` with its defaults.
* dlkit: the recipe's model and settings: one operation for an update, several steps a call, pictures scaled and drawn
  black or white in the pipeline, 16 bits where the recipe asks for them and the machine has them.
* dlkit, grey: the same without drawing, as keras.io has it.

32 is what `fit` takes where nothing is said; 128 is keras.io's. An epoch of each in every round, in one process; the
first, in which the step is traced, is left out. Processor time is of both cores, the one to look at where the machine
does other work too. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from measuring import in_rounds, machine

from dlkit import catalog
from dlkit.contracts import Examples, Spec, Split
from dlkit.data import builders
from dlkit.data.batches import Batches
from dlkit.generation import Generation
from dlkit.models.latent_layers import VariationalAutoencoder
from dlkit.preprocessing.latents import LatentRows
from dlkit.training.optimizers import FusedAdam
from dlkit.training.precision import computing_in

TARGET = 2.0
MODELS = ("mlp", "convolutional")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=25_600, help="training pictures")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each that are counted")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128], help="pictures in a batch")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "DLKIT_DATA" not in os.environ:
        parser.error("set DLKIT_DATA to a folder that holds mnist/")
    keras.utils.set_random_seed(options.seed)
    folder = Path(os.environ["DLKIT_DATA"]).expanduser().resolve() / "mnist"
    train = builders.load("mnist", path=folder, allow_download=False).splits["train"]
    train = train.take(np.random.default_rng(options.seed).permutation(len(train))[: options.rows])
    found = {
        f"{name}, batches of {size}": measured(name, size, train, options.rounds)
        for size in options.batch
        for name in options.models
    }
    print(json.dumps({**found, "target": TARGET, "rows": options.rows, "machine": machine()}, indent=1))


def measured(name: str, size: int, train: Split, rounds: int) -> dict[str, object]:
    """Milliseconds a step of each contender, by the clock and of processor time, and how much longer keras.io's is."""
    epochs = {
        "keras.io": keras_io(name, size, train.inputs["image"]),
        "dlkit": dlkit(name, size, train),
        "dlkit, grey": dlkit(name, size, train, binarise="none"),
    }
    processor: dict[str, list[float]] = {who: [] for who in epochs}

    def timed(who: str, epoch: Callable[[], object]) -> None:
        before = time.process_time()
        epoch()
        processor[who].append(time.process_time() - before)

    by_clock = in_rounds({who: partial(timed, who, epoch) for who, epoch in epochs.items()}, rounds)
    steps = math.ceil(len(train) / size)
    found: dict[str, object] = {}
    for what, seconds in (("", by_clock), ("processor_", {who: values[1:] for who, values in processor.items()})):
        each = {who: statistics.median(values) / steps * 1e3 for who, values in seconds.items()}
        found[f"{what}ms_per_step"] = {who: round(value, 2) for who, value in each.items()}
        found[f"{what}ratio_to_keras_io"] = {who: round(each["keras.io"] / value, 2) for who, value in each.items()}
    return found


def dlkit(name: str, size: int, train: Split, **preprocessing: Any) -> Callable[[], object]:
    """An epoch as `dlkit.training.fit` runs it."""
    recipe = catalog.load(catalog.entry("vae")).with_model(name)
    task, settings = recipe.task, recipe.training
    assert isinstance(task, Generation)
    assert isinstance(recipe.preprocessing, LatentRows)
    asked = replace(recipe.preprocessing, **preprocessing)
    transform = asked.fit(train, {"image": "image"})
    answer = task.completed(task.fit(train, "label"), transform)
    examples = Examples(asked.examples(transform, train).inputs)
    with computing_in(settings.precision):
        model = recipe.build(Spec(transform.tensors, task.heads(answer), transform.sizes, transform.tables))
    assert isinstance(model, VariationalAutoencoder)
    assert settings.optimizer == "fused_adam"
    model.compile(FusedAdam(1e-3), steps_per_execution=settings.steps_per_execution, jit_compile=False)
    batches = Batches(examples, size, seed=0)

    def epoch() -> None:
        model.fit(batches.dataset(), shuffle=False, verbose=0)
        batches.epoch += 1

    return epoch


def keras_io(name: str, size: int, pixels: np.ndarray) -> Callable[[], object]:
    """An epoch of keras.io's script with the recipe's network."""
    model = KerasIoVAE(*(mlp() if name == "mlp" else convolutional()))
    model.compile(optimizer=keras.optimizers.Adam())
    rows = pixels.astype("float32") / 255
    return lambda: model.fit(rows, batch_size=size, verbose=0)


class Sampling(keras.layers.Layer):
    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs: tuple[keras.KerasTensor, keras.KerasTensor]) -> keras.KerasTensor:
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(shape=ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


def read(inputs: keras.KerasTensor, features: keras.KerasTensor) -> keras.Model:
    z_mean = keras.layers.Dense(50, name="z_mean")(features)
    z_log_var = keras.layers.Dense(50, name="z_log_var")(features)
    return keras.Model(inputs, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])], name="encoder")


def mlp() -> tuple[keras.Model, keras.Model]:
    inputs, codes = keras.Input((28, 28, 1)), keras.Input((50,))
    features, back = keras.layers.Flatten()(inputs), codes
    for _ in range(2):
        features = keras.layers.Dense(200, activation="tanh")(features)
        back = keras.layers.Dense(200, activation="tanh")(back)
    back = keras.layers.Dense(784, activation="sigmoid")(back)
    return read(inputs, features), keras.Model(codes, keras.layers.Reshape((28, 28, 1))(back), name="decoder")


def convolutional() -> tuple[keras.Model, keras.Model]:
    inputs, codes = keras.Input((28, 28, 1)), keras.Input((50,))
    maps = keras.layers.Conv2D(32, 3, activation="elu", strides=2, padding="same")(inputs)
    maps = keras.layers.Conv2D(64, 3, activation="elu", strides=2, padding="same")(maps)
    features = keras.layers.Dense(256, activation="elu")(keras.layers.Flatten()(maps))
    back = keras.layers.Dense(256, activation="elu")(codes)
    back = keras.layers.Dense(7 * 7 * 64, activation="elu")(back)
    back = keras.layers.Reshape((7, 7, 64))(back)
    back = keras.layers.Conv2DTranspose(32, 3, activation="elu", strides=2, padding="same")(back)
    back = keras.layers.Conv2DTranspose(1, 3, activation="sigmoid", strides=2, padding="same")(back)
    return read(inputs, features), keras.Model(codes, back, name="decoder")


class KerasIoVAE(keras.Model):
    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.reconstruction_loss_tracker = keras.metrics.Mean(name="reconstruction_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.total_loss_tracker, self.reconstruction_loss_tracker, self.kl_loss_tracker]

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            z_mean, z_log_var, z = self.encoder(data)
            reconstruction = self.decoder(z)
            reconstruction_loss = ops.mean(
                ops.sum(keras.losses.binary_crossentropy(data, reconstruction), axis=(1, 2)),
            )
            kl_loss = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
            kl_loss = ops.mean(ops.sum(kl_loss, axis=1))
            total_loss = reconstruction_loss + kl_loss
        grads = tape.gradient(total_loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(total_loss)
        self.reconstruction_loss_tracker.update_state(reconstruction_loss)
        self.kl_loss_tracker.update_state(kl_loss)
        return {
            "loss": self.total_loss_tracker.result(),
            "reconstruction_loss": self.reconstruction_loss_tracker.result(),
            "kl_loss": self.kl_loss_tracker.result(),
        }


if __name__ == "__main__":
    main()
