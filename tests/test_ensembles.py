"""Does a run of an ensemble train every member as asked, go on after a kill, and know its own files?"""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from dlkit.errors import RunError
from dlkit.inference import predictor
from dlkit.inference.runs import ASSETS, check_assets, read_json, read_run

ASKED = (
    "run", "imdb", "--model", "ensemble", "--data", "sample", "--epochs", "3",
    "--set", "training.refit=false", "--json",
)  # fmt: skip
KILLED_IN_THE_SECOND_MEMBER = """
import os, signal
from dlkit.training.fit import Keeper
begun, begin = [], Keeper.begin
Keeper._save_cost = property(lambda self: 0.0, lambda self, seconds: None)  # every epoch is kept, however slow the disk
def counted(self, *arguments):
    begun.append(self)
    begin(self, *arguments)
def on_epoch_begin(self, epoch, logs=None):
    self.batches.epoch, self._started = epoch, 0.0
    if len(begun) == 2 and epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Keeper.begin, Keeper.on_epoch_begin = counted, on_epoch_begin
from dlkit.cli import main
main()
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dlkit.api import run

    root = tmp_path_factory.mktemp("ensemble")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DLKIT_CACHE", str(root / "cache"))
        environment.delenv("DLKIT_DATA", raising=False)
        run("imdb", model="ensemble", data="sample", epochs=3, settings={"training.refit": False}, out=root)
    return root / "imdb" / "1"


def history(version: Path) -> list[dict[str, str]]:
    names, *rows = [line.split(",") for line in (version / "history.csv").read_text(encoding="utf-8").splitlines()]
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_every_member_is_trained_for_the_epochs_asked_for_and_the_artefacts_agree(finished: Path) -> None:
    rows = history(finished)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for member in ("ngrams", "fasttext"):
        assert all(float(row[f"{member}_loss"]) > 0 and float(row[f"val_{member}_loss"]) > 0 for row in rows)
    metrics = read_json(finished / "metrics.json")
    assert metrics["model"] == "ensemble" and metrics["test"]["accuracy"] > 0.85  # type: ignore[index]  # JSON
    assert all(entry["agreement"] == 1 for entry in metrics["artefacts"].values())  # type: ignore[attr-defined]  # JSON
    (good, unknown) = predictor.load(finished).predict(["a wonderful film", "qqq"])
    assert good["label"] in ("neg", "pos") and "warning" not in good and "warning" in unknown


def test_every_file_in_the_folder_of_a_part_is_known_by_its_checksum(finished: Path) -> None:
    record = read_run(finished)
    parts = [path for path in (finished / ASSETS).rglob("*") if path.is_file() and path.parent.name == "ngrams"]
    assert {path.name for path in parts} == {"preprocessing.json", "vocabulary.txt", "ngrams.npy"}
    for path in parts:
        content = path.read_bytes()
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            with pytest.raises(RunError, match=f"{path.name} is (damaged: sha256|missing)"):
                predictor.load(finished)
            path.write_bytes(content)
    check_assets(finished, record)


def test_a_run_killed_in_its_second_member_is_resumed_to_the_same_weights(
    cli, process, finished: Path, alone: Path
) -> None:
    from dlkit.export.proof import keras_model

    killed = process(*ASKED, python=("-c", KILLED_IN_THE_SECOND_MEMBER))
    assert killed.code == -signal.SIGKILL and "member fasttext" in killed.err, killed.err
    ended = cli(*ASKED, "--resume")
    assert ended.code == 0, ended.err
    assert ended.err.count("resumed after epoch 3") == 1 and ended.err.count("resumed after epoch 2") == 1
    resumed = alone / str(ended.document["run"])
    for ours, theirs in zip(
        keras_model(resumed / "model.keras").get_weights(),
        keras_model(finished / "model.keras").get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert ended.document["test"] == read_json(finished / "metrics.json")["test"]
    assert [{**row, "seconds": ""} for row in history(resumed)] == [{**row, "seconds": ""} for row in history(finished)]
    assert not list(resumed.parent.glob(".*"))
