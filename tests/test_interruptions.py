"""Does a run that is killed at any moment leave only whole versions, and does it go on to the same bits?"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dlkit.inference.runs import artefact_path, check_assets, read_json, read_run
from dlkit.workspace import interrupted_runs, workspace

# Long enough that a kill may hit each stage: preparing, training, the refit on all rows, export, report.
LONG = ("run", "imdb", "--data", "sample", "--epochs", "30", "--set", "training.patience=none")
SHORT = ("run", "imdb", "--data", "sample", "--epochs", "3", "--set", "training.refit=false")
MOMENTS = 10
_generator = random.Random(9)
DELAYS = [(moment + _generator.random()) / MOMENTS for moment in range(MOMENTS)]
"""When to kill, in durations of an uninterrupted run: at a random moment in each tenth of it."""
TWO_AT_ONCE = 1.3
"""How much longer a run takes beside another one."""


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dlkit.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def check_whole(version: Path) -> None:
    record = read_run(version)
    check_assets(version, record)
    for name in record["artefacts"]:
        artefact_path(version, record, name)
    assert read_json(version / "metrics.json")["run"]
    assert (version / "report.html").stat().st_size > 0


def history(version: Path) -> list[str]:
    """Rows without their last column, the seconds."""
    return [line.rpartition(",")[0] for line in (version / "history.csv").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Also where the tests were started in the background: shells have what they start there ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("DLKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        changed.delenv("DLKIT_DATA", raising=False)
        yield


@pytest.fixture(scope="module")
def reference(environment: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """An uninterrupted run, and how many seconds it took."""
    out = tmp_path_factory.mktemp("reference")
    started = time.perf_counter()
    run = start(*LONG, "--out", out)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    return out / "imdb" / "1", time.perf_counter() - started


@pytest.fixture(scope="module")
def prepared(environment: None) -> object:
    """The same rows and settings in this process."""
    from dlkit.ordering import order
    from dlkit.pipeline import prepare

    made = order("imdb", data="sample", epochs=30, changes=["training.patience=none"])
    return prepare(made.recipe, made.recipe.data.load("sample", say=lambda _: None))


@pytest.fixture(scope="module")
def killed(reference: tuple[Path, float], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A recipe's folder a moment: version 1 was there, then a run was started in it and killed with signal 9."""
    whole, seconds = reference

    def kill(delay: float) -> Path:
        folder = tmp_path_factory.mktemp("killed") / "imdb"
        shutil.copytree(whole, folder / "1")
        run = start(*LONG, "--out", folder.parent)
        try:
            run.wait(timeout=delay * seconds * TWO_AT_ONCE)
        except subprocess.TimeoutExpired:
            run.kill()
        run.communicate(timeout=60)
        return folder

    with ThreadPoolExecutor(2) as two_at_a_time:
        return list(two_at_a_time.map(kill, DELAYS))


