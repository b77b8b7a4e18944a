"""Does a stream go on whatever it brings, and is a row judged the same however the rows arrive?"""

from __future__ import annotations

import json
import os
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dlkit.errors import DataNotFoundError, InputError
from dlkit.inference import following
from dlkit.inference.anomalies import AnomalyAnswer, Tail
from dlkit.inference.answers import ClassAnswer
from dlkit.inference.following import Follower, file_chunks, pipe_chunks
from dlkit.inference.streaming import NEW_CLOCK, Judged, StreamRows, StreamScorer
from dlkit.inference.tables import NumberColumn, TableRows
from dlkit.inference.windows import ScaledWindows

WINDOW = 3


@dataclass
class Mean:
    """Stands for a predictor: what is left of a window is its distance from 10."""

    answer: AnomalyAnswer | ClassAnswer
    transform: ScaledWindows | TableRows
    run: Path = Path("saved_models/anomaly/1")
    task: str = "anomaly"

    @property
    def kinds(self) -> Mapping[str, str]:
        return self.transform.kinds

    def network(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        (rows,) = inputs.values()
        assert len(rows) <= 5_000, "too many rows at once"
        return rows


def predictor(window: int = WINDOW, newest: int = 0, gap: float | None = None) -> Mean:
    numbers = {"heat": NumberColumn(10, 10, 1), "flow": NumberColumn(10, 10, 2)}
    tail = Tail(1, 0.1, 1, 0)
    answer = AnomalyAnswer(("heat", "flow"), window, newest, (1.0, 1.0), threshold=8.0, normal=(0.0, 1.0), tail=tail)
    return Mean(answer, TableRows(numbers, {}) if window == 1 else ScaledWindows(window, numbers, gap))


def said() -> tuple[list[str], Callable[[str], None]]:
    lines: list[str] = []
    return lines, lines.append


def follower(window: int = WINDOW, gap: float | None = None) -> tuple[Follower, list[str]]:
    lines, say = said()
    return Follower(predictor(window, gap=gap), say=say), lines  # type: ignore[arg-type]


def judged(one: Follower, *chunks: bytes) -> Judged:
    parts = list(one.follow(iter(chunks)))
    return Judged(
        tuple(time for part in parts for time in part.times),
        np.concatenate([np.zeros(0), *[part.scores for part in parts]]),
        np.concatenate([np.zeros(0, bool), *[part.alarms for part in parts]]),
        {},
    )


def csv(rows: int, start: int = 0) -> bytes:
    values = np.random.default_rng(rows + start).normal(10, 1, (rows, 2)).tolist()
    minutes = np.datetime64("2024-01-01T00:00") + np.arange(start, start + rows)
    return "".join(f"{t},{a!r},x,{b!r}\n" for t, (a, b) in zip(minutes, values, strict=True)).encode()


HEADER = b"time,heat,note,flow\n"


@pytest.mark.parametrize("cut", [1, 7, 100, 10_000])
def test_scores_do_not_depend_on_how_the_bytes_arrive(cut: int) -> None:
    text = HEADER + csv(60)
    whole = judged(follower()[0], text)
    pieces = judged(follower()[0], *[text[start : start + cut] for start in range(0, len(text), cut)])
    assert np.array_equal(whole.scores, pieces.scores, equal_nan=True)
    assert whole.times == pieces.times
    assert np.isnan(whole.scores[: WINDOW - 1]).all()
    assert np.isfinite(whole.scores[WINDOW - 1 :]).all()


def test_a_streamed_score_is_that_of_its_window() -> None:
    one = predictor()
    values = np.random.default_rng(1).normal(10, 2, (50, 2))
    scorer = StreamScorer(one)  # type: ignore[arg-type]
    found = [scorer.push({"heat": row[:1], "flow": row[1:]}).scores[0] for row in values]
    windows = np.stack([values[row - WINDOW + 1 : row + 1] for row in range(WINDOW - 1, 50)])
    residuals = ((windows - 10) / (1, 2)).astype(np.float32)
    assert np.allclose(found[WINDOW - 1 :], one.answer.scores(residuals))  # type: ignore[union-attr]


@pytest.mark.parametrize("newest", [0, 2])
def test_alarms_are_explained_as_in_an_answer(newest: int) -> None:
    one = predictor(newest=newest)
    values = np.random.default_rng(1).normal(10, 6, (50, 2))
    found = StreamScorer(one).push({"heat": values[:, 0], "flow": values[:, 1]})  # type: ignore[arg-type]
    windows = np.stack([values[row - WINDOW + 1 : row + 1] for row in range(WINDOW - 1, 50)])
    answers = one.answer.decode(((windows - 10) / (1, 2)).astype(np.float32))
    assert found.alarms.tolist() == [False] * (WINDOW - 1) + [answer["anomaly"] for answer in answers]
    assert 5 < len(found.channels) < 45
    for row, shares in found.channels.items():
        assert shares == pytest.approx(answers[row - WINDOW + 1]["channels"])


def test_an_alarm_comes_with_its_time_and_channel() -> None:
    one, _ = follower()
    parts = list(one.follow(iter([HEADER + b"2024-01-01,10,x,10\n2024-01-02,10,x,10\n2024-01-03,10,x,90\n"])))
    assert [part.times for part in parts] == [("2024-01-01", "2024-01-02", "2024-01-03")]
    assert parts[0].alarms.tolist() == [False, False, True]
    assert parts[0].channels == {2: pytest.approx({"heat": 0.0, "flow": 1.0})}
    assert one.summary.line() == "3 rows, 1 scored, 1 alarms, none skipped"


def test_garbage_is_skipped_and_counted_and_said_once() -> None:
    bad = (
        b"2024-01-01T01:00,warm,x,10\n2024-01-01T01:00,inf,x,10\n2024-01-01T01:00,1_0,x,10\n"
        b"half a row\n\n\xff\xfe\x00,,\n,,,,,,\nno time,10,x,10\n2024-01-01T01:00,,x,NaN\n"
    )
    one, lines = follower()
    found = judged(one, HEADER + csv(10), bad, csv(10, start=200))
    assert len(found.scores) == 21, "a missing number is filled, as in training"
    assert one.summary.skipped == {"not 4 fields": 3, "no time": 1, "no finite number in 'heat'": 3}
    assert len(lines) == 3
    assert "got 'warm'" in lines[2]


def test_rows_from_the_past_are_skipped_until_the_clock_is_plainly_set_back() -> None:
    one, lines = follower()
    judged(one, HEADER + csv(5, start=10_000) + csv(NEW_CLOCK))
    assert (one.summary.rows, one.summary.skipped) == (5, {"a time before the one of the row above": NEW_CLOCK})
    found = judged(one, csv(20, start=NEW_CLOCK))
    assert len(found.scores) == 20
    assert np.isnan(found.scores[: WINDOW - 1]).all(), "rows behind a set clock do not follow those before it"
    assert "the clock was set back to 2024-01-01T01:40" in lines[-1]


def test_a_jump_into_the_future_does_not_silence_the_stream() -> None:
    one, _ = follower()
    judged(one, HEADER + csv(5) + b"2199-01-01T00:00,10,x,10\n", csv(300, start=5))
    assert one.summary.rows == 6 + 300 - NEW_CLOCK


def test_a_stream_without_times_is_taken_in_its_order() -> None:
    one, _ = follower()
    found = judged(one, b"flow;heat\r\n10,5;10\r\n10;10,25\r\n10;10\r\n")
    assert found.scores[2] == pytest.approx((0.25 / 4 + 0.0625) / 6)
    assert found.times == ()


def test_quoted_fields_are_read_as_csv() -> None:
    one, _ = follower()
    found = judged(one, HEADER + b'2024-01-01,10,"a, b",10\n2024-01-02,"10",x,10\n2024-01-03,10,"open,10\n')
    assert len(found.scores) == 2
    assert one.summary.skipped == {"not 4 fields": 1}


def test_a_stream_of_other_columns_is_refused() -> None:
    with pytest.raises(InputError, match=r"heat, flow among them; got 'time,heatt,flow', without 'heat'.*'heatt'"):
        judged(follower()[0], b"time,heatt,flow\n")


def test_garbage_in_front_of_the_header_is_skipped_and_counted() -> None:
    one, lines = follower()
    found = judged(one, b"connected to /dev/ttyUSB0\n\xff\x00,\n,,,\n", HEADER + csv(5))
    assert len(found.scores) == 5
    assert one.summary.skipped == {"no header with heat, flow yet": 3}
    assert lines == ["skipped a row: no header with heat, flow yet, got 'connected to /dev/ttyUSB0'; more of these are "
                     "only counted"]  # fmt: skip


@pytest.mark.parametrize("cut", [1, 30, 10_000])
def test_rows_without_a_header_are_taken_where_they_can_be_read_in_one_way(cut: int) -> None:
    rows = csv(8).replace(b",x,", b",")
    text = rows[rows.index(b",") + 1 :]  # begun in the middle of a row
    one, lines = follower()
    found = judged(one, *[text[start : start + cut] for start in range(0, len(text), cut)])
    whole = judged(follower()[0], b"time,heat,flow\n" + rows)
    assert found.times == whole.times[1:]
    assert np.array_equal(found.scores[2:], whole.scores[3:])
    assert lines[-1] == "no line named the columns; rows are taken as time, heat, flow, the order of training"


@pytest.mark.parametrize(
    "text",
    [b"1,10,10\n" * 5, b"1704067200,10,10\n" * 5, b"2024-01-01,10,a\n" * 5, b"2024-01-01,1,2,3\n" * 5, b"1,2\n",
     b"pressure,speed\n" + b"1,2\n" * 5, b"when,heatt,flow\n" + b"2024-01-01,1,2\n" * 5, b"10,2024.5,10\n" * 5],
)  # fmt: skip
def test_rows_that_may_be_read_otherwise_wait_for_a_header(text: bytes) -> None:
    one, _ = follower()
    with pytest.raises(InputError, match="A line of the stream is to name its columns, heat, flow among them"):
        judged(one, text)
    assert one.summary.rows == 0


def test_columns_that_are_named_anew_are_read_anew() -> None:
    one, _ = follower()
    rows = b"2024-01-01T00:0%d,%s\n"
    found = judged(one, b"5,10\n" * 3, b"time,flow,heat\n" + rows % (1, b"20,10") + b"time,heat,note,flow\n",
                   rows % (2, b"10,heat,10"))  # fmt: skip
    assert found.scores[2:].tolist() == pytest.approx([75 / 6, 75 / 6, 50 / 6])
    assert one.summary.skipped == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2024-01-01 00:0{}", "2024-01-02T00:0{}:00Z"),
        ("13.02.2024 00:0{}", "2024-02-14 00:0{}"),
        ("13.02.2024 00:0{}", "03.04.2024 00:0{}"),
    ],
)
def test_a_file_that_begins_anew_may_write_times_and_decimals_otherwise(before: str, after: str) -> None:
    one, _ = follower()
    first = [f"{before.format(minute)};10,5;9,5" for minute in range(5)]
    second = [f"{after.format(minute)};10.5;9.5" for minute in range(5)]
    text = "\n".join(["time;heat;flow", *first, "time;heat;flow", *second, ""])
    found = judged(one, text.encode())
    assert one.summary.skipped == {} and found.times[-1] == after.format(4)
    assert np.isfinite(found.scores).sum() == len(first) + len(second) - WINDOW + 1


