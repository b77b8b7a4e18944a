"""Do a task's encoding and its answer undo each other, for every kind of target?"""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Head, Split
from dlkit.errors import DataError, SettingsError
from dlkit.inference.answers import ClassAnswer, ValueAnswer
from dlkit.inference.predictor import load_answer
from dlkit.inference.runs import ASSETS
from dlkit.tasks import Classification, Regression


def labels(*values: str) -> np.ndarray:
    column = np.empty(len(values), object)
    column[:] = values
    return column


def split(targets: object) -> Split:
    assert isinstance(targets, np.ndarray)
    return Split({"x": np.zeros(len(targets))}, targets)


FORTY_SIX = tuple(f"topic {number:02}" for number in range(46))


@pytest.mark.parametrize("scaling", ["none", "standard", "log"])
@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e9])
def test_decoding_undoes_encoding_of_values(scaling: str, unit: float) -> None:
    values = unit * np.array([5.0, 50.0, 13.3, 22.5, 8.1])
    task = Regression(target_scaling=scaling)  # type: ignore[arg-type]  # parametrised
    answer = task.fit(split(values), "price")
    encoded = task.encode(answer, values)
    assert encoded.shape == (5, 1) and encoded.dtype == np.float32
    np.testing.assert_allclose(answer.values(encoded), values, rtol=1e-5)
    assert [row["value"] for row in answer.decode(encoded)] == pytest.approx(values.tolist(), rel=1e-5)


def test_standard_scaling_gives_mean_0_and_deviation_1_of_the_training_targets() -> None:
    values = np.random.default_rng(0).normal(300, 25, 200)
    task = Regression(target_scaling="standard")
    encoded = task.encode(task.fit(split(values), "y"), values)
    assert encoded.mean() == pytest.approx(0, abs=1e-5) and encoded.std() == pytest.approx(1, abs=1e-5)


def test_log_scaling_gives_mean_0_and_deviation_1_of_the_logarithms_and_answers_above_0() -> None:
    values = np.exp(np.random.default_rng(0).normal(3, 2, 200))
    task = Regression(target_scaling="log")
    answer = task.fit(split(values), "y")
    encoded = task.encode(answer, values)
    assert encoded.mean() == pytest.approx(0, abs=1e-5) and encoded.std() == pytest.approx(1, abs=1e-5)
    assert (answer.values(np.array([[-9.0], [0.0], [9.0]])) > 0).all()


def test_log_scaling_needs_targets_above_0_in_training_and_bears_others_later() -> None:
    task = Regression(target_scaling="log")
    with pytest.raises(DataError, match="needs targets above 0, the smallest is -1"):
        task.fit(split(np.array([1.0, -1.0])), "y")
    answer = task.fit(split(np.array([1.0, 2.0])), "y")
    assert np.isfinite(task.encode(answer, np.array([0.0, -5.0]))).all()


@pytest.mark.parametrize("value", [0.0, 7.5, 1e12])
@pytest.mark.parametrize("scaling", ["none", "standard", "log"])
def test_a_constant_target_is_refused(value: float, scaling: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"The target is {value:g} in all 9 training rows: there is nothing")):
        Regression(target_scaling=scaling).fit(split(np.full(9, value)), "y")  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_target_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(DataError, match="missing or infinite in 1 of 3 training rows"):
        Regression().fit(split(np.array([1.0, 2.0, value])), "y")


@pytest.mark.parametrize("scaling", ["none", "standard", "log"])
def test_two_answers_are_compared_in_deviations_of_the_training_targets(scaling: str) -> None:
    task, values = Regression(target_scaling=scaling), np.array([10.0, 20.0, 30.0])  # type: ignore[arg-type]
    answer = task.fit(split(values), "y")
    compared = answer.comparable(task.encode(answer, values))
    assert compared.shape == (3, 1)
    np.testing.assert_allclose(np.diff(compared[:, 0]), 10 / values.std(), rtol=1e-5)
    assert answer.agrees(compared, compared + 1e-4).all() and not answer.agrees(compared, compared + 1.0).any()


def test_two_classes_are_one_sigmoid_and_targets_of_0_and_1() -> None:
    task = Classification()
    answer = task.fit(split(labels("pos", "neg", "pos")), "label")
    assert answer.labels == ("neg", "pos") and task.heads(answer) == {"answer": Head(1, "sigmoid")}
    assert task.loss(answer) == "binary_crossentropy"
    encoded = task.encode(answer, labels("pos", "neg", "neg"))
    assert encoded.tolist() == [[1], [0], [0]] and encoded.dtype == np.float32
    assert [row["label"] for row in answer.decode(encoded)] == ["pos", "neg", "neg"]


