"""How likely are held-out rows to a latent model, and how many units of its code does it use?

All likelihoods are in nats a row, of the rows as they are given: how they were binarised is part of the figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from scipy.special import logsumexp

from dlkit.contracts import Examples, Rows, Tensor, take
from dlkit.errors import TrainingError
from dlkit.evaluation.rows import evenly
from dlkit.models.autoencoder_layers import MaskingNoise, divergence
from dlkit.models.latent_layers import LatentModel
from dlkit.training.fit import outputs

ACTIVE = 0.01
"""A unit is active where its mean varies by more than this over the rows (Burda et al. 2016, section 5.2)."""
LABEL = "label"
ELBO_SAMPLES = 4
_AT_ONCE = 2_000
"""Codes that are decoded together: larger parts leave the processor's cache."""

Inputs = Mapping[str, np.ndarray | Rows]


class Coder:
    """The parts of a latent model as functions of arrays of any length.

    `tensors`: the model's inputs, the picture or row first; "label" among them where it is told the class.
    """

    def __init__(self, model: LatentModel, tensors: Mapping[str, Tensor]) -> None:
        self.model, self.tensors = model, tensors
        self.name = next(name for name in tensors if name != LABEL)
        given = self._inputs()
        code = {"code": keras.Input((model.latent,), name="code")}
        code |= {name: one for name, one in given.items() if name == LABEL}
        self._encode = keras.Model(_bare(given), model.encode(*given.values())["mean"])
        self._decode = keras.Model(_bare(code), model.decode(*code.values()))

    def codes(self, inputs: Inputs) -> np.ndarray:
        """(rows, units) float32: the mean code of each row."""
        return outputs(self._encode, Examples({name: inputs[name] for name in self.tensors}))

    def classes(self, inputs: Inputs) -> np.ndarray:
        """(rows,) numbers of the classes that a joint model sees in the codes."""
        given = self._inputs()
        classify = keras.Model(_bare(given), self.model.classify(*given.values()))
        return outputs(classify, Examples({name: inputs[name] for name in self.tensors})).argmax(axis=1)

    def decode(self, codes: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """(rows, units) codes, and (rows,) int32 classes of a model that is told them, to (rows, ...) float32."""
        with_label = {} if labels is None else {LABEL: labels}
        return outputs(self._decode, Examples({"code": np.asarray(codes, np.float32), **with_label}))

    def again(self, inputs: Inputs) -> np.ndarray:
        """(rows, ...) float32: the reconstruction of each row from its mean code."""
        label = inputs.get(LABEL)
        return self.decode(self.codes(inputs), None if label is None else take(label, np.arange(len(label))))

    def weights(self, samples: int) -> keras.Model:
        """Of each row: log p(x|z) of so many codes z from q(z|x), log p(x,z) / q(z|x), and KL(q(z|x) || p(z)).

        Inputs as the model's, and "noise" (samples, units), standard normal. The 2 pi of prior and posterior cancel.
        """
        model, given = self.model, self._inputs()
        noise = keras.Input((samples, model.latent), name="noise")
        found = model.encode(*given.values())
        mean, log_variance = found["mean"][:, None], found["log_variance"][:, None]
        codes = mean + ops.exp(0.5 * log_variance) * noise
        label = [ops.tile(given[LABEL], (samples,))] if LABEL in given else []
        raw = model.logits(ops.reshape(ops.swapaxes(codes, 0, 1), (-1, model.latent)), *label)
        raw = ops.reshape(raw, (samples, -1, *self.tensors[self.name].shape))
        likelihood = ops.transpose(model.log_likelihood(given[self.name], raw))
        ratio = 0.5 * ops.sum(ops.square(noise) + log_variance - ops.square(codes), axis=-1)
        kl = ops.sum(divergence(found["mean"], found["log_variance"]), axis=-1)
        return keras.Model({**given, "noise": noise}, [likelihood, likelihood + ratio, kl])

    def _inputs(self) -> dict[str, keras.KerasTensor]:
        return {name: keras.Input(one.shape, name=name, dtype=one.dtype) for name, one in self.tensors.items()}


def _bare(inputs: dict[str, keras.KerasTensor]) -> object:
    """Inputs as `Batches` hands them over: one alone without its name."""
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))


