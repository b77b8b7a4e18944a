"""Is a table that does not fit into memory told from one that does, on a machine and in a container?"""

from __future__ import annotations

from pathlib import Path

import pytest

from dlkit.errors import SettingsError
from dlkit.models import memory


def test_a_container_bounds_what_the_machine_has_free(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:       24 kB\nMemAvailable:       7 kB\n", encoding="ascii")
    assert memory.free_memory(tmp_path) == 7 * 1024
    limit = tmp_path / "sys" / "fs" / "cgroup" / "memory.max"
    limit.parent.mkdir(parents=True)
    for text, expected in (("max\n", 7 * 1024), ("5000\n", 5000), ("9223372036854771712\n", 7 * 1024)):
        limit.write_text(text, encoding="ascii")
        assert memory.free_memory(tmp_path) == expected


def test_this_machine_has_free_memory_whether_it_says_how_much_or_only_how_much_there_is(tmp_path: Path) -> None:
    for system in (Path("/"), tmp_path):
        found = memory.free_memory(system)
        assert found is not None and found > 10_000_000


def test_a_table_is_refused_with_sizes_and_the_rows_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2_000_000_000)
    said = []
    for rows in (125_000, 125_001):
        try:
            memory.check_fits("They", rows, 1000, copies=4, remedy="Take {fits}.")
        except SettingsError as error:
            said.append(str(error))
    assert said == ["They take 0.5 GB, and a run holds 4 such tables (2.0 GB); 2.0 GB of memory are free. Take 120000."]


def test_where_nothing_is_known_of_the_memory_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    memory.check_fits("They", 10**12, 1000, copies=4, remedy="")
