"""Is a run folder that was damaged, or is none of this dlkit's, told from one that answers?

No command may change such a folder, and an export that fails leaves its run as it was.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

DAMAGES = ["removed", "truncated", "garbage"]


def damage(path: Path, how: str) -> None:
    if how == "removed":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes(bytes(range(256)) * 4)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize(
    ("file", "commands"),
    [
        ("run.json", ("predict", "evaluate", "verify", "export")),
        ("metrics.json", ("export",)),
        ("model.tflite", ("predict", "evaluate", "verify")),
        ("assets.extra/vocabulary.txt", ("predict", "evaluate", "verify", "export")),
        ("assets.extra/preprocessing.json", ("predict", "verify")),
        ("assets.extra/answer.json", ("predict", "verify")),
        ("saved_model.pb", ("verify",)),
        ("variables/variables.data-00000-of-00001", ("verify",)),
        ("model.keras", ("verify", "export")),
    ],
)
def test_a_damaged_run_is_told_from_a_wrong_answer(cli, runs: Path, everything, *, file: str, commands, how: str):
    damage(runs / "imdb" / "1" / file, how)
    before = everything(runs)
    for command in commands:
        extra = {"predict": ["good"], "export": ["--format", "tflite", "--quantize", "dynamic"]}.get(command, [])
        ended = cli(command, runs / "imdb" / "1", *extra)
        # Without run.json a folder is no run at all, which find_run says as clearly.
        assert ended.code == 1, (command, ended)
        assert "damaged" in ended.message or "holds no run.json" in ended.message
    assert everything(runs) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "has format 2, this dlkit reads up to 1. Upgrade"),
        ({"format": "1"}, "no whole number as its format"),
        ({"artefacts": None}, "lists no artefacts"),
        ({"artefacts": {"tflite": 3}}, "its entry of 'tflite' is not whole"),
        ({"assets": None}, "lists no assets"),
    ],
)
def test_a_record_of_a_newer_format_or_with_holes_is_refused(cli, runs: Path, changes, said: str):
    record = runs / "boston" / "1" / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    for command in (["predict", "boston", "rooms=3"], ["evaluate", "boston"]):
        ended = cli(*command)
        assert ended.code == 1
        assert said in ended.message


def with_artefact_of(runs: Path, other: Path) -> Path:
    """imdb/1 whose `model.tflite` is another one, recorded as if it were its own."""
    from dlkit.inference.runs import sha256

    folder = runs / "imdb" / "1"
    shutil.copy(other, folder / "model.tflite")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["artefacts"]["tflite"]["sha256"] = sha256(folder / "model.tflite")
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_an_artefact_that_disagrees_with_its_model_ends_with_3(cli, runs: Path, alone: Path):
    # The other model knows the same words and says the opposite: as many inputs and outputs, other weights.
    from dlkit.export.litert import write_litert
    from dlkit.export.proof import keras_model
    from dlkit.inference.predictor import load_transform

    model = keras_model(runs / "imdb" / "1" / "model.keras")
    model.layers[-1].kernel.assign(-40 * model.layers[-1].kernel)
    write_litert(alone / "other.tflite", model, load_transform(runs / "imdb" / "1").tensors)
    folder = with_artefact_of(runs, alone / "other.tflite")
    ended = cli("verify", folder, "--json")
    assert ended.code == 3
    assert ended.document == {"error": ended.message, "exit_code": 3}
    assert "tflite: largest difference" in ended.message
    assert "Do not deploy it" in ended.message


def test_an_artefact_of_quite_another_network_is_refused(cli, runs: Path):
    folder = with_artefact_of(runs, runs / "boston" / "1" / "model.tflite")
    for command in (["predict", folder, "good"], ["verify", folder]):
        ended = cli(*command)
        assert ended.code == 1
        assert "of another model" in ended.message


def test_an_export_that_disagrees_leaves_the_run_as_it_was(
    cli, runs: Path, everything, monkeypatch: pytest.MonkeyPatch
):
    from dlkit.export import proof

    monkeypatch.setitem(proof.TOLERANCE, "float16", 0.0)
    monkeypatch.setitem(proof.TOLERANCE, "tflite", 0.0)
    before = everything(runs)
    for extra in (["--quantize", "float16"], []):
        assert cli("export", "boston", "--format", "tflite", *extra).code == 3
        assert everything(runs) == before


def test_an_export_that_fails_half_way_leaves_the_run_as_it_was(
    cli, runs: Path, everything, monkeypatch: pytest.MonkeyPatch
):
    from dlkit import finished

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = everything(runs)
    monkeypatch.setattr(finished, "prove", full)
    ended = cli("export", "boston", "--format", "saved_model")
    assert ended.code == 1
    assert "the disk is full" in ended.message
    assert everything(runs) == before


@pytest.mark.parametrize("document", ["run.json", "new-run.json", "new-metrics.json"])
def test_an_export_that_cannot_be_written_down_leaves_the_run_as_it_was(
    cli, runs: Path, everything, monkeypatch: pytest.MonkeyPatch, document: str
):
    from dlkit import finished

    write = finished.write_json

    def full(path: Path, content: Mapping[str, object]) -> None:
        if path.name == document:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    before = everything(runs)
    monkeypatch.setattr(finished, "write_json", full)
    ended = cli("export", "boston", "--format", "tflite", "--quantize", "float16")
    assert ended.code == 1
    assert "the disk is full" in ended.message
    assert everything(runs) == before


def test_two_exports_at_once_do_not_meet(cli, runs: Path, everything, monkeypatch: pytest.MonkeyPatch):
    from dlkit import finished

    before = everything(runs)
    with finished._staging(runs / "boston" / "1"):
        ended = cli("export", "boston", "--format", "tflite", "--quantize", "dynamic")
    assert ended.code == 1
    assert "Another dlkit export is at work" in ended.message
    assert everything(runs) == before
