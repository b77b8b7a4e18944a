"""How does a SavedModel make standardised windows of raw measurements, and times of a forecast?"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from dlkit.inference import times as clock
from dlkit.inference.series import CYCLES, Channel, SeriesInputs
from dlkit.inference.weeks import WorkingDays

_SECONDS_A_DAY = 86_400
_TICKS = {"s": 1, "ns": 10**9}


class SeriesInputsGraph(tf.Module):
    """The TensorFlow form of `SeriesInputs`: channels by name, (rows, steps) float64 of `window` steps or more, known
    covariates `horizon` steps further, and the time of each row's last step, (rows,) int64 since 1970 in seconds (in
    nanoseconds where a step is no whole number of them), to the network's inputs. Arithmetic in float64, as there;
    columns that do not fit each other in length are refused; a step that is missing makes the forecast NaN.
    """

    def __init__(self, transform: SeriesInputs) -> None:
        super().__init__()
        self._transform = transform
        self.signature = {
            name: tf.TensorSpec((None,), tf.int64, name=name)
            if kind == "time"
            else tf.TensorSpec((None, None), tf.float64, name=name)
            for name, kind in transform.kinds.items()
        }

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        made = self._transform
        with tf.control_dependencies(self._fitting(raw)):
            raw = {name: tf.identity(column) for name, column in raw.items()}
        past = [self._scaled(raw, channel, made.window, made.logarithm) for channel in made.channels]
        found = {"past": tf.cast(tf.stack(past, axis=2), tf.float32)}
        if made.covariates:
            length = made.window + made.horizon
            known = [self._scaled(raw, channel, length, False) for channel in made.known]
            known += self._calendar(raw)
            found["known"] = tf.cast(tf.stack(known, axis=2), tf.float32)
        return found

    def _fitting(self, raw: Mapping[str, tf.Tensor]) -> list[tf.Operation]:
        """Assertions that all channels end at one time, and what is known beforehand `horizon` steps later."""
        made, first = self._transform, self._transform.channels[0].name
        steps = tf.shape(raw[first])[1]
        further = dict.fromkeys((one.name for one in made.channels), 0)
        further |= dict.fromkeys((one.name for one in made.known), made.horizon)
        return [
            tf.debugging.assert_equal(
                tf.shape(raw[name])[1],
                steps + more,
                message=f"Column {name!r}: expected " + (f"{more} steps more than" if more else "as many steps as")
                + f" of {first!r}.",
            )
            for name, more in further.items()
            if name != first
        ]  # fmt: skip

    def _scaled(self, raw: Mapping[str, tf.Tensor], channel: Channel, length: int, logarithm: bool) -> tf.Tensor:
        values = tf.ensure_shape(raw[channel.name][:, -length:], (None, length))
        values = tf.math.log(values) if logarithm else values
        return (values - channel.mean) / channel.scale

    def _calendar(self, raw: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        made = self._transform
        step = clock.fixed(made.step)
        if not made.cycles or made.time is None or step is None:
            return []
        offsets = np.arange(-made.window + 1, made.horizon + 1) * (step / np.timedelta64(1, "s"))
        a_second = _TICKS[made.tick]
        last = raw[made.time]
        # Whole seconds first: nanoseconds since 1970 are more than float64 counts.
        seconds = tf.cast(last // a_second, tf.float64) + tf.cast(last % a_second, tf.float64) / a_second
        moments = seconds[:, tf.newaxis] + offsets
        angles = [2 * math.pi * (tf.math.floormod(moments, CYCLES[cycle]) / CYCLES[cycle]) for cycle in made.cycles]
        return [*map(tf.sin, angles), *map(tf.cos, angles)]

    def times(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """{"time": (rows, horizon) int64 since 1970, counted as the last step's}; nothing where there are no times."""
        made = self._transform
        if made.time is None or made.step is None:
            return {}
        ahead = np.arange(1, made.horizon + 1)
        last = raw[made.time][:, tf.newaxis]
        if isinstance(made.step, WorkingDays):
            of_week = (last[:, 0] // _SECONDS_A_DAY + 3) % 7  # 1 January 1970 was a Thursday
            return {"time": last + tf.gather(tf.constant(made.step.ahead(made.horizon) * _SECONDS_A_DAY), of_week)}
        if not clock.in_months(made.step):
            return {"time": last + tf.constant(ahead * (made.step // np.timedelta64(1, made.tick)), tf.int64)}
        return {"time": _months_after(last, tf.constant(ahead * int(made.step / np.timedelta64(1, "M")), tf.int64))}


def _months_after(seconds: tf.Tensor, months: tf.Tensor) -> tf.Tensor:
    """Seconds since 1970 so many months later; the end of a month is followed by ends of months."""
    days, clock = seconds // _SECONDS_A_DAY, seconds % _SECONDS_A_DAY
    month, day = _month_of(days)
    ends = tf.equal(day + 1, _first_day(month + 1) - _first_day(month))
    later = month + months
    length = _first_day(later + 1) - _first_day(later)
    placed = tf.where(ends, length - 1, tf.minimum(day, length - 1))
    return (_first_day(later) + placed) * _SECONDS_A_DAY + clock


def _first_day(month: tf.Tensor) -> tf.Tensor:
    """The first day of a month, both counted from January 1970 (Hinnant 2013, days_from_civil)."""
    shifted = month + 1970 * 12 - 2  # years that begin in March, so that the leap day is their last
    year, of_year = shifted // 12, shifted % 12
    era, year = year // 400, year % 400
    return era * 146_097 + year * 365 + year // 4 - year // 100 + (153 * of_year + 2) // 5 - 719_468


def _month_of(days: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Month counted from January 1970, and the day in it from 0 on (Hinnant 2013, civil_from_days)."""
    shifted = days + 719_468
    era, day = shifted // 146_097, shifted % 146_097
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    counted = (era * 400 + year) * 12 + month + 2 - 1970 * 12
    return counted, of_year - (153 * month + 2) // 5