def test_a_stream_that_brings_nothing_is_told() -> None:
    with pytest.raises(InputError, match=r"got no line\. Give the header before the rows"):
        judged(follower()[0], b"\n \n")


@pytest.mark.parametrize("cut", [1, 40, 10_000])
def test_rows_behind_a_gap_do_not_follow_those_before_it(cut: int) -> None:
    text = HEADER + csv(10) + csv(10, start=11) + csv(10, start=5_000) + csv(10, start=9_000)
    one, lines = follower(gap=90.0)
    found = judged(one, *[text[start : start + cut] for start in range(0, len(text), cut)])
    assert np.flatnonzero(np.isnan(found.scores)).tolist() == [0, 1, 10, 11, 20, 21, 30, 31]
    assert one.summary.line() == "40 rows, 32 scored, 0 alarms, none skipped, 3 gaps"
    assert lines == ["a gap of 2 minutes (rows follow each other where they are at most 90 seconds apart): windows "
                     "begin anew behind it; more gaps are only counted"]  # fmt: skip


@pytest.mark.parametrize("cut", [1, 40, 10_000])
@pytest.mark.parametrize("header", [b"day,clock,heat,note,flow\n", b"clock,time,heat,note,flow\n"])
def test_a_time_of_day_that_stands_apart_belongs_to_its_day(cut: int, header: bytes) -> None:
    parted = csv(10) + csv(10, start=5_000)
    if header.startswith(b"day"):
        parted = parted.replace(b"T", b",")
    else:
        rows = [line.partition(b",") for line in parted.splitlines(keepends=True)]
        parted = b"".join(b",".join([time[11:], time[:10], rest]) for time, _, rest in rows)
    text = header + parted + parted[-40:].splitlines(keepends=True)[-1].replace(b"2024", b"")
    one, _ = follower(gap=90.0)
    found = judged(one, *[text[start : start + cut] for start in range(0, len(text), cut)])
    assert np.flatnonzero(np.isnan(found.scores)).tolist() == [0, 1, 10, 11]
    assert found.times[0] == "2024-01-01 00:00" and one.summary.gaps == 1


