"""Does an answer of several parts give each part its own outputs, and come back from a file as it was?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlkit.inference.answers import ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.predictor import load_answer
from dlkit.inference.runs import ASSETS

AGE = ValueAnswer("age", "years", mean=40.0, scale=10.0, spread=20.0)
KIND = ClassAnswer(("cat", "cow", "dog"))
ANSWER = JointAnswer({"age": AGE, "gender": ClassAnswer(("female", "male")), "kind": KIND})
OUTPUTS = np.array([[1.0, 0.25, 0.5, 0.25, 0.25], [-0.5, 0.75, 0.125, 0.125, 0.75]])
"""age, gender, and three of kind."""


def test_outputs_are_split_by_the_units_of_each_part() -> None:
    parts = ANSWER.split(OUTPUTS)
    assert list(parts) == ["age", "gender", "kind"]
    np.testing.assert_array_equal(parts["age"], [[1.0], [-0.5]])
    np.testing.assert_array_equal(parts["gender"], [[0.25], [0.75]])
    np.testing.assert_array_equal(parts["kind"], [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]])


@pytest.mark.parametrize("width", [4, 6])
def test_outputs_of_another_width_are_refused(width: int) -> None:
    with pytest.raises(ValueError, match=rf"expected 5 outputs a row for \['age', 'gender', 'kind'\], got {width}"):
        ANSWER.split(np.zeros((2, width)))


def test_each_row_is_decoded_to_an_answer_a_part() -> None:
    first, second = ANSWER.decode(OUTPUTS)
    assert first == {
        "age": {"value": 50.0, "name": "age", "unit": "years"},
        "gender": {"label": "female", "score": 0.75, "probabilities": {"female": 0.75, "male": 0.25}},
        "kind": {"label": "cat", "score": 0.5, "probabilities": {"cat": 0.5, "cow": 0.25, "dog": 0.25}},
    }
    assert second["age"] == {"value": 35.0, "name": "age", "unit": "years"}
    json.dumps(first)  # plain types alone


def test_what_two_artefacts_must_agree_on_lies_side_by_side() -> None:
    expected = [[2.5, 0.75, 0.25, 0.5, 0.25, 0.25], [1.75, 0.25, 0.75, 0.125, 0.125, 0.75]]
    np.testing.assert_allclose(ANSWER.comparable(OUTPUTS), expected)


def test_two_answers_agree_where_every_part_does() -> None:
    ours = ANSWER.comparable(np.repeat(OUTPUTS[:1], 4, axis=0))
    changes = np.zeros((4, 5))
    changes[1, 0] = 0.2  # an age 2 years off: a tenth of a standard deviation
    changes[2, 1] = 0.5  # another gender
    changes[3, 2:] = [-0.2, 0.2, 0.0]  # another kind
    theirs = ANSWER.comparable(OUTPUTS[0] + changes)
    assert ANSWER.agrees(ours, theirs).tolist() == [True, False, False, False]
    near = ANSWER.comparable(OUTPUTS + np.array([0.05, 0.1, 0.05, 0.0, 0.05]))
    assert ANSWER.agrees(ANSWER.comparable(OUTPUTS), near).all()


def test_an_answer_comes_back_from_its_file(tmp_path: Path) -> None:
    assets = tmp_path / ASSETS
    assets.mkdir()
    ANSWER.save(assets)
    assert json.loads((assets / "answer.json").read_text(encoding="utf-8"))["kind"] == "joint"
    for loaded in (
        JointAnswer.load(json.loads((assets / "answer.json").read_text(encoding="utf-8"))),
        load_answer(tmp_path),
    ):
        assert loaded == ANSWER and list(loaded.parts) == list(ANSWER.parts)
        assert loaded.decode(OUTPUTS) == ANSWER.decode(OUTPUTS)


def test_a_file_without_parts_is_refused() -> None:
    with pytest.raises(TypeError, match="parts is a JSON object"):
        JointAnswer.load({"kind": "joint", "parts": ["age"]})
    with pytest.raises(KeyError):
        JointAnswer.load({"kind": "joint", "parts": {"age": {"kind": "joint"}}})
