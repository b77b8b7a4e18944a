"""Do streams and tables become normal rows to learn from, without a look ahead and without copies?"""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Splits
from dlkit.data.anomalies import AnomalyData
from dlkit.data.anomaly_samples import SAMPLES
from dlkit.data.anomaly_tables import read_rows
from dlkit.errors import DataError, DataNotFoundError, SettingsError

HEADER = "time,a,b"


def lines(rows: int = 300) -> list[str]:
    minutes = [f"2024-03-01 {row // 60:02}:{row % 60:02}:00" for row in range(rows)]
    return [f"{time},{row},{row % 7}.5" for row, time in enumerate(minutes)]


def written(folder: Path, rows: list[str], header: str = HEADER) -> Path:
    path = folder / "own.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def loaded(path: Path, **settings: object) -> Splits:
    return AnomalyData(**{"window": 8, **settings}).load(path, say=lambda _: None)  # type: ignore[arg-type]  # settings


def test_a_stream_is_split_by_time_before_it_is_cut_into_windows(tmp_path: Path) -> None:
    splits = loaded(written(tmp_path, lines()), test_fraction=0.3, validation_fraction=0.2)
    # Column a counts the rows: no row of one part is in a window of another.
    seen = [set(part.inputs["a"].ravel().tolist()) for part in (splits.train, splits.validation, splits.test)]
    assert seen[0] == set(range(168)) and seen[1] == set(range(168, 210)) and seen[2] == set(range(210, 300))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [161, 35, 83]
    np.testing.assert_array_equal(splits.test.inputs["a"][0], np.arange(210, 218))
    assert splits.test.times is not None and splits.test.times[0] == np.datetime64("2024-03-01T03:37")


def test_windows_are_views_of_the_series(tmp_path: Path) -> None:
    train = loaded(written(tmp_path, lines())).train.inputs["a"]
    assert not train.flags.owndata and train.strides[0] == train.strides[1] == 8
    assert np.shares_memory(train[0], train[5])


def test_of_a_very_long_stream_not_every_window_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlkit.data.anomaly_streams.MOST_WINDOWS", {"train": 60, "validation": 50, "test": 100})
    splits = loaded(written(tmp_path, lines()))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [54, 12, 28]
    assert not splits.train.inputs["a"].flags.owndata and "one window in 3" in " ".join(splits.notes)
    np.testing.assert_array_equal(splits.train.inputs["a"][1], np.arange(3, 11))


def test_known_anomalies_are_not_learned_from_nor_windows_that_hold_some(tmp_path: Path) -> None:
    bad = {*range(50, 55), *range(170, 173), *range(200, 202), *range(250, 260)}
    rows = [f"{line},{'bad' if row in bad else 'normal'}" for row, line in enumerate(lines())]
    splits = loaded(written(tmp_path, rows, HEADER + ",state"), label="state")
    assert "state" not in splits.kinds
    assert not set(splits.train.inputs["a"].ravel().tolist()) & bad
    assert (np.asarray(splits.train.targets) == "normal").all()
    # Anomalies of the validation part are kept to judge by; what only holds some of one sets no threshold.
    found = np.asarray(splits.validation.targets)
    assert not set(splits.validation.inputs["a"][found != "anomaly"].ravel().tolist()) & bad
    assert splits.validation.inputs["a"][found == "anomaly"][:, -1].tolist() == [200, 201]
    assert "train part: 12 of 161 windows hold rows of known anomalies; not learned from" in splits.notes
    assert "validation part: 12 of 35 windows hold rows of known anomalies that are over; left out" in splits.notes
    tested = np.asarray(splits.test.targets)
    ends = splits.test.inputs["a"][:, -1]
    assert set(ends[tested == "anomaly"].tolist()) == set(range(250, 260))
    # The windows that end behind it and still hold some of it are neither.
    assert set(ends[tested == np.array(None)].tolist()) == set(range(260, 267))


def test_what_nobody_knows_is_learned_from_and_what_holds_an_anomaly_is_not(tmp_path: Path) -> None:
    known = {0: "ok", 100: "bad", 171: "bad", 290: "ok"}
    rows = [f"{line},{known.get(row, '')}" for row, line in enumerate(lines())]
    splits = loaded(written(tmp_path, rows, HEADER + ",state"), label="state", normal=("ok",))
    seen = [set(part.inputs["a"].ravel().tolist()) for part in (splits.train, splits.validation)]
    assert seen == [set(range(168)) - {100}, set(range(172, 210))]


def test_windows_do_not_reach_across_a_gap(tmp_path: Path) -> None:
    rows = [
        line for row, line in enumerate(lines(340)) if not (80 <= row < 100 or 200 <= row < 201 or 300 <= row < 319)
    ]
    splits = loaded(written(tmp_path, rows))
    for part, windows in ((splits.train, 161 - 7), (splits.validation, 35 - 7), (splits.test, 83 - 7)):
        assert len(part) == windows and part.times is not None and len(np.asarray(part.targets)) == windows
        assert (np.diff(part.inputs["a"], axis=1) == 1).all()
        np.testing.assert_array_equal(part.times - part.times[0], (part.inputs["a"][:, -1] - part.inputs["a"][0, -1])
                                      * np.timedelta64(1, "m"))  # fmt: skip
    assert "train part: 7 of 161 windows hold a gap (rows more than 90 seconds apart); left out" in splits.notes
    assert getattr(splits.train, "gap", None) == 90.0


def test_rows_that_come_early_late_or_twice_follow_the_one_before(tmp_path: Path) -> None:
    rows = [line.replace(":00,", ":20,") if row % 5 == 0 else line for row, line in enumerate(lines())]
    assert len(loaded(written(tmp_path, [*rows[:50], rows[49], *rows[50:-1]])).train) == 161


def test_of_a_stream_without_even_steps_all_windows_are_taken(tmp_path: Path) -> None:
    rows = [line.replace(":00,", f":{row * row % 59:02},") for row, line in enumerate(lines())]
    splits = loaded(written(tmp_path, rows[:100] + rows[150:] + [f"2024-03-01 1{row}:00:00,1,1" for row in range(5)]))
    assert len(splits.train) == 136 and getattr(splits.train, "gap", 0) is None


def test_months_are_no_gap(tmp_path: Path) -> None:
    months = np.datetime64("1980-01") + np.arange(300)
    splits = loaded(written(tmp_path, [f"{month}-01,{row},{row % 7}" for row, month in enumerate(months)]))
    assert len(splits.train) == 161 and not splits.train.inputs["a"].flags.owndata


def test_weekends_and_holidays_are_no_gap_of_working_days(tmp_path: Path) -> None:
    days = np.delete(np.busday_offset("2020-01-01", np.arange(301)), 40)
    splits = loaded(written(tmp_path, [f"{day},{row},{row % 7}" for row, day in enumerate(days)]))
    assert len(splits.train) == 161


def test_where_gaps_leave_no_windows_it_is_said(tmp_path: Path) -> None:
    rows = [line for row, line in enumerate(lines(600)) if row % 6]
    with pytest.raises(DataError, match=r"train part: expected at least 10 windows of 8 rows without a gap.*\(data"):
        loaded(written(tmp_path, rows))


def test_windows_are_copied_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlkit.data.anomaly_streams.LARGEST_COPY", 10_000)
    splits = loaded(written(tmp_path, lines()[:100] + lines()[110:]))
    assert "one window in 2 is taken: neighbours are nearly the same" in splits.notes
    assert sum(column.nbytes for column in splits.train.inputs.values()) <= 10_000
    assert not splits.test.inputs["a"].flags.owndata


def test_labels_follow_their_rows_where_a_file_is_put_in_order(tmp_path: Path) -> None:
    rows = [f"{line},{int(250 <= row < 260)}" for row, line in enumerate(lines())]
    splits = loaded(written(tmp_path, rows[::-1], HEADER + ",fault"), label="fault", sort=True)
    ends = splits.test.inputs["a"][np.asarray(splits.test.targets) == "anomaly"][:, -1]
    assert set(ends.tolist()) == set(range(250, 260))


