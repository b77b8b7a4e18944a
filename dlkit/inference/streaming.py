"""How are the rows of a stream judged as they arrive, in a memory that does not grow?

Lines of a CSV become rows (`StreamRows`, which counts and leaves out what is no row), rows become windows and scores
(`StreamScorer`, which keeps the newest window and nothing else).
"""

from __future__ import annotations

import contextlib
import csv
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlkit.contracts import Columns
from dlkit.errors import InputError, did_you_mean
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.missing import is_missing
from dlkit.inference.predictor import Predictor
from dlkit.inference.times import NAMES, TimeFormatError, Written, written
from dlkit.inference.windows import ScaledWindows

AT_ONCE = 4_096
"""Rows that are scored together at most: the memory that windows and their residuals take."""
_MARKS = str.maketrans("", "", "-:T .")
NO_TIME = int(np.datetime64("NaT", "ns").astype(np.int64))
"""In nanoseconds since 1970; before all times."""
NEW_CLOCK = 100
"""So many rows in a row from before the newest time: the clock was set back, and the stream goes on from there."""


@dataclass(frozen=True)
class Judged:
    """Rows and what was found of them. `scores`: (rows,) float64, NaN until the first window is full. `alarms`: (rows,)
    bool. `channels`: row number of each alarm to the share of each channel in its score. `times`: (rows,) as they stood
    in the stream, empty without a column of times.
    """

    times: tuple[str, ...]
    scores: np.ndarray
    alarms: np.ndarray
    channels: Mapping[int, Mapping[str, float]]

    def __len__(self) -> int:
        return len(self.scores)


class StreamScorer:
    """Scores of rows in the order in which they come: any number at a time gives what all at once would give."""

    def __init__(self, predictor: Predictor) -> None:
        if not isinstance(predictor.answer, AnomalyAnswer):
            raise InputError(
                f"{predictor.run} is a run of the task {predictor.task or 'unknown'}; a stream is followed by a run of "
                "an anomaly recipe. Leave --follow out."
            )
        self._answer = predictor.answer
        self._transform, self._network = predictor.transform, predictor.network
        self.kinds = predictor.kinds
        self.window = predictor.answer.window
        self.restart()

    @property
    def threshold(self) -> float:
        """A higher score is an alarm."""
        return self._answer.threshold

    def restart(self) -> None:
        """Forget the rows so far: the next ones do not follow them."""
        self._kept = np.zeros((0, len(self.kinds)), np.float32)

    def push(self, columns: Columns, times: Sequence[str] = ()) -> Judged:
        """New rows, column to (rows,) values, judged."""
        rows = len(next(iter(columns.values())))
        scores, alarms = np.full(rows, np.nan), np.zeros(rows, bool)
        channels: dict[int, dict[str, float]] = {}
        for start in range(0, rows, AT_ONCE):
            stop = min(start + AT_ONCE, rows)
            outputs = self._outputs({name: column[start:stop] for name, column in columns.items()})
            if len(outputs):
                first = stop - len(outputs)
                scores[first:stop], alarms[first:stop], why = self._answer.judged(outputs)
                channels |= {first + row: shares for row, shares in why.items()}
        return Judged(tuple(times), scores, alarms, channels)

    def _outputs(self, columns: Columns) -> np.ndarray:
        """The network's outputs for all windows that end in these rows, none of them before the first is full."""
        if not isinstance(self._transform, ScaledWindows):
            return self._network(self._transform.encode(columns))
        # Scaled as rows, not as windows, of which each row is in many.
        new = self._transform.scaled(np.array([columns[name] for name in self._transform.numbers]).T)
        rows = np.concatenate([self._kept, new])
        # A copy: a view would keep the whole batch.
        self._kept = rows[max(0, len(rows) - self.window + 1) :].copy()
        if len(rows) < self.window:
            return np.zeros((0, self.window, len(self.kinds)), np.float32)
        if len(rows) == self.window:  # a row at a time, a view by strides takes longer than the network
            return self._network({"window": rows[np.newaxis]})
        return self._network({"window": sliding_window_view(rows, self.window, axis=0).swapaxes(1, 2)})


