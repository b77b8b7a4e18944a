"""Pictures or rows of a table: what is a latent code learnt from, with labels or without?

Pictures of the user's own in a folder, a zip or a CSV, rows of a CSV, a named dataset or a sample, all to the same
`Splits`. Labels are kept where there are some: nothing is told from them, but codes can be told apart by them, and a
conditional model is given them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlkit.contracts import Split, Splits
from dlkit.data.columns import answered, are_values, check_known, fields_of, strings
from dlkit.data.delimited import read_delimited
from dlkit.data.image_tables import names_pictures
from dlkit.data.images import ImageData, holds_table
from dlkit.data.paths import PathOrDataset, one_table
from dlkit.data.samples import sample, splits_of
from dlkit.data.splitting import check_enough, file_fingerprint
from dlkit.data.tables import inputs_of
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

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        is_file = not path.is_dir() and not path.name.lower().endswith((".zip", *SUFFIXES))
        if is_file or (path.is_dir() and holds_table(path, wanted=self.image is not None)):
            file = one_table(path)
            if self.image is None and not names_pictures(file):
                say(f"Reading {file}")
                return self._table(file)
        return super()._own(path, say)

    def _own_to_judge(self, path: Path, say: Callable[[str], None]) -> Splits:
        """As they are learned from: figures of codes need some."""
        return PathOrDataset._own_to_judge(replace(self, per_class=None), path, say)

    def _table(self, path: Path) -> Splits:
        file = read_delimited(path)
        for setting, names in (("target", self._targets), ("ignore", self.ignore)):
            check_known(f"data.{setting}", names, file.columns, str(path))
        rows, notes = answered(file, self.target) if self.target else (np.arange(len(file)), [])
        wanted = [name for name in file.columns if name not in (self.target, *self.ignore)]
        inputs, kinds, of_inputs = inputs_of(file, wanted, rows, None)
        if not inputs:
            raise DataError(f"{path}: no column is left to learn from. {'; '.join(of_inputs)}")
        check_enough(str(path), len(rows), "rows to learn from", fewest=FEWEST)
        labels = strings(fields_of(file, self.target, rows).present) if self.target else None
        if labels is not None and are_values(labels.tolist()):
            labels = None
            of_inputs = [*of_inputs, f"column {self.target!r} holds numbers, no classes: it is left out"]
        parts = self._split({"train": Split(inputs, labels)}, None if labels is None else labels.tolist())
        first, fewer = self._fewer(parts[0])
        return Splits(
            train=first,
            validation=parts[1],
            test=parts[2],
            kinds=kinds,
            name=path.stem,
            source=str(path),
            fingerprint=file_fingerprint(path),
            target_name=None if labels is None else self.target,
            notes=(*file.notes, *notes, *of_inputs, *fewer),
            drawn=True,
        )

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
        if chosen.task != "label":  # a number is no class that codes could be told apart by
            chosen = replace(chosen, rows=Split(chosen.rows.inputs), target=None, strata=None)
        first, second, third = self._split({"train": chosen.rows}, chosen.strata)
        first, fewer = self._fewer(first)
        return splits_of(self.sample, replace(chosen, best={}), (first, second, third), more_notes=fewer)
