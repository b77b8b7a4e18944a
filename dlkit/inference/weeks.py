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
_SHARE_OF_CLOSED, _SHARE_OF_OPEN = 0.02, 0.8
"""Of all rows, at most, on days that are free; of all working days, at least, that have a row."""
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
        """(rows,) float64: working days since the first time's, halves of one on free days."""
        days = times.astype("datetime64[D]")
        count = np.busday_count(days[:1], days, weekmask=self.week) - self.free(times) / 2
        return np.asarray(count - count[:1], np.float64)

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
    inside = times - days
    if len(days) < 3 or days[-1] - days[0] < _SHORTEST * _DAY or inside.max() - inside.min() > _SUMMER:
        return None
    if (np.diff(days) <= np.timedelta64(0)).any():
        return None
    of_week = (days.astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday
    rows = np.bincount(of_week, minlength=7)
    rare = np.argsort(rows, kind="stable")
    free = rare[np.cumsum(rows[rare]) <= _SHARE_OF_CLOSED * len(days)]
    week = "".join("0" if at in free else "1" for at in range(7))
    if "0" not in week or week.count("1") < 2 or week[of_week[0]] == "0":
        return None
    possible = np.busday_count(days[0], days[-1] + _DAY, weekmask=week)
    return WorkingDays(week) if len(days) >= _SHARE_OF_OPEN * possible else None