@dataclass
class StreamRows:
    """The lines of a CSV to rows, a header first. `skipped`: reason to the number of lines that are no row, and so left
    out; `say` is told of the first of each reason.
    """

    kinds: Mapping[str, str]
    say: Callable[[str], None]
    skipped: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    _header: str = ""
    _delimiter: str = ","
    _places: Mapping[str, int] = field(default_factory=dict)
    _fields: int = 0
    _time: int | None = None
    _others: tuple[int, ...] = ()
    _style: Written | None = None
    _newest: int = NO_TIME
    _back: int = 0

    def parse(self, lines: Sequence[str]) -> Iterable[tuple[Columns, list[str], bool]]:
        """Lines in their order to columns, times as written, and whether the rows before them are to be forgotten."""
        lines = [line for line in lines if line.strip()]
        if lines and not self._places:
            self._read_header(lines.pop(0))
        rows = self._rows(lines)
        if not rows:
            return
        if self._time is None and self._others:
            # By any name: the first of them that holds a time, and not a plain number, which may count anything.
            dated = (place for place in self._others if _is_dated(rows[0][place]))
            self._time, self._others = next(dated, None), ()
        times = [row[self._time] for row in rows] if self._time is not None else []
        keep, fresh = self._in_order(times) if times else (range(len(rows)), None)
        before = len(keep) if fresh is None else bisect_left(keep, fresh)
        for part, anew in ((keep[:before], False), (keep[before:], True)):
            if part:
                columns, bad = self._columns([rows[row] for row in part])
                good = [row for place, row in enumerate(part) if place not in bad] if times else []
                yield columns, [times[row] for row in good], anew

    def _read_header(self, line: str) -> None:
        line = line.lstrip("\ufeff").rstrip("\r\n")
        self._delimiter = max(",;\t", key=line.count)
        names = [name.strip() for name in _fields(line, self._delimiter)]
        lost = [name for name in self.kinds if name not in names]
        if lost:
            raise InputError(
                f"The first line of the stream is to name its columns, {', '.join(self.kinds)} among them; got "
                f"{line[:80]!r}, without {lost[0]!r}.{did_you_mean(lost[0], names)}"
            )
        self._header, self._fields = line, len(names)
        self._places = {name: names.index(name) for name in self.kinds}
        self._others = tuple(place for place, name in enumerate(names) if name not in self.kinds)
        self._time = next((place for place in self._others if names[place].lower() in NAMES), None)

    def _rows(self, lines: Sequence[str]) -> list[list[str]]:
        quoted = any('"' in line for line in lines)
        rows = []
        for line in lines:
            text = line.rstrip("\r\n")
            if text == self._header:  # a file that was begun anew
                continue
            row = _fields(text, self._delimiter) if quoted else text.split(self._delimiter)
            if len(row) == self._fields:
                rows.append(row)
            else:
                self._skip(f"not {self._fields} fields", text)
        return rows

    def _in_order(self, times: Sequence[str]) -> tuple[Sequence[int], int | None]:
        """Rows to keep, and the first one of a clock that was set back, if it was."""
        parsed = self._parsed(times)
        if parsed is None:
            return range(len(times)), None
        moments = parsed.astype(np.int64)
        first = int(moments[0])
        ascending = len(moments) == 1 or bool((moments[1:] >= moments[:-1]).all())
        if ascending and first > NO_TIME and first >= self._newest:
            self._newest, self._back = int(moments[-1]), 0
            return range(len(times)), None
        keep, fresh = [], None
        for row, moment in enumerate(moments.tolist()):
            if moment == NO_TIME:
                self._skip("no time", times[row])
            elif moment < self._newest and self._back < NEW_CLOCK:
                self._back += 1
                self._skip("a time before the one of the row above", times[row])
            else:
                if moment < self._newest:
                    fresh, self.restarts = row, self.restarts + 1
                    self.say(f"the clock was set back to {times[row]}; the stream goes on from there")
                keep.append(row)
                self._newest, self._back = moment, 0
        return keep, fresh

    def _parsed(self, times: Sequence[str]) -> np.ndarray | None:
        """Times as datetime64[ns], NaT for what is none; None while it is not plain how they are written."""
        if self._style is None:
            ways = next((ways for time in times if (ways := written([time]))), [])
            if len(ways) != 1:  # 01/02/2024 may be day or month first
                return None
            self._style = ways[0]
        style = self._style
        if len(times) == 1 and style == Written("iso") and times[0].translate(_MARKS).isdigit():
            with contextlib.suppress(ValueError):  # a row at a time, this is most of the work
                return np.array(times, "datetime64[ns]")
        try:
            return style.parse(times)
        except TimeFormatError:
            return np.array([_one_time(style, time) for time in times], "datetime64[ns]")

    def _columns(self, rows: Sequence[Sequence[str]]) -> tuple[Columns, set[int]]:
        """Columns of the rows that hold what they should, and which of the rows do not."""
        columns: dict[str, np.ndarray] = {}
        bad: set[int] = set()
        for name, place in self._places.items():
            texts = [row[place] for row in rows]
            if self.kinds[name] == "category":
                columns[name] = np.array([text.strip() or None for text in texts], object)
                continue
            numbers = _numbers(texts, comma=self._delimiter == ";")
            for row in [row for row, number in enumerate(numbers) if math.isinf(number) and row not in bad]:
                self._skip(f"no finite number in {name!r}", texts[row])
                bad.add(row)
            columns[name] = np.array(numbers)
        good = np.delete(np.arange(len(rows)), sorted(bad)) if bad else slice(None)
        return {name: column[good] for name, column in columns.items()}, bad

    def _skip(self, reason: str, what: str) -> None:
        self.skipped[reason] += 1
        if self.skipped[reason] == 1:
            self.say(f"skipped a row: {reason}, got {what.strip()[:60]!r}; more of these are only counted")


def _is_dated(field: str) -> bool:
    return any(way.style != "epoch" for way in written([field])) and not field.strip().isdigit()


def _one_time(style: Written, time: str) -> np.datetime64:
    try:
        return np.datetime64(style.parse([time])[0])
    except TimeFormatError:
        return np.datetime64("NaT", "ns")


def _numbers(texts: Sequence[str], *, comma: bool) -> list[float]:
    """NaN where nothing stands, infinite where no finite number stands."""
    try:
        found = list(map(float, texts))
        # Python also takes 1_000 for a number, and what says NaN may be a missing one or a broken sensor: look closer.
        if all(map(math.isfinite, found)) and not any("_" in text for text in texts):
            return found
    except ValueError:
        pass
    return [_number(text.strip(), comma=comma) for text in texts]


def _number(text: str, *, comma: bool) -> float:
    if is_missing(text):
        return math.nan
    try:
        number = math.inf if "_" in text else float(text.replace(",", ".") if comma else text)
    except ValueError:
        return math.inf
    return number if math.isfinite(number) else math.inf


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except (csv.Error, StopIteration):
        return []