def test_an_hour_in_a_column_named_so_belongs_to_its_day() -> None:
    rows = [f"2024-01-{1 + hour // 24:02d},{hour % 24},warm,{hour % 9},10\n" for hour in range(60) if hour != 40]
    one, lines = follower(gap=5_400.0)
    found = judged(one, ("date,HR,note,heat,flow\n" + "".join(rows)).encode())
    assert np.flatnonzero(np.isnan(found.scores)).tolist() == [0, 1, 40, 41] and one.summary.gaps == 1
    assert found.times[30] == "2024-01-02 6:00" and "a gap of 2 hours" in lines[-1]


@pytest.mark.parametrize("cut", [1, 10_000])
def test_the_first_hour_that_is_told_decides(cut: int) -> None:
    rows = [f"2024-01-{1 + hour // 24:02d},{hour % 24 if hour > 1 else ''},{hour % 9},10\n" for hour in range(60)]
    text = ("date,hour,heat,flow\n" + "".join(rows)).encode()
    one, _ = follower(gap=5_400.0)
    found = judged(one, *[text[start : start + cut] for start in range(0, len(text), cut)])
    assert found.times[-1] == "2024-01-03 11:00" and one.summary.gaps == 0
    assert np.isfinite(found.scores[2:]).all()


@pytest.mark.parametrize("cut", [1, 40, 10_000])
def test_a_line_of_garbage_in_the_place_of_a_row_is_no_gap(cut: int) -> None:
    lost = b"2024-01-01T00:10,warm,x,10\n2024-01-01T00:11,10\n"
    text = HEADER + csv(10) + lost + csv(10, start=12) + lost + csv(10, start=5_000)
    one, _ = follower(gap=90.0)
    found = judged(one, *[text[start : start + cut] for start in range(0, len(text), cut)])
    assert np.flatnonzero(np.isnan(found.scores)).tolist() == [0, 1, 20, 21]
    assert one.summary.gaps == 1


