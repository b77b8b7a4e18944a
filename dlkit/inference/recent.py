"""What is a forecast made from: is the end of a table, or an item, whole, and where does the future in it begin?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dlkit.errors import InputError
from dlkit.inference import times as clock
from dlkit.inference.series import SeriesInputs
from dlkit.inference.weeks import WorkingDays

_FEW_HOLIDAYS = 3
"""More steps over missing days than rows around a turn of the year have."""


def recent(
    values: Mapping[str, np.ndarray],
    times: np.ndarray | None,
    made: SeriesInputs,
    *,
    where: str,
    zoned: bool | None = None,
) -> dict[str, object]:
    """The rows at the end of a table as the one item to forecast.

    `values`: column to (rows,) float64, NaN where nothing was measured. `times`: (rows,) datetime64[ns], or None;
    `zoned`: whether they were written with a zone, None where that is not known. Rows after the last value of any
    channel are times to come: of what is known beforehand the next `horizon` are taken. InputError where a row is
    missing, or comes twice, among those that the model looks at, ahead or behind.
    """
    channels, known = ([one.name for one in some] for some in (made.channels, made.known))
    rows = len(values[channels[0]])
    measured = np.flatnonzero(np.isfinite([values[name] for name in channels]).any(axis=0))
    if not len(measured):
        raise InputError(f"{where}: none of its last {rows} rows has a value of {', '.join(channels)}.")
    end = int(measured[-1]) + 1
    if known and rows - end < made.horizon:
        raise InputError(
            f"{where}: {known[0]!r} is known beforehand; expected {made.horizon} rows with it after the last value of "
            f"{channels[0]!r}, got {rows - end}. Add them, with the other columns empty."
        )
    ahead = end + made.horizon if known else end
    item: dict[str, object] = {name: values[name][:end] for name in channels}
    item |= {name: values[name][:ahead] for name in known}
    if made.time is not None and times is not None:
        _check_zone(zoned, made, where)
        _check_steps(times[max(end - made.window, 0) : ahead], made, where)
        item[made.time] = times[:end]
    return item


def check_items(items: Sequence[object], made: SeriesInputs) -> None:
    """InputError where the columns of an item do not fit each other, so that values would be taken for those of other
    steps, or where its time is written with a zone and those of training were not, or the other way round.
    """
    for number, item in enumerate(items, start=1):
        if not isinstance(item, Mapping):  # of the only column that there is
            continue
        steps = {name: len(value) for name, value in item.items() if isinstance(value, list | tuple | np.ndarray)}
        made.check_lengths({name: count for name, count in steps.items() if name != made.time}, f"Item {number}")
        if made.time is not None:
            _check_zone(_zoned(item.get(made.time)), made, f"Item {number}, column {made.time!r}")


def _zoned(value: object) -> bool | None:
    """Whether a time, or the last of a list of them, is written with a zone; None where that cannot be told."""
    if isinstance(value, list | tuple):
        value = value[-1] if value else None
    ways: Iterable[clock.Written] = clock.written([value]) if isinstance(value, str) else ()
    return next((way.zoned for way in ways if way.style != "epoch"), None)


def _check_zone(zoned: bool | None, made: SeriesInputs, where: str) -> None:
    if zoned is None or made.zoned is None or zoned == made.zoned:
        return
    had, example = ("had one", "2024-12-31T23:00Z") if made.zoned else ("had none", "2024-12-31T23:00")
    raise InputError(
        f"{where}: the time is written with{'' if zoned else 'out'} a zone, and those of training {had}. Write it as "
        f"they were, such as {example}."
    )


def _check_steps(times: np.ndarray, made: SeriesInputs, where: str) -> None:
    if np.isnat(times).any():
        raise InputError(
            f"{where}, column {made.time!r}: expected a time in each of the last rows, got nothing in one of them. "
            "Fill it in, or leave the whole column out."
        )
    if made.step is None or len(times) < 2:
        return
    own, most = clock.step_of(times), len(times) // 2
    if _are_rare(times, made.step) and own is not None:
        raise _another_step(own, made.step, where)
    _check_repeated(times, made, made.step, where)
    uneven = np.flatnonzero(clock.apart(times, made.step))
    if not len(uneven):
        return
    another = own is not None and not clock.are_equal(own, made.step) and (~clock.apart(times, own)).sum() > most
    if own is not None and another and (len(uneven) > most or _on_free_days(times, made.step)):
        raise _another_step(own, made.step, where)
    if len(uneven) > most:
        # A series whose steps are uneven throughout was learnt from as it is.
        return
    before, after = clock.shown(times[uneven[0] : uneven[0] + 2])
    looked_at = f"the last {made.window} rows" + (f" and the {made.horizon} ahead" if made.known else "")
    raise InputError(
        f"{where}: {after} follows {before}; expected a step of {clock.shown_step(made.step)} between {looked_at}. "
        "Put in the missing rows, or take out those that come twice."
    )


def _another_step(own: clock.Step, expected: clock.Step, where: str) -> InputError:
    return InputError(
        f"{where}: rows are {clock.shown_step(own)} apart, and those of training were {clock.shown_step(expected)}. "
        "Give rows in that step."
    )


def _check_repeated(times: np.ndarray, made: SeriesInputs, step: clock.Step, where: str) -> None:
    """InputError where most rows have the time of the row before: days alone, as a rule, of rows within a day."""
    repeated = int((np.diff(times) == np.timedelta64(0)).sum())
    if 2 * repeated < len(times):
        return
    remedy = (
        "Write the time of day beside each day, such as 2024-12-31 23:00, or as hours 0 to 23 in a column called hour."
        if made.within_a_day
        else "Make one row of those of one time, their sum or their mean say, as the series of training had it."
    )
    raise InputError(
        f"{where}, column {made.time!r}: {repeated} of the last {len(times)} rows have the time of the row before, "
        f"{clock.shown(times[-1:])[0]}; expected a step of {clock.shown_step(step)}. {remedy}"
    )


def _are_rare(times: np.ndarray, step: clock.Step) -> bool:
    """Whether working days are missing throughout, as in rows of a week each, and not now and then as holidays are."""
    if not isinstance(step, WorkingDays):
        return False
    late = clock.steps_between(times, step) > 1.5
    return bool(late.sum() >= _FEW_HOLIDAYS and 2 * late.sum() > len(late))


def _on_free_days(times: np.ndarray, step: clock.Step) -> bool:
    """Whether rows are of more days than the working ones: a step too short at each weekend, and even in between."""
    return isinstance(step, WorkingDays) and bool(step.free(times).any())
