"""Does fitting find the n-grams, counts and weights that a slow count over tuples of words finds?"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from dlkit.contracts import ColumnKind, Ragged, Split
from dlkit.errors import DataError, SettingsError
from dlkit.inference.ngrams import NgramText
from dlkit.inference.words import words
from dlkit.preprocessing.ngrams import Ngrams

KINDS: dict[str, ColumnKind] = {"text": "text"}
ODD = ["", "😀 …", "a", "a a a a", "A b; a B!", "^ a ^b", "nothing known here"]


def column(texts: list[str]) -> np.ndarray:
    values = np.empty(len(texts), object)
    values[:] = texts
    return values


def generated(count: int, seed: int = 0) -> list[str]:
    """Texts of few words, so that long n-grams repeat; the rarer half of the words is rare."""
    dice = random.Random(seed)
    vocabulary = [*"abcdefg", *"abcd", "it's", "über", "2", "."]
    return [" ".join(dice.choices(vocabulary, k=dice.randrange(0, 14))) for _ in range(count)]


TEXTS = [*ODD[:-1], *generated(60)]


def fit(settings: Ngrams, texts: list[str]) -> NgramText:
    return settings.fit(Split({"text": column(texts)}), KINDS)


def found_in(text: str, settings: Ngrams) -> Counter[str]:
    """The n-grams of a text and how often each occurs, by the definition."""
    row = words(text, signs=settings.signs)
    grams = [tuple(row[at : at + n]) for n in range(1, settings.order + 1) for at in range(len(row) - n + 1)]
    return Counter([" ".join(gram) for gram in grams] + ends(row, settings))


def ends(row: list[str], settings: Ngrams) -> list[str]:
    """The first words and the last ones, by their names."""
    last = row[::-1][: settings.closing]
    return [f"^{word}" for word in row[: settings.opening]] + [f"${word}" for word in last]


def texts_of(texts: list[str], settings: Ngrams) -> Counter[str]:
    """In how many texts each n-gram is."""
    return Counter(gram for text in texts for gram in found_in(text, settings))


def frequent(texts: list[str], settings: Ngrams) -> dict[str, int]:
    return {gram: count for gram, count in texts_of(texts, settings).items() if count >= settings.min_count}


def features(transform: NgramText) -> list[str]:
    return [transform.ngram(feature) for feature in range(1, transform.sizes["ngrams"] + 1)]


def ragged(rows: object) -> Ragged:
    assert isinstance(rows, Ragged)
    return rows


def encoded(transform: NgramText, texts: list[str]) -> list[list[str]]:
    rows = ragged(transform.encode({"text": column(texts)})["ngram_ids"])
    cut = [rows.values[start:stop] for start, stop in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)]
    assert all((np.diff(row) > 0).all() for row in cut), "ids of a row are unique and ascending"
    return [[transform.ngram(int(feature)) for feature in row] for row in cut]


SETTINGS = [
    Ngrams(order=1, min_count=1),
    Ngrams(order=2, min_count=2),
    Ngrams(order=3, min_count=1, signs=False),
    Ngrams(order=3, min_count=3),
    Ngrams(order=3, min_count=2, opening=2),
    Ngrams(order=2, min_count=2, opening=1, signs=False, weighting="tfidf"),
    Ngrams(order=1, min_count=2, closing=3),
    Ngrams(order=3, min_count=3, opening=1, closing=2, weighting="tfidf"),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_features_are_the_ngrams_of_min_count_texts_each_once(settings: Ngrams) -> None:
    found = features(fit(settings, TEXTS))
    assert sorted(found) == sorted(frequent(TEXTS, settings))
    assert len(found) > 8


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_texts_encode_to_their_known_ngrams(settings: Ngrams) -> None:
    known = frequent(TEXTS, settings)
    some = [*ODD, *generated(40, seed=1), *TEXTS]
    expected = [sorted(gram for gram in found_in(text, settings) if gram in known) for text in some]
    assert [sorted(row) for row in encoded(fit(settings, TEXTS), some)] == expected


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_training_rows_are_what_their_texts_encode_to_anew(settings: Ngrams) -> None:
    train = column(TEXTS)
    transform = settings.fit(Split({"text": train}), KINDS)
    from_fit, anew = transform.encode({"text": train}), transform.encode({"text": train})
    assert from_fit is not anew and set(from_fit) == set(transform.tensors)
    for name in transform.tensors:
        one, other = ragged(from_fit[name]), ragged(anew[name])
        np.testing.assert_array_equal(one.offsets, other.offsets)
        np.testing.assert_array_equal(one.values, other.values)
        assert one.values.dtype == other.values.dtype == transform.tensors[name].dtype


@pytest.mark.parametrize("most", [12, 20, 45])
def test_max_features_raises_the_bound_no_further_than_it_must_and_keeps_beginnings(most: int) -> None:
    settings = Ngrams(order=3, min_count=1, max_features=most)
    found = features(fit(settings, TEXTS))
    counts = texts_of(TEXTS, settings)
    bound = next(least for least in range(1, 99) if sum(count >= least for count in counts.values()) <= most)
    assert bound > 1
    assert sorted(found) == sorted(gram for gram, count in counts.items() if count >= bound)
    assert all(gram.rpartition(" ")[0] in found for gram in found if " " in gram)


@pytest.mark.parametrize(("most", "raised"), [(20, True), (2_000_000, False)])
def test_a_bound_that_was_raised_is_among_the_figures_before_and_after_saving(
    tmp_path: Path, most: int, raised: bool
) -> None:
    transform = fit(Ngrams(order=3, min_count=1, max_features=most), TEXTS)
    transform.save(tmp_path)
    settings = json.loads((tmp_path / "preprocessing.json").read_text(encoding="utf-8"))
    inputs = {"text": np.array(TEXTS, object)}
    figures = [one.figures(inputs) for one in (transform, NgramText.load(tmp_path, settings))]
    assert figures[0] == figures[1] and ("raised_min_count" in figures[0]) is raised
    assert not raised or figures[0]["raised_min_count"] > 1
    del settings["raised"]  # as earlier versions wrote it
    assert NgramText.load(tmp_path, settings).raised is None


def test_max_features_below_what_every_text_holds_is_refused() -> None:
    with pytest.raises(DataError, match=r"preprocessing\.max_features=2: more n-grams"):
        fit(Ngrams(order=1, max_features=2), ["a b c", "c b a"])


@pytest.mark.parametrize(
    "settings",
    [
        Ngrams(order=1, min_count=2, weighting="tfidf"),
        Ngrams(order=3, min_count=2, weighting="tfidf"),
        Ngrams(order=2, min_count=2, opening=2, closing=1, weighting="tfidf"),
    ],
    ids=str,
)
def test_tfidf_values_are_those_of_sklearn(settings: Ngrams) -> None:
    transform = fit(settings, TEXTS)
    theirs = TfidfVectorizer(analyzer=lambda text: list(found_in(text, settings).elements()), min_df=2).fit(TEXTS)
    places = [theirs.vocabulary_[gram] for gram in features(transform)]
    some = [*ODD, *generated(40, seed=1)]
    inputs = transform.encode({"text": column(some)})
    ids, weights = ragged(inputs["ngram_ids"]), ragged(inputs["ngram_weights"])
    ours = np.zeros((len(some), len(places) + 1))
    ours[np.repeat(np.arange(len(some)), np.diff(ids.offsets)), ids.values] = weights.values
    np.testing.assert_allclose(ours[:, 1:], theirs.transform(some).toarray()[:, places], atol=1e-6)
    assert (ours[:, 0] == 0).all() and (ours > 0.1).sum() > 50


@pytest.mark.parametrize("texts", [["a"], ["a b a b"], ["", "", "a"]])
def test_one_text_with_words_is_enough_to_fit(texts: list[str]) -> None:
    settings = Ngrams(order=3, min_count=1, weighting="tfidf")
    transform = fit(settings, texts)
    assert sorted(features(transform)) == sorted(texts_of(texts, settings))
    assert encoded(transform, ["", "?"]) == [[], []]


@pytest.mark.parametrize("texts", [[""], ["😀", "  "], ["a", "b"]])
def test_texts_without_a_frequent_word_are_refused(texts: list[str]) -> None:
    with pytest.raises(DataError, match="2 times or more"):
        fit(Ngrams(), texts)


def test_a_row_encodes_alone_as_in_bulk_across_chunks() -> None:
    transform = fit(Ngrams(order=3, min_count=2, weighting="tfidf", opening=2), TEXTS)
    some = [*generated(2_100, seed=2), *ODD]
    bulk = transform.encode({"text": column(some)})
    for place in (0, 999, 1_000, 1_001, 1_999, 2_000, *range(2_095, len(some))):
        alone = transform.encode({"text": column(some[place : place + 1])})
        for name in transform.tensors:
            rows, row = ragged(bulk[name]), ragged(alone[name])
            np.testing.assert_array_equal(rows.values[rows.offsets[place] : rows.offsets[place + 1]], row.values)
    none = transform.encode({"text": column([])})
    assert [len(ragged(rows)) for rows in none.values()] == [0, 0]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_saved_transform_encodes_as_before(settings: Ngrams, tmp_path: Path) -> None:
    transform = fit(settings, TEXTS)
    transform.save(tmp_path)
    loaded = NgramText.load(tmp_path, json.loads((tmp_path / "preprocessing.json").read_text(encoding="utf-8")))
    rows = {"text": column([*ODD, *generated(40, seed=1)])}
    ours, theirs = transform.encode(rows), loaded.encode(rows)
    assert loaded.tensors == transform.tensors and loaded.sizes == transform.sizes
    for name in transform.tensors:
        np.testing.assert_array_equal(ragged(ours[name]).values, ragged(theirs[name]).values)
        np.testing.assert_array_equal(ragged(ours[name]).offsets, ragged(theirs[name]).offsets)


def test_remarks_and_figures_tell_of_unknown_words() -> None:
    transform = fit(Ngrams(order=2, min_count=1, opening=1), ["a b"])
    rows = {"text": column(["a b c", "c d", "", "^a"])}
    assert [remark is None for remark in transform.remarks(rows)] == [True, False, False, True]
    assert transform.figures(rows) == {"out_of_vocabulary": pytest.approx(4 / 7)}  # c, c, d and the sign ^


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": 0}, "preprocessing.order"),
        ({"order": 6}, "preprocessing.order: expected 1 to 5"),
        ({"min_count": 0}, "preprocessing.min_count"),
        ({"max_features": 0}, "preprocessing.max_features"),
        ({"opening": -1}, "preprocessing.opening"),
        ({"closing": -1}, "preprocessing.closing"),
        ({"weighting": "bm25"}, "expected binary or tfidf, got 'bm25'"),
    ],
)
def test_settings_that_make_no_ngrams_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Ngrams(**settings)  # type: ignore[arg-type]  # what a user may write
