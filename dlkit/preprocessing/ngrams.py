"""Which runs of words are features of a text?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Examples, Ragged, Split, Transform
from dlkit.errors import DataError, SettingsError
from dlkit.inference.ngrams import NgramText
from dlkit.inference.text import Encoded
from dlkit.preprocessing.vocabularies import at_least, ids_of, most_frequent, numbered, text_column

_ROWS_AT_ONCE = 1_000
_PLACES_AT_ONCE = 250_000


@dataclass(frozen=True)
class Ngrams:
    """A text as the set of its word n-grams, n = 1 to `order`.

    `min_count`: an n-gram must be in so many training texts. `max_features`: where there are more n-grams,
    `min_count` is raised until there are not. `weighting`: "binary" (there or not) or "tfidf" (how often, times its
    rarity, rows of norm 1). `signs`: punctuation marks are words. `opening`: the first so many words are also features
    of their own, for texts that begin with what they are about, such as news; `closing`: the last ones, for texts that
    end with a verdict, such as reviews.
    """

    order: int = 3
    min_count: int = 2
    max_features: int = 2_000_000
    weighting: Literal["binary", "tfidf"] = "binary"
    signs: bool = True
    opening: int = 0
    closing: int = 0

    def __post_init__(self) -> None:
        at_least({name: (getattr(self, name), 1) for name in ("order", "min_count", "max_features")})
        at_least({"opening": (self.opening, 0), "closing": (self.closing, 0)})
        if self.order > 5:
            raise SettingsError(f"preprocessing.order: expected 1 to 5 words, got {self.order}.")
        if self.weighting not in ("binary", "tfidf"):
            raise SettingsError(f"preprocessing.weighting: expected binary or tfidf, got {self.weighting!r}.")

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> NgramText:
        name = text_column(kinds)
        column = train.inputs[name]
        numbers, rows = numbered(column, signs=self.signs)
        row_of = np.repeat(np.arange(len(rows), dtype=np.int32), np.diff(rows.offsets))
        ends = self._ends(numbers, rows, row_of)
        counts = _texts_with([(rows.values, row_of), *ends], rows=len(rows), size=len(numbers))
        least, origin = self._least([counts]), f"Column {name!r}, {len(train)} training texts"
        while True:
            words = most_frequent(numbers, counts, most=None, least=least, origin=origin)
            ids = ids_of(words, numbers, first=1, unknown=0)
            tables, parts = _counted_ngrams(ids[rows.values], row_of, len(words) + 1, order=self.order, least=least)
            by_feature = [
                np.array([counts[numbers[word]] for word in words], np.int64),
                *(table[1] for table in tables),
            ]
            if sum(map(len, by_feature)) <= self.max_features:
                break
            # An n-gram is in no more texts than its beginning, so a higher bound keeps every beginning of what stays.
            least = max(self._least(by_feature), least + 1)
        keys = np.concatenate([np.zeros(0, np.int64), *(table[0] for table in tables)])
        raised = least if least > self.min_count else None
        transform = NgramText(name, words, keys, self.order, self.signs, self.opening, self.closing, raised=raised)
        if self.weighting == "tfidf":
            rarity = np.log((1 + len(train)) / (1 + np.concatenate(by_feature))) + 1
            transform = replace(transform, rarity=np.concatenate([np.zeros(1), rarity]).astype(np.float32))
        for cells, owner in ends:
            features = ids[cells]
            parts.append((features[features > 0], owner[features > 0]))
        return replace(transform, fitted=Encoded(column, transform.weighed_in_turn(parts, len(rows))))

    def _ends(self, numbers: dict[str, int], rows: Ragged, row_of: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The words of all openings and those of all closings, and the row of each; their names join `numbers`."""
        plain, ends = list(numbers.items()), []
        lengths = np.diff(rows.offsets)
        opening, closing = np.minimum(lengths, self.opening), np.minimum(lengths, self.closing)
        for sign, taken, first in (("^", opening, rows.offsets[:-1]), ("$", closing, rows.offsets[1:] - closing)):
            places = np.arange(taken.sum()) + np.repeat(first - np.cumsum(taken) + taken, taken)
            if len(places):
                ends.append((rows.values[places] + np.int32(len(numbers)), row_of[places]))
                numbers |= {f"{sign}{word}": len(plain) * len(ends) + number for word, number in plain}
        return ends

    def _least(self, counts: list[np.ndarray]) -> int:
        """The lowest bound on the number of texts that leaves no more than `max_features` of these features."""
        every = np.concatenate(counts)
        kept = every[every >= self.min_count]
        if len(kept) <= self.max_features:
            return self.min_count
        histogram = np.bincount(kept)
        left = np.cumsum(histogram[::-1])[::-1]
        fits = np.flatnonzero(left <= self.max_features)
        if not len(fits):
            raise DataError(
                f"preprocessing.max_features={self.max_features}: more n-grams than that are in all texts that have "
                "any. Raise it."
            )
        return int(fits[0])

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)


