"""Which words of a text carried the decision?

What is explained is the logit of the answered class: of a sigmoid its logit, with the other sign where the answer is
the first class; of a softmax the logit before it less the mean of all classes' logits, which, unlike the logit alone,
stays as it is when a number is added to all of them. Weights of words sum to that logit less the logit of a text of
zero word vectors; above 0 a word speaks for the answer, below 0 against it. The method is in `attribution.py`.

Of an ensemble it is the weighted sum of the members' logits, and a word's weight that of its weights in them. That is
the logit of the pooled answer: what a softmax's log-probabilities have less than its logits is the same for all
classes and falls out with their mean. Left out is one thing alone, the pool's bounds: where a member gives a class
less than 1e-7, the pool takes 1e-7.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import keras
import numpy as np

from dlkit.contracts import Examples, Transform
from dlkit.errors import SettingsError
from dlkit.evaluation.attribution import Carried
from dlkit.evaluation.members import Member, Texts, members, of_texts
from dlkit.inference.answers import ClassAnswer
from dlkit.inference.inputs import columns_from
from dlkit.inference.joined import JoinedTransform
from dlkit.inference.ngrams import NgramText
from dlkit.inference.sequences import UNKNOWN, SequenceText
from dlkit.inference.spans import spans
from dlkit.inference.text import MultiHotText
from dlkit.inference.words import words
from dlkit.models.pooling import pool
from dlkit.training.fit import outputs

METHOD = "integrated gradients"
STEPS = 32
_SAME_PROBABILITY = 1e-3


@dataclass(frozen=True)
class Word:
    """A word of a text: `text[start:stop]`, and `word` as the network reads it.

    `known`: False for a word outside the vocabulary, or one cut off; `read`: False for one cut off by the sequence's
    length, with weight 0. A word that occurs several times in a text read as a set has an equal share at each place.
    `attention`: its share of the attention, where the network has one.

    Of an ensemble, `weight` is summed over its members; `known` and `read` say whether any of them does.
    """

    start: int
    stop: int
    word: str
    weight: float
    known: bool = True
    read: bool = True
    attention: float | None = None

    def document(self) -> dict[str, object]:
        content = asdict(self)
        if self.attention is None:
            del content["attention"]
        return content


@dataclass(frozen=True)
class Ngram:
    """An n-gram of a text: `ngram` as in the vocabulary ("^word" among its first words, "$word" among its last ones),
    `count` times in it.
    """

    ngram: str
    weight: float
    count: int


@dataclass(frozen=True)
class Explanation:
    """A text, the answer to it, and what its words carried toward that answer.

    `answer`: as `dlkit predict` gives it; its "label" is the class that is explained. `logit`, `baseline`: of the text
    and of zero word vectors; `words`, in their order, carry the difference. `ngrams`: for a network on n-grams (in an
    ensemble: of its members on n-grams), the strongest first; each is shared equally by its words. `warning`: where the
    answer rests on little.
    """

    text: str
    answer: dict[str, object]
    logit: float
    baseline: float
    words: tuple[Word, ...]
    ngrams: tuple[Ngram, ...] = ()
    warning: str | None = None

    @property
    def label(self) -> str:
        """The class that is explained: the answered one."""
        return str(self.answer["label"])

    def strongest(self, count: int) -> list[Ngram]:
        """The words that carried most, for or against, all places of a word together."""
        weights: dict[str, float] = defaultdict(float)
        counts: dict[str, int] = defaultdict(int)
        for word in self.words:
            weights[word.word] += word.weight
            counts[word.word] += 1
        found = [Ngram(word, weight, counts[word]) for word, weight in weights.items() if weight]
        return sorted(found, key=lambda one: -abs(one.weight))[:count]

    def document(self) -> dict[str, object]:
        """As JSON holds it, with the names that `dlkit predict` uses."""
        content: dict[str, object] = {
            "text": self.text, **self.answer, "logit": self.logit, "baseline": self.baseline,
            "words": [word.document() for word in self.words],
        }  # fmt: skip
        if self.ngrams:
            content["ngrams"] = [asdict(ngram) for ngram in self.ngrams]
        return content | ({"warning": self.warning} if self.warning is not None else {})


def explain(
    model: keras.Model, transform: Transform, answer: object, texts: Sequence[object], *, steps: int = STEPS
) -> list[Explanation]:
    """An explanation a text. `steps`: points of the integral, doubled up to 512 until the weights sum as they should.

    SettingsError for another network than one of words, or an answer that is no class; InputError for a bad text.
    """
    for part in transform.parts.values() if isinstance(transform, JoinedTransform) else [transform]:
        of_texts(part)
    if not isinstance(answer, ClassAnswer):
        raise SettingsError("Explained is the choice of a class, but this model answers with a number.")
    if steps < 1:
        raise SettingsError(f"steps: expected 1 or more, got {steps}.")
    networks = members(model, transform)
    columns = columns_from(texts, transform.kinds)
    (raw,) = columns.values()
    if not len(raw):
        return []
    encoded = transform.encode(columns)
    answers = outputs(model, Examples(encoded))
    chosen = answer.probabilities(answers).argmax(axis=1)
    explanations = []
    for row, (text, decoded, remark) in enumerate(
        zip(raw, answer.decode(answers), transform.remarks(columns), strict=True)
    ):
        toward = _toward(int(chosen[row]), answers.shape[1])
        carried = [one.carried(encoded, row, toward, steps=steps) for one in networks]
        _require_same(networks, carried, answers[row])
        placed = [_placed(one.transform, text, found) for one, found in zip(networks, carried, strict=True)]
        logit, baseline = sum(found.logit for found in carried), sum(found.baseline for found in carried)
        explanations.append(Explanation(text, decoded, logit, baseline, *_together(placed), warning=remark))
    return explanations


def _toward(chosen: int, units: int) -> np.ndarray:
    """What the logits are multiplied with: see the top of this file."""
    if units == 1:
        return np.array([1.0 if chosen == 1 else -1.0])
    return np.eye(units)[chosen] - 1 / units


def _require_same(networks: Sequence[Member], carried: Sequence[Carried], answered: np.ndarray) -> None:
    """The logits were found by walking through the layers; where that is not the network's way they are others."""
    opinions = [_probabilities(found.logits.astype(np.float64)) for found in carried]
    probabilities = pool(opinions, [one.weight for one in networks])[0]
    if not np.abs(probabilities - answered).max() <= _SAME_PROBABILITY:
        raise SettingsError(
            "The words' weights of this network cannot be found: its layers one after the other, with sigmoid or "
            f"softmax at the end, give {probabilities.max():.3g} where the network itself gives {answered.max():.3g}."
        )


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """(1, units) of a sigmoid or softmax."""
    powers = np.exp(-np.logaddexp(0, -logits)) if len(logits) == 1 else np.exp(logits - logits.max())
    return (powers if len(logits) == 1 else powers / powers.sum())[None]


