"""Do prepared datasets come back exactly, and is nothing half or stale ever taken for whole?"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.data import builders
from dlkit.data.builders import Loaded, load, load_source
from dlkit.data.cache import cache_folder
from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError, DataNotFoundError, SettingsError

NUMBERS = [0.1, -1e-300, float("nan"), float("inf"), 1 / 3]
TEXTS = ["", "plain", "naïve 😀 \u2028 <br />", "zero\0inside", "ﬁ" * 5_000]


def read(paths: Sequence[Path]) -> Examples:
    """A file of JSON lines: [key, label]."""
    lines = [json.loads(line) for line in paths[0].read_text().splitlines()]
    return {"train": examples(lines), "test": examples(lines[:2])}


def examples(lines: list[list[str]]) -> Iterator[tuple[str, Example]]:
    for number, (key, label) in enumerate(lines):
        image = np.full((2, 3, 1), number, np.uint8)
        yield key, {"text": TEXTS[number % 5], "size": NUMBERS[number % 5], "kind": key, "picture": image, "y": label}


TOY = Source(
    name="toy",
    title="Toy rows",
    forms=((File("toy.jsonl"),),),
    read=read,
    rows={"train": 5, "test": 2},
    kinds={"text": "text", "size": "number", "kind": "category", "picture": "image"},
    target="y",
    target_kind="label",
    labels=("no", "yes"),
    image_shape=(2, 3, 1),
    ordered=True,
    notes=("made up",),
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DLKIT_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "toy.jsonl")


def write(path: Path, labels: str = "nyyny") -> Path:
    rows = [[f"k{number}", {"n": "no", "y": "yes"}.get(label, label)] for number, label in enumerate(labels)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def loaded(source: Source, path: Path, said: list[str] | None = None) -> Loaded:
    return load_source(source, path=path, say=(said if said is not None else []).append)


def prepared_files() -> list[Path]:
    return sorted(file for file in cache_folder().glob("prepared/*/toy/1.0.0/*") if file.is_file())


def test_columns_come_back_exactly_with_their_dtypes(path: Path) -> None:
    train = loaded(TOY, path).splits["train"]
    assert [(name, column.dtype) for name, column in train.inputs.items()] == [
        ("text", object), ("size", np.float64), ("kind", object), ("picture", np.uint8),
    ]  # fmt: skip
    assert list(train.inputs["text"]) == TEXTS
    np.testing.assert_array_equal(train.inputs["size"], NUMBERS)
    assert list(train.inputs["kind"]) == ["k0", "k1", "k2", "k3", "k4"]
    np.testing.assert_array_equal(train.inputs["picture"][:, 1, 2, 0], np.arange(5))
    assert isinstance(train.targets, np.ndarray)
    assert list(train.targets) == ["no", "yes", "yes", "no", "yes"]


def test_the_splits_are_those_of_the_source(path: Path) -> None:
    assert {name: len(split) for name, split in loaded(TOY, path).splits.items()} == {"train": 5, "test": 2}


def test_values_as_target_are_float64_and_none_is_none(path: Path) -> None:
    kinds = {"text": "text", "kind": "category", "picture": "image", "y": "category"}
    values = replace(TOY, kinds=kinds, target="size", target_kind="value", labels=None)
    targets = loaded(values, path).splits["train"].targets
    assert isinstance(targets, np.ndarray)
    assert targets.dtype == np.float64
    np.testing.assert_array_equal(targets, NUMBERS)
    nothing = replace(TOY, name="toy2", kinds={**kinds, "size": "number"}, target=None, target_kind=None, labels=None)
    assert loaded(nothing, path).splits["train"].targets is None


def test_rows_without_order_lie_the_same_whatever_order_the_file_has(tmp_path: Path) -> None:
    source = replace(TOY, ordered=False)

    def order(keys: list[str]) -> list[str]:
        (tmp_path / "toy.jsonl").write_text("\n".join(json.dumps([key, "no"]) for key in keys))
        return list(loaded(source, tmp_path / "toy.jsonl").splits["train"].inputs["kind"])

    keys = ["k0", "k1", "k2", "k3", "k4"]
    assert sorted(order(keys)) == keys
    assert order(keys) == order(keys[::-1]) != keys


def test_what_a_report_needs_is_told(path: Path) -> None:
    result = loaded(TOY, path)
    assert result.source == f"{path} (as given)"
    assert result.fingerprint.startswith("sha256:")
    assert result.target == "y"
    assert result.notes[0] == "made up"
    assert "not a file that dlkit knows" in result.notes[1]
    known = replace(TOY, forms=((File("toy.jsonl", (result.fingerprint.removeprefix("sha256:"),)),),))
    assert loaded(known, path).notes == ("made up",)


def test_the_second_load_reads_what_the_first_prepared(path: Path) -> None:
    said: list[str] = []
    loaded(TOY, path, said)
    assert said == [f"Toy rows: preparing from {path} (once)"]
    never = replace(TOY, read=lambda _paths: pytest.fail("read again"))
    again = loaded(never, path, said)
    assert list(again.splits["train"].inputs["text"]) == TEXTS
    assert len(said) == 1


def test_changed_files_are_not_answered_from_the_old_preparation(tmp_path: Path) -> None:
    before = loaded(TOY, write(tmp_path / "toy.jsonl", "nnnnn"))
    after = loaded(TOY, write(tmp_path / "toy.jsonl", "yyyyy"))
    assert list(before.splits["test"].targets) == ["no", "no"]
    assert list(after.splits["test"].targets) == ["yes", "yes"]
    assert before.fingerprint != after.fingerprint


def test_a_new_version_of_the_reader_prepares_anew(path: Path) -> None:
    loaded(TOY, path)
    said: list[str] = []
    loaded(replace(TOY, version="1.0.1"), path, said)
    assert len(said) >= 1


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "record"])
def test_a_damaged_preparation_is_made_anew(path: Path, damage: str) -> None:
    loaded(TOY, path)
    for number in range(len(prepared_files())):
        file = prepared_files()[number]
        content = file.read_bytes()
        if damage == "missing":
            file.unlink()
        elif damage == "cut":
            file.write_bytes(content[:-1])
        elif damage == "changed":
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        else:
            next(cache_folder().glob("prepared/*/toy.json")).write_text("{}")
        said: list[str] = []
        assert list(loaded(TOY, path, said).splits["train"].inputs["text"]) == TEXTS
        assert said[0] == "Toy rows: what was prepared before is damaged or of another version"


def test_an_error_while_preparing_leaves_nothing_and_the_next_try_works(path: Path) -> None:
    def breaks(paths: Sequence[Path]) -> Examples:
        def some() -> Iterator[tuple[str, Example]]:
            yield next(read(paths)["train"])
            raise DataError("the archive is cut short")

        return {"train": some(), "test": read(paths)["test"]}

    with pytest.raises(DataError, match=r"^the archive is cut short$"):
        loaded(replace(TOY, read=breaks), path)
    assert [file for file in cache_folder().rglob("*") if file.is_file() and file.suffix != ".lock"] == []
    assert list(loaded(TOY, path).splits["train"].inputs["text"]) == TEXTS


def test_a_killed_preparation_is_not_taken_for_a_whole_one(path: Path) -> None:
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from dataclasses import replace
from test_builders import TOY, read
from dlkit.data.builders import load_source
def slow(paths):
    def some():
        yield next(read(paths)["train"])
        print("half", flush=True)
        time.sleep(60)
    return {{"train": some(), "test": read(paths)["test"]}}
load_source(replace(TOY, read=slow), path=Path({str(path)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.send_signal(signal.SIGKILL)
    assert list(cache_folder().glob("prepared/*/toy/*incomplete*"))
    assert list(loaded(TOY, path).splits["train"].inputs["text"]) == TEXTS
    assert list(cache_folder().glob("prepared/*/toy/*incomplete*")) == []


def test_two_processes_prepare_once(path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_builders import TOY
from dlkit.data.builders import load_source
load_source(TOY, path=Path({str(path)!r}), say=print)
"""
    command = [sys.executable, "-c", code]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert "".join(outputs).count("preparing from") == 1


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ("nyyn", "expected 5 rows in split 'train' of Toy rows, found 4"),
        ("nyynyn", "expected 5 rows in split 'train' of Toy rows, found 6"),
        ("nyynx", "row k4 has the label 'x'; known: no, yes"),
    ],
)
def test_rows_that_are_not_as_declared_are_refused(tmp_path: Path, labels: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        loaded(TOY, write(tmp_path / "toy.jsonl", labels))


@pytest.mark.parametrize(
    "row",
    [{"size": "many"}, {"picture": np.zeros((1, 1, 1), np.uint8)}, {"text": None}],
    ids=["number", "image", "text"],
)
def test_values_that_are_not_as_declared_are_refused(path: Path, row: dict[str, object]) -> None:
    def wrong(paths: Sequence[Path]) -> Examples:
        good = read(paths)
        return {"train": ((key, {**example, **row}) for key, example in good["train"]), "test": good["test"]}

    with pytest.raises(DataError, match="could not be prepared as Toy rows"):
        loaded(replace(TOY, read=wrong), path)


def test_keys_that_come_twice_are_refused(path: Path) -> None:
    def twice(paths: Sequence[Path]) -> Examples:
        good = read(paths)
        return {"train": (("same", example) for _key, example in good["train"]), "test": good["test"]}

    with pytest.raises(DataError, match="row same comes twice in split 'train'"):
        loaded(replace(TOY, read=twice), path)


def test_a_full_disk_while_preparing_names_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise RuntimeError(f"Failed to finalize writing: write() failed: {os.strerror(28)}; writing x")

    monkeypatch.setattr(builders.tfds.core.GeneratorBasedBuilder, "download_and_prepare", full)
    with pytest.raises(DataError, match="the disk is full"):
        loaded(TOY, path)


def test_preparing_prints_nothing_and_asks_no_network(
    path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        pytest.fail(f"connects to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    start = time.perf_counter()
    loaded(TOY, path)
    assert capfd.readouterr() == ("", "")
    assert time.perf_counter() - start < 10


def test_the_users_random_numbers_are_left_alone(path: Path) -> None:
    random.seed(1)
    expected = random.Random(1).random()
    loaded(TOY, path)
    assert random.random() == expected


def test_a_whole_preparation_is_read_from_a_cache_that_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(TOY, path)
    monkeypatch.setattr(builders, "exclusive", lambda *_arguments, **_options: pytest.fail("locked"))
    assert len(loaded(TOY, path).splits["train"]) == 5


def test_names_are_looked_up_and_missing_data_is_not_downloaded_unasked() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'imdb'"):
        load("imbd")
    with pytest.raises(DataNotFoundError, match="Nothing was downloaded"):
        load("imdb", allow_download=False)
