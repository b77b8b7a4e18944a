"""What can this machine do for dlkit?"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dlkit.data.cache import cache_folder
from dlkit.training.precision import instructions

_NEEDED = ("tensorflow", "keras", "keras-hub", "tensorflow-datasets", "scikit-learn", "ai-edge-litert", "numpy")
_EXTRAS = {"serve": "nicegui", "onnx": "onnxruntime", "augment": "keras_cv"}


def diagnose() -> dict[str, object]:
    """Python, processor, memory, disk, packages and data places; "problems" lists what would stop a run."""
    packages = {name: _version(name) for name in _NEEDED}
    cache = cache_folder()
    data = os.environ.get("DLKIT_DATA")
    free = shutil.disk_usage(_existing(Path.cwd())).free
    problems = [
        f"{name} is not installed: pip install --upgrade dlkit" for name, found in packages.items() if not found
    ]
    if data is not None and not Path(data).expanduser().is_dir():
        problems.append(f"DLKIT_DATA={data} is no folder: correct or unset it")
    if not os.access(_existing(cache), os.W_OK):
        problems.append(f"the cache {cache} cannot be written to: set DLKIT_CACHE to another folder")
    if free < 2e9:
        problems.append(f"only {free / 1e9:.1f} GB are free here: a run may need 2 GB")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": instructions(),
        "memory_gb": _memory_gb(),
        "free_disk_gb": round(free / 1e9, 1),
        "packages": packages,
        "extras": {extra: importlib.util.find_spec(module) is not None for extra, module in _EXTRAS.items()},
        "data": data,
        "cache": str(cache),
        "problems": problems,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None
