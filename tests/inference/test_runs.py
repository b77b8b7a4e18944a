"""Is a run found by name or path, and is a damaged or newer one told from a good one?"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlkit.errors import RunError, RunNotFoundError, SettingsError
from dlkit.inference.forms import KNOWN, artefact_name
from dlkit.inference.runs import (
    FORMAT,
    artefact_path,
    combined_sha256,
    find_run,
    newest_version,
    read_json,
    read_run,
    sha256,
)


def run_at(folder: Path, **content: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"format": FORMAT, **content}), encoding="utf-8")
    return folder


def test_the_newest_version_is_the_highest_number_that_is_complete(tmp_path: Path) -> None:
    for version in ("2", "10", "9"):
        run_at(tmp_path / "imdb" / version)
    (tmp_path / "imdb" / "11").mkdir()
    run_at(tmp_path / "imdb" / ".12.partial")
    run_at(tmp_path / "imdb" / "best")
    run_at(tmp_path / "imdb" / "²")
    assert newest_version(tmp_path / "imdb") == tmp_path / "imdb" / "10"
    assert newest_version(tmp_path / "nothing") is None


def test_a_run_is_found_by_recipe_folder_and_path(tmp_path: Path) -> None:
    wanted = run_at(tmp_path / "imdb" / "3")
    assert find_run("imdb", tmp_path) == find_run(tmp_path / "imdb", tmp_path) == find_run(wanted) == wanted


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("imbd", "No complete run of 'imbd' .*Did you mean 'imdb'"),
        ("", "No complete run of ''"),
        ("a/b/c", "There is no run folder a/b/c"),
        ("x" * 5000, "cannot be a run"),
        ("a\x00b", "No complete run of"),
    ],
)
def test_a_run_that_is_not_there_is_said_with_the_nearest_name(run: str, message: str, tmp_path: Path) -> None:
    run_at(tmp_path / "imdb" / "1")
    with pytest.raises(RunNotFoundError, match=message):
        find_run(run, tmp_path)


def test_a_folder_that_may_not_be_looked_into_hides_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, closed, listed = run_at(tmp_path / "imdb" / "1"), tmp_path / "lost+found", Path.iterdir
    closed.mkdir()

    def iterdir(path: Path) -> Iterator[Path]:
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert find_run("imdb", tmp_path) == wanted
    with pytest.raises(RunNotFoundError, match="Did you mean 'imdb'"):
        find_run("imbd", tmp_path)


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run\.json"):
        find_run(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'"text"', b"null"])
def test_a_damaged_record_is_said_to_be_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunError, match="is damaged"):
        read_json(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("found", "message"),
    [(FORMAT + 1, "pip install --upgrade dlkit"), ("1", "no whole number as its format"), (None, "no whole number")],
)
def test_a_newer_or_unknown_format_is_refused(found: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=message):
        read_run(run_at(tmp_path / "1", format=found))


def test_an_artefact_is_taken_only_with_the_checksum_that_was_recorded(tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(b"good")
    run = {"artefacts": {"tflite": {"path": "model.tflite", "sha256": sha256(file)}}}
    assert artefact_path(tmp_path, run, "tflite") == file
    file.write_bytes(b"evil")
    with pytest.raises(RunError, match=r"model\.tflite is damaged: sha256"):
        artefact_path(tmp_path, run, "tflite")
    file.unlink()
    with pytest.raises(RunError, match=r"model\.tflite is missing"):
        artefact_path(tmp_path, run, "tflite")


def test_an_artefact_of_several_parts_is_checked_in_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "data").write_bytes(b"weights")
    parts = ["saved_model.pb", "variables"]
    digest = combined_sha256([tmp_path / part for part in parts])
    run = {"artefacts": {"saved_model": {"path": "saved_model.pb", "parts": parts, "sha256": digest}}}
    assert artefact_path(tmp_path, run, "saved_model") == tmp_path / "saved_model.pb"
    (tmp_path / "variables" / "more").write_bytes(b"")
    with pytest.raises(RunError, match="is damaged"):
        artefact_path(tmp_path, run, "saved_model")


@pytest.mark.parametrize("run", [{}, {"artefacts": []}, {"artefacts": {"tflite": {}}}, {"artefacts": {"tflite": None}}])
def test_a_record_without_whole_artefacts_is_damaged(run: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is damaged"):
        artefact_path(tmp_path, run, "tflite")


def test_an_artefact_that_was_never_made_is_said_with_those_that_were(tmp_path: Path) -> None:
    run = {"artefacts": {"tflite": {"path": "model.tflite", "sha256": ""}}}
    with pytest.raises(RunNotFoundError, match=r"no artefact 'tflit'.*Did you mean 'tflite'"):
        artefact_path(tmp_path, run, "tflit")


def test_names_of_artefacts_follow_from_format_and_quantization() -> None:
    asked = [("tflite", None), ("tflite", "int8"), ("saved_model", None), ("onnx", None), ("tflite", "float16")]
    names = [artefact_name(form, quantize) for form, quantize in asked]
    assert names == ["tflite", "int8", "saved_model", "onnx", "float16"] and set(names) <= set(KNOWN)


@pytest.mark.parametrize(
    ("form", "quantize", "message"),
    [
        ("tflit", None, "--format: unknown 'tflit'. Did you mean 'tflite'"),
        ("tflite", "int4", "--quantize: unknown 'int4'. Did you mean 'int8'"),
        ("onnx", "int8", "--quantize int8 goes with --format tflite, got onnx"),
    ],
)
def test_a_format_that_does_not_exist_is_refused(form: str, quantize: str | None, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        artefact_name(form, quantize)
