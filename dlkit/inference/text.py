"""How does a raw text become the word ids that a network takes?"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dlkit.contracts import ColumnKind, Columns, Ragged, Rows, Tensor
from dlkit.inference.words import words

VOCABULARY = "vocabulary.txt"


@dataclass(frozen=True)
class MultiHotText:
    """Which words of a vocabulary occur in a text, as a list of their ids.

    `column`: name of the raw text column. `vocabulary`: word of id 1, of id 2, …; id 0 pads. The ids of a row
    are unique and ascending: the positions of the ones in the row's multi-hot vector, one higher.
    """

    column: str
    vocabulary: tuple[str, ...]

    kind = "multi_hot_text"

    @cached_property
    def ids(self) -> dict[str, int]:
        return {word: position for position, word in enumerate(self.vocabulary, start=1)}

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        return {self.column: "text"}

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {"word_ids": Tensor((None,), "int32")}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"vocabulary": len(self.vocabulary)}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """`{column: (rows,) object array of str}` to `{"word_ids": Ragged}`."""
        ids = self.ids
        values, offsets = array("i"), array("q", [0])
        for text in inputs[self.column]:
            values.extend(sorted({ids[word] for word in words(text) if word in ids}))
            offsets.append(len(values))
        return {"word_ids": Ragged(np.array(values, np.int32), np.array(offsets, np.int64))}

    def remarks(self, inputs: Columns) -> list[str | None]:
        ids = self.ids
        message = "no word of this text is in the model's vocabulary: the answer is what it says of an empty text"
        return [None if any(word in ids for word in words(text)) else message for text in inputs[self.column]]

    def save(self, folder: Path) -> None:
        settings = {"kind": self.kind, "column": self.column, "vocabulary": VOCABULARY}
        (folder / "preprocessing.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        (folder / VOCABULARY).write_text("".join(f"{word}\n" for word in self.vocabulary), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, settings: Mapping[str, object]) -> MultiHotText:
        lines = (folder / VOCABULARY).read_text(encoding="utf-8").split("\n")
        return cls(str(settings["column"]), tuple(lines[:-1]))
