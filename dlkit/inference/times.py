"""When was each row measured, what is the step between rows, and which times come next?

Times are `datetime64[ns]` in UTC; what is written without a zone is taken as it stands.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlkit.inference.missing import is_missing
from dlkit.inference.weeks import HOLIDAYS, WorkingDays, working_days

Step = np.timedelta64 | WorkingDays
"""Nanoseconds, calendar months, or from a working day to the next."""
Style = Literal["iso", "day first", "month first", "year first", "compact", "epoch"]

NAMES = frozenset({"time", "timestamp", "date", "datetime", "ds", "day", "month", "year", "hour", "epoch", "unix", "t"})
"""Columns called so, in any case, are looked at first when the times are searched."""
HOURS = frozenset({"hour", "hours", "hr", "hour_of_day", "hour of day"})
"""Columns called so, in any case, may hold the hour of a day that stands in another one."""
_HOUR = re.compile(r"([01]?\d|2[0-3])(?:\.0*)?")
_ZONE = r"(?P<zone>\s?[Zz]|\s?UTC|\s?GMT|\s?[+-]\d\d:?\d\d|(?(hour)\s?[+-]\d\d|(?!)))?"
_CLOCK = (
    r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<part>[.,]\d{1,9})?)?"
    r"(?P<half>\s?[AaPp]\.?[Mm]\.?)?)?"
)
_ISO = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d{1,9})?)?)?)?)?)?")
_WRITTEN = re.compile(
    r"(?P<a>\d{8}|\d{1,4})(?:(?P<mark>[-/.])(?P<b>\d{1,2})(?:(?P=mark)(?P<c>\d{1,4}))?)?" + _CLOCK + _ZONE
)
_EPOCH = re.compile(r"\d{9,19}(\.\d+)?")
_COMPACT = re.compile(r"(?P<date>(?:19|20)\d{6})(?P<hour>\d\d)(?P<minute>\d\d)?(?P<second>\d\d)?")
"""Such as 202412312359. Counted since 1970, ten digits that are such a time would lie in 2030 or later."""
_CLOCK_ALONE = re.compile(r"\d{1,2}(?::\d\d(?::\d\d(?:[.,]\d{1,9})?)?\s?(?:[AaPp]\.?[Mm]\.?)?|\.\d\d\.\d\d)")
"""A time of day in a field of its own; some write 18.00.00."""
FIRST_YEAR, LAST_YEAR = "1678", "2262"
"""Years that nanoseconds in 64 bits can count."""
_SIGNS = {10: {4: "-", 7: "-"}}
_SIGNS[16] = _SIGNS[10] | {10: "T ", 13: ":"}
_SIGNS[19] = _SIGNS[16] | {16: ":"}
"""Length of a time to the places in it that hold no digit, and what may stand there."""
_UNITS = {"day": 86_400 * 10**9, "hour": 3_600 * 10**9, "minute": 60 * 10**9, "second": 10**9, "millisecond": 10**6}
_MONTH = np.timedelta64(1, "M")
_EVEN = 1e-6
"""Shares of a step by which a row may come early or late."""


class TimeFormatError(ValueError):
    """`row`: the first field, from 0 on, that is no time in the column's style; `value`: what it holds."""

    def __init__(self, row: int, value: str) -> None:
        super().__init__(f"row {row}: {value!r}")
        self.row, self.value = row, value


@dataclass(frozen=True)
class Written:
    """How the times of a column are written. `zoned`: with an offset from UTC, which is then taken off."""

    style: Style
    zoned: bool = False

    def parse(self, fields: Sequence[str]) -> np.ndarray:
        """(rows,) datetime64[ns] in UTC, NaT where nothing is written; TimeFormatError at a field written otherwise."""
        if self.style == "epoch":
            return _epochs(fields)
        if self.style == "iso" and not self.zoned:
            return _iso(fields)
        texts, shifts = [], []
        for row, field in enumerate(fields):
            text, minutes = self._as_iso(row, field.strip())
            texts.append(text)
            shifts.append(minutes)
        times = _iso(texts, fields)
        return times - np.array(shifts, np.int64).astype("timedelta64[m]") if self.zoned else times

    def _as_iso(self, row: int, field: str) -> tuple[str, int]:
        """A field as ISO 8601 without a zone, and its offset from UTC in minutes."""
        if is_missing(field):
            return "NaT", 0
        if self.style == "compact":
            digits = _COMPACT.fullmatch(field)
            if digits is None:
                raise TimeFormatError(row, field)
            day, parts = digits["date"], [digits[name] or "00" for name in ("hour", "minute", "second")]
            return f"{day[:4]}-{day[4:6]}-{day[6:]}T{':'.join(parts)}", 0
        found = _WRITTEN.fullmatch(field)
        if found is None or (found["zone"] is not None) != self.zoned:
            raise TimeFormatError(row, field)
        date, clock, minutes = _date(found, self.style), _clock(found), _minutes(found["zone"])
        if date is None or clock is None or minutes is None:
            raise TimeFormatError(row, field)
        return date + clock, minutes


