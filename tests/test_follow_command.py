"""Does `dlkit predict RUN --follow` judge rows as they arrive, for a person and for a program, and end well?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import dlkit
from dlkit.data.anomaly_samples import pump
from dlkit.inference.following import Follower

WINDOW = 8


@pytest.fixture(scope="module")
def pump_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a stream; only to be read."""
    root = tmp_path_factory.mktemp("followed")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DLKIT_CACHE", str(root / "cache"))
        environment.delenv("DLKIT_DATA", raising=False)
        changes = {"data.sample": "pump", "data.window": WINDOW}
        return dlkit.run("anomaly", data="sample", epochs=1, settings=changes, out=root / "runs").folder


def stream(rows: int = 40) -> str:
    made = pump().rows
    names = list(made.inputs)
    columns = [np.asarray(made.times[:rows]).astype("datetime64[m]").astype(str).tolist()]
    columns += [np.round(made.inputs[name][:rows], 3).astype(str).tolist() for name in names]
    return "\n".join([",".join(["time", *names]), *map(",".join, zip(*columns, strict=True))]) + "\n"


def test_each_row_gets_a_line_with_its_time_and_score(cli, pump_run: Path, tmp_path: Path):
    file = tmp_path / "stream.csv"
    file.write_text(stream() + "garbage\n2024-01-01T20:00,1e9,-1e9\n", encoding="utf-8")
    ended = cli("predict", pump_run, "--file", file, "--follow", "--idle", 0)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert len(lines) == 40 - WINDOW + 2
    assert lines[0].split()[0] == stream().splitlines()[WINDOW].split(",")[0]
    assert lines[-1].startswith("2024-01-01T20:00  ")
    assert "ALARM (above " in lines[-1]
    assert "41 rows, 34 scored" in ended.err
    assert "1 skipped (1 not 3 fields)" in ended.err


def test_rows_behind_a_gap_begin_a_window_anew(cli, pump_run: Path, tmp_path: Path):
    file = tmp_path / "stream.csv"
    lines = stream(60).splitlines(keepends=True)
    file.write_text("".join(lines[:31] + lines[41:]), encoding="utf-8")
    ended = cli("predict", pump_run, "--file", file, "--follow", "--idle", 0)
    assert len(ended.out.splitlines()) == 50 - 2 * (WINDOW - 1)
    assert "a gap of 330 minutes" in ended.err
    assert "50 rows, 36 scored, " in ended.err and ended.err.endswith("none skipped, 1 gap\n")
    whole = cli("predict", pump_run, "--file", file)
    assert [line.split()[0] for line in whole.out.splitlines()] == [line.split()[0] for line in ended.out.splitlines()]
    assert "7 of 43 windows hold a gap (rows more than 2700 seconds apart); left out" in whole.err


def test_a_program_gets_an_object_a_line_that_agrees_with_predict(cli, pump_run: Path, tmp_path: Path):
    file = tmp_path / "stream.csv"
    file.write_text(stream(), encoding="utf-8")
    ended = cli("predict", pump_run, "--file", file, "--follow", "--idle", 0, "--json")
    answers = [json.loads(line) for line in ended.out.splitlines()]
    assert [answer["row"] for answer in answers] == list(range(WINDOW, 41))
    predictor = dlkit.load(pump_run)
    made = pump().rows.inputs
    item = {name: np.round(made[name][40 - WINDOW : 40], 3).tolist() for name in made}
    (alone,) = predictor.predict([item])
    assert answers[-1]["score"] == pytest.approx(alone["score"], rel=1e-5)
    assert answers[-1]["anomaly"] is alone["anomaly"]


def test_standard_input_is_followed_to_its_end(process, pump_run: Path):
    ended = process("predict", pump_run, "--follow", stdin=stream().encode())
    assert ended.code == 0, ended.err
    assert len(ended.out.splitlines()) == 40 - WINDOW + 1


def test_rows_without_a_header_are_followed_and_a_pipe_that_stops_is_left(pump_run: Path):
    command = [sys.executable, "-m", "dlkit.cli", "predict", pump_run, "--follow", "--idle", "0.5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ended:
        assert ended.stdin is not None and ended.stdout is not None and ended.stderr is not None
        ended.stdin.write(stream().partition("\n")[2].encode())
        ended.stdin.flush()
        assert ended.wait(120) == 0  # and nobody closed the pipe
        assert len(ended.stdout.read().splitlines()) == 40 - WINDOW + 1
        assert b"rows are taken as time, pressure_bar, flow_l_min, the order of training" in ended.stderr.read()


def test_the_user_ends_it_with_a_summary(cli, pump_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(_self: Follower, _chunks: Iterator[bytes]) -> Iterator[object]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Follower, "follow", interrupted)
    ended = cli("predict", pump_run, "--file", tmp_path / "any.csv", "--follow")
    assert ended.code == 0
    assert ended.err == "0 rows, 0 scored, 0 alarms, none skipped\n"


def test_wrong_usage_is_told(cli, pump_run: Path, tmp_path: Path):
    assert "--follow reads --file" in cli("predict", pump_run, "1,2", "--follow").message
    assert cli("predict", pump_run, "--follow", "--artefact", "keras").code == 2
    assert "rows on standard input; there is none" in cli("predict", pump_run, "--follow").message
    missing = cli("predict", pump_run, "--follow", "--file", tmp_path / "none.csv")
    assert (missing.code, "none.csv cannot be read" in missing.message) == (4, True)
    other = tmp_path / "other.csv"
    other.write_text("time,speed\n2024-01-01,3\n", encoding="utf-8")
    wrong = cli("predict", pump_run, "--follow", "--file", other, "--idle", 0)
    assert wrong.code == 2
    assert "to name its columns" in wrong.message
