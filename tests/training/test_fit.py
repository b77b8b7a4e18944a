"""Does a training repeat bit for bit, stop when it should, and keep the weights it promises?"""

from __future__ import annotations

import gc
import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples
from dlkit.errors import NothingTrainedError, SettingsError, TrainingError
from dlkit.training import fit as fitting
from dlkit.training.fit import Objective, Trained, fit, outputs
from dlkit.training.settings import Training

ROWS = 48
OBJECTIVE = Objective("mse", ["mae"])
SHORT = Training(epochs=4, batch_size=16, learning_rate=0.01, tensorboard=False)


def network() -> keras.Model:
    layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((3,)), *layers])


def rows(seed: int, *, noise: float = 0.1) -> Examples:
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((ROWS, 3)).astype(np.float32)
    targets = inputs.sum(axis=1, keepdims=True) + noise * rng.standard_normal((ROWS, 1))
    return Examples({"features": inputs}, targets.astype(np.float32))


def trained(settings: Training = SHORT, *, seed: int = 0, validation: Examples | None = None) -> Trained:
    held_out = rows(1) if validation is None else validation
    return fit(network, rows(0), held_out, objective=OBJECTIVE, settings=settings, seed=seed, say=lambda _: None)


def digest(model: keras.Model) -> str:
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()


def loss_of(model: keras.Model, examples: Examples) -> float:
    assert isinstance(examples.targets, np.ndarray)
    return float(((outputs(model, examples) - examples.targets) ** 2).mean())


@pytest.fixture(scope="module")
def plain() -> Trained:
    """A training with seed 0."""
    return trained(seed=0)


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(plain: Trained) -> None:
    np.random.default_rng().random(3)
    np.random.seed(99)
    keras.utils.set_random_seed(99)
    second = trained(seed=0)
    assert digest(plain.model) == digest(second.model)
    without_time = [{name: value for name, value in row.items() if name != "seconds"} for row in plain.history]
    assert without_time == [{name: value for name, value in row.items() if name != "seconds"} for row in second.history]


def test_another_seed_gives_other_weights(plain: Trained) -> None:
    assert len({digest(plain.model), digest(trained(seed=1).model), digest(trained(seed=2**32 - 1).model)}) == 3


def test_another_process_gives_the_same_bits(plain: Trained) -> None:
    code = "import test_fit; print(test_fit.digest(test_fit.trained(seed=0).model))"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=120
    )
    assert ended.stdout.split()[-1] == digest(plain.model)


def test_rows_come_in_another_order_in_every_epoch_and_for_every_seed() -> None:
    from dlkit.data.batches import Batches

    def order(seed: int | None, epoch: int) -> list[int]:
        batches = Batches(Examples({"row": np.arange(50)}), 16, seed=seed)
        batches.epoch = epoch
        return [int(row) for batch in batches.dataset() for row in batch]

    orders = [order(0, 0), order(0, 1), order(1, 0)]
    assert all(sorted(one) == list(range(50)) for one in orders)
    assert len({tuple(one) for one in orders}) == 3
    assert order(0, 0) == orders[0] and order(None, 3) == list(range(50))


def test_global_generators_are_as_they_were_before() -> None:
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.random()
    random.seed(5)
    np.random.seed(5)
    trained()
    assert (random.random(), np.random.random()) == expected


def overfitting() -> tuple[Training, Examples]:
    """Validation rows whose targets contradict the training rows: the first epoch or the next few are the best."""
    contrary = rows(1)
    assert isinstance(contrary.targets, np.ndarray)
    return replace(SHORT, epochs=12, learning_rate=0.03), Examples(contrary.inputs, 0.3 * contrary.targets + 0.5)


def test_early_stopping_stops_after_patience_and_restores_the_best_weights() -> None:
    settings, held_out = overfitting()
    result = trained(replace(settings, patience=2), validation=held_out)
    losses = [row["val_loss"] for row in result.history]
    assert result.best_epoch == 1 + int(np.argmin(losses)) < len(losses) < 12
    assert len(losses) == result.best_epoch + 2
    assert loss_of(result.model, held_out) == pytest.approx(min(losses), rel=1e-4)
    assert loss_of(result.model, held_out) < losses[-1]


def test_without_patience_all_epochs_run_and_the_best_weights_are_kept() -> None:
    settings, held_out = overfitting()
    result = trained(settings, validation=held_out)
    losses = [row["val_loss"] for row in result.history]
    assert len(losses) == 12 and result.best_epoch < 12
    assert loss_of(result.model, held_out) == pytest.approx(min(losses), rel=1e-4)


def test_keep_last_keeps_the_last_weights() -> None:
    settings, held_out = overfitting()
    result = trained(replace(settings, keep="last"), validation=held_out)
    losses = [row["val_loss"] for row in result.history]
    assert result.best_epoch == 12
    assert loss_of(result.model, held_out) == pytest.approx(losses[-1], rel=1e-4) and losses[-1] > min(losses)


def test_patience_ends_a_training_that_keeps_the_last_weights_too() -> None:
    settings, held_out = overfitting()
    result = trained(replace(settings, keep="last", patience=2), validation=held_out)
    losses = [row["val_loss"] for row in result.history]
    assert len(losses) == 1 + int(np.argmin(losses)) + 2 == result.best_epoch < 12
    assert loss_of(result.model, held_out) == pytest.approx(losses[-1], rel=1e-4)


