"""Is an artefact that answers wrongly always caught, and one that answers rightly never?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Columns
from dlkit.errors import DisagreementError
from dlkit.export.proof import AGREEMENT, TOLERANCE, prove, require
from dlkit.inference.answers import ClassAnswer, ValueAnswer
from dlkit.inference.forms import KNOWN, QUANTIZED
from dlkit.inference.sentence_pieces import SentencePieces
from dlkit.inference.sentences import SentenceAnswer

ROWS = 200
COLUMNS: Columns = {"x": np.zeros(ROWS)}
TWO = ClassAnswer(("neg", "pos"))
FIVE = ClassAnswer(("a", "b", "c", "d", "e"))
PRICE = ValueAnswer("price", "k$", mean=22.5, scale=9.0, spread=9.0)
LOG_PRICE = ValueAnswer("price", "k$", mean=3.0, scale=0.4, spread=9.0, logarithm=True)
Answer = ClassAnswer | ValueAnswer


def expected_of(answer: Answer) -> np.ndarray:
    rng = np.random.default_rng(0)
    if answer is TWO:
        return rng.uniform(0.02, 0.98, (ROWS, 1)).astype(np.float32)
    if answer is FIVE:
        return rng.dirichlet(np.ones(5), ROWS).astype(np.float32)
    return rng.standard_normal((ROWS, 1)).astype(np.float32)


def giving(outputs: np.ndarray) -> Callable[[Columns], np.ndarray]:
    """An artefact that gives `outputs`, whatever it is asked."""
    return lambda _: outputs


def one_nan(outputs: np.ndarray) -> np.ndarray:
    changed = outputs.copy()
    changed[7] = np.nan
    return changed


def one_row_off(outputs: np.ndarray) -> np.ndarray:
    changed = outputs.copy()
    changed[7] = changed[7] * 0.9 + 0.02
    return changed


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("answer", [TWO, FIVE, PRICE, LOG_PRICE], ids=["two", "five", "value", "log value"])
def test_equal_outputs_are_no_difference_for_any_artefact(answer: Answer, name: str, tmp_path: Path) -> None:
    expected = expected_of(answer)
    proof = prove(answer, expected, giving(expected.copy()), COLUMNS)
    assert (proof.rows, proof.max_abs_diff, proof.agreement) == (ROWS, 0.0, 1.0)
    require({name: proof}, tmp_path)


WRONG: dict[str, tuple[Answer, Callable[[np.ndarray], np.ndarray]]] = {
    "NaN everywhere": (TWO, lambda outputs: outputs * np.nan),
    "NaN in one row": (FIVE, one_nan),
    "infinity": (PRICE, lambda outputs: outputs + np.inf),
    "labels permuted": (TWO, lambda outputs: 1 - outputs),
    "classes rolled": (FIVE, lambda outputs: np.roll(outputs, 1, axis=1)),
    "rows in another order": (FIVE, lambda outputs: outputs[::-1]),
    "always the first row": (PRICE, lambda outputs: np.repeat(outputs[:1], len(outputs), axis=0)),
    "zeros": (TWO, np.zeros_like),
    "not scaled back": (PRICE, lambda outputs: outputs * 9 + 22.5),
    "logits for probabilities": (TWO, lambda outputs: np.log(outputs / (1 - outputs))),
    "one row a little off": (FIVE, one_row_off),
    "shifted values": (LOG_PRICE, lambda outputs: outputs + 0.01),
    "one row for all": (PRICE, lambda outputs: outputs[:1]),
    "a row too few": (TWO, lambda outputs: outputs[:-1]),
    "no rows": (TWO, lambda outputs: outputs[:0]),
    "a class too many": (FIVE, lambda outputs: np.concatenate([outputs, outputs[:, :1]], axis=1)),
    "a softmax for a sigmoid": (TWO, lambda outputs: np.concatenate([1 - outputs, outputs], axis=1) / 2),
}


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("name", ["keras", "saved_model", "tflite", "onnx"])
def test_a_wrong_artefact_is_caught(how: str, name: str, tmp_path: Path) -> None:
    answer, spoil = WRONG[how]
    expected = expected_of(answer)
    with np.errstate(all="ignore"):
        proof = prove(answer, expected, giving(spoil(expected)), COLUMNS)
    assert not proof.holds(name)
    with pytest.raises(DisagreementError, match=f"{name}: largest difference .*Do not deploy it") as error:
        require({"keras": prove(answer, expected, giving(expected), COLUMNS), name: proof}, tmp_path)
    assert error.value.exit_code == 3 and str(tmp_path) in str(error.value)


@pytest.mark.parametrize("name", QUANTIZED)
@pytest.mark.parametrize(
    "how", ["NaN in one row", "labels permuted", "rows in another order", "zeros", "a row too few"]
)
def test_quantization_excuses_no_wrong_artefact(how: str, name: str) -> None:
    answer, spoil = WRONG[how]
    expected = expected_of(answer)
    assert not prove(answer, expected, giving(spoil(expected)), COLUMNS).holds(name)


@pytest.mark.parametrize("name", TOLERANCE)
def test_each_artefact_is_held_to_its_own_tolerance(name: str) -> None:
    expected = np.full((ROWS, 1), 0.7, np.float64)
    within = prove(TWO, expected, giving(expected - 0.9 * TOLERANCE[name]), COLUMNS)
    beyond = prove(TWO, expected, giving(expected + 1.1 * TOLERANCE[name]), COLUMNS)
    assert within.max_abs_diff == pytest.approx(0.9 * TOLERANCE[name]) and not beyond.holds(name)
    assert within.holds(name) == (within.agreement == 1.0)


@pytest.mark.parametrize("name", KNOWN)
def test_each_artefact_is_held_to_its_own_share_of_equal_answers(name: str) -> None:
    """Rows near the border of two classes change sides by less than tolerances of quantized ones."""
    expected = np.full((1000, 1), 0.5 + 1.5e-4)
    least = AGREEMENT.get(name, 1.0)
    changed = expected.copy()
    changed[: round(1000 * (1 - least))] = 0.5 - 1.5e-4
    assert prove(TWO, expected, giving(changed), {"x": np.zeros(1000)}).holds(name)
    changed[-1] = 0.5 - 1.5e-4
    assert not prove(TWO, expected, giving(changed), {"x": np.zeros(1000)}).holds(name)


@pytest.mark.parametrize("name", KNOWN)
def test_rounding_at_the_very_border_fails_no_artefact(name: str) -> None:
    expected = np.full((1000, 1), 0.5 + 1e-6)
    assert prove(TWO, expected, giving(1 - expected), {"x": np.zeros(1000)}).holds(name)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_a_difference_of_values_does_not_depend_on_their_unit(unit: float) -> None:
    answer = ValueAnswer("price", "", mean=22.5 * unit, scale=9.0 * unit, spread=9.0 * unit)
    expected = expected_of(PRICE).astype(np.float64)
    proof = prove(answer, expected, giving(expected + 1e-3), COLUMNS)
    assert proof.max_abs_diff == pytest.approx(1e-3, rel=1e-6)


def test_a_score_that_sums_over_many_pieces_is_compared_as_a_share() -> None:
    answer, apart = SentenceAnswer(SentencePieces(("a",)), longest=2), np.array([[2e-4, 0, 0]])
    for score, difference in ((-0.5, 2e-4), (-40.0, 5e-6)):
        expected = np.array([[score, 4, 0]])
        proof = prove(answer, expected, giving(expected + apart), COLUMNS)
        assert proof.agreement == 1 and proof.max_abs_diff == pytest.approx(difference)
        assert proof.holds("tflite") == (difference < 1e-4)
