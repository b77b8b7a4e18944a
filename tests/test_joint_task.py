"""Does a task of several targets give each of them to the task it belongs to?"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from dlkit.contracts import Head, Spec, Split, Splits
from dlkit.data.columns import strings
from dlkit.data.images import ImageData
from dlkit.errors import DataError, SettingsError
from dlkit.export.onnx import OnnxModel, write_onnx
from dlkit.inference.answers import ClassAnswer, JointAnswer, ValueAnswer
from dlkit.models import images
from dlkit.pipeline import prepare, train
from dlkit.preprocessing.images import Images
from dlkit.recipe import Recipe
from dlkit.tasks import Classification, Joint, Regression
from dlkit.tasks import readable as readable_by
from dlkit.training.fit import outputs
from dlkit.training.settings import Training

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


YEARS, HALVES = np.array([20.0, 40.0, 30.0, 30.0]), np.array([0.0, 1.0, 0.0, 1.0])
SEX = strings(["f", "m", "f", "m"])


def readable(targets: dict[str, np.ndarray], task: Joint = FACES) -> Splits:
    return task.readable(Splits(*[split(targets)] * 3, {"x": "number"}, "own", "own.csv", "sha256:0"))


@pytest.mark.parametrize("sex", [SEX, HALVES], ids=["labels", "0 and 1"])
def test_columns_of_other_names_are_taken_by_their_kind_with_a_note(sex: np.ndarray) -> None:
    found = readable({"sex": sex, "years": YEARS})
    assert found.notes == ("columns are taken by their kind: 'sex' as 'gender', 'years' as 'age'",)
    for part in (found.train, found.validation, found.test):
        assert isinstance(part.targets, dict) and list(part.targets) == ["age", "gender"]
        np.testing.assert_array_equal(part.targets["age"], YEARS)
        assert len(set(part.targets["gender"])) == 2
    (only,) = readable({"age": YEARS, "sex": sex}).notes
    assert only == "columns are taken by their kind: 'sex' as 'gender'"
    assert readable(TARGETS).notes == ()


@pytest.mark.parametrize(("targets", "task"), [
    ({"years": YEARS, "height": YEARS}, FACES),
    ({"a": HALVES, "b": HALVES}, FACES),
    ({"a": SEX, "b": SEX}, FACES),
    ({"a": YEARS, "b": YEARS}, Joint({"age": Regression(), "height": Regression()})),
    ({"a": YEARS, "b": SEX, "c": SEX}, FACES),
], ids=["numbers", "either", "labels", "alike", "three"])  # fmt: skip
def test_columns_whose_kinds_leave_a_choice_are_refused_with_a_way_on(
    targets: dict[str, np.ndarray], task: Joint
) -> None:
    names = ",".join(sorted(task.tasks))
    ways = rf"whose values tell which is which \('age' is a number, .*rename them in the file: {names}\."
    with pytest.raises(DataError, match=rf"the data has {re.escape(str(sorted(targets)))}\. Name 2 columns .*{ways}"):
        readable(targets, task)


RECIPE = '''"""How old, and of which gender?"""

import keras

from dlkit import Classification, ImageData, Images, Joint, Recipe, Regression, Training


def net(spec):
    inputs = keras.Input(spec.inputs["pixels"].shape, dtype="uint8", name="pixels")
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    heads = {name: keras.layers.Dense(one.units, one.activation, name=name) for name, one in spec.heads.items()}
    return keras.Model(inputs, {name: head(x) for name, head in heads.items()})


recipe = Recipe(
    data=ImageData(None, target="age,gender", sample="people"),
    preprocessing=Images(size=16),
    task=Joint({"age": Regression("years", target_scaling="standard"), "gender": Classification()}),
    model=net,
    training=Training(epochs=1, batch_size=16, augment=("flip",), tensorboard=False),
)
'''


def test_a_table_with_names_of_its_own_becomes_a_run_that_shows_each_answer(cli, alone: Path) -> None:
    Path("mine.py").write_text(RECIPE, encoding="utf-8")
    random, lines = np.random.default_rng(0), ["photo,years,sex"]
    for row in range(60):
        Image.fromarray(random.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(f"{row}.png")
        lines.append(f"{row}.png,{20 + row},{'f' if row % 2 else 'm'}")
    Path("people.csv").write_text("\n".join(lines), encoding="utf-8")
    ended = cli("run", "mine.py", "--data", "people.csv")
    assert ended.code == 2 and "data.target='age'" in ended.message and "sex, years" in ended.message
    ended = cli("run", "mine.py", "--data", "people.csv", "--set", "data.target=years,sex", "--json")
    assert ended.code == 0, ended.err
    found = ended.document
    assert {"age_mae", "gender_accuracy"} <= found["test"].keys()
    assert "columns are taken by their kind: 'years' as 'age', 'sex' as 'gender'" in found["data"]["notes"]
    assert [(row["target"], row["label"]) for row in found["per_class"]] == [("gender", "f"), ("gender", "m")]
    plots = {path.stem for path in Path(found["run"], "plots").iterdir()}
    assert {
        "age_largest_errors", "gender_least_certain", "gender_grad_cam", "gender_confusion", "filters", "augmented",
    } <= plots  # fmt: skip
    again = cli("evaluate", "mine", "--json")
    assert again.code == 0, again.err
    assert again.document["test"]["age_mae"] == pytest.approx(found["test"]["age_mae"], rel=1e-4)


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


def two_answers(spec: Spec) -> keras.Model:
    inputs = keras.Input(spec.inputs["pixels"].shape, name="pixels")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    heads = {name: keras.layers.Dense(one.units, one.activation, name=name) for name, one in spec.heads.items()}
    return keras.Model(inputs, {name: head(mean) for name, head in heads.items()})


@pytest.mark.parametrize("weights", [{}, {"age": 3.0}, {"age": 0.5, "gender": 4.0}], ids=str)
def test_a_loss_without_a_weight_counts_once_in_training(weights: dict[str, float]) -> None:
    recipe = Recipe(
        data=ImageData(None, target="age,gender", sample="people"),
        preprocessing=Images(size=8),
        task=Joint(FACES.tasks, weights),
        model=two_answers,
        training=Training(epochs=1, batch_size=256, tensorboard=False),
    )
    prepared = prepare(recipe, recipe.data.load("sample", say=lambda _: None))
    (epoch,) = train(prepared, seed=0, say=lambda _: None).trained.history
    parts = {name: epoch[f"val_{name}_loss"] for name in ("age", "gender")}
    assert epoch["val_loss"] == pytest.approx(sum(weights.get(name, 1) * one for name, one in parts.items()), rel=1e-4)
    assert min(parts.values()) > 0.1, "otherwise a weight would tell nothing"


@pytest.mark.parametrize("name", ["größe", "age in years", "_age", ""])
def test_what_tensorflow_takes_for_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"is also the name of an output: expected letters A to z"):
        Joint({name: Regression(), "gender": Classification()})


@pytest.mark.parametrize("name", ["label", "value", "warning", "file"])
def test_a_name_that_answers_have_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"answers have '{name}' for something else"):
        Joint({name: Regression(), "gender": Classification()})


def test_several_answers_have_an_onnx_form(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    recipe = Recipe(
        data=ImageData(None, target="age,gender", sample="people"),
        preprocessing=Images(size=8),
        task=FACES,
        model=partial(images.cnn, filters=2, units=4),
        training=Training(epochs=1, batch_size=256, tensorboard=False),
    )
    prepared = prepare(recipe, readable_by(recipe.task, recipe.data.load("sample", say=lambda _: None)))
    model = train(prepared, seed=0, say=lambda _: None).trained.model
    write_onnx(tmp_path / "model.onnx", model, prepared.transform.tensors)
    rows = prepared.splits.test.inputs
    made = OnnxModel(tmp_path / "model.onnx", prepared.transform).outputs(rows)
    assert made.shape[1] == 2 and made == pytest.approx(outputs(model, prepared.served), abs=1e-5)
