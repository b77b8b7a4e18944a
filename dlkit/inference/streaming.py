"""How are the rows of a stream judged as they arrive, in a memory that does not grow?

Lines of a CSV become rows (`StreamRows`, which counts and leaves out what is no row), rows become windows and scores
(`StreamScorer`, which keeps the newest window and nothing else).
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlkit.contracts import Columns
from dlkit.errors import InputError, did_you_mean
from dlkit.inference import headers
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.headers import Header, fields_of, is_dated, number_in
from dlkit.inference.predictor import Predictor
from dlkit.inference.times import FIRST_YEAR, LAST_YEAR, TimeFormatError, Written, is_day, shown_step, written
from dlkit.inference.windows import DAY, ScaledWindows

AT_ONCE = 4_096
"""Rows that are scored together at most: the memory that windows and their residuals take."""
_MARKS = str.maketrans("", "", "-:T .")
NO_TIME = int(np.datetime64("NaT", "ns").astype(np.int64))
"""In nanoseconds since 1970; before all times."""
NEW_CLOCK = 100
"""So many rows in a row from before the newest time: the clock was set back, and the stream goes on from there."""
BRIDGED = 10
"""Lines between two rows that are no rows, and so many at most, stood for rows: without them there is a gap."""


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
    """Scores of rows in the order in which they come: any number at a time gives what all at once would give.

    `ordered`: rows are those of a stream, not each by itself. `gap`, `clock`: see `StreamRows`.
    """

    def __init__(self, predictor: Predictor) -> None:
        if not isinstance(predictor.answer, AnomalyAnswer):
            raise InputError(
                f"{predictor.run} is a run of the task {predictor.task or 'unknown'}; a stream is followed by a run of "
                "an anomaly recipe. Leave --follow out."
            )
        self._answer = predictor.answer
        self._transform, self._network = predictor.transform, predictor.network
        self.kinds = predictor.kinds
        self.ordered = isinstance(predictor.transform, ScaledWindows)
        gap, self.clock = None, None
        if isinstance(predictor.transform, ScaledWindows):
            gap, self.clock = predictor.transform.gap, predictor.transform.time
        self.gap = None if gap is None else round(gap * 1e9)
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
    out; `say` is told of the first of each reason. `ordered`: times are to ascend. `gap`: nanoseconds; of rows that are
    further apart, one does not follow the other. None: rows are taken as they come. `clock`: the column of times
    that was learnt from. `gaps`, `restarts`: how often a gap was found, and the clock set back.
    """

    kinds: Mapping[str, str]
    say: Callable[[str], None]
    ordered: bool = True
    gap: int | None = None
    clock: str | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    gaps: int = 0
    _header: Header | None = None
    _first: str = ""
    _held: str = ""
    _otherwise: int = 0
    _lines: int = 0
    _time: int | None = None
    _days: tuple[int, int] | tuple[()] | None = None
    _others: tuple[int, ...] = ()
    _style: Written | None = None
    _former: Written | None = None
    _marks: dict[str, str] = field(default_factory=dict)
    _newest: int = NO_TIME
    _last: tuple[int, int] | None = None
    _back: int = 0

    def parse(self, lines: Sequence[str]) -> Iterable[tuple[Columns, list[str], bool]]:
        """Lines in their order to columns, times as written, and whether the rows before them are to be forgotten."""
        lines = [line.rstrip("\r\n") for line in lines if line.strip()]
        if self._header is None:
            lines = self._begun(lines)
        start, name = 0, next(iter(self.kinds))
        for place, line in enumerate(lines):
            # A file that was begun anew, perhaps with other columns; a row may hold the name too.
            if name in line and headers.holds_names(line) and (header := headers.named(line, self.kinds, self.clock)):
                yield from self._parts(lines[start:place])
                self._take(header)
                start = place + 1
        yield from self._parts(lines[start:])

    def finish(self) -> None:
        """InputError where the stream has ended and its rows could not be told: without a header, or with another."""
        if self._header is not None:
            return
        got, why = "no line", ""
        if self._first:
            names = headers.names_in(self._first)[1]
            lost = next((name for name in self.kinds if name not in names), "")
            got, why = f"{self._first[:80]!r}, without {lost!r}", did_you_mean(lost, names)
        raise InputError(
            f"A line of the stream is to name its columns, {', '.join(self.kinds)} among them; got {got}.{why} Give "
            "the header before the rows, such as: (head -n 1 FILE; tail -f FILE) | dlkit predict RUN --follow"
        )

    def _begun(self, lines: Sequence[str]) -> list[str]:
        """The lines from the first row on, once one names the columns, or two in a row can be read in one way only."""
        for place, line in enumerate(lines):
            if (header := headers.named(line, self.kinds, self.clock)) is not None:
                self._wait_on(self._held)
                self._take(header)
                return list(lines[place + 1 :])
            row = headers.without_header(line, self.kinds)
            # The first line of what is cut out of a stream may be half a row: the next one tells.
            if row is not None and self._held and row == headers.without_header(self._held, self.kinds):
                self._take(row)
                names = {place: name for name, place in row.places.items()}
                order = ", ".join(names.get(place, "time") for place in range(row.width))
                self.say(f"no line named the columns; rows are taken as {order}, the order of training")
                return [self._held, *lines[place:]]
            self._wait_on(self._held)
            if row is None and headers.holds_names(line):
                self._first, self._otherwise = line, len(headers.names_in(line)[1])
            self._first = self._first or line
            self._held = line if row is not None and row.width != self._otherwise else ""
            if not self._held:
                self._wait_on(line)
        return []

    def _wait_on(self, line: str) -> None:
        """A line in front of the header is skipped."""
        if line:
            self._skip(f"no header with {', '.join(self.kinds)} yet", line)

    def _take(self, header: Header) -> None:
        self._header, self._time, self._others = header, header.time, header.others
        self._days = None
        # A file that begins anew may write times and decimals otherwise.
        self._former, self._style, self._marks = self._style or self._former, None, {}

    def _parts(self, lines: Sequence[str]) -> Iterable[tuple[Columns, list[str], bool]]:
        """Lines below the header, as `parse` gives them."""
        if (header := self._header) is None:
            return
        rows, numbers = self._rows(lines, header)
        if not rows:
            return
        if self._time is None and self._others:
            # By any name: the first of them that holds a time.
            dated = (place for place in self._others if is_dated(rows[0][place]))
            self._time, self._others = next(dated, None), ()
        times = self._times(rows)
        keep, moments = self._in_order(times) if times and self.ordered else (range(len(rows)), None)
        columns, bad = self._columns([rows[row] for row in keep], header)
        good = [row for place, row in enumerate(keep) if place not in bad] if bad else keep
        if not len(good):
            return
        anew: list[int] = []
        if moments is not None:
            if len(good) < len(rows):
                moments, numbers = moments[list(good)], [numbers[row] for row in good]
            anew = self._broken_off(moments, numbers)
        for first, last in pairwise([*([] if 0 in anew else [0]), *anew, len(good)]):
            part = {name: column[first:last] for name, column in columns.items()}
            yield part, [times[row] for row in good[first:last]] if times else [], first in anew

    def _times(self, rows: Sequence[Sequence[str]]) -> list[str]:
        """As they are written, a time of day that stands apart joined to its day; none without a column of times."""
        if self._time is None:
            return []
        if self._days is None:
            taken, hours = ((), None) if self._header is None else (self._header.places.values(), self._header.hours)
            daily = self.gap is not None and self.gap >= DAY * 10**9
            pairs = (headers.apart(row, self._time, taken, hours) for row in ([] if daily else rows))
            found = next((pair for pair in pairs if pair), ())
            if not found and not daily and hours is not None and is_day(rows[0][self._time]):
                return [""] * len(rows)  # of none the hour is told; of the next ones it may be
            self._days = found
        return headers.times_in(rows, self._time, self._days)

    def _rows(self, lines: Sequence[str], header: Header) -> tuple[list[list[str]], list[int]]:
        """Fields of each row, and the number of its line."""
        delimiter, width = header.delimiter, header.width
        quoted = any('"' in line for line in lines)
        rows, numbers = [], []
        for number, line in enumerate(lines, self._lines):
            row = fields_of(line, delimiter) if quoted else line.split(delimiter)
            if len(row) == width:
                rows.append(row)
                numbers.append(number)
            else:
                self._skip(f"not {width} fields", line)
        self._lines += len(lines)
        return rows, numbers

    def _broken_off(self, moments: np.ndarray, numbers: Sequence[int]) -> list[int]:
        """Which of the rows do not follow the one before: those behind a gap, or the first once the clock was set back.
        `moments`: nanoseconds since 1970; `numbers`: of their lines.
        """
        before = self._last or (int(moments[0]), numbers[0])
        self._last = int(moments[-1]), numbers[-1]
        longest = np.iinfo(np.int64).max if self.gap is None else self.gap
        if len(moments) == 1:  # a row at a time, numpy takes longer than all the rest
            suspects = [] if 0 <= self._last[0] - before[0] <= longest else [0]
        else:
            apart = np.diff(moments, prepend=before[0])
            suspects = np.flatnonzero((apart < 0) | (apart > longest)).tolist()
        found = []
        for place in suspects:
            earlier, line = (int(moments[place - 1]), numbers[place - 1]) if place else before
            longer = int(moments[place]) - earlier
            lost = min(numbers[place] - line - 1, BRIDGED)
            if longer < 0 or self.gap is None or 3 * longer > (3 + 2 * lost) * self.gap:
                found.append(place)
                self._count_gap(longer)
        return found

    def _count_gap(self, longer: int) -> None:
        if longer < 0 or self.gap is None:  # a clock set back was said
            return
        self.gaps += 1
        if self.gaps == 1:
            apart, usual = (shown_step(np.timedelta64(count, "ns")) for count in (longer, self.gap))
            self.say(
                f"a gap of {apart} (rows follow each other where they are at most {usual} apart): windows begin anew "
                "behind it; more gaps are only counted"
            )

    def _in_order(self, times: Sequence[str]) -> tuple[Sequence[int], np.ndarray | None]:
        """Rows to keep, and when each of all was, in nanoseconds since 1970; None while that is not plain."""
        parsed = self._parsed(times)
        if parsed is None:
            return range(len(times)), None
        moments = parsed.astype(np.int64)
        first = int(moments[0])
        ascending = len(moments) == 1 or bool((moments[1:] >= moments[:-1]).all())
        if ascending and first > NO_TIME and first >= self._newest:
            self._newest, self._back = int(moments[-1]), 0
            return range(len(times)), moments
        keep = []
        for row, moment in enumerate(moments.tolist()):
            if moment == NO_TIME:
                self._skip("no time", times[row])
            elif moment < self._newest and self._back < NEW_CLOCK:
                self._back += 1
                self._skip("a time before the one of the row above", times[row])
            else:
                if moment < self._newest:
                    self.restarts += 1
                    self.say(f"the clock was set back to {times[row]}; the stream goes on from there")
                keep.append(row)
                self._newest, self._back = moment, 0
        return keep, moments

    def _parsed(self, times: Sequence[str]) -> np.ndarray | None:
        """Times as datetime64[ns], NaT for what is none; None while it is not plain how they are written."""
        if self._style is None:
            ways = next((ways for time in times if (ways := written([time]))), [])
            ways = [way for way in ways if way == self._former] or ways
            if len(ways) != 1:  # 01/02/2024 may be day or month first
                return None
            self._style = ways[0]
        style = self._style
        quick = len(times) == 1 and style == Written("iso") and times[0].translate(_MARKS).isdigit()
        if quick and FIRST_YEAR <= times[0][:4] < LAST_YEAR:
            with contextlib.suppress(ValueError):  # a row at a time, this is most of the work
                return np.array(times, "datetime64[ns]")
        try:
            return style.parse(times)
        except TimeFormatError:
            return np.array([_one_time(style, time) for time in times], "datetime64[ns]")

    def _columns(self, rows: Sequence[Sequence[str]], header: Header) -> tuple[Columns, set[int]]:
        """Columns of the rows that hold what they should, and which of the rows do not."""
        columns: dict[str, np.ndarray] = {}
        bad: set[int] = set()
        for name, place in header.places.items():
            texts = [row[place] for row in rows]
            if self.kinds[name] == "category":
                columns[name] = np.array([text.strip() or None for text in texts], object)
                continue
            numbers = _numbers(texts, comma=header.delimiter == ";")
            for row in [row for row, number in enumerate(numbers) if math.isinf(number) and row not in bad]:
                self._skip(f"no finite number in {name!r}", texts[row])
                bad.add(row)
            for row in self._marked_otherwise(name, texts) if header.delimiter == ";" else ():
                if row not in bad:
                    self._skip(f"another decimal mark than in the rows before in {name!r}", texts[row])
                    bad.add(row)
            columns[name] = np.array(numbers)
        good = np.delete(np.arange(len(rows)), sorted(bad)) if bad else slice(None)
        return {name: column[good] for name, column in columns.items()}, bad

    def _marked_otherwise(self, name: str, texts: Sequence[str]) -> list[int]:
        """Rows whose number has the point where others had a comma, or the comma: it may part thousands."""
        found = []
        for row, text in enumerate(texts):
            mark = next((mark for mark in ",." if mark in text), None)
            if mark is not None and mark != self._marks.setdefault(name, mark):
                found.append(row)
        return found

    def _skip(self, reason: str, what: str) -> None:
        self.skipped[reason] += 1
        if self.skipped[reason] == 1:
            self.say(f"skipped a row: {reason}, got {what.strip()[:60]!r}; more of these are only counted")


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
    return [number_in(text.strip(), comma=comma) for text in texts]
