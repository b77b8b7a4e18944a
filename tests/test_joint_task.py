"""Does a task of several targets give each of them to the task it belongs to?"""

from __future__ import annotations

import re

import numpy as np
import pytest

from dlkit.contracts import Head, Split
from dlkit.data.columns import strings
from dlkit.errors import DataError, SettingsError
from dlkit.inference.answers import ClassAnswer, JointAnswer, ValueAnswer
from dlkit.tasks import Classification, Joint, Regression

FACES = Joint({"gender": Classification(), "age": Regression("years", target_scaling="standard")})
TARGETS = {"gender": strings(["male", "female", "male", "male"]), "age": np.array([20.0, 40.0, 30.0, 30.0])}


def split(targets: dict[str, np.ndarray]) -> Split:
    return Split({"x": np.zeros(4)}, targets)


def fitted(task: Joint = FACES, targets: dict[str, np.ndarray] = TARGETS) -> JointAnswer:
    return task.fit(split(targets), "value")


def test_each_target_is_fitted_by_its_own_task_in_alphabetical_order() -> None:
    spread = np.sqrt(50)
    assert fitted().parts == {
        "age": ValueAnswer("age", "years", 30.0, spread, spread),
        "gender": ClassAnswer(("female", "male")),
    }
    assert list(fitted().parts) == ["age", "gender"]


def test_each_target_has_a_head_by_its_name() -> None:
    assert FACES.heads(fitted()) == {"age": Head(1), "gender": Head(1, "sigmoid")}
    assert list(FACES.heads(fitted())) == ["age", "gender"]
    many = Joint({"kind": Classification(), "age": Regression()})
    three = {"kind": strings(["a", "b", "c", "a"]), "age": TARGETS["age"]}
    assert many.heads(fitted(many, three))["kind"] == Head(3, "softmax")


def test_targets_are_encoded_by_name() -> None:
    encoded = FACES.encode(fitted(), TARGETS)
    assert list(encoded) == ["age", "gender"]
    np.testing.assert_allclose(encoded["age"], [[-np.sqrt(2)], [np.sqrt(2)], [0], [0]], rtol=1e-6)
    np.testing.assert_array_equal(encoded["gender"], [[1], [0], [1], [1]])
    assert {column.dtype for column in encoded.values()} == {np.dtype(np.float32)}


def test_losses_and_metrics_are_those_of_the_tasks() -> None:
    task = Joint({"age": Regression(loss_name="huber"), "gender": Classification(loss_name="margin")})
    assert task.loss(fitted(task)) == {"age": "huber", "gender": "margin"}
    assert task.metrics(fitted(task)) == {"age": ["mae"], "gender": ["accuracy"]}
    assert FACES.loss(fitted()) == {"age": "mse", "gender": "binary_crossentropy"}
    assert (FACES.name, FACES.monitor) == ("joint", ("mean_error", "min"))


def test_numbers_are_classes_where_the_task_says_so() -> None:
    task = Joint({"smokes": Classification(), "age": Regression()})
    targets = {"smokes": np.array([0.0, 1.0, 2.5, 1.0]), "age": TARGETS["age"]}
    answer = fitted(task, targets)
    assert answer.parts["smokes"] == ClassAnswer(("0", "1", "2.5"))
    np.testing.assert_array_equal(task.encode(answer, targets)["smokes"], [0, 1, 2, 1])
    raw = task.raw(targets)
    assert raw["smokes"].tolist() == ["0", "1", "2.5", "1"] and raw["smokes"].dtype == object
    whole = task.raw({"smokes": np.array([3, -1]), "age": np.array([1, 2])})
    assert whole["smokes"].tolist() == ["3", "-1"] and whole["age"].dtype == np.float64


def test_numbers_written_as_text_are_numbers_where_the_task_says_so() -> None:
    targets = {"gender": TARGETS["gender"], "age": strings(["20", " 40", "3e1", "30.0"])}
    assert fitted(targets=targets) == fitted()
    np.testing.assert_array_equal(FACES.raw(targets)["age"], TARGETS["age"])


@pytest.mark.parametrize("field", ["old", "", "1,5", "1_0"])
def test_the_first_field_that_is_no_number_is_named(field: str) -> None:
    targets = {"gender": TARGETS["gender"], "age": strings(["20", "30", field, "young"])}
    message = f"The target 'age' is a number, and row 2 holds {field!r}, which is none"
    with pytest.raises(DataError, match=re.escape(message)):
        fitted(targets=targets)
    with pytest.raises(DataError, match=re.escape(message)):
        FACES.encode(fitted(), targets)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_class_that_is_missing_is_refused(value: float) -> None:
    with pytest.raises(DataError, match=rf"The target 'gender' is a class, and row 1 holds {value}"):
        FACES.raw({"gender": np.array([0.0, value]), "age": np.zeros(2)})


def test_the_data_must_have_all_targets_and_no_others() -> None:
    ages = {"age": TARGETS["age"]}
    others: list[tuple[object, str]] = [
        (ages, r"\['age'\]"), ({**TARGETS, "x": TARGETS["age"]}, r"\['age', 'gender', 'x'\]"),
        (TARGETS["age"], "one target"), (None, "one target"),
    ]  # fmt: skip
    for targets, there in others:
        with pytest.raises(DataError, match=rf"learns \['age', 'gender'\] together; the data has {there}.*age,gender"):
            FACES.raw(targets)  # type: ignore[arg-type]  # wrong on purpose


def test_a_target_that_cannot_be_learnt_is_refused_as_by_its_own_task() -> None:
    with pytest.raises(DataError, match="The target is 3 in all 4 training rows"):
        fitted(targets={**TARGETS, "age": np.full(4, 3.0)})
    with pytest.raises(DataError, match=r"have 1 class \(\['x'\]\)"):
        fitted(targets={**TARGETS, "gender": strings(["x"] * 4)})


def test_tasks_are_needed() -> None:
    with pytest.raises(SettingsError, match=r"task\.tasks: expected a task for each target.*got none"):
        Joint()


def test_weights_are_of_targets_and_above_0() -> None:
    assert Joint(FACES.tasks, {"age": 0.5}).weights == {"age": 0.5}
    with pytest.raises(SettingsError, match=r"task\.weights: there is no target 'agee'.*Did you mean 'age'"):
        Joint(FACES.tasks, {"agee": 1.0})
    for weight in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(SettingsError, match=rf"expected a number above 0 for 'age', got {weight}"):
            Joint(FACES.tasks, {"age": weight})
