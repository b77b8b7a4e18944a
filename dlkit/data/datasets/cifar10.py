"""CIFAR-10: which of ten things does a picture of 32 x 32 pixels show?

Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images": 50,000 colour pictures to train on and
10,000 to test with, as many of each class. The official binary version holds the pixels themselves; `cifar10.zip`, as
others pack it, a JPEG a picture in a folder a class, which is smaller and slightly lossy. The official version for
Python is a pickle, which runs whatever code it holds, so it is not read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dlkit.data.archives import members
from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError, InputError

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (32, 32, 3)
PER_CLASS = {"train": 5_000, "test": 1_000}
BATCH_ROWS = 10_000

_PICTURE = re.compile(rf"cifar10/(train|test)/({'|'.join(LABELS)})/([^/]+\.jpg)")
_BATCH = re.compile(r"(?:.*/)?((?:data|test)_batch(?:_[1-5])?)\.bin")
_NAMES = re.compile(r"(?:.*/)?batches\.meta\.txt")
_RECORD = 1 + 32 * 32 * 3


def read(paths: Sequence[Path]) -> Examples:
    """Pictures by split, from either form: their members have different names. Read twice, nothing has to wait."""
    (archive,) = paths
    return {split: pictures(archive, split) for split in PER_CLASS}


def pictures(archive: Path, split: str) -> Iterator[tuple[str, Example]]:
    """Those of a split, one member after the other."""
    counts = Counter(dict.fromkeys(LABELS, 0))
    for name, content in members(archive, wanted=lambda name: _is_wanted(name, split)):
        for key, label, image in _of_member(archive, name, content):
            counts[label] += 1
            yield key, {"image": image, "label": label}
    for label, count in counts.items():
        if count != PER_CLASS[split]:
            raise DataError(
                f"{archive}: expected {PER_CLASS[split]:,} pictures of the class {label!r} in split {split!r}, found "
                f"{count:,}. Get the archive again: dlkit data cifar10 --download"
            )


def _is_wanted(name: str, split: str) -> bool:
    if picture := _PICTURE.fullmatch(name):
        return picture[1] == split
    if batch := _BATCH.fullmatch(name):
        return batch[1].startswith("data") == (split == "train")
    return _NAMES.fullmatch(name) is not None


def _of_member(archive: Path, name: str, content: bytes) -> Iterator[tuple[str, str, np.ndarray]]:
    """Key, label and pixels of each picture in it."""
    if picture := _PICTURE.fullmatch(name):
        yield name, picture[2], _decoded(archive, name, content)
    elif batch := _BATCH.fullmatch(name):
        yield from _records(archive, name, batch[1], content)
    elif tuple(content.decode("utf-8", "replace").split()) != LABELS:
        raise DataError(f"{archive}: {name} names other classes than {', '.join(LABELS)}. Is it CIFAR-10?")


def _decoded(archive: Path, name: str, content: bytes) -> np.ndarray:
    from dlkit.inference.images import decode

    try:
        image = decode(content, 3, f"{archive}, {name}")
    except InputError as error:
        raise DataError(f"{error} Get the archive again.") from error
    if image.shape != SHAPE:
        height, width = image.shape[:2]
        raise DataError(f"{archive}, {name}: expected 32 x 32 pixels, got {width} x {height}. Get the archive again.")
    return image


def _records(archive: Path, name: str, batch: str, content: bytes) -> Iterator[tuple[str, str, np.ndarray]]:
    """A byte with the number of the class, then 1,024 of red, of green and of blue, row by row."""
    if len(content) != BATCH_ROWS * _RECORD:
        raise DataError(
            f"{archive}: expected {BATCH_ROWS:,} records of {_RECORD:,} bytes in {name}, got {len(content):,} bytes. "
            "Get the archive again: dlkit data cifar10 --download"
        )
    for row, record in enumerate(np.frombuffer(content, np.uint8).reshape(-1, _RECORD)):
        if record[0] >= len(LABELS):
            raise DataError(f"{archive}: record {row} of {name} has the class {record[0]}; known: 0 to 9.")
        yield f"{batch}/{row:05d}", LABELS[record[0]], record[1:].reshape(3, 32, 32).transpose(1, 2, 0)


SOURCE = Source(
    name="cifar10",
    title="CIFAR-10 pictures of ten classes",
    forms=(
        (
            File(
                "cifar-10-binary.tar.gz",
                sha256=("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",),
                url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                url_sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                bytes=170_052_171,
            ),
        ),
        (
            File(
                "cifar10.zip",
                sha256=("fcbb257bd75a2c275a01bdf13a3f4600a2d0ef62feaa087985941076e597e822",),
                note="cifar10.zip holds its pictures as JPEG, which is slightly lossy: figures may differ a little "
                "from those on the official binary version",
            ),
        ),
    ),
    read=read,
    rows={split: count * len(LABELS) for split, count in PER_CLASS.items()},
    kinds={"image": "image"},
    target="label",
    target_kind="label",
    labels=LABELS,
    image_shape=SHAPE,
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="none stated; cite Krizhevsky 2009",
)
