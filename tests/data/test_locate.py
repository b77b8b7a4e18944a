"""Is a dataset looked for in the documented order, and is a user told the ways on where it is nowhere?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dlkit.data import locate as locate_module
from dlkit.data.locate import downloads_folder, fetch, locate, prepared_record, status
from dlkit.data.sources import File, Source
from dlkit.errors import DataError, DataNotFoundError

GOOD = b"good rows"
CHECKSUM = hashlib.sha256(GOOD).hexdigest()
FILE = File("toy.csv", (CHECKSUM,), url="http://host.invalid/toy.csv", url_sha256=CHECKSUM, bytes=2_500_000)
TOY = Source(
    name="toy",
    title="Toy rows",
    forms=((FILE,),),
    read=lambda _paths: {},
    rows={"train": 1},
    kinds={"x": "number"},
    home="http://host.invalid/",
    licence="CC0",
)
PAIR = replace(TOY, name="pair", forms=((File("a.gz"), File("deep/b.gz")),))


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLKIT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))


def put(path: Path, content: bytes = GOOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def find(source: Source, path: Path | None = None, *, allow_download: bool = False):
    return locate(source, path, allow_download=allow_download, say=lambda _line: None)


def pretend_download(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    def download(file: File, target: Path, *, say: Callable[[str], None]) -> Path:
        calls.append(str(file.url))
        return put(target)

    monkeypatch.setattr(locate_module, "download", download)


def test_the_order_is_path_then_variable_then_cache_then_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    pretend_download(monkeypatch, calls)
    assert find(TOY, allow_download=True).origin == "downloaded"
    assert calls == [FILE.url]
    assert find(TOY, allow_download=True).origin == "cache"
    in_data = put(tmp_path / "data" / "toy" / "toy.csv")
    assert find(TOY, allow_download=True).path == in_data
    given = put(tmp_path / "given.csv")
    assert find(TOY, given, allow_download=True).path == given
    assert len(calls) == 1


@pytest.mark.parametrize("given", ["toy/toy.csv", "toy", "."])
def test_a_path_is_the_file_or_its_folder_or_the_folder_above(tmp_path: Path, given: str) -> None:
    expected = put(tmp_path / "mine" / "toy" / "toy.csv")
    assert find(TOY, tmp_path / "mine" / given).files == (expected,)


def test_a_dataset_of_several_files_counts_only_when_all_are_there(tmp_path: Path) -> None:
    put(tmp_path / "data" / "pair" / "a.gz")
    with pytest.raises(DataNotFoundError, match=r"looked for a\.gz \+ deep/b\.gz"):
        find(PAIR)
    put(tmp_path / "data" / "pair" / "deep" / "b.gz", b"other")
    located = find(PAIR)
    assert [file.name for file in located.files] == ["a.gz", "b.gz"]
    assert located.path == tmp_path / "data" / "pair"


def test_the_checksum_of_several_files_changes_with_each(tmp_path: Path) -> None:
    checksums = set()
    for first, second in [(b"1", b"2"), (b"1", b"3"), (b"3", b"2"), (b"2", b"1")]:
        put(tmp_path / "data" / "pair" / "a.gz", first)
        put(tmp_path / "data" / "pair" / "deep" / "b.gz", second)
        checksums.add(find(PAIR).checksum)
    assert len(checksums) == 4


def test_a_known_file_is_told_from_an_unknown_one(tmp_path: Path) -> None:
    located = find(TOY, put(tmp_path / "toy.csv"))
    assert (located.known, located.checksum) == (True, CHECKSUM)
    assert not find(TOY, put(tmp_path / "toy.csv", b"changed")).known


def test_a_missing_path_is_not_replaced_by_another_place(tmp_path: Path) -> None:
    put(tmp_path / "data" / "toy" / "toy.csv")
    with pytest.raises(DataNotFoundError, match=r"nowhere\.csv: no such file or folder; expected toy\.csv"):
        find(TOY, tmp_path / "nowhere.csv")


@pytest.mark.parametrize("name", ["x" * 300, "\0", "toy.csv/below"])
def test_a_path_that_cannot_be_is_data_not_found(tmp_path: Path, name: str) -> None:
    put(tmp_path / "toy.csv")
    with pytest.raises(DataNotFoundError):
        find(TOY, tmp_path / name)


def test_a_folder_without_the_file_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"expected a folder that holds toy\.csv"):
        find(TOY, tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected toy\.csv, or a file of the same kind"):
        find(TOY, put(tmp_path / "toy.zip"))


def test_a_file_that_may_not_be_read_is_data_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "toy.csv")

    def denied(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # modes do not stop root, who may run the tests
    with pytest.raises(DataNotFoundError, match=r"toy\.csv cannot be read: Permission denied"):
        find(TOY, path)


def test_a_download_is_announced_with_address_size_licence_and_place(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_download(monkeypatch, [])
    said: list[str] = []
    fetch(TOY, say=said.append)
    for part in ("Toy rows", "http://host.invalid/toy.csv", "2.5 MB", "CC0", str(downloads_folder(TOY))):
        assert part in said[0]


def test_fetching_what_is_there_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    pretend_download(monkeypatch, calls)
    put(downloads_folder(TOY) / "toy.csv")
    assert fetch(TOY, say=pytest.fail).known
    assert calls == []


def test_where_nothing_helps_the_error_lists_places_and_ways_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_file: File, _target: Path, *, say: Callable[[str], None]) -> Path:
        raise DataNotFoundError("host.invalid cannot be reached")

    monkeypatch.setattr(locate_module, "download", unreachable)
    with pytest.raises(DataNotFoundError) as raised:
        find(TOY, allow_download=True)
    message = str(raised.value)
    for part in (str(tmp_path / "data" / "toy"), str(downloads_folder(TOY)), "host.invalid cannot be reached"):
        assert part in message
    for way in ("--data PATH", "--data sample", "DLKIT_DATA=DIR", "dlkit data toy --download"):
        assert way in message
    assert raised.value.exit_code == 4


def test_without_variable_the_error_says_so_and_nothing_is_downloaded_unasked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DLKIT_DATA")
    monkeypatch.setattr(locate_module, "download", lambda *_arguments, **_options: pytest.fail("downloaded"))
    with pytest.raises(DataNotFoundError, match=r"\$DLKIT_DATA is not set"):
        find(TOY)


def test_a_wrong_checksum_is_not_reported_as_missing_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def other_file(_file: File, _target: Path, *, say: Callable[[str], None]) -> Path:
        raise DataError("what came is not the file that dlkit knows")

    monkeypatch.setattr(locate_module, "download", other_file)
    with pytest.raises(DataError, match="what came") as raised:
        find(TOY, allow_download=True)
    assert raised.value.exit_code == 1


def test_a_dataset_without_address_names_its_home() -> None:
    with pytest.raises(DataNotFoundError, match=r"no address to download .* see http://host\.invalid/"):
        find(PAIR, allow_download=True)


def test_status_tells_where_and_whether_prepared_from_files_of_this_size(tmp_path: Path) -> None:
    assert (status(TOY).path, status(TOY).prepared) == (None, None)
    path = put(tmp_path / "data" / "toy" / "toy.csv")
    assert (status(TOY).path, status(TOY).origin, status(TOY).bytes) == (path, "$DLKIT_DATA", len(GOOD))
    record = prepared_record(CHECKSUM, TOY)
    put(record, json.dumps({"bytes": [len(GOOD)]}).encode())
    assert status(TOY).prepared is None
    put(record.parent / "toy" / TOY.version / "rows", b"1234")
    assert (status(TOY).prepared, status(TOY).prepared_bytes) == (record.parent / "toy" / TOY.version, 4)
    put(path, GOOD + b"one more")
    assert status(TOY).prepared is None


@pytest.mark.parametrize("damage", [b"", b"[]", b"null", b"\xff", b'{"bytes": '])
def test_status_survives_a_damaged_record(tmp_path: Path, damage: bytes) -> None:
    put(tmp_path / "data" / "toy" / "toy.csv")
    put(prepared_record(CHECKSUM, TOY), damage)
    assert status(TOY).prepared is None