def test_a_run_that_knows_no_gap_takes_rows_as_they_come(tmp_path: Path) -> None:
    one = ScaledWindows(3, {"heat": NumberColumn(10, 10, 1)}, 90.0)
    one.save(tmp_path)
    settings = json.loads((tmp_path / "preprocessing.json").read_text())
    assert ScaledWindows.load(tmp_path, settings) == one
    del settings["gap"]  # as runs were once saved
    assert ScaledWindows.load(tmp_path, settings).gap is None
    assert np.isfinite(judged(follower()[0], HEADER + csv(5) + csv(5, start=5_000)).scores[2:]).all()


@pytest.mark.parametrize("rows", [1, 2])
def test_a_year_that_cannot_be_counted_is_no_time(rows: int) -> None:
    one, _ = follower()
    judged(one, HEADER + csv(5).replace(b"T", b" "), b"9999-12-31 23:59:59,10,x,10\n" * rows, csv(5, start=5))
    assert (one.summary.rows, one.summary.skipped) == (10, {"no time": rows})


def test_only_a_run_that_finds_anomalies_follows() -> None:
    with pytest.raises(InputError, match="a run of an anomaly recipe"):
        StreamScorer(Mean(ClassAnswer(("a", "b")), ScaledWindows(3, {}), task="classification"))  # type: ignore[arg-type]


