"""Is a CSV of a stream cut into the windows that a model takes, and is its answer one that a person can read?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import dlkit
from dlkit import asking, telling
from dlkit.cli import commands
from dlkit.contracts import Head, Spec
from dlkit.errors import DataNotFoundError, InputError
from dlkit.inference import load
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.following import Follower
from dlkit.inference.tables import NumberColumn, TableRows
from dlkit.inference.windows import ScaledWindows
from dlkit.models import autoencoders
from dlkit.run_folder import Content, write_content

MADE = ScaledWindows(4, {"bar": NumberColumn(5.0, 5.0, 1.0), "flow": NumberColumn(80.0, 80.0, 10.0)})


def stream(folder: Path, rows: int = 10, header: str = "time,bar,flow") -> Path:
    path = folder / "stream.csv"
    lines = [f"2024-03-01 00:{row:02}:00,{5 + row},{80 + row}" for row in range(rows)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an untrained network, whole all the same."""
    folder = tmp_path_factory.mktemp("runs") / "anomaly" / "1"
    folder.mkdir(parents=True)
    keras.utils.set_random_seed(0)
    model = autoencoders.dense(Spec(MADE.tensors, {"residual": Head(2)}), units=(4,), code=2)
    normal = np.random.default_rng(0).normal(size=(100, 4, 2)).astype(np.float32)
    answer = AnomalyAnswer(("bar", "flow"), window=4).calibrated(np.asarray(model(normal)), rate=0.05)
    write_content(folder, Content(MADE, answer, model, []), {"recipe": "anomaly", "task": "anomaly", "model": "dense"})
    return folder


def test_each_row_from_the_first_full_window_on_is_an_item(tmp_path: Path) -> None:
    items, times = asking.windows_from((), stream(tmp_path), MADE, print)
    assert len(items) == len(times) == 7 and (times[0], times[-1]) == ("2024-03-01T00:03", "2024-03-01T00:09")
    assert isinstance(items[1], dict)
    np.testing.assert_array_equal(items[1]["bar"], [6, 7, 8, 9])


def test_without_times_rows_are_numbered_from_one(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_text("bar,flow\n" + "5,80\n" * 6)
    assert asking.windows_from((), path, MADE, print)[1] == ["4", "5", "6"]


def test_what_cannot_be_cut_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="a window is 4 rows, and the file has 3"):
        asking.windows_from((), stream(tmp_path, rows=3), MADE, print)
    with pytest.raises(InputError, match="no such column"):
        asking.windows_from((), stream(tmp_path, header="time,pressure,flow"), MADE, print)
    with pytest.raises(DataNotFoundError, match="not there"):
        asking.windows_from((), tmp_path / "none.csv", MADE, print)
    with pytest.raises(InputError, match="not both"):
        asking.windows_from(['{"bar": [1]}'], stream(tmp_path), MADE, print)
    monkeypatch.setattr(asking, "MOST_WINDOWS", 5)
    with pytest.raises(InputError, match="--follow --idle 0"):
        asking.windows_from((), stream(tmp_path), MADE, print)


def test_rows_are_put_in_order_and_a_dead_channel_is_filled_and_both_are_said(tmp_path: Path) -> None:
    ordered, _ = asking.windows_from((), stream(tmp_path), MADE, print)
    header, *rows = (tmp_path / "stream.csv").read_text().splitlines()
    dead = [f"{row.rpartition(',')[0]}," for row in reversed(rows)]
    (tmp_path / "stream.csv").write_text("\n".join([header, *dead]) + "\n")
    said: list[str] = []
    items, times = asking.windows_from((), tmp_path / "stream.csv", MADE, said.append)
    assert times[0] == "2024-03-01T00:03" and len(items) == 7
    for item, one in zip(items, ordered, strict=True):
        assert isinstance(item, dict) and isinstance(one, dict)
        np.testing.assert_array_equal(item["bar"], one["bar"])
        assert np.isnan(item["flow"]).all()
    assert "put in the order of their times: 9 of them" in said[0] and "'flow' has no values" in said[1]


def test_windows_with_a_gap_are_left_out_and_counted(tmp_path: Path) -> None:
    path, said = stream(tmp_path), []
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:6] + lines[7:]))
    items, times = asking.windows_from((), path, replace(MADE, gap=90.0), said.append)
    assert len(items) == 3 and times == ["2024-03-01T00:03", "2024-03-01T00:04", "2024-03-01T00:09"]
    assert said[-1] == f"{path}: 3 of 6 windows hold a gap (rows more than 90 seconds apart); left out"
    with pytest.raises(InputError, match=r"9 of 9 windows hold a gap.*put in those that are missing"):
        asking.windows_from((), stream(tmp_path, rows=12), replace(MADE, gap=50.0), print)


