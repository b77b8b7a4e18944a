"""Are rows that are given to a finished run, or to a training that goes on from it, read as those it has learnt?"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from latent_runs import Made, made_once
from PIL import Image

import dlkit
from dlkit import finished
from dlkit.asking import items_from
from dlkit.catalog import entries, entry
from dlkit.catalog import load as loaded
from dlkit.contracts import Splits
from dlkit.errors import DataError, InputError, SettingsError
from dlkit.given_rows import rows_to_learn
from dlkit.inference import load
from dlkit.ordering import order
from dlkit.pipeline import prepare
from dlkit.run_folder import Run, make
from dlkit.settings import as_recorded, plain_settings, settings_of

RECIPE = '''"""Mine: what does it cost?"""
from dlkit import Recipe, Regression, TableData, TableFeatures, Training
from dlkit.models import dense

recipe = Recipe(
    data=TableData(target="price", split_seed=0),
    preprocessing=TableFeatures(),
    task=Regression(target_scaling="standard"),
    model=dense.mlp,
    training=Training(epochs=2, batch_size=16),
)
'''
PRICES = {"01": 1.0, "02": 5.0, "03": 9.0, "2A": 20.0}


def rows(count: int, codes: list[str]) -> Iterator[str]:
    yield "code,month,price"
    for row in range(count):
        code = codes[row % len(codes)]
        yield f"{code},{row % 12 + 1},{PRICES[code] + 0.01 * row}"


def table(path: Path, count: int, codes: list[str]) -> Path:
    path.write_text("\n".join(rows(count, codes)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("given")
    (folder / "mine.py").write_text(RECIPE, encoding="utf-8")
    data = table(folder / "own.csv", 80, [*PRICES])
    return make(order(str(folder / "mine.py"), data=data, changes=[], out=folder), say=lambda _: None)


@pytest.mark.parametrize(
    ("content", "figures"),
    [
        ("code,month,price\n01,3,1.5\n", {"mae", "mse", "rmse"}),
        ("code,month,price\n01,3,1.5\n02,4,1.5\n", {"mae", "mse", "rmse"}),
        ("code,month,price\n01,,1.5\n02,,5.5\n", {"mae", "mse", "rmse", "r2"}),
    ],
)
def test_rows_to_judge_may_be_few_and_alike_and_their_columns_empty(
    run: Run, tmp_path: Path, content: str, figures: set[str]
) -> None:
    (tmp_path / "few.csv").write_text(content, encoding="utf-8")
    said: list[str] = []
    found = finished.evaluate(run.folder, artefact="tflite", data=tmp_path / "few.csv", say=said.append)
    assert set(found["test"]) == figures and found["rows"] == content.count("\n") - 1
    assert "consider data.ignore" not in " ".join(said) and "all are judged" in said[-1]
    (tmp_path / "none.csv").write_text("code,month,price\n", encoding="utf-8")
    with pytest.raises(DataError, match="no rows below it"):
        finished.evaluate(run.folder, artefact="tflite", data=tmp_path / "none.csv", say=len)


def test_codes_that_all_look_like_numbers_are_words_with_their_zeros(run: Run, tmp_path: Path) -> None:
    data = table(tmp_path / "other.csv", 24, ["01", "02", "03"])
    splits = finished.Finished(run.folder).judged(data, len)
    assert splits.kinds == {"code": "category", "month": "number"} and len(splits.test) == 24
    assert set(np.asarray(splits.test.inputs["code"])) == {"01", "02", "03"}


def test_numbers_that_count_the_rows_here_are_numbers_all_the_same(run: Run, tmp_path: Path) -> None:
    data = table(tmp_path / "year.csv", 12, ["01", "02", "03"])
    assert sorted(np.asarray(finished.Finished(run.folder).judged(data, len).test.inputs["month"])) == [*range(1, 13)]


def test_a_column_that_is_not_there_is_refused_with_the_one_that_may_be_meant(run: Run, tmp_path: Path) -> None:
    data = table(tmp_path / "other.csv", 12, ["01"])
    data.write_text(data.read_text(encoding="utf-8").replace("month", "Month", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"lacks the columns \['month'\].*Did you mean 'month' by 'Month'"):
        items_from([], data, None, load(run.folder).kinds)
    with pytest.raises(DataError, match=r"lacks the columns \['month'\]"):
        finished.Finished(run.folder).judged(data, len)


def test_a_recipe_that_was_edited_since_splits_the_rows_as_it_did(run: Run) -> None:
    before = finished.Finished(run.folder).splits(None, len)
    file = Path(str(json.loads((run.folder / "run.json").read_text(encoding="utf-8"))["recipe_file"]))
    file.write_text(RECIPE.replace("split_seed=0", "split_seed=7, test_fraction=0.5"), encoding="utf-8")
    try:
        after = finished.Finished(run.folder).splits(None, len)
    finally:
        file.write_text(RECIPE, encoding="utf-8")
    np.testing.assert_array_equal(after.test.inputs["month"], before.test.inputs["month"])
    np.testing.assert_array_equal(np.asarray(after.test.targets), np.asarray(before.test.targets))


def test_figures_of_other_rows_do_not_stand_beside_those_of_the_run(run: Run, tmp_path: Path) -> None:
    data, said = table(tmp_path / "other.csv", 24, ["01", "02", "03"]), list[str]()
    found = finished.export(run.folder, "tflite", quantize="float16", data=data, say=said.append)
    assert "test" not in found and found["source"] == str(data) and any("would not compare" in one for one in said)
    again = finished.export(run.folder, "tflite", quantize="float16", data=None, say=said.append)
    assert "mae" in again["test"] and "source" not in again


@pytest.mark.parametrize(("given", "message"), [("label", "holds classes"), ("value", "holds numbers")])
def test_a_target_of_another_kind_than_the_task_is_refused(tmp_path: Path, given: str, message: str) -> None:
    text = RECIPE if given == "label" else RECIPE.replace("Regression", "Classification")
    text = text.replace('target_scaling="standard"', "") if given == "value" else text
    (tmp_path / "mine.py").write_text(text.replace('target="price"', f'target="code", task="{given}"'), "utf-8")
    codes = ["01", "02"] if given == "value" else ["01", "2A"]
    data = table(tmp_path / "own.csv", 40, codes)
    with pytest.raises(SettingsError, match=message):
        make(order(str(tmp_path / "mine.py"), data=data, changes=[], out=tmp_path), say=lambda _: None)


@pytest.mark.parametrize(
    ("data", "changes", "unit"),
    [(None, [], "k$"), ("own.csv", [], ""), ("own.csv", ["task.unit=EUR"], "EUR"), ("sample", [], "k$")],
)
def test_the_unit_of_a_dataset_is_not_that_of_own_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str | None, changes: list[str], unit: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "own.csv", 4, ["01", "02"])
    assert order("boston", data=data, changes=changes).recipe.task.unit == unit  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def latent(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    return made_once(tmp_path_factory.mktemp("latents"))


def houses(path: Path, count: int, **changed: str) -> Path:
    """Rows with the columns of the sample; `changed`: name of a column, or what stands in it, by the column."""
    columns = {"area_m2": "{row}.5", "rooms": "{few}", "age_years": "3{few}", "distance_km": "{few}.5"}
    columns |= {"crime_rate": "0.{few}", "heating": "gas"}
    fields = [changed.get(name, value) for name, value in columns.items()]
    rows = [",".join(fields).format(row=row, few=row % 7) for row in range(1, count + 1)]
    path.write_text("\n".join([",".join(changed.get(f"{name}_name", name) for name in columns), *rows]) + "\n", "utf-8")
    return path


def learnt(run: Made, place: Path) -> Splits:
    return rows_to_learn(run.prepared.recipe, place, start=run.folder, say=len)


def test_training_goes_on_with_columns_as_they_were_learnt(latent: Callable[[str], Made], tmp_path: Path) -> None:
    run = latent("table")
    assert run.prepared.transform.kinds["heating"] == "category"
    splits = learnt(run, houses(tmp_path / "own.csv", 80, rooms="{row}", heating="", age_years=""))
    assert splits.kinds == run.prepared.transform.kinds
    prepared = prepare(run.prepared.recipe, splits, start=run.folder)
    assert prepared.train.inputs["row"].shape == (len(splits.train), len(run.prepared.answer.features))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"heating_name": "oven", "rooms": ""},
            r"lacks the columns \['heating'\] that the model reads; it has .*'oven'",
        ),
        ({"rooms": "about {few}"}, "line 2, column 'rooms': expected a number, got 'about 1'"),
    ],
)
def test_training_does_not_go_on_with_other_columns(
    latent: Callable[[str], Made], tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        learnt(latent("table"), houses(tmp_path / "own.csv", 80, **changed))


def digits(folder: Path, names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for level in range(60 // len(names)):
            Image.new("L", (8, 8), level + 70 * number).save(folder / name / f"{level}.png")
    return folder


def test_pictures_are_no_rows_of_a_table(latent: Callable[[str], Made], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lacks the columns .*'heating'.* it has \['image'\]"):
        learnt(latent("table"), digits(tmp_path / "own", "3"))


@pytest.mark.parametrize(("case", "names"), [("conditional", "34"), ("conditional", "134"), ("joint", "34")])
def test_training_goes_on_with_a_part_of_the_classes(
    latent: Callable[[str], Made], tmp_path: Path, case: str, names: str
) -> None:
    run = latent(case)
    splits = learnt(run, digits(tmp_path / "own", names))
    prepared = prepare(run.prepared.recipe, splits, start=run.folder)
    assert prepared.answer.labels == tuple("0123456789") and prepared.spec.sizes["classes"] == 10  # type: ignore[union-attr]
    assert prepared.build().count_params() == run.prepared.build().count_params()
    if case == "conditional":
        assert {*np.asarray(prepared.train.inputs["label"])} == {*map(int, names)}


@pytest.mark.parametrize("case", ["conditional", "joint"])
def test_training_does_not_go_on_with_other_classes(latent: Callable[[str], Made], tmp_path: Path, case: str) -> None:
    said = r"knows the classes '0', .*'9', and here are others: 'x' \(20 rows\)\. Call them as the run does"
    with pytest.raises(DataError, match=said):
        learnt(latent(case), digits(tmp_path / "own", "34x"))


@pytest.mark.parametrize(("case", "other"), [("vae", "conditional"), ("conditional", "vae")])
def test_a_model_with_labels_does_not_go_on_without(latent: Callable[[str], Made], case: str, other: str) -> None:
    recipe = latent(other).prepared.recipe
    with pytest.raises(SettingsError, match=rf"--from .*{case}.*: its model reads (no )?labels, and this"):
        rows_to_learn(recipe, "sample", start=latent(case).folder, say=len)


def test_few_rows_judge_a_latent_model_of_tables(latent: Callable[[str], Made], tmp_path: Path) -> None:
    data = houses(tmp_path / "few.csv", 5, area_m2="{row}", age_years="")
    found = finished.evaluate(latent("table").folder, artefact="tflite", data=data, say=len)
    assert found["rows"] == 5 and found["test"]["mse"] > 0  # type: ignore[index]


def test_class_folders_judge_a_run_that_learnt_from_a_csv(latent: Callable[[str], Made], tmp_path: Path) -> None:
    shutil.copytree(latent("conditional").folder, tmp_path / "1")
    record = json.loads((tmp_path / "1" / "run.json").read_text(encoding="utf-8"))
    changes = [*record["changes"], "data.target=digit", "data.image=file"]
    (tmp_path / "1" / "run.json").write_text(json.dumps({**record, "changes": changes}), encoding="utf-8")
    said: list[str] = []
    splits = finished.Finished(tmp_path / "1").judged(digits(tmp_path / "own", "34"), said.append)
    assert {*splits.test.inputs["digit"]} == {"3", "4"} and len(splits.test) == 60
    assert any("data.image=file and data.target=digit does not matter here" in one for one in said)


OWN_LAYER = """
import keras