def test_the_untrained_network_is_judged_too(plain: Trained) -> None:
    with fitting.seeded(0):
        assert plain.untrained_loss is not None
        assert plain.untrained_loss == pytest.approx(loss_of(network(), rows(1)), rel=1e-5)
    assert plain.untrained_loss > plain.history[-1]["val_loss"]


def test_history_has_a_row_an_epoch_with_figures_of_both_splits(plain: Trained) -> None:
    assert [set(row) for row in plain.history] == [
        {"epoch", "loss", "mae", "val_loss", "val_mae", "seconds"}
    ] * SHORT.epochs


@pytest.mark.parametrize("steps", [1, 4])
def test_a_loss_that_is_not_finite_stops_with_epoch_and_remedy(steps: int) -> None:
    explosive = replace(SHORT, optimizer="sgd", learning_rate=1e12, steps_per_execution=steps)
    with pytest.raises(
        TrainingError, match=r"epoch \d, batch \d+: the loss became (nan|inf).*Lower training.learning_rate"
    ):
        trained(explosive)


def test_a_validation_loss_that_is_not_finite_stops_too() -> None:
    broken = rows(1)
    assert isinstance(broken.targets, np.ndarray)
    broken.targets[3] = np.inf
    with pytest.raises(TrainingError, match=r"after epoch 1: the validation loss is inf.*training.learning_rate"):
        trained(validation=broken)


def interrupting(monkeypatch: pytest.MonkeyPatch, *, epoch: int) -> None:
    """The user presses Ctrl-C in the middle of `epoch`."""
    original = fitting.Keeper.on_train_batch_end

    def pressed(self: fitting.Keeper, batch: int, logs: dict[str, float] | None = None) -> None:
        original(self, batch, logs)
        if len(self.state.history) + 1 == epoch and batch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting.Keeper, "on_train_batch_end", pressed)


def test_an_interrupted_training_keeps_the_best_weights_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupting(monkeypatch, epoch=3)
    result = trained()
    assert result.interrupted and len(result.history) == 2
    best = min(row["val_loss"] for row in result.history)
    assert loss_of(result.model, rows(1)) == pytest.approx(best, rel=1e-4)


def test_an_interrupt_while_held_out_rows_are_judged_keeps_the_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(self: fitting.Keeper, batch: int, logs: dict[str, float] | None = None) -> None:
        if len(self.state.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting.Keeper, "on_test_batch_end", pressed, raising=False)
    result = trained(replace(SHORT, average=2.0))  # judged by the moving mean of the weights
    gc.collect()
    assert result.interrupted and len(result.history) == 2
    best = min(row["val_loss"] for row in result.history)
    assert loss_of(result.model, rows(1)) == pytest.approx(best, rel=1e-4)


def test_an_interrupt_leaves_the_checkpoint_of_a_whole_epoch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    save = fitting.checkpoints.save

    def slow(*given: Any) -> None:  # so that the second epoch is not saved
        time.sleep(0.2)
        save(*given)

    def go(*, folder: Path) -> Trained:
        return fit(
            network, rows(0), rows(1), objective=OBJECTIVE, settings=SHORT, seed=0, say=lambda _: None,
            checkpoint=folder,
        )  # fmt: skip

    whole = go(folder=tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(fitting.checkpoints, "save", slow)
        interrupting(patched, epoch=3)
        assert go(folder=tmp_path / "cut").interrupted
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["epoch-1"]
    assert digest(go(folder=tmp_path / "cut").model) == digest(whole.model)


def test_an_interrupt_in_the_first_epoch_leaves_nothing_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupting(monkeypatch, epoch=1)
    with pytest.raises(NothingTrainedError, match="before the first epoch was done"):
        trained()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_cosine_schedule_starts_at_the_rate_and_ends_at_0(optimizer: str) -> None:
    weight_decay = 0.01 if optimizer == "adamw" else 0.0
    settings = replace(SHORT, optimizer=optimizer, schedule="cosine", weight_decay=weight_decay)  # type: ignore[arg-type]  # parametrised
    model = trained(settings).model
    rate = model.optimizer._learning_rate
    steps = settings.epochs * 3
    assert float(rate(0)) == pytest.approx(0.01) and float(rate(steps)) == pytest.approx(0, abs=1e-9)
    assert int(model.optimizer.iterations.numpy()) == steps


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Training(epochs=0), "training.epochs: expected 1 or more, got 0"),
        (lambda: Training(batch_size=-1), "training.batch_size: expected 1 or more, got -1"),
        (lambda: Training(patience=0), "training.patience: expected 1 or more, got 0"),
        (lambda: Training(folds=1), r"training.folds: expected 0 \(none\) or at least 2, got 1"),
        (lambda: Training(learning_rate=0.0), "training.learning_rate: expected a number above 0, got 0.0"),
        (lambda: Training(learning_rate=float("inf")), "training.learning_rate"),
        (lambda: Training(learning_rate=float("nan")), "training.learning_rate"),
        (lambda: Training(weight_decay=0.1), "training.weight_decay needs training.optimizer=adamw or sgd, got adam"),
        (lambda: Training(optimizer="adamm"), "training.optimizer.*adamm.*Did you mean 'adam"),  # type: ignore[arg-type]
        (lambda: Training(keep="first"), "training.keep.*first"),  # type: ignore[arg-type]
        (lambda: Training(schedule="linear"), "training.schedule.*linear"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_cannot_train_are_refused(make: Callable[[], Training], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()
