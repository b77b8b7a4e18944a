"""Does a killed training go on as if it had never stopped?"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples
from dlkit.errors import RunError, SettingsError
from dlkit.training import checkpoints
from dlkit.training import fit as fitting
from dlkit.training.fit import Objective, Trained, fit
from dlkit.training.settings import Training

SETTINGS = Training(epochs=5, batch_size=16, learning_rate=0.02, tensorboard=False)


class KilledError(BaseException):
    """Stands for `kill -9` at a moment of our choosing."""


def network(units: int = 8) -> keras.Model:
    layers = [keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(0.4), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((3,)), *layers])


def rows(seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((40, 3)).astype(np.float32)
    return Examples({"features": inputs}, inputs.sum(axis=1, keepdims=True))


def trained(settings: Training, checkpoint: Path | None, *, units: int = 8, said: list[str] | None = None) -> Trained:
    say = (said if said is not None else []).append
    return fit(
        lambda: network(units), rows(0), rows(1), objective=Objective("mse", ["mae"]), settings=settings, seed=3,
        say=say, checkpoint=checkpoint,
    )  # fmt: skip


def killed_after(monkeypatch: pytest.MonkeyPatch, epoch: int, settings: Training, checkpoint: Path) -> None:
    """Train with a checkpoint every epoch, and die when that of `epoch` is written."""

    def save(self: fitting.Keeper, *, last: bool) -> None:
        checkpoints.save(checkpoint, self.state, self.model, self.best)
        if self.state.epoch == epoch:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(fitting.Keeper, "_save_now_and_then", save)
        with pytest.raises(KilledError):
            trained(settings, checkpoint)


@pytest.fixture(scope="module")
def whole() -> Trained:
    """A training that never stopped."""
    return trained(SETTINGS, None)


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a training that was killed after epoch 2."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        killed_after(patch, 2, SETTINGS, folder)
    return folder


@pytest.fixture
def killed(killed_once: Path, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(killed_once, tmp_path / "main"))


def untimed(result: Trained) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in result.history]


@pytest.mark.parametrize(
    ("settings", "epoch"),
    [
        (replace(SETTINGS, optimizer="rmsprop", schedule="cosine"), 1),
        (replace(SETTINGS, optimizer="adamw", weight_decay=0.01, schedule="cosine", keep="last"), 4),
        (replace(SETTINGS, steps_per_execution=2, patience=2), 2),
    ],
    ids=["rmsprop cosine", "adamw cosine last", "adam, several steps at once"],
)
def test_a_resumed_training_gives_the_bits_of_one_that_never_stopped(
    settings: Training, epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after(monkeypatch, epoch, settings, tmp_path)
    said: list[str] = []
    resumed, whole = trained(settings, tmp_path, said=said), trained(settings, None)
    assert said[0] == f"resumed after epoch {epoch}"
    assert untimed(resumed) == untimed(whole) and len(whole.history) > epoch
    assert (resumed.best_epoch, resumed.untrained_loss) == (whole.best_epoch, whole.untrained_loss)
    for ours, theirs in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_checkpoint_is_kept_and_a_finished_training_is_not_trained_any_further(
    tmp_path: Path, whole: Trained
) -> None:
    first = trained(SETTINGS, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-5"]
    assert sorted(path.name for path in (tmp_path / "epoch-5").iterdir()) == ["best.npz", "last.npz", "state.json"]
    again = trained(SETTINGS, tmp_path)
    assert again.history == first.history and untimed(first) == untimed(whole)
    for ours, theirs in zip(again.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_more_epochs_go_on_from_the_last_one(tmp_path: Path, whole: Trained) -> None:
    trained(replace(SETTINGS, epochs=2), tmp_path)
    longer = trained(SETTINGS, tmp_path)
    assert untimed(longer) == untimed(whole)
    for ours, theirs in zip(longer.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_fewer_epochs_than_were_done_are_refused(killed: Path) -> None:
    with pytest.raises(SettingsError, match=r"--resume: 2 epochs are done already, and training\.epochs is 1"):
        trained(replace(SETTINGS, epochs=1), killed)


def test_a_half_written_checkpoint_is_passed_over(killed: Path) -> None:
    (killed / ".epoch-3.partial").mkdir()
    (killed / ".epoch-3.partial" / "last.npz").write_bytes(b"half")
    said: list[str] = []
    trained(SETTINGS, killed, said=said)
    assert said[0] == "resumed after epoch 2"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("state.json", b"{"),
        ("state.json", b'{"epochs": 3}'),
        ("state.json", b"[]"),
        ("last.npz", b""),
        ("last.npz", b"PK\x03\x04 not a zip"),
        ("best.npz", b"\x80\x04 a pickle"),
    ],
)
def test_a_damaged_checkpoint_is_said_with_the_remedy(name: str, content: bytes, killed: Path) -> None:
    (killed / "epoch-2" / name).write_bytes(content)
    with pytest.raises(RunError, match=r"epoch-2 is damaged .*without --resume"):
        trained(SETTINGS, killed)


@pytest.mark.parametrize("lost", [1, 100, 1_000])
def test_a_checkpoint_cut_short_is_said(lost: int, killed: Path) -> None:
    best = killed / "epoch-2" / "best.npz"
    best.write_bytes(best.read_bytes()[:-lost])
    with pytest.raises(RunError, match="epoch-2 is damaged"):
        trained(SETTINGS, killed)


def test_another_network_s_checkpoint_is_refused(killed: Path) -> None:
    with pytest.raises(RunError, match=r"holds another network's weights.*without --resume"):
        trained(SETTINGS, killed, units=9)


def test_a_checkpoint_holds_the_optimizer_and_the_seeds_of_dropout(killed: Path, whole: Trained) -> None:
    with np.load(killed / "epoch-2" / "last.npz", allow_pickle=False) as file:
        count = len(file.files)
    # 4 weights, 1 seed state, Adam's iterations, learning rate and 2 moments a weight.
    assert count == len(whole.model.variables) + len(whole.model.optimizer.variables) == 5 + 2 + 8
    assert json.loads((killed / "epoch-2" / "state.json").read_text())["epoch"] == 2
