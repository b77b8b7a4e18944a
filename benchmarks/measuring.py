"""How long does a whole process take, and how much memory does it hold at most?

Nothing heavy is imported here: a child's peak memory includes what its parent held when it was started.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Finished:
    """A process that ended well. `seconds`: from start to end. `peak_mb`: largest resident memory, in 10^6 bytes."""

    seconds: float
    peak_mb: float
    output: str

    @property
    def document(self) -> dict[str, object]:
        """The JSON object on the last line of the output."""
        found = json.loads(self.output.strip().splitlines()[-1])
        if not isinstance(found, dict):
            raise TypeError(f"expected a JSON object, got {self.output[-200:]!r}")
        return found


def run(command: Sequence[str], *, environment: dict[str, str] | None = None, folder: Path | None = None) -> Finished:
    """Run a command to its end; RuntimeError with what it wrote where it fails."""
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})}
    with TemporaryFile() as out, TemporaryFile() as err:
        started = time.perf_counter()
        child = subprocess.Popen(list(command), stdout=out, stderr=err, env=variables, cwd=folder)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output, complaints = _content(out), _content(err)
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{output[-500:]}\n{complaints[-3000:]}")
    return Finished(seconds, megabytes(usage.ru_maxrss), output)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def script(name: str, *arguments: str, environment: dict[str, str] | None = None) -> Finished:
    """Run one of the scripts beside this file, in a fresh interpreter."""
    return run([sys.executable, str(HERE / name), *arguments], environment=environment)


def megabytes(maxrss: int) -> float:
    return maxrss / 1e6 if sys.platform == "darwin" else maxrss * 1024 / 1e6


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return round(megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss), 1)


@dataclass
class Stages:
    """Seconds by stage, and the peak memory at the end of each."""

    seconds: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
        self.peaks[name] = peak_mb()

    def print(self, **more: object) -> None:
        """One JSON object on the last line."""
        print(json.dumps({"seconds": self.seconds, "peaks": self.peaks, **more}))


def machine() -> str:
    """What seconds were measured on: cores, what else runs on them, and their kind."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {platform.machine()}"


def in_rounds(epochs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every epoch but the first."""
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
        for name, epoch in epochs.items():
            started = time.perf_counter()
            epoch()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds
