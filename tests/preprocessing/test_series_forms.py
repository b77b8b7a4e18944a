"""Does a SavedModel make of raw measurements what the plain form makes, and do both refuse to look ahead?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dlkit.contracts import Split, take
from dlkit.data.series import SeriesData
from dlkit.data.series_windows import SeriesSplit
from dlkit.errors import InputError, SettingsError
from dlkit.inference import times as clock
from dlkit.inference.predictor import _TRANSFORMS
from dlkit.inference.recent import recent
from dlkit.inference.runs import read_json
from dlkit.inference.series import Channel, SeriesInputs
from dlkit.inference.weeks import WorkingDays
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.series import SeriesWindows
from dlkit.preprocessing.series_graphs import SeriesInputsGraph

HOUR = np.timedelta64(1, "h")
INPUTS = SeriesInputs(
    channels=(Channel("load", 10.0, 2.0), Channel("wind", -1.0, 0.5)),
    window=6,
    horizon=3,
    targets=1,
    known=(Channel("holiday", 0.25, 0.5),),
    time="at",
    step=np.timedelta64(3_600_000_000_000, "ns"),
    season=24,
    cycles=("day", "week"),
)


def columns(rows: int = 5, more: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    last = np.datetime64("2024-03-09T22:00", "ns") + np.arange(rows) * HOUR
    return {
        "at": last,
        "load": random.normal(10, 2, (rows, 6 + more)),
        "wind": random.normal(size=(rows, 6 + more)),
        "holiday": random.normal(size=(rows, 9 + more)),
    }


def encoded(inputs: SeriesInputs, raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: take(rows, np.arange(len(rows))) for name, rows in inputs.encode(raw).items()}


def test_the_graph_gives_what_the_plain_form_gives() -> None:
    raw, graph = columns(more=4), graph_of(INPUTS)
    plain = encoded(INPUTS, raw)
    made = graph.encode(raw_tensors(raw, INPUTS.kinds))
    assert set(made) == set(plain) == set(INPUTS.tensors)
    for name, tensor in INPUTS.tensors.items():
        assert plain[name].shape[1:] == tensor.shape and plain[name].dtype == np.float32
        np.testing.assert_allclose(made[name].numpy(), plain[name], atol=1e-6)


def test_only_the_last_steps_count() -> None:
    long, short = columns(more=4), {}
    for name, column in long.items():
        short[name] = column if name == "at" else column[:, 4:]
    for name, rows in encoded(INPUTS, long).items():
        np.testing.assert_array_equal(rows, encoded(INPUTS, short)[name])


def test_the_calendar_of_a_step_is_that_of_its_own_time() -> None:
    known = encoded(INPUTS, columns(rows=1))["known"][0]
    hours = (np.datetime64("2024-03-09T22:00") + np.arange(-5, 4) * HOUR).astype("datetime64[h]").astype(int)
    np.testing.assert_allclose(known[:, 1], np.sin(2 * np.pi * hours / 24), atol=1e-6)
    np.testing.assert_allclose(known[:, 4], np.cos(2 * np.pi * hours / 168), atol=1e-6)


@pytest.mark.parametrize(
    "step",
    [
        np.timedelta64(1, "M"),
        np.timedelta64(3, "M"),
        np.timedelta64(86_400, "s"),
        WorkingDays("1111100"),
        WorkingDays("1010001"),
    ],
)
def test_the_graph_knows_the_times_that_follow(step: clock.Step) -> None:
    made = SeriesInputs((Channel("load"),), window=2, horizon=30, targets=1, time="at", step=step)
    days = ["1899-12-31", "1969-12-31", "2023-12-31", "2024-01-30", "2024-02-29", "2100-03-01", "2024-03-02T16:30"]
    lasts = np.array(days, "M8[ns]")
    graph = graph_of(made)
    assert isinstance(graph, SeriesInputsGraph)
    seconds = lasts.astype("datetime64[s]").astype(np.int64)
    found = graph.times({"at": tf.constant(seconds)})["time"].numpy().astype("datetime64[s]")
    for row, last in enumerate(lasts):
        np.testing.assert_array_equal(found[row], clock.following(last, step, 30))


@pytest.mark.parametrize("step", [INPUTS.step, np.timedelta64(3, "M"), WorkingDays("1111110"), None])
def test_it_is_the_same_once_saved_and_loaded(step: clock.Step | None, tmp_path: Path) -> None:
    made = replace(INPUTS, step=step)
    made.save(tmp_path)
    settings = read_json(tmp_path / "preprocessing.json")
    assert _TRANSFORMS[str(settings["kind"])](tmp_path, settings) == made


def test_recent_working_days_may_lack_holidays_but_no_weeks() -> None:
    made = SeriesInputs((Channel("load"),), window=30, horizon=5, targets=1, time="at", step=WorkingDays("1111100"))
    days = np.busday_offset("2024-01-01", np.arange(60)).astype("datetime64[ns]")
    without = np.delete(days, [40, 50, 51])
    item = recent({"load": np.arange(57.0)}, without, made, where="own.csv")
    times = np.asarray(item["at"])[-1:]
    assert made.following({"load": np.ones((1, 57)), "at": times}) == [
        ["2024-03-25", "2024-03-26", "2024-03-27", "2024-03-28", "2024-03-29"]
    ]
    with pytest.raises(InputError, match=r"2024-03-05 follows 2024-02-21; expected a step of 1 working day"):
        recent({"load": np.arange(52.0)}, np.delete(days, range(38, 46)), made, where="own.csv")
    every_day = np.datetime64("2024-01-01", "ns") + np.arange(60) * 24 * HOUR
    with pytest.raises(InputError, match=r"rows are 1 day apart, and those of training were 1 working day"):
        recent({"load": np.arange(60.0)}, every_day, made, where="own.csv")
    fridays = np.datetime64("2024-01-05", "ns") + np.arange(40) * 7 * 24 * HOUR
    with pytest.raises(InputError, match=r"rows are 7 days apart, and those of training were 1 working day"):
        recent({"load": np.arange(40.0)}, fridays, made, where="own.csv")
    christmas = np.array(["2024-12-24", "2024-12-27", "2024-12-30", "2025-01-02"], "datetime64[ns]")
    few = replace(made, window=4)
    assert recent({"load": np.arange(4.0)}, christmas, few, where="own.csv")["at"][-1] == christmas[-1]  # type: ignore[index]


def test_rows_of_one_time_are_days_without_their_hours() -> None:
    made = SeriesInputs((Channel("load"),), window=4, horizon=2, targets=1, time="at", step=HOUR)
    days = np.repeat(np.array(["2024-01-01", "2024-01-02"], "datetime64[ns]"), 24)
    said = r"3 of the last 4 rows have the time of the row before, 2024-01-02; expected a step of "
    with pytest.raises(InputError, match=rf"{said}1 hour\. Write the time of day beside each day"):
        recent({"load": np.arange(48.0)}, days, made, where="own.csv")
    for step in (np.timedelta64(1, "D"), WorkingDays("1111100"), np.timedelta64(1, "M")):
        with pytest.raises(InputError, match=rf"{said}1 .*\. Make one row of those of one time"):
            recent({"load": np.arange(48.0)}, days, replace(made, step=step), where="own.csv")


def test_scales_are_those_of_the_training_part_alone() -> None:
    splits = SeriesData(window=24, horizon=4).load("sample", say=lambda _: None)
    assert isinstance(splits.train, SeriesSplit)
    (channel,) = SeriesWindows().fit(splits.train, splits.kinds).channels
    part = splits.train.part["load"]
    assert (channel.mean, channel.scale) == (part.mean(), part.std())
    assert len(part) == 1680 and channel.mean != splits.test.part["load"].mean()  # type: ignore[attr-defined]  # as above


def test_a_small_unit_is_no_constant() -> None:
    splits = SeriesData(window=24, horizon=4).load("sample", say=lambda _: None)
    assert isinstance(splits.train, SeriesSplit)
    small = replace(splits.train, part={name: 1e-14 * column for name, column in splits.train.part.items()})
    (channel,), (usual,) = (SeriesWindows().fit(one, splits.kinds).channels for one in (small, splits.train))
    assert channel.scale == pytest.approx(1e-14 * usual.scale)


def test_logarithms_are_taken_before_the_scale() -> None:
    made = SeriesInputs((Channel("load", 2.0, 0.5),), window=2, horizon=1, targets=1, logarithm=True)
    raw = {"load": np.exp([[2.0, 2.5]])}
    np.testing.assert_allclose(encoded(made, raw)["past"][0, :, 0], [0, 1], atol=1e-6)
    np.testing.assert_allclose(graph_of(made).encode(raw_tensors(raw, made.kinds))["past"][0, :, 0], [0, 1], atol=1e-6)
    with pytest.raises(InputError, match=r"not above 0"):
        made.encode({"load": np.array([[1.0, 0.0]])})


def test_a_step_that_is_missing_is_named() -> None:
    raw = columns()
    raw["wind"][2, 4] = np.nan
    with pytest.raises(InputError, match=r"Item 3, column 'wind': the value 2 steps from the end is missing"):
        INPUTS.encode(raw)
    short = columns()
    short["holiday"] = short["holiday"][:, :7]
    with pytest.raises(InputError, match=r"'holiday': expected 9 steps or more, got 7.*the 3 ahead"):
        INPUTS.encode(short)
    early = columns()
    early["at"][1] = np.datetime64("NaT")
    with pytest.raises(InputError, match=r"Item 2, column 'at': the model looks at the calendar"):
        INPUTS.encode(early)


@pytest.mark.parametrize(
    "name, more, expected",
    [
        ("holiday", 0, r"'holiday': expected 13 steps, 3 more than of 'load', got 10.*and the 3 ahead"),
        ("holiday", 4, r"'holiday': expected 13 steps, 3 more than of 'load', got 14"),
        ("wind", 1, r"'wind': expected 10 steps, as many as of 'load', got 11"),
    ],
)
def test_columns_that_end_at_other_times_are_refused(name: str, more: int, expected: str) -> None:
    raw = columns(more=4)
    raw[name] = np.zeros((5, 10 + more))
    with pytest.raises(InputError, match=expected):
        INPUTS.encode(raw)
    with pytest.raises(tf.errors.InvalidArgumentError, match=name):
        graph_of(INPUTS).encode(raw_tensors(raw, INPUTS.kinds))


@pytest.mark.parametrize("milliseconds", [100, 1_500])
def test_the_graph_counts_steps_that_are_no_whole_seconds(milliseconds: int) -> None:
    step = np.timedelta64(milliseconds * 10**6, "ns")
    made = replace(INPUTS, step=step)
    raw, graph = columns(), graph_of(made)
    raw["at"] = raw["at"] + np.timedelta64(300, "ms")
    assert isinstance(graph, SeriesInputsGraph) and made.tick == "ns" and INPUTS.tick == "s"
    tensors = raw_tensors(raw, made.kinds, made.tick)
    found = graph.times(tensors)["time"].numpy().astype("datetime64[ns]")
    for row, last in enumerate(raw["at"]):
        np.testing.assert_array_equal(found[row], clock.following(last, step, 3))
    np.testing.assert_allclose(graph.encode(tensors)["known"].numpy(), encoded(made, raw)["known"], atol=1e-6)


def test_a_run_from_before_zones_were_kept_is_loaded_and_shows_times_as_it_did(tmp_path: Path) -> None:
    replace(INPUTS, zoned=True).save(tmp_path)
    settings = read_json(tmp_path / "preprocessing.json")
    load = _TRANSFORMS[str(settings["kind"])]
    raw = columns(rows=1)
    assert load(tmp_path, settings).following(raw)[0][0] == "2024-03-09T23:00Z"  # type: ignore[attr-defined]  # of a series
    del settings["zoned"]  # type: ignore[attr-defined]  # a dict
    old = load(tmp_path, settings)
    assert old == INPUTS and old.following(raw)[0][0] == "2024-03-09T23:00"  # type: ignore[attr-defined]  # as above


def test_a_window_unlike_any_in_training_is_remarked_on() -> None:
    raw = columns()
    raw["load"][1, 3] = 1000
    remarks = INPUTS.remarks(raw)
    assert [remark is not None for remark in remarks] == [False, True, False, False, False]
    assert "'load'" in str(remarks[1])


def test_rows_drawn_at_random_are_refused() -> None:
    splits = SeriesData(window=24, horizon=4).load("sample", say=lambda _: None)
    with pytest.raises(SettingsError, match=r"training.folds=0"):
        SeriesWindows().fit(splits.train.take(np.array([3, 1, 2])), splits.kinds)
    assert type(splits.train.take(np.array([0]))) is Split


def test_a_calendar_needs_even_steps() -> None:
    splits = SeriesData(window=24, horizon=4).load("sample", say=lambda _: None)
    assert isinstance(splits.train, SeriesSplit)
    for step, named in ((np.timedelta64(1, "M"), "months are not"), (WorkingDays("1111100"), "working days are not")):
        train = replace(splits.train, layout=replace(splits.train.layout, step=step))
        with pytest.raises(SettingsError, match=named):
            SeriesWindows(calendar=("day",)).fit(train, splits.kinds)
    with pytest.raises(SettingsError, match=r"unknown 'hour'"):
        SeriesWindows(calendar=("hour",))
