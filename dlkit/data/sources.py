"""Which datasets does dlkit know by name, and what is in each?

A dataset is one short file in `datasets/` that exports `SOURCE`: what to look for, what the columns are, and
a generator of rows. Finding, downloading and preparing are the same for all of them. Nothing here imports
TensorFlow, so that `dlkit list` stays quick.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind
from dlkit.errors import SettingsError, did_you_mean

Value = str | float | np.ndarray
Example = Mapping[str, Value]
"""Column name, and the target's, to value: `str` for text, category and label, a number, a uint8 image."""
Examples = Mapping[str, Iterator[tuple[str, Example]]]
"""Split name to rows with a key each; keys are unique in a split."""

TargetKind = Literal["label", "value", "text"]


@dataclass(frozen=True)
class File:
    """A file of a dataset as a user would have it.

    `name`: relative to the dataset's folder, "/" between folders. `sha256`: all contents known to be good.
    `url`, `url_sha256`: where to get it, and what must come. `bytes`: size of the download where known.
    `note`: what a user should know of this file, where the dataset also comes in another form.
    """

    name: str
    sha256: tuple[str, ...] = ()
    url: str | None = None
    url_sha256: str | None = None
    bytes: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Source:
    """A dataset: where it comes from and what it holds.

    `forms`: each form is the files that together hold the dataset; the first that is there whole is taken,
    the first with addresses is downloaded. `read`: the files of a form, in their order, to examples by split.
    `rows`: split to its count, which is checked. `kinds`: input columns. `labels`: all of them, in the order
    of their ids, where known. `image_shape`: (height, width, channels) of image columns. `window`: steps of series
    columns, each row of which is a window. `ordered`: keep the rows' order (a series); otherwise they lie in a fixed
    order that depends on their keys alone. `version`: raised when `read` changes what it makes of the same file.
    `notes`: what a user should know of this data. `folder`: where the files lie in `$DLKIT_DATA`, where that is that of
    another dataset; otherwise `name`.
    """

    name: str
    title: str
    forms: tuple[tuple[File, ...], ...]
    read: Callable[[Sequence[Path]], Examples]
    rows: Mapping[str, int]
    kinds: Mapping[str, ColumnKind]
    target: str | None = None
    target_kind: TargetKind | None = None
    labels: tuple[str, ...] | None = None
    image_shape: tuple[int, int, int] | None = None
    window: int | None = None
    ordered: bool = False
    version: str = "1.0.0"
    home: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()
    folder: str | None = None

    @property
    def place(self) -> str:
        """Name of the folder of its files."""
        return self.folder or self.name


@cache
def sources() -> dict[str, Source]:
    """All named datasets, by name."""
    from dlkit.data import datasets

    found = {}
    for module in pkgutil.iter_modules(datasets.__path__):
        if not module.name.startswith("_"):
            dataset: Source = importlib.import_module(f"{datasets.__name__}.{module.name}").SOURCE
            found[dataset.name] = dataset
    return found


def source(name: str) -> Source:
    """The dataset of that name."""
    try:
        return sources()[name]
    except KeyError:
        raise SettingsError(f"No dataset is called {name!r}.{did_you_mean(name, sources())}") from None


def labelled_column(dataset: Source, kind: ColumnKind, what: str, *, said: str | None, said_target: str | None) -> str:
    """The only input column of a dataset of `what` with labels; SettingsError where it is another kind of dataset.

    `said`, `said_target`: the settings that name the columns of a file of the user's own, which fit here only if they
    name the dataset's.
    """
    if dataset.target_kind != "label" or list(dataset.kinds.values()) != [kind]:
        raise SettingsError(f"data.dataset={dataset.name!r}: {dataset.title} is not a set of {what} with labels.")
    (column,) = dataset.kinds
    check_theirs(dataset.title, **{kind: (said, column), "target": (said_target, dataset.target)})
    return column


def check_theirs(where: str, **settings: tuple[object, str | None]) -> None:
    """SettingsError for a setting that says what a user's own file holds, where rows are a dataset or sample, `where`,
    which says it itself. Of each: what is set, and what it is there, which may be said; None where it is nothing.
    """
    for name, (given, theirs) in settings.items():
        if given not in (None, (), theirs):
            shown = ",".join(map(str, given)) if isinstance(given, tuple) else given
            what = f"in {where} it is {theirs!r}" if theirs is not None else f"it says nothing of {where}"
            raise SettingsError(f"data.{name}={shown!r} is for a file of your own (--data PATH); {what}. Leave it out.")