def written(fields: Sequence[str]) -> list[Written]:
    """Every way in which all of `fields` can be read as times, the likelier first; empty where they are no times.

    Plain numbers are times only where they count seconds, milliseconds, microseconds or nanoseconds since 1970, or
    where they are years of four digits, dates of eight, or these with two, four or six digits of a time of day.
    """
    present = [field.strip() for field in fields if not is_missing(field)]
    if not present:
        return []
    if all(map(_COMPACT.fullmatch, present)) and len({*map(len, present)}) == 1:
        with contextlib.suppress(TimeFormatError):
            Written("compact").parse(present)
            return [Written("compact")]
    if all(map(_EPOCH.fullmatch, present)):
        with contextlib.suppress(TimeFormatError):
            Written("epoch").parse(present)
            return [Written("epoch")]
        return []
    found = _WRITTEN.fullmatch(present[0])
    if found is None:
        return []
    zoned = found["zone"] is not None
    styles: tuple[Style, ...] = ("iso", "year first", "day first", "month first")
    possible = []
    for style in styles:
        try:
            Written(style, zoned).parse(present)
        except TimeFormatError:
            continue
        possible.append(Written(style, zoned))
        if style in ("iso", "year first"):
            break
    return possible


def is_number(field: str) -> bool:
    """Whether a field could as well be a plain number: a time of such a column is told by the column's name."""
    return field.strip().replace(".", "", 1).isdigit()


def is_clock(field: str) -> bool:
    """Whether a field is a time of day alone: the day may stand in another one."""
    return _CLOCK_ALONE.fullmatch(field.strip()) is not None


def is_hour(field: str) -> bool:
    """Whether a field is a whole hour of a day, from 0 to 23; pandas may write it as 7.0."""
    return _HOUR.fullmatch(field.strip()) is not None


def is_day(field: str) -> bool:
    """Whether a field is a day without a time of day, and no plain number."""
    return ":" not in field and not is_number(field) and bool(written([field]))


def is_moment(field: str) -> bool:
    """Whether a field is a day with its time of day, or a time counted since 1970."""
    return (":" in field or (is_number(field) and len(field.strip()) > len("20241231"))) and bool(written([field]))


def joined(day: str, clock: str) -> str:
    """A time from its day and its time of day; "" where one of them is missing."""
    if is_missing(day) or is_missing(clock):
        return ""
    clock = clock.strip()
    if hour := _HOUR.fullmatch(clock):
        clock = f"{hour[1]}:00"
    return f"{day.strip()} {clock if ':' in clock else clock.replace('.', ':')}"


def step_of(times: np.ndarray) -> Step | None:
    """The commonest difference between neighbours, of times in ascending order; months where they are calendar months,
    working days where whole days of the week are missing.

    A whole number of seconds to nanoseconds as `timedelta64[ns]`, or `timedelta64[M]`; None where there is none.
    """
    # A time that comes twice says nothing of the step.
    times = np.concatenate([times[:1], times[1:][np.diff(times) > np.timedelta64(0)]])
    gaps = np.diff(times)
    if not len(gaps):
        return None
    months = _months_between(times)
    if months is not None:
        return months * _MONTH
    if (week := working_days(times)) is not None:
        return week
    values, counts = np.unique(gaps.astype(np.int64), return_counts=True)
    return np.timedelta64(int(values[counts.argmax()]), "ns")


def in_months(step: Step) -> bool:
    """Whether a step counts calendar months, which are of no one length."""
    return isinstance(step, np.timedelta64) and np.datetime_data(step.dtype)[0] == "M"


def fixed(step: Step | None) -> np.timedelta64 | None:
    """The step, where all are of one length."""
    return step if isinstance(step, np.timedelta64) and not in_months(step) else None


