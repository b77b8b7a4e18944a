"""Do report and terminal say what a network sees of a text, and nothing where there is nothing to say?"""

from __future__ import annotations

import pytest

from dlkit.evaluation.seen import percent, seen, table
from dlkit.printing import run_summary

SEQUENCES = {
    "vocabulary": 20_000, "sequence_length": 412,
    "train": {"out_of_vocabulary": 0.011, "cut": 0.1, "word_vector_coverage": 0.93},
    "validation": {"out_of_vocabulary": 0.0212, "cut": 0.0984, "word_vector_coverage": 0.93},
}  # fmt: skip
JOINED = {
    "ngrams_ngrams": 143_210, "cnn_vocabulary": 20_000, "cnn_sequence_length": 412,
    "train": {"ngrams_out_of_vocabulary": 0.01, "cnn_out_of_vocabulary": 0.011, "cnn_cut": 0.1},
    "validation": {"ngrams_out_of_vocabulary": 0.0212, "cnn_out_of_vocabulary": 0.0, "cnn_cut": 0.0},
}  # fmt: skip


def test_sizes_and_rates_of_a_sequence_are_told_in_one_line_and_in_a_table() -> None:
    (one,) = seen({"preprocessing": SEQUENCES})
    assert one.line() == (
        "vocabulary 20,000 tokens · 2.1 % of held-out tokens unknown · texts cut at 412 tokens (9.8 %) · "
        "word vectors for 93.0 % of the vocabulary"
    )
    assert table([one]) == [
        ("vocabulary, tokens", ["20,000"]),
        ("longest sequence, tokens", ["412"]),
        ("share of the vocabulary with own word vectors", ["93.0 %"]),
        ("out-of-vocabulary tokens, training rows", ["1.1 %"]),
        ("out-of-vocabulary tokens, validation rows", ["2.1 %"]),
        ("texts cut to the longest sequence, training rows", ["10.0 %"]),
        ("texts cut to the longest sequence, validation rows", ["9.8 %"]),
    ]


def test_word_vectors_that_were_left_out_are_told_where_there_are_any() -> None:
    train = {**SEQUENCES["train"], "word_vectors_repeated": 1200.0}  # type: ignore[dict-item]  # of rates
    (one,) = seen({"preprocessing": {**SEQUENCES, "train": train}})
    assert one.line().endswith("of the vocabulary · 1,200 word vectors left out: their word had one before")
    assert ("own word vectors left out: their word had one before", ["1,200"]) in table([one])


def test_a_bound_on_ngrams_that_was_raised_is_told() -> None:
    train = {**JOINED["train"], "ngrams_raised_min_count": 7.0}  # type: ignore[dict-item]  # of rates
    parts = seen({"preprocessing": {**JOINED, "train": train}})
    assert parts[0].line().startswith("ngrams: 143,210 n-grams in 7 texts or more each, by max_features · 2.1 %")
    assert ("min_count, raised for max_features", ["7", "–"]) in table(parts)


def test_each_part_of_an_ensemble_has_its_own_line_and_column_and_noughts_are_left_out_of_the_line() -> None:
    parts = seen({"preprocessing": JOINED})
    assert [one.line() for one in parts] == [
        "ngrams: 143,210 n-grams · 2.1 % of held-out tokens unknown",
        "cnn: vocabulary 20,000 tokens",
    ]
    rows = dict(table(parts))
    assert rows["word n-grams"] == ["143,210", "–"]
    assert rows["texts cut to the longest sequence, validation rows"] == ["–", "0.0 %"]


def test_the_one_part_that_two_members_share_needs_no_name() -> None:
    shared = {"ngrams_ngrams": 7, "validation": {"ngrams_out_of_vocabulary": 0.5}}
    assert [one.line() for one in seen({"preprocessing": shared})] == ["7 n-grams · 50.0 % of held-out tokens unknown"]


@pytest.mark.parametrize(
    "preprocessing",
    [None, {}, {"features": 13}, {"features": 13, "train": {"missing": 0.1}}, {"train": {"out_of_vocabulary": 0.1}}],
)
def test_of_anything_but_texts_nothing_is_said(preprocessing: object, imdb: dict[str, object]) -> None:
    metrics = {**imdb, "artefacts": {}, "preprocessing": preprocessing}
    assert seen(metrics) == []
    assert "tokens" not in run_summary(metrics)


def test_the_summary_of_a_run_says_it_once(imdb: dict[str, object]) -> None:
    said = run_summary({**imdb, "artefacts": {}, "preprocessing": SEQUENCES})
    assert said.count("vocabulary 20,000 tokens · 2.1 %") == 1


@pytest.mark.parametrize(("share", "shown"), [(0.0, "0.0 %"), (1e-5, "< 0.1 %"), (0.0212, "2.1 %"), (1.0, "100.0 %")])
def test_a_small_share_is_not_none(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_both_languages_of_a_translation_have_a_line_with_what_is_cut() -> None:
    pairs = {
        "source_vocabulary": 600, "target_vocabulary": 600, "joint": 1, "longest_source": 48, "longest_target": 56,
        "train": {"source_out_of_vocabulary": 0.0, "source_cut": 0.0, "target_cut": 0.0},
        "validation": {
            "source_out_of_vocabulary": 0.0, "source_cut": 0.02, "target_out_of_vocabulary": 0.25, "target_cut": 0.03,
        },
    }  # fmt: skip
    parts = seen({"preprocessing": pairs})
    assert [one.line() for one in parts] == [
        "source: vocabulary 600 tokens · texts cut at 48 tokens (2.0 %)",
        "target: vocabulary 600 tokens · 25.0 % of held-out tokens unknown · texts cut at 56 tokens (3.0 %)",
    ]
    assert dict(table(parts))["longest sequence, tokens"] == ["48", "56"]
