"""Pictures: which of them train, validate and test an image recipe, and what is odd about them?

A folder, zip or CSV of the user's own, a named dataset or a generated sample, all to the same `Splits`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlkit.contracts import Column, Split, Splits
from dlkit.data.columns import check_classes, strings
from dlkit.data.image_files import Broken, ImageFiles, read_image_folder, read_image_zip
from dlkit.data.image_tables import read_image_table
from dlkit.data.image_targets import (
    Answers,
    chosen_targets,
    column_names,
    few_of_each,
    labels_in,
    notes_on_each,
    one_column,
    strata_in,
    targets_of,
)
from dlkit.data.paths import PathOrDataset, all_judged, belongs_to, listed, one_table, own_splits
from dlkit.data.samples import sample, splits_of
from dlkit.data.sources import labelled_column, source
from dlkit.data.splitting import FEWEST_ROWS, Parted, check_enough, check_names, check_rows
from dlkit.data.text_notes import labels_alike, likely_values, unjudged
from dlkit.errors import DataError, DataNotFoundError, SettingsError
from dlkit.inference.images import SUFFIXES

UNEQUAL = 5
"""From so many times the smallest class on, the largest one is said to outweigh it."""

_AS_VALUES = "values are learnt from pictures beside another target, by the tasks Joint and Regression"


@dataclass(frozen=True)
class ImageData(Parted, PathOrDataset):
    """Settings: which pictures an image recipe learns from.

    `dataset`: taken where no path is given; None: a path has to be given. `image`, `target`: columns of a CSV, for the
    path of a picture and its label; found by looking where nothing is said. Several targets have commas between them,
    "age,gender": each is an array of its own then, of numbers where all its fields are. `sample`: see
    `samples.SAMPLES`. `validation_rows`: how many of the training rows validate; where that is None or more than half
    of them, `validation_fraction` of them do. `test_fraction`: share of all rows, where the data has no test rows of
    its own. `per_class`: so many training rows of each class are learned from, drawn by `split_seed`, all of them
    where it is None; validation and test rows stay as they are, and 10 of a class are among its 50.
    `broken`: what becomes of pictures that cannot be read: "error" names them and stops, "skip" leaves them out and
    says so.

    `load` gives one column, "image": (rows, height, width, channels) uint8 of a named dataset or a sample; of own files
    an object array of `Path`, or of `bytes` from a zip.
    """

    dataset: str | None = "cifar10"
    image: str | None = None
    target: str | None = None
    sample: str = "shapes"
    validation_rows: int | None = 5_000
    validation_fraction: float = 0.2
    test_fraction: float = 0.2
    per_class: int | None = None
    split_seed: int = 0
    broken: Broken = "error"

    labelled: ClassVar[bool] = True
    fewest: ClassVar[int] = FEWEST_ROWS

    def __post_init__(self) -> None:
        check_names(dataset=self.dataset, image=self.image, target=self.target, sample=self.sample)
        if self.image is not None and self.image in self._targets:
            raise SettingsError(f"data.image and data.target are both {self.image!r}; expected two columns.")
        check_rows("data.per_class", self.per_class)
        if self.per_class is not None and len(self._targets) > 1:
            raise SettingsError(
                f"data.per_class={self.per_class} needs one label a picture, and data.target={self.target!r} names "
                "several columns. Leave one of them out."
            )
        self._check_parts()
        if self.broken not in ("error", "skip"):
            raise SettingsError(f"data.broken={self.broken!r}: expected 'error' or 'skip'.")

    @property
    def _targets(self) -> tuple[str, ...]:
        """The columns that `target` names."""
        return column_names(self.target)

    def _is_named(self, path: Path) -> bool:
        """Pictures of the user's own come as a zip too, so only its name tells that it is the dataset's."""
        if self.dataset is None or len(self._targets) > 1:
            return False
        if path.is_dir() or path.suffix.lower() != ".zip":
            return belongs_to(path, self.dataset)
        return path.name in {file.name for form in source(self.dataset).forms for file in form}

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        say(f"Reading {path}")
        files = self._read(path)
        train = files.parts["train"]
        _check_parts(path, files)
        check_enough(str(path), len(train.answers), "pictures to learn from", fewest=self.fewest)
        check_enough(str(path), len(set(train.digests)), "different pictures to learn from", fewest=self.fewest)
        keys = {name: part.digests for name, part in files.parts.items()}
        notes = _of_classes(path, files)
        notes += _repeated(keys, train.answers, [name for name in ("validation", "test") if name not in keys])
        notes += _of_labels(files, self.per_class)
        given = {
            name: Split({"image": _column(part.pictures)}, targets_of(files.targets, part.answers))
            for name, part in files.parts.items()
        }
        others = [strings(labels) for labels in labels_in(files.targets, train.answers).values()]
        first, second, third = self._split(given, strata_in(files.targets, train.answers), train.digests, others)
        notes += _unjudged(files, first, third)
        left = len(first) + len(second)
        if "validation" not in given and isinstance(self._validation(left), float) and self.validation_rows is not None:
            notes.append(
                f"data.validation_rows={self.validation_rows} is over half of the {left} rows that are not test rows; "
                f"{len(second)} of them validate"
            )
        first, fewer = self._fewer(first)
        return _splits(path, files, (first, second, third), [*notes, *fewer])

    def _own_to_judge(self, path: Path, say: Callable[[str], None]) -> Splits:
        """Nothing is learned from these pictures: they may be few, and of one class."""
        say(f"Reading {path}")
        files = self._read(path, judging=True)
        named = "test" in files.parts
        parts = [files.parts["test"]] if named else [*files.parts.values()]
        pictures = [picture for part in parts for picture in part.pictures]
        check_enough(str(path), len(pictures), "pictures to judge", fewest=1)
        answers = [one for part in parts for one in part.answers]
        rows = Split({"image": _column(pictures)}, targets_of(files.targets, answers))
        notes = [] if named else [all_judged(path)]
        return _splits(path, files, (rows, rows, rows), notes)

    def _read(self, path: Path, *, judging: bool = False) -> ImageFiles:
        said = [name for name in ("image", "target") if getattr(self, name) is not None]
        is_zip = path.suffix.lower() == ".zip" and path.is_file()
        if not is_zip and holds_table(path, wanted=len(said) > 0):
            if path.name.lower().endswith(SUFFIXES):
                raise DataError(
                    f"{path}: expected a folder of class folders, a .zip of it, or a CSV file with paths and labels, "
                    "and this is one picture."
                )
            return read_image_table(
                one_table(path), image=self.image, targets=self._targets, broken=self.broken, labelled=self.labelled
            )
        if said:
            raise SettingsError(
                f"data.{said[0]}={getattr(self, said[0])!r} names a column of a CSV file, and {path} holds class "
                "folders of pictures and no such file. Leave it out, or give a CSV file."
            )
        read = read_image_zip if is_zip else read_image_folder
        return read(path, broken=self.broken, labelled=self.labelled, judging=judging)

    def _named(self, path: Path | None, say: Callable[[str], None], allow_download: bool) -> Splits:
        if len(self._targets) > 1:
            raise DataNotFoundError(
                f"data.target={self.target!r} names several columns, which no named dataset has. Give a CSV file of "
                "your own (--data FILE), or try: --data sample"
            )
        if self.dataset is None:
            raise DataNotFoundError(
                "This recipe has no dataset of its own. Give pictures of yours (--data PATH), or try: --data sample"
            )
        dataset = source(self.dataset)
        image = labelled_column(dataset, "image", "pictures", said=self.image, said_target=self.target)
        from dlkit.data import builders

        loaded = builders.load(self.dataset, path=path, allow_download=allow_download, say=say)
        keys = {name: [hash(row.tobytes()) for row in split.inputs[image]] for name, split in loaded.splits.items()}
        labels = np.asarray(loaded.splits["train"].targets).tolist()
        first, second, third = self._split(loaded.splits, labels)
        first, fewer = self._fewer(first)
        return Splits(
            train=first,
            validation=second,
            test=third,
            kinds=loaded.kinds,
            name=self.dataset,
            source=loaded.source,
            fingerprint=loaded.fingerprint,
            target_name=loaded.target,
            notes=(*loaded.notes, *_repeated(keys, labels), *_unequal(labels, self.per_class), *fewer),
        )

    def _sample(self) -> Splits:
        chosen = sample(self.sample)
        if "image" not in chosen.kinds.values():
            raise SettingsError(
                f"data.sample={self.sample!r} holds no pictures; this recipe reads pictures, such as 'shapes'."
            )
        chosen = chosen_targets(f"the sample {self.sample!r}", chosen, self._targets)
        first, second, third = self._split({"train": chosen.rows}, chosen.strata)
        first, fewer = self._fewer(first)
        return splits_of(self.sample, chosen, (first, second, third), more_notes=fewer)

    def _fewer(self, train: Split) -> tuple[Split, list[str]]:
        return (train, []) if self.per_class is None else few_of_each(train, self.per_class, self.split_seed)


def holds_table(path: Path, *, wanted: bool) -> bool:
    """Whether it is to be read as a table. In a folder, one beside several others that hold pictures may be anything;
    unless `wanted`, the folders are the classes.
    """
    if not path.is_dir():
        return True
    inside = listed(path)
    tables = [file for file in inside if file.suffix.lower() in (".csv", ".tsv")]
    return len(tables) > 0 and (wanted or sum(file.is_dir() for file in inside) < 2)


def _splits(path: Path, files: ImageFiles, parts: tuple[Split, Split, Split], notes: Sequence[str]) -> Splits:
    """Pictures of the user's own: training, validation and test rows."""
    target = files.targets[0] if len(files.targets) == 1 else None
    return own_splits(path, files, parts, notes, kinds={"image": "image"}, target_name=target)