@keras.saving.register_keras_serializable("mine")
class Gate(keras.layers.Layer):
    def call(self, inputs):
        return inputs * keras.ops.sigmoid(inputs)

def gated(spec, *, units: int = 4):
    model = dense.mlp(spec, units=(units,))
    inputs = model.inputs[0]
    return keras.Model(model.inputs, model.layers[-1](Gate()(keras.layers.Dense(units)(inputs))))
"""


def test_layers_of_an_own_recipe_are_known_to_whoever_asks_for_its_network(tmp_path: Path) -> None:
    before, after = RECIPE.split("\n\nrecipe")
    file = tmp_path / "gated.py"
    file.write_text(f"{before}\n{OWN_LAYER}\nrecipe{after}".replace("dense.mlp,", "gated,"), encoding="utf-8")
    data = table(tmp_path / "own.csv", 80, [*PRICES])
    run = make(order(str(file), data=data, changes=[], out=tmp_path), say=lambda _: None)

    def forget() -> None:  # as in a new process
        del keras.saving.get_custom_objects()["mine>Gate"], sys.modules["dlkit_recipe_gated"]

    forget()
    assert any(layer.name == "gate" for layer in dlkit.keras_model(run.folder).layers)
    forget()
    proven = finished.verify(run.folder, data=None, say=len)["artefacts"]
    assert {entry["agreement"] for entry in proven.values()} == {1.0}


def test_a_run_says_where_its_rows_are_whatever_the_folder_it_was_made_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    table(Path("own.csv"), 80, [*PRICES])
    changes = ["data.target=price", "training.epochs=1"]
    run = make(order("boston", data="own.csv", changes=changes, out=tmp_path), say=lambda _: None)
    assert run.folder.is_absolute()
    monkeypatch.chdir(tmp_path)
    assert len(finished.Finished(run.folder).splits(None, len).train)


def test_settings_of_preprocessing_are_those_of_the_run_that_training_went_on_from(tmp_path: Path) -> None:
    changes = ["data.sample=digits", "preprocessing.binarise=static", "preprocessing.draw_seed=7", "training.epochs=1"]
    first = make(order("vae", model="mlp", data="sample", changes=changes, out=tmp_path), say=lambda _: None)
    on = order("vae", model="iwae", data="sample", changes=["training.epochs=1"], out=tmp_path, start=first.folder)
    second = make(on, say=lambda _: None)
    read = finished.Finished(second.folder).recipe().preprocessing
    assert (read.binarise, read.draw_seed) == ("static", 7)


@pytest.mark.parametrize("recipe", [one.name for one in entries()])
def test_settings_that_were_recorded_are_read_as_they_were(recipe: str) -> None:
    whole = loaded(entry(recipe))
    for model in (whole.default_model, *whole.variants):
        one = whole.with_model(model)
        if not one.members:
            plain = json.loads(json.dumps(plain_settings(settings_of(one))["preprocessing"]))
            assert as_recorded(one, "preprocessing", plain).preprocessing == one.preprocessing
