"""How is one network trained on one set of rows?"""

from __future__ import annotations

import contextlib
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from dlkit.contracts import Examples
from dlkit.data.batches import Batches
from dlkit.errors import NothingTrainedError, SettingsError, TrainingError
from dlkit.models import backbones
from dlkit.models.layers import side_by_side
from dlkit.training import checkpoints
from dlkit.training.averaging import averaged
from dlkit.training.checkpoints import State
from dlkit.training.losses import named
from dlkit.training.optimizers import FusedAdam
from dlkit.training.precision import computing_in
from dlkit.training.schedules import InverseSqrt, OneCycle
from dlkit.training.settings import Training

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """A trained network. `history`: a row an epoch with "epoch", "loss", …, "val_loss", …, "seconds".

    `steps`: how often the weights were changed. `interrupted`: stopped by the user; `model` then has the best weights
    up to there.
    """

    model: keras.Model
    history: list[dict[str, float]]
    best_epoch: int
    untrained_loss: float | None
    interrupted: bool = False
    steps: int = 0


@dataclass(frozen=True)
class Objective:
    """What is minimised and watched: a Keras loss (None where the model adds its own) and metrics by name.

    `class_weight`: class number to the weight of its rows in the training loss; the validation loss has none.
    `loss_weights`: of the losses of several outputs, by their names.
    """

    loss: object
    metrics: list[str] | Mapping[str, list[str]]
    class_weight: Mapping[int, float] | None = None
    loss_weights: Mapping[str, float] | None = None


def fit(
    build: Callable[[], keras.Model],
    train: Examples,
    validation: Examples | None,
    *,
    objective: Objective,
    settings: Training,
    seed: int,
    say: Say,
    checkpoint: Path | None = None,
    logs: Path | None = None,
) -> Trained:
    """Train the network that `build` makes, from its first weights or from the checkpoint in `checkpoint`.

    The same seed, rows and settings give the same weights, bit for bit, on the same machine. Raises TrainingError
    when the loss is not finite, NothingTrainedError when the user interrupts before the first epoch is done.
    """
    with seeded(seed), warnings.catch_warnings():
        # The last value again, as a network, has none.
        warnings.filterwarnings("ignore", "The model does not have any trainable weights")
        with computing_in(settings.precision):
            whole = model = build()
        if settings.augment and backbones.learns_on_features(model):
            say("training.augment changes the pictures: features of the frozen backbone are computed in every epoch")
        elif backbones.learns_on_features(model):
            say("features of the frozen backbone are computed once")
            features = backbones.frozen_features(model)
            train = Examples({"features": outputs(features, train)}, train.targets)
            if validation is not None:
                validation = Examples({"features": outputs(features, validation)}, validation.targets)
            model = backbones.rest_of(model)
        batches = Batches(
            train,
            settings.batch_size,
            seed=seed,
            by_length=settings.length_bucketing,
            augment=settings.augment,
            balanced=settings.balance,
            tokens=settings.batch_tokens,
            twice=settings.consistency > 0,
        )
        compile_model(model, objective, settings, epoch=len(batches))
        _start_from_rows(model, train)
        model.optimizer.build(model.trainable_variables)
        keeper = Keeper(batches, settings, checkpoint, say, total=settings.epochs)
        held_out = _held_out(validation, settings) if validation is not None else None
        keeper.begin(model, held_out)
        interrupted = False
        if not keeper.patience_is_over():
            callbacks = [keeper, *_tensorboard(logs, settings)]
            try:
                model.fit(
                    batches.dataset(),
                    validation_data=held_out,
                    epochs=settings.epochs,
                    initial_epoch=keeper.state.epoch,
                    callbacks=callbacks,
                    class_weight=dict(objective.class_weight) if objective.class_weight else None,
                    shuffle=False,
                    verbose=0,
                )
            except KeyboardInterrupt:
                interrupted = keeper.interrupted()
        keeper.finish(model)
        if settings.precision != "float32":  # nothing that is exported may hold 16-bit operations
            best, whole = whole.get_weights(), build()
            whole.set_weights(best)
    state = keeper.state
    steps = len(state.history) * len(batches)
    return Trained(whole, state.history, state.best_epoch, state.untrained_loss, interrupted, steps)


