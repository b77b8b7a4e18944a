"""How does a raw text become the sequence of word ids that a network reads step by step?"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.contracts import Columns, Ragged, Rows, Tensor
from dlkit.inference.pieces import FIRST_ID, UNKNOWN_ID, Pieces
from dlkit.inference.runs import write_json
from dlkit.inference.text import VOCABULARY, Encoded, OfOneText, read_vocabulary
from dlkit.inference.words import words

UNKNOWN = UNKNOWN_ID
"""Id of every word outside the vocabulary, and of a text without any word. Id 0 pads."""
FIRST = FIRST_ID
"""Id of the vocabulary's first word."""


@dataclass(frozen=True)
class SequenceText(OfOneText):
    """The words of a text in their order, as ids.

    `column`: name of the raw text column. `vocabulary`: word of id 2, of id 3, …; id 0 pads, id 1 is any other word.
    `length`: most ids of a row; `keep`: which end of a longer text stays. `signs`: punctuation marks are words.
    `pieces`: the vocabulary holds sub-words (WordPiece), of which each word is put together. A row is never empty:
    a text without words is one unknown word. `fitted`: the training rows, where this comes straight from fitting.
    `vectors`: (vocabulary + 2, dimension) float32 first word vectors by id, only straight from fitting; they are part
    of the network, not of a run's assets. `coverage`: share of the vocabulary that a file of own vectors held;
    `repeated`: its lines left out, since their word had one before.
    """

    column: str
    vocabulary: tuple[str, ...]
    length: int
    keep: Literal["start", "end"] = "end"
    signs: bool = False
    pieces: bool = False
    fitted: Encoded = field(default_factory=Encoded, compare=False, repr=False)
    vectors: np.ndarray | None = field(default=None, compare=False, repr=False)
    coverage: float | None = None
    repeated: int = 0

    kind = "sequence_text"
    first = FIRST

    @cached_property
    def cutter(self) -> Pieces:
        """Cuts words into the sub-words of the vocabulary."""
        return Pieces(self.vocabulary)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {"word_ids": Tensor((None,), "int32")}

    @property
    def sizes(self) -> Mapping[str, int]:
        """Number of ids above 0, the unknown word's among them, as "vocabulary"; the longest row, "sequence_length"."""
        return {"vocabulary": len(self.vocabulary) + 1, "sequence_length": self.length}

    @property
    def tables(self) -> Mapping[str, np.ndarray]:
        return {} if self.vectors is None else {"word_vectors": self.vectors}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """`{column: (rows,) object array of str}` to `{"word_ids": Ragged}`."""
        texts = inputs[self.column]
        known = self.fitted.take(texts)
        if known is not None:
            return known
        values, offsets = array("i"), array("q", [0])
        for text in texts:
            values.fromlist(self._row(text))
            offsets.append(len(values))
        return {"word_ids": Ragged(np.array(values, np.int32), np.array(offsets, np.int64))}

    def all_ids(self, text: str) -> list[int]:
        """The ids of all words of a text, before it is cut to `length`; empty for a text without words."""
        found = words(text, signs=self.signs)
        if self.pieces:
            return self.cutter.encode(found)
        return list(map(self.ids.get, found, repeat(UNKNOWN)))

    def _row(self, text: str) -> list[int]:
        row = self.all_ids(text) or [UNKNOWN]
        return row[: self.length] if self.keep == "start" else row[-self.length :]

    def remarks(self, inputs: Columns) -> list[str | None]:
        message = "no word of this text is in the model's vocabulary: the answer is what it says of unknown words"
        return [None if any(i > UNKNOWN for i in self._row(text)) else message for text in inputs[self.column]]

    def figures(self, inputs: Columns) -> dict[str, float]:
        """`out_of_vocabulary`: share of unknown words; `cut`: share of texts longer than `length`;
        `word_vector_coverage`: share of the vocabulary that own word vectors held; `word_vectors_repeated`: how many
        of their lines were left out, where there are such.
        """
        rows = [self.all_ids(text) for text in inputs[self.column]]
        total = sum(map(len, rows))
        own = {} if self.coverage is None else {"word_vector_coverage": self.coverage}
        own |= {"word_vectors_repeated": float(self.repeated)} if self.repeated else {}
        return own | {
            "out_of_vocabulary": sum(row.count(UNKNOWN) for row in rows) / total if total else 1.0,
            "cut": sum(len(row) > self.length for row in rows) / max(len(rows), 1),
        }

    def save(self, folder: Path) -> None:
        settings = {
            "kind": self.kind, "column": self.column, "vocabulary": VOCABULARY, "length": self.length,
            "keep": self.keep, "signs": self.signs, "pieces": self.pieces,
            "coverage": self.coverage, "repeated": self.repeated,
        }  # fmt: skip
        write_json(folder / "preprocessing.json", settings)
        (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in self.vocabulary), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, settings: Mapping[str, object]) -> SequenceText:
        keep, length = settings["keep"], settings["length"]
        if keep not in ("start", "end") or not isinstance(length, int) or length < 1:
            raise ValueError(f"keep {keep!r}, length {length!r}")
        return cls(
            str(settings["column"]),
            read_vocabulary(folder),
            length,
            "start" if keep == "start" else "end",
            bool(settings["signs"]),
            bool(settings["pieces"]),
            coverage=None if settings["coverage"] is None else float(str(settings["coverage"])),
            repeated=int(str(settings.get("repeated", 0))),  # runs of dlkit 0.1 do not say it
        )


def cut(rows: Ragged, length: int, keep: Literal["start", "end"]) -> Ragged:
    """Rows of at most `length` ids; an empty row becomes one unknown word."""
    sizes = np.diff(rows.offsets)
    kept = np.minimum(sizes, length)
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(np.maximum(kept, 1), out=offsets[1:])
    values = np.full(offsets[-1], UNKNOWN, np.int32)
    starts = rows.offsets[:-1] + (sizes - kept if keep == "end" else 0)
    full = kept > 0
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.maximum(kept, 1))
    from_where = np.repeat(starts, np.maximum(kept, 1)) + within
    there = np.repeat(full, np.maximum(kept, 1))
    values[there] = rows.values[from_where[there]]
    return Ragged(values, offsets)
