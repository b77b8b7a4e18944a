"""Which models and layers learn a latent code and give back what it stands for?

`Autoencoder` and `VariationalAutoencoder` join an encoder and a decoder, two functional networks, by an own
`train_step` and `test_step`. Both are called on pictures (batch, height, width, channels) float32 in [0, 1] or on
standardised rows (batch, features), and a conditional one on {"image" or "row": …, "label": (batch,) int32}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Literal

import keras
from keras import ops

from dlkit.models.autoencoder_layers import divergence
from dlkit.models.latent_codes import Sampling, bernoulli, joint_bound, log_ratio, sampled
from dlkit.models.options import KL_APART, check_bound

Likelihood = Literal["bernoulli", "gaussian"]
"""Of a number, given the decoder's output: a pixel's chance to be white by its logit, or a normal distribution around
it, of standard deviation `noise`."""


@keras.saving.register_keras_serializable("dlkit")
class TiedDense(keras.layers.Layer):
    """A dense layer whose kernel is that of one of the encoder's dense layers, transposed; only its bias is its own.

    (batch, units of that layer) to (batch, `units`). `of`: which one, 0 is the encoder's last. `tie` gives it the
    kernel, before it is first called on numbers.
    """

    def __init__(self, units: int, *, of: int, activation: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.of = units, of
        self.activation = keras.activations.get(activation)
        self.kernel: Callable[[], Any]

    def build(self, code_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002 (the kernel is another layer's)
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, code: Any) -> Any:
        kernel = ops.cast(self.kernel(), code.dtype)
        return self.activation(ops.matmul(code, ops.transpose(kernel)) + self.bias)

    def compute_output_spec(self, code: Any) -> keras.KerasTensor:
        return keras.KerasTensor((*code.shape[:-1], self.units), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "of": self.of, "activation": keras.activations.serialize(self.activation)}
        return super().get_config() | own


def tie(encoder: keras.Model, decoder: keras.Model) -> None:
    """Give each `TiedDense` of the decoder the kernel of its layer in the encoder."""
    kernels = [layer for layer in reversed(encoder.layers) if isinstance(layer, keras.layers.Dense)]
    for layer in decoder.layers:
        if isinstance(layer, TiedDense):
            # A function: Keras would save and count a variable that it sees here a second time.
            layer.kernel = partial(getattr, kernels[layer.of], "kernel")


class LatentModel(keras.Model):
    """An encoder, a decoder, and what every such pair can do.

    `encoder`: a picture or row (and label) to (batch, latent) or, of a variational one, mean and log-variance side by
    side, (batch, 2 latent). `decoder`: (batch, latent) (and label) to logits or values of the input's shape.
    `noise`: see `Likelihood`. `classifier`: code to logits of the classes, trained jointly; its loss counts
    `label_weight` times.
    """

    variational: ClassVar[bool]

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        likelihood: Likelihood = "bernoulli",
        noise: float = 1.0,
        classifier: keras.Model | None = None,
        label_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.classifier: Any = classifier
        self.likelihood, self.noise, self.label_weight = likelihood, noise, label_weight
        self.latent = int(decoder.inputs[0].shape[-1])
        self.conditional = len(decoder.inputs) > 1
        tie(encoder, decoder)
        names = ("loss", "reconstruction", *(("kl",) if self.variational else ()))
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        if classifier is not None:
            self.trackers["accuracy"] = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.trackers.values())

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The reconstruction from the code, of a variational model from its mean: the same at every call."""
        x, label = self.parted(inputs)
        mean, _ = self.read(x, label, training=training)
        return self.likely(self.logits(mean, label, training=training))

    def encode(self, x: Any, label: Any = None) -> dict[str, Any]:
        """The code by "mean" (batch, latent), and of a variational model "log_variance"."""
        mean, log_variance = self.read(x, label)
        return {"mean": mean} | ({} if log_variance is None else {"log_variance": log_variance})

    def decode(self, code: Any, label: Any = None) -> Any:
        """What a code stands for, in [0, 1] or standardised units, (batch, *shape of the input)."""
        return self.likely(self.logits(code, label))

    def reconstruct(self, x: Any, noise: Any = None, label: Any = None) -> Any:
        """`decode` of the code, of a variational model of mean + standard deviation x `noise` (batch, latent)."""
        mean, log_variance = self.read(x, label)
        return self.decode(mean if log_variance is None else sampled(mean, log_variance, noise), label)

    def classify(self, x: Any) -> Any:
        """(batch, classes) probabilities of a joint model, from the code."""
        return ops.softmax(self.classifier(self.read(x)[0], training=False))

    def logits(self, code: Any, label: Any = None, training: bool | None = False) -> Any:
        """The decoder's raw output: logits of pixels, or values."""
        return self.decoder([code, label] if self.conditional else code, training=training)

    def likely(self, raw: Any) -> Any:
        """The mean of the likelihood whose parameter `raw` is."""
        raw = ops.cast(raw, "float32")
        return ops.sigmoid(raw) if self.likelihood == "bernoulli" else raw

    def log_likelihood(self, x: Any, raw: Any) -> Any:
        """How likely `x` is given its codes, in nats, summed over the numbers of a picture or row: (…, batch).

        `raw`, the decoder's output, may have further axes in front of those of `x`.
        """
        raw = ops.cast(raw, "float32")
        if self.likelihood == "bernoulli":
            each = x * raw - ops.softplus(raw)
        else:
            each = -0.5 * ops.square((x - raw) / self.noise) - 0.5 * math.log(2 * math.pi * self.noise**2)
        return ops.sum(each, axis=tuple(range(1 - len(x.shape), 0)))

    def read(self, x: Any, label: Any = None, training: bool | None = False) -> tuple[Any, Any]:
        """Mean and log-variance of the code, each (batch, latent) float32; of a plain autoencoder the code and None."""
        code = ops.cast(self.encoder([x, label] if self.conditional else x, training=training), "float32")
        if not self.variational:
            return code, None
        return code[:, : self.latent], code[:, self.latent :]

    def parted(self, inputs: Any) -> tuple[Any, Any]:
        """The picture or row, and the label of a conditional model (else None)."""
        if not isinstance(inputs, Mapping):
            return inputs, None
        (x,) = (value for name, value in inputs.items() if name != "label")
        return x, inputs["label"]

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss, figures = self.losses_of(data, training=True)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self.tracked(figures)

    def test_step(self, data: Any) -> dict[str, Any]:
        return self.tracked(self.losses_of(data, training=False)[1])

    def losses_of(self, data: Any, *, training: bool) -> tuple[Any, dict[str, Any]]:
        """What is minimised, a scalar, and what is told of each row, by the name of its tracker."""
        raise NotImplementedError

    def label_loss(self, code: Any, data: Any, figures: dict[str, Any], *, training: bool) -> Any:
        """(batch,) weighted cross-entropy of the label that the code predicts, nats; 0 without a classifier."""
        if self.classifier is None:
            return 0.0
        labels = keras.utils.unpack_x_y_sample_weight(data)[1]
        found = ops.cast(self.classifier(code, training=training), "float32")
        figures["accuracy"] = (labels, found)
        return self.label_weight * keras.losses.sparse_categorical_crossentropy(labels, found, from_logits=True)

    def tracked(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        for name, tracker in self.trackers.items():
            found = figures[name]
            tracker.update_state(*(found if isinstance(found, tuple) else (found,)))
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    def get_config(self) -> dict[str, Any]:
        parts = {"encoder": self.encoder, "decoder": self.decoder, "classifier": self.classifier}
        return {
            "name": self.name,
            "likelihood": self.likelihood,
            "noise": self.noise,
            "label_weight": self.label_weight,
            **{
                name: None if part is None else keras.saving.serialize_keras_object(part)
                for name, part in parts.items()
            },
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> LatentModel:
        config = dict(config)
        for name in ("encoder", "decoder", "classifier"):
            part = config.get(name)
            config[name] = None if part is None else keras.saving.deserialize_keras_object(part, custom_objects)
        return cls(**config)


@keras.saving.register_keras_serializable("dlkit")
class Autoencoder(LatentModel):
    """A code narrow, sparse or smooth enough that it cannot hold everything (Goodfellow et al. 2016, chapter 14).

    It minimises the squared error of the reconstruction, a mean over the numbers of a picture or row, and the penalties
    that layers of the encoder add.
    """

    variational = False

    def losses_of(self, data: Any, *, training: bool) -> tuple[Any, dict[str, Any]]:
        x, label = self.parted(keras.utils.unpack_x_y_sample_weight(data)[0])
        code, _ = self.read(x, label, training=training)
        error = ops.square(self.likely(self.logits(code, label, training=training)) - x)
        figures = {"reconstruction": ops.mean(error, axis=tuple(range(1, len(x.shape))))}
        rows = figures["reconstruction"] + self.label_loss(code, data, figures, training=training)
        figures["loss"] = rows + sum(self.losses)
        return ops.mean(figures["loss"]), figures


@keras.saving.register_keras_serializable("dlkit")
class VariationalAutoencoder(LatentModel):
    """A code that is a distribution, and a bound on the likelihood of the data (Kingma & Welling 2014).

    It minimises, in nats a row, reconstruction + `beta` x KL, means over `samples` codes of each row (Higgins et al.
    2017). `free_bits`: each unit's KL, a mean over the batch, counts this many nats at least (Kingma et al. 2016, eq.
    15). `warm_up`: weight updates in which the KL's weight rises from 0 in a straight line (Bowman et al. 2016).
    `bound="iwae"`: minus the importance-weighted bound log 1/K sum p(x, z_k) / q(z_k | x), the codes of a row together
    (Burda et al. 2016, eq. 8). `gradient="path"`: the gradient through the codes alone, without the part of the
    encoder's density whose mean is 0: less noise near the optimum (Roeder et al. 2017; of K weights Tucker et al. 2019,
    eq. 8). `resampled`: of the `samples` of a row so many are learned from, drawn by their weights, the others are
    weighed alone: the same gradient on average for a third of the cost (Burda et al. 2016, section 3; 0: all are).

    Reported in training and testing: "reconstruction" and "kl", each a mean over rows in nats, and "loss", in testing
    without `free_bits` and `warm_up`.
    """

    variational = True

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        beta: float = 1.0,
        free_bits: float = 0.0,
        warm_up: int = 0,
        samples: int = 1,
        bound: Literal["elbo", "iwae"] = "elbo",
        gradient: Literal["total", "path"] = "total",
        resampled: int = 0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        weighed = (beta, free_bits, warm_up) != (1.0, 0.0, 0)
        joint = self.classifier is not None
        check_bound(bound, gradient, weighed=weighed, joint=joint, samples=samples, resampled=resampled)
        self.beta, self.free_bits, self.warm_up = beta, free_bits, warm_up
        self.samples, self.bound, self.gradient, self.seed = samples, bound, gradient, seed
        self.resampled = resampled
        self.sampling = Sampling(seed, dtype="float32", name="sampling")

    @property
    def weighs_the_kl(self) -> bool:
        """Whether the KL stands apart in the loss, so that `beta`, `free_bits` and `warm_up` can weigh it."""
        return (self.bound, self.gradient) == KL_APART

    def train_step(self, data: Any) -> dict[str, Any]:
        return super().train_step(data) if self.gradient == "total" else self._path_step(data)

    def losses_of(self, data: Any, *, training: bool) -> tuple[Any, dict[str, Any]]:
        x, label = self.parted(keras.utils.unpack_x_y_sample_weight(data)[0])
        mean, log_variance = self.read(x, label, training=training)
        codes, noise = self.sampling(mean, log_variance, samples=self.samples)
        log_likelihood = self.of_codes(x, codes, label, training=training)
        each = divergence(mean, log_variance)
        figures = {"reconstruction": -ops.mean(log_likelihood, axis=0), "kl": ops.sum(each, axis=-1)}
        if self.bound == "iwae":
            loss = -joint_bound(log_likelihood + log_ratio(codes, noise, log_variance))
        else:
            weight = self.beta
            if training and self.warm_up:
                weight *= ops.minimum(ops.cast(self.optimizer.iterations, "float32") / self.warm_up, 1.0)
            kl = figures["kl"]
            if training and self.free_bits:
                kl = ops.sum(ops.maximum(ops.mean(each, axis=0), self.free_bits))
            loss = figures["reconstruction"] + weight * kl
        figures["loss"] = loss + self.label_loss(codes[0] if training else mean, data, figures, training=training)
        return ops.mean(figures["loss"]), figures

    def _path_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, label = self.parted(keras.utils.unpack_x_y_sample_weight(data)[0])
        with tf.GradientTape() as reading:
            mean, log_variance = self.read(x, label, training=True)
            codes, noise = self.sampling(mean, log_variance, samples=self.samples)
            if self.resampled:
                with reading.stop_recording():
                    log_likelihood = self.of_codes(x, codes, label, training=True)
                    log_weights = log_likelihood + log_ratio(codes, noise, log_variance)
                    drawn = self.sampling.resampled(log_weights, self.resampled)
                # Of each row those that were drawn, and their shares of all weights.
                places = tf.stack([drawn, tf.zeros_like(drawn) + tf.range(tf.shape(mean)[0])], axis=-1)
                codes = tf.gather_nd(codes, places)
        with tf.GradientTape() as writing:
            writing.watch(codes)
            of_these = self.of_codes(x, codes, label, training=True)
            # The same numbers as `noise`, as a function of the codes.
            around = (codes - mean) * tf.exp(-0.5 * log_variance)
            ratios = of_these + log_ratio(codes, around, log_variance)
            if not self.resampled:
                log_likelihood, log_weights = of_these, ratios
            shares = ops.softmax(log_weights, axis=0) if self.bound == "iwae" else ops.ones_like(log_weights)
            each = tf.stop_gradient(shares / ops.sum(shares, axis=0))
            if self.resampled:
                shares, each = tf.gather_nd(shares, places), tf.fill(tf.shape(drawn), 1 / self.resampled)
            loss = -tf.reduce_mean(tf.reduce_sum(each * ratios, axis=0))
        of_codes, *of_decoder = writing.gradient(loss, [codes, *self.decoder.trainable_variables])
        if self.bound == "iwae":
            of_codes *= tf.expand_dims(shares, -1)
        of_encoder = reading.gradient(codes, self.encoder.trainable_variables, output_gradients=of_codes)
        variables = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        self.optimizer.apply_gradients(zip([*of_encoder, *of_decoder], variables, strict=True))
        told = joint_bound(log_weights) if self.bound == "iwae" else tf.reduce_mean(log_weights, axis=0)
        kl = tf.reduce_sum(divergence(mean, log_variance), axis=-1)
        return self.tracked({"loss": -told, "reconstruction": -tf.reduce_mean(log_likelihood, axis=0), "kl": kl})

    def of_codes(self, x: Any, codes: Any, label: Any, *, training: bool) -> Any:
        """How likely `x` is given each of its codes (samples, batch, latent), nats: (samples, batch)."""
        if label is not None:
            label = ops.tile(label, (codes.shape[0],))
        raw = self.logits(ops.reshape(codes, (-1, self.latent)), label, training=training)
        raw = ops.reshape(raw, (codes.shape[0], -1, *x.shape[1:]))
        if training and self.likelihood == "bernoulli" and codes.shape[0] > 1:
            return bernoulli()(ops.cast(x, "float32"), ops.cast(raw, "float32"))
        return self.log_likelihood(x, raw)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "beta": self.beta,
            "free_bits": self.free_bits,
            "warm_up": self.warm_up,
            "samples": self.samples,
            "bound": self.bound,
            "gradient": self.gradient,
            "resampled": self.resampled,
            "seed": self.seed,
        }