class Keeper(keras.callbacks.Callback):
    """Keeps best weights, history and checkpoint; says each epoch; stops on patience and on NaN."""

    def __init__(self, batches: Batches, settings: Training, checkpoint: Path | None, say: Say, *, total: int) -> None:
        super().__init__()
        self.batches, self.settings, self.checkpoint, self.say = batches, settings, checkpoint, say
        self.total = total
        self.state = State()
        self.best: list[np.ndarray] = []
        self._save_cost = self._last_save = self._last_said = 0.0
        self._saved_epoch = -1
        self._judged = contextlib.ExitStack()

    def begin(self, model: keras.Model, held_out: object) -> None:
        restored = checkpoints.restore(self.checkpoint, model) if self.checkpoint else None
        if restored is not None:
            self.state, self.best = restored
            if self.state.epoch > self.total:
                raise SettingsError(
                    f"--resume: {self.state.epoch} epochs are done already, and training.epochs is {self.total}. "
                    "Ask for as many or more, or start anew without --resume."
                )
            self._saved_epoch = self.state.epoch
            self.say(f"resumed after epoch {self.state.epoch}")
        else:
            self.best = model.get_weights()
            if held_out is not None and not is_solved(model):
                self.state.untrained_loss = float(model.evaluate(held_out, verbose=0, return_dict=True)["loss"])

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 (Keras' signature)
        self.batches.epoch = epoch
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            rate = self.settings.learning_rate
            raise TrainingError(
                f"Training stopped in epoch {len(self.state.history) + 1}, batch {batch + 1}: the loss became {loss}. "
                f"Expected a finite number. Lower training.learning_rate (now {rate:g}), scale the inputs "
                "(preprocessing.scaling=standard), or look for extreme values in the data."
            )

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 (Keras' signature)
        self._judged.enter_context(averaged(self.model))

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 (Keras' signature)
        self._judged.close()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        seconds = time.perf_counter() - self._started
        self.state.epoch = epoch + 1
        self.state.history.append({"epoch": epoch + 1, **figures, "seconds": round(seconds, 4)})
        watched = figures.get("val_loss", figures["loss"])
        if not np.isfinite(watched):
            raise TrainingError(
                f"Training stopped after epoch {epoch + 1}: the validation loss is {watched}. "
                f"Lower training.learning_rate (now {self.settings.learning_rate:g}) or look for extreme values."
            )
        if watched < self.state.best_loss or self.settings.keep == "last":
            self.state.best_loss, self.state.best_epoch = watched, epoch + 1
            with averaged(self.model):
                self.best = self.model.get_weights()
        self._say(figures, seconds)
        if self.patience_is_over():
            self.model.stop_training = True
        # With a mean of weights, Keras puts it in the place of the weights when `fit` is done.
        self._save_now_and_then(last=self.model.stop_training or self.state.epoch == self.total)

    def interrupted(self) -> bool:
        self._judged.close()
        self._saved_epoch = self.state.epoch  # the weights are those of half an epoch: the last checkpoint holds
        if not self.state.history:
            raise NothingTrainedError(
                "Interrupted before the first epoch was done: there is nothing to keep. The run can be started again."
            ) from None
        self.say(f"interrupted: going on with the best weights so far, of epoch {self.state.best_epoch}")
        return True

    def finish(self, model: keras.Model) -> None:
        if self.checkpoint and self._saved_epoch != self.state.epoch:
            checkpoints.save(self.checkpoint, self.state, model, self.best)
        model.set_weights(self.best)

    def patience_is_over(self) -> bool:
        patience, history = self.settings.patience, self.state.history
        if patience is None or not history:
            return False
        # Not since the epoch whose weights are kept, which with keep=last is always this one.
        watched = [figures.get("val_loss", figures["loss"]) for figures in history]
        return len(watched) - 1 - int(np.argmin(watched)) >= patience

    def _save_now_and_then(self, *, last: bool) -> None:
        # Saving may cost a twentieth of the time at most; a small network saves after every epoch anyway.
        now = time.perf_counter()
        if self.checkpoint and (last or now - self._last_save >= 20 * self._save_cost):
            checkpoints.save(self.checkpoint, self.state, self.model, self.best)
            self._last_save, self._saved_epoch = time.perf_counter(), self.state.epoch
            self._save_cost = self._last_save - now

    def _say(self, figures: dict[str, float], seconds: float) -> None:
        now, epoch = time.perf_counter(), self.state.epoch
        if epoch not in (1, self.total) and now - self._last_said < 1.0:
            return
        self._last_said = now
        text = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        self.say(f"epoch {epoch:>{len(str(self.total))}}/{self.total}  {text}  {seconds:.2f} s")


def outputs(model: keras.Model, examples: Examples, *, batch_size: int = 256) -> np.ndarray:
    """The network's outputs, (rows, units), in the order of the rows; those of several heads side by side."""
    # `predict` builds a dataset and an epoch's callbacks: for one row that takes fifty times as long as the network.
    batches = Batches(Examples(examples.inputs), batch_size, by_length=True)
    parts = np.concatenate([np.asarray(side_by_side(model.predict_on_batch(batch))) for batch in batches])
    found = np.empty_like(parts)
    found[np.concatenate(batches.order())] = parts
    return found


def _held_out(validation: Examples, settings: Training) -> object:
    size = max(settings.batch_size, 256)
    batches = Batches(
        validation,
        size,
        by_length=settings.length_bucketing,
        tokens=settings.batch_tokens,
        twice=settings.consistency > 0,  # the loss reads pairs of rows, which without dropout are equal
    )
    return batches.dataset()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Python's, numpy's and Keras' global generators start from `seed`; the first two are put back afterwards."""
    before = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


def compile_model(model: keras.Model, objective: Objective, settings: Training, *, epoch: int) -> None:
    """Give the network its loss and optimizer. `epoch`: steps of one."""
    rate, steps = settings.learning_rate, settings.epochs * epoch
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    if settings.schedule == "one_cycle":
        rate = OneCycle(settings.learning_rate, steps, settings.warmup)
    if settings.schedule == "inverse_sqrt":
        rate = InverseSqrt(settings.learning_rate, steps, settings.warmup)
    options: dict[str, object] = {"learning_rate": rate, "global_clipnorm": settings.clip or None}
    if settings.average:
        # The mean begins with the first weights: over a tenth of all steps, e^-10 of them is left at the end.
        options |= {"use_ema": True, "ema_momentum": 1 - 1 / max(min(settings.average * epoch, steps / 10), 1)}
    if settings.optimizer in ("adam", "fused_adam", "adamw"):
        options["beta_2"] = settings.beta_2
    if settings.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(weight_decay=settings.weight_decay, **options)
    elif settings.optimizer == "fused_adam":
        optimizer = FusedAdam(**options)
    elif settings.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=settings.weight_decay or None,
            **options,
        )
    else:
        optimizer = keras.optimizers.get({"class_name": settings.optimizer, "config": options})
    model.compile(
        optimizer,
        named(objective.loss, consistency=settings.consistency),
        metrics=dict(objective.metrics) if isinstance(objective.metrics, Mapping) else objective.metrics,
        loss_weights=dict(objective.loss_weights) if objective.loss_weights else None,
        steps_per_execution=settings.steps_per_execution,
        # Measured on this kind of processor: XLA halves the speed of small networks (see benchmarks/).
        jit_compile=False,
    )


def _start_from_rows(model: keras.Model, train: Examples) -> None:
    """Layers that start from the data (log-count ratios, whitening) say so by a method `start_from(examples)`."""
    for layer in model.layers:
        if hasattr(layer, "start_from"):
            layer.start_from(train)


def is_solved(model: keras.Model) -> bool:
    """Whether there is no untrained network to beat: nothing to learn, or a layer finds its weights by `start_from`."""
    return not model.trainable_variables or any(getattr(layer, "solved", False) for layer in model.layers)


def _tensorboard(logs: Path | None, settings: Training) -> list[keras.callbacks.Callback]:
    if logs is None or not settings.tensorboard:
        return []
    return [keras.callbacks.TensorBoard(str(logs), write_graph=False)]