def are_equal(step: Step, other: Step) -> bool:
    # A day of 24 hours is no working day, and no number of days is a month.
    return type(step) is type(other) and in_months(step) == in_months(other) and bool(step == other)


def places(times: np.ndarray, step: Step) -> np.ndarray:
    """(rows,) float64: where times lie, in steps from the first; not whole where one lies beside the grid."""
    if isinstance(step, WorkingDays):
        return step.places(times)
    if in_months(step):
        times = times.astype("datetime64[M]")
    return (times - times[0]) / step


def steps_between(times: np.ndarray, step: Step) -> np.ndarray:
    """(rows - 1,) float64: differences between neighbours in steps; not whole where a time lies beside the grid."""
    if isinstance(step, WorkingDays):
        return step.between(times)
    if in_months(step):
        return np.diff(times.astype("datetime64[M]")) / step
    return np.diff(times) / step


def apart(times: np.ndarray, step: Step) -> np.ndarray:
    """(rows - 1,) bool: does the next row follow by more or less than a step? Of working days some are holidays, and
    now and then one is worked on that is usually free.
    """
    steps = steps_between(times, step)
    if isinstance(step, WorkingDays):
        return (steps <= 0) | (steps > 1 + HOLIDAYS)
    return np.asarray(np.abs(steps - 1) > _EVEN)


