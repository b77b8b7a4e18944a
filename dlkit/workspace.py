"""Where does a run take shape, so that a version exists complete or not at all?

A run claims its number by making the hidden neighbour `.<n>.partial/`, works in there under a lock, and appears as
`<n>/` by one rename. Whatever kills the process leaves at most a hidden folder that nobody holds: its checkpoints serve
`--resume`, and one without checkpoints, or whose version has appeared, is swept away by the next run.
"""

from __future__ import annotations

import contextlib
import errno
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
            raise RunError(f"{self.final} appeared while the run was made. Move it away, then go on with --resume.")
        self.run.rename(self.final)


@contextmanager
def workspace(folder: Path, settings: dict[str, object], *, resume: bool) -> Iterator[Workspace]:
    """A workspace in `folder` (`<root>/<recipe>`), held until the block ends.

    When the block fails, checkpoints stay for `--resume`; all else goes.
    """
    new = [path for path in (folder, folder.parent) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    sweep(folder)
    found = _interrupted(folder, settings) if resume else None
    scratch, lock = found or _claimed(folder)
    space, entered = Workspace(scratch, _final(scratch), resumed=found is not None), False
    try:
        _write_settings(scratch, settings)
        shutil.rmtree(space.run, ignore_errors=True)
        space.run.mkdir()
        entered = True
        yield space
    finally:
        published = entered and not space.run.exists()
        shutil.rmtree(space.run, ignore_errors=True)
        if published or not _has_checkpoints(scratch):
            shutil.rmtree(scratch, ignore_errors=True)
        lock.release()
        with contextlib.suppress(OSError):  # one that holds anything stays
            for path in new:
                path.rmdir()


def sweep(folder: Path) -> None:
    """Remove what killed runs left, where there is nothing in it to resume from."""
    for scratch in _partials(folder):
        if not _resumable(scratch) and (lock := _try(scratch)) is not None:
            shutil.rmtree(scratch, ignore_errors=True)
            lock.release()


def interrupted_runs(folder: Path) -> list[Path]:
    """Hidden folders of killed runs that can be resumed, oldest first."""
    free = []
    for scratch in _partials(folder):
        if _resumable(scratch) and (lock := _try(scratch)) is not None:
            lock.release()
            free.append(scratch)
    return free


def _claimed(folder: Path) -> tuple[Path, FileLock]:
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)  # a run that failed may have taken the empty folder away
            taken = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
            taken += [_number(path) for path in _partials(folder)]
            scratch = folder / f".{max(taken, default=0) + 1}{_SUFFIX}"
            scratch.mkdir()
        except (FileExistsError, FileNotFoundError):
            continue  # another run claimed the number, or took the folder away, between two lines
        except OSError as error:
            raise _unwritable(folder, error) from error
        lock = FileLock(scratch / "lock")
        try:
            lock.acquire(timeout=0)
        except (FileExistsError, FileNotFoundError, Timeout):
            continue  # the sweep of another run saw the new folder before it was locked
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise _unwritable(folder, error) from error
        published = _final(scratch).exists()  # by a run that was in the number's folder while we listed the others
        if not published and (scratch / "lock").exists():
            return scratch, lock
        if published:
            shutil.rmtree(scratch, ignore_errors=True)
        lock.release()


def _unwritable(folder: Path, error: OSError) -> RunError | SettingsError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(f"{folder}: the disk is full. Free some space, or give a folder on another disk: --out DIR")
    return SettingsError(f"--out: cannot write to {folder} ({error.strerror}). Give a folder you may write to.")


def _write_settings(scratch: Path, settings: dict[str, object]) -> None:
    # Aside first: a kill here must not cost the settings that the checkpoints beside them need.
    aside = scratch / ".settings.json.partial"
    aside.write_text(json.dumps(settings, default=str), encoding="utf-8")
    aside.replace(scratch / "settings.json")


def _interrupted(folder: Path, settings: dict[str, object]) -> tuple[Path, FileLock] | None:
    """The newest interrupted run whose settings are ours, but for the epochs, locked; None where none was interrupted.

    SettingsError where there are some, all with other settings.
    """
    ours = json.loads(json.dumps(settings, default=str))
    refused = None
    for scratch in reversed(interrupted_runs(folder)):
        theirs = _settings(scratch)
        different = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        different = [key for key in different if not f".{key}".endswith(".training.epochs")]  # members have their own
        if not different and (lock := _try(scratch)) is not None:
            return scratch, lock
        if different and refused is None:
            parts = ", ".join(f"{key} was {theirs.get(key)}, now {ours.get(key)}" for key in different[:5])
            refused = SettingsError(
                f"--resume: the interrupted run {scratch} had other settings: {parts}. "
                "Give the same ones, or start anew without --resume."
            )
    if refused is not None:
        raise refused
    return None


def _settings(scratch: Path) -> dict[str, object]:
    try:
        content = json.loads((scratch / "settings.json").read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
        problem = f"expected a JSON object, got {type(content).__name__}"
    except (OSError, ValueError) as error:
        problem = str(error)
    raise RunError(
        f"{scratch / 'settings.json'} is damaged ({problem}). Remove {scratch}, or start anew without --resume."
    )


def _partials(folder: Path) -> list[Path]:
    found = [path for path in folder.glob(f".*{_SUFFIX}") if path.is_dir() and path.name[1 : -len(_SUFFIX)].isdigit()]
    return sorted(found, key=_number)


def _number(partial: Path) -> int:
    return int(partial.name[1 : -len(_SUFFIX)])


def _final(scratch: Path) -> Path:
    return scratch.with_name(str(_number(scratch)))


def _resumable(scratch: Path) -> bool:
    # A kill between publishing and tidying up leaves checkpoints of a run that is whole: nothing is left to resume.
    return not _final(scratch).exists() and _has_checkpoints(scratch)


def _has_checkpoints(scratch: Path) -> bool:
    return (scratch / "settings.json").is_file() and holds_checkpoints(scratch / "checkpoints")


def holds_checkpoints(folder: Path) -> bool:
    """Whether training can go on from what is in the folder `checkpoints` of a workspace."""
    return any(folder.glob("**/epoch-*/state.json"))  # an ensemble has them by member


def _try(scratch: Path) -> FileLock | None:
    lock = FileLock(scratch / "lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return None
    return lock
