"""Are the named series cut as published, and is a file that is none of them refused?"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dlkit.data.datasets import airline_passengers, etth1, minimum_temperatures
from dlkit.data.series import SeriesData
from dlkit.data.series_windows import SeriesSplit
from dlkit.data.sources import source
from dlkit.errors import DataError


def test_a_split_follows_the_other(tmp_path: Path) -> None:
    path = tmp_path / "ETTh1.csv"
    lines = [f"2016-07-01 {row:05d},{row},1,1,1,1,1,1" for row in range(14_500)]
    path.write_text("\n".join(["date," + ",".join(etth1.CHANNELS), *lines]), encoding="utf-8")
    splits = {name: list(rows) for name, rows in etth1.read([path]).items()}
    assert {name: len(rows) for name, rows in splits.items()} == etth1.ROWS
    assert splits["validation"][0][1]["HUFL"] == 8_640 and splits["test"][-1][1]["HUFL"] == 14_399


@pytest.mark.parametrize(
    "lines, expected",
    [
        (["Month,Flights", "1949-01,112"], "expected the columns Month, Passengers, got Month, Flights"),
        (["Month,Passengers", "1949-01,many"], "line 2: could not convert"),
        (["Month,Passengers", "1949-01"], "line 2"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, lines: list[str], expected: str) -> None:
    path = tmp_path / "airline-passengers.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=expected):
        list(airline_passengers.read([path])["train"])


@pytest.mark.parametrize("module", [etth1, airline_passengers, minimum_temperatures])
def test_series_keep_their_order_and_have_a_pinned_address(module: object) -> None:
    dataset = module.SOURCE  # type: ignore[attr-defined]  # a module
    assert source(dataset.name) is dataset and dataset.ordered and dataset.target is None
    (file,) = dataset.forms[0]
    assert file.url and file.url_sha256 in file.sha256


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_etth1_is_split_into_12_4_and_4_months() -> None:
    splits = SeriesData().load(None, say=lambda _: None)
    assert isinstance(splits.train, SeriesSplit) and splits.train.layout.step == np.timedelta64(1, "h")
    # 8,640 steps hold 8,640 - 336 - 96 + 1 windows; each held-out part of 2,880 is forecast from what is before it.
    assert [len(getattr(splits, part)) for part in ("train", "validation", "test")] == [8_209, 2_785, 2_785]
    assert str(np.asarray(splits.test.times)[0])[:16] == "2017-10-23T23:00"


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_the_last_24_months_of_the_airline_test() -> None:
    splits = SeriesData("airline_passengers", window=24, horizon=12).load(None, say=lambda _: None)
    assert isinstance(splits.test, SeriesSplit) and splits.test.layout.season == 12
    assert splits.test.part["Passengers"][[0, -1]].tolist() == [360, 432]
