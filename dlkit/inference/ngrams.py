"""Which runs of one, two, three … words does a text hold, as ids that a sparse linear network sums over?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise, repeat
from pathlib import Path

import numpy as np

from dlkit.contracts import Column, Columns, Ragged, Rows, Tensor
from dlkit.inference.runs import write_json
from dlkit.inference.text import VOCABULARY, Encoded, OfOneText, read_vocabulary
from dlkit.inference.words import words

NGRAMS, RARITY = "ngrams.npy", "rarity.npy"
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class NgramText(OfOneText):
    """The word n-grams of a text that occurred in training, n = 1 to `order`.

    With `opening`, the first so many words are features once more, named "^word" in the vocabulary, for texts that
    begin with what they are about; with `closing` the last ones, named "$word", for texts that end with a verdict.

    Feature ids: 0 pads; 1 to V are the words of `vocabulary`; V + 1 + i is the n-gram of `keys[i]`. A key is
    `feature id of the n-gram without its last word * (V + 1) + id of its last word`, int64 and ascending, so one
    sorted array is the whole table, and an n-gram is found from its own beginning, a word at a time. The ids of a
    row are unique and ascending.

    `rarity`: (features + 1,) float32, inverse document frequencies by feature id for TF-IDF weights (Salton &
    Buckley 1988): count times rarity, divided by the row's Euclidean norm. None: an n-gram is there or not, weight 1.
    `raised`: in how many training texts an n-gram is at least, where that is more than was asked for, lest there are
    too many.
    """

    column: str
    vocabulary: tuple[str, ...]
    keys: np.ndarray = field(compare=False, repr=False)
    order: int = 3
    signs: bool = True
    opening: int = 0
    closing: int = 0
    rarity: np.ndarray | None = field(default=None, compare=False, repr=False)
    fitted: Encoded = field(default_factory=Encoded, compare=False, repr=False)
    raised: int | None = None

    kind = "ngram_text"

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        weights = {} if self.rarity is None else {"ngram_weights": Tensor((None,), "float32")}
        return {"ngram_ids": Tensor((None,), "int32"), **weights}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"ngrams": len(self.vocabulary) + len(self.keys)}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """`{column: (rows,) object array of str}` to `{"ngram_ids": Ragged}`, with "ngram_weights" for TF-IDF."""
        texts = inputs[self.column]
        known = self.fitted.take(texts)
        if known is not None:
            return known
        return joined_parts(
            [self._encoded(texts[start : start + _ROWS_AT_ONCE]) for start in range(0, len(texts), _ROWS_AT_ONCE)],
            self.tensors,
        )

    def _encoded(self, texts: Column) -> dict[str, np.ndarray | Rows]:
        found = [words(text, signs=self.signs) for text in texts]
        features, row_of = self._features(*self._ids(found))
        for ids, owner in (self._ids(rows) for rows in self.ends(found)):
            features = np.concatenate([features, ids[ids > 0]])
            row_of = np.concatenate([row_of, owner[ids > 0]])
        return self.weighed(features, row_of, len(texts))

    def ends(self, rows: list[list[str]]) -> Iterator[list[list[str]]]:
        """The words of each row's opening and of its closing, by their names in the vocabulary."""
        if self.opening:
            yield [[f"^{word}" for word in row[: self.opening]] for row in rows]
        if self.closing:
            yield [[f"${word}" for word in row[-self.closing :]] for row in rows]

    def _ids(self, rows: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of all rows' words, 0 where unknown, and the row of each; both int64."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        ids = map(self.ids.get, chain.from_iterable(rows), repeat(0))
        return np.fromiter(ids, np.int64, int(lengths.sum())), np.repeat(np.arange(len(rows)), lengths)

    def weighed_in_turn(self, parts: list[tuple[np.ndarray, np.ndarray]], rows: int) -> dict[str, np.ndarray | Rows]:
        """As `weighed`, a thousand rows at a time: to sort all of them at once takes a gigabyte for 25,000 reviews.

        `parts`: feature ids and the row of each, rows in ascending order within a part.
        """
        edges = [*range(0, rows, _ROWS_AT_ONCE), rows]
        bounds = [np.searchsorted(owner, edges) for _, owner in parts]
        most = sum(len(part) for part, _ in parts)
        values = {name: np.empty(most, tensor.dtype) for name, tensor in self.tensors.items()}
        lengths = [np.zeros(1, np.int64)]
        filled = 0
        for number, (first, last) in enumerate(pairwise(edges)):
            slices = [slice(bound[number], bound[number + 1]) for bound in bounds]
            features = [part[one] for (part, _), one in zip(parts, slices, strict=True)]
            owners = [owner[one] for (_, owner), one in zip(parts, slices, strict=True)]
            row_of = np.concatenate(owners).astype(np.int64) - first
            found = self.weighed(np.concatenate(features).astype(np.int64), row_of, last - first)
            ragged = {name: one for name, one in found.items() if isinstance(one, Ragged)}
            lengths.append(np.diff(ragged["ngram_ids"].offsets))
            end = filled + int(lengths[-1].sum())
            for name, one in ragged.items():
                values[name][filled:end] = one.values
            filled = end
        offsets = np.cumsum(np.concatenate(lengths))
        return {name: Ragged(array[:filled], offsets) for name, array in values.items()}

    def weighed(self, features: np.ndarray, row_of: np.ndarray, rows: int) -> dict[str, np.ndarray | Rows]:
        """Feature ids int64 of all rows, as often as each occurs, and the row of each, to the network's inputs."""
        stride = len(self.vocabulary) + len(self.keys) + 1
        cells, counts = _counted(row_of * stride + features)
        owner, features = np.divmod(cells, stride)
        offsets = np.zeros(rows + 1, np.int64)
        np.cumsum(np.bincount(owner, minlength=rows), out=offsets[1:])
        features = features.astype(np.int32)
        inputs: dict[str, np.ndarray | Rows] = {"ngram_ids": Ragged(features, offsets)}
        if self.rarity is not None:
            weights = counts.astype(np.float32) * self.rarity[features]
            norms = np.sqrt(np.bincount(owner, np.square(weights, dtype=np.float64), minlength=rows))
            weights = (weights / norms[owner]).astype(np.float32)
            inputs["ngram_weights"] = Ragged(weights, offsets)
        return inputs

    def _features(self, ids: np.ndarray, row_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Feature ids of every n-gram at every place, and the row of each."""
        stride = len(self.vocabulary) + 1
        at = np.flatnonzero(ids)
        features = ids[at]
        parts, rows = [features], [row_of[at]]
        for further in range(1, self.order):
            inside = at + further < len(ids)
            at, features = at[inside], features[inside]
            last = ids[at + further]
            going_on = (last > 0) & (row_of[at] == row_of[at + further])
            at = at[going_on]
            position, hit = _position(self.keys, features[going_on] * stride + last[going_on])
            at, features = at[hit], stride + position[hit]
            parts.append(features)
            rows.append(row_of[at])
        return np.concatenate(parts), np.concatenate(rows)

    def figures(self, inputs: Columns) -> dict[str, float]:
        """`out_of_vocabulary`: share of unknown words; `raised_min_count`: see `raised`, where it was."""
        return super().figures(inputs) | ({} if self.raised is None else {"raised_min_count": float(self.raised)})

    def ngram(self, feature: int) -> str:
        """The words of a feature id."""
        stride = len(self.vocabulary) + 1
        if feature < stride:
            return self.vocabulary[feature - 1]
        beginning, last = divmod(int(self.keys[feature - stride]), stride)
        return f"{self.ngram(beginning)} {self.vocabulary[last - 1]}"

    def save(self, folder: Path) -> None:
        settings = {
            "kind": self.kind, "column": self.column, "vocabulary": VOCABULARY, "ngrams": NGRAMS, "order": self.order,
            "signs": self.signs, "opening": self.opening, "closing": self.closing,
            "rarity": None if self.rarity is None else RARITY, "raised": self.raised,
        }  # fmt: skip
        write_json(folder / "preprocessing.json", settings)
        (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in self.vocabulary), encoding="utf-8")
        np.save(folder / NGRAMS, self.keys, allow_pickle=False)
        if self.rarity is not None:
            np.save(folder / RARITY, self.rarity, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, settings: Mapping[str, object]) -> NgramText:
        rarity = None if settings["rarity"] is None else np.load(folder / RARITY, allow_pickle=False)
        keys = np.load(folder / NGRAMS, allow_pickle=False)
        order, opening, closing = (int(str(settings[name])) for name in ("order", "opening", "closing"))
        signs = bool(settings["signs"])
        raised = settings.get("raised")  # runs of dlkit 0.1 do not say it
        return cls(
            str(settings["column"]), read_vocabulary(folder), keys, order, signs, opening, closing, rarity,
            raised=None if raised is None else int(str(raised)),
        )  # fmt: skip


def joined_parts(
    parts: list[dict[str, np.ndarray | Rows]], tensors: Mapping[str, Tensor]
) -> dict[str, np.ndarray | Rows]:
    """Ragged inputs of some rows after those of others."""
    result: dict[str, np.ndarray | Rows] = {}
    for name, tensor in tensors.items():
        rows = [part[name] for part in parts]
        ragged = [one for one in rows if isinstance(one, Ragged)]
        values = np.concatenate([np.zeros(0, tensor.dtype), *(one.values for one in ragged)])
        lengths = np.concatenate([np.zeros(1, np.int64), *(np.diff(one.offsets) for one in ragged)])
        result[name] = Ragged(values, np.cumsum(lengths))
    return result


def _position(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `wanted` is in the ascending `keys`, and whether it is there at all."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    # In ascending order a large table is read once through, not at random: three times as fast for many texts.
    order = np.argsort(wanted) if len(wanted) > 10_000 else slice(None)
    position = np.empty(len(wanted), np.int64)
    position[order] = np.searchsorted(keys, wanted[order])
    position = np.minimum(position, len(keys) - 1)
    return position, keys[position] == wanted


def _counted(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different cells, ascending, and how often each occurs."""
    cells = np.sort(cells)
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    return cells[first], np.diff(first, append=len(cells))
