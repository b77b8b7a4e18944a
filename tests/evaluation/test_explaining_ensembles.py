"""Do the weights of a text's words say what its words did to the answer of several networks together?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit import text_variants
from dlkit.contracts import Examples, Head, Preprocessing, Spec, Split
from dlkit.errors import SettingsError
from dlkit.evaluation.attribution import TOLERANCE
from dlkit.evaluation.explaining import Explanation, explain
from dlkit.evaluation.highlights import decisions
from dlkit.inference.answers import ClassAnswer
from dlkit.inference.joined import JoinedTransform
from dlkit.models import text
from dlkit.models.pooling import pooled
from dlkit.models.text_layers import NgramSum
from dlkit.preprocessing.joined import Joined
from dlkit.preprocessing.ngrams import Ngrams
from dlkit.preprocessing.sequences import Sequences
from dlkit.training.fit import outputs

TEXT = "The film: a superb story of people, dreadful music<br />and some SUPERB unheard-of house by the sea!"
TEXTS = [TEXT, "superb", "a dreadful film", "zebra"]
LABELS = ("neg", "pos", "so", "la")
TFIDF = Ngrams(order=1, weighting="tfidf", opening=4, signs=False)
MEMBERS: dict[str, dict[str, Preprocessing]] = {
    "imdb": {"ngrams": Ngrams(), "fasttext": Ngrams()},
    "reuters": {"ngrams": TFIDF, "cnn": Sequences(length=8)},
}
"""The ensembles of the two recipes: one part for both members, and two parts that cut a text differently."""
WEIGHTS = (0.7, 1.6)
BUILD = {**{name: one.model for name, one in text_variants().items()}, "cnn": partial(text.cnn, dimension=4, filters=4)}


def _column(texts: list[str]) -> np.ndarray:
    column = np.empty(len(texts), object)
    column[:] = texts
    return column


@cache
def ensemble(
    name: str, classes: int, weights: tuple[float, ...] = WEIGHTS, spread: float = 0.3
) -> tuple[keras.Model, JoinedTransform, dict[str, keras.Model]]:
    """The network, its transform, and the members, with weights as if they were trained: far from zero."""
    joined = Joined(MEMBERS[name])
    rows = Split({"text": _column([TEXT, TEXT.replace(":", " and "), "a superb film.", "dreadful music"])}, None)
    transform = joined.fit(rows, {"text": "text"})
    heads = {"label": Head(1, "sigmoid") if classes == 2 else Head(classes, "softmax")}
    rng = np.random.default_rng(1)
    members = {}
    for member in MEMBERS[name]:
        part = transform.parts[joined.part_of(member)]
        members[member] = BUILD[member](Spec(part.tensors, heads, part.sizes, part.tables))
        members[member].set_weights([w + spread * rng.standard_normal(w.shape) for w in members[member].get_weights()])
        last = members[member].layers[-1]
        if isinstance(last, NgramSum):  # its row 0, of padding, stays 0
            last.kernel.assign(last.kernel * (np.arange(last.size + 1)[:, None] > 0))
        if classes > 2:  # all members prefer one class, so that alone they explain what they explain together
            last.bias.assign(5.0 * np.eye(classes)[1])
    part_of = {member: joined.part_of(member) for member in members}
    return pooled(members, part_of, Spec(transform.tensors, heads), weights), transform, members


def answer(classes: int) -> ClassAnswer:
    return ClassAnswer(LABELS[:classes])


def total(found: Explanation) -> float:
    return sum(word.weight for word in found.words)


def allowed(found: Explanation) -> float:
    """By how much the weights' sum may be wrong: integrals are sums of so many steps as that takes."""
    return TOLERANCE * max(1.0, abs(found.logit - found.baseline))


def close(found: Explanation) -> bool:
    return abs(total(found) - (found.logit - found.baseline)) <= allowed(found)


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("classes", [2, 4])
def test_weights_sum_to_the_pooled_logit_less_that_of_zero_vectors(name: str, classes: int) -> None:
    model, transform, _ = ensemble(name, classes)
    pooled_chances = outputs(model, Examples(transform.encode({"text": _column(TEXTS)}))).astype(np.float64)
    for found, chances in zip(explain(model, transform, answer(classes), TEXTS), pooled_chances, strict=True):
        if classes == 2:
            chance = chances[0] if found.label == "pos" else 1 - chances[0]
            logit = np.log(chance) - np.log(1 - chance)
        else:
            chance = chances.max()
            logit = np.log(chance) - np.log(chances).mean()
        assert found.label == answer(classes).decode(chances[None])[0]["label"]
        assert found.logit == pytest.approx(logit, abs=1e-4)
        assert close(found)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", MEMBERS)
