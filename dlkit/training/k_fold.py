"""How good is a network on rows it has not seen, when there are too few rows for one held-out split to tell?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlkit.errors import SettingsError

Score = Mapping[str, float]


@dataclass(frozen=True)
class KFold:
    """`figures`: a mapping of figures a fold. `curves`: a history a fold. `folds`: (train, held-out) row indices."""

    folds: list[tuple[np.ndarray, np.ndarray]]
    figures: list[Score]
    curves: list[list[dict[str, float]]]

    def summary(self) -> dict[str, object]:
        """`{"k": …, figure: {"mean", "std", "values"}}`; the standard deviation is over folds, with k - 1."""
        return {"k": len(self.folds), **summarise(self.figures)}


def summarise(figures: Sequence[Score]) -> dict[str, dict[str, object]]:
    """Mean, standard deviation (k - 1) and values over folds of each figure that all of them have: where held-out rows
    are all of one class, say, there is no ROC AUC.
    """
    shared = [name for name in figures[0] if all(name in fold for fold in figures)]
    by_name = {name: [fold[name] for fold in figures] for name in shared}
    return {
        name: {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1)), "values": values}
        for name, values in by_name.items()
    }


def split_folds(
    rows: int, k: int, seed: int, *, labels: Sequence[np.ndarray] = (), groups: np.ndarray | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """K disjoint held-out parts that cover all rows, in an order fixed by `seed`; sizes differ by 1 at most.

    `groups`: (rows,) numbers from 0 on; rows of one group stay together, and parts have as many groups, not rows.
    `labels`: (rows,) each; a class that only one part would have, and the training of that fold not, is not held out.
    """
    group = np.arange(rows) if groups is None else groups
    count = int(group.max(initial=-1)) + 1
    if count < 2 * k:
        different = "" if count == rows else " different"
        raise SettingsError(
            f"training.folds: {k} folds of at least 2 rows need {2 * k}{different} rows, the training has {count}."
        )
    of_group = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    orders = np.array_split(np.random.default_rng(seed).permutation(count), k)
    parts = [np.concatenate([of_group[one] for one in order]) for order in orders]
    folds = [(np.concatenate(parts[:i] + parts[i + 1 :]), part) for i, part in enumerate(parts)]
    for classes in labels:
        folds = [_with_all_classes(*fold, classes) for fold in folds]
    if any(not len(held) for _, held in folds):
        raise SettingsError(
            f"training.folds: of {k} folds some would hold out only rows that are alone in their class, which stay in "
            "training. Ask for fewer folds, or add rows of these classes."
        )
    return folds


def _with_all_classes(train: np.ndarray, held: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = set(labels[train].tolist())
    stays = np.array([label not in known for label in labels[held].tolist()], bool)
    return np.concatenate([train, held[stays]]), held[~stays]


def cross_validate(
    rows: int,
    k: int,
    *,
    seed: int,
    one: Callable[[int, np.ndarray, np.ndarray], tuple[Score, list[dict[str, float]]]],
    labels: Sequence[np.ndarray] = (),
    groups: np.ndarray | None = None,
) -> KFold:
    """Call `one(fold, train indices, held-out indices)` for each fold; it trains and gives figures and history.

    `labels`, `groups`: see `split_folds`.
    """
    folds = split_folds(rows, k, seed, labels=labels, groups=groups)
    results = [one(number, *fold) for number, fold in enumerate(folds, start=1)]
    return KFold(folds, [figures for figures, _ in results], [curve for _, curve in results])
