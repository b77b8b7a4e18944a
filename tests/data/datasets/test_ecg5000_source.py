"""Are heartbeats read with their labels, and is anything else refused?"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.data.anomalies import AnomalyData
from dlkit.data.builders import load_source
from dlkit.data.datasets.ecg5000 import SOURCE
from dlkit.errors import DataError

SMALL = replace(SOURCE, rows={"train": 3})
BEATS = np.arange(3 * 140).reshape(3, 140) / 7


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))


def written(folder: Path, extra: str = "") -> Path:
    rows = [f"  {label}.0e+00  " + "  ".join(map(repr, beat)) for label, beat in enumerate(BEATS.tolist(), 1)]
    path = folder / "ECG5000_TRAIN.txt"
    path.write_text("\n".join([*(rows[:2] if extra else rows), *filter(None, [extra])]) + "\n")
    return path


@pytest.mark.usefixtures("cache")
def test_beats_come_with_their_labels(tmp_path: Path) -> None:
    split = load_source(SMALL, path=written(tmp_path)).splits["train"]
    order = np.argsort(np.asarray(split.targets))
    np.testing.assert_array_equal(split.inputs["beat"][order], BEATS)
    assert sorted(np.asarray(split.targets)) == ["1", "2", "3"]


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("extra", "why"),
    [("1 2 3", "beat 3: expected a label and 140 finite numbers, got 3"), ("1 x", "could not convert"),
     ("1 " + "nan " * 140, "finite"), ("9 " + "1 " * 140, "label '9'")],
)  # fmt: skip
def test_a_bad_beat_is_refused(tmp_path: Path, extra: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        load_source(SMALL, path=written(tmp_path, extra))


@pytest.mark.real_data
@pytest.mark.skipif(not os.environ.get("DLKIT_DATA"), reason="needs $DLKIT_DATA")
def test_of_the_real_beats_the_normal_ones_of_seventy_percent_are_learned() -> None:
    splits = AnomalyData("ecg5000").load(None, say=lambda _: None)
    tested, held = np.asarray(splits.test.targets), np.asarray(splits.validation.targets)
    assert len(tested) == 150 and (tested == "normal").sum() == 88
    assert len(splits.train) + (held == "normal").sum() == 204
