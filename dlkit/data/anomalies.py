"""Anomalies: which windows of a stream, or rows of a table, are normal, to learn from, and which are to be judged?

A CSV of the user's own (with times a stream, else a table), a named dataset or a generated sample, all to the same
`Splits`: targets are "normal", "anomaly", or None where nobody knows. Training rows that are known to be anomalies are
left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Split, Splits
from dlkit.data.anomaly_samples import SAMPLES
from dlkit.data.anomaly_streams import Stream, parted, unknown
from dlkit.data.anomaly_tables import read_rows
from dlkit.data.columns import check_known
from dlkit.data.delimited import parse_number
from dlkit.data.paths import PathOrDataset, all_judged, one_table
from dlkit.data.series_files import Series, holds_times, read_series
from dlkit.data.series_gaps import UnorderedError, check_times, irregularities
from dlkit.data.sources import check_theirs, source
from dlkit.data.splitting import (
    FEWEST_ROWS,
    check_enough,
    check_fraction,
    check_names,
    check_seed,
    file_fingerprint,
    fingerprint,
    three_ways,
)
from dlkit.errors import DataError, SettingsError, did_you_mean
from dlkit.inference import times as clock
from dlkit.inference.missing import is_missing
from dlkit.inference.windows import ANOMALY, NORMAL

PROBATION = 750
"""Of a benchmark's stream, the first rows that at most are there to learn from (Lavin & Ahmad 2015)."""
_WORDS = ("normal", "0", "no", "false", "ok")

Layout = Literal["auto", "stream", "table"]


