"""How many rows a second does `dlkit predict RUN --follow` score on one core, and does its memory stay where it is?

Usage: anomaly_stream.py RUN [--rows 10000000] [--singles 20000]. The command runs in a process of its own on one core,
with rows of a CSV on its standard input; another one makes them. "at once" is a stream that comes faster than it is
scored; "one by one" gives the next row when the last one has its score, as a sensor does. Memory is the resident one of
the process, at each tenth of the rows. One JSON object on the last line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlkit.inference import load

AT_ONCE = 10_000
_START = np.datetime64("2024-01-01T00:00:00")


def rows(channels: list[str], count: int, *, first: int = 0) -> Iterator[bytes]:
    """Lines of a CSV, some at a time: a second a row, channels that rise and fall with noise."""
    rng = np.random.default_rng(first)
    step = np.arange(AT_ONCE)
    waves = [np.sin(step / (20 + 7 * place)) + 0.1 * rng.normal(size=AT_ONCE) for place in range(len(channels))]
    values = ["".join(f",{wave[row]:.4f}" for wave in waves) + "\n" for row in step]
    for start in range(first, first + count, AT_ONCE):
        times = np.datetime_as_string(_START + (start + step[: first + count - start]))
        yield "".join(map(str.__add__, times.tolist(), values)).encode()


class Following:
    """The command at work on one core, given rows by `write`."""

    def __init__(self, run: Path, channels: list[str]) -> None:
        command = [sys.executable, "-m", "dlkit.cli", "predict", str(run), "--follow", "--json"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self.out = self._process.stdin, self._process.stdout
        os.sched_setaffinity(self._process.pid, {max(os.sched_getaffinity(0))})
        self.write(("time," + ",".join(channels) + "\n").encode())

    def write(self, lines: bytes) -> None:
        self._in.write(lines)
        self._in.flush()

    def memory_mb(self) -> float:
        """Resident memory in 10^6 bytes."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)

    def close(self) -> None:
        """End the stream; `cpu_seconds` is then known."""
        self._in.close()
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime


def at_once(run: Path, channels: list[str], count: int, window: int) -> dict[str, object]:
    """Rows a second from the first score to the last, rows a second of computing, start included, and memory."""
    following, memory = Following(run, channels), []

    def feed() -> None:
        for chunk in rows(channels, count):
            following.write(chunk)
        following.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    started, scored, next_look = 0.0, 0, 0
    expected = count - window + 1
    while lines := following.out.read1(1 << 16):
        scored += lines.count(b"\n")
        started = started or time.perf_counter()
        if scored >= next_look and scored < expected:
            memory.append(following.memory_mb())
            next_look += max(count // 10, 1)
            print(f"{scored} rows, {memory[-1]} MB", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - started
    feeder.join()
    assert scored == expected, f"{scored} of {expected} rows were scored"
    return {
        "rows": count,
        "seconds": round(seconds, 2),
        "rows_a_second": round(scored / seconds),
        "rows_a_cpu_second": round(scored / following.cpu_seconds),
        "memory_mb": memory,
    }


def one_by_one(run: Path, channels: list[str], count: int, window: int) -> dict[str, object]:
    """Microseconds from a row's last byte to its score, and those of computing, the start of the process included."""
    following, waits = Following(run, channels), []
    lines = b"".join(rows(channels, count + window)).splitlines(keepends=True)
    following.write(b"".join(lines[:window]))
    following.out.readline()
    for line in lines[window:]:
        begun = time.perf_counter()
        following.write(line)
        following.out.readline()
        waits.append(time.perf_counter() - begun)
    following.close()
    return {
        "rows": count,
        "rows_a_second": round(count / sum(waits)),
        "rows_a_cpu_second": round(count / following.cpu_seconds),
        "median_us": round(1e6 * float(np.median(waits)), 1),
        "p99_us": round(1e6 * float(np.quantile(waits, 0.99)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--singles", type=int, default=20_000)
    given = parser.parse_args()
    predictor = load(given.run)
    channels, window = list(predictor.kinds), int(predictor.transform.sizes.get("window", 1))
    print(
        json.dumps(
            {
                "run": str(given.run),
                "window": window,
                "channels": len(channels),
                "one by one": one_by_one(given.run, channels, given.singles, window),
                "at once": at_once(given.run, channels, given.rows, window),
            }
        )
    )


if __name__ == "__main__":
    main()
