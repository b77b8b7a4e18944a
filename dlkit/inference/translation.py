"""How does a raw sentence become the ids that a translator reads?"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit.contracts import Column, ColumnKind, Columns, Ragged, Rows, Tensor
from dlkit.inference.decoding import MORE, TIMES
from dlkit.inference.plain import Plain
from dlkit.inference.runs import write_json
from dlkit.inference.sentence_pieces import END, IDS, MARK, START, UNKNOWN, SentencePieces
from dlkit.inference.text import VOCABULARY

TARGET_VOCABULARY = "target_vocabulary.txt"


@dataclass(frozen=True)
class PairText(Plain):
    """Sentences of one language as ids, for a network that writes another.

    `column`: name of the raw text column. `source`, `target`: pieces of the two languages, the same of a joint
    vocabulary. `longest_source`, `longest_target`: most ids of a row, its end among them; of a longer text the first
    ids are read, and the end.
    """

    column: str
    source: SentencePieces
    target: SentencePieces
    longest_source: int
    longest_target: int

    kind = "pairs"

    @property
    def joint(self) -> bool:
        """Whether an id means the same on both sides."""
        return self.source == self.target

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        return {self.column: "text"}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {"source": Tensor((None,), "int32"), "target": Tensor((None,), "int32")}

    @property
    def sizes(self) -> Mapping[str, int]:
        """Highest ids as "source_vocabulary" and "target_vocabulary", whether they are one as "joint" (0 or 1), and the
        longest rows as "longest_source" and "longest_target".
        """
        return {
            "source_vocabulary": self.source.highest_id,
            "target_vocabulary": self.target.highest_id,
            "joint": int(self.joint),
            "longest_source": self.longest_source,
            "longest_target": self.longest_target,
        }

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """`{column: (rows,) object array of str}` to `{"source": Ragged}`, each row with its end."""
        return {"source": ended(self.source, inputs[self.column], self.longest_source)}

    def written(self, texts: Column) -> Ragged:
        """Translations as a network has written them before each of its pieces: from `START` on, without their end."""
        return begun(ended(self.target, texts, self.longest_target))

    def cut(self, inputs: Columns, targets: Column | None = None) -> np.ndarray:
        """(rows,) whether a text, or its translation where one is given, has more ids than a row holds."""
        cut = np.array([len(self.source.encode(text)) >= self.longest_source for text in inputs[self.column]], bool)
        if targets is not None:
            cut |= np.array([len(self.target.encode(text)) >= self.longest_target for text in targets], bool)
        return cut

    def remarks(self, inputs: Columns) -> list[str | None]:
        found: list[str | None] = []
        for text in inputs[self.column]:
            ids = self.source.encode(text)
            remark, unknown = None, ids.count(UNKNOWN)
            if unknown >= len(ids) - unknown - ids.count(self.source.ids.get(MARK, END)):
                remark = "hardly anything of this text is in the model's vocabulary: the translation is a guess"
            elif len(ids) >= self.longest_source:
                remark = (
                    f"the text has {len(ids)} pieces; the first {self.longest_source - 1} were read. Translate it "
                    "sentence by sentence."
                )
            found.append(remark)
        return found

    def figures(self, inputs: Columns) -> dict[str, float]:
        """`source_out_of_vocabulary`: share of unknown pieces; `source_cut`: share of texts longer than
        `longest_source`; `pieces_per_word`: ids a word between blanks.
        """
        texts = inputs[self.column]
        rows = [self.source.encode(text) for text in texts]
        total = max(sum(map(len, rows)), 1)
        return {
            "source_out_of_vocabulary": sum(row.count(UNKNOWN) for row in rows) / total,
            "source_cut": sum(len(row) >= self.longest_source for row in rows) / max(len(rows), 1),
            "pieces_per_word": total / max(sum(len(text.split()) for text in texts), 1),
        }

    def target_figures(self, texts: Column) -> dict[str, float]:
        """`target_out_of_vocabulary`, `target_cut`: of translations what `figures` says of texts."""
        rows = [self.target.encode(text) for text in texts]
        return {
            "target_out_of_vocabulary": sum(row.count(UNKNOWN) for row in rows) / max(sum(map(len, rows)), 1),
            "target_cut": sum(len(row) >= self.longest_target for row in rows) / max(len(rows), 1),
        }

    def save(self, folder: Path) -> None:
        settings = {
            "kind": self.kind, "column": self.column, "vocabulary": VOCABULARY,
            "target_vocabulary": VOCABULARY if self.joint else TARGET_VOCABULARY, "level": self.source.level,
            "lower": self.source.lower, "longest_source": self.longest_source, "longest_target": self.longest_target,
            # For who uses the files without dlkit; `load` knows it.
            "ids": IDS, "rules": [*self.source.rules(), "The first longest_source - 1 ids are read, and the end."],
            "most_written": {"times_source": TIMES, "more": MORE, "longest": self.longest_target},
        }  # fmt: skip
        write_json(folder / "preprocessing.json", settings)
        self.source.save(folder / VOCABULARY)
        if not self.joint:
            self.target.save(folder / TARGET_VOCABULARY)

    @classmethod
    def load(cls, folder: Path, settings: Mapping[str, object]) -> PairText:
        level, lower = settings["level"], bool(settings["lower"])
        source = SentencePieces.load(folder / VOCABULARY, level, lower)
        joint = settings["target_vocabulary"] == VOCABULARY
        target = source if joint else SentencePieces.load(folder / TARGET_VOCABULARY, level, lower)
        longest = int(str(settings["longest_source"])), int(str(settings["longest_target"]))
        return cls(str(settings["column"]), source, target, *longest)


def begun(rows: Ragged) -> Ragged:
    """`START`, and the ids of each row without its end."""
    before = np.roll(rows.values, 1)
    before[rows.offsets[:-1]] = START
    return Ragged(before, rows.offsets)


def ended(pieces: SentencePieces, texts: Column, longest: int) -> Ragged:
    """The ids of each text and `END`, `longest` ids at most."""
    values, offsets = array("i"), array("q", [0])
    for text in texts:
        values.fromlist([*pieces.encode(text)[: longest - 1], END])
        offsets.append(len(values))
    return Ragged(np.array(values, np.int32), np.array(offsets, np.int64))
