"""How is a growing file, or standard input, followed row by row, and never let go by what it brings?

A file that stops is waited for; one that is cut off or replaced is read from its start; rows that are none are skipped
and counted. Memory is that of a chunk of bytes and a window.
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dlkit.errors import DataNotFoundError
from dlkit.inference.predictor import Predictor
from dlkit.inference.streaming import Judged, StreamRows, StreamScorer

CHUNK = 1 << 18
"""Bytes read at once."""
LONGEST_LINE = 1 << 20
"""A line that goes on for longer is no row; nothing of it is kept."""
_POLL = 0.2
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)


@dataclass
class Followed:
    """What became of a stream so far."""

    rows: int = 0
    scored: int = 0
    alarms: int = 0
    gaps: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def line(self) -> str:
        """For a person."""
        lost = "; ".join(f"{count} {reason}" for reason, count in self.skipped.items())
        skipped = f"{sum(self.skipped.values())} skipped ({lost})" if lost else "none skipped"
        gaps = f", {self.gaps} gap{'s' * (self.gaps > 1)}" if self.gaps else ""
        return f"{self.rows} rows, {self.scored} scored, {self.alarms} alarms, {skipped}{gaps}"


class Follower:
    """A stream judged as it arrives. `summary` tells at any time what became of it."""

    def __init__(self, predictor: Predictor, *, say: Callable[[str], None]) -> None:
        self.scorer = StreamScorer(predictor)
        self.summary = Followed()
        self._rows = StreamRows(self.scorer.kinds, say, self.scorer.ordered, self.scorer.gap, self.scorer.clock)

    def follow(self, chunks: Iterator[bytes]) -> Iterator[Judged]:
        """Bytes as they come, b"" where the source was begun anew, to judged rows in their order.

        InputError once they have ended, where nothing said which columns they are.
        """
        for lines in _lines(chunks, self._rows.skipped):
            for columns, times, fresh in self._rows.parse(lines):
                if fresh:
                    self.scorer.restart()
                judged = self.scorer.push(columns, times)
                self.summary.rows += len(judged)
                self.summary.scored += len(judged) - int(np.count_nonzero(np.isnan(judged.scores)))
                self.summary.alarms += int(np.count_nonzero(judged.alarms))
                self._count_lost()
                yield judged
            self._count_lost()
        self._rows.finish()

    def _count_lost(self) -> None:
        self.summary.skipped, self.summary.gaps = dict(self._rows.skipped), self._rows.gaps


def pipe_chunks(stream: BinaryIO, *, idle: float | None = None) -> Iterator[bytes]:
    """What a pipe, or a file in its place, brings, as soon as it comes, until it is closed.

    `idle`: seconds without anything new after which this ends, a fifth of one at least; None: never.
    """
    while _is_ready(stream, None if idle is None else max(idle, _POLL)) and (chunk := os.read(stream.fileno(), CHUNK)):
        yield chunk


def _is_ready(stream: BinaryIO, seconds: float | None) -> bool:
    """Whether something can be read, or the other end is closed, within so many seconds."""
    return seconds is None or bool(select.select([stream], [], [], seconds)[0])


def file_chunks(
    path: Path, *, idle: float | None = None, wait: Callable[[float], None] = time.sleep
) -> Iterator[bytes]:
    """What stands in a file, or comes through a named pipe, and what is added to it; b"" once it was cut off or
    replaced, then the new one.

    `idle`: seconds without anything new after which this ends, of a pipe a fifth of one at least; None: never. `wait`:
    how to pass the time.
    """
    try:
        file = _opened(path)
    except OSError as error:
        raise DataNotFoundError(f"--file: {path} cannot be read ({error.strerror}).") from error
    if idle is not None and stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
        idle = max(idle, _POLL)
    waited = 0.0
    try:
        while True:
            if chunk := file.read(CHUNK):
                waited = 0.0
                yield chunk
                continue
            if idle is not None and waited >= idle:
                return
            if chunk is None:  # a pipe into which nobody writes just now
                waited += 0.0 if _is_ready(file, _POLL) else _POLL
                continue
            if (newer := _begun_anew(path, file)) is not None:
                file.close()
                file, waited = newer, 0.0
                yield b""
                continue
            wait(_POLL)
            waited += _POLL
    finally:
        file.close()


def _opened(path: Path) -> BinaryIO:
    """Not buffered and not waited for: what a named pipe brings is to be there at once, and its writer may be late."""
    return open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | _AT_ONCE))


def _begun_anew(path: Path, file: BinaryIO) -> BinaryIO | None:
    """The file of that name, opened, if it is another one or shorter than what was read; None where it is the same, or
    not there for the moment.
    """
    try:
        now, ours = path.stat(), os.fstat(file.fileno())
        same = (now.st_ino, now.st_dev) == (ours.st_ino, ours.st_dev)
        return None if same and now.st_size >= file.tell() else _opened(path)
    except OSError:
        return None


def _lines(chunks: Iterator[bytes], skipped: dict[str, int]) -> Iterator[list[str]]:
    """Whole lines of each chunk, and the last one even without an end once the source has ended."""
    rest, too_long = b"", False
    for chunk in chunks:
        if not chunk:
            rest, too_long = b"", False
            continue
        *whole, rest = (rest + chunk).split(b"\n")
        if too_long and whole:
            whole, too_long = whole[1:], False
        if len(rest) > LONGEST_LINE or too_long:
            if not too_long:
                skipped["a line without an end"] = skipped.get("a line without an end", 0) + 1
            rest, too_long = b"", True
        if whole:
            yield [line.decode("utf-8", "replace") for line in whole]
    if rest:
        yield [rest.decode("utf-8", "replace")]
