"""Which courses of the learning rate does Keras not have?"""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("dlkit")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Up in a straight line from a twentieth of `peak`, then down in a straight line to 0 (Smith & Topin 2018).

    `steps`: all weight updates. `warmup`: share of them in which it rises.
    """

    def __init__(self, peak: float, steps: int, warmup: float = 0.2) -> None:
        super().__init__()
        self.peak, self.steps, self.warmup = peak, steps, warmup

    def __call__(self, step: object) -> keras.KerasTensor:
        done = ops.cast(step, "float32") / max(self.steps, 1)
        falling = (1 - done) / (1 - self.warmup)
        if not self.warmup:
            return self.peak * ops.clip(falling, 0, 1)
        return self.peak * ops.clip(ops.minimum(0.05 + 0.95 * done / self.warmup, falling), 0, 1)

    def get_config(self) -> dict[str, float]:
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}


@keras.saving.register_keras_serializable("dlkit")
class InverseSqrt(OneCycle):
    """Up in a straight line from 0 to `peak`, then down with the root of the steps (Vaswani et al. 2017, eq. 3)."""

    def __call__(self, step: object) -> keras.KerasTensor:
        rising = max(self.warmup * self.steps, 1.0)
        done = (ops.cast(step, "float32") + 1) / rising
        return self.peak * ops.minimum(done, ops.rsqrt(done))
