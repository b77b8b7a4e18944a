"""Does a download end with the whole file or with none, whatever the server does?"""

from __future__ import annotations

import errno
import hashlib
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dlkit.data import download as download_module
from dlkit.data.download import _Transfer, download
from dlkit.data.sources import File
from dlkit.errors import DataError, DataNotFoundError

CONTENT = bytes(range(256)) * 4_000
Answer = Callable[[http.server.BaseHTTPRequestHandler, int], None]


class Server:
    """Answers the n-th request with the n-th of `answers`, later ones with the last."""

    def __init__(self, *answers: Answer) -> None:
        self.ranges: list[str | None] = []
        self.stop_stalling = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.ranges.append(self.headers.get("Range"))
                match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                answers[min(len(server.ranges), len(answers)) - 1](self, int(match[1]) if match else 0)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def file(self, content: bytes = CONTENT) -> File:
        url = f"http://127.0.0.1:{self.http.server_port}/data.bin"
        return File("data.bin", url=url, url_sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))

    def close(self) -> None:
        self.stop_stalling.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*answers: Answer) -> Server:
        started.append(Server(*answers))
        return started[-1]

    yield start
    for server in started:
        server.close()


def send(handler: http.server.BaseHTTPRequestHandler, offset: int, *, until: int, ranges: bool = True) -> None:
    offset = offset if ranges else 0
    handler.send_response(206 if offset else 200)
    handler.send_header("Content-Length", str(len(CONTENT) - offset))
    if offset:
        handler.send_header("Content-Range", f"bytes {offset}-{len(CONTENT) - 1}/{len(CONTENT)}")
    handler.end_headers()
    handler.wfile.write(CONTENT[offset:until])


def whole(handler: http.server.BaseHTTPRequestHandler, offset: int) -> None:
    send(handler, offset, until=len(CONTENT))


def cut(handler: http.server.BaseHTTPRequestHandler, offset: int) -> None:
    send(handler, offset, until=offset + 300_000)


def without_ranges(handler: http.server.BaseHTTPRequestHandler, offset: int) -> None:
    send(handler, offset, until=len(CONTENT), ranges=False)


def status(code: int) -> Answer:
    return lambda handler, _offset: handler.send_error(code)


def fetch(file: File, folder: Path, said: list[str] | None = None, timeout: float = 5) -> Path:
    say = (said if said is not None else []).append
    return download(file, folder / "data.bin", say=say, timeout=timeout, backoff=0.01)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_whole_file_arrives_under_its_name_alone(tmp_path: Path, serve: Callable[..., Server]) -> None:
    said: list[str] = []
    assert fetch(serve(whole).file(), tmp_path / "new", said).read_bytes() == CONTENT
    assert left(tmp_path / "new") == ["data.bin"]
    assert said == ["data.bin: complete, checksum agrees"]


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(whole)
    (tmp_path / "data.bin").write_bytes(b"mine")
    assert fetch(server.file(), tmp_path).read_bytes() == b"mine"
    assert server.ranges == []


