"""Does one process wait for the other, and does a killed one leave no lock behind?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlkit.data.cache import cache_folder, exclusive
from dlkit.errors import DataError

HOLDER = """
import sys
from pathlib import Path
from dlkit.data.cache import exclusive
with exclusive(Path(sys.argv[1]), waiting=lambda: None):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_cache_is_where_the_variable_says_and_else_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLKIT_CACHE", "/some/where")
    assert cache_folder() == Path("/some/where")
    monkeypatch.setenv("DLKIT_CACHE", "")
    assert cache_folder() == Path.home() / ".cache" / "dlkit"


def test_a_lock_held_elsewhere_is_said_and_waited_for_and_goes_with_a_kill(tmp_path: Path) -> None:
    lock = tmp_path / "below" / "lock"
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        waited: list[str] = []

        def waiting() -> None:
            waited.append("waiting")
            holder.kill()

        with exclusive(lock, waiting=waiting):
            assert waited == ["waiting"]
    with exclusive(lock, waiting=lambda: pytest.fail("nobody holds it any more")):
        pass


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataError, match="Set DLKIT_CACHE to a folder that can be written"),
        exclusive(tmp_path / "file" / "lock", waiting=lambda: None),
    ):
        pass