def longest(step: Step) -> np.timedelta64:
    """What lies between two neighbours, at most, where the later one comes late at all: one and a half steps."""
    if isinstance(step, WorkingDays):
        return step.longest.astype("timedelta64[ns]")
    usual = int(step / _MONTH) * np.timedelta64(31, "D") if in_months(step) else step
    return np.timedelta64(int(usual / np.timedelta64(1, "ns")) * 3 // 2, "ns")


def following(last: np.datetime64, step: Step, count: int) -> np.ndarray:
    """The `count` times after `last`, (count,) datetime64[ns]; the end of a month is followed by ends of months."""
    ahead = np.arange(1, count + 1)
    last = last.astype("datetime64[ns]")
    if isinstance(step, WorkingDays):
        return step.following(last, count)
    if not in_months(step):
        return last + ahead * step
    month = last.astype("datetime64[M]")
    inside = last - month.astype("datetime64[ns]")
    months = month + ahead * step
    day, clock = divmod(inside, np.timedelta64(1, "D"))
    lengths = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    of_last = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    days = lengths - 1 if day + 1 == of_last else np.minimum(day, lengths - 1)
    return months.astype("datetime64[ns]") + days.astype("timedelta64[D]") + clock


def shown(times: np.ndarray, *, zoned: bool = False) -> list[str]:
    """Times for a person, ISO 8601: no finer than the finest of them needs. `zoned`: with the Z of UTC, which stands
    behind a time of day alone.
    """
    for unit in ("m", "s", "ms", "us") if zoned else ("D", "m", "s", "ms", "us"):
        coarse = times.astype(f"datetime64[{unit}]")
        if (coarse == times).all():
            return [f"{time}{'Z' * zoned}" for time in coarse]
    return [f"{time}{'Z' * zoned}" for time in times]


def shown_step(step: Step) -> str:
    """A step for a person: "1 hour", "30 minutes", "1 month", "1 working day (Monday to Friday)"."""
    if isinstance(step, WorkingDays):
        return f"1 {step}"
    if in_months(step):
        count = int(step / _MONTH)
        return _counted(count // 12, "year") if count % 12 == 0 else _counted(count, "month")
    nanoseconds = int(step / np.timedelta64(1, "ns"))
    for name, size in _UNITS.items():
        if nanoseconds >= size and nanoseconds % size == 0:
            return _counted(nanoseconds // size, name)
    return _counted(nanoseconds, "nanosecond")


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'s' * (count != 1)}"


def _months_between(times: np.ndarray) -> int | None:
    """The commonest number of months between neighbours, where all lie on one day of the month, or all on the last."""
    months = times.astype("datetime64[M]")
    inside = times - months.astype("datetime64[ns]")
    to_the_end = (months + 1).astype("datetime64[ns]") - times
    gaps = np.diff(months).astype(np.int64)
    gaps = gaps[gaps > 0]
    if len(gaps) < len(times) - 1 or not ((inside == inside[0]).all() or (to_the_end == to_the_end[0]).all()):
        return None
    return int(np.bincount(gaps).argmax())


def _iso(texts: Sequence[str], fields: Sequence[str] | None = None) -> np.ndarray:
    """ISO 8601 without zones to times. `fields`: what stood there, for the fault."""
    if len(texts) and (quick := _of_one_form(texts)) is not None:
        return quick
    matches = _ISO.fullmatch
    texts = ["NaT" if is_missing(text) else text.strip() for text in texts]
    for row, text in enumerate(texts):
        if text != "NaT" and not (matches(text) and FIRST_YEAR <= text[:4] < LAST_YEAR):
            raise TimeFormatError(row, (fields or texts)[row])
    try:
        return np.array(texts, "datetime64[ns]")
    except ValueError:  # 30 February, 25 o'clock
        for row, text in enumerate(texts):
            try:
                np.datetime64(text)
            except ValueError:
                raise TimeFormatError(row, (fields or texts)[row]) from None
        raise


def _of_one_form(texts: Sequence[str]) -> np.ndarray | None:
    """Times that are all written as "2024-12-31" or, longer, as "2024-12-31 23:59" or "2024-12-31 23:59:00"; None where
    any is not. Twenty times as fast as one by one.
    """
    length = len(texts[0])
    if length not in _SIGNS or set(map(len, texts)) != {length}:
        return None
    written = np.array(texts, f"U{length}")
    codes = written.view(np.uint32).reshape(len(texts), length)
    signs = _SIGNS[length]
    digits = np.delete(codes, list(signs), axis=1)
    if (digits < ord("0")).any() or (digits > ord("9")).any():
        return None
    if not all(np.isin(codes[:, place], [*map(ord, sign)]).all() for place, sign in signs.items()):
        return None
    if not (min(texts)[:4] >= FIRST_YEAR and max(texts)[:4] < LAST_YEAR):
        return None
    try:
        return written.astype("datetime64[ns]")
    except ValueError:
        return None


def _epochs(fields: Sequence[str]) -> np.ndarray:
    """Seconds, milli-, micro- or nanoseconds since 1970; which, the number of digits says."""
    times = np.empty(len(fields), "datetime64[ns]")
    for row, field in enumerate(fields):
        text = field.strip()
        if is_missing(text):
            times[row] = np.datetime64("NaT")
            continue
        if not _EPOCH.fullmatch(text):
            raise TimeFormatError(row, text)
        whole, _, part = text.partition(".")
        power = 9 - 3 * ((len(whole) - 9) // 3) if len(whole) > 11 else 9
        count = int(whole) * 10**power + (int((part + "0" * power)[:power] or 0) if part else 0)
        if count > np.iinfo(np.int64).max:
            raise TimeFormatError(row, text)
        times[row] = np.datetime64(count, "ns")
    return times


def _date(found: re.Match[str], style: Style) -> str | None:
    """The date of a match as year-month-day, or None where it is none in this style."""
    a, b, c = found["a"], found["b"], found["c"]
    if style in ("iso", "year first"):
        if len(a) == 8 and b is None and style == "year first":
            return f"{a[:4]}-{a[4:6]}-{a[6:]}"
        if len(a) != 4 or (c is not None and len(c) > 2):
            return None
        return "-".join([a, *(part.zfill(2) for part in (b or "01", c or "01"))])
    if c is None or len(c) != 4 or len(a) > 2:
        return None
    day, month = (a, b) if style == "day first" else (b, a)
    return f"{c}-{month.zfill(2)}-{day.zfill(2)}" if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 else None


def _clock(found: re.Match[str]) -> str | None:
    """The time of day of a match, or None where a day has no such half."""
    if found["hour"] is None:
        return "T00:00"
    hour = int(found["hour"])
    if found["half"]:
        after_noon = "p" in found["half"].lower()
        if hour > (23 if after_noon else 12):  # some write 15:00 PM
            return None
        hour = hour % 12 + 12 * after_noon
    return f"T{hour:02}:{found['minute']}:{found['second'] or '00'}{(found['part'] or '').replace(',', '.')}"


def _minutes(zone: str | None) -> int | None:
    """The offset of a zone such as "+02:00" from UTC, or None where no zone is so far off."""
    if zone is None or zone.strip() in ("Z", "z", "UTC", "GMT"):
        return 0
    digits = zone.strip().replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5] or 0)
    if int(digits[3:5] or 0) > 59 or minutes > 14 * 60:
        return None
    return -minutes if digits[0] == "-" else minutes
