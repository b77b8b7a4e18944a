"""How is a native library kept from writing to the terminal where nobody asked it?"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Silence:
    """Who is inside the blocks, of all threads: the last one who leaves gives standard error back."""

    def __init__(self) -> None:
        self.lock, self.inside, self.kept = threading.Lock(), 0, -1

    def enter(self) -> None:
        with self.lock:
            if not self.inside:
                self._turn_off()
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside and self.kept >= 0:
                _flush()
                os.dup2(self.kept, 2)
                os.close(self.kept)

    def _turn_off(self) -> None:
        try:
            self.kept = os.dup(2)
        except OSError:  # it is closed
            self.kept = -1
            return
        _flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


def _flush() -> None:
    if sys.stderr is not None:  # Python began with it closed
        sys.stderr.flush()


_silence = _Silence()


@contextmanager
def silent_standard_error() -> Iterator[None]:
    """The process's standard error goes nowhere inside the block: native code writes past `sys.stderr`."""
    _silence.enter()
    try:
        yield
    finally:
        _silence.leave()