Placed = tuple[tuple[Word, ...], tuple[Ngram, ...]]


def _together(placed: Sequence[Placed]) -> Placed:
    """What all members say of each place and each n-gram of a text."""
    if len(placed) == 1:
        return placed[0]
    places: dict[tuple[int, int], list[Word]] = defaultdict(list)
    grams: dict[str, list[Ngram]] = defaultdict(list)
    for own_words, own_ngrams in placed:
        for word in own_words:
            # Members may differ in whether they read punctuation, but a word is a word to all of them.
            places[word.start, word.stop].append(word)
        for ngram in own_ngrams:
            grams[ngram.ngram].append(ngram)
    ngrams = [Ngram(name, sum(one.weight for one in found), found[0].count) for name, found in grams.items()]
    return tuple(_one_word(places[place]) for place in sorted(places)), _strongest_first(ngrams)


def _one_word(found: Sequence[Word]) -> Word:
    looked = [word.attention for word in found if word.attention is not None]
    return replace(
        found[0],
        weight=sum(word.weight for word in found),
        known=any(word.known for word in found),
        read=any(word.read for word in found),
        attention=sum(looked) / len(looked) if looked else None,
    )


def _strongest_first(ngrams: Iterable[Ngram]) -> tuple[Ngram, ...]:
    return tuple(sorted(ngrams, key=lambda ngram: -abs(ngram.weight)))


