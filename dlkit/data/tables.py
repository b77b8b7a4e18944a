"""Tables: which column is to be told from which others, and on which rows?

A CSV of the user's own, a named dataset or a generated sample, all to the same `Splits`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.contracts import Column, ColumnKind, Split, Splits
from dlkit.data.columns import (
    Fields,
    answered,
    are_values,
    check_classes,
    check_known,
    fields_of,
    inspect,
    numbers_in,
    strings,
)
from dlkit.data.delimited import Delimited, read_delimited
from dlkit.data.paths import PathOrDataset, all_judged, one_table
from dlkit.data.samples import sample, splits_of
from dlkit.data.sources import check_theirs, source
from dlkit.data.splitting import (
    FEWEST_ROWS,
    check_enough,
    check_fraction,
    check_names,
    check_seed,
    file_fingerprint,
    three_ways,
)
from dlkit.errors import DataError, SettingsError
from dlkit.inference.inputs import as_word

_NO_NUMBER = (
    "Correct it or leave it empty. Classes are learnt by dlkit.TableClassifier, or by a recipe of your own with "
    'TableData(task="label") and Classification().'
)
Goal = Literal["value", "label"]
Kind = Literal["number", "category"]


@dataclass(frozen=True)
class Table:
    """All rows of a file that have a target, with `kinds` of the columns that are of use."""

    rows: Split
    kinds: Mapping[str, ColumnKind]
    target: str
    notes: tuple[str, ...] = ()


def read_table(
    path: Path,
    *,
    target: str | None,
    usual_target: str | None = None,
    task: Goal = "value",
    numeric: tuple[str, ...] = (),
    categorical: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    judged: bool = False,
) -> Table:
    """The table in a CSV or TSV file; `numeric`, `categorical` and `ignore` overrule what is found by looking.

    `usual_target` is taken where no `target` is given and the file has a column of that name. `judged`: nothing is
    learned from the rows, so they may be few and of one class, and their columns may be empty.
    """
    file = read_delimited(path)
    if target is None and usual_target in file.columns:
        target = usual_target
    if target is None:
        raise SettingsError(
            f"{path}: which column is to be predicted? Say --set data.target=NAME. Columns: {', '.join(file.columns)}."
        )
    said = {"target": (target,), "numeric": numeric, "categorical": categorical, "ignore": ignore}
    for setting, columns in said.items():
        check_known(f"data.{setting}", columns, file.columns, str(path))
    rows, notes = answered(file, target)
    check_enough(f"{path}, column {target!r}", len(rows), "rows with a target", fewest=1 if judged else FEWEST_ROWS)
    targets, of_targets = _targets(fields_of(file, target, rows), task, judged=judged)
    names = [name for name in file.columns if name != target and name not in ignore]
    wanted: dict[str, Kind] = {**dict.fromkeys(numeric, "number"), **dict.fromkeys(categorical, "category")}
    inputs, kinds, of_inputs = inputs_of(file, names, rows, wanted, empty=judged)
    if not inputs:
        raise DataError(f"{path}: no column is left to predict {target!r} from. {'; '.join(of_inputs)}")
    return Table(
        Split(inputs, targets), kinds, target, (*file.notes, *notes, *of_targets, *of_inputs, *_repeated(file))
    )


@dataclass(frozen=True)
class TableData(PathOrDataset):
    """Settings: which rows a table recipe learns from.

    `dataset`: taken where no path is given. `target`, `numeric`, `categorical`, `ignore`: columns; found by
    looking where nothing is said. `sample`: see `samples.SAMPLES`. `task`: whether the target is a number to
    estimate or a class. `test_fraction`: share of all rows, where the data has no test rows of its own;
    `validation_fraction`: share of the rows left.
    """

    dataset: str = "boston_housing"
    target: str | None = None
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    sample: str = "houses"
    task: Goal = "value"
    test_fraction: float = 0.2
    validation_fraction: float = 0.2
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_names(dataset=self.dataset, target=self.target, sample=self.sample)
        for name in ("numeric", "categorical", "ignore"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(isinstance(column, str) for column in value):
                raise SettingsError(f"data.{name}={value!r}: expected column names, such as ('age', 'size').")
        named = Counter([*self.numeric, *self.categorical, *self.ignore, *filter(None, [self.target])])
        twice = [name for name, count in named.items() if count > 1]
        if twice:
            raise SettingsError(
                f"Column {twice[0]!r} stands more than once in data.target, data.numeric, data.categorical and "
                "data.ignore; give it one place."
            )
        if self.task not in ("value", "label"):
            raise SettingsError(f"data.task={self.task!r}: expected 'value' (a number) or 'label' (a class).")
        check_fraction("data.test_fraction", self.test_fraction)
        check_fraction("data.validation_fraction", self.validation_fraction)
        check_seed("data.split_seed", self.split_seed)

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        file = one_table(path)
        table = self._read(file, say)
        return self._splits(file, table, *self._split({"train": table.rows}))

    def _own_to_judge(self, path: Path, say: Callable[[str], None]) -> Splits:
        file = one_table(path)
        table = self._read(file, say, judged=True)
        splits = self._splits(file, table, table.rows, table.rows, table.rows)
        return replace(splits, notes=(*splits.notes, all_judged(file)))

    def _read(self, file: Path, say: Callable[[str], None], *, judged: bool = False) -> Table:
        say(f"Reading {file}")
        return read_table(
            file,
            target=self.target,
            usual_target=source(self.dataset).target,
            task=self.task,
            numeric=self.numeric,
            categorical=self.categorical,
            ignore=self.ignore,
            judged=judged,
        )

    def _splits(self, file: Path, table: Table, train: Split, validation: Split, test: Split) -> Splits:
        return Splits(
            train=train,
            validation=validation,
            test=test,
            kinds=table.kinds,
            name=file.stem,
            source=str(file),
            fingerprint=file_fingerprint(file),
            target_name=table.target,
            notes=table.notes,
            drawn=True,
        )

    def _named(self, path: Path | None, say: Callable[[str], None], allow_download: bool) -> Splits:
        dataset = source(self.dataset)
        if dataset.target_kind != self.task or not set(dataset.kinds.values()) <= {"number", "category"}:
            raise SettingsError(
                f"data.dataset={self.dataset!r}: {dataset.title} is not a table with a {self.task} to predict "
                f"(data.task={self.task!r})."
            )
        check_theirs(dataset.title, target=(self.target, dataset.target))
        from dlkit.data import builders

        loaded = builders.load(self.dataset, path=path, allow_download=allow_download, say=say)
        changed = {name: self._as_set(split, loaded.kinds, self.dataset) for name, split in loaded.splits.items()}
        train, validation, test = self._split(changed)
        return Splits(
            train=train,
            validation=validation,
            test=test,
            kinds=self._kinds(loaded.kinds),
            name=self.dataset,
            source=loaded.source,
            fingerprint=loaded.fingerprint,
            target_name=loaded.target,
            notes=tuple(loaded.notes),
        )

    def _kinds(self, kinds: Mapping[str, ColumnKind]) -> dict[str, ColumnKind]:
        """With `categorical` and `ignore` applied."""
        left = {name: kind for name, kind in kinds.items() if name not in self.ignore}
        return {name: "category" if name in self.categorical else kind for name, kind in left.items()}

    def _as_set(self, split: Split, kinds: Mapping[str, ColumnKind], where: str) -> Split:
        """Columns of a named dataset or a sample with `categorical` and `ignore` applied."""
        for setting in ("numeric", "categorical", "ignore"):
            check_known(f"data.{setting}", getattr(self, setting), kinds, where)
        words = [name for name in self.numeric if kinds[name] != "number"]
        if words:
            raise SettingsError(f"data.numeric: column {words[0]!r} of {where} holds words, not numbers.")
        inputs = {name: column for name, column in split.inputs.items() if name not in self.ignore}
        if not inputs:
            raise SettingsError(f"data.ignore leaves no column of {where} to predict from.")
        for name in self.categorical:
            if kinds[name] == "number":
                values = inputs[name].tolist()
                inputs[name] = strings([None if math.isnan(value) else as_word(value) for value in values])
        return Split(inputs, split.targets)

    def _sample(self) -> Splits:
        chosen = sample(self.sample)
        others = set(chosen.kinds.values()) - {"number", "category"}
        if others:
            what = "pictures" if "image" in others else "texts"
            raise SettingsError(
                f"data.sample={self.sample!r} holds {what}; this recipe reads tables, such as 'houses'."
            )
        if chosen.task != self.task:
            raise SettingsError(
                f"data.sample={self.sample!r} holds a {chosen.task} to predict, and data.task is {self.task!r}."
            )
        check_theirs(f"the sample {self.sample!r}", target=(self.target, chosen.target))
        rows = self._as_set(chosen.rows, chosen.kinds, f"the sample {self.sample!r}")
        train, validation, test = self._split({"train": rows}, chosen.strata)
        return splits_of(self.sample, replace(chosen, kinds=self._kinds(chosen.kinds)), (train, validation, test))

    def _split(self, given: Mapping[str, Split], strata: Sequence[str] | None = None) -> tuple[Split, Split, Split]:
        targets = given["train"].targets
        if strata is None and self.task == "label" and isinstance(targets, np.ndarray):
            strata = targets.tolist()
        return three_ways(
            given,
            test_fraction=self.test_fraction,
            validation=self.validation_fraction,
            seed=self.split_seed,
            strata=strata,
        )


def inputs_of(
    file: Delimited, names: Sequence[str], rows: np.ndarray, wanted: Mapping[str, Kind] | None, *, empty: bool = False
) -> tuple[dict[str, Column], dict[str, ColumnKind], list[str]]:
    """`wanted`: what columns hold by the user's word; None where no setting says it. `empty`: see `inspect`."""
    inputs: dict[str, Column] = {}
    kinds: dict[str, ColumnKind] = {}
    missing: list[str] = []
    notes: list[str] = []
    for name in names:
        fields = replace(fields_of(file, name, rows), choosable=wanted is not None)
        found = inspect(fields, (wanted or {}).get(name), empty=empty)
        # Whether a column is worth learning from matters in training alone.
        notes += [found.note] if found.note and not (empty and fields.present) else []
        if found.column is not None:
            inputs[name], kinds[name] = found.column, found.kind
            count = fields.values.count(None)
            missing += [f"{name} ({count})"] if count else []
    return inputs, kinds, notes + ([f"missing values in {', '.join(missing)}"] if missing else [])


def _targets(fields: Fields, task: Goal, *, judged: bool) -> tuple[np.ndarray, list[str]]:
    where = f"{fields.path}, column {fields.name!r}"
    if task == "value":
        values = numbers_in(fields, _NO_NUMBER)
        if not judged and len(np.unique(values)) < 2:
            raise DataError(f"{where}: the target is {values[0]:g} on all {len(values)} rows; nothing is to be learnt.")
        return values, []
    labels = fields.present
    if judged:
        return strings(labels), []
    if are_values(labels):
        raise DataError(
            f"{where}: {len(set(labels))} different numbers on {len(labels)} rows are no classes. To predict a number "
            "say --set data.task=value."
        )
    return strings(labels), check_classes(where, labels)


def _repeated(file: Delimited) -> list[str]:
    """Equal rows may come to lie on both sides of the split, which flatters the figures."""
    count = len(file) - len({hash(row) for row in zip(*file.columns.values(), strict=True)})
    return [f"{count} rows repeat another one in every column"] if count else []