@pytest.mark.parametrize("word", ["0", "0.0", "Normal", "no", "FALSE"])
def test_what_is_normal_is_known_by_common_words(tmp_path: Path, word: str) -> None:
    rows = [f"{line},{'1' if row == 250 else word}" for row, line in enumerate(lines())]
    splits = loaded(written(tmp_path, rows, HEADER + ",fault"), label="fault")
    assert (np.asarray(splits.test.targets) == "anomaly").sum() == 1


def test_a_file_without_times_is_a_table_of_rows_by_themselves(tmp_path: Path) -> None:
    rows = [f"{row % 11},{row % 5},{'xy'[row % 2]},{'odd' if row % 20 == 0 else 'ok'}" for row in range(200)]
    splits = loaded(written(tmp_path, rows, "a,b,c,state"), label="state")
    assert splits.kinds == {"a": "number", "b": "number", "c": "category"}
    assert splits.train.times is None and (np.asarray(splits.train.targets) == "normal").all()
    assert (np.asarray(splits.test.targets) == "anomaly").sum() == 3


def test_all_rows_of_a_table_are_judged_however_few_and_odd(tmp_path: Path) -> None:
    rows = [f"{row % 11},{row % 5},{'xy'[row % 2]},{'odd' if row < 3 else 'ok'}" for row in range(6)]
    for some, odd in ((rows, 3), (rows[:3], 3), (rows[3:], 0)):
        path = written(tmp_path, some, "a,b,c,state")
        splits = AnomalyData(label="state").to_judge(path, say=lambda _: None)
        assert len(splits.test) == len(some) and (np.asarray(splits.test.targets) == "anomaly").sum() == odd
        assert splits.drawn and "own.csv names no test rows: all are judged" in splits.notes
    stream = AnomalyData(window=8).to_judge(written(tmp_path, lines()), say=lambda _: None)
    assert len(stream.test) < 100


def test_notes_name_no_setting_that_this_data_does_not_have(tmp_path: Path) -> None:
    rows = [f"{row},word{row},{row % 7},{row % 5}" for row in range(200)]
    notes = loaded(written(tmp_path, rows, "row,text,a,b")).notes
    assert "column 'row' numbers the rows; left out" in notes
    assert "column 'text' holds a different word on every row; left out" in notes
    with pytest.raises(DataError, match=r"or take the column not at all \(data.ignore=a\)"):
        loaded(written(tmp_path, [*rows[:50], "50,word50,inf,0", *rows[51:]], "row,text,a,b"))


def test_a_long_table_is_read_some_rows_at_a_time_as_if_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{row / 8},{row % 5},{'xy'[row % 2]},{'odd' if row % 20 == 0 else 'ok'}" for row in range(200)]
    rows[150] = "NA,,,ok"
    path = written(tmp_path, rows, "a,b,c,state")
    whole = loaded(path, label="state")
    monkeypatch.setattr("dlkit.data.anomaly_tables.BLOCK_ROWS", 32)
    parts = loaded(path, label="state")
    for one, other in ((whole.train, parts.train), (whole.test, parts.test)):
        assert np.asarray(one.targets).tolist() == np.asarray(other.targets).tolist()
        for name in ("a", "b", "c"):
            np.testing.assert_array_equal(one.inputs[name], other.inputs[name])
    assert "missing values in a (1), b (1), c (1)" in parts.notes
    rows[160] = "x,1,x,ok"
    with pytest.raises(DataError, match=r"line 162, column 'a': expected a number, got 'x'.*data\.ignore"):
        loaded(written(tmp_path, rows, "a,b,c,state"), label="state")


def test_the_text_of_a_table_is_never_in_memory_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlkit.data.anomaly_tables.BLOCK_ROWS", 1_000)
    monkeypatch.setattr("dlkit.data.series_files.BLOCK_ROWS", 1_000)
    path = written(tmp_path, [f"{row}.25,{row % 977}.125,{'xy'[row % 2]}" for row in range(20_000)], "a,b,c")
    tracemalloc.start()
    try:
        read_rows(path, ())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000, "0.5 million are numbers; as text, fields alone take 60 bytes each"


