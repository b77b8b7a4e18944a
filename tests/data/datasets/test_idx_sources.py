"""Are the idx files of MNIST and Fashion-MNIST read as their headers say, and damaged ones refused?"""

from __future__ import annotations

import gzip
import os
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.data.builders import load, load_source
from dlkit.data.datasets import _idx, fashion_mnist, mnist
from dlkit.data.sources import Source
from dlkit.errors import DataError

ROWS = {"train": 4, "test": 2}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Source:
    """Four pictures train and two test."""
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DLKIT_DATA", raising=False)
    return replace(mnist.SOURCE, rows=ROWS)


def pictures(count: int, first: int = 0, size: int = 28) -> bytes:
    """Picture i is of grey level first + i, but for one white pixel in row 1, column 2."""
    pixels = np.repeat(np.arange(first, first + count, dtype=np.uint8), size * size).reshape(count, size, size)
    pixels[:, 1, 2] = 255
    return struct.pack(">4I", 2051, count, size, size) + pixels.tobytes()


def labels(*numbers: int) -> bytes:
    return struct.pack(">2I", 2049, len(numbers)) + bytes(numbers)


def folder(path: Path, **changes: bytes) -> Path:
    contents = {
        "train_images": pictures(4),
        "train_labels": labels(3, 1, 4, 1),
        "test_images": pictures(2, 100),
        "test_labels": labels(9, 0),
        **changes,
    }
    path.mkdir()
    for name, content in zip(_idx.NAMES, contents.values(), strict=True):
        (path / name).write_bytes(gzip.compress(content, mtime=0))
    return path


def test_each_picture_comes_with_its_label(small: Source, tmp_path: Path) -> None:
    train = load_source(small, path=folder(tmp_path / "mnist")).splits["train"]
    seen = {int(picture[0, 0, 0]): label for picture, label in zip(train.inputs["image"], train.targets, strict=True)}
    assert seen == {0: "3", 1: "1", 2: "4", 3: "1"}
    assert train.inputs["image"].shape == (4, 28, 28, 1) and (train.inputs["image"][:, 1, 2] == 255).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_labels": labels(1, 2, 3)}, r"4 pictures, .*labels-idx1-ubyte.gz 3 labels"),
        ({"test_labels": labels(9, 12)}, "label 1 is 12; expected 0 to 9"),
        ({"train_images": pictures(4, size=32)}, r"got \[2051, 4, 32, 32\]. Pictures of another size"),
        ({"train_images": pictures(4)[:-9]}, "announces 4 rows of 784 bytes, and 3,127 bytes follow"),
        ({"train_images": b"\0"}, "expected an idx file"),
        ({"train_images": labels(1, 2, 3, 4)}, "expected an idx file"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    small: Source, tmp_path: Path, changes: dict[str, bytes], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_source(small, path=folder(tmp_path / "mnist", **changes))


def test_both_datasets_have_ten_labels_and_pinned_files() -> None:
    for source in (mnist.SOURCE, fashion_mnist.SOURCE):
        assert len(source.labels or ()) == 10 and [file.name for file in source.forms[0]] == list(_idx.NAMES)


@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="real data")
def test_mnist_has_its_known_counts() -> None:
    test = load("mnist").splits["test"]
    assert Counter(test.targets)["0"] == 980 and Counter(test.targets)["1"] == 1135
    assert test.inputs["image"].shape == (10_000, 28, 28, 1)
