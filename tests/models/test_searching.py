"""Does a search inside of a graph find what the plain search finds, with and without a cache?"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import pytest
from keras import ops
from test_translation_models import SIZES, WORDS, built

from dlkit.inference.decoding import Search, bounds
from dlkit.inference.sentence_pieces import END, SentencePieces
from dlkit.inference.sentences import SentenceAnswer
from dlkit.models.decoding import Decoder
from dlkit.training.answering import searching

LONGEST = SIZES["longest_target"]
Arrays = Mapping[str, np.ndarray]


def answer(beam: int, length_penalty: float = 1.0) -> SentenceAnswer:
    return SentenceAnswer(SentencePieces(tuple(map(chr, range(97, 97 + WORDS - 3)))), LONGEST, beam, length_penalty)


def sources() -> np.ndarray:
    dice = np.random.default_rng(4)
    rows = np.zeros((9, 8), np.int32)
    for row, length in zip(rows, (1, 7, 3, 5, 2, 7, 4, 6, 1), strict=True):
        row[:length] = dice.integers(4, WORDS + 1, length)
        row[length] = END
    return rows


class Steps:
    """A network, called piece by piece from Python."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.network = decoder, decoder.network

    def encode(self, source: np.ndarray) -> tuple[Arrays, Arrays]:
        state = self.network.encode(ops.convert_to_tensor(source))
        return arrays(state), arrays(self.network.first_cache(state, LONGEST))

    def step(self, pieces: np.ndarray, position: int, state: Arrays, cache: Arrays) -> tuple[np.ndarray, Arrays]:
        logits, cache = self.network.step(
            ops.convert_to_tensor(pieces), ops.convert_to_tensor(position), tensors(state), tensors(cache)
        )
        return np.asarray(self.decoder.log_probabilities(logits)), arrays(cache)


class Anew(Steps):
    """The same network without a cache: all that was written is read again at every step."""

    def encode(self, source: np.ndarray) -> tuple[Arrays, Arrays]:
        return {"source": source}, {"written": np.zeros((len(source), 0), np.int32)}

    def step(self, pieces: np.ndarray, position: int, state: Arrays, cache: Arrays) -> tuple[np.ndarray, Arrays]:
        written = np.concatenate([cache["written"], pieces[:, np.newaxis]], axis=1)
        logits = self.network({"source": state["source"], "target": written})[:, position]
        return np.asarray(self.decoder.log_probabilities(logits)), {"written": written}


def arrays(found: Mapping[str, keras.KerasTensor]) -> dict[str, np.ndarray]:
    return {name: np.asarray(tensor) for name, tensor in found.items()}


def tensors(given: Arrays) -> dict[str, keras.KerasTensor]:
    return {name: ops.convert_to_tensor(array) for name, array in given.items()}


@pytest.mark.parametrize(("beam", "penalty"), [(1, 1.0), (3, 0.6)])
@pytest.mark.parametrize("name", ["transformer", "gru_none", "copy"])
def test_a_graph_finds_what_the_plain_search_finds(name: str, beam: int, penalty: float) -> None:
    decoder = searching(built(name), answer(beam, penalty))
    expected = Search(beam=beam, length_penalty=penalty).run(Steps(decoder), sources(), LONGEST).outputs
    found = decoder.predict_on_batch({"source": sources()})
    np.testing.assert_array_equal(found[:, 1:], expected[:, 1:])
    np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=1e-4)
    assert len({tuple(row) for row in found[:, 1:]}) > 1


@pytest.mark.parametrize("search", [Search(beam=1), Search(beam=3)], ids=["greedy", "beam"])
@pytest.mark.parametrize("name", ["transformer", "post_norm", "lstm_additive", "copy"])
def test_a_cache_changes_no_translation(name: str, search: Search) -> None:
    decoder = searching(built(name), answer(search.beam))
    with_cache = search.run(Steps(decoder), sources()[:4], LONGEST)
    without = search.run(Anew(decoder), sources()[:4], LONGEST)
    np.testing.assert_array_equal(with_cache.ids, without.ids)
    np.testing.assert_allclose(with_cache.scores, without.scores, atol=1e-4)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_sentence_is_translated_as_it_is_alone(beam: int) -> None:
    decoder, rows = searching(built("transformer"), answer(beam)), sources()
    together = decoder.predict_on_batch(rows)
    alone = [decoder.predict_on_batch(row[np.newaxis, : (row > 0).sum()]) for row in rows]
    np.testing.assert_array_equal(together[:, 1:], np.concatenate(alone)[:, 1:])


@pytest.mark.parametrize("beam", [1, 3])
def test_neither_start_nor_unknown_nor_padding_is_written(beam: int) -> None:
    model = built("transformer")
    table = np.array(model.target_words.embeddings)
    table[[0, 1, 3]] *= 30  # by far the likeliest where they are not forbidden
    model.target_words.embeddings.assign(table)
    found = searching(model, answer(beam)).predict_on_batch(sources())[:, 1:]
    for row in found:
        length = (row > 0).sum()
        assert (row[:length] > 3).all() or length == 0
        assert not row[length:].any()


def test_bounds_are_those_of_the_plain_search() -> None:
    decoder = searching(built("gru_dot"), answer(1))
    np.testing.assert_array_equal(np.asarray(decoder.bounds(sources())), bounds(sources(), LONGEST))


def test_the_graph_is_made_once_for_all_numbers_of_rows_and_lengths() -> None:
    decoder, rows = searching(built("transformer"), answer(2)), sources()
    whole = decoder.predict_on_batch(rows)
    padded = np.pad(rows, [(0, 0), (0, 3)])
    np.testing.assert_allclose(decoder.predict_on_batch({"source": padded[:1]}), whole[:1], atol=1e-5)
    assert decoder.predict_function.experimental_get_tracing_count() == 1
