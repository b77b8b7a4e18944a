"""Is a sentence that is cut by chance still the same sentence, cut otherwise in every epoch and never too long?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dlkit.contracts import Examples, Ragged, Split
from dlkit.data.batches import Batches
from dlkit.errors import SettingsError
from dlkit.inference.sentence_pieces import END, START, UNKNOWN
from dlkit.inference.translation import PairText, ended
from dlkit.preprocessing.cuts import Cuts
from dlkit.preprocessing.pairs import Pairs

TEXTS = [
    f"Zwei junge Männer {verb} im {place}." for verb in ("stehen", "sitzen") for place in ("Garten", "Freien")
] * 10
ODD = ["", " ", "中文 und Ω", "x" * 70, "Männer " * 100]


def strings(texts: Sequence[str]) -> np.ndarray:
    return np.array(texts, object)


@pytest.fixture(scope="module")
def transform() -> PairText:
    return Pairs(size=60, length=32).fit(Split({"de": strings(TEXTS)}, strings(TEXTS)), {"de": "text"})


def rows(ids: Ragged) -> list[list[int]]:
    return [part.tolist() for part in np.split(ids.values, ids.offsets[1:-1])]


def cut(transform: PairText, texts: Sequence[str], share: float, epoch: int = 0, longest: int = 64) -> list[list[int]]:
    return rows(Cuts(transform.target, texts, share=share, longest=longest)(np.random.default_rng(epoch)))


def test_nothing_passed_over_is_the_usual_cut(transform: PairText) -> None:
    texts = [*TEXTS, *ODD]
    assert cut(transform, texts, 0.0) == rows(ended(transform.target, strings(texts), 64))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_however_it_is_cut_it_says_the_same_and_ends(transform: PairText, share: float) -> None:
    pieces = transform.target
    usual = rows(ended(pieces, strings([*TEXTS, *ODD]), 2_000))
    found = cut(transform, [*TEXTS, *ODD], share, longest=2_000)
    assert found != usual
    for one, other in zip(found, usual, strict=True):
        assert one[-1] == END and one.count(END) == 1
        assert pieces.decode(one) == pieces.decode(other)
        assert one.count(UNKNOWN) <= other.count(UNKNOWN)


def test_more_is_cut_where_more_is_passed_over(transform: PairText) -> None:
    sizes = [sum(map(len, cut(transform, TEXTS, share))) for share in (0.0, 0.1, 0.3, 0.9)]
    assert sizes == sorted(set(sizes))


def test_epochs_differ_and_can_be_told_again(transform: PairText) -> None:
    assert cut(transform, TEXTS, 0.3, epoch=1) == cut(transform, TEXTS, 0.3, epoch=1)
    assert cut(transform, TEXTS, 0.3, epoch=1) != cut(transform, TEXTS, 0.3, epoch=2)


def test_a_sentence_that_would_be_too_long_is_cut_as_usual(transform: PairText) -> None:
    longest = max(map(len, rows(ended(transform.target, strings(TEXTS), 64))))
    found = cut(transform, [*TEXTS, *ODD], 0.99, longest=longest)
    usual = rows(ended(transform.target, strings([*TEXTS, *ODD]), longest))
    assert max(map(len, found)) == longest
    assert found[-1] == usual[-1]
    whole = [transform.target.decode(row) for row in usual]
    assert [transform.target.decode(row) for row in found] == whole


def batches(transform: PairText, epoch: int) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    split = Split({"de": strings(TEXTS)}, strings(TEXTS))
    examples = Pairs(size=60, dropout=0.3).examples(transform, split)
    encoded = Examples(
        examples.inputs, ended(transform.target, strings(TEXTS), transform.longest_target), examples.anew
    )
    made = Batches(encoded, 16, seed=5, tokens=120)
    made.epoch = epoch
    return list(made)  # type: ignore[arg-type]  # pairs, for there are targets


def test_a_training_sees_what_it_writes_one_place_later_and_other_cuts_in_each_epoch(transform: PairText) -> None:
    first, again, second = batches(transform, 0), batches(transform, 0), batches(transform, 1)
    for inputs, targets in first:
        assert (inputs["target"][:, 0] == START).all()
        there = inputs["target"][:, 1:] != 0
        np.testing.assert_array_equal(inputs["target"][:, 1:][there], targets[:, :-1][there])
        said = [transform.source.decode(row) for row in inputs["source"]]
        assert said == [transform.target.decode(row) for row in targets]
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(first, again, strict=True))
    assert sum(targets.astype(bool).sum() for _, targets in first) != sum(
        targets.astype(bool).sum() for _, targets in second
    )


def test_rows_that_are_judged_are_cut_as_usual(transform: PairText) -> None:
    split = Split({"de": strings(TEXTS)}, strings(TEXTS))
    plain, drawn = (Pairs(size=60, dropout=share).examples(transform, split) for share in (0.0, 0.3))
    assert plain.anew is None and drawn.anew is not None
    for first, second in zip(Batches(plain, 16), Batches(drawn, 16), strict=True):
        np.testing.assert_equal(first, second)


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"dropout": -0.1}, {"dropout": 0.1, "level": "word"}])
def test_a_wrong_setting_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"preprocessing\.dropout"):
        Pairs(**wrong)  # type: ignore[arg-type]
