"""How does a raw text become the word ids that a network takes?"""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlkit.contracts import Column, ColumnKind, Columns, Ragged, Rows, Tensor
from dlkit.inference.plain import Plain
from dlkit.inference.runs import write_json
from dlkit.inference.words import words

VOCABULARY = "vocabulary.txt"


class Encoded:
    """Rows that are encoded already, handed out once, to whoever asks with the very column they were made of.

    Finding the vocabulary cuts every training text into words; this spares to cut them all again when the training
    rows are encoded next. Neither the texts nor the rows are kept any longer than that, nor copied or pickled.
    """

    def __init__(self, column: Column | None = None, rows: dict[str, np.ndarray | Rows] | None = None) -> None:
        self._rows = rows
        self._column = weakref.ref(column, self._forget) if column is not None else None

    def __reduce__(self) -> tuple[type[Encoded], tuple[()]]:
        return Encoded, ()

    def take(self, column: Column) -> dict[str, np.ndarray | Rows] | None:
        """The rows of `column`; None where it is another one, or they were handed out before."""
        if self._rows is None or self._column is None or self._column() is not column:
            return None
        rows, self._rows = self._rows, None
        return rows

    def _forget(self, _: object) -> None:
        self._rows = None


class OfOneText(Plain):
    """What do the transforms of one text column share?

    `signs`: see `words`. `first`: id of the vocabulary's first word.
    """

    column: str
    vocabulary: tuple[str, ...]
    signs: bool = False
    first: ClassVar[int] = 1

    @cached_property
    def ids(self) -> dict[str, int]:
        return {word: position for position, word in enumerate(self.vocabulary, start=self.first)}

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        return {self.column: "text"}

    def remarks(self, inputs: Columns) -> list[str | None]:
        ids = self.ids
        message = "no word of this text is in the model's vocabulary: the answer is what it says of an empty text"
        found = [any(word in ids for word in words(text, signs=self.signs)) for text in inputs[self.column]]
        return [None if known else message for known in found]

    def figures(self, inputs: Columns) -> dict[str, float]:
        """`out_of_vocabulary`: share of unknown words."""
        known = [list(map(self.ids.__contains__, words(text, signs=self.signs))) for text in inputs[self.column]]
        return {"out_of_vocabulary": 1 - sum(map(sum, known)) / max(sum(map(len, known)), 1)}


@dataclass(frozen=True)
class MultiHotText(OfOneText):
    """Which words of a vocabulary occur in a text, as a list of their ids.

    `column`: name of the raw text column. `vocabulary`: word of id 1, of id 2, …; id 0 pads. The ids of a row
    are unique and ascending: the positions of the ones in the row's multi-hot vector, one higher. `fitted`: the
    training rows, where this comes straight from fitting.
    """

    column: str
    vocabulary: tuple[str, ...]
    fitted: Encoded = field(default_factory=Encoded, compare=False, repr=False)

    kind = "multi_hot_text"

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {"word_ids": Tensor((None,), "int32")}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"vocabulary": len(self.vocabulary)}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """`{column: (rows,) object array of str}` to `{"word_ids": Ragged}`."""
        texts = inputs[self.column]
        known = self.fitted.take(texts)
        if known is not None:
            return known
        find, unknown = self.ids.get, repeat(0)
        values, offsets = array("i"), array("q", [0])
        for text in texts:
            found = {*map(find, words(text), unknown)}
            found.discard(0)
            values.fromlist(sorted(found))
            offsets.append(len(values))
        return {"word_ids": Ragged(np.array(values, np.int32), np.array(offsets, np.int64))}

    def save(self, folder: Path) -> None:
        settings = {"kind": self.kind, "column": self.column, "vocabulary": VOCABULARY}
        write_json(folder / "preprocessing.json", settings)
        (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in self.vocabulary), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, settings: Mapping[str, object]) -> MultiHotText:
        return cls(str(settings["column"]), read_vocabulary(folder))


def read_vocabulary(folder: Path) -> tuple[str, ...]:
    """The words of a run's `vocabulary.txt`, a line each."""
    return tuple((folder / VOCABULARY).read_text(encoding="utf-8").split("\n")[:-1])
