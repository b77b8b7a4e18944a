"""How good is a translation without a network: the source as it is, one sentence for all, or word by word?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dlkit.contracts import Split
from dlkit.evaluation.tokenisers import tokeniser_of
from dlkit.evaluation.translation import Corpus, of_texts
from dlkit.inference.sentence_pieces import MARK, marked_words, parts
from dlkit.inference.sentences import SentenceAnswer

MOST_PAIRS, LONGEST, STEPS = 10_000, 40, 5
"""Of the dictionary: pairs and words of each that it is learnt from, and how often it looks at them."""


def baselines(train: Split, test: Split, answer: SentenceAnswer) -> dict[str, dict[str, float]]:
    """Figures of "copy" (the source itself), "most_frequent" (the most frequent training translation) and
    "word_by_word" (see `Dictionary`) on the test rows, counted as those of `answer` are.
    """
    (sources,), right = test.inputs.values(), np.asarray(test.targets).tolist()
    (learnt,), written = train.inputs.values(), np.asarray(train.targets)
    frequent = Counter(written.tolist()).most_common(1)[0][0]
    step = -(-len(train) // MOST_PAIRS)
    dictionary = Dictionary(learnt[::step].tolist(), written[::step].tolist())
    found: Mapping[str, Sequence[str]] = {
        "copy": sources.tolist(),
        "most_frequent": [frequent] * len(right),
        "word_by_word": [dictionary.translate(text) for text in sources.tolist()],
    }
    corpora = {
        name: Corpus(texts, right, tokeniser_of(answer.language, right), answer.pieces.lower)
        for name, texts in found.items()
    }
    return {name: of_texts(corpus, answer.language) for name, corpus in corpora.items()}


class Dictionary:
    """Each word's likeliest translation by IBM model 1, a few steps of expectation and maximisation on pairs of
    sentences (Brown et al. 1993, eqs. 4 to 14). Signs, and words unknown to it, are
    copied.
    """

    def __init__(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        # Signs stand for themselves.
        rows = [[list(filter(_is_word, _words(text)[:LONGEST])) for text in texts] for texts in (sources, targets)]
        numbers = [_numbered(side) for side in rows]
        first, second = (
            [[known[word] for word in row] for row in side] for side, known in zip(rows, numbers, strict=True)
        )
        # Each word of a translation with each word of its source: which pair of words, and which word written.
        pairs, written, start = [], [], 0
        for left, right in zip(first, second, strict=True):
            pairs.append(np.add.outer(np.array(right, np.int64), np.array(left, np.int64) * len(numbers[1])).ravel())
            written.append(np.repeat(np.arange(start, start + len(right)), len(left)))
            start += len(right)
        known, pair = np.unique(np.concatenate(pairs), return_inverse=True)
        place, reader = np.concatenate(written), known // len(numbers[1])
        chances = np.ones(len(known))
        for _ in range(STEPS):
            weights = chances[pair]
            weights /= np.bincount(place, weights)[place]
            counts = np.bincount(pair, weights)
            chances = counts / np.bincount(reader, counts)[reader]
        order = np.lexsort((-chances, reader))
        best = order[np.unique(reader[order], return_index=True)[1]]
        sides = [list(side) for side in numbers]
        self._best = {sides[0][reader[one]]: sides[1][known[one] % len(sides[1])] for one in best.tolist()}

    def translate(self, text: str) -> str:
        return "".join(self._best.get(word, word) for word in _words(text)).replace(MARK, " ").strip()


def _words(text: str) -> list[str]:
    return [word for part in parts(text) for word in marked_words(part)]


def _is_word(word: str) -> bool:
    return any(map(str.isalnum, word))


def _numbered(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    return {word: number for number, word in enumerate(dict.fromkeys(word for row in rows for word in row))}
