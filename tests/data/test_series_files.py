"""Is a CSV of measurements read whole or refused with its line, and is what is wrong with its times said?"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dlkit.data.series_files import last_rows, read_series, series_blocks
from dlkit.errors import DataError, SettingsError


def file(folder: Path, rows: Sequence[str], header: str = "time,load") -> Path:
    path = folder / "series.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def hourly(count: int) -> list[str]:
    start = np.datetime64("2024-01-01T00:00")
    return [f"{start + np.timedelta64(row, 'h')},{row / 2}" for row in range(count)]


def test_times_numbers_and_step_are_found(tmp_path: Path) -> None:
    series = read_series(file(tmp_path, hourly(30)))
    assert list(series.values) == ["load"] and len(series) == 30
    assert series.times is not None and series.times.dtype == "datetime64[ns]"
    assert series.step == np.timedelta64(1, "h") and series.notes == ()
    np.testing.assert_array_equal(series.values["load"], np.arange(30) / 2)


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda rows: rows[:10] + rows[13:], "gaps: 3 rows are missing in 1 places from a step of 1 hour"),
        (lambda rows: [*rows[:10], rows[9], *rows[10:]], "1 time stands more than once, the first 2024-01-01T09:00"),
        (lambda rows: [*rows[:10], "2024-01-01T09:30,1", *rows[10:]], "2 of 30 steps are no multiple of 1 hour"),
        (lambda rows: [*rows[:10], "2024-01-01T10:00,", *rows[11:]], "missing values in load (1)"),
        (lambda rows: [row.split(",")[0] + ",5" for row in rows], "column 'load' is 5 on every row"),
    ],
)
def test_what_is_not_even_is_reported(tmp_path: Path, change: object, expected: str) -> None:
    notes = read_series(file(tmp_path, change(hourly(30)))).notes  # type: ignore[operator]  # a function
    assert len(notes) == 1 and notes[0].startswith(expected)


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda rows: [rows[1], rows[0], *rows[2:]], "line 3, column 'time': expected times in ascending order"),
        (
            lambda rows: [*rows[:5], "03.01.2024 00:00,1"],
            "line 7, column 'time': '03.01.2024 00:00' is no time",
        ),
        (lambda rows: [*rows[:5], ",1"], "line 7, column 'time': expected a time, got nothing"),
        (lambda rows: [*rows, "2024-01-09T00:00,broken"], "line 32, column 'load': expected a number, got 'broken'"),
        (lambda rows: [*rows, "2024-01-09T00:00,inf"], "line 32, column 'load': infinite or too large"),
        (lambda rows: [*rows, "2024-01-09T00:00,1_0"], "line 32, column 'load': expected a number, got '1_0'"),
        (lambda rows: [row.split(",")[0] + "," for row in rows], "no column holds a number"),
        (lambda _: [], "a header and no rows below it"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(tmp_path: Path, change: object, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        read_series(file(tmp_path, change(hourly(30))))  # type: ignore[operator]  # a function
    assert expected in str(caught.value)


def test_rows_are_sorted_on_request_alone(tmp_path: Path) -> None:
    rows = hourly(30)
    series = read_series(file(tmp_path, [*rows[20:], *rows[:20]]), sort=True)
    np.testing.assert_array_equal(series.values["load"], np.arange(30) / 2)
    assert series.notes == ("the rows were put in the order of their times: 1 of them went back",)


def test_dates_that_may_be_read_two_ways_are_read_as_they_ascend_or_refused(tmp_path: Path) -> None:
    ascending = [f"0{day}/01/2024,1.5" for day in range(1, 10)]
    series = read_series(file(tmp_path, [*ascending, "01/02/2024,2"]))
    assert series.step == np.timedelta64(1, "D") and "day first" in series.notes[0]
    with pytest.raises(DataError, match=r"may be day or month first"):
        read_series(file(tmp_path, [f"0{day}/0{day}/2024,1.5" for day in range(1, 9)]))


def test_a_file_without_times_is_read_in_its_order(tmp_path: Path) -> None:
    series = read_series(file(tmp_path, ["1.5,4", "2.5,5", "3.5,7"], "wind,load"))
    assert series.times is None and series.step is None and list(series.values) == ["wind", "load"]
    assert "no column of times was found" in series.notes[0]


def test_other_columns_are_left_out_or_asked_for(tmp_path: Path) -> None:
    rows = [f"{row},mill,{number}" for number, row in enumerate(hourly(12))]
    path = file(tmp_path, rows, "time,load,site,wind")
    assert list(read_series(path).values) == ["load", "wind"]
    assert list(read_series(path, columns=["wind"]).values) == ["wind"]
    assert list(read_series(path, ignore=["wind"]).values) == ["load"]
    with pytest.raises(DataError, match=r"column 'site': expected a number, got 'mill'"):
        read_series(path, columns=["site"])
    with pytest.raises(SettingsError, match=r"Did you mean 'wind'"):
        read_series(path, columns=["wnd"])


def test_a_file_comes_in_blocks_that_are_its_rows(tmp_path: Path) -> None:
    blocks = list(series_blocks(file(tmp_path, hourly(25)), rows=10))
    assert [len(block) for block in blocks] == [10, 10, 5]
    np.testing.assert_array_equal(np.concatenate([block.values["load"] for block in blocks]), np.arange(25) / 2)
    assert blocks[1].lines[0] == 12


def test_the_last_rows_are_those_of_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlkit.data.series_files.BLOCK_ROWS", 4)
    block = last_rows(file(tmp_path, hourly(25)), None, ["load"], 7)
    np.testing.assert_array_equal(block.values["load"], np.arange(18, 25) / 2)
    assert block.times is not None and str(block.times[-1])[:16] == "2024-01-02T00:00"
    with pytest.raises(DataError, match=r"line 26, column 'time': expected times in ascending order"):
        last_rows(file(tmp_path, [*hourly(24), hourly(1)[0]]), None, ["load"], 7)


@pytest.mark.parametrize("first", ["999,5", "1.100"])
@pytest.mark.parametrize("block", [1 << 16, 2])
def test_a_point_among_decimal_commas_may_part_thousands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, block: int
) -> None:
    monkeypatch.setattr("dlkit.data.series_files.BLOCK_ROWS", block)
    rows = [f"2024-01-0{day};{value}" for day, value in enumerate([first, "3", "1.100", "999,5", "2"], start=1)]
    (tmp_path / "a.csv").write_text("\n".join(["time;load", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match=r"column 'load'.*their decimals cannot be told"):
        read_series(tmp_path / "a.csv")


def test_points_of_one_column_may_part_thousands_where_another_has_decimal_commas(tmp_path: Path) -> None:
    rows = [f"2024-01-0{day};1.{day}00;3,5" for day in range(1, 6)]
    (tmp_path / "a.csv").write_text("\n".join(["time;load;heat", *rows]), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"line 2, column 'load': '1\.100' may be 1100 or 1,100.*'3,5' in column 'heat'"
    ):
        read_series(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("header", "style"),
    [
        ("date,time,load", "{day},{hour:02d}:00"),
        ("Time,load,Date", None),
        ("date;time;load", "{day};{hour:02d}.00.00"),
    ],
)
@pytest.mark.parametrize("wanted", [None, "date", "time"])
def test_days_and_times_of_day_in_two_columns_are_the_times(
    tmp_path: Path, header: str, style: str | None, wanted: str | None
) -> None:
    rows = []
    for row in range(40):
        day, hour = f"{12 + row // 24}/02/2024", row % 24
        rows.append(f"{hour:02d}:00:00,{row},{day}" if style is None else f"{style.format(day=day, hour=hour)}")
        rows[-1] += "" if style is None else f"{';' if ';' in header else ','}{row}"
    wanted = wanted.capitalize() if wanted and header[0] == "T" else wanted
    series = read_series(file(tmp_path, rows, header), wanted)
    assert list(series.values) == ["load"] and series.step == np.timedelta64(1, "h")
    assert series.times is not None and series.times[-1] == np.datetime64("2024-02-13T15:00")
    assert series.time is not None and series.time.lower() == "date" and "together" in series.notes[0]
    last = last_rows(tmp_path / "series.csv", series.time, ["load"], 30)
    np.testing.assert_array_equal(last.times, series.times[-30:])


@pytest.mark.parametrize("header", ["dteday,hr,load", "Hour,day,load"])
def test_an_hour_that_stands_apart_belongs_to_its_day(tmp_path: Path, header: str) -> None:
    rows = [(f"2024-01-{hour // 24 + 1:02d}", f"{hour % 24}") for hour in range(100) if hour != 50]
    fields = [pair if header.startswith("d") else pair[::-1] for pair in rows]
    series = read_series(file(tmp_path, [",".join([*pair, str(row)]) for row, pair in enumerate(fields)], header))
    assert list(series.values) == ["load"] and series.step == np.timedelta64(1, "h")
    assert series.times is not None and series.times[-1] == np.datetime64("2024-01-05T03:00")
    learnt = read_series(tmp_path / "series.csv", columns=["load", header.split(",")[header.startswith("d")]])
    assert learnt.step == series.step and len(learnt.values) == 2, "a model may look at the hour as well"


def test_an_hour_beside_whole_times_is_a_number_and_one_of_pandas_is_an_hour(tmp_path: Path) -> None:
    rows = [f"2024-01-{hour // 24 + 1:02d},{hour % 24}.0,{hour}" for hour in range(60)]
    assert read_series(file(tmp_path, rows, "date,hour,load")).step == np.timedelta64(1, "h")
    whole = [f"{row},{row[:10]} {hour % 24:02d}:00" for hour, row in enumerate(rows)]
    series = read_series(file(tmp_path, whole, "date,hour,load,datetime"))
    assert series.time == "datetime" and [*series.values] == ["hour", "load"] and series.step == np.timedelta64(1, "h")
    kept = read_series(file(tmp_path, rows, "date,hour,load"), kept=["hour"])
    assert [*kept.values] == ["hour", "load"] and kept.values["hour"].tolist() == [hour % 24 for hour in range(60)]


def test_few_rows_within_a_day_have_their_hours_and_never_days_alone(tmp_path: Path) -> None:
    def times(row: str, header: str = "date,hour,load") -> list[str]:
        found = last_rows(file(tmp_path, row.split(), header), "date", ["load"], 9, within_a_day=True).times
        return [] if found is None else found.astype("datetime64[h]").astype(str).tolist()

    assert times("2024-02-29,18,5") == ["2024-02-29T18"]
    assert times("2024-02-29,5", "date,load") == ["2024-02-29T00"], "a row of midnight"
    for rows, header, said in (
        ("2024-02-29,23,5 2024-02-29,24,5", "date,hour,load", r"\(column 'hour' holds '24'\)"),
        ("2024-02-29,24,5", "date,hour,load", r"'hour' holds '24'"),
        ("2024-02-29,5 2024-02-29,6", "date,load", "days without a time of day. Write 2024-12-31 23:00"),
    ):
        with pytest.raises(DataError, match=said):
            times(rows, header)


def test_hours_from_1_to_24_are_numbers_like_others(tmp_path: Path) -> None:
    rows = [f"2024-01-{hour // 24 + 1:02d},{hour % 24 + 1},{hour}" for hour in range(100)]
    assert [*read_series(file(tmp_path, rows, "day,hour,load")).values] == ["hour", "load"]


def test_a_day_without_its_time_of_day_is_refused_and_an_ignored_column_is_not_joined(tmp_path: Path) -> None:
    rows = [f"2024-01-{row // 2 + 1:02d},{12 * (row % 2)}:00,{row}" for row in range(20)]
    path = file(tmp_path, [*rows, "2024-01-21,,5"], "day,clock,load")
    with pytest.raises(DataError, match=r"line 22, column 'day': expected a time, got nothing"):
        read_series(path)
    assert read_series(file(tmp_path, rows, "day,clock,load")).step == np.timedelta64(12, "h")
    series = read_series(tmp_path / "series.csv", ignore=["clock"])
    assert series.step == np.timedelta64(1, "D") and "10 times stand more than once" in " ".join(series.notes)


def test_a_time_of_day_in_rows_of_a_day_each_is_no_part_of_their_times(tmp_path: Path) -> None:
    rows = [f"2024-01-{day + 1:02d},0{day % 3 + 5}:1{day % 10},{day}" for day in range(20)]
    for some in (rows, [*rows[:7], *rows[6:]]):
        series = read_series(file(tmp_path, some, "day,sunrise,load"))
        assert series.step == np.timedelta64(1, "D") and "'sunrise' holds words; left out" in " ".join(series.notes)


@pytest.mark.parametrize("block", [1 << 16, 4])
def test_a_day_further_down_tells_which_part_is_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("dlkit.data.series_files.BLOCK_ROWS", block)
    rows = [f"{day:02}/01/2024 00:00,{day}" for day in range(1, 15)]
    (tmp_path / "a.csv").write_text("\n".join(["time,load", *rows]), encoding="utf-8")
    times = read_series(tmp_path / "a.csv").times
    assert times is not None and str(times[-1])[:10] == "2024-01-14"


def test_fields_and_headers_may_be_long(tmp_path: Path) -> None:
    names = [f"sensor_{number:09}" for number in range(9_000)]
    rows = [",".join([f"2024-01-0{day}", *["1.5"] * len(names), "x" * 200_000]) for day in range(1, 6)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(["time", *names, "note"]), *rows]), encoding="utf-8")
    before = csv.field_size_limit()
    assert len(read_series(tmp_path / "a.csv").values) == len(names) and csv.field_size_limit() == before