@dataclass(frozen=True)
class AnomalyData(PathOrDataset):
    """Settings: which rows an anomaly recipe learns from and is judged on.

    `dataset`: taken where no path is given; `stream`: which one of it, where it has several. `layout`: whether the rows
    of an own file are a "stream", cut into windows, or a "table" of rows by themselves; "auto": a stream where there is
    a column of times. `window`: rows of a stream that are looked at together; none reaches across a gap. `time`,
    `columns`, `ignore`: found by looking where nothing is said. `sort`: put rows in the order of their times. `label`:
    the column that says which rows are normal, by one of the words of `normal` (none: 'normal', '0', 'no', 'false',
    'ok'). `sample`: "beats" (windows), "pump" (a stream) or "machines" (a table).
    `test_fraction`: the last part of a stream, or a random share of other rows (none: 0.3; of the streams of a
    benchmark all behind the first 15 %, 750 rows at most). `validation_fraction`: of the rest; it sets the threshold.
    """

    dataset: str = "ecg5000"
    stream: str = "realKnownCause/nyc_taxi"
    layout: Layout = "auto"
    window: int = 64
    time: str | None = None
    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    sort: bool = False
    label: str | None = None
    normal: tuple[str, ...] = ()
    sample: str = "beats"
    test_fraction: float | None = None
    validation_fraction: float = 0.2
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_names(dataset=self.dataset, stream=self.stream, time=self.time, label=self.label, sample=self.sample)
        if self.layout not in ("auto", "stream", "table"):
            raise SettingsError(f"data.layout: expected auto, stream or table, got {self.layout!r}.")
        if isinstance(self.window, bool) or not isinstance(self.window, int) or self.window < 2:
            raise SettingsError(
                f"data.window={self.window!r}: expected 2 rows or more; rows by themselves are --set data.layout=table."
            )
        for name in ("columns", "ignore", "normal"):
            if not isinstance(getattr(self, name), tuple):
                raise SettingsError(f"data.{name}={getattr(self, name)!r}: expected names, such as a,b.")
        if self.test_fraction is not None:
            check_fraction("data.test_fraction", self.test_fraction)
        check_fraction("data.validation_fraction", self.validation_fraction)
        check_seed("data.split_seed", self.split_seed)

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        path = one_table(path)
        say(f"Reading {path}")
        origin = _Origin(path.stem, str(path), file_fingerprint(path))
        if self._is_stream(path):
            columns = self.columns or None
            try:
                series = read_series(path, self.time, columns, ignore=self.ignore, words=self.label, sort=self.sort)
                check_times(series.times, series.time, str(path))
            except UnorderedError as error:
                if self.layout == "stream":
                    raise
                remedy = "If rows are by themselves, and no stream: --set data.layout=table"
                raise DataError(f"{error} {remedy}") from None
            labels = None if series.words is None else self._as_targets(series.words, path)
            return self._parted(Stream(series, labels), origin)
        rows, kinds, notes = self._table(path)
        return self._splits(rows, kinds, notes, origin)

    def _own_to_judge(self, path: Path, say: Callable[[str], None]) -> Splits:
        """All rows of a table; of a stream the last ones, which have others before them."""
        path = one_table(path)
        if self._is_stream(path):
            return super()._own_to_judge(path, say)
        say(f"Reading {path}")
        every, kinds, notes = self._table(path, judged=True)
        return Splits(
            train=every,
            validation=every,
            test=every,
            kinds=kinds,
            name=path.stem,
            source=str(path),
            fingerprint=file_fingerprint(path),
            target_name=self.label or "anomaly",
            notes=(*notes, all_judged(path)),
            drawn=True,
        )

    def _table(self, path: Path, *, judged: bool = False) -> tuple[Split, dict[str, ColumnKind], list[str]]:
        """Rows by themselves with their kinds, and notes on them. `judged`: see `_as_targets`."""
        rows, kinds, words, notes = read_rows(path, self.columns, ignore=self.ignore, words=self.label)
        targets = unknown(len(rows)) if words is None else self._as_targets(words, path, judged=judged)
        return Split(rows.inputs, targets), kinds, notes

    def _is_stream(self, path: Path) -> bool:
        return self.layout == "stream" or (self.layout == "auto" and holds_times(path, self.time, ignore=self.ignore))

    def _as_targets(self, fields: Iterable[str], path: Path, *, judged: bool = False) -> np.ndarray:
        """(rows,) of the column `label` as targets have it. `judged`: no row need be normal, none is learned from."""
        words = [None if is_missing(field) else field.strip() for field in fields]
        known = {word.lower() for word in self.normal or _WORDS}
        normal = {word: _is_one_of(word, known) for word in set(words) if word is not None}
        if normal and not judged and not any(normal.values()):
            most = ", ".join(repr(word) for word, _ in Counter(word for word in words if word).most_common(5))
            raise DataError(
                f"{path}, column {self.label!r}: no row is normal: expected {', '.join(sorted(known))} on some, got "
                f"{most}. Say which values are normal: --set data.normal=VALUE"
            )
        targets = np.empty(len(words), object)
        targets[:] = [None if word is None else NORMAL if normal[word] else ANOMALY for word in words]
        return targets

    def _named(self, path: Path | None, say: Callable[[str], None], allow_download: bool) -> Splits:
        dataset = source(self.dataset)
        kinds = set(dataset.kinds.values())
        if dataset.target_kind != "label" or not ("series" in kinds or {"stream", "time"} <= set(dataset.kinds)):
            raise SettingsError(
                f"data.dataset={self.dataset!r}: {dataset.title} has no windows or streams with labels to find "
                "anomalies in. Take ecg5000 or nab, or a file of your own: --data PATH."
            )
        from dlkit.data import builders

        loaded = builders.load(self.dataset, path=path, allow_download=allow_download, say=say)
        rows, origin = loaded.splits["train"], _Origin(self.dataset, loaded.source, loaded.fingerprint)
        # A source with labels lists the normal one first.
        targets = np.where(np.asarray(rows.targets) == (dataset.labels or (NORMAL,))[0], NORMAL, ANOMALY).astype(object)
        if "series" in kinds:
            chosen = self._chosen(dataset.title, loaded.kinds, "windows", dataset.target)
            rows = Split({name: rows.inputs[name] for name in chosen}, targets)
            return self._splits(rows, chosen, loaded.notes, origin)
        streams = rows.inputs["stream"]
        inside = np.flatnonzero(streams == self.stream)
        if not len(inside):
            known = list(dict.fromkeys(streams.tolist()))
            raise SettingsError(
                f"data.stream: {dataset.title} has no {self.stream!r}.{did_you_mean(self.stream, known)}"
            )
        numbers: dict[str, ColumnKind] = {name: "number" for name, kind in dataset.kinds.items() if kind == "number"}
        chosen = self._chosen(dataset.title, numbers, "stream", dataset.target)
        values = {name: rows.inputs[name][inside] for name in chosen}
        times = rows.inputs["time"][inside].astype("datetime64[ns]")
        step = clock.step_of(times)
        notes = (*loaded.notes, *irregularities(times, step))
        stream = Stream(Series(times, values, step, notes), targets[inside])
        origin = _Origin(f"{self.dataset}/{self.stream}", loaded.source, fingerprint([loaded.fingerprint, self.stream]))
        probation = 1 - min(round(0.15 * len(inside)), PROBATION) / len(inside)
        return self._parted(stream, origin, held=probation)

    def _sample(self) -> Splits:
        if self.sample not in SAMPLES:
            raise SettingsError(f"data.sample: no such sample.{did_you_mean(self.sample, SAMPLES)}")
        made = SAMPLES[self.sample]()
        origin = _Origin(self.sample, f"sample: {made.title}", made.fingerprint, sample=True)
        chosen = self._chosen(f"the sample {self.sample!r}", made.kinds, made.layout, "anomaly")
        if made.layout == "stream":
            values = {name: np.asarray(made.rows.inputs[name]) for name in chosen}
            times = np.asarray(made.rows.times)
            series = Series(times, values, clock.step_of(times), made.notes)
            return self._parted(Stream(series, np.asarray(made.rows.targets)), origin)
        rows = Split({name: made.rows.inputs[name] for name in chosen}, made.rows.targets)
        return self._splits(rows, chosen, made.notes, origin)

    def _chosen(
        self,
        where: str,
        kinds: Mapping[str, ColumnKind],
        layout: Literal["stream", "table", "windows"],
        label: str | None,
    ) -> dict[str, ColumnKind]:
        """The columns of a named dataset or a sample that the settings ask for, with their kinds; SettingsError for a
        setting that does not fit it. `label`: what its column of labels is called.
        """
        check_theirs(where, time=(self.time, "time" if layout == "stream" else None), label=(self.label, label),
                     normal=(self.normal, None))  # fmt: skip
        if self.layout not in ("auto", layout):
            is_a = "holds windows" if layout == "windows" else f"is a {layout}"
            raise SettingsError(f"data.layout={self.layout!r}: {where} {is_a}. Leave it out.")
        for setting in ("columns", "ignore"):
            check_known(f"data.{setting}", getattr(self, setting), kinds, where)
        chosen = {name: kinds[name] for name in self.columns or kinds if name not in self.ignore}
        if not chosen:
            raise SettingsError(f"data.ignore leaves no column of {where} to look for anomalies in.")
        return chosen

    def _splits(
        self,
        rows: Split,
        kinds: Mapping[str, ColumnKind],
        notes: Sequence[str],
        origin: _Origin,
    ) -> Splits:
        """Rows by themselves, split at random, normal and other rows in proportion."""
        check_enough(origin.where, len(rows))
        if "series" in kinds.values() and self.window != AnomalyData.window:
            steps = len(next(iter(rows.inputs.values()))[0])
            notes = [*notes, f"rows are windows of {steps} steps already: data.window={self.window} changes nothing"]
        targets = np.asarray(rows.targets)
        parts = three_ways(
            {"train": rows},
            test_fraction=self.test_fraction or 0.3,
            validation=self.validation_fraction,
            seed=self.split_seed,
            strata=targets.tolist(),
        )
        return self._finished(parts, kinds, notes, origin)

    def _parted(self, stream: Stream, origin: _Origin, *, held: float = 0.3) -> Splits:
        """A stream, split by time, each part cut into windows then."""
        rows = len(stream.series)
        needed = self.window + FEWEST_ROWS
        tested = round(rows * (self.test_fraction or held))
        validated = round((rows - tested) * self.validation_fraction)
        sizes = {"train": rows - tested - validated, "validation": validated, "test": tested}
        short = {part: size for part, size in sizes.items() if size < needed}
        if short:
            found = ", ".join(f"{part} {size}" for part, size in sizes.items())
            raise DataError(
                f"{origin.where}: too few rows for windows of {self.window}: expected at least {needed} in each part, "
                f"got {found}. Choose a shorter window (data.window) or give more rows."
            )
        parts, notes = parted(stream, sizes, self.window, origin.where)
        kinds: dict[str, ColumnKind] = dict.fromkeys(stream.series.values, "series")
        three = (parts["train"], parts["validation"], parts["test"])
        return self._finished(three, kinds, [*stream.series.notes, *notes], origin)

    def _finished(
        self,
        parts: tuple[Split, Split, Split],
        kinds: Mapping[str, ColumnKind],
        notes: Sequence[str],
        origin: _Origin,
    ) -> Splits:
        train, validation, test = parts
        normal = np.flatnonzero(np.asarray(train.targets) != ANOMALY)
        check_enough(f"{origin.where}, training part", len(normal), "normal rows")
        check_enough(
            f"{origin.where}, validation part",
            int(np.sum(np.asarray(validation.targets) != ANOMALY)),
            "normal rows, which set the threshold",
        )
        if len(normal) < len(train):
            notes = [*notes, f"{len(train) - len(normal)} training rows are known anomalies and are not learned from"]
            train = train.take(normal)
        if all(label is None for label in np.asarray(test.targets)):
            notes = [*notes, "no test row has a label: how many anomalies are found cannot be said (data.label)"]
        return Splits(
            train=train,
            validation=validation,
            test=test,
            kinds=kinds,
            name=origin.name,
            source=origin.where,
            fingerprint=origin.fingerprint,
            sample=origin.sample,
            target_name=self.label or "anomaly",
            notes=tuple(notes),
        )


@dataclass(frozen=True)
class _Origin:
    """What a report says of where rows come from."""

    name: str
    where: str
    fingerprint: str
    sample: bool = False


def _is_one_of(word: str, known: set[str]) -> bool:
    """Whether a value is one of `known`, as text or as a number: "0.0" is "0"."""
    number = parse_number(word)
    return word.lower() in known or (number is not None and f"{number:g}" in known)
