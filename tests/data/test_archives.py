"""Are archives read whole, and is everything refused that could do harm or is damaged?"""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from dlkit.data.archives import Limits, gunzip, members, sha256
from dlkit.errors import DataError, DataNotFoundError

CONTENTS = {"a/one.txt": b"one", "a/two.txt": b"two" * 900, "b/three.txt": b"", "b/four.txt": "vier ü".encode()}


def write_tar(path: Path, contents: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def write_zip(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(params=["tar", "tar.gz", "zip"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"archive.{request.param}"
    if request.param == "zip":
        return write_zip(path, CONTENTS)
    return write_tar(path, CONTENTS, "w" if request.param == "tar" else "w:gz")


def test_members_come_whole_and_in_the_order_of_the_archive(archive: Path) -> None:
    assert list(members(archive)) == list(CONTENTS.items())


def test_only_wanted_members_are_returned(archive: Path) -> None:
    assert dict(members(archive, wanted=lambda name: name.startswith("b/"))) == {
        "b/three.txt": b"",
        "b/four.txt": "vier ü".encode(),
    }


def test_folders_and_a_leading_dot_are_no_members(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.txt").write_text("x")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "in", "./in")
    assert list(members(tmp_path / "a.tar")) == [("in/x.txt", b"x")]


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/etc/out.txt", "C:out.txt", "a\\..\\out.txt"])
@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_names_that_leave_the_folder_are_refused_even_if_not_wanted(tmp_path: Path, name: str, write) -> None:
    path = write(tmp_path / "bad", {"good.txt": b"", name: b"x"})
    with pytest.raises(DataError, match="outside of the folder"):
        list(members(path, wanted=lambda name: name == "good.txt"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(DataError, match="a link, a device"):
        list(members(tmp_path / "bad.tar"))


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError, match="a link or a device"):
        list(members(tmp_path / "bad.zip"))


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(members=3), "more than 3 members"),
        (Limits(member_bytes=2_000), r"'a/two.txt' has 2,700 bytes, at most 2,000"),
        (Limits(total_bytes=2_100), r"it unpacks to .*more than 2,100"),
    ],
)
def test_archives_beyond_the_limits_are_refused(archive: Path, limits: Limits, why: str) -> None:
    with pytest.raises(DataError, match=why):
        list(members(archive, limits=limits))


def test_a_bomb_in_a_header_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    header = tarfile.TarInfo("PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 50_000_000
    with gzip.open(tmp_path / "bomb.tar.gz", "wb", 1) as file:
        file.write(header.tobuf())
        file.write(bytes(50_000_000))
    with pytest.raises(DataError, match="one member claims 50,000,"):
        list(members(tmp_path / "bomb.tar.gz", limits=Limits(member_bytes=1_000_000)))


def test_zeros_after_the_end_count_as_well(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", CONTENTS, "w")
    with gzip.open(tmp_path / "long.tar.gz", "wb", 1) as file:
        file.write(path.read_bytes())
        file.write(bytes(5_000_000))
    with pytest.raises(DataError, match="unpacks to more than 1,000,000"):
        list(members(tmp_path / "long.tar.gz", limits=Limits(total_bytes=1_000_000)))


def test_a_cut_archive_is_refused_wherever_it_is_cut(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    # A tar ends in padding that carries nothing: cut before it.
    end = 5_000 if archive.suffix == ".tar" else len(whole)
    cut = tmp_path / "cut"
    for length in random.Random(0).sample(range(end), 60):
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut is (damaged or cut short|refused)"):
            list(members(cut))


def test_a_changed_byte_never_gives_anything_but_data_error(archive: Path, tmp_path: Path) -> None:
    whole, generator, changed = archive.read_bytes(), random.Random(0), tmp_path / "changed"
    refused = 0
    for _ in range(200):
        content = bytearray(whole)
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        changed.write_bytes(content)
        try:
            list(members(changed))
        except DataError:
            refused += 1
    assert refused > 20


def test_a_wrong_checksum_at_the_end_of_a_gzip_is_found(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", CONTENTS)
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged or cut short \(CRC"):
        list(members(path))


@pytest.mark.parametrize("content", [b"", b"hello", b"<html>not found</html>" * 100, bytes(100)])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match="expected a complete tar"):
        list(members(tmp_path / "a.tar.gz"))


def test_a_missing_file_is_data_not_found(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"a\.zip cannot be read: No such file"):
        list(members(tmp_path / "a.zip"))
    with pytest.raises(DataNotFoundError, match="Is a directory"):
        sha256(tmp_path)


def test_gunzip_returns_the_single_file_within_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"x" * 1_000))
    assert gunzip(path, max_bytes=1_000) == b"x" * 1_000
    with pytest.raises(DataError, match="unpacks to more than 999 bytes"):
        gunzip(path, max_bytes=999)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="damaged or cut short"):
        gunzip(path)


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