def _placed(transform: Texts, text: str, carried: Carried) -> Placed:
    if isinstance(transform, SequenceText):
        return _in_order(transform, text, carried), ()
    if isinstance(transform, MultiHotText):
        return _of_set(transform, text, carried), ()
    return _of_ngrams(transform, text, carried)


def _of_set(transform: MultiHotText, text: str, carried: Carried) -> tuple[Word, ...]:
    found = words(text)
    weights = dict(zip(carried.ids.tolist(), carried.weights.tolist(), strict=True))
    ids = [transform.ids.get(word, 0) for word in found]
    counts = Counter(ids)
    return tuple(
        Word(*span, word, weights[number] / counts[number] if number else 0.0, known=number > 0)
        for span, word, number in zip(spans(text), found, ids, strict=True)
    )


def _in_order(transform: SequenceText, text: str, carried: Carried) -> tuple[Word, ...]:
    found = words(text, signs=transform.signs)
    by_word = [
        transform.cutter.ids(word) if transform.pieces else (transform.ids.get(word, UNKNOWN),) for word in found
    ]
    total = sum(map(len, by_word))
    first = max(total - transform.length, 0) if transform.keep == "end" else 0
    weights, attention = np.zeros(total), np.zeros(total)
    kept = slice(first, min(first + transform.length, total))
    # A text without words is read as one unknown word, which stands nowhere.
    weights[kept] = carried.weights if total else []
    if carried.attention is not None:
        attention[kept] = carried.attention if total else []
    result, at = [], 0
    for span, word, ids in zip(spans(text, signs=transform.signs), found, by_word, strict=True):
        pieces = slice(at, at + len(ids))
        at = pieces.stop
        read = pieces.start < kept.stop and pieces.stop > kept.start
        looked = float(attention[pieces].sum()) if carried.attention is not None else None
        weight = float(weights[pieces].sum())
        result.append(Word(*span, word, weight, read and UNKNOWN not in ids, read, looked))
    return tuple(result)


def _of_ngrams(transform: NgramText, text: str, carried: Carried) -> Placed:
    found = words(text, signs=transform.signs)
    places: dict[int, list[range]] = defaultdict(list)
    for feature, place in ngram_places(transform, found):
        places[feature].append(place)
    by_word, ngrams = np.zeros(len(found)), []
    for feature, weight in zip(carried.ids.tolist(), carried.weights.tolist(), strict=True):
        if not feature:  # padding, which a text without a known n-gram is made of
            continue
        for place in places[feature]:
            by_word[place.start : place.stop] += weight / len(places[feature]) / len(place)
        ngrams.append(Ngram(transform.ngram(feature), weight, len(places[feature])))
    spelled = zip(spans(text, signs=transform.signs), found, by_word.tolist(), strict=True)
    placed = tuple(Word(*span, word, weight, known=word in transform.ids) for span, word, weight in spelled)
    return placed, _strongest_first(ngrams)


def ngram_places(transform: NgramText, found: Sequence[str]) -> Iterable[tuple[int, range]]:
    """Feature ids of a text's words, as `NgramText.encode` finds them, each with the words that it is made of."""
    ids, keys, stride = transform.ids, transform.keys, len(transform.vocabulary) + 1
    numbers = [ids.get(word, 0) for word in found]
    for start, number in enumerate(numbers):
        if start < transform.opening and (opening := ids.get(f"^{found[start]}")):
            yield opening, range(start, start + 1)
        if len(found) - start <= transform.closing and (closing := ids.get(f"${found[start]}")):
            yield closing, range(start, start + 1)
        feature = number
        for stop in range(start + 1, min(start + transform.order, len(found)) + 1):
            if stop > start + 1:
                key = feature * stride + numbers[stop - 1]
                position = int(np.searchsorted(keys, key)) if numbers[stop - 1] else len(keys)
                feature = stride + position if position < len(keys) and keys[position] == key else 0
            if not feature:
                break
            yield feature, range(start, stop)
