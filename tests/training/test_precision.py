"""Does a training compute in 16 bits only where the machine has units for it?"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from dlkit.training import precision


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Set what the processor's flags and the GPUs are."""

    def of(flags: str | None, *capabilities: tuple[int, int]) -> None:
        information = tmp_path / "cpuinfo"
        if flags is not None:
            information.write_text(f"processor : 0\nflags : fpu {flags}\n", encoding="utf-8")
        monkeypatch.setattr(precision, "_INFORMATION", information)
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: list(capabilities))
        details = SimpleNamespace(get_device_details=lambda gpu: {"compute_capability": gpu})
        monkeypatch.setattr(tf.config, "experimental", details)

    return of


@pytest.mark.parametrize(
    ("flags", "gpus", "expected"),
    [
        ("avx2 avx512f avx512_bf16", (), "mixed_bfloat16"),
        ("avx2 amx_bf16", (), "mixed_bfloat16"),
        ("asimd bf16", (), "mixed_bfloat16"),
        ("avx2 avx512f", (), "float32"),
        ("notbf16x", (), "float32"),
        (None, (), "float32"),
        ("avx2", ((9, 0),), "mixed_bfloat16"),
        ("avx512_bf16", ((7, 5),), "float32"),
        ("avx512_bf16", ((9, 0), (7, 0)), "float32"),
    ],
)
def test_16_bits_are_chosen_where_there_are_units_for_them(machine, flags, gpus, expected) -> None:
    machine(flags, *gpus)
    assert precision.quickest() == expected


def test_the_instructions_that_are_known_are_told(machine) -> None:
    machine("sse avx2 amx_bf16")
    assert precision.instructions() == ["avx2", "amx_bf16"]
