"""What happens where nothing can be written: a full disk, a place that is not ours, an output that takes nothing?"""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.mark.parametrize("stage", ["_report", "write_content", "write_json"])
def test_a_full_disk_ends_with_one_message_and_leaves_earlier_runs(cli, runs, everything, monkeypatch, stage: str):
    from dlkit import run_folder

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_folder, stage, full)
    before = everything(runs)
    ended = cli("run", "imdb", "--data", "sample", "--epochs", "1", "--set", "training.refit=false")
    assert ended.code == 1
    assert "the disk is full" in ended.message
    after = everything(runs)
    assert {path: after[path] for path in before} == before
    assert {path.split("/")[1] for path in after.keys() - before.keys()} == {".2.partial"}
    assert not [path for path in after if path.startswith("imdb/.2.partial/run")]


@pytest.fixture
def tiny_disk(alone: Path) -> Iterator[Path]:
    """A file system of 160 kB; skipped where mounting is not allowed."""
    place = alone / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_really_full_disk_ends_with_one_message_and_no_version(cli, tiny_disk: Path):
    command = ["run", "imdb", "--data", "sample", "--epochs", "1", "--set", "training.refit=false", "--out", tiny_disk]
    ended = cli(*command)
    assert ended.code == 1
    assert "the disk is full" in ended.message
    assert [path.name for path in (tiny_disk / "imdb").iterdir()] == [".1.partial"]
    shutil.rmtree(tiny_disk / "imdb")
    (tiny_disk / "filler").write_bytes(bytes(160 * 1024))
    ended = cli(*command)
    assert ended.code == 1
    assert "the disk is full" in ended.message
    assert [path.name for path in tiny_disk.iterdir()] == ["filler"]


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/nowhere"])
def test_a_place_that_cannot_be_written_to_is_refused(cli, alone: Path, out: str):
    (alone / "file").write_text("mine", encoding="utf-8")
    ended = cli("run", "boston", "--data", "sample", "--epochs", "1", "--out", out)
    assert ended.code == 2
    assert "Give a folder you may write to" in ended.message
    assert (alone / "file").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["list", "--jso"]])
def test_standard_output_that_takes_nothing_ends_without_a_traceback(alone: Path, arguments: list[str]):
    command = [sys.executable, "-m", "dlkit.cli", *arguments]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert ended.returncode in (1, 2)
    assert ended.stderr.decode().count("error: ") == 1
    assert b"Traceback" not in ended.stderr
    closed = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True, check=False, timeout=60)
    assert closed.returncode in (0, 2)
    assert b"Traceback" not in closed.stderr


def test_json_can_be_printed_to_an_ascii_terminal(process, alone: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    ended = process("show", "Grün\udcff", "--json")
    assert ended.code == 2
    assert "Grün" in ended.document["error"]


def test_an_unforeseen_fault_is_one_message_with_a_way_to_its_traceback(cli, monkeypatch: pytest.MonkeyPatch):
    from dlkit import shelf

    def broken() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(shelf, "shelf", broken)
    ended = cli("list", "--json")
    assert ended.code == 1
    assert ended.document["error"].startswith("unforeseen ZeroDivisionError: a bug. DLKIT_TRACEBACK=1")
    assert "Traceback" not in ended.err
    monkeypatch.setenv("DLKIT_TRACEBACK", "1")
    assert "Traceback" in cli("list").err


def test_two_runs_at_once_become_versions_1_and_2_both_whole(cli, alone: Path):
    command = ["run", "imdb", "--data", "sample", "--epochs", "1", "--set", "training.refit=false", "--json"]
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "dlkit.cli", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    ended = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], ended
    assert sorted(json.loads(out)["run"] for out, _ in ended) == ["saved_models/imdb/1", "saved_models/imdb/2"]
    assert sorted(path.name for path in (alone / "saved_models" / "imdb").iterdir()) == ["1", "2"]
    for version in ("1", "2"):
        assert cli("verify", alone / "saved_models" / "imdb" / version).code == 0
