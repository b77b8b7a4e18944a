"""Which rows train, which choose between models, and which judge at the end?

The same rows, seed and settings give the same split on every platform: rows are ordered by raw PCG64 doubles,
never by numpy's global state. Returned indices are sorted, so rows keep the order of their file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dlkit.contracts import ColumnKind, Columns, Split
from dlkit.data.paths import unreadable
from dlkit.errors import DataError, SettingsError

FEWEST_ROWS = 10
Parts = tuple[np.ndarray, np.ndarray]
"""Indices of the rows that stay, and of those held out."""


def hold_out(
    rows: int,
    held: int,
    *,
    seed: int,
    labels: Sequence[Hashable] | np.ndarray | None = None,
    groups: Sequence[Hashable] | np.ndarray | None = None,
    others: Sequence[np.ndarray] = (),
) -> Parts:
    """Hold out `held` of `rows` rows, at least 1 and never all.

    `labels`: each class is held out in proportion, and keeps at least one row that stays. `groups`: rows of
    one group stay together, so that `held` is met in groups and only about met in rows. `others`: further labels of the
    rows, of which each class keeps at least one row that stays.
    """
    group = _numbered(groups) if groups is not None else np.arange(rows)
    count = int(group.max(initial=-1)) + 1
    if count < 2:
        raise DataError(f"Expected at least 2 different rows to split, got {count}. Add data.")
    wanted = min(max(round(count * held / rows), 1), count - 1)
    first = np.zeros(count, np.int64)
    first[group[::-1]] = np.arange(rows)[::-1]
    label = _numbered(labels) if labels is not None else np.zeros(rows, np.int64)
    order = np.argsort(np.random.Generator(np.random.PCG64([seed, count])).random(count), kind="stable")
    is_held = np.zeros(count, bool)
    group_label = label[first]
    for number, quota in enumerate(_quotas(np.bincount(group_label, minlength=int(label.max()) + 1), wanted)):
        is_held[order[group_label[order] == number][:quota]] = True
    for one in (label, *map(_numbered, others)):
        _return_lost_classes(is_held, group, one)
    held_rows = is_held[group]
    if not held_rows.any():
        raise DataError(f"{rows} rows and no class with 2 of them: nothing can be held out. Add rows to each class.")
    return np.flatnonzero(~held_rows), np.flatnonzero(held_rows)


def three_ways(
    given: Mapping[str, Split],
    *,
    test_fraction: float,
    validation: int | float,
    seed: int,
    strata: Sequence[Hashable] | np.ndarray | None = None,
    groups: Sequence[Hashable] | np.ndarray | None = None,
    others: Sequence[np.ndarray] = (),
) -> tuple[Split, Split, Split]:
    """Train, validation, test: what is not in `given` is taken from its "train", the test first.

    `validation`: a count (int), or a share (float) of the rows left after the test. `strata`, `groups`, `others`: of
    the rows of "train", see `hold_out`.
    """
    train, parts = given["train"], dict(given)
    stratum = _numbered(strata) if strata is not None else None
    group = _numbered(groups) if groups is not None else None
    left = np.arange(len(train))
    for name, share in (("test", test_fraction), ("validation", validation)):
        if name in given:
            continue
        kept, held = hold_out(
            len(left),
            round(len(left) * share) if isinstance(share, float) else share,
            seed=seed,
            labels=None if stratum is None else stratum[left],
            groups=None if group is None else group[left],
            others=[column[left] for column in others],
        )
        left, parts[name] = left[kept], train.take(left[held])
    return train.take(left), parts["validation"], parts["test"]


def equal_rows(inputs: Columns, kinds: Mapping[str, ColumnKind]) -> np.ndarray | None:
    """(rows,) numbers from 0 on, the same for equal texts (but for white space) or pictures; None for rows of numbers,
    of which equal ones are not one and the same thing.
    """
    columns = [inputs[name] for name, kind in kinds.items() if kind in ("text", "image")]
    if not columns or len(columns) < len(kinds):
        return None
    return _numbered([*zip(*(map(_content, column) for column in columns), strict=True)])


def _content(value: object) -> Hashable:
    if isinstance(value, str):
        return " ".join(value.split())
    content = value.read_bytes() if isinstance(value, Path) else value
    return hashlib.sha256(content if isinstance(content, bytes) else np.asarray(content).tobytes()).digest()


def _numbered(values: Sequence[Hashable] | np.ndarray) -> np.ndarray:
    """Values as 0, 1, 2 … in the order they first occur: `np.unique` cannot sort None beside text."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def _quotas(sizes: np.ndarray, wanted: int) -> list[int]:
    """How many of each class to hold out: in proportion, by largest remainder, one of each class left."""
    exact = sizes * wanted / sizes.sum()
    quotas = np.minimum(np.floor(exact + 1e-9).astype(np.int64), np.maximum(sizes - 1, 0))
    # Of small classes with at least 3, first see that one is held out: a class unseen is a class not judged.
    by_need = sorted(range(len(sizes)), key=lambda i: (not (quotas[i] == 0 and sizes[i] >= 3), quotas[i] - exact[i], i))
    left = wanted - int(quotas.sum())
    while left > 0 and any(quotas[i] < sizes[i] - 1 for i in by_need):
        for i in by_need:
            if left > 0 and quotas[i] < sizes[i] - 1:
                quotas[i] += 1
                left -= 1
    return quotas.tolist()


