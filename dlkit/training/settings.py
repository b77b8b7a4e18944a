"""Which settings steer a training?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

from dlkit.data.augmentation import check as check_augmentation
from dlkit.errors import SettingsError, did_you_mean
from dlkit.training.precision import Precision


@dataclass(frozen=True)
class Training:
    """`epochs`: passes over the training rows, at most. `learning_rate`: the optimizer's, or the start of its schedule.

    `schedule`: "cosine" lets the learning rate fall to 0 over all epochs (Loshchilov & Hutter 2017, eq. 5).
    `weight_decay`: decoupled, per step, of optimizer "adamw" (Loshchilov & Hutter 2019). `patience`: stop when the
    validation loss has not fallen for so many epochs (None: never); the weights of the best epoch are kept.
    `keep`: "best" epoch's weights or the "last". `refit`: after the best epoch is known, train anew on training and
    validation rows together for so many epochs. `folds`: k of a k-fold validation that goes before (0: none).
    `steps_per_execution`: batches in one call of the compiled step. `length_bucketing`: rows of like length share a
    batch, so that recurrent networks do not read padding. `momentum`: of optimizer "sgd". `tensorboard`: also write
    logs into the run. `augment`: random changes to pictures, see `data.augmentation`; features of a frozen backbone are
    then computed in every epoch, not once. `balance`: rare classes come as often as the largest, as mere copies of
    their rows unless `augment` changes these. `precision`: "mixed_bfloat16" computes in 16 bits and keeps weights in
    32, quicker on processors that have such units; "auto" does so where this machine has them; exports are float32 all
    the same.
    `warmup`: share of all steps in which schedule "one_cycle" rises from a twentieth of the learning rate to it, before
    it falls to 0 (Smith & Topin 2018), and "inverse_sqrt" from 0, before it falls with the root of the steps (Vaswani
    et al. 2017, eq. 3). `batch_tokens`: ragged rows of like length share a batch, as many as have so many tokens with
    padding (0: batches of `batch_size` rows). `clip`: longest gradient, of all weights together; a longer one is
    shortened to it (Pascanu et al. 2013; 0: none is). `beta_2`: of optimizers "adam", "fused_adam" and "adamw".
    `average`: what is judged and kept is a moving mean of the weights over about so many epochs, a tenth of them
    all at most, so that next to nothing of the first weights is in it (0: none; Polyak & Juditsky 1992).
    `consistency`: of translators: every row is read twice in a batch, and so much of what the two answers differ
    in, which dropout alone makes, is added to the loss (R-Drop, Liang et al. 2021, eq. 4; 0: none, theirs have 5).
    `batch_tokens` counts both.
    `optimizer`: "fused_adam" is Adam with one operation for each weight, for small networks whose steps are many.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: Literal["adam", "fused_adam", "adamw", "rmsprop", "sgd"] = "adam"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine", "one_cycle", "inverse_sqrt"] = "constant"
    warmup: float = 0.2
    weight_decay: float = 0.0
    patience: int | None = None
    keep: Literal["best", "last"] = "best"
    refit: bool = False
    folds: int = 0
    steps_per_execution: int = 1
    length_bucketing: bool = False
    momentum: float = 0.0
    nesterov: bool = False
    augment: tuple[str, ...] = ()
    balance: bool = False
    precision: Precision = "float32"
    batch_tokens: int = 0
    clip: float = 0.0
    beta_2: float = 0.999
    average: float = 0.0
    consistency: float = 0.0
    tensorboard: bool = True

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if get_origin(kind) is Literal and value not in get_args(kind):
                raise SettingsError(f"training.{name}: unknown {value!r}.{did_you_mean(str(value), get_args(kind))}")
        at_least = {
            "epochs": 1,
            "batch_size": 1,
            "folds": 0,
            "steps_per_execution": 1,
            "patience": 1,
            "weight_decay": 0,
            "batch_tokens": 0,
            "clip": 0,
            "average": 0,
            "consistency": 0,
        }
        for name, least in at_least.items():
            value = getattr(self, name)
            if value is not None and not least <= value < float("inf"):
                raise SettingsError(f"training.{name}: expected {least} or more, got {value}.")
        if not 0 < self.learning_rate < float("inf"):
            raise SettingsError(f"training.learning_rate: expected a number above 0, got {self.learning_rate}.")
        if self.folds == 1:
            raise SettingsError("training.folds: expected 0 (none) or at least 2, got 1.")
        if not 0 <= self.momentum < 1:
            raise SettingsError(f"training.momentum: expected a number in [0, 1), got {self.momentum}.")
        if self.momentum and self.optimizer != "sgd":
            raise SettingsError(f"training.momentum needs training.optimizer=sgd, got {self.optimizer}.")
        if self.nesterov and not self.momentum:
            raise SettingsError("training.nesterov needs training.momentum above 0, such as 0.9.")
        if self.weight_decay and self.optimizer not in ("adamw", "sgd"):
            raise SettingsError(f"training.weight_decay needs training.optimizer=adamw or sgd, got {self.optimizer}.")
        if not 0 <= self.beta_2 < 1:
            raise SettingsError(f"training.beta_2: expected a number in [0, 1), got {self.beta_2}.")
        if not 0 <= self.warmup < 1:
            raise SettingsError(f"training.warmup: expected a share in [0, 1), got {self.warmup}.")
        check_augmentation(self.augment)
