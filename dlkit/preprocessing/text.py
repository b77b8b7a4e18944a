"""Which words of the training texts does a network see?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dlkit.contracts import ColumnKind, Examples, Split, Transform
from dlkit.errors import DataError, SettingsError
from dlkit.inference.text import MultiHotText
from dlkit.inference.words import words


@dataclass(frozen=True)
class MultiHot:
    """A text as the set of its words: 1 for each word of the vocabulary that occurs, 0 for the others.

    `max_words`: the most frequent words of the training texts that make the vocabulary (ties: in alphabetical
    order). `min_count`: a word must occur so often to be considered.
    """

    max_words: int = 10_000
    min_count: int = 1

    def __post_init__(self) -> None:
        for name in ("max_words", "min_count"):
            if getattr(self, name) < 1:
                raise SettingsError(f"preprocessing.{name}: expected 1 or more, got {getattr(self, name)}.")

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> MultiHotText:
        texts = [name for name, kind in kinds.items() if kind == "text"]
        if len(texts) != 1:
            raise SettingsError(
                f"preprocessing: multi-hot words need exactly 1 text column, got {len(texts)}: {texts}."
            )
        counts: Counter[str] = Counter()
        for text in train.inputs[texts[0]]:
            counts.update(words(text))
        frequent = [(-count, word) for word, count in counts.items() if count >= self.min_count]
        if not frequent:
            raise DataError(
                f"Column {texts[0]!r}: no word occurs {self.min_count} times or more in the {len(train)} training "
                "texts. Words are letters and numbers; emoji and signs are none. Lower preprocessing.min_count or "
                "give other texts."
            )
        return MultiHotText(texts[0], tuple(word for _, word in sorted(frequent)[: self.max_words]))

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)
