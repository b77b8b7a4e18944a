"""Does a LiteRT file answer each row as if it were alone, whatever stands beside and before it?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Head, Ragged, Rows, Spec, Tensor
from dlkit.errors import RunError
from dlkit.export.litert import write_litert
from dlkit.inference.litert import ROWS_AT_ONCE, LiteRT
from dlkit.models import text

HEADS = {"answer": Head(3, "softmax")}
IDS = Tensor((None,), "int32")
LENGTHS = np.random.default_rng(0).integers(0, 150, ROWS_AT_ONCE + 60)
"""More rows than run at once, some of them empty, in no order."""
ROWS = [np.random.default_rng(row).integers(1, 51, length).astype(np.int32) for row, length in enumerate(LENGTHS)]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that sums over ids, in any order."""
    spec = Spec({"ngram_ids": IDS}, HEADS, {"ngrams": 50})
    return written(text.ngrams(spec), spec, tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = Spec({"ngram_ids": IDS, "ngram_weights": Tensor((None,))}, HEADS, {"ngrams": 50})
    return written(text.ngrams(spec), spec, tmp_path_factory.mktemp("weighed"))


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose file takes one row at a time."""
    spec = Spec({"word_ids": IDS}, HEADS, {"vocabulary": 50, "sequence_length": 150})
    return written(text.gru(spec, dimension=4, units=4), spec, tmp_path_factory.mktemp("recurrent"))


def written(model: keras.Model, spec: Spec, folder: Path) -> Path:
    dice = np.random.default_rng(7)
    model.set_weights([dice.normal(0, 0.3, weight.shape).astype(np.float32) for weight in model.get_weights()])
    for layer in model.layers:  # the kernel of n-grams has a row of zeros for padding
        if hasattr(layer, "kernel") and layer.kernel.shape[0] == 51:
            layer.kernel.assign(np.concatenate([np.zeros((1, 3), np.float32), layer.kernel.numpy()[1:]]))
    write_litert(folder / "model.tflite", model, spec.inputs)
    return folder / "model.tflite"


def alone(file: Path, inputs: Mapping[str, list[np.ndarray]]) -> np.ndarray:
    """Each row by an interpreter that has seen no other, without padding."""
    rows = zip(*inputs.values(), strict=True)
    answers = []
    for row in rows:
        batch = {
            name: one[None] if len(one) else np.zeros((1, 1), one.dtype) for name, one in zip(inputs, row, strict=True)
        }
        answers.append(LiteRT(file).run(batch))
    return np.concatenate(answers)


def ragged(rows: list[np.ndarray]) -> Ragged:
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return Ragged(np.concatenate([rows[0][:0], *rows]), offsets)


def test_rows_of_mixed_length_are_answered_in_their_order(sets: Path) -> None:
    together = LiteRT(sets).run({"ngram_ids": ragged(ROWS)})
    some = sorted({0, 1, 2, 255, 256, 257, len(ROWS) - 1, int(LENGTHS.argmin()), int(LENGTHS.argmax())})
    expected = alone(sets, {"ngram_ids": [ROWS[row] for row in some]})
    np.testing.assert_allclose(together[some], expected, atol=1e-6)
    assert np.abs(np.diff(together[some], axis=0)).max(axis=1).min() > 1e-4


def test_a_file_of_batch_1_answers_rows_of_mixed_length_in_their_order(recurrent: Path) -> None:
    artefact = LiteRT(recurrent)
    assert artefact.fixed_batch
    some = [row for row in ROWS[:40] if len(row)]
    together = artefact.run({"word_ids": ragged(some)})
    np.testing.assert_allclose(together, alone(recurrent, {"word_ids": some}), atol=1e-6)
    assert np.abs(np.diff(together, axis=0)).max(axis=1).min() > 1e-6


@pytest.mark.parametrize("widths", [(), (64, 512), (1_300,)])
def test_single_rows_of_alternating_lengths_and_batches_between_change_no_answer(
    sets: Path, widths: tuple[int, ...]
) -> None:
    lengths = [3, 63, 64, 65, 1, 0, 600, 2, 1_300, 5, 130, 64, 3]
    some = [
        np.random.default_rng(place).integers(1, 51, length).astype(np.int32) for place, length in enumerate(lengths)
    ]
    expected = alone(sets, {"ngram_ids": some})
    artefact = LiteRT(sets, widths=widths)
    for _ in range(2):
        singles = []
        for row in some:
            singles.append(artefact.run({"ngram_ids": ragged([row])}))
            if len(row) == 64:
                np.testing.assert_allclose(artefact.run({"ngram_ids": ragged(some)}), expected, atol=1e-5)
        np.testing.assert_allclose(np.concatenate(singles), expected, atol=1e-5)


@pytest.mark.parametrize("widths", [(), (512,)])
def test_values_beside_ids_keep_their_length(weighed: Path, widths: tuple[int, ...]) -> None:
    lengths = [3, 70, 64, 1, 300]
    dice = np.random.default_rng(1)
    ids = [dice.integers(1, 51, length).astype(np.int32) for length in lengths]
    values = [dice.random(length).astype(np.float32) for length in lengths]
    expected = alone(weighed, {"ngram_ids": ids, "ngram_weights": values})
    artefact = LiteRT(weighed, widths=widths)
    inputs: dict[str, np.ndarray | Rows] = {"ngram_ids": ragged(ids), "ngram_weights": ragged(values)}
    np.testing.assert_allclose(artefact.run(inputs), expected, atol=1e-5)
    for place in range(len(lengths)):
        one = {"ngram_ids": ragged(ids[place : place + 1]), "ngram_weights": ragged(values[place : place + 1])}
        np.testing.assert_allclose(artefact.run(one)[0], expected[place], atol=1e-5)


def test_no_rows_give_no_answers(sets: Path) -> None:
    assert LiteRT(sets).run({"ngram_ids": Ragged.from_lists([])}).shape == (0, 3)


def test_inputs_of_another_model_are_refused(sets: Path) -> None:
    with pytest.raises(RunError, match="it is of another model"):
        LiteRT(sets).run({"word_ids": ragged(ROWS[:2])})