def _column(pictures: Sequence[Path | bytes]) -> Column:
    column = np.empty(len(pictures), object)
    column[:] = pictures
    return column


def _check_parts(path: Path, files: ImageFiles) -> None:
    """DataError for a class that training has not; only folders are split already, and they have one target."""
    known = set(files.parts["train"].answers)
    for name, part in files.parts.items():
        unknown = sorted({str(label) for label, *_ in set(part.answers) - known})
        if unknown:
            raise DataError(
                f"{path}: the {name} folder holds the class {unknown[0]!r}, which has no picture in train/. "
                f"Add pictures to train/{unknown[0]}/, or remove the class."
            )


def _different(files: ImageFiles) -> dict[str, list[str]]:
    """Columns of labels, of one of several equal pictures: they stay together, so they are one picture to split by."""
    train = files.parts["train"]
    answers = [answers for _, answers in dict.fromkeys(zip(train.digests, train.answers, strict=True))]
    return labels_in(files.targets, answers)


def _of_classes(path: Path, files: ImageFiles) -> list[str]:
    several, tested = len(files.targets) > 1, "test" not in files.parts

    def notes(name: str, labels: list[str]) -> list[str]:
        where = f"{path}, column {name!r}" if several else str(path)
        return check_classes(where, labels, what="picture", tested=tested)

    return notes_on_each(_different(files), notes, several=several)


