"""How does a file come from the network whole, or not at all?

It is written to `<name>.part`, goes on from there after a cut (HTTP Range), and is renamed only once its sha256
agrees with the pinned one. Stalls end by time-out and are tried again while the server still gives something.
"""

from __future__ import annotations

import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dlkit.data.archives import sha256
from dlkit.data.cache import exclusive, writing
from dlkit.data.sources import File
from dlkit.errors import DataError, DataNotFoundError

CHUNK_BYTES = 1 << 18
MOST_BYTES = 1 << 33
"""Limit for files of unknown size."""
TRIES = 6
FRUITLESS_TRIES = 2
"""Tries in a row that may bring nothing: more would only make a user without network wait."""
RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

_NETWORK_ERRORS = (OSError, http.client.HTTPException)
"""Errors of the disk are none of these: `writing` has turned them into `DataError`."""


def download(
    file: File, target: Path, *, say: Callable[[str], None], timeout: float = 20.0, backoff: float = 1.0
) -> Path:
    """Fetch `file` to `target` and return `target`; a target that exists is left as it is.

    `timeout`: seconds without a byte until a try ends. `backoff`: seconds before the second try, doubled for
    each further one.
    """
    if file.url is None or file.url_sha256 is None:
        raise DataNotFoundError(f"There is no address to download {file.name} from.")
    if not re.match(r"https?://", file.url):
        raise DataError(f"{file.url}: expected an http or https address.")
    lock = target.with_name(f".{target.name}.lock")
    with exclusive(lock, waiting=lambda: say(f"{target.name}: another process downloads it, waiting")):
        if not target.exists():
            part = target.with_name(f"{target.name}.part")
            _Transfer(file.url, part, file.bytes, target.name, say, timeout, backoff).run(file.url_sha256)
            with writing(target.parent):
                part.replace(target)
            say(f"{target.name}: complete, checksum agrees")
    return target


@dataclass
class _Transfer:
    """The tries that fill `part`."""

    url: str
    part: Path
    bytes_expected: int | None
    name: str
    say: Callable[[str], None]
    timeout: float
    backoff: float
    said_at: float = field(default_factory=time.monotonic)

    def run(self, checksum: str) -> None:
        resumed = self._have() > 0
        self._fetch()
        if sha256(self.part) != checksum and resumed:
            self.say(f"{self.name}: the part kept from an earlier try does not fit, starting anew")
            self.part.unlink()
            self._fetch()
        received = sha256(self.part)
        if received != checksum:
            size = self._have()
            self.part.unlink()
            raise DataError(
                f"{self.url}: what came is not the file that dlkit knows: expected sha256 {checksum}, received "
                f"{received} ({size:,} bytes). The file was not kept. Get it another way and pass --data PATH."
            )

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _fetch(self) -> None:
        fruitless = 0
        for attempt in range(TRIES):
            before = self._have()
            try:
                return self._attempt(before)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code == 416 and before:  # the part is as long as the file, or longer
                    if before == self.bytes_expected:
                        return None
                    self.part.unlink()
                elif error.code not in RETRIED_STATUS:
                    raise DataNotFoundError(f"{self.url} answers {error.code} {error.reason}.") from error
                problem = f"{error.code} {error.reason}"
            except _NETWORK_ERRORS as error:
                problem = str(getattr(error, "reason", "") or error or type(error).__name__)
            fruitless = 0 if self._have() > before else fruitless + 1
            if fruitless == FRUITLESS_TRIES or attempt == TRIES - 1:
                break
            self.say(f"{self.name}: {problem}; trying again")
            time.sleep(self.backoff * 2**attempt)
        kept = f" {self._have():,} bytes are kept; the same command goes on from there." if self._have() else ""
        raise DataNotFoundError(f"{self.url} cannot be reached or stopped sending ({problem}).{kept}")

    def _attempt(self, offset: int) -> None:
        headers = {"User-Agent": "dlkit", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 - `download` lets http(s) through only
        with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310 - as above
            if response.status == 206 and not self._continues(response.headers.get("Content-Range", ""), offset):
                self.part.unlink()
                raise http.client.HTTPException("the server sent another range than asked for")
            if response.status != 206:
                offset = 0  # a server without Range sends the whole file again
            length = response.headers.get("Content-Length", "")
            total = self.bytes_expected or (offset + int(length) if length.isdecimal() else None)
            with writing(self.part.parent):
                part = self.part.open("ab" if offset else "wb", buffering=0)
            with part:
                while chunk := response.read1(CHUNK_BYTES):
                    with writing(self.part.parent):
                        part.write(chunk)
                    offset += len(chunk)
                    self._check_length(offset)
                    self._progress(offset, total)
        if total is not None and offset < total:
            raise http.client.HTTPException(f"cut at {offset:,} of {total:,} bytes")

    def _continues(self, content_range: str, offset: int) -> bool:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range)
        return (
            match is not None
            and int(match[1]) == offset
            and (self.bytes_expected is None or match[2] in ("*", str(self.bytes_expected)))
        )

    def _check_length(self, received: int) -> None:
        most = self.bytes_expected or MOST_BYTES
        if received > most:
            self.part.unlink()
            raise DataError(
                f"{self.url} sends more than the expected {most:,} bytes: this is not the file that dlkit knows."
            )

    def _progress(self, received: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self.said_at < 1:
            return
        self.said_at = now
        share = f" of {total / 1e6:.1f} MB ({received / total:.0%})" if total else " MB"
        self.say(f"{self.name}: {received / 1e6:.1f}{share}")
