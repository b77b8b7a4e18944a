"""Do the reviews of the archive come with their labels, and is an archive that misses some refused?"""

from __future__ import annotations

import io
import os
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dlkit.data.builders import load, load_source
from dlkit.data.datasets import imdb
from dlkit.data.sources import Source
from dlkit.errors import DataError

ROWS = {"train": 6, "test": 6}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Source:
    monkeypatch.setattr(imdb, "REVIEWS_PER_FOLDER", 3)
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))
    return replace(imdb.SOURCE, rows=ROWS)


def write(path: Path, change: Callable[[dict[str, bytes]], None] = lambda _contents: None) -> Path:
    """An archive in the form of the official one, with what is to be skipped."""
    contents = {"aclImdb/README": b"about", "aclImdb/train/unsup/0_0.txt": b"?", "aclImdb/imdb.vocab": b"the"}
    for split in ("test", "train"):
        contents[f"aclImdb/{split}/labeledBow.feat"] = b"1:1"
        for label in ("neg", "pos"):
            for number in range(3):
                contents[f"aclImdb/{split}/{label}/{number}_7.txt"] = f"{split} {label} {number} é<br />".encode()
    change(contents)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_each_review_keeps_its_split_and_label(small: Source, tmp_path: Path) -> None:
    result = load_source(small, path=write(tmp_path / "reviews.tar.gz"))
    for name, split in result.splits.items():
        for text, label in zip(split.inputs["text"], split.targets, strict=True):
            assert text.startswith(f"{name} {label} ")
            assert text.endswith("é<br />")


def test_a_missing_review_is_named_by_its_folder(small: Source, tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.tar.gz", lambda contents: contents.pop("aclImdb/test/pos/1_7.txt") and None)
    with pytest.raises(DataError, match=r"expected 3 reviews in aclImdb/test/pos/, found 2"):
        load_source(small, path=path)


def test_a_review_that_is_not_utf8_is_named(small: Source, tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.tar.gz", lambda contents: contents.update({"aclImdb/train/neg/2_7.txt": b"\xe9"}))
    with pytest.raises(DataError, match=r"member 'aclImdb/train/neg/2_7\.txt' is not UTF-8"):
        load_source(small, path=path)


def test_an_archive_of_something_else_is_refused(small: Source, tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.tar.gz", lambda contents: contents.clear())
    with pytest.raises(DataError, match=r"reviews\.tar\.gz: expected 3 reviews .* found 0"):
        load_source(small, path=path)


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_the_real_archive_has_25_000_reviews_a_split_half_of_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path))
    result = load("imdb", allow_download=False)
    assert result.notes == ()
    for split in result.splits.values():
        assert Counter(split.targets) == {"neg": 12_500, "pos": 12_500}
        assert all(isinstance(text, str) and text for text in split.inputs["text"])
    assert len(set(result.splits["train"].inputs["text"])) > 24_800