def _of_labels(files: ImageFiles, per_class: int | None) -> list[str]:
    several = len(files.targets) > 1
    return notes_on_each(
        labels_in(files.targets, files.parts["train"].answers),
        lambda _, labels: [
            *labels_alike(labels),
            *likely_values(labels, "pictures", _AS_VALUES),
            *_unequal(labels, per_class, several=several),
        ],
        several=several,
    )


def _unjudged(files: ImageFiles, train: Split, test: Split) -> list[str]:
    def notes(name: str, labels: list[str]) -> list[str]:
        first, third = (Split(part.inputs, one_column(part.targets, name)) for part in (train, test))
        return unjudged(first, third, labels)

    return notes_on_each(_different(files), notes, several=len(files.targets) > 1)


def _repeated(
    keys: Mapping[str, Sequence[Hashable]], labels: Sequence[str] | Sequence[Answers], grouped: Sequence[str] = ()
) -> list[str]:
    """Notes on pictures that occur more than once, in the training part, with other labels, or across parts.

    `keys`: equal for equal pictures, by part. `labels`: of the training part. `grouped`: the parts that are yet to be
    taken from the training part, equal pictures together.
    """
    notes = []
    train = Counter(keys["train"])
    more = len(keys["train"]) - len(train)
    if more:
        together = f"; equal pictures stay together, so that none is in {' or '.join(grouped)} too" if grouped else ""
        notes.append(f"{more} training pictures repeat another one{together}")
    answers = Counter(key for key, _ in set(zip(keys["train"], labels, strict=True)))
    torn = sum(count > 1 for count in answers.values())
    if torn:
        notes.append(f"{torn} pictures occur with more than one label")
    for name, part in keys.items():
        both = sum(key in train for key in part) if name != "train" else 0
        if both:
            notes.append(f"{both} of {len(part)} pictures in {name} occur in train too, which flatters its figures")
    return notes


def _unequal(labels: Sequence[str], per_class: int | None, *, several: bool = False) -> list[str]:
    """A note where the classes, of each of which `per_class` are learned from, differ much in size."""
    counts = [(label, min(count, per_class or count)) for label, count in Counter(labels).most_common()]
    (largest, most), (smallest, fewest) = counts[0], counts[-1]
    if most <= UNEQUAL * fewest:
        return []
    # The remedies weigh or draw rows by their class, and a row of several targets has no such one.
    remedy = (
        ""
        if several
        else "; consider --set task.class_weights=balanced, or more of the small classes, changed each time: --set "
        "training.balance=true --set training.augment=flip,shift"
    )
    return [
        f"classes are of unequal size: {largest[:40]!r} has {most} pictures, {smallest[:40]!r} has {fewest}{remedy}"
    ]
