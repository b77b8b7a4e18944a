"""How are pictures and labels read from the idx files of MNIST and of all that came after it?

A header of big-endian numbers of 32 bits (2,051, count, height, width; of labels 2,049, count), then a byte a pixel,
row by row, or a byte a label (LeCun et al. 1998, http://yann.lecun.com/exdb/mnist/).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dlkit.data.archives import gunzip
from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError

NAMES = tuple(f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1"))
"""The four files, in the order in which `read` takes them."""
SHAPE = (28, 28, 1)
ROWS = {"train": 60_000, "test": 10_000}
_PICTURES, _LABELS = 2_051, 2_049


def idx_source(
    name: str, title: str, labels: tuple[str, ...], files: Sequence[File], *, home: str, licence: str
) -> Source:
    """A dataset of four idx files; `labels`: by the byte that stands for each."""
    return Source(
        name=name,
        title=title,
        forms=(tuple(files),),
        read=partial(read, labels=labels),
        rows=ROWS,
        kinds={"image": "image"},
        target="label",
        target_kind="label",
        labels=labels,
        image_shape=SHAPE,
        home=home,
        licence=licence,
    )


def read(paths: Sequence[Path], *, labels: Sequence[str]) -> Examples:
    """Pictures (28, 28, 1) uint8 with their labels, by split."""
    return {
        "train": _rows(paths[0], paths[1], labels),
        "test": _rows(paths[2], paths[3], labels),
    }


def _rows(pictures: Path, numbers: Path, labels: Sequence[str]) -> Iterator[tuple[str, Example]]:
    pixels, known = _array(pictures, _PICTURES, SHAPE[:2]), _array(numbers, _LABELS, ())
    if len(pixels) != len(known):
        raise DataError(
            f"{pictures.name} holds {len(pixels):,} pictures, {numbers.name} {len(known):,} labels; expected as many. "
            f"Get both again from one place ({pictures.parent})."
        )
    for row, (picture, number) in enumerate(zip(pixels, known.tolist(), strict=True)):
        if number >= len(labels):
            raise DataError(f"{numbers}: label {row} is {number}; expected 0 to {len(labels) - 1}. Get the file again.")
        yield f"{row:05d}", {"image": picture[:, :, np.newaxis], "label": labels[number]}


def _array(path: Path, magic: int, shape: tuple[int, ...]) -> np.ndarray:
    """(count, *shape) uint8."""
    content = gunzip(path)
    length = min(2 + len(shape), len(content) // 4)
    header = np.frombuffer(content, ">u4", count=length)
    if len(header) < 2 + len(shape) or header[0] != magic or tuple(header[2:]) != shape:
        raise DataError(
            f"{path}: expected an idx file that begins with {[magic, 'count', *shape]}, got {header.tolist()}. "
            "Pictures of another size can be given as a folder of files: --data FOLDER"
        )
    found = np.frombuffer(content, np.uint8, offset=header.nbytes)
    if len(found) != int(header[1]) * int(np.prod(shape)):
        raise DataError(
            f"{path}: its header announces {int(header[1]):,} rows of {int(np.prod(shape))} bytes, and {len(found):,} "
            "bytes follow. Get the file again."
        )
    return found.reshape(int(header[1]), *shape)
