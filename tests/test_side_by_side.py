"""Do members that learn at the same time, each in a process of its own, leave what members one by one would?"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from dlkit import side_by_side
from dlkit.data.pair_samples import toy
from dlkit.export.proof import keras_model
from dlkit.inference.runs import read_json
from dlkit.ordering import Order, order
from dlkit.pipeline import peak_memory_mb
from dlkit.run_folder import make

SMALL = [
    "transformer.model.width=16", "transformer.model.intermediate=16", "transformer.model.encoders=1",
    "transformer.model.decoders=1", "lstm.model.units=16", "lstm.model.dimension=16", "task.beam=1",
    "preprocessing.size=200", "preprocessing.length=16", "lstm.training.epochs=1", "data.target=toy",
]  # fmt: skip


def asked(folder: Path, out: str, *, rows: int = 200, epochs: int = 2) -> Order:
    pairs = islice(zip(*vars(toy().parts["train"]).values(), strict=True), rows)
    (folder / "own.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in pairs), encoding="utf-8")
    place = folder / out
    return order("transformer", model="ensemble", data=folder / "own.tsv", changes=SMALL, epochs=epochs, out=place)


@pytest.mark.skipif(side_by_side._cores() < 2, reason="one core has nobody to learn beside")
def test_members_learn_at_the_same_time_as_they_would_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    alone = make(asked(tmp_path, "alone"), say=said.append).folder
    before = peak_memory_mb()
    assert not [line for line in said if "side by side" in line]
    said.clear()
    monkeypatch.setattr(side_by_side, "WORTH_IT", 0)
    ended: list[int] = []
    wait = side_by_side._Process.wait

    def noted(self: side_by_side._Process) -> None:
        wait(self)
        ended.append(self.process.returncode)

    monkeypatch.setattr(side_by_side._Process, "wait", noted)
    beside = make(asked(tmp_path, "beside"), say=said.append).folder
    assert any(line.startswith("members transformer, lstm: side by side") for line in said)
    assert ended == [0, 0]
    for line in ("transformer: epoch 2/2", "lstm: epoch 1/1", "resumed after epoch 2", "resumed after epoch 1"):
        assert any(one.startswith(line) for one in said), said
    ours, theirs = (keras_model(run / "model.keras").get_weights() for run in (beside, alone))
    # A sum in two threads may end in other digits.
    assert max(np.abs(one - other).max() for one, other in zip(ours, theirs, strict=True)) < 1e-3
    metrics = read_json(beside / "metrics.json")
    assert all(entry["agreement"] == 1 for entry in metrics["artefacts"].values())  # type: ignore[attr-defined]  # JSON
    # Each process has loaded what a training needs.
    assert float(str(metrics["peak_memory_mb"])) > before + 2 * 300


def test_a_short_training_and_one_in_folds_start_no_processes(tmp_path: Path) -> None:
    short, long = asked(tmp_path, "x"), asked(tmp_path, "x", epochs=2_000)
    assert not side_by_side._is_sooner(short, 200, cores=2)
    assert side_by_side._is_sooner(long, 200, cores=2) and not side_by_side._is_sooner(long, 200, cores=1)
    folds = order("transformer", model="ensemble", data="sample", changes=["training.folds=2"], out=tmp_path)
    assert not side_by_side._is_sooner(folds, 10**6, cores=2)
    assert not side_by_side._is_sooner(order("transformer", data="sample", changes=[]), 10**6, cores=2)


def test_a_member_ends_with_the_process_that_waits_for_it(tmp_path: Path) -> None:
    task = side_by_side._task(asked(tmp_path, "x", epochs=100_000), "transformer", tmp_path / "kept", tmp_path / "logs")
    process = subprocess.Popen(
        [sys.executable, "-m", "dlkit.side_by_side", json.dumps(task)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline().startswith(b"epoch ")
    process.stdin.close()
    assert process.wait(timeout=60) == 1
    process.stdout.close()
