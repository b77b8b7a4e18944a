"""Is native code kept quiet, and does everybody get standard error back?"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

import pytest

from dlkit.inference.quiet import silent_standard_error


def test_what_is_written_inside_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    with silent_standard_error():
        os.write(2, b"inside")
    os.write(2, b"outside")
    assert capfd.readouterr().err == "outside"


def test_blocks_that_overlap_as_those_of_threads_do_give_it_back(capfd: pytest.CaptureFixture[str]) -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(silent_standard_error())
    second.enter_context(silent_standard_error())
    first.close()
    os.write(2, b"one is inside yet")
    second.close()
    os.write(2, b"outside")
    assert capfd.readouterr().err == "outside"


def test_a_python_without_standard_error_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with silent_standard_error():
        pass
