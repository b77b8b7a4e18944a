"""How many pieces does a translator hesitate between, at each place of a translation that a person wrote?"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from scipy.special import logsumexp

from dlkit.contracts import Examples
from dlkit.data.batches import Batches

MOST_NATS = 50.0


def perplexity(model: keras.Model, examples: Examples) -> float:
    """The exponential of the mean negative log-likelihood of a piece of the references (their ends among them), each
    given those before it. `examples`: encoded, with the ids of the targets.
    """
    total = count = 0.0
    batches: Any = Batches(examples, 64, by_length=True)
    for inputs, targets in batches:
        logits = np.asarray(model.predict_on_batch(inputs), np.float64)
        chances = logits - logsumexp(logits, axis=-1, keepdims=True)
        right = np.take_along_axis(chances, targets[..., np.newaxis], axis=-1)[..., 0]
        total -= float(right[targets > 0].sum())
        count += float((targets > 0).sum())
    return math.exp(min(total / count, MOST_NATS))
