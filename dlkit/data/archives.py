"""How is an archive from anywhere read without trusting it?

Members are read into memory one after the other, never unpacked to disk. Refused, as `DataError`: names that
would leave the folder, links and devices, encrypted members, more or larger members than the limits allow
(decompression bombs), and files that are cut short or whose checksum does not agree.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dlkit.errors import DataError, DataNotFoundError


@dataclass(frozen=True)
class Limits:
    """`total_bytes` counts all that comes out of the decompression, wanted or not."""

    members: int = 250_000
    member_bytes: int = 1 << 28
    total_bytes: int = 1 << 32


DEFAULT_LIMITS = Limits()

_UTF8 = 0x800
"""The flag of a zip's member whose name is UTF-8 (APPNOTE 6.3.10, 4.4.4, bit 11)."""

_DAMAGE = (
    EOFError,
    zlib.error,
    struct.error,
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,  # zipfile: a compression that it does not know
    ValueError,  # names or numbers in a header that cannot be decoded
    RuntimeError,  # zipfile: an encrypted member
)


def sha256(path: Path) -> str:
    """The checksum of a file, in hex."""
    with _reported(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def gunzip(path: Path, *, max_bytes: int = DEFAULT_LIMITS.member_bytes) -> bytes:
    """The content of a gzip file that holds a single file (mnist's idx, multi30k's sentences)."""
    with _reported(path), gzip.open(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise _refused(path, f"it unpacks to more than {max_bytes:,} bytes")
    return content


def members(
    path: Path, *, wanted: Callable[[str], bool] | None = None, limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the regular files in a tar, tar.gz or zip, in the archive's order.

    `wanted` decides by name which contents are read; all members are checked. A damaged end is found when the
    iteration gets there, so a result counts only once the iteration has ended.
    """
    with _reported(path):
        with path.open("rb") as file:
            start = file.read(4)
        if start in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from _zip_members(path, wanted, limits)
        else:
            yield from _tar_members(path, wanted, limits, compressed=start.startswith(b"\x1f\x8b"))


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn what the standard library raises on a bad file into errors that name the file and the remedy."""
    try:
        yield
    except DataError:
        raise
    except _DAMAGE as error:
        detail = str(error) or type(error).__name__
        raise DataError(
            f"{path} is damaged or cut short ({detail}); expected a complete tar, tar.gz, gz or zip file. "
            "Delete it and get it again."
        ) from error
    except OSError as error:
        raise DataNotFoundError(f"{path} cannot be read: {error.strerror or error}.") from error


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"{path} is refused: {why}. Get the archive from its publisher again.")


def _check_name(path: Path, name: str) -> None:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or re.match("[A-Za-z]:", name):
        raise _refused(path, f"member {name!r} would be written outside of the folder")


def _check_size(path: Path, name: str, size: int, limits: Limits) -> None:
    if size > limits.member_bytes:
        raise _refused(path, f"member {name!r} has {size:,} bytes, at most {limits.member_bytes:,} are read")


class _Bounded:
    """A stream that does not go beyond the limits, whatever sizes the archive's headers claim."""

    def __init__(self, stream: IO[bytes], path: Path, limits: Limits) -> None:
        self._stream, self._path, self._limits = stream, path, limits
        self._position = 0  # counted here: the stream's own `tell` asks gzip, in Python, for each header

    def _check(self, end: int) -> None:
        if end > self._limits.total_bytes:
            raise _refused(self._path, f"it unpacks to more than {self._limits.total_bytes:,} bytes")

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        self._check(position)
        self._position = self._stream.seek(position)
        return self._position

    def read(self, size: int) -> bytes:
        # A header block may come with every read, hence the slack.
        if size > self._limits.member_bytes + tarfile.RECORDSIZE:
            raise _refused(self._path, f"one member claims {size:,} bytes")
        content = self._stream.read(size)
        self._position += len(content)
        self._check(self._position)
        return content


def _tar_members(
    path: Path, wanted: Callable[[str], bool] | None, limits: Limits, *, compressed: bool
) -> Iterator[tuple[str, bytes]]:
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(path.open("rb"))
        if compressed:
            unzipped = stack.enter_context(gzip.GzipFile(fileobj=stream))
            stream = stack.enter_context(io.BufferedReader(unzipped, 1 << 18))
        bounded = _Bounded(stream, path, limits)
        # tarfile needs no more of a file than read, seek and tell; its type asks for a whole IO[bytes].
        tar = stack.enter_context(tarfile.open(fileobj=bounded, mode="r:"))  # type: ignore[call-overload]
        count = 0
        while (member := tar.next()) is not None:
            tar.members.clear()  # or it keeps a record of each
            count += 1
            name = member.name.removeprefix("./")
            _check_name(path, member.name)
            if count > limits.members:
                raise _refused(path, f"it has more than {limits.members:,} members")
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise _refused(path, f"member {name!r} is a link, a device or a sparse file")
            _check_size(path, name, member.size, limits)
            if wanted is None or wanted(name):
                bounded.seek(member.offset_data)
                content = bounded.read(member.size)
                if len(content) < member.size:
                    raise EOFError(f"member {name!r} ends early")
                yield name, content
        _check_tar_end(bounded, tar.offset)


def _check_tar_end(bounded: _Bounded, offset: int) -> None:
    """`tarfile` takes a header that is cut short or unreadable for the end; the true end is a block of zeros."""
    bounded.seek(offset)
    if bounded.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise EOFError("no end-of-archive mark")
    while bounded.read(1 << 20):  # to the end, where gzip keeps its checksum
        pass


def member_name(entry: zipfile.ZipInfo) -> str:
    """The member's name. A Mac writes UTF-8 without the flag that says so, which Python reads as code page 437."""
    if entry.flag_bits & _UTF8:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _zip_members(path: Path, wanted: Callable[[str], bool] | None, limits: Limits) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > limits.members:
            raise _refused(path, f"it has more than {limits.members:,} members")
        total = sum(entry.file_size for entry in entries)
        if total > limits.total_bytes:
            raise _refused(path, f"it unpacks to {total:,} bytes, more than {limits.total_bytes:,}")
        for entry in entries:
            name = member_name(entry)
            _check_name(path, name)
            if entry.is_dir():
                continue
            file_type = stat.S_IFMT(entry.external_attr >> 16)
            if file_type not in (0, stat.S_IFREG):
                raise _refused(path, f"member {name!r} is a link or a device")
            _check_size(path, name, entry.file_size, limits)
            if wanted is None or wanted(name):
                yield name, archive.read(entry)
