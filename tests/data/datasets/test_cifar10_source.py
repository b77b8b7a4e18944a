"""Do the pictures of both archives come with their labels and pixels, and is a damaged archive refused?"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlkit.data.builders import load, load_source
from dlkit.data.datasets import cifar10
from dlkit.data.images import ImageData
from dlkit.data.sources import Source
from dlkit.errors import DataError, SettingsError

Contents = dict[str, bytes]
TRAIN, TEST = 2, 1


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Source:
    """Two pictures of a class train and one tests; a batch holds four."""
    monkeypatch.setattr(cifar10, "PER_CLASS", {"train": TRAIN, "test": TEST})
    monkeypatch.setattr(cifar10, "BATCH_ROWS", 10)
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DLKIT_DATA", raising=False)
    return replace(cifar10.SOURCE, rows={"train": 10 * TRAIN, "test": 10 * TEST})


def jpeg(level: int, size: tuple[int, int] = (32, 32), kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (level, 10, 200)).save(file, kind, quality=95)
    return file.getvalue()


def as_zip(path: Path, change: Callable[[Contents], object] = lambda _contents: None) -> Path:
    contents: Contents = {"cifar10/README": b"about"}
    for split, count in (("train", TRAIN), ("test", TEST)):
        for number, label in enumerate(cifar10.LABELS):
            for i in range(count):
                contents[f"cifar10/{split}/{label}/{i:04d}.jpg"] = jpeg(20 * number + (split == "test"))
    change(contents)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def record(label: int, level: int) -> bytes:
    """Red is the row, green the column, blue `level`."""
    rows = np.arange(32, dtype=np.uint8)
    planes = [np.repeat(rows[:, None], 32, 1), np.repeat(rows[None], 32, 0), np.full((32, 32), level, np.uint8)]
    return bytes([label]) + np.stack(planes).tobytes()


def as_tar(path: Path, change: Callable[[Contents], object] = lambda _contents: None) -> Path:
    folder = "cifar-10-batches-bin"
    contents: Contents = {f"{folder}/batches.meta.txt": ("\n".join(cifar10.LABELS) + "\n\n").encode()}
    for number in (1, 2):
        contents[f"{folder}/data_batch_{number}.bin"] = b"".join(record(i, 10 * i + number) for i in range(10))
    contents[f"{folder}/test_batch.bin"] = b"".join(record(9 - i, 200 + i) for i in range(10))
    contents[f"{folder}/readme.html"] = b"<html>"
    change(contents)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_the_zip_gives_each_picture_its_split_and_label(small: Source, tmp_path: Path) -> None:
    splits = load_source(small, path=as_zip(tmp_path / "cifar10.zip")).splits
    for name, count in (("train", TRAIN), ("test", TEST)):
        images, labels = splits[name].inputs["image"], splits[name].targets
        assert images.shape == (10 * count, 32, 32, 3) and images.dtype == np.uint8
        assert isinstance(labels, np.ndarray) and Counter(labels) == dict.fromkeys(cifar10.LABELS, count)
        expected = [20 * cifar10.LABELS.index(label) + (name == "test") for label in labels]
        np.testing.assert_allclose(images[:, 16, 16, 0], expected, atol=3)
        np.testing.assert_allclose(images[..., 2], 200, atol=3)


def test_the_binary_version_gives_the_pixels_exactly(small: Source, tmp_path: Path) -> None:
    splits = load_source(small, path=as_tar(tmp_path / "cifar-10-binary.tar.gz")).splits
    images, labels = splits["train"].inputs["image"], np.asarray(splits["train"].targets)
    rows, columns = np.indices((32, 32))
    for image in images:
        np.testing.assert_array_equal(image[..., 0], rows)
        np.testing.assert_array_equal(image[..., 1], columns)
    found = {(label, int(image[5, 7, 2])) for label, image in zip(labels, images, strict=True)}
    assert found == {(label, 10 * i + n) for i, label in enumerate(cifar10.LABELS) for n in (1, 2)}
    tested = dict(zip(splits["test"].targets, splits["test"].inputs["image"][:, 0, 0, 2].tolist(), strict=True))
    assert tested == {label: 209 - i for i, label in enumerate(cifar10.LABELS)}


def test_only_the_zip_is_said_to_be_lossy(small: Source, tmp_path: Path) -> None:
    import hashlib

    path = as_zip(tmp_path / "cifar10.zip")
    binary, zipped = (form[0] for form in small.forms)
    known = replace(zipped, sha256=(hashlib.sha256(path.read_bytes()).hexdigest(),))
    (note,) = load_source(replace(small, forms=((binary,), (known,))), path=path).notes
    assert "slightly lossy" in note
    (note,) = load_source(small, path=as_tar(tmp_path / "cifar-10-binary.tar.gz")).notes
    assert "is not a file that dlkit knows" in note


CAT = "cifar10/train/cat/0001.jpg"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop(CAT), r"expected 2 pictures of the class 'cat' in split 'train', found 1\. Get the archive"),
        (lambda c: c.update({CAT: c[CAT][:-200]}), r"0001\.jpg: the picture is damaged .*Get the archive again"),
        (lambda c: c.update({CAT: b"<html>"}), r"cat/0001\.jpg: no picture that can be read.*<html>"),
        (lambda c: c.update({CAT: jpeg(0, (32, 33))}), r"cat/0001\.jpg: expected 32 x 32 pixels, got 32 x 33"),
        (lambda c: c.update({"../evil.jpg": b""}), "would be written outside of the folder"),
        (lambda c: c.clear(), "expected 2 pictures of the class 'airplane' in split 'train', found 0"),
    ],
    ids=["missing", "cut short", "no picture", "other size", "traversal", "empty"],
)
def test_a_damaged_zip_is_refused_with_its_member(
    small: Source, tmp_path: Path, change: Callable[[Contents], object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_source(small, path=as_zip(tmp_path / "cifar10.zip", change))


BATCH, META = "cifar-10-batches-bin/data_batch_2.bin", "cifar-10-batches-bin/batches.meta.txt"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update({BATCH: c[BATCH][:-1]}), r"10 records of 3,073 bytes in .*_2\.bin, got 30,729 bytes"),
        (lambda c: c.update({BATCH: b"\x0a" + c[BATCH][1:]}), r"record 0 of .*data_batch_2\.bin has the class 10"),
        (lambda c: c.update({META: b"beaver\ndolphin\n"}), r"batches\.meta\.txt names other classes than airplane"),
        (lambda c: c.pop(BATCH), "expected 2 pictures of the class 'airplane' in split 'train', found 1"),
    ],
    ids=["cut short", "unknown class", "other classes", "missing"],
)
def test_a_damaged_binary_version_is_refused_with_its_member(
    small: Source, tmp_path: Path, change: Callable[[Contents], object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_source(small, path=as_tar(tmp_path / "cifar-10-binary.tar.gz", change))


def test_columns_of_a_csv_cannot_be_set_with_it() -> None:
    with pytest.raises(SettingsError, match=r"data\.target='kind' is for a file of your own .* it is 'label'"):
        ImageData(target="kind").load(None, say=str)


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_the_real_archive_has_5_000_and_1_000_pictures_a_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path))
    result = load("cifar10", allow_download=False)
    for name, count in (("train", 5_000), ("test", 1_000)):
        split = result.splits[name]
        assert Counter(split.targets) == dict.fromkeys(cifar10.LABELS, count)
        assert split.inputs["image"].shape == (10 * count, 32, 32, 3)
    train = result.splits["train"].inputs["image"]
    # As everybody finds them: https://github.com/kuangliu/pytorch-cifar normalises by 0.4914, 0.4822, 0.4465.
    np.testing.assert_allclose(train.mean(axis=(0, 1, 2)) / 255, [0.4914, 0.4822, 0.4465], atol=0.001)
    splits = ImageData().load(None, say=str, allow_download=False)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (45_000, 5_000, 10_000)
    assert Counter(splits.validation.targets) == dict.fromkeys(cifar10.LABELS, 500)
    assert splits.target_name == "label" and splits.kinds == {"image": "image"}