def corrupted(model: LatentModel, rows: np.ndarray, *, seed: int) -> np.ndarray | None:
    """Rows with the noise that a denoising model sees in training; None of another model."""
    random = np.random.default_rng(seed)
    for layer in model.encoder.layers:
        if isinstance(layer, keras.layers.GaussianNoise):
            return rows + np.float32(layer.stddev) * random.standard_normal(rows.shape, np.float32)
        if isinstance(layer, MaskingNoise):
            return np.where(random.random(rows.shape, np.float32) < layer.rate, np.float32(0), rows)
    return None


@dataclass(frozen=True)
class Bounds:
    """Nats, (rows,) float64 each. `reconstruction`: -E log p(x|z) over q(z|x); `kl`: KL(q(z|x) || p(z)); `nll`:
    -log p(x) by importance weights, which lies below `reconstruction` + `kl` for many samples.
    """

    reconstruction: np.ndarray
    kl: np.ndarray
    nll: np.ndarray

    @property
    def elbo(self) -> np.ndarray:
        return -(self.reconstruction + self.kl)


def bounds(coder: Coder, inputs: Inputs, *, samples: int, seed: int) -> Bounds:
    """The bounds of each row from `samples` codes of it: -log 1/K sum p(x,z) / q(z|x) (Burda et al. 2016, eq. 8)."""
    weights, random = coder.weights(samples), np.random.default_rng(seed)
    rows, step = len(inputs[coder.name]), max(1, _AT_ONCE // samples)
    parts = []
    for start in range(0, rows, step):
        some = np.arange(start, min(start + step, rows))
        noise = random.standard_normal((len(some), samples, coder.model.latent), np.float32)
        batch = {name: take(inputs[name], some) for name in coder.tensors}
        likelihood, log_weights, kl = (
            np.asarray(part, np.float64) for part in weights.predict_on_batch({**batch, "noise": noise})
        )
        parts.append((-likelihood.mean(axis=1), kl, math.log(samples) - logsumexp(log_weights, axis=1)))
    return Bounds(*(np.concatenate(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Likelihood:
    """Means over held-out rows, nats a row. `nll_error`: standard error of judging only `nll_rows` with all samples."""

    elbo: float
    reconstruction: float
    kl: float
    nll: float
    nll_error: float
    nll_rows: int
    samples: int

    @property
    def figures(self) -> dict[str, float]:
        return {"elbo": self.elbo, "nll": self.nll, "reconstruction": self.reconstruction, "kl": self.kl}

    @property
    def protocol(self) -> dict[str, float]:
        return {"samples": self.samples, "nll_rows": self.nll_rows, "nll_error": self.nll_error}


def likelihood(coder: Coder, inputs: Inputs, *, samples: int, rows: int, seed: int) -> Likelihood:
    """Bound and likelihood of held-out rows.

    `rows`: at most so many, evenly over all, are judged with all samples. The likelihood of fewer rows than there are
    is that of all: the bound of every row, and from the few how far it lies below the likelihood, which differs far
    less from row to row.
    """
    every = len(inputs[coder.name])
    few = evenly(every, rows)
    close = bounds(coder, {name: take(inputs[name], few) for name in coder.tensors}, samples=samples, seed=seed)
    whole = close if len(few) == every else bounds(coder, inputs, samples=min(samples, ELBO_SAMPLES), seed=seed)
    gap = -close.elbo - close.nll
    found = Likelihood(
        elbo=float(whole.elbo.mean()),
        reconstruction=float(whole.reconstruction.mean()),
        kl=float(whole.kl.mean()),
        nll=float(-whole.elbo.mean() - gap.mean()),
        nll_error=0.0 if len(few) == every else float(gap.std() / math.sqrt(len(few))),
        nll_rows=len(few),
        samples=samples,
    )
    if not all(map(math.isfinite, found.figures.values())):
        raise TrainingError(
            "The bound of the test rows is NaN or infinite. Lower training.learning_rate, or look for extreme values "
            "in the inputs."
        )
    return found


def spread(codes: np.ndarray) -> np.ndarray:
    """(units,) variance of each unit's mean over the rows: above `ACTIVE` it says something of its row."""
    return np.asarray(codes.var(axis=0, dtype=np.float64))
