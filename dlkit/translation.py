"""What is asked of a translation: how are chosen pieces learnt, and by which search is a sentence found?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from dlkit.contracts import Head, Ragged, Split, Targets, Transform
from dlkit.errors import DataError, SettingsError
from dlkit.inference.sentence_pieces import SentencePieces
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translation import PairText, ended


@dataclass(frozen=True)
class Translation:
    """A sentence of one language to one of another, piece by piece.

    `label_smoothing`: share of each piece's target that is spread evenly over the vocabulary (Szegedy et al. 2016).
    `beam`: width of the search by which a translation is found; 1 takes the likeliest piece at each step.
    `length_penalty`: alpha of Wu et al. 2016, eq. 14: 0 compares sentences of any length by their probability, more
    prefers longer ones.
    """

    label_smoothing: float = 0.1
    beam: int = 5
    length_penalty: float = 1.0

    name: ClassVar[str] = "translation"
    monitor: ClassVar[tuple[str, Literal["max", "min"]]] = ("bleu", "max")

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise SettingsError(f"task.label_smoothing: expected a share in [0, 1), got {self.label_smoothing}.")
        if isinstance(self.beam, bool) or not isinstance(self.beam, int) or not 1 <= self.beam <= MOST_BEAMS:
            raise SettingsError(f"task.beam: expected a whole number from 1 to {MOST_BEAMS}, got {self.beam}.")
        if not 0 <= self.length_penalty <= 10:
            raise SettingsError(f"task.length_penalty: expected a number from 0 to 10, got {self.length_penalty}.")

    def fit(self, train: Split, target_name: str) -> SentenceAnswer:  # noqa: ARG002 (one signature for all tasks)
        """An answer without pieces yet: see `completed`. `target_name`: language of the translations."""
        return SentenceAnswer(SentencePieces(()), 0, self.beam, self.length_penalty, target_name)

    def completed(self, answer: SentenceAnswer, transform: Transform) -> SentenceAnswer:
        """The answer in the pieces in which translations are learnt."""
        if not isinstance(transform, PairText):
            raise SettingsError("A translation is learnt from pairs of sentences: preprocessing=Pairs(...).")
        return replace(answer, pieces=transform.target, longest=transform.longest_target)

    def heads(self, answer: SentenceAnswer) -> Mapping[str, Head]:
        return {"tokens": Head(answer.pieces.highest_id + 1)}

    def encode(self, answer: SentenceAnswer, targets: Targets) -> Ragged:
        """(rows,) sentences to the ids of their pieces, the end last."""
        if not isinstance(targets, np.ndarray):
            raise DataError("A translation is learnt from pairs of sentences; the data gives none.")
        return ended(answer.pieces, targets, answer.longest)

    def loss(self, answer: SentenceAnswer) -> str:  # noqa: ARG002 (one signature for all tasks)
        return f"tokens:{self.label_smoothing:g}"

    def metrics(self, answer: SentenceAnswer) -> list[str]:  # noqa: ARG002 (one signature for all tasks)
        return []


MOST_BEAMS = 64