def test_a_table_of_very_many_rows_is_to_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_ROWS", 9)
    path, kinds = stream(tmp_path), dict.fromkeys(["bar", "flow"], "number")
    with pytest.raises(InputError, match=r"10 rows are too many to be answered at once.*--follow --idle 0"):
        asking.items_from([], path, None, kinds, task="anomaly")  # type: ignore[arg-type]  # kinds of columns
    assert len(asking.items_from([], path, None, kinds, task="regression")) == 10  # type: ignore[arg-type]  # as above
    monkeypatch.setattr(asking, "MOST_ROWS", 10)
    assert len(asking.items_from([], path, None, kinds, task="anomaly")) == 10  # type: ignore[arg-type]  # as above


def test_rows_of_a_table_are_followed_as_they_are_predicted(tmp_path: Path) -> None:
    made = TableRows({"load": NumberColumn(5.0, 5.0, 1.0)}, {"mode": ("idle", "full")})
    folder = tmp_path / "anomaly" / "1"
    folder.mkdir(parents=True)
    model = autoencoders.dense(Spec(made.tensors, {"residual": Head(3)}), units=(4,), code=2)
    normal = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    answer = AnomalyAnswer(tuple(made.features)).calibrated(np.asarray(model(normal)), rate=0.05)
    write_content(folder, Content(made, answer, model, []), {"recipe": "anomaly", "task": "anomaly", "model": "dense"})
    predictor = dlkit.load(folder)
    (judged,) = Follower(predictor, say=print).follow(iter([b"mode,load\nidle,5\nfull,9\n,NA\nodd,4\n"]))
    rows = [{"mode": "idle", "load": 5}, {"mode": "full", "load": 9}, {"load": None}, {"mode": "odd", "load": 4}]
    np.testing.assert_allclose(judged.scores, [found["score"] for found in predictor.predict(rows)], rtol=1e-5)


def test_the_command_line_judges_a_csv_row_by_row(run: Path, tmp_path: Path) -> None:
    path = str(stream(tmp_path))
    plain = CliRunner().invoke(commands, ["predict", str(run), "--file", path], standalone_mode=False)
    assert plain.exception is None
    document = dlkit.load(run).predict(asking.windows_from((), Path(path), MADE, print)[0])
    assert len(document) == 7 and any(answer["anomaly"] for answer in document)
    lines = telling.answer_lines([{}] * 7, [{"at": "then", **answer} for answer in document]).splitlines()
    assert all(line.startswith("then  ") for line in lines) and any("ALARM (above" in line for line in lines)


def test_a_window_as_json_is_an_item_too(run: Path) -> None:
    items = asking.items_from(['{"bar": [5, 5, 5, null], "flow": [80, 80, 80, 80]}'], None, None, MADE.kinds)
    (answer,) = dlkit.load(run).predict(items)
    assert set(answer) == {"score", "threshold", "anomaly", "rarity", "channels", "moments", "warning"}
    assert json.dumps(answer) and "1 of its 8 numbers are missing" in str(answer["warning"])


def test_a_wild_value_is_an_alarm_and_no_error(run: Path) -> None:
    (answer,) = dlkit.load(run).predict([{"bar": [5, 5, 5, 1e300], "flow": [80, 80, 80, 80]}])
    assert answer["anomaly"] is True and np.isfinite(answer["score"])  # type: ignore[arg-type]  # JSON


def test_a_server_says_what_an_alarm_holds(run: Path) -> None:
    from dlkit.serving.rest import _metadata

    signature = _metadata(dlkit.load(run))["metadata"]["signature_def"]["signature_def"]["serving_default"]  # type: ignore[index]  # JSON
    assert set(signature["outputs"]) == {"score", "threshold", "anomaly"}
    assert signature["inputs"]["bar"]["dtype"] == "DT_DOUBLE"


def test_each_window_is_as_long_in_all_its_channels(run: Path) -> None:
    predictor = load(run)
    whole, uneven = {"bar": [5] * 5, "flow": [80] * 5}, {"bar": [5] * 5, "flow": [80] * 7}
    for items, number in (([uneven], 1), ([whole, uneven], 2), ([uneven, whole], 1)):
        with pytest.raises(
            InputError, match=f"Item {number}: the channels of a window differ in length: bar 5, flow 7"
        ):
            predictor.predict(items)
    with pytest.raises(InputError, match=r"Item 2, column 'flow': expected a window of 4 numbers.*, got 3"):
        predictor.predict([whole, {"bar": [5] * 4, "flow": [80] * 3}])
    assert len(predictor.predict([whole, {"bar": [5] * 9, "flow": [80] * 9}])) == 2
