"""Is a series split by time before windows are cut, without copies, and are gaps kept out of windows?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlkit.contracts import Splits
from dlkit.data.series import SeriesData
from dlkit.data.series_gaps import filled, on_grid
from dlkit.data.series_windows import SeriesSplit
from dlkit.errors import DataError, DlkitError, SettingsError


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


def test_windows_with_a_gap_or_a_missing_value_are_left_out(tmp_path: Path) -> None:
    lines = rows()
    del lines[60]
    lines[30] = lines[30].rpartition(",")[0] + ","
    splits = load(tmp_path, lines, targets=("load",), window=10, horizon=2)
    train = part(splits, "train")
    assert np.isfinite(train.inputs["wind"]).all()
    steps = np.concatenate([train.inputs["load"], np.asarray(train.targets)[:, :, 0]], axis=1)
    assert (np.diff(steps, axis=1) == 1).all()
    assert any("windows hold a gap or a missing value" in note for note in splits.notes)


@pytest.mark.parametrize("how", ["previous", "linear"])
def test_gaps_are_filled_on_request_from_what_is_before(tmp_path: Path, how: str) -> None:
    lines = rows()
    del lines[60:63]
    splits = load(tmp_path, lines, targets=("load",), window=10, horizon=2, fill=how)
    train = part(splits, "train")
    assert len(train) == 140 - 12 + 1
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
    grid, values, note = on_grid(times, np.arange(4.0)[:, None], step)
    np.testing.assert_array_equal(values[:, 0], [0, 2, np.nan, 3])
    assert len(grid) == 4 and note is not None and "the later one was taken" in note
    with pytest.raises(DataError, match=r"Is a time wrong"):
        on_grid(np.append(times, np.datetime64("2124-01-01", "ns")), np.zeros((5, 1)), step)


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


def test_the_sample_is_the_same_every_time_and_says_what_is_possible() -> None:
    first, second = (SeriesData().load("sample", say=lambda _: None) for _ in range(2))
    assert first.fingerprint == second.fingerprint and first.sample
    assert 0 < first.best["mse"] < 0.2