def test_a_line_without_an_end_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LONGEST_LINE", 50)
    one, _ = follower()
    found = judged(one, HEADER, *[b"9" * 40] * 100, b"\n" + csv(5))
    assert len(found.scores) == 5
    assert one.summary.skipped == {"a line without an end": 1}


def test_rows_of_a_table_are_judged_one_by_one() -> None:
    found = judged(follower(window=1)[0], HEADER + csv(9))
    assert np.isfinite(found.scores).all()


def test_rows_of_a_table_need_no_order() -> None:
    one, _ = follower(window=1)
    found = judged(one, HEADER + csv(3, start=50) + csv(3) + b"someday,10,x,10\n")
    assert np.isfinite(found.scores).all() and one.summary.line() == "7 rows, 7 scored, 0 alarms, none skipped"
    assert found.times[3] == "2024-01-01T00:00"


def test_memory_does_not_grow_with_the_stream() -> None:
    one, _ = follower()
    peaks = []
    tracemalloc.start()
    try:
        for part in range(6):
            list(one.follow(iter([HEADER + csv(2_000, start=2_000 * part)])))
            peaks.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert one.summary.rows == 12_000
    assert peaks[-1] - peaks[1] < 20_000


def test_many_rows_at_once_are_scored_some_at_a_time() -> None:
    assert len(judged(follower()[0], HEADER + csv(9_000)).scores) == 9_000


class Hand:
    """Passes the time of `file_chunks`: each wait does the next thing to the file."""

    def __init__(self, *deeds: Callable[[], object]) -> None:
        self.deeds = iter(deeds)

    def __call__(self, _seconds: float) -> None:
        next(self.deeds, lambda: None)()


def appended(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_a_growing_file_is_read_to_its_end_and_on(tmp_path: Path) -> None:
    path = tmp_path / "stream.csv"
    path.write_bytes(HEADER + csv(5)[:-3])
    rest = csv(5)[-3:] + csv(5, start=5)
    one, _ = follower()
    found = judged(one, *file_chunks(path, idle=1.0, wait=Hand(lambda: None, lambda: appended(path, rest))))
    assert len(found.scores) == 10
    assert one.summary.skipped == {}


def test_a_file_that_was_cut_off_or_replaced_is_begun_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "stream.csv", tmp_path / "new.csv"
    path.write_bytes(HEADER + csv(5) + b"2024-01-")
    other.write_bytes(HEADER + csv(7, start=30))
    hand = Hand(lambda: path.write_bytes(HEADER + csv(3, start=20)), lambda: other.replace(path), path.unlink)
    one, _ = follower()
    found = judged(one, *file_chunks(path, idle=1.0, wait=hand))
    assert len(found.scores) == 15
    assert one.summary.skipped == {}


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"--file: .*none.csv cannot be read"):
        next(file_chunks(tmp_path / "none.csv"))


