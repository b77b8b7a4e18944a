"""Texts: which of them train, validate and test a text recipe, and what is odd about them?

A folder or CSV of the user's own, a named dataset or a generated sample, all to the same `Splits`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit.contracts import ColumnKind, Split, Splits
from dlkit.data.columns import check_classes, strings
from dlkit.data.paths import PathOrDataset, all_judged, listed, one_table, own_splits
from dlkit.data.samples import sample, splits_of
from dlkit.data.sources import check_theirs, labelled_column, source
from dlkit.data.splitting import Parted, check_enough, check_names
from dlkit.data.text_files import Labelled, TextFiles, read_text_folder, read_text_table
from dlkit.data.text_notes import key, labels_alike, likely_values, repeated, unjudged, unspaced
from dlkit.errors import DataError, SettingsError


@dataclass(frozen=True)
class TextData(Parted, PathOrDataset):
    """Settings: which texts a text recipe learns from.

    `dataset`: taken where no path is given. `text`, `target`: columns of a CSV; found by their names where
    nothing is said. `sample`: see `samples.SAMPLES`. `validation_rows`: how many of the training rows validate;
    where that is None or more than half of them, `validation_fraction` of them do. `test_fraction`: share of
    all rows, where the data has no test rows of its own.
    """

    dataset: str = "imdb"
    text: str | None = None
    target: str | None = None
    sample: str = "reviews"
    validation_rows: int | None = 10_000
    validation_fraction: float = 0.2
    test_fraction: float = 0.2
    split_seed: int = 0

    def __post_init__(self) -> None:
        check_names(dataset=self.dataset, text=self.text, target=self.target, sample=self.sample)
        if self.text is not None and self.text == self.target:
            raise SettingsError(f"data.text and data.target are both {self.text!r}; expected two columns.")
        self._check_parts()

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        say(f"Reading {path}")
        files = self._read(path)
        parts, notes = _usable(path, files)
        train = parts["train"]
        check_enough(str(path), len(train.texts), "texts to learn from")
        groups = [key(text) for text in train.texts]
        # A text and its copies stay together, so they are one text to split by.
        different = [label for _, label in dict.fromkeys(zip(groups, train.labels, strict=True))]
        check_enough(str(path), len(set(groups)), "different texts to learn from")
        notes += check_classes(str(path), different, what="text", tested="test" not in parts)
        notes += repeated(parts, grouped=[name for name in ("validation", "test") if name not in parts])
        notes += [*labels_alike(train.labels), *unspaced(train.texts)]
        notes += likely_values(train.labels, "texts", "values to estimate need a table recipe with data.task=value")
        given = {
            name: Split({files.text_name: strings(part.texts)}, strings(part.labels)) for name, part in parts.items()
        }
        first, second, third = self._split(given, train.labels, groups)
        notes += unjudged(first, third, different)
        notes += self._too_many(parts, first, second)
        return _splits(path, files, (first, second, third), notes)

    def _own_to_judge(self, path: Path, say: Callable[[str], None]) -> Splits:
        """Nothing is learned from these rows: they may be few, and of one class."""
        say(f"Reading {path}")
        files = self._read(path, judging=True)
        named = "test" in files.parts
        parts = [files.parts["test"]] if named else [*files.parts.values()]
        pairs = [pair for part in parts for pair in zip(part.texts, part.labels, strict=True)]
        kept = [(text, label) for text, label in pairs if text.strip()]
        check_enough(str(path), len(kept), "texts to judge", fewest=1)
        notes = [f"{len(pairs) - len(kept)} empty texts were left out"] * (len(kept) < len(pairs))
        notes += [] if named else [all_judged(path)]
        rows = Split({files.text_name: strings([text for text, _ in kept])}, strings([label for _, label in kept]))
        return _splits(path, files, (rows, rows, rows), notes)

    def _too_many(self, parts: Mapping[str, Labelled], train: Split, validation: Split) -> list[str]:
        """A note where the rows of `parts` are too few for `validation_rows`."""
        left = len(train) + len(validation)
        if "validation" in parts or self.validation_rows is None or isinstance(self._validation(left), int):
            return []
        return [
            f"data.validation_rows={self.validation_rows} is over half of the {left} rows that are not test rows; "
            f"{len(validation)} of them validate"
        ]

    def _read(self, path: Path, *, judging: bool = False) -> TextFiles:
        inside = listed(path) if path.is_dir() else []
        if not path.is_dir() or (not any(file.is_dir() for file in inside) and _tables(inside)):
            return read_text_table(one_table(path), text=self.text, target=self.target)
        for setting in ("text", "target"):
            if getattr(self, setting) is not None:
                raise SettingsError(
                    f"data.{setting}={getattr(self, setting)!r} names a column of a CSV file, and {path} is a folder "
                    "of text files. Leave it out, or give a CSV file."
                )
        return read_text_folder(path, judging=judging)

    def _named(self, path: Path | None, say: Callable[[str], None], allow_download: bool) -> Splits:
        dataset = source(self.dataset)
        text = labelled_column(dataset, "text", "texts", said=self.text, said_target=self.target)
        from dlkit.data import builders

        loaded = builders.load(self.dataset, path=path, allow_download=allow_download, say=say)
        parts = {
            name: Labelled(list(split.inputs[text]), np.asarray(split.targets).tolist())
            for name, split in loaded.splits.items()
        }
        first, second, third = self._split(loaded.splits, parts["train"].labels)
        return Splits(
            train=first,
            validation=second,
            test=third,
            kinds=loaded.kinds,
            name=self.dataset,
            source=loaded.source,
            fingerprint=loaded.fingerprint,
            target_name=loaded.target,
            notes=(*loaded.notes, *repeated(parts), *self._too_many(parts, first, second)),
        )

    def _sample(self) -> Splits:
        chosen = sample(self.sample)
        if "text" not in chosen.kinds.values():
            what = "holds pictures" if "image" in chosen.kinds.values() else "is a table"
            raise SettingsError(f"data.sample={self.sample!r} {what}; this recipe reads texts, such as 'reviews'.")
        (text,) = chosen.kinds
        check_theirs(f"the sample {self.sample!r}", text=(self.text, text), target=(self.target, chosen.target))
        first, second, third = self._split({"train": chosen.rows}, chosen.strata or [])
        return splits_of(self.sample, chosen, (first, second, third))


def _tables(files: Sequence[Path]) -> list[Path]:
    return [file for file in files if file.suffix.lower() in (".csv", ".tsv")]


def _splits(path: Path, files: TextFiles, parts: tuple[Split, Split, Split], notes: Sequence[str]) -> Splits:
    """Rows of the user's own: training, validation and test rows."""
    kinds: dict[str, ColumnKind] = {files.text_name: "text"}
    return own_splits(path, files, parts, notes, kinds=kinds, target_name=files.target_name)


def _usable(path: Path, files: TextFiles) -> tuple[dict[str, Labelled], list[str]]:
    """The parts without empty texts, and notes on what is odd."""
    parts, notes, empty, wordless = {}, [], 0, 0
    for name, part in files.parts.items():
        rows = [row for row, text in enumerate(part.texts) if text.strip()]
        empty += len(part.texts) - len(rows)
        parts[name] = Labelled([part.texts[row] for row in rows], [part.labels[row] for row in rows])
        wordless += sum(not any(map(str.isalnum, text)) for text in parts[name].texts)
        if name != "train":
            folder = files.folders[name]
            check_enough(f"{path}, {name}", len(rows), f"texts in {folder}/", fewest=1)
            unknown = sorted(set(parts[name].labels) - set(parts["train"].labels))
            if unknown:
                train = files.folders["train"]
                raise DataError(
                    f"{path}/{folder}/ holds the class {unknown[0]!r}, which has no text in {train}/. "
                    f"Add texts to {path}/{train}/{unknown[0]}/, or remove the class."
                )
    if empty:
        notes.append(f"{empty} empty texts were left out")
    if wordless:
        notes.append(f"{wordless} texts hold no letter or digit (only emoji or signs, say); they were kept")
    return parts, notes
