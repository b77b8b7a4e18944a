"""Are times read as they are written, or refused, and do the following ones follow?"""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.inference import times as clock
from dlkit.inference.weeks import WorkingDays


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
        ("2/29/2024 15:45 PM", "2024-02-29T15:45:00"),
        ("2024-02-29T13:45:07Z", "2024-02-29T13:45:07"),
        ("2024-02-29T01:45:07+02:00", "2024-02-28T23:45:07"),
        ("2024-02-29 23:45 -0330", "2024-03-01T03:15:00"),
        ("2024-02-29 23:45:00+01", "2024-02-29T22:45:00"),
        ("2024-02-29 23:45 GMT", "2024-02-29T23:45:00"),
        ("2024-02-29T23:45:00z", "2024-02-29T23:45:00"),
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
    "field",
    [
        "2024-02-30",
        "2024-13-01",
        "25:00",
        "now",
        "today",
        "12.5",
        "9999-01-01",
        "2024-01-01 24:30",
        "a",
        "9999999999999",
        "2024-02-05-01",
        "20240205-01",
        "99999999999",
        "2024-01-01 25:00 AM",
        "2024-01-01 13:00 AM",
        "2024-01-01 99:30 PM",
        "2024-01-01T23:00+99:99",
        "2024-01-01T23:00+01:60",
    ],
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


def days_of(week: str, first: str = "2024-01-01", count: int = 200) -> np.ndarray:
    days = np.datetime64(first, "D") + np.arange(count)
    return days[np.is_busday(days, weekmask=week)].astype("datetime64[ns]")


@pytest.mark.parametrize("week", ["1111100", "1111110", "1111001", "1010100", "0011111"])
def test_days_of_the_week_without_rows_are_free_days(week: str) -> None:
    times = days_of(week)
    step = clock.step_of(times)
    assert step == WorkingDays(week)
    assert (clock.steps_between(times, step) == 1).all() and not clock.apart(times, step).any()
    assert clock.places(times, step).tolist() == [*range(len(times))]
    for row in range(7):
        np.testing.assert_array_equal(clock.following(times[row], step, 30), times[row + 1 : row + 31])


def test_holidays_and_a_day_worked_on_though_free_are_no_gap() -> None:
    times = days_of("1111100")
    kept = np.delete(times, [20, 60, 61, *range(90, 97)])
    saturday = np.datetime64("2024-02-17", "ns")
    with_it = np.sort(np.append(kept, saturday))
    for some in (kept, with_it):
        step = clock.step_of(some)
        assert step == WorkingDays("1111100") and not clock.apart(some, step).any()
    assert clock.steps_between(kept, step)[[19, 58, 86]].tolist() == [2, 3, 8]
    longer = np.delete(times, range(90, 98))
    assert np.flatnonzero(clock.apart(longer, step)).tolist() == [89]
    assert (np.diff(kept) <= clock.longest(step)).all() and not (np.diff(longer) <= clock.longest(step)).all()
    assert clock.shown(clock.following(saturday, step, 2)) == ["2024-02-19", "2024-02-20"]


def test_a_free_day_stays_free_where_it_is_worked_on_now_and_then() -> None:
    times = days_of("1111100", count=240)
    sundays = "2024-01-07", "2024-02-04", "2024-02-18", "2024-04-07", "2024-04-28"
    worked = [np.datetime64(day, "ns") for day in sundays]
    first = times[0] - np.timedelta64(2, "D")
    for some in (np.sort(np.append(times, worked)), np.append(first, times), np.append(times[:41], worked[1])):
        step = clock.step_of(np.sort(some))
        assert step == WorkingDays("1111100")
    places = clock.places(np.append(first, times), WorkingDays("1111100"))
    assert places[:3].tolist() == [-0.5, 0, 1], "counted from the first working day"


def test_a_second_row_of_a_day_leaves_the_working_days() -> None:
    times = days_of("1111100") + np.timedelta64(17, "h")
    twice = np.sort(np.append(times, times[30] + np.timedelta64(5, "m")))
    step = clock.step_of(twice)
    assert step == WorkingDays("1111100") and np.flatnonzero(clock.apart(twice, step)).tolist() == [30]
    late = times + np.where(np.arange(len(times)) == 30, np.timedelta64(5, "h"), np.timedelta64(0, "h"))
    assert clock.step_of(late) == step


def test_midnight_of_a_zone_is_the_evening_before_in_summer_and_winter() -> None:
    days = days_of("1111100").astype("datetime64[D]")
    summer = (days >= np.datetime64("2024-03-31")).astype(int)
    times = days.astype("datetime64[ns]") - (1 + summer) * np.timedelta64(1, "h")
    step = clock.step_of(times)
    assert step == WorkingDays("1111001") and clock.shown_step(step) == "1 working day (Sunday to Thursday)"
    assert clock.shown(clock.following(times[-1], step, 1)) == ["2024-07-18T22:00"]


@pytest.mark.parametrize(
    "times",
    [
        days_of("1111100", count=12),  # two weekends, but not two weeks
        days_of("1111111"),
        days_of("1111100")[::2],
        np.delete(days_of("1111111"), np.arange(5, 150, 7)[::2]),  # every other Saturday
        np.sort(np.concatenate([days_of("1111100"), days_of("1111100") + np.timedelta64(8, "h")])),
    ],
)  # fmt: skip
def test_what_leaves_no_days_of_the_week_out_has_a_step_of_one_length(times: np.ndarray) -> None:
    assert isinstance(clock.step_of(times), np.timedelta64)


def test_a_working_day_is_no_day_and_a_month_is_no_number_of_days() -> None:
    steps = [WorkingDays("1111100"), WorkingDays("1111110"), np.timedelta64(86_400, "s"), np.timedelta64(1, "M")]
    assert [[clock.are_equal(one, other) for other in steps] for one in steps] == np.eye(4, dtype=bool).tolist()
    assert clock.are_equal(steps[2], np.timedelta64(86_400 * 10**9, "ns"))


def test_times_of_utc_are_shown_with_its_sign() -> None:
    times = np.array(["2024-02-29T00:00", "2024-03-01T00:00"], "M8[ns]")
    assert clock.shown(times) == ["2024-02-29", "2024-03-01"]
    assert clock.shown(times, zoned=True) == ["2024-02-29T00:00Z", "2024-03-01T00:00Z"]
    assert clock.written(clock.shown(times, zoned=True))[0].zoned


def test_a_step_is_said_in_words() -> None:
    steps = [np.timedelta64(1, "M"), np.timedelta64(24, "M"), np.timedelta64(30, "m"), np.timedelta64(86_400, "s")]
    assert [clock.shown_step(step) for step in steps] == ["1 month", "2 years", "30 minutes", "1 day"]
    weeks = [WorkingDays("1111110"), WorkingDays("1100111"), WorkingDays("1010100")]
    assert [clock.shown_step(step) for step in weeks] == [
        "1 working day (Monday to Saturday)",
        "1 working day (Friday to Tuesday)",
        "1 working day (Monday, Wednesday, Friday)",
    ]