def test_a_pipe_is_read_until_it_is_closed() -> None:
    end, start = os.pipe()
    os.write(start, HEADER + csv(4))
    os.close(start)
    with os.fdopen(end, "rb") as stream:
        assert len(judged(follower()[0], *pipe_chunks(stream)).scores) == 4


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_input_that_stops_is_left(kind: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(HEADER + csv(4))
    end, start = os.pipe()
    os.write(start, HEADER + csv(4))
    source = os.fdopen(end, "rb") if kind == "pipe" else (tmp_path / "rows.csv").open("rb")
    with source as stream:
        assert len(judged(follower()[0], *pipe_chunks(stream, idle=0.0)).scores) == 4
    os.close(start)


def test_a_named_pipe_is_read_as_it_is_written_and_left_when_it_stops(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    one, seen = follower()[0], list[float]()

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(HEADER + csv(4))
            time.sleep(0.1)
            pipe.write(csv(2, start=4))
            deadline = time.monotonic() + 5
            while len(seen) < 6 and time.monotonic() < deadline:
                time.sleep(0.01)
            left.wait(5)

    left = threading.Event()
    writer = threading.Thread(target=write)
    writer.start()
    for part in one.follow(file_chunks(path, idle=0.5)):
        seen += part.scores.tolist()
    left.set()  # it was open all the time
    writer.join()
    assert len(seen) == 6


def test_the_summary_is_whole_at_any_time() -> None:
    one, _ = follower()

    def chunks() -> Iterator[bytes]:
        yield HEADER + csv(4) + b"bad\n"
        assert one.summary.line() == "4 rows, 2 scored, 0 alarms, 1 skipped (1 not 4 fields)"

    list(one.follow(chunks()))


def test_rows_know_their_columns_by_the_header_alone() -> None:
    rows = StreamRows({"b": "number"}, print)
    ((columns, times, fresh),) = list(rows.parse(["a,b\n", "1,2\n"]))
    assert (columns["b"].tolist(), times, fresh) == ([2.0], [], False)


@pytest.mark.parametrize("time", ["2024-01-01 00:00:00", "2024-01-01T00:00Z", "01/31/2024 10:00"])
def test_a_column_of_times_is_found_by_any_name(time: str) -> None:
    rows = StreamRows({"b": "number"}, print)
    ((_, times, _),) = list(rows.parse(["id,when,b\n", f"17,{time},2\n"]))
    assert times == [time]


def test_times_that_may_be_day_or_month_first_are_taken_as_they_come() -> None:
    one, _ = follower()
    found = judged(
        one, b"date,heat,flow\n13.02.2024,10,10\n" + b"".join(b"01/0%d/2024,10,10\n" % day for day in (5, 2, 9))
    )
    assert len(found.scores) + sum(one.summary.skipped.values()) == 4
    other, _ = follower()
    found = judged(other, b"date,heat,flow\n" + b"".join(b"01/0%d/2024,10,10\n" % day for day in (5, 2, 9)))
    assert found.times == ("01/05/2024", "01/02/2024", "01/09/2024")


def test_an_empty_last_field_is_a_field() -> None:
    found = judged(follower()[0], b"heat\tflow\tnote\r\n" + b"10\t10\t\r\n" * 4)
    assert len(found.scores) == 4


def test_a_header_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="to name its columns"):
        judged(follower()[0], b'\x00\x00"\n1,2\n')


def test_a_row_with_another_decimal_mark_is_skipped_and_counted() -> None:
    said: list[str] = []
    rows = StreamRows({"b": "number"}, said.append)
    found = [columns["b"].tolist() for columns, _, _ in rows.parse(["a;b", "x;999,5", "x;1.100", "x;3", "x;2,5"])]
    assert found == [[999.5, 3.0, 2.5]] and rows.skipped.total() == 1 and "decimal mark" in said[0]


def test_a_bar_parts_fields_as_in_training() -> None:
    rows = StreamRows({"b": "number"}, print)
    assert [columns["b"].tolist() for columns, _, _ in rows.parse(["a|b", "x|5"])] == [[5.0]]
