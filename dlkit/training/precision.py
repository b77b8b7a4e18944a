"""In how many bits does this machine compute quickest?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Policy = Literal["float32", "mixed_bfloat16"]

_KNOWN = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
_INFORMATION = Path("/proc/cpuinfo")


def instructions() -> list[str]:
    """Vector instructions that speed up training and inference, where the system tells."""
    words = set(_INFORMATION.read_text(encoding="utf-8").split()) if _INFORMATION.is_file() else set()
    return [name for name in _KNOWN if name in words]


def quickest() -> Policy:
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