def test_46_classes_are_a_softmax_and_targets_of_class_numbers() -> None:
    task = Classification()
    answer = task.fit(split(labels(*FORTY_SIX[::-1], "topic 03")), "topic")
    assert answer.labels == FORTY_SIX and task.heads(answer) == {"answer": Head(46, "softmax")}
    encoded = task.encode(answer, labels("topic 45", "topic 00"))
    assert encoded.tolist() == [45, 0] and encoded.dtype == np.int32
    assert [row["label"] for row in answer.decode(np.eye(46)[encoded])] == ["topic 45", "topic 00"]


def test_class_numbers_and_one_hot_rows_give_the_same_loss() -> None:
    """The lecture notes one-hot their 46 topics; class numbers are the same mathematics in 1/46 of the memory."""
    rng = np.random.default_rng(0)
    outputs = rng.dirichlet(np.ones(46), 20).astype(np.float32)
    task = Classification()
    answer = task.fit(split(labels(*FORTY_SIX)), "topic")
    numbers = task.encode(answer, labels(*rng.choice(FORTY_SIX, 20)))
    sparse = keras.losses.get(task.loss(answer))(numbers, outputs)
    one_hot = keras.losses.categorical_crossentropy(np.eye(46, dtype=np.float32)[numbers], outputs)
    np.testing.assert_allclose(sparse, one_hot, rtol=1e-6)


def test_one_hot_targets_are_a_setting_with_a_loss_of_their_own() -> None:
    task = Classification(targets="one_hot")
    answer = task.fit(split(labels("c", "a", "b")), "topic")
    encoded = task.encode(answer, labels("b", "b", "c"))
    assert encoded.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 1]] and encoded.dtype == np.float32
    assert task.loss(answer) == "categorical_crossentropy"
    two = task.fit(split(labels("a", "b")), "topic")
    assert task.encode(two, labels("b")).tolist() == [[1]] and task.loss(two) == "binary_crossentropy"


def test_balanced_weights_make_every_class_count_alike() -> None:
    targets = labels(*"a" * 6, *"b" * 3, "c")
    task = Classification(class_weights="balanced")
    answer = task.fit(split(targets), "topic")
    weights = task.class_weight(answer, targets)
    assert weights == pytest.approx({0: 10 / 18, 1: 10 / 9, 2: 10 / 3})
    numbers = task.encode(answer, targets).tolist()
    assert weights is not None and sum(weights[number] for number in numbers) == pytest.approx(len(targets))
    assert Classification().class_weight(answer, targets) is None


@pytest.mark.parametrize("options", [{"class_weights": "equal"}, {"class_weights": None}, {"targets": "dense"}])
def test_settings_of_a_classification_that_do_not_exist_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"task.{next(iter(options))}: expected"):
        Classification(**options)  # type: ignore[arg-type]  # parametrised


def test_a_label_never_seen_in_training_is_named() -> None:
    task = Classification()
    answer = task.fit(split(labels("cat", "dog")), "animal")
    with pytest.raises(DataError, match=r"Labels \['cow'\] do not occur in the training rows, which have \['cat'"):
        task.encode(answer, labels("cat", "cow"))


def test_a_single_class_is_refused() -> None:
    with pytest.raises(DataError, match=r"1 class \(\['cat'\]\); classification needs at least 2"):
        Classification().fit(split(labels("cat", "cat")), "animal")


@pytest.mark.parametrize("task", [Classification(), Regression()])
@pytest.mark.parametrize("targets", [None, {"a": np.zeros(3), "b": np.zeros(3)}])
def test_rows_without_one_target_are_refused(task: Classification | Regression, targets: object) -> None:
    with pytest.raises(DataError, match="one target a row"):
        task.fit(Split({"x": np.zeros(3)}, targets), "y")  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize(
    "options", [{"loss_name": "rmse"}, {"target_scaling": "minmax"}, {"loss_name": None}, {"target_scaling": ""}]
)
def test_settings_that_do_not_exist_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"task.{next(iter(options))}: expected"):
        Regression(**options)  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_a_loss_is_one_that_keras_knows(loss: str) -> None:
    task = Regression(loss_name=loss)  # type: ignore[arg-type]  # parametrised
    assert callable(keras.losses.get(task.loss(task.fit(split(np.array([1.0, 2.0])), "y"))))


@pytest.mark.parametrize(
    "answer",
    [
        ClassAnswer(("neg", "pos")),
        ClassAnswer(("größe", "line\nbreak", "日本", " space ", '"quoted"')),
        ClassAnswer(FORTY_SIX),
        ValueAnswer("price", "k$", 22.5, 9.1, 9.1, logarithm=True),
        ValueAnswer("y", mean=1e-9, scale=1e12, spread=0.1),
    ],
)
def test_an_answer_comes_back_equal_from_its_json(answer: ClassAnswer | ValueAnswer, tmp_path: Path) -> None:
    (tmp_path / ASSETS).mkdir()
    answer.save(tmp_path / ASSETS)
    assert load_answer(tmp_path) == answer
    if isinstance(answer, ClassAnswer):
        assert len((tmp_path / ASSETS / "labels.txt").read_text(encoding="utf-8").splitlines()) == len(answer.labels)
