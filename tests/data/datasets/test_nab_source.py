"""Are the benchmark's streams read in order, with the labels of their windows?"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.data.anomalies import AnomalyData
from dlkit.data.builders import load_source
from dlkit.data.datasets.nab import LABELS, SOURCE
from dlkit.data.sources import File
from dlkit.errors import DataError

NAMES = ("real/pump", "art/flat")
SMALL = replace(SOURCE, rows={"train": 8}, forms=((*(File(f"{name}.csv") for name in NAMES), File(LABELS)),))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir()
        rows = [f"2014-04-01 00:0{row}:00,{10 * number + row}" for row in range(4)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["timestamp,value", *rows]) + "\n")
    (tmp_path / "labels").mkdir()
    windows = {"real/pump.csv": [["2014-04-01 00:01:00.000000", "2014-04-01 00:02:00.000000"]], "art/flat.csv": []}
    (tmp_path / LABELS).write_text(json.dumps(windows))
    return tmp_path


def test_streams_keep_their_order_and_windows_hold_both_ends(folder: Path) -> None:
    split = load_source(SMALL, path=folder).splits["train"]
    assert split.inputs["stream"].tolist() == ["real/pump"] * 4 + ["art/flat"] * 4
    np.testing.assert_array_equal(split.inputs["value"], [0, 1, 2, 3, 10, 11, 12, 13])
    assert np.asarray(split.targets).tolist() == ["normal", "anomaly", "anomaly", "normal"] + ["normal"] * 4
    assert split.inputs["time"][1] == "2014-04-01T00:01:00"


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("real/pump.csv", "time,value\n2014-04-01 00:00:00,1\n", "expected the columns timestamp and value, got time"),
        ("real/pump.csv", "timestamp,value\n2014-04-01 00:00:00,x\n", "could not convert"),
        (LABELS, "[]", "expected a JSON object"),
        (LABELS, "{}", "the stream real/pump has no entry"),
    ],
)
def test_a_damaged_file_is_refused(folder: Path, file: str, content: str, why: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(DataError, match=why):
        load_source(SMALL, path=folder)


@pytest.mark.real_data
@pytest.mark.skipif(not os.environ.get("DLKIT_DATA"), reason="needs $DLKIT_DATA")
def test_a_real_stream_is_learned_from_its_probation_alone() -> None:
    splits = AnomalyData("nab", window=48).load(None, say=lambda _: None)
    first = splits.test.inputs["value"][0]
    assert len(splits.test) + 47 == 10_320 - 750 and splits.name == "nab/realKnownCause/nyc_taxi"
    assert first[0] != splits.validation.inputs["value"][-1, -1]
    assert (np.asarray(splits.test.targets) == "anomaly").sum() == 1_035