@pytest.fixture(scope="module")
def resumable(killed: list[Path]) -> list[int]:
    """The moments that left a checkpoint: a kill before the first epoch, or after the run, leaves nothing to resume."""
    return [moment for moment, folder in enumerate(killed) if interrupted_runs(folder)]


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_kill_9_leaves_only_whole_versions_and_the_rest_is_resumed_bit_for_bit(
    cli, everything, *, reference, killed, resumable, prepared, moment: int
):
    whole, folder = reference[0], killed[moment]
    versions = visible(folder)
    assert versions in (["1"], ["1", "2"])
    for version in versions:
        check_whole(folder / version)
    assert everything(folder / "1") == everything(whole)
    if moment not in resumable:
        return
    # One goes on to a published version; of the others the training alone does, which costs less.
    if moment == resumable[0]:
        ended = cli(*LONG, "--out", folder.parent, "--resume", "--json")
        assert ended.code == 0, ended.err
        resumed = Path(str(ended.document["run"]))
        check_whole(resumed)
        assert ended.document["test"] == read_json(whole / "metrics.json")["test"]
        assert history(resumed) == history(whole)
        assert not list(folder.glob(".*"))
        weights = weights_of(resumed)
    else:
        weights = resumed_weights(folder, prepared)
        assert visible(folder) == versions
    for ours, theirs in zip(weights, weights_of(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert everything(folder / "1") == everything(whole)


def test_some_kills_hit_a_run_that_can_be_resumed(resumable):
    assert len(resumable) >= 2, "or else the test above compares nothing"


def resumed_weights(folder: Path, prepared) -> list[np.ndarray]:
    from dlkit.pipeline import train

    (scratch,) = interrupted_runs(folder)
    with workspace(folder, read_json(scratch / "settings.json"), resume=True) as space:
        assert space.resumed
        outcome = train(prepared, seed=0, say=lambda _: None, checkpoints=space.checkpoints)
    return outcome.model.get_weights()


def weights_of(version: Path) -> list[np.ndarray]:
    from dlkit.export.proof import keras_model

    return keras_model(version / "model.keras").get_weights()


def test_sigint_during_training_keeps_the_best_model_so_far(alone: Path):
    run = start("run", "imdb", "--data", "sample", "--epochs", 100_000, "--set", "training.patience=none", "--json")
    for line in run.stderr:
        if line.startswith("epoch"):
            break
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    out, said = run.communicate(timeout=60)
    assert run.returncode == 0, said
    metrics = json.loads(out)
    assert any(f"interrupted after {metrics['epochs']} epochs" in warning for warning in metrics["warnings"])
    assert "refit" not in said
    check_whole(alone / metrics["run"])
    assert not list((alone / "saved_models" / "imdb").glob(".*"))


@pytest.fixture
def sigint_after_batch(monkeypatch: pytest.MonkeyPatch):
    """Ctrl-C after so many batches of training."""
    from dlkit.training.fit import Keeper

    def arm(batches: int) -> None:
        seen: list[int] = []

        def on_train_batch_end(self: Keeper, batch: int, logs: object = None) -> None:
            seen.append(batch)
            if len(seen) == batches:
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Keeper, "on_train_batch_end", on_train_batch_end)

    return arm


def test_sigint_before_the_first_epoch_is_done_ends_with_1_and_leaves_nothing(cli, alone: Path, sigint_after_batch):
    sigint_after_batch(1)
    ended = cli(*SHORT)
    assert ended.code == 1
    assert "before the first epoch was done" in ended.message
    assert not (alone / "saved_models").exists()


@pytest.mark.parametrize("batches", [7, 10])
def test_sigint_during_the_refit_keeps_the_network_trained_before_it(cli, sigint_after_batch, batches: int):
    # 3 batches an epoch, 2 epochs, then the refit: its first epoch is not done, and is.
    sigint_after_batch(batches)
    ended = cli("run", "imdb", "--data", "sample", "--epochs", "2", "--json")
    assert ended.code == 0, ended.err
    assert any("The refit on all rows was interrupted" in warning for warning in ended.document["warnings"])
    assert ended.document["epochs"] == 2


@pytest.fixture
def interrupted(cli, alone: Path):
    """A run that Ctrl-C stopped after its last epoch, when it was to be judged."""

    def make(*more: object) -> Path:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("dlkit.run_folder.judge", lambda *_, **__: signal.raise_signal(signal.SIGINT))
            ended = cli(*SHORT, *more)
        assert ended.code == 1
        assert "a run goes on with --resume" in ended.message
        return sorted((alone / "saved_models" / "imdb").glob(".*.partial"))[-1]

    return make


def test_resume_with_other_settings_is_refused(cli, interrupted, everything):
    scratch = interrupted()
    before = everything(scratch.parent)
    for changed, said in (
        (["--seed", "1"], "seed was 0, now 1"),
        (["--model", "linear"], "model was mlp, now linear"),
        (["--set", "training.batch_size=64"], "training.batch_size was 512, now 64"),
    ):
        ended = cli(*SHORT, *changed, "--resume")
        assert ended.code == 2
        assert said in ended.message
    assert everything(scratch.parent) == before


def test_resume_finds_the_interrupted_run_of_the_same_settings_among_others(cli, interrupted):
    interrupted("--seed", "5")
    interrupted("--seed", "6")
    ended = cli(*SHORT, "--seed", "5", "--resume", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["run"] == "saved_models/imdb/1"


def test_resume_with_more_epochs_goes_on_as_if_they_had_been_asked_for_at_once(cli, interrupted, alone: Path):
    interrupted()
    longer = [*SHORT, "--epochs", "5"]
    ended = cli(*longer, "--resume", "--json")
    assert ended.code == 0, ended.err
    assert "resumed after epoch 3" in ended.err
    at_once = cli(*longer, "--json").document
    assert ended.document["test"] == at_once["test"]
    assert history(alone / ended.document["run"]) == history(alone / at_once["run"])
    assert len(history(alone / at_once["run"])) == 1 + 5


def test_resume_with_nothing_to_resume_starts_from_the_beginning_and_says_so(cli):
    ended = cli(*SHORT, "--resume")
    assert ended.code == 0
    assert "nothing to resume" in ended.err


def test_a_run_without_resume_leaves_the_interrupted_one_and_tells_of_it(cli, interrupted, everything, alone: Path):
    scratch = interrupted()
    before = everything(scratch)
    ended = cli(*SHORT, "--json")
    assert ended.document["run"] == "saved_models/imdb/2"
    assert f"an interrupted run is kept in {scratch.relative_to(alone)}; --resume goes on with it" in ended.err
    assert everything(scratch) == before


def test_resume_from_damaged_leftovers_says_what_to_remove(cli, interrupted):
    scratch = interrupted()
    for name in ("settings.json", "last.npz", "best.npz", "state.json"):
        (damaged,) = scratch.rglob(name)
        content = damaged.read_bytes()
        for part in (b"", content[: len(content) // 2], b"{}"):
            damaged.write_bytes(part)
            ended = cli(*SHORT, "--resume")
            assert ended.code in (1, 2), (name, part[:9])
            assert "is damaged" in ended.message or "had other settings" in ended.message
            assert str(scratch.relative_to(Path.cwd())) in ended.message
        damaged.write_bytes(content)
    assert cli(*SHORT, "--resume").code == 0


def test_leftovers_of_a_run_that_was_published_are_swept_away(cli, interrupted, reference):
    scratch = interrupted()
    shutil.copytree(reference[0], scratch.with_name(scratch.name[1:].partition(".")[0]))
    ended = cli(*SHORT, "--resume", "--json")
    assert ended.code == 0
    assert "nothing to resume" in ended.err
    assert not scratch.exists()
