"""Does a version exist complete or not at all, whoever else works in the same folder and whatever kills whom?"""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from dlkit.errors import RunError, SettingsError
from dlkit.workspace import Workspace, interrupted_runs, sweep, workspace

SETTINGS: dict[str, object] = {"training.epochs": 5, "training.batch_size": 32, "model.units": (64, 64), "seed": 0}
HOLDER = """
import sys
from pathlib import Path
from dlkit.workspace import workspace
with workspace(Path(sys.argv[1]), {"seed": 0}, resume=False) as space:
    if "checkpoint" in sys.argv:
        state = space.checkpoints / "main" / "epoch-1" / "state.json"
        state.parent.mkdir(parents=True)
        state.write_text("{}")
    print(space.scratch.name, flush=True)
    sys.stdin.read()
"""
"""A process that holds a workspace until its standard input is closed, or it is killed."""
PUBLISHER = """
import sys
from pathlib import Path
from dlkit.workspace import workspace
for number in range(int(sys.argv[2])):
    with workspace(Path(sys.argv[1]), {"seed": number}, resume=False) as space:
        (space.run / "run.json").write_text(sys.argv[3])
        space.publish()
"""


def publish(folder: Path, settings: dict[str, object] = SETTINGS, *, resume: bool = False) -> Workspace:
    with workspace(folder, settings, resume=resume) as space:
        (space.run / "run.json").write_text("{}")
        space.publish()
    return space


