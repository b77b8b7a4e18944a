"""Do a network's tables fit into memory, known before the system has to end the process?"""

from __future__ import annotations

import os
from pathlib import Path

from dlkit.errors import SettingsError

NUMBER = 4
"""Bytes of a float32."""


def check_fits(what: str, rows: int, columns: int, *, copies: int, remedy: str) -> None:
    """SettingsError where a table of float32 numbers, held `copies` times, is more than the memory that is free.

    `what`: the table, in words that go before "take". `remedy`: "{fits}" in it becomes the number of rows that fit.
    """
    row, free = NUMBER * columns, free_memory()
    if free is not None and row * rows * copies > free:
        fits = free // (row * copies)
        fits -= fits % 10 ** max(len(str(fits)) - 2, 0)
        raise SettingsError(
            f"{what} take {_shown(row * rows)}, and a run holds {copies} such tables ({_shown(row * rows * copies)}); "
            f"{_shown(free)} of memory are free. {remedy.format(fits=fits)}"
        )


def free_memory(system: Path = Path("/")) -> int | None:
    """Bytes that this process may still take: what Linux calls available, at most what its container may have.

    All of the machine's memory where only that is known; None where nothing is. `system`: where /proc and /sys are.
    """
    found = [_available(system / "proc/meminfo"), *map(_limit, _limits(system))]
    known = [count for count in found if count is not None]
    return min(known) if known else None


def _limits(system: Path) -> list[Path]:
    """Where the memory of a container is said, by the second and by the first version of control groups."""
    return [system / "sys/fs/cgroup" / name for name in ("memory.max", "memory/memory.limit_in_bytes")]


def _limit(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdecimal() else None  # "max" where there is no limit


def _available(file: Path) -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in file.read_text(encoding="ascii").splitlines() if ":" in line)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _shown(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
