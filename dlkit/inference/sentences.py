"""How do the pieces that a network chose become a sentence?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit.inference.runs import write_json
from dlkit.inference.sentence_pieces import SentencePieces, read_level


@dataclass(frozen=True)
class SentenceAnswer:
    """A translation, found by a search of width `beam` (1: greedy).

    `longest`: most pieces of a translation, its end among them. `length_penalty`: alpha of Wu et al. 2016, eq. 14.
    `language`: that of the translation, such as "de".
    The outputs that it reads are those of the search, (rows, 1 + longest) float32: the score of the sentence, then the
    ids of its pieces without start and end, 0 after the last; or several such side by side, the best first.
    """

    pieces: SentencePieces
    longest: int
    beam: int = 5
    length_penalty: float = 1.0
    language: str = ""

    kind = "sentence"

    @property
    def units(self) -> int:
        """Columns of the search's outputs."""
        return 1 + self.longest

    def sentences(self, outputs: np.ndarray) -> list[str]:
        """Outputs of the search to the text of each row."""
        return [self.pieces.decode(row) for row in outputs[:, 1 : self.units].astype(np.int64).tolist()]

    def decode(self, outputs: np.ndarray) -> list[dict[str, object]]:
        """A row each: {"translation": text, "score": log-probability by length, see `length_penalty`}; where several
        were asked for, the next ones in "others", the best first, as many as there are different ones.
        """
        found = []
        for row in outputs.reshape(len(outputs), outputs.shape[1] // self.units, self.units):
            texts = self.sentences(row)
            each: list[dict[str, object]] = [
                {"translation": text, "score": score}
                for text, score in zip(texts, row[:, 0].tolist(), strict=True)
                if math.isfinite(score)
            ]
            found.append(each[0] | ({"others": each[1:]} if len(each) > 1 else {}))
        return found

    def comparable(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, 1 + longest): score and ids of the best."""
        return np.asarray(outputs, np.float64)[:, : self.units]

    def agrees(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(rows,) bool, from two results of `comparable`: is it the same sentence?"""
        return (ours[:, 1:] == theirs[:, 1:]).all(axis=1)

    def save(self, folder: Path) -> None:
        settings = {
            "kind": self.kind, "vocabulary": list(self.pieces.vocabulary), "level": self.pieces.level,
            "lower": self.pieces.lower, "longest": self.longest, "beam": self.beam,
            "length_penalty": self.length_penalty, "language": self.language,
        }  # fmt: skip
        write_json(folder / "answer.json", settings)

    @classmethod
    def load(cls, settings: Mapping[str, object]) -> SentenceAnswer:
        vocabulary = settings["vocabulary"]
        if not isinstance(vocabulary, list):
            raise TypeError("vocabulary is a JSON list")
        pieces = SentencePieces(tuple(map(str, vocabulary)), read_level(settings["level"]), bool(settings["lower"]))
        longest, beam = int(str(settings["longest"])), int(str(settings["beam"]))
        penalty, language = float(str(settings["length_penalty"])), str(settings["language"])
        return cls(pieces, longest, beam, penalty, language)