def interrupt(folder: Path, settings: dict[str, object] = SETTINGS) -> Path:
    """A run that fails after its first checkpoint; gives its hidden folder."""
    with pytest.raises(KeyboardInterrupt), workspace(folder, settings, resume=False) as space:
        state = space.checkpoints / "main" / "epoch-1" / "state.json"
        state.parent.mkdir(parents=True)
        state.write_text("{}")
        (space.run / "half.keras").write_bytes(b"half")
        raise KeyboardInterrupt
    return space.scratch


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def holder(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that holds a workspace, and the name of its hidden folder."""
    command = [sys.executable, "-c", HOLDER, str(folder), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_versions_are_numbered_from_1_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "saved_models" / "imdb"
    assert [publish(folder).final.name for _ in range(3)] == ["1", "2", "3"]
    assert names(folder) == ["1", "2", "3"] and names(folder / "1") == ["run.json"]


def test_a_version_is_not_there_before_it_is_published(tmp_path: Path) -> None:
    with workspace(tmp_path, SETTINGS, resume=False) as space:
        assert names(tmp_path) == [".1.partial"] and not space.final.exists()
        space.publish()
        assert space.final.is_dir()


def test_numbers_go_on_above_the_highest_and_other_names_do_not_count(tmp_path: Path) -> None:
    for name in ("7", "notes", "9.old", ".8.partial.bak", "²"):
        (tmp_path / name).mkdir()
    assert publish(tmp_path).final.name == "8"


def test_a_run_that_fails_without_a_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "imdb"
    with pytest.raises(ZeroDivisionError), workspace(folder, SETTINGS, resume=False) as space:
        (space.run / "model.keras").write_bytes(b"half")
        raise ZeroDivisionError
    assert not (tmp_path / "out").exists()


def test_folders_that_were_there_before_stay_when_a_run_fails(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "imdb"
    folder.mkdir(parents=True)
    with pytest.raises(ZeroDivisionError), workspace(folder, SETTINGS, resume=False):
        raise ZeroDivisionError
    assert names(folder) == []


def test_a_run_that_fails_after_a_checkpoint_keeps_it_and_half_a_run_goes(tmp_path: Path) -> None:
    scratch = interrupt(tmp_path)
    assert names(scratch) == ["checkpoints", "lock", "settings.json"]
    assert interrupted_runs(tmp_path) == [scratch]


def test_resume_goes_on_for_more_epochs_of_the_members_of_an_ensemble_too(tmp_path: Path) -> None:
    first = {"training.epochs": 3, "lstm.training.epochs": 3, "lstm.training.clip": 1}
    scratch = interrupt(tmp_path, first)
    with pytest.raises(SettingsError, match=r"lstm.training.clip was 1, now 2\."):
        publish(tmp_path, first | {"lstm.training.epochs": 5, "lstm.training.clip": 2}, resume=True)
    space = publish(tmp_path, first | {"training.epochs": 5, "lstm.training.epochs": 5}, resume=True)
    assert space.resumed and space.scratch == scratch


def test_a_disk_that_is_full_costs_no_checkpoint_of_the_run_that_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = interrupt(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("dlkit.workspace._write_settings", full)
        with pytest.raises(OSError, match="No space"):
            publish(tmp_path, resume=True)
    assert interrupted_runs(tmp_path) == [scratch]
    assert publish(tmp_path, resume=True).scratch == scratch


def test_resume_goes_on_in_the_same_folder_and_publishes_its_number(tmp_path: Path) -> None:
    scratch = interrupt(tmp_path)
    with workspace(tmp_path, SETTINGS, resume=True) as space:
        assert space.resumed and space.scratch == scratch and names(space.run) == []
        assert (space.checkpoints / "main" / "epoch-1" / "state.json").is_file()
        space.publish()
    assert names(tmp_path) == ["1"]


def test_without_resume_an_interrupted_run_is_left_alone(tmp_path: Path) -> None:
    scratch = interrupt(tmp_path)
    assert publish(tmp_path).final.name == "2"
    assert interrupted_runs(tmp_path) == [scratch]


def test_resume_takes_the_newest_run_with_the_same_settings(tmp_path: Path) -> None:
    older = interrupt(tmp_path)
    interrupt(tmp_path, {**SETTINGS, "seed": 1})
    with workspace(tmp_path, SETTINGS, resume=True) as space:
        assert space.scratch == older


def test_resume_may_ask_for_more_epochs_but_for_nothing_else(tmp_path: Path) -> None:
    interrupt(tmp_path)
    asked = {**SETTINGS, "training.epochs": 9, "training.batch_size": 64}
    with (
        pytest.raises(SettingsError, match=r"had other settings: training.batch_size was 32, now 64\. Give the same"),
        workspace(tmp_path, asked, resume=True),
    ):
        pytest.fail("entered")
    with workspace(tmp_path, {**SETTINGS, "training.epochs": 9}, resume=True) as space:
        assert space.resumed


def test_resume_with_nothing_to_resume_begins_anew(tmp_path: Path) -> None:
    with workspace(tmp_path, SETTINGS, resume=True) as space:
        assert not space.resumed and space.final.name == "1"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_damaged_settings_of_an_interrupted_run_are_said(tmp_path: Path, content: bytes) -> None:
    (interrupt(tmp_path) / "settings.json").write_bytes(content)
    with (
        pytest.raises(RunError, match=r"settings.json is damaged .*without --resume"),
        workspace(tmp_path, SETTINGS, resume=True),
    ):
        pytest.fail("entered")


def test_a_version_that_appears_meanwhile_is_never_overwritten(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match="appeared while the run was made"),
        workspace(tmp_path, SETTINGS, resume=False) as space,
    ):
        space.final.mkdir()
        (space.final / "run.json").write_text("another's")
        space.publish()
    assert (tmp_path / "1" / "run.json").read_text() == "another's"


def test_threads_that_claim_at_once_get_different_numbers(tmp_path: Path) -> None:
    barrier = Barrier(8)

    def run(number: int) -> str:
        barrier.wait()
        with workspace(tmp_path, {"seed": number}, resume=False) as space:
            (space.run / "run.json").write_text(str(number))
            space.publish()
        return space.final.name

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(run, range(8)))
    assert sorted(taken) == sorted(names(tmp_path)) and len(set(taken)) == 8
    assert {(tmp_path / name / "run.json").read_text() for name in taken} == {str(number) for number in range(8)}


def test_processes_that_claim_at_once_lose_no_run(tmp_path: Path) -> None:
    each = 8
    processes = [
        subprocess.Popen([sys.executable, "-c", PUBLISHER, str(tmp_path), str(each), str(who)], stderr=subprocess.PIPE)
        for who in range(3)
    ]
    for process in processes:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error.decode()
    assert len(names(tmp_path)) == 3 * each
    owners = [(tmp_path / name / "run.json").read_text() for name in names(tmp_path)]
    assert sorted(owners) == sorted(["0", "1", "2"] * each)


def test_the_folder_of_a_living_process_is_neither_swept_nor_resumed(tmp_path: Path) -> None:
    with holder(tmp_path, "checkpoint") as (_, name):
        sweep(tmp_path)
        assert names(tmp_path) == [name] and interrupted_runs(tmp_path) == []
        with workspace(tmp_path, {"seed": 0}, resume=True) as space:
            assert not space.resumed and space.final.name == "2"


def test_the_lock_of_a_killed_process_is_free_and_its_checkpoint_is_resumed(tmp_path: Path) -> None:
    with holder(tmp_path, "checkpoint") as (process, name):
        process.kill()
        process.wait()
        assert [path.name for path in interrupted_runs(tmp_path)] == [name]
        with workspace(tmp_path, {"seed": 0}, resume=True) as space:
            assert space.resumed and space.scratch.name == name


def test_what_a_killed_process_left_without_a_checkpoint_is_swept_by_the_next_run(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, name):
        process.kill()
        process.wait()
        assert names(tmp_path) == [name]
    assert publish(tmp_path).final.name == "1"
    assert names(tmp_path) == ["1"]


def test_checkpoints_of_a_version_that_was_published_are_swept(tmp_path: Path) -> None:
    interrupt(tmp_path)
    (tmp_path / "1").mkdir()
    assert interrupted_runs(tmp_path) == []
    sweep(tmp_path)
    assert names(tmp_path) == ["1"]


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with (
        pytest.raises(SettingsError, match=r"--out: cannot write to .*out"),
        workspace(tmp_path / "out" / "imdb", SETTINGS, resume=False),
    ):
        pytest.fail("entered")


@pytest.mark.parametrize("after", ["mkdir", "iterdir"])
def test_a_folder_that_may_not_be_used_is_said_and_nobody_else_s_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    other = interrupt(tmp_path)

    def refused(self: Path, *_: object, **__: object) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    original = Path.mkdir
    if after == "iterdir":
        monkeypatch.setattr(Path, "iterdir", refused)
    else:
        monkeypatch.setattr(
            Path, "mkdir", lambda self, *a, **k: refused(self) if self.suffix == ".partial" else original(self, *a, **k)
        )
    with (
        pytest.raises(SettingsError, match=r"cannot write to .*Permission denied"),
        workspace(tmp_path, SETTINGS, resume=False),
    ):
        pytest.fail("entered")
    monkeypatch.undo()
    assert interrupted_runs(tmp_path) == [other]
