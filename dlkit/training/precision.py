"""In how many bits does this machine compute quickest?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Precision = Literal["float32", "mixed_bfloat16", "auto"]

_KNOWN = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
_INFORMATION = Path("/proc/cpuinfo")


def instructions() -> list[str]:
    """Vector instructions that speed up training and inference, where the system tells."""
    words = set(_INFORMATION.read_text(encoding="utf-8").split()) if _INFORMATION.is_file() else set()
    return [name for name in _KNOWN if name in words]


def quickest() -> Literal["float32", "mixed_bfloat16"]:
    """16 bits on a GPU of compute capability 8 or more, or without a GPU on a processor with instructions for them.

    Elsewhere they would be emulated: 32.
    """
    import tensorflow as tf

    if gpus := tf.config.list_physical_devices("GPU"):
        capable = all(
            tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) >= (8, 0) for gpu in gpus
        )
    else:
        capable = not _BFLOAT16.isdisjoint(instructions())
    return "mixed_bfloat16" if capable else "float32"


@contextlib.contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Networks that are made meanwhile compute in it; their weights have 32 bits."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(quickest() if precision == "auto" else precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
