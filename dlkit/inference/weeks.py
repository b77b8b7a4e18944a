"""On which days of the week are rows measured, where they are not on all of them?

Exchanges rest on two days, shops on one; which, is found in the rows. Days are those of UTC: midnight in Frankfurt is
the evening before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HOLIDAYS = 7
"""Working days that may be missing one after the other, and the rows around them still follow each other."""
_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHORTEST = 14
"""Days from the first row to the last, at least: two weekends may be missing by chance in less."""
_SHARE_OF_CLOSED, _SHARE_OF_OPEN = 0.05, 0.8
"""Of all rows, at most, on days that are free; of all working days, at least, that have a row."""
_OPEN = 0.5
"""Of its weeks, at least, in which a day of the week has a row, or it is free: some are worked on now and then."""
_SHARE_BESIDE = 0.02
"""Of all rows, at most, that are a second one of a day, or of quite another time of day."""
_SUMMER = np.timedelta64(2, "h")
"""By how much the clock may differ from row to row, as that of UTC does from a zone's."""
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class WorkingDays:
    """A step from one working day to the next. `week`: "1" for a working day, "0" for a free one, from Monday on."""

    week: str

    def __post_init__(self) -> None:
        if len(self.week) != len(_NAMES) or set(self.week) != {"0", "1"}:
            raise ValueError(f"week={self.week!r}: expected seven signs 0 and 1, both among them, such as 1111100.")

    def __str__(self) -> str:
        days = [name for name, open_ in zip(_NAMES, self.week, strict=True) if open_ == "1"]
        # Each neighbour of the next: from where the week begins.
        first = next((at for at in range(7) if self.week[at] == "1" and self.week[at - 1] == "0"), 0)
        in_a_row = (self.week[first:] + self.week[:first]).startswith("1" * len(days))
        if not in_a_row or len(days) < 3:
            return f"working day ({', '.join(days)})"
        return f"working day ({_NAMES[first]} to {_NAMES[(first + len(days) - 1) % 7]})"

    @property
    def a_week(self) -> int:
        return self.week.count("1")

    def free(self, times: np.ndarray) -> np.ndarray:
        """(rows,) bool: which times are of free days."""
        return np.asarray(~np.is_busday(times.astype("datetime64[D]"), weekmask=self.week))

    def between(self, times: np.ndarray) -> np.ndarray:
        """(rows - 1,) float64: working days from each time to the next; half of one to a free day and from it."""
        return np.diff(self.places(times))

    def places(self, times: np.ndarray) -> np.ndarray:
        """(rows,) float64: working days since that of the first time, or, where that is a free day, since the next one;
        half of one less on free days.
        """
        days = times.astype("datetime64[D]")
        return np.asarray(np.busday_count(days[:1], days, weekmask=self.week) - self.free(times) / 2, np.float64)

    def following(self, last: np.datetime64, count: int) -> np.ndarray:
        """The `count` times after `last`, (count,) datetime64[ns], at its time of day."""
        day = last.astype("datetime64[D]")
        days = np.busday_offset(day, np.arange(1, count + 1), roll="backward", weekmask=self.week)
        return days.astype("datetime64[ns]") + (last.astype("datetime64[ns]") - day)

    def ahead(self, count: int) -> np.ndarray:
        """(7, count) int64: days from each day of the week, Monday first, to the `count` working days after it."""
        monday = np.datetime64("1970-01-05", "D")
        week = [monday + at * _DAY for at in range(7)]
        return np.stack([(self.following(day, count) - day) // _DAY for day in week])

    @property
    def longest(self) -> np.timedelta64:
        """From a row to the next, at most, where the two still follow each other."""
        return np.timedelta64(int(self.ahead(HOLIDAYS + 1)[:, -1].max()), "D") + _SUMMER


def working_days(times: np.ndarray) -> WorkingDays | None:
    """The days of the week that rows of ascending times are measured on; None where they are measured on all of them,
    on one alone, several times a day, or without any such order.
    """
    days = times.astype("datetime64[D]")
    if len(days) < 3 or days[-1] - days[0] < _SHORTEST * _DAY:
        return None
    inside = (times - days).astype("timedelta64[ns]").astype(np.int64)
    late = np.abs(inside - np.median(inside)) > _SUMMER / np.timedelta64(1, "ns")
    beside = late | np.append(False, np.diff(days) <= np.timedelta64(0))
    if beside.sum() > _SHARE_BESIDE * len(days):
        return None
    days = np.unique(days)
    rows = np.bincount((days.astype(np.int64) + 3) % 7, minlength=7)  # 1 January 1970 was a Thursday
    possible = np.array([_count(days, "0" * at + "1" + "0" * (6 - at)) for at in range(7)])
    week = "".join("1" if share >= _OPEN else "0" for share in rows / possible)
    if "0" not in week or week.count("1") < 2:
        return None
    closed = rows[[sign == "0" for sign in week]].sum()
    if closed > _SHARE_OF_CLOSED * len(days) or len(days) - closed < _SHARE_OF_OPEN * _count(days, week):
        return None
    return WorkingDays(week)


def _count(days: np.ndarray, week: str) -> int:
    """How many days of such a week lie from the first to the last."""
    return int(np.busday_count(days[0], days[-1] + _DAY, weekmask=week))
