"""Are times read as they are written, or refused, and do the following ones follow?"""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.inference import times as clock


def read(*fields: str) -> list[str]:
    (way,) = clock.written(fields)
    return [str(time) for time in way.parse(fields).astype("datetime64[s]")]


@pytest.mark.parametrize(
    "field, expected",
    [
        ("2024-02-29", "2024-02-29T00:00:00"),
        ("2024-02-29 13:45", "2024-02-29T13:45:00"),
        ("2024-02-29T13:45:07", "2024-02-29T13:45:07"),
        ("1949-01", "1949-01-01T00:00:00"),
        ("2024/2/9 7:05", "2024-02-09T07:05:00"),
        ("20240229", "2024-02-29T00:00:00"),
        ("29.02.2024 13:45", "2024-02-29T13:45:00"),
        ("2/29/2024 1:45 PM", "2024-02-29T13:45:00"),
        ("2/29/2024 12:45 am", "2024-02-29T00:45:00"),
        ("2024-02-29T13:45:07Z", "2024-02-29T13:45:07"),
        ("2024-02-29T01:45:07+02:00", "2024-02-28T23:45:07"),
        ("2024-02-29 23:45 -0330", "2024-03-01T03:15:00"),
        ("1709214307", "2024-02-29T13:45:07"),
        ("1709214307000", "2024-02-29T13:45:07"),
        ("1709214307000000000", "2024-02-29T13:45:07"),
        ("2024022913", "2024-02-29T13:00:00"),
        ("202402291345", "2024-02-29T13:45:00"),
        ("20240229134507", "2024-02-29T13:45:07"),
        ("1999999999", "2033-05-18T03:33:19"),
    ],
)
def test_a_time_is_read_in_every_usual_style(field: str, expected: str) -> None:
    assert read(field, field) == [expected, expected]


@pytest.mark.parametrize(
    "field", ["2024-02-30", "2024-13-01", "25:00", "now", "today", "12.5", "9999-01-01", "2024-01-01 24:30", "a"]
)
def test_what_is_no_time_is_not_taken_for_one(field: str) -> None:
    assert clock.written([field]) == []


def test_a_day_that_may_be_a_month_has_two_readings() -> None:
    assert [way.style for way in clock.written(["01/02/2024", "03/04/2024"])] == ["day first", "month first"]
    assert [way.style for way in clock.written(["01/02/2024", "13/04/2024"])] == ["day first"]


def test_the_row_that_is_written_otherwise_is_named() -> None:
    with pytest.raises(clock.TimeFormatError) as caught:
        clock.Written("iso").parse(["2024-01-01", "2024-01-02", "3.1.2024"])
    assert (caught.value.row, caught.value.value) == (2, "3.1.2024")


@pytest.mark.parametrize("length", [10, 16, 19])
def test_the_quick_reading_gives_what_the_slow_one_gives(length: int) -> None:
    texts = [str(np.datetime64("1999-12-31T23:59:00", "s") + 86_399 * row)[:length] for row in range(50)]
    quick = clock.Written("iso").parse(texts)
    np.testing.assert_array_equal(quick, [np.datetime64(text, "ns") for text in texts])
    assert clock.written([*texts, "2024-1x-01 00:00:00"[:length]]) == []


def test_the_step_of_months_is_a_month_and_of_most_rows_otherwise() -> None:
    months = np.arange("1949-01", "1951-01", dtype="datetime64[M]").astype("datetime64[ns]")
    assert clock.step_of(months) == np.timedelta64(1, "M")
    hours = np.datetime64("2024-01-01", "ns") + np.array([0, 1, 2, 3, 7, 8]) * np.timedelta64(1, "h")
    assert clock.step_of(hours) == np.timedelta64(1, "h")
    assert clock.steps_between(hours, np.timedelta64(1, "h")).tolist() == [1, 1, 1, 4, 1]
    assert clock.step_of(hours[:1]) is None


@pytest.mark.parametrize(
    "last, step, expected",
    [
        ("2024-02-28T23:00", np.timedelta64(1, "h"), ["2024-02-29T00:00", "2024-02-29T01:00"]),
        ("1960-12-01", np.timedelta64(1, "M"), ["1961-01-01", "1961-02-01"]),
        ("2023-12-31", np.timedelta64(1, "M"), ["2024-01-31", "2024-02-29"]),
        ("2024-01-30", np.timedelta64(1, "M"), ["2024-02-29", "2024-03-30"]),
        ("2020-07-01", np.timedelta64(12, "M"), ["2021-07-01", "2022-07-01"]),
    ],
)
def test_the_next_times_follow_the_calendar(last: str, step: np.timedelta64, expected: list[str]) -> None:
    assert clock.shown(clock.following(np.datetime64(last, "ns"), step, 2)) == expected


def test_a_time_that_comes_twice_leaves_the_step_of_months() -> None:
    months = np.arange("1949-01", "1951-01", dtype="datetime64[M]").astype("datetime64[ns]")
    assert clock.step_of(np.sort(np.append(months, months[5]))) == np.timedelta64(1, "M")
    assert clock.step_of(months[[3, 3]]) is None


def test_times_of_utc_are_shown_with_its_sign() -> None:
    times = np.array(["2024-02-29T00:00", "2024-03-01T00:00"], "M8[ns]")
    assert clock.shown(times) == ["2024-02-29", "2024-03-01"]
    assert clock.shown(times, zoned=True) == ["2024-02-29T00:00Z", "2024-03-01T00:00Z"]
    assert clock.written(clock.shown(times, zoned=True))[0].zoned


def test_a_step_is_said_in_words() -> None:
    steps = [np.timedelta64(1, "M"), np.timedelta64(24, "M"), np.timedelta64(30, "m"), np.timedelta64(86_400, "s")]
    assert [clock.shown_step(step) for step in steps] == ["1 month", "2 years", "30 minutes", "1 day"]
