"""Pictures or rows of a table: what is a latent code learnt from, with labels or without?

Pictures of the user's own in a folder, a zip or a CSV, rows of a CSV, a named dataset or a sample, all to the same
`Splits`. Labels are kept where there are some: nothing is told from them, but codes can be told apart by them, and a
conditional model is given them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlkit.contracts import Column, ColumnKind, Split, Splits
from dlkit.data.columns import answered, are_values, check_known, fields_of, strings
from dlkit.data.delimited import Delimited, read_delimited
from dlkit.data.image_tables import names_pictures
from dlkit.data.images import ImageData, holds_table
from dlkit.data.paths import all_judged, one_table
from dlkit.data.samples import sample, splits_of
from dlkit.data.sources import check_theirs
from dlkit.data.splitting import check_enough, file_fingerprint
from dlkit.data.tables import Kind, inputs_of
from dlkit.errors import DataError, SettingsError
from dlkit.inference.images import SUFFIXES

FEWEST = 50
"""Pictures or rows: of fewer, nothing can be said of where others lie."""


@dataclass(frozen=True)
class LatentData(ImageData):
    """Settings: which pictures, or rows of a table, a latent code is learnt from.

    As `ImageData`; but labels may be missing: a folder without folders of classes, or a CSV without a column of labels,
    is taken as it is. A CSV whose columns hold no paths of pictures is a table: `target`, if given, is the column of
    its labels, and `ignore` names columns to leave out. At least 50 pictures or rows.
    """

    dataset: str | None = "mnist"
    sample: str = "digits"
    ignore: tuple[str, ...] = ()

    labelled: ClassVar[bool] = False
    fewest: ClassVar[int] = FEWEST

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self._targets) > 1:
            raise SettingsError(f"data.target={self.target!r}: expected one column of labels, or None.")
        if not isinstance(self.ignore, tuple):
            raise SettingsError(f"data.ignore={self.ignore!r}: expected names of columns, such as a,b.")

    def known(self, kinds: Mapping[str, Kind], *, classes: bool) -> KnownLatentData:
        """These settings for rows that a finished run is given: see `KnownLatentData`."""
        return KnownLatentData(**vars(self), kinds=kinds, classes=classes)

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        file = self._table_at(path)
        return super()._own(path, say) if file is None else self._table(file, say)

    def _own_to_judge(self, path: Path, say: Callable[[str], None]) -> Splits:
        """Nothing is learned from these pictures or rows: they may be few."""
        file = self._table_at(path)
        return super()._own_to_judge(path, say) if file is None else self._table(file, say, judging=True)

    def _table_at(self, path: Path) -> Path | None:
        """The file of a table; None where there are pictures, or a file that names some."""
        is_file = not path.is_dir() and not path.name.lower().endswith((".zip", *SUFFIXES))
        if not is_file and not (path.is_dir() and holds_table(path, wanted=self.image is not None)):
            return None
        file = one_table(path)
        return None if self.image is not None or names_pictures(file) else file

    def _table(self, path: Path, say: Callable[[str], None], *, judging: bool = False) -> Splits:
        say(f"Reading {path}")
        file = read_delimited(path)
        for setting, names in (("target", self._targets), ("ignore", self.ignore)):
            check_known(f"data.{setting}", names, file.columns, str(path))
        rows, notes = answered(file, self.target) if self.target else (np.arange(len(file)), [])
        wanted = [name for name in file.columns if name not in (self.target, *self.ignore)]
        inputs, kinds, of_inputs = self._inputs(file, wanted, rows)
        if not inputs:
            raise DataError(f"{path}: no column is left to learn from. {'; '.join(of_inputs)}")
        fewest = 1 if judging else FEWEST
        check_enough(str(path), len(rows), f"rows to {'judge' if judging else 'learn from'}", fewest=fewest)
        labels = strings(fields_of(file, self.target, rows).present) if self.target else None
        if labels is not None and not self._are_classes(labels.tolist()):
            labels = None
            of_inputs = [*of_inputs, f"column {self.target!r} holds numbers, no classes: it is left out"]
        every = Split(inputs, labels)
        if judging:
            first, second, third, more = every, every, every, [all_judged(path)]
        else:
            first, second, third = self._split({"train": every}, None if labels is None else labels.tolist())
            first, more = self._fewer(first)
        return Splits(
            train=first,
            validation=second,
            test=third,
            kinds=kinds,
            name=path.stem,
            source=str(path),
            fingerprint=file_fingerprint(path),
            target_name=None if labels is None else self.target,
            notes=(*file.notes, *notes, *of_inputs, *more),
            drawn=True,
        )

    def _inputs(
        self, file: Delimited, names: Sequence[str], rows: np.ndarray
    ) -> tuple[dict[str, Column], dict[str, ColumnKind], list[str]]:
        """Columns of `rows` with their kinds, and notes on them."""
        return inputs_of(file, names, rows, None)

    def _are_classes(self, labels: Sequence[str]) -> bool:
        return not are_values(labels)

    def _fewer(self, train: Split) -> tuple[Split, list[str]]:
        if self.per_class is not None and train.targets is None:
            raise SettingsError(
                f"data.per_class={self.per_class} needs a label for each row, and this data has none. Leave it out, or "
                "give folders of classes or a column of labels (--set data.target=NAME)."
            )
        fewer, notes = super()._fewer(train)
        if len(fewer) < min(FEWEST, len(train)):
            raise DataError(
                f"data.per_class={self.per_class} leaves {len(fewer)} of {len(train)} training rows; expected at least "
                f"{FEWEST}. Take more of each class."
            )
        return fewer, notes

    def _sample(self) -> Splits:
        chosen = sample(self.sample)
        if "text" in chosen.kinds.values():
            raise SettingsError(
                f"data.sample={self.sample!r} holds texts; this recipe reads pictures, such as 'digits', or tables."
            )
        where = f"the sample {self.sample!r}"
        check_theirs(where, target=(self.target, chosen.target))
        check_known("data.ignore", self.ignore, chosen.kinds, where)
        inputs = {name: column for name, column in chosen.rows.inputs.items() if name not in self.ignore}
        if not inputs:
            raise SettingsError(f"data.ignore leaves no column of {where} to learn from.")
        chosen = replace(
            chosen, rows=Split(inputs, chosen.rows.targets), kinds={name: chosen.kinds[name] for name in inputs}
        )
        if chosen.task != "label":  # a number is no class that codes could be told apart by
            chosen = replace(chosen, rows=Split(chosen.rows.inputs), target=None, strata=None)
        first, second, third = self._split({"train": chosen.rows}, chosen.strata)
        first, fewer = self._fewer(first)
        return splits_of(self.sample, replace(chosen, best={}), (first, second, third), more_notes=fewer)


@dataclass(frozen=True)
class KnownLatentData(LatentData):
    """Settings for rows that a finished run is given: columns are what they were to its model, whatever they look like
    here, and may be empty.

    `kinds`: of the columns of a table that the model reads; the other ones are read where one of these is not there.
    `classes`: whether the labels are classes to the model, even where most of these rows have one of their own.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    classes: bool = False

    def _inputs(
        self, file: Delimited, names: Sequence[str], rows: np.ndarray
    ) -> tuple[dict[str, Column], dict[str, ColumnKind], list[str]]:
        if not self.kinds:
            return super()._inputs(file, names, rows)
        known = {name: kind for name, kind in self.kinds.items() if name in names}
        return inputs_of(file, [*known] if len(known) == len(self.kinds) else names, rows, known, empty=True)

    def _are_classes(self, labels: Sequence[str]) -> bool:
        return self.classes or super()._are_classes(labels)
