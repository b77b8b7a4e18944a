"""Where does a run take shape, so that a version exists complete or not at all?

A run claims its number by making the hidden neighbour `.<n>.partial/`, works in there under a lock, and appears as
`<n>/` by one rename. Whatever kills the process leaves at most a hidden folder that nobody holds: its checkpoints serve
`--resume`, and one without checkpoints is swept away by the next run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from dlkit.errors import RunError, SettingsError

_SUFFIX = ".partial"


@dataclass(frozen=True)
class Workspace:
    """`scratch`: the hidden folder. `run`: what becomes the run folder. `final`: where it will be."""

    scratch: Path
    final: Path
    resumed: bool

    @property
    def run(self) -> Path:
        return self.scratch / "run"

    @property
    def checkpoints(self) -> Path:
        return self.scratch / "checkpoints"

    def publish(self) -> None:
        """Make the run appear under its number."""
        if self.final.exists():
            raise RunError(f"{self.final} appeared while the run was made; the run is kept in {self.run}.")
        self.run.rename(self.final)


@contextmanager
def workspace(folder: Path, settings: dict[str, object], *, resume: bool) -> Iterator[Workspace]:
    """A workspace in `folder` (`<root>/<recipe>`), held until the block ends.

    When the block fails, checkpoints stay for `--resume`; all else goes.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"--out: {folder} cannot be made ({error.strerror}). Give a folder you may write to."
        ) from error
    sweep(folder)
    found = _interrupted(folder, settings) if resume else None
    scratch, lock = found or _claimed(folder)
    number = scratch.name.removeprefix(".").removesuffix(_SUFFIX)
    space = Workspace(scratch, folder / number, resumed=found is not None)
    try:
        (scratch / "settings.json").write_text(json.dumps(settings, default=str), encoding="utf-8")
        shutil.rmtree(space.run, ignore_errors=True)
        space.run.mkdir()
        yield space
    finally:
        published = not space.run.exists()
        shutil.rmtree(space.run, ignore_errors=True)
        if published or not _has_checkpoints(scratch):
            shutil.rmtree(scratch, ignore_errors=True)
        lock.release()


def sweep(folder: Path) -> None:
    """Remove what killed runs left, where there is nothing in it to resume from."""
    for scratch in _partials(folder):
        if not _has_checkpoints(scratch) and (lock := _try(scratch)) is not None:
            shutil.rmtree(scratch, ignore_errors=True)
            lock.release()


def interrupted_runs(folder: Path) -> list[Path]:
    """Hidden folders of killed runs that can be resumed, oldest first."""
    free = []
    for scratch in _partials(folder):
        if _has_checkpoints(scratch) and (lock := _try(scratch)) is not None:
            lock.release()
            free.append(scratch)
    return free


def _claimed(folder: Path) -> tuple[Path, FileLock]:
    while True:
        taken = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        taken += [_number(path) for path in _partials(folder)]
        scratch = folder / f".{max(taken, default=0) + 1}{_SUFFIX}"
        try:
            scratch.mkdir()
        except FileExistsError:
            continue  # another run claimed the number between the two lines
        except OSError as error:
            raise SettingsError(f"--out: cannot write to {folder} ({error.strerror}). Give another folder.") from error
        # A sweep of another process may see the new folder before it is locked; then it is gone and a new one is due.
        if (lock := _try(scratch)) is not None and scratch.is_dir():
            return scratch, lock


def _interrupted(folder: Path, settings: dict[str, object]) -> tuple[Path, FileLock] | None:
    """The newest interrupted run, locked; None where there is none. Its settings must be ours, but for the epochs."""
    for scratch in reversed(interrupted_runs(folder)):
        if (lock := _try(scratch)) is None:
            continue
        theirs = json.loads((scratch / "settings.json").read_text(encoding="utf-8"))
        ours = json.loads(json.dumps(settings, default=str))
        different = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        different = [key for key in different if key != "training.epochs"]
        if not different:
            return scratch, lock
        lock.release()
        parts = ", ".join(f"{key} was {theirs.get(key)}, now {ours.get(key)}" for key in different[:5])
        raise SettingsError(
            f"--resume: the interrupted run {scratch} had other settings: {parts}. "
            "Give the same ones, or start anew without --resume."
        )
    return None


def _partials(folder: Path) -> list[Path]:
    found = [path for path in folder.glob(f".*{_SUFFIX}") if path.is_dir() and path.name[1 : -len(_SUFFIX)].isdigit()]
    return sorted(found, key=_number)


def _number(partial: Path) -> int:
    return int(partial.name[1 : -len(_SUFFIX)])


def _has_checkpoints(scratch: Path) -> bool:
    return (scratch / "settings.json").is_file() and any(scratch.glob("checkpoints/*/epoch-*/state.json"))


def _try(scratch: Path) -> FileLock | None:
    lock = FileLock(scratch / "lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return None
    return lock