def test_without_labels_it_is_said_what_cannot_be_known(tmp_path: Path) -> None:
    splits = loaded(written(tmp_path, lines()))
    assert any("no test row has a label" in note for note in splits.notes)
    assert all(target is None for target in np.asarray(splits.test.targets))


def _with(row: int, text: str) -> list[str]:
    made = lines()
    made[row] = text
    return made


@pytest.mark.parametrize(
    ("rows", "settings", "why"),
    [
        (lines()[::-1], {}, "expected times in ascending order"),
        ([line.split(",")[0] + ",," for line in lines()], {}, "no column holds a number"),
        (lines(), {"window": 5000}, "too few rows for windows of 5000: expected at least 5010 in each part, got train"),
        (lines(1), {}, "too few rows for windows of 8.*train 1, validation 0, test 0"),
        ([], {}, "a header and no rows"),
        (_with(200, "2024-03-01 03:20:00,broken,1"), {}, "line 202, column 'a': expected a number, got 'broken'"),
        (_with(200, "01.03.2024 03:20,5,1"), {}, "'01.03.2024 03:20' is no time written as the others"),
        (_with(200, "2024-03-01 03:20:00,inf,1"), {}, "infinite"),
        (lines(), {"label": "b", "normal": ("x",)}, "no row is normal: expected x on some, got"),
    ],
)
def test_a_bad_file_is_said_with_its_remedy(
    tmp_path: Path, rows: list[str], settings: dict[str, object], why: str
) -> None:
    with pytest.raises(DataError, match=f"(?s)own.csv.*{re.escape(why) if '*' not in why else why}"):
        loaded(written(tmp_path, rows), **settings)


def test_a_label_of_one_row_counts_in_every_second_window_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlkit.data.anomaly_streams.MOST_WINDOWS", {"train": 60, "validation": 50, "test": 100})
    odd = range(212, 290, 13)
    rows = [f"{line},{'fault' if row in odd else 'ok'}" for row, line in enumerate(lines())]
    splits = loaded(written(tmp_path, rows, HEADER + ",state"), label="state")
    assert any(note.startswith("one window in 3") for note in splits.notes)
    seen = splits.test.inputs["a"][np.asarray(splits.test.targets) == "anomaly"]
    for row in [row for row in odd if row >= 217]:
        assert (seen[:, -3:] == row).any(), "one of the windows that stand for it is called so"
    normal = splits.test.inputs["a"][np.asarray(splits.test.targets) == "normal"]
    assert not np.isin(normal, list(odd)).any()


def test_several_series_in_one_file_are_refused(tmp_path: Path) -> None:
    two = [line for pair in zip(lines(), lines(), strict=True) for line in pair]
    with pytest.raises(DataError, match=r"300 of 600 rows have the time of the row before.*layout=table"):
        loaded(written(tmp_path, two))
    with pytest.raises(DataError, match=r"Write each of several series into a file of its own\. If rows are by"):
        loaded(written(tmp_path, lines() + lines()))


@pytest.mark.parametrize("time", ["{} Uhr", "Fri {} CEST", "{:>5}|x"])
def test_times_of_no_style_that_is_known_are_no_table(tmp_path: Path, time: str) -> None:
    rows = [f"{time.format(f'0{row // 60}:{row % 60:02}')},{row % 11}" for row in range(300)]
    path = written(tmp_path, rows, "time,a")
    with pytest.raises(DataError, match=r"column 'time': .* is no time in a style that is known.*data\.ignore=time"):
        loaded(path)
    assert loaded(path, ignore=("time",)).kinds == {"a": "number"}
    assert loaded(path, layout="table").kinds == {"a": "number"}


def test_decimal_marks_are_those_of_the_whole_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlkit.data.anomaly_tables.BLOCK_ROWS", 20)
    rows = [f"{row % 7};{'1.250' if row < 20 else '1,250'}" for row in range(60)]
    with pytest.raises(DataError, match="their decimals cannot be told"):
        loaded(written(tmp_path, rows, "a;b"), layout="table")


