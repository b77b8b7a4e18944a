"""Do the searches find what an exhaustive one would, end what never ends, and draw what they should?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest

from dlkit.errors import SettingsError
from dlkit.inference.decoding import (
    TEMPERATURES,
    Found,
    Search,
    beam_search,
    bounds,
    distinct,
    greedy,
    sampled,
    shares,
)
from dlkit.inference.sentence_pieces import END, START

PIECES = (END, 4, 5)
WIDTH = 6
SOURCES = np.array([[4, 5, 2], [5, 2, 0], [2, 0, 0]], np.int32)


class Remembers:
    """Chances of the next piece that depend on the source and on all pieces before; the cache is what was written."""

    def __init__(self, *, end: float = 0.0) -> None:
        self.end, self.asked = end, 0

    def encode(self, source: np.ndarray) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
        return {"source": source.sum(axis=1)}, {"written": np.zeros((len(source), 8), np.int64)}

    def step(
        self, pieces: np.ndarray, position: int, state: Mapping[str, np.ndarray], cache: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        self.asked += 1
        written = cache["written"].copy()
        written[:, position] = pieces
        rows = [
            self.chances(int(source), row[: position + 1]) for source, row in zip(state["source"], written, strict=True)
        ]
        return np.array(rows, np.float32), {"written": written}

    def chances(self, source: int, written: np.ndarray) -> np.ndarray:
        dice = np.random.default_rng([source, *written.tolist()])
        logits = np.full(WIDTH, -1e9)
        logits[list(PIECES)] = 2 * dice.normal(size=len(PIECES))
        logits[END] += self.end
        return logits - np.log(np.exp(logits).sum())


def score(steps: Remembers, source: np.ndarray, pieces: tuple[int, ...], alpha: float) -> float:
    """Of pieces without their end."""
    total, written = 0.0, [START]
    for piece in (*pieces, END):
        total += steps.chances(int(source.sum()), np.array(written))[piece]
        written.append(piece)
    return total / ((5 + len(pieces) + 1) / 6) ** alpha


def every(longest: int) -> list[tuple[int, ...]]:
    """All translations of at most `longest` pieces with the end."""
    return [row for length in range(longest) for row in itertools.product((4, 5), repeat=length)]


def texts(found: Found, row: int) -> list[tuple[int, ...]]:
    return [tuple(int(one) for one in ids if one) for ids in found.ids[row]]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_a_beam_as_wide_as_all_hypotheses_finds_the_best_of_all(alpha: float) -> None:
    steps = Remembers(end=-1.5)
    found = beam_search(steps, SOURCES, 4, beam=15, length_penalty=alpha)
    for row, source in enumerate(SOURCES):
        ranked = sorted(every(4), key=lambda pieces: -score(steps, source, pieces, alpha))
        assert texts(found, row) == ranked
        expected = [score(steps, source, pieces, alpha) for pieces in ranked]
        np.testing.assert_allclose(found.scores[row], expected, rtol=1e-5)


@pytest.mark.parametrize("beam", [2, 3])
def test_scores_are_those_of_the_translations_the_best_first(beam: int) -> None:
    steps = Remembers(end=-1.0)
    found = beam_search(steps, SOURCES, 7, beam=beam, length_penalty=0.8)
    for row, source in enumerate(SOURCES):
        assert len(set(texts(found, row))) == beam
        expected = [score(steps, source, pieces, 0.8) for pieces in texts(found, row)]
        np.testing.assert_allclose(found.scores[row], expected, rtol=1e-5)
        assert (np.diff(found.scores[row]) <= 0).all()


@pytest.mark.parametrize("search", [Search(beam=1), Search(beam=3, best=2), Search(beam=1, temperature=0.5, top_k=1)])
def test_a_row_does_not_depend_on_the_rows_beside_it(search: Search) -> None:
    together = search.run(Remembers(), SOURCES, 6).outputs
    alone = [
        search.run(Remembers(), row[np.newaxis, :length], 6).outputs
        for row, length in zip(SOURCES, (3, 2, 1), strict=True)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-6)


def test_greedy_takes_the_likeliest_each_time() -> None:
    steps = Remembers(end=-2.0)
    found = greedy(steps, SOURCES, 6, length_penalty=1.0)
    for row, source in enumerate(SOURCES):
        written = [START]
        while written[-1] != END and len(written) < 6:
            written.append(int(steps.chances(int(source.sum()), np.array(written)).argmax()))
        expected = tuple(piece for piece in written[1:] if piece != END)
        assert texts(found, row) == [expected]
        np.testing.assert_allclose(found.scores[row], [score(steps, source, expected, 1.0)], rtol=1e-5)


def test_a_step_is_asked_once_a_piece() -> None:
    for search in (Search(beam=1), Search(beam=4)):
        steps = Remembers(end=-1e6)
        search.run(steps, SOURCES, 7)
        assert steps.asked == 7


@pytest.mark.parametrize("search", [Search(beam=1), Search(beam=3), Search(beam=1, temperature=1.0)])
def test_what_never_ends_is_ended(search: Search) -> None:
    found = search.run(Remembers(end=-1e6), SOURCES, 5)
    assert ((found.ids[:, 0] > 0).sum(axis=1) == 4).all()
    assert not (found.ids == END).any()


def test_a_translation_is_at_most_three_times_as_long_and_ten_more() -> None:
    np.testing.assert_array_equal(bounds(SOURCES, 100), [19, 16, 13])
    np.testing.assert_array_equal(bounds(SOURCES, 15), [15, 15, 13])


def test_no_rows_have_no_translations() -> None:
    for search in (Search(beam=1), Search(beam=2)):
        assert search.run(Remembers(), SOURCES[:0], 5).outputs.shape == (0, 6)


def test_outputs_are_scores_and_ids_side_by_side() -> None:
    found = Found(np.array([[[4, 5], [6, 0]]], np.int32), np.array([[-0.5, -1.0]], np.float32))
    np.testing.assert_array_equal(found.outputs, np.array([[-0.5, 4, 5, -1.0, 6, 0]], np.float32))
    assert found.outputs.dtype == np.float32


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-3}])
def test_chance_without_a_choice_is_greedy(options: dict[str, float]) -> None:
    drawn = sampled(Remembers(), SOURCES, 6, count=2, **options)
    expected = greedy(Remembers(), SOURCES, 6)
    for row in range(len(SOURCES)):
        assert texts(drawn, row) == 2 * texts(expected, row)


def test_a_seed_draws_the_same_and_another_seed_others() -> None:
    rows = np.repeat(SOURCES[:1], 20, axis=0)
    first, again, other = (sampled(Remembers(), rows, 6, count=3, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.outputs, again.outputs)
    assert (first.outputs != other.outputs).any()


@pytest.mark.parametrize("options", [{"top_p": 0.9}, {"top_k": 10}, {"seed": 0}, {"top_k": 0, "top_p": 1.0}])
def test_what_belongs_to_chance_means_chance(options: dict[str, float]) -> None:
    rows = np.repeat(SOURCES[:1], 20, axis=0)
    found = Search(**options).run(Remembers(), rows, 6)
    expected = sampled(Remembers(), rows, 6, **options)
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert len({tuple(ids) for ids in found.ids[:, 0].tolist()}) > 1


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_at_no_temperature_is_written_what_is_forbidden(temperature: float) -> None:
    found = Search(temperature=temperature).run(Remembers(), np.repeat(SOURCES, 50, axis=0), 6)
    assert set(np.unique(found.ids).tolist()) <= {0, 4, 5}
    assert np.isfinite(found.scores).all()


def test_the_next_best_are_other_texts_as_long_as_there_are_any() -> None:
    ids = np.array([[[4, 0], [5, 0], [6, 0], [7, 0]], [[4, 0], [5, 0], [4, 5], [0, 0]]], np.int32)
    scores = np.array([[-1, -2, -3, -4], [-1, -2, -3, -np.inf]], np.float32)
    found = distinct(Found(ids, scores), 3, lambda row: "ab" if row in ([4, 0], [5, 0], [4, 5]) else str(row))
    np.testing.assert_array_equal(found.ids, [[[4, 0], [6, 0], [7, 0]], [[4, 0], [0, 0], [0, 0]]])
    np.testing.assert_array_equal(found.scores, [[-1, -3, -4], [-1, -np.inf, -np.inf]])


def test_a_beam_is_looked_through_for_other_texts() -> None:
    every = beam_search(Remembers(), SOURCES, 6, beam=6)
    found = Search(beam=6, best=3).run(Remembers(), SOURCES, 6, reading=lambda ids: sum(map(bool, ids)))
    for row in range(len(SOURCES)):
        lengths = [len(pieces) for pieces in texts(every, row)]
        assert [len(pieces) for pieces in texts(found, row)] == list(dict.fromkeys(lengths))[:3]


def test_pieces_are_drawn_as_often_as_they_are_likely() -> None:
    steps = Remembers()
    drawn = sampled(steps, np.repeat(SOURCES[:1], 4000, axis=0), 2, temperature=2.0, seed=3)
    logits = steps.chances(int(SOURCES[0].sum()), np.array([START])) / 2
    expected = np.exp(logits) / np.exp(logits).sum()
    counts = np.array([(drawn.ids[:, 0, 0] == piece).mean() for piece in (4, 5)])
    np.testing.assert_allclose(counts, expected[[4, 5]], atol=0.03)


def test_shares_leave_out_the_tail() -> None:
    logits = np.log(np.array([[0.1, 0.5, 0.15, 0.25]]))
    np.testing.assert_allclose(shares(logits), np.exp(logits))
    np.testing.assert_allclose(shares(logits, top_k=2), [[0, 2 / 3, 0, 1 / 3]])
    np.testing.assert_allclose(shares(logits, top_p=0.75), [[0, 2 / 3, 0, 1 / 3]])
    np.testing.assert_allclose(shares(logits, top_p=0.76), [[0, 0.5 / 0.9, 0.15 / 0.9, 0.25 / 0.9]])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beam": 0}, "beam"),
        ({"beam": 2.0}, "beam: expected a whole number, got 2.0"),
        ({"beam": "3"}, "beam: expected a whole number, got '3'"),
        ({"top_k": True}, "top_k: expected a whole number, got True"),
        ({"seed": 1.5}, "seed: expected a whole number, got 1.5"),
        ({"beam": 10**9}, "beam: expected a number from 1 to 256"),
        ({"beam": 8, "best": 10**9}, "best"),
        ({"length_penalty": 1e9}, "length_penalty"),
        ({"beam": 2, "best": 3}, "best"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": 1e8}, "temperature: expected a number from 0.001 to 1000, got 100000000.0"),
        ({"temperature": 1e-38}, "temperature.*beam=1"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"length_penalty": float("nan")}, "length_penalty"),
    ],
)
def test_a_search_that_cannot_be_is_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Search(**options)