def _texts_with(parts: list[tuple[np.ndarray, np.ndarray]], *, rows: int, size: int) -> np.ndarray:
    """(size,) int64: in how many rows each of the numbers below `size` is.

    `parts`: numbers and the row of each, rows ascending. Some rows at a time, for sorting all of them takes memory.
    """
    counts = np.zeros(size, np.int64)
    for numbers, row_of in parts:
        edges = np.searchsorted(row_of, [*range(0, rows, _ROWS_AT_ONCE), rows])
        for start, end in pairwise(edges):
            cells = np.unique(row_of[start:end] * np.int64(size) + numbers[start:end])
            counts += np.bincount(cells % size, minlength=size)
    return counts


def _texts_of(cells: np.ndarray, row_of: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different `cells`, ascending, in how many rows each is, and the place of each given cell among them."""
    order = np.argsort(cells, kind="stable")  # rows come in ascending order, and stay so within a cell
    cells = cells[order]
    new_cell = np.empty(len(cells), bool)
    new_cell[:1], new_cell[1:] = True, cells[1:] != cells[:-1]
    cells = cells[new_cell]
    rows = row_of[order]
    first_in_row = new_cell.copy()
    first_in_row[1:] |= rows[1:] != rows[:-1]
    place = np.empty(len(order), np.int32)
    place[order] = np.cumsum(new_cell, dtype=np.int32) - 1
    starts = np.flatnonzero(new_cell)
    counts = np.add.reduceat(first_in_row, starts, dtype=np.int64) if len(starts) else np.zeros(0, np.int64)
    return cells, counts, place


def _counted_ngrams(
    ids: np.ndarray, row_of: np.ndarray, stride: int, *, order: int, least: int
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[tuple[np.ndarray, np.ndarray]]]:
    """Keys as `NgramText` has them and counts of texts, for n = 2 to `order`, from the word ids of all texts; then
    for each n from 1 on the feature ids at all places and the row of each, int32.

    Each order's feature ids go on where the order before it ends.
    """
    at = np.flatnonzero(ids).astype(np.int32)
    features, first_id = ids[at], stride
    tables, parts = [], [(features, row_of[at])]
    for further in range(1, order):
        inside = at + further < len(ids)
        at, features = at[inside], features[inside]
        last = ids[at + further]
        going_on = (last > 0) & (row_of[at] == row_of[at + further])
        at, features, last = at[going_on], features[going_on], last[going_on]
        found = np.zeros(len(at), np.int32)
        kept: list[tuple[np.ndarray, np.ndarray]] = []
        # Keys grow with the feature they go on from, so parts of its range can be sorted in turn, in little memory.
        for low, high in pairwise(_equal_shares(features)):
            here = np.flatnonzero((features >= low) & (features < high))
            keys, counts, place = _texts_of(features[here].astype(np.int64) * stride + last[here], row_of[at[here]])
            stays = counts >= least
            kept.append((keys[stays], counts[stays]))
            found[here] = np.where(stays, first_id - 1 + np.cumsum(stays), 0)[place]
            first_id += int(stays.sum())
        tables.append((np.concatenate([keys for keys, _ in kept]), np.concatenate([counts for _, counts in kept])))
        hit = found > 0
        at, features = at[hit], found[hit]
        parts.append((features, row_of[at]))
    return tables, parts


def _equal_shares(features: np.ndarray) -> list[int]:
    """Bounds that divide the range of feature ids so that about as many of the ids lie in each part."""
    if not len(features):
        return [0, 1]
    up_to = np.cumsum(np.bincount(features))
    shares = -(-len(features) // _PLACES_AT_ONCE)
    inner = np.searchsorted(up_to, np.arange(1, shares) * (len(features) / shares)) + 1
    return [0, *np.unique(inner[inner < len(up_to)]).tolist(), len(up_to)]