def test_a_constant_column_and_a_gap_are_noted(tmp_path: Path) -> None:
    rows = [f"{line.split(',')[0]},5,{row}" for row, line in enumerate(lines())]
    notes = loaded(written(tmp_path, rows[:100] + rows[150:])).notes
    assert "column 'a' is 5 on every row" in notes and any("50 rows are missing" in note for note in notes)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"window": 1}, "data.window=1: expected 2 rows or more"),
        ({"layout": "rows"}, "data.layout"),
        ({"test_fraction": 1.0}, "data.test_fraction"),
        ({"label": "stat"}, "no such column. Did you mean 'state'"),
        ({"ignore": ("c",)}, "data.ignore='c'"),
        ({"dataset": "imdb"}, "no windows or streams"),
    ],
)
def test_a_wrong_setting_is_said(tmp_path: Path, settings: dict[str, object], why: str) -> None:
    rows = [f"{line},ok" for line in lines()]
    path = None if "dataset" in settings else written(tmp_path, rows, HEADER + ",state")
    with pytest.raises(SettingsError, match=why):
        AnomalyData(**settings).load(path, say=lambda _: None)  # type: ignore[arg-type]  # settings


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(DataNotFoundError, match="no such file"):
        AnomalyData().load(Path("nowhere.csv"), say=lambda _: None)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"sample": "pump", "columns": ("flows",)},
            "data.columns='flows': the sample 'pump' has no such.*mean 'flow_l_min'",
        ),
        ({"sample": "pump", "ignore": ("pressure_bar", "flow_l_min")}, "leaves no column of the sample 'pump'"),
        ({"sample": "pump", "layout": "table"}, "data.layout='table': the sample 'pump' is a stream"),
        ({"sample": "machines", "layout": "stream"}, "the sample 'machines' is a table"),
        ({"sample": "beats", "layout": "table"}, "the sample 'beats' holds windows"),
        ({"sample": "beats", "time": "when"}, "data.time='when' is for a file of your own"),
        ({"sample": "pump", "time": "when"}, "data.time='when' .* it is 'time'"),
        ({"sample": "pump", "label": "state"}, "data.label='state' .* it is 'anomaly'"),
        ({"sample": "pump", "normal": ("fine", "ok")}, "data.normal='fine,ok' is for a file of your own"),
    ],
)
def test_a_setting_that_does_not_fit_a_sample_is_not_passed_over(settings: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        AnomalyData(**settings).load("sample", say=lambda _: None)  # type: ignore[arg-type]  # settings


@pytest.mark.parametrize("sample", ["pump", "machines"])
def test_of_a_sample_the_columns_asked_for_are_looked_at(sample: str) -> None:
    first, second, *_ = all_of = list(AnomalyData(sample=sample).load("sample", say=lambda _: None).kinds)
    asked = AnomalyData(sample=sample, columns=(second, first), ignore=(first,)).load("sample", say=lambda _: None)
    assert list(asked.kinds) == list(asked.train.inputs) == list(asked.test.inputs) == [second]
    rest = AnomalyData(sample=sample, ignore=(first,)).load("sample", say=lambda _: None)
    assert list(rest.kinds) == all_of[1:]


def test_windows_are_not_cut_again_and_that_is_said() -> None:
    splits = AnomalyData(window=16).load("sample", say=lambda _: None)
    assert splits.test.inputs["beat"].shape[1] == 48
    assert "rows are windows of 48 steps already: data.window=16 changes nothing" in splits.notes


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_same_every_time_and_has_both_kinds(name: str) -> None:
    first, again = (AnomalyData(sample=name, window=16).load("sample", say=lambda _: None) for _ in range(2))
    assert first.fingerprint == again.fingerprint and first.sample
    for column, others in zip(first.test.inputs.values(), again.test.inputs.values(), strict=True):
        np.testing.assert_array_equal(column, others)
    assert {"normal", "anomaly"} <= set(first.test.targets)  # type: ignore[arg-type]  # an array
    assert not (np.asarray(first.train.targets) == "anomaly").any()
