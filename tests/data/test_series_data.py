"""Is a series split by time before windows are cut, without copies, and are gaps kept out of windows?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlkit.contracts import Splits, take
from dlkit.data.series import SeriesData
from dlkit.data.series_gaps import ahead_of, filled, on_grid
from dlkit.data.series_windows import SeriesSplit
from dlkit.errors import DataError, DlkitError, SettingsError
from dlkit.forecasting import Forecasting
from dlkit.inference.weeks import WorkingDays
from dlkit.preprocessing.series import SeriesWindows


def rows(count: int = 200) -> list[str]:
    start = np.datetime64("2024-01-01T00:00")
    return [f"{start + np.timedelta64(row, 'h')},{row},{row % 7}" for row in range(count)]


def load(folder: Path, lines: list[str], **settings: Any) -> Splits:
    path = folder / "own.csv"
    path.write_text("\n".join(["time,load,wind", *lines]) + "\n", encoding="utf-8")
    return SeriesData(**settings).load(path, say=lambda _: None)


def part(splits: Splits, name: str) -> SeriesSplit:
    found = getattr(splits, name)
    assert isinstance(found, SeriesSplit)
    return found


def test_no_window_to_train_on_reaches_into_a_held_out_part(tmp_path: Path) -> None:
    splits = load(tmp_path, rows(), targets=("load",), window=20, horizon=5)
    train, validation, test = (part(splits, name) for name in ("train", "validation", "test"))
    # The load counts the steps: 140 train, 20 validate, 40 test.
    assert train.targets.max() == 139 and train.inputs["load"].max() == 134  # type: ignore[union-attr]  # an array
    assert (validation.targets.min(), validation.targets.max()) == (140, 159)  # type: ignore[union-attr]  # as above
    assert (test.targets.min(), test.targets.max()) == (160, 199)  # type: ignore[union-attr]  # as above
    assert test.inputs["load"].min() == 140  # windows look back into what was known by then
    np.testing.assert_array_equal(train.part["load"], np.arange(140))
    np.testing.assert_array_equal(test.part["load"], np.arange(160, 200))


def test_a_window_is_followed_by_what_is_to_be_forecast(tmp_path: Path) -> None:
    train = part(load(tmp_path, rows(), targets=("load",), window=20, horizon=5), "train")
    assert len(train) == 140 - 25 + 1
    for row in (0, 57, len(train) - 1):
        np.testing.assert_array_equal(train.inputs["load"][row], np.arange(row, row + 20))
        np.testing.assert_array_equal(train.inputs["wind"][row], np.arange(row, row + 20) % 7)
        np.testing.assert_array_equal(np.asarray(train.targets)[row, :, 0], np.arange(row + 20, row + 25))
        last = np.datetime64("2024-01-01") + np.timedelta64(row + 19, "h")
        assert train.times is not None and train.times[row] == last


def test_windows_are_views_of_the_series(tmp_path: Path) -> None:
    train = part(load(tmp_path, rows(), window=50, horizon=5), "train")
    base = train.inputs["load"].base
    assert base is not None
    for array in (*train.inputs.values(), np.asarray(train.targets)):
        assert not array.flags.owndata
    assert train.inputs["load"].strides[0] == train.inputs["load"].strides[1]


def test_a_gap_in_a_series_makes_no_copies_and_thins_no_training(tmp_path: Path) -> None:
    lines = rows(3_000)
    lines[30] = lines[30].rpartition(",")[0] + ","
    del lines[60]
    train = part(load(tmp_path, lines, targets=("load",), window=500, horizon=5), "train")
    for array in (*train.inputs.values(), np.asarray(train.targets)):
        assert not array.flags.owndata
    assert train.inputs["load"].strides[0] == train.inputs["load"].strides[1]
    assert np.shares_memory(train.inputs["load"][0], train.inputs["load"][1])
    assert len(train) == 2_099 - 505 + 1 - 60  # windows that begin at the gap or before it hold it
    assert np.asarray(train.take(np.array([0])).inputs["load"])[0, 0] == 61
    transform = SeriesWindows().fit(train, {})
    made = SeriesWindows().examples(transform, train)
    past, ahead = (take(rows, np.arange(3)) for rows in (made.inputs["past"], made.targets))  # type: ignore[arg-type]  # rows
    np.testing.assert_array_equal(ahead[:, :, 0], np.arange(561, 566) + np.arange(3)[:, None])
    assert len(made) == len(train) and np.isfinite(past).all()
    task = Forecasting()
    steps = task.encode(task.fit(train, "load"), made.targets)
    assert len(steps) == len(train) and np.isfinite(take(steps, np.arange(len(steps)))).all()
    thin = part(load(tmp_path, lines, targets=("load",), window=500, horizon=5, stride=10), "train")
    assert len(thin) == -(-len(train) // 10)


def test_windows_with_a_gap_or_a_missing_value_are_left_out(tmp_path: Path) -> None:
    lines = rows()
    del lines[60]
    lines[30] = lines[30].rpartition(",")[0] + ","
    splits = load(tmp_path, lines, targets=("load",), window=10, horizon=2)
    train = part(splits, "train")
    some = train.take(np.arange(len(train)))
    assert np.isfinite(some.inputs["wind"]).all()
    steps = np.concatenate([some.inputs["load"], np.asarray(some.targets)[:, :, 0]], axis=1)
    assert (np.diff(steps, axis=1) == 1).all()
    assert any("windows hold a gap or a missing value" in note for note in splits.notes)


@pytest.mark.parametrize("how", ["previous", "linear"])
def test_gaps_are_filled_on_request_from_what_is_before(tmp_path: Path, how: str) -> None:
    lines = rows()
    del lines[60:63]
    splits = load(tmp_path, lines, targets=("load",), window=10, horizon=2, fill=how)
    train = part(splits, "train")
    assert len(train) == 140 - 12 + 1 - 3 * (how == "linear")  # no past ends on a line to what follows it
    found = train.part["load"][58:65].tolist()
    assert found == ([58, 59, 60, 61, 62, 63, 64] if how == "linear" else [58, 59, 59, 59, 59, 63, 64])
    assert "3 missing rows were put in" in splits.notes


def test_nothing_of_a_later_part_fills_an_earlier_one() -> None:
    values = np.array([[1.0], [np.nan], [np.nan]])
    np.testing.assert_array_equal(filled(values, "linear"), [[1], [1], [1]])
    np.testing.assert_array_equal(filled(np.array([[np.nan], [4.0]]), "linear", np.array([2.0])), [[3], [4]])


def test_a_grid_keeps_the_later_of_two_rows_and_refuses_a_century() -> None:
    step = np.timedelta64(1, "h")
    times = np.datetime64("2024-01-01", "ns") + np.array([0, 1, 1, 3]) * step
    grid, values, notes = on_grid(times, np.arange(4.0)[:, None], step, "linear")
    np.testing.assert_array_equal(values[:, 0], [0, 2, np.nan, 3])
    assert len(grid) == 4 and "the later one was taken" in notes[0] and notes[1] == "1 missing rows were put in"
    with pytest.raises(DataError, match=r"Is a time wrong"):
        on_grid(np.append(times, np.datetime64("2124-01-01", "ns")), np.zeros((5, 1)), step, "linear")


def test_a_grid_of_working_days_begins_on_one() -> None:
    times = np.array(["2024-01-06", "2024-01-07", "2024-01-09", "2024-01-10"], "datetime64[ns]")
    grid, values, notes = on_grid(times, np.arange(4.0)[:, None], WorkingDays("1111100"), "linear")
    assert grid.tolist() == times[2:].tolist() and values[:, 0].tolist() == [2, 3]
    assert notes == ["2 rows of free days before the first working day were left out"]


@pytest.mark.parametrize(
    "how, expected", [("linear", [0, 10, 20, 80 / 3, 35, 130 / 3, 50]), ("previous", [0, 10, 20, 20, 30, 40, 50])]
)
def test_rows_beside_the_grid_are_brought_onto_it(how: Any, expected: list[float]) -> None:
    step = np.timedelta64(2, "h")
    times = np.datetime64("2024-01-01", "ns") + np.array([0, 2, 4, 7, 9, 12]) * np.timedelta64(1, "h")
    grid, values, notes = on_grid(times, np.array([0.0, 10, 20, 30, 40, 50])[:, None], step, how)
    np.testing.assert_allclose(values[:, 0], expected)
    assert (np.diff(grid) == step).all() and "2 rows lie beside the grid of 2 hours; 3 steps took" in notes[0]


def test_a_first_row_beside_the_grid_does_not_move_the_others() -> None:
    times = np.datetime64("2024-01-01T00:00", "ns") + np.arange(300) * np.timedelta64(1, "h")
    values = np.random.default_rng(0).normal(size=(300, 1))
    late = np.where(np.arange(300) == 0, times + np.timedelta64(30, "m"), times)
    grid, found, notes = on_grid(late, values, np.timedelta64(1, "h"), "linear")
    np.testing.assert_array_equal(found, values[1:])
    assert grid[0] == times[1] and notes == ["1 rows before the first on the grid of most others were left out"]


def test_days_of_local_time_are_filled_over_a_change_of_the_clock(tmp_path: Path) -> None:
    zones = ["+01:00" if day < 90 else "+02:00" for day in range(200)]  # 2024-03-31
    start = np.datetime64("2024-01-01")
    lines = [f"{start + day}T00:00{zone},{day},{day % 7}" for day, zone in enumerate(zones)]
    splits = load(tmp_path, lines, targets=("load",), window=10, horizon=2, fill="previous")
    train = part(splits, "train")
    assert len(train) == 139 - 12 + 1  # the last row lies an hour before a step that nobody measured
    assert train.layout.step == np.timedelta64(24, "h") and train.layout.zoned is True
    assert train.part["load"][85:95].tolist() == [*range(85, 95)]
    assert any("rows lie beside the grid of 1 day" in note for note in splits.notes)


def test_no_forecast_is_judged_by_what_was_filled_or_made_from_what_follows(tmp_path: Path) -> None:
    lines = rows()
    for row in (60, 61, 180):
        lines[row] = lines[row].partition(",")[0] + ",," + str(row % 7)
    splits = load(tmp_path, lines, targets=("load",), window=10, horizon=2, fill="linear")
    train, test = part(splits, "train"), part(splits, "test")
    some = train.take(np.arange(len(train)))
    assert not {60.0, 61.0} & set(some.inputs["load"][:, -1]) and 60 in some.inputs["load"][:, 0]
    assert 180 not in np.asarray(test.targets) and 180 not in test.inputs["load"][:, -1]
    assert 180 in test.inputs["load"] and len(test) == 39 - 3
    assert any(note.startswith("test part: 3 windows are left out") for note in splits.notes)
    assert any("a forecast fills none" in note for note in splits.notes)
    every_other = [line if row % 2 else f"{line.partition(',')[0]},,1" for row, line in enumerate(rows())]
    with pytest.raises(DataError, match=r"Give more rows without gaps"):
        load(tmp_path, rows()[:160] + every_other[160:], targets=("load",), window=10, horizon=2, fill="linear")


def test_what_repeats_the_value_before_stands_on_no_later_one() -> None:
    missing = np.array([[True], [False], [True]])
    assert ahead_of(missing, "previous")[:, 0].tolist() == [True, False, False]
    assert ahead_of(missing, "linear")[:, 0].tolist() == [True, False, True]


def test_a_duplicate_leaves_the_frequency_of_months(tmp_path: Path) -> None:
    months = [f"{2000 + row // 12}-{row % 12 + 1:02},{row},{row % 7}" for row in range(200)]
    splits = load(tmp_path, [*months[:50], *months[49:]], targets=("load",), window=10, horizon=2, fill="linear")
    train = part(splits, "train")
    assert train.layout.step == np.timedelta64(1, "M") and train.layout.season == 12 and len(train) == 140 - 12 + 1


def working_days(*, without: tuple[int, ...] = (), count: int = 400) -> list[str]:
    days = np.busday_offset("2022-01-03", np.arange(count), weekmask="1111110")
    return [f"{day},{row},{row % 7}" for row, day in enumerate(days) if row not in without]


def test_windows_reach_over_weekends_and_holidays_but_not_over_weeks(tmp_path: Path) -> None:
    splits = load(tmp_path, working_days(without=(50, 51, 320)), targets=("load",), window=30, horizon=5)
    layout = part(splits, "train").layout
    assert layout.step == WorkingDays("1111110") and layout.season == 6
    assert (
        sum(map(len, (splits.train, splits.validation, splits.test))) == 397 - 34 - 4 - 4
    )  # no window is without a step
    assert any("gaps: 3 rows are missing in 2 places from a step of 1 working" in note for note in splits.notes)
    assert any("rows are a working day (Monday to Saturday) apart" in note for note in splits.notes)
    longer = load(tmp_path, working_days(without=tuple(range(50, 58))), targets=("load",), window=30, horizon=5)
    assert len(longer.train) == len(part(longer, "train").part["load"]) - 34 - 34


def test_an_hour_is_a_number_where_it_is_asked_for_and_a_part_of_the_times_too(tmp_path: Path) -> None:
    lines = [f"2024-01-{row // 24 + 1:02d},{row % 24},{row % 7}" for row in range(200)]
    path = tmp_path / "hours.csv"
    path.write_text("\n".join(["date,hour,load", *lines]) + "\n", encoding="utf-8")
    splits = SeriesData(known=("hour",), window=24, horizon=4).load(path, say=lambda _: None)
    layout = part(splits, "train").layout
    assert layout.step == np.timedelta64(1, "h") and layout.known == ("hour",) and layout.targets == ("load",)


def test_working_days_that_are_missing_are_filled_and_no_free_ones(tmp_path: Path) -> None:
    lines = working_days(without=(50, 51))
    sunday = "2022-02-06,99,0"  # worked on for once, between rows 29 and 30
    lines.insert(30, sunday)
    splits = load(tmp_path, lines, targets=("load",), window=30, horizon=5, fill="linear")
    train = part(splits, "train")
    assert train.part["load"][[29, 30, 49, 50, 51, 52]].tolist() == [29, 30, 49, 50, 51, 52]
    assert train.times is not None
    expected = np.busday_offset("2022-01-03", np.arange(29, 34), weekmask="1111110")
    np.testing.assert_array_equal(train.times[:5], expected)
    assert any("1 rows lie beside the grid of 1 working day" in note for note in splits.notes)


def test_a_target_written_with_parted_thousands_is_said_to_be_no_number(tmp_path: Path) -> None:
    lines = [f'{line.split(",")[0]},"1,{100 + row}.5",{row}' for row, line in enumerate(rows())]
    with pytest.raises(DataError, match=r"data\.targets.*'load' holds words.*such as '1,\d+\.5', write them as plain"):
        load(tmp_path, lines, targets=("load",), window=20, horizon=5)


def test_rows_that_share_their_times_are_no_series_unless_taken_in_their_order(tmp_path: Path) -> None:
    lines = [f"{line[:10]},{line.partition(',')[2]}" for line in rows()]
    with pytest.raises(DataError, match=r"'time': 191 of 200 rows have the time of the row before.*data\.ignore=time"):
        load(tmp_path, lines, targets=("load",), window=20, horizon=5)
    layout = part(load(tmp_path, lines, targets=("load",), ignore=("time",), window=20, horizon=5), "train").layout
    assert layout.time is None and layout.step is None and layout.columns == ("load", "wind")


def test_covariates_reach_over_the_steps_ahead(tmp_path: Path) -> None:
    train = part(load(tmp_path, rows(), targets=("load",), known=("wind",), window=20, horizon=5), "train")
    assert train.inputs["wind"].shape == (len(train), 25) and train.inputs["load"].shape == (len(train), 20)
    np.testing.assert_array_equal(train.inputs["wind"][3], np.arange(3, 28) % 7)


def test_a_short_series_gets_a_short_window(tmp_path: Path) -> None:
    layout = part(load(tmp_path, rows(100)), "train").layout
    assert layout.window + layout.horizon < 70 and layout.horizon <= 10 and layout.season == 24


def test_training_windows_may_begin_every_few_steps(tmp_path: Path) -> None:
    train = part(load(tmp_path, rows(), targets=("load",), window=20, horizon=5, stride=10), "train")
    assert train.inputs["load"][:, 0].tolist() == list(range(0, 116, 10))


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"window": 500}, "a window of 500 and 7 steps ahead do not fit"),
        ({"targets": ("lod",)}, "Did you mean 'load'"),
        ({"ignore": ("load", "wind")}, "column"),
        ({"known": ("load", "wind")}, "no column is left to forecast"),
        ({"scale": "log"}, "data.scale=log needs values above 0, the smallest is 0"),
        ({"time": "load"}, "column 'load': expected times, got '0'"),
    ],
)
def test_what_does_not_fit_the_file_is_said(tmp_path: Path, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(DlkitError) as caught:
        load(tmp_path, rows(), **settings)
    assert expected in str(caught.value)


@pytest.mark.parametrize("row", [0, 130, 170, 199])
def test_a_value_without_a_logarithm_is_said_before_training_wherever_it_is(tmp_path: Path, row: int) -> None:
    lines = [f"{line.split(',')[0]},{at + 1},{at % 7 + 1}" for at, line in enumerate(rows())]
    assert load(tmp_path, lines, scale="log").train
    lines[row] = f"{lines[row].rpartition(',')[0]},0"
    with pytest.raises(DataError, match=r"column 'wind': data\.scale=log needs values above 0, the smallest is 0"):
        load(tmp_path, lines, scale="log")


@pytest.mark.parametrize(
    "settings",
    [
        {"window": 0}, {"horizon": -1}, {"fill": "mean"}, {"scale": "cube"}, {"targets": "load"},
        {"targets": ("load",), "ignore": ("load",)}, {"test_fraction": 0.7, "validation_fraction": 0.3},
    ],
)  # fmt: skip
def test_settings_are_checked_before_anything_is_read(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        SeriesData(**settings)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_too_few_rows_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(DataError, match=r"expected at least 10 steps"):
        load(tmp_path, rows(count))


def test_a_target_that_never_changes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is nothing to be learnt"):
        load(tmp_path, [row.rpartition(",")[0] + ",5" for row in rows()])


@pytest.mark.parametrize("setting", ["targets", "known", "ignore"])
def test_a_column_that_the_sample_does_not_have_is_said(setting: str) -> None:
    with pytest.raises(SettingsError, match=f"data.{setting}='lod': the sample .* has no such column"):
        SeriesData(**{setting: ("lod",)}).load("sample", say=lambda _: None)  # type: ignore[arg-type]  # parametrised


def test_the_sample_is_the_same_every_time_and_says_what_is_possible() -> None:
    first, second = (SeriesData().load("sample", say=lambda _: None) for _ in range(2))
    assert first.fingerprint == second.fingerprint and first.sample
    assert 0 < first.best["mse"] < 0.2
