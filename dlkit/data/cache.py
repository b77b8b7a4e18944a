"""Where does dlkit keep what it fetched and prepared, and how do processes share it?

In `$DLKIT_CACHE`, by default `~/.cache/dlkit`. Whoever writes there holds a `flock` on a file beside it: the
lock goes with the process, so a kill -9 leaves nothing to clean up.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dlkit.errors import DataError


def cache_folder() -> Path:
    """`$DLKIT_CACHE`, by default `~/.cache/dlkit`."""
    return Path(os.environ.get("DLKIT_CACHE") or Path.home() / ".cache" / "dlkit").expanduser().absolute()


@contextmanager
def exclusive(lock: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold `lock` (made where missing); `waiting` is called once if another process has it."""
    with writing(lock.parent):
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("w")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Report a folder that cannot be written to, and a full disk, with the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(folder) from error
        raise DataError(
            f"{folder} cannot be written ({error.strerror or error}). "
            "Set DLKIT_CACHE to a folder that can be written to."
        ) from error


def disk_full(folder: Path) -> DataError:
    return DataError(f"{folder}: the disk is full. Make room, or set DLKIT_CACHE to a folder on another disk.")