def _return_lost_classes(is_held: np.ndarray, group: np.ndarray, label: np.ndarray) -> None:
    """A class that occurs only inside held-out groups could not be learnt: its groups stay instead."""
    held_rows = is_held[group]
    lost = np.setdiff1d(label[held_rows], label[~held_rows])
    is_held[group[np.isin(label, lost)]] = False


def check_fraction(setting: str, value: object) -> None:
    """SettingsError unless `value` is a share of rows."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise SettingsError(f"{setting}={value!r}: expected a share of the rows above 0 and below 1, such as 0.2.")


class Parted:
    """What settings of texts and of pictures share: how rows without a split of their own are parted.

    `validation_rows`, `validation_fraction`, `test_fraction`, `split_seed`: see `TextData`.
    """

    validation_rows: int | None
    validation_fraction: float
    test_fraction: float
    split_seed: int

    def _check_parts(self) -> None:
        """SettingsError unless rows can be parted by these settings."""
        check_rows("data.validation_rows", self.validation_rows)
        check_fraction("data.validation_fraction", self.validation_fraction)
        check_fraction("data.test_fraction", self.test_fraction)
        check_seed("data.split_seed", self.split_seed)

    def _validation(self, left: int) -> int | float:
        rows = self.validation_rows
        return self.validation_fraction if rows is None or 2 * rows > left else rows

    def _split(
        self,
        given: Mapping[str, Split],
        strata: Sequence[Hashable] | None,
        groups: Sequence[Hashable] | None = None,
        others: Sequence[np.ndarray] = (),
    ) -> tuple[Split, Split, Split]:
        left = len(given["train"])
        if "test" not in given:
            left -= round(left * self.test_fraction)
        return three_ways(
            given,
            test_fraction=self.test_fraction,
            validation=self._validation(left),
            seed=self.split_seed,
            strata=strata,
            groups=groups,
            others=others,
        )


def check_names(**settings: object) -> None:
    """SettingsError unless each is a text, or None where there is nothing to say."""
    for name, value in settings.items():
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise SettingsError(f"data.{name}={value!r}: expected a name.")


def check_rows(setting: str, value: object) -> None:
    """SettingsError unless `value` is a number of rows, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise SettingsError(f"{setting}={value!r}: expected a whole number of 1 or more, or None.")


def check_seed(setting: str, value: object) -> None:
    """SettingsError unless `value` can seed a generator."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SettingsError(f"{setting}={value!r}: expected a whole number of 0 or more.")


def check_enough(where: str, rows: int, what: str = "rows", *, fewest: int = FEWEST_ROWS) -> None:
    """DataError where there are too few rows to train, choose and judge with."""
    if rows < fewest:
        raise DataError(f"{where}: expected at least {fewest} {what}, got {rows}. Add data.")


def fingerprint(parts: Iterable[str | bytes]) -> str:
    """`sha256:…` over the parts and where each one ends."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def file_fingerprint(path: Path) -> str:
    """`sha256:…` of the file's bytes, as `sha256sum` prints it."""
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise unreadable(path, error) from error
