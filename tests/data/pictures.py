"""Which pictures do tests read: a folder, zip or table of small ones, and ones that cannot be read?"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dlkit.contracts import Split, Splits
from dlkit.data.images import ImageData


def load(path: Path, **settings: object) -> Splits:
    return ImageData(**settings).load(path, say=lambda _: None)  # type: ignore[arg-type]  # some are wrong on purpose


def parts(splits: Splits) -> dict[str, Split]:
    return {"train": splits.train, "validation": splits.validation, "test": splits.test}


def labels(split: Split) -> list[str]:
    assert isinstance(split.targets, np.ndarray)
    return split.targets.tolist()


def picture(number: int, kind: str = "PNG", size: tuple[int, int] = (9, 11)) -> bytes:
    """A picture that differs from those of other numbers."""
    file = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256, 77)).save(file, kind)
    return file.getvalue()


def huge(width: int, height: int) -> bytes:
    """A PNG of which only the header is true."""
    header, pixels = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"")
    chunks = [struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in (header, pixels)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def animation() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def folder(root: Path, per_class: int = 10, classes: tuple[str, ...] = ("cat", "dog"), start: int = 0) -> Path:
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            (root / name / f"{i}.png").write_bytes(picture(start + 1000 * place + i))
    return root


def zipped(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def tree(start: str = "", per_class: int = 10) -> dict[str, bytes]:
    return {
        f"{start}{name}/{i}.png": picture(1000 * place + i)
        for place, name in enumerate(("cat", "dog"))
        for i in range(per_class)
    }


def table(root: Path, rows: Sequence[tuple[str, str]], header: str = "image,label") -> Path:
    path = root / "own.csv"
    path.write_text("\n".join([header, *[",".join(row) for row in rows], ""]), encoding="utf-8")
    return path