def test_a_word_weighs_what_it_weighs_in_each_member_times_how_much_that_counts(name: str, classes: int) -> None:
    model, transform, members = ensemble(name, classes)
    (found,) = explain(model, transform, answer(classes), [TEXT])
    expected: dict[tuple[int, int], float] = {}
    error = allowed(found)
    for weight, (member, network) in zip(WEIGHTS, members.items(), strict=True):
        part = transform.parts[member if member in transform.parts else "ngrams"]
        (alone,) = explain(network, part, answer(classes), [TEXT])
        assert classes == 2 or alone.label == found.label
        error += weight * allowed(alone)
        # Of two classes a member may prefer the other one: then its logit has the other sign.
        sign = 1 if alone.label == found.label else -1
        for word in alone.words:
            place = word.start, word.stop
            expected[place] = expected.get(place, 0.0) + weight * sign * word.weight
    assert {(word.start, word.stop): word.weight for word in found.words} == pytest.approx(expected, abs=error)


def test_ngrams_of_two_members_on_one_part_are_listed_once_with_both_weights() -> None:
    model, transform, members = ensemble("imdb", 2)
    (found,) = explain(model, transform, answer(2), [TEXT])
    names = [one.ngram for one in found.ngrams]
    assert len(set(names)) == len(names)
    assert {"superb", "superb story"} < set(names)
    assert next(one.count for one in found.ngrams if one.ngram == "superb") == 2
    sizes = [abs(one.weight) for one in found.ngrams]
    assert sizes == sorted(sizes, reverse=True)
    alone = [explain(network, transform.parts["ngrams"], answer(2), [TEXT])[0] for network in members.values()]
    expected: Mapping[str, float] = {
        name: sum(
            weight * (1 if one.label == found.label else -1) * gram.weight
            for weight, one in zip(WEIGHTS, alone, strict=True)
            for gram in one.ngrams
            if gram.ngram == name
        )
        for name in names
    }
    assert {one.ngram: one.weight for one in found.ngrams} == pytest.approx(expected, abs=0.01)


def test_members_that_cut_a_text_differently_agree_on_the_places_of_its_words() -> None:
    model, transform, _ = ensemble("reuters", 4)
    (found,) = explain(model, transform, answer(4), [TEXT])
    places = [(word.start, word.stop) for word in found.words]
    assert places == sorted(set(places))
    assert [TEXT[start:stop].lower() for start, stop in places] == [word.word for word in found.words]
    # The cnn reads eight words, the n-grams all: every word is read by one of them.
    assert all(word.read for word in found.words)
    assert {word.word for word in found.words if not word.known} == set()


def test_an_explained_ensemble_can_be_saved_and_is_explained_alike_out_of_its_file(tmp_path: Path) -> None:
    model, transform, _ = ensemble("reuters", 4)
    (before,) = explain(model, transform, answer(4), [TEXT])
    model.save(tmp_path / "model.keras")
    (after,) = explain(keras.saving.load_model(tmp_path / "model.keras"), transform, answer(4), [TEXT])
    assert [word.weight for word in after.words] == pytest.approx([word.weight for word in before.words], abs=1e-6)


def test_members_surer_than_the_pool_takes_them_are_explained_by_their_own_logits() -> None:
    model, transform, members = ensemble("imdb", 4, (1.0, 1.0), 12.0)
    part = transform.parts["ngrams"]
    own = [outputs(network, Examples(part.encode({"text": _column([TEXT])}))) for network in members.values()]
    assert min(float(chances.min()) for chances in own) < 1e-7
    assert close(explain(model, transform, answer(4), [TEXT])[0])


def test_a_report_explains_an_ensemble() -> None:
    model, transform, _ = ensemble("imdb", 2)
    test = Split({"text": _column(TEXTS)}, np.array(["neg", "pos", "neg", "pos"], object))
    found = outputs(model, Examples(transform.encode(test.inputs)))
    told = decisions(model, transform, answer(2), test, outputs=found, mistakes=[{"row": 0}])
    assert told.refused is None
    assert told.highlights[-1].row == 0
    assert any(part.share for part in told.highlights[-1].parts)


def test_a_network_without_a_pool_at_its_end_is_refused() -> None:
    _, transform, members = ensemble("imdb", 2)
    with pytest.raises(SettingsError, match="no LogOpinionPool"):
        explain(members["fasttext"], transform, answer(2), [TEXT])