def test_a_cut_transfer_goes_on_where_it_stopped(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(cut, cut, whole)
    assert fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_a_part_of_an_earlier_run_is_kept_and_used(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(cut, status(404))
    with pytest.raises(DataNotFoundError, match="404"):
        fetch(server.file(), tmp_path)
    assert left(tmp_path) == ["data.bin.part"]
    again = serve(whole)
    assert fetch(again.file(), tmp_path).read_bytes() == CONTENT
    assert again.ranges == ["bytes=300000-"]


def test_a_part_that_does_not_fit_is_thrown_away(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(whole)
    (tmp_path / "data.bin.part").write_bytes(b"\0" * 1_000)
    assert fetch(server.file(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


def test_a_part_longer_than_the_file_is_thrown_away(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(status(416), whole)
    (tmp_path / "data.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(server.file(), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_the_whole_file_is_taken(tmp_path: Path, serve: Callable[..., Server]) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    assert fetch(serve(status(416)).file(), tmp_path).read_bytes() == CONTENT


def test_a_server_without_ranges_is_asked_for_the_whole_again(tmp_path: Path, serve: Callable[..., Server]) -> None:
    assert fetch(serve(cut, without_ranges).file(), tmp_path).read_bytes() == CONTENT


def test_a_range_other_than_asked_for_is_not_appended(tmp_path: Path, serve: Callable[..., Server]) -> None:
    def other_range(handler: http.server.BaseHTTPRequestHandler, _offset: int) -> None:
        send(handler, 5, until=len(CONTENT))

    assert fetch(serve(cut, other_range, whole).file(), tmp_path).read_bytes() == CONTENT


def test_a_file_with_another_checksum_is_not_kept(tmp_path: Path, serve: Callable[..., Server]) -> None:
    file = replace(serve(whole).file(), url_sha256="0" * 64)
    with pytest.raises(DataError, match=f"expected sha256 {'0' * 64}, received {hashlib.sha256(CONTENT).hexdigest()}"):
        fetch(file, tmp_path)
    assert left(tmp_path) == []


def test_a_file_longer_than_announced_is_not_kept(tmp_path: Path, serve: Callable[..., Server]) -> None:
    with pytest.raises(DataError, match="sends more than the expected 1,000 bytes"):
        fetch(replace(serve(whole).file(), bytes=1_000), tmp_path)
    assert left(tmp_path) == []


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_refusal_ends_at_once_as_data_not_found(tmp_path: Path, serve: Callable[..., Server], code: int) -> None:
    server = serve(status(code))
    with pytest.raises(DataNotFoundError, match=f"data.bin answers {code}"):
        fetch(server.file(), tmp_path)
    assert len(server.ranges) == 1
    assert left(tmp_path) == []


def test_a_busy_server_is_asked_again(tmp_path: Path, serve: Callable[..., Server]) -> None:
    assert fetch(serve(status(503), whole).file(), tmp_path).read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_given_up(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(status(503))
    with pytest.raises(DataNotFoundError, match="cannot be reached or stopped sending"):
        fetch(server.file(), tmp_path)
    assert len(server.ranges) == download_module.FRUITLESS_TRIES


def test_a_server_that_stalls_ends_by_timeout_and_keeps_the_part(tmp_path: Path, serve: Callable[..., Server]) -> None:
    def stall(handler: http.server.BaseHTTPRequestHandler, offset: int) -> None:
        send(handler, offset, until=offset + 300_000 if offset == 0 else offset)
        server.stop_stalling.wait(10)

    server = serve(stall)
    with pytest.raises(DataNotFoundError, match=r"timed out.* 300,000 bytes are kept"):
        fetch(server.file(), tmp_path, timeout=0.2)
    assert left(tmp_path) == ["data.bin.part"]


def test_no_network_is_data_not_found(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(whole)
    file = server.file()
    server.close()
    with pytest.raises(DataNotFoundError, match="cannot be reached"):
        fetch(file, tmp_path)


def test_progress_is_said_with_size_and_at_most_once_a_second(tmp_path: Path) -> None:
    said: list[str] = []
    transfer = _Transfer("http://x", tmp_path / "part", 2_000_000, "data.bin", said.append, timeout=1, backoff=0)
    transfer._progress(100_000, 2_000_000)
    assert said == []
    for received in (500_000, 600_000, 700_000):
        transfer.said_at -= 0.6  # as if so much time had gone by
        transfer._progress(received, 2_000_000)
        transfer._progress(received + 1, 2_000_000)
    assert said == ["data.bin: 0.6 of 2.0 MB (30%)"]
    transfer.said_at -= 1
    transfer._progress(800_000, None)
    assert said[1:] == ["data.bin: 0.8 MB"]


def test_a_full_disk_is_reported_with_the_remedy(
    tmp_path: Path, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    (tmp_path / "data.bin.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"the disk is full\. Make room, or set DLKIT_CACHE") as raised:
        fetch(serve(whole).file(), tmp_path)
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.errno == errno.ENOSPC


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path, serve: Callable[..., Server]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        fetch(serve(whole).file(), tmp_path / "file" / "below")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_only_http_addresses_are_opened(tmp_path: Path, url: str) -> None:
    with pytest.raises(DataError, match="expected an http or https address"):
        fetch(File("data.bin", url=url, url_sha256="0" * 64), tmp_path)
    with pytest.raises(DataNotFoundError, match="no address"):
        fetch(File("data.bin"), tmp_path)
