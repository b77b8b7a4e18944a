"""Does `--set stage.name=value` change that setting to a value of its type, and say what does not fit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from dlkit.contracts import Spec, Splits
from dlkit.errors import SettingsError
from dlkit.preprocessing.tables import TableFeatures
from dlkit.recipe import Recipe
from dlkit.settings import as_changes, parse, settings_of, with_settings, with_values
from dlkit.tasks import Regression
from dlkit.training.settings import Training


@dataclass(frozen=True)
class Rows:
    """Data with a setting of each kind."""

    path: Path | None = None
    columns: tuple[str, ...] = ()
    shuffle: bool = False

    def load(self, *_: object, **__: object) -> Splits:
        raise NotImplementedError


def network(
    spec: Spec,
    *,
    units: tuple[int, ...] = (64, 64),
    dropout: float = 0.0,
    api: Literal["functional", "subclass"] = "functional",
    members: int | None = None,
    anything: object = None,
    other: Spec | None = None,
    callback: object = None,
) -> tuple[object, ...]:
    """A model function that gives back what it was called with."""
    return units, dropout, api, members, anything


RECIPE = Recipe(Rows(), TableFeatures(), Regression(unit="k$"), partial(network, units=(16,)), Training())


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5", int, 5),
        ("-5", int, -5),
        ("10_000", int, 10_000),
        ("1e-3", float, 0.001),
        ("5", float, 5.0),
        ("true", bool, True),
        ("No", bool, False),
        ("0", bool, False),
        ("some text", str, "some text"),
        ("", str, ""),
        ("none", int | None, None),
        ("", float | None, None),
        ("3", int | None, 3),
        ("None", Path | None, None),
        ("a/b", Path | None, Path("a/b")),
        ("mae", Literal["mse", "mae"], "mae"),
        ("2", Literal[1, 2], 2),
        ("32,16", tuple[int, ...], (32, 16)),
        ("(32, 16,)", tuple[int, ...], (32, 16)),
        ("[8]", tuple[int, ...], (8,)),
        ("", tuple[int, ...], ()),
        ("age, size m2", tuple[str, ...], ("age", "size m2")),
        ("Length (cm)", tuple[str, ...], ("Length (cm)",)),
        ("[age, Length (cm)]", tuple[str, ...], ("age", "Length (cm)")),
        ("0.5,1", tuple[float, ...], (0.5, 1.0)),
        ('"Length, cm",x', tuple[str, ...], ("Length, cm", "x")),
        ('5" pipe,x', tuple[str, ...], ('5" pipe', "x")),
    ],
)
def test_a_value_is_read_as_its_type(text: str, kind: object, value: object) -> None:
    read = parse(text, kind, "stage.name")
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("five", int, "stage.name: expected a whole number, got 'five'"),
        ("5.0", int, "stage.name: expected a whole number, got '5.0'"),
        ("", int, "stage.name: expected a whole number, got ''"),
        ("none", int, "stage.name: expected a whole number, got 'none'"),
        ("1,5", float, "stage.name: expected a number, got '1,5'"),
        ("nan", float, "stage.name: expected a number, got 'nan'"),
        ("-inf", float, "stage.name: expected a number, got '-inf'"),
        ("maybe", bool, "stage.name: expected true or false, got 'maybe'"),
        ("2", bool, "expected true or false"),
        ("maee", Literal["mse", "mae"], "unknown value 'maee'. Did you mean 'mae'"),
        ("3", Literal[1, 2], "unknown value '3'"),
        ("32,x", tuple[int, ...], "expected a whole number, got 'x'"),
        ("x", int | None, "expected a whole number, got 'x'"),
        ("{}", dict[str, int], "which --set cannot give"),
    ],
)
def test_a_value_of_another_type_is_refused(text: str, kind: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse(text, kind, "stage.name")


@pytest.mark.parametrize(
    ("change", "stage", "name", "value"),
    [
        ("data.path=x.csv", "data", "path", Path("x.csv")),
        ("data.columns=a,b", "data", "columns", ("a", "b")),
        ("preprocessing.scaling=minmax", "preprocessing", "scaling", "minmax"),
        ("task.unit=k€ = 1000 €", "task", "unit", "k€ = 1000 €"),
        ("model.units=8,8", "model", "units", (8, 8)),
        ("model.members=4", "model", "members", 4),
        ("model.anything=text", "model", "anything", "text"),
        ("model.callback=text", "model", "callback", "text"),
        (" training.epochs = 7 ", "training", "epochs", 7),
        ("training.patience=3", "training", "patience", 3),
    ],
)
def test_a_change_changes_that_setting_and_no_other(change: str, stage: str, name: str, value: object) -> None:
    before, after = settings_of(RECIPE), settings_of(with_settings(RECIPE, [change]))
    assert after[stage].pop(name) == value != before[stage].pop(name)
    assert after == before


def test_all_settings_stand_in_pipeline_order_with_the_values_of_a_partial() -> None:
    settings = settings_of(RECIPE)
    assert list(settings) == ["data", "preprocessing", "task", "model", "training"]
    assert settings["model"]["units"] == (16,) and settings["task"]["unit"] == "k$"


def test_changes_reach_the_model_and_the_last_one_counts() -> None:
    changed = with_settings(RECIPE, ["model.units=1,2", "model.dropout=0.5", "model.units=3"])
    assert changed.model(None) == ((3,), 0.5, "functional", None, None)
    assert RECIPE.model(None) == ((16,), 0.0, "functional", None, None), "the recipe itself stays as it was"


def test_changes_to_a_model_keep_its_name() -> None:
    assert with_settings(RECIPE, ["model.units=1"]).default_model == RECIPE.default_model == "network"
    assert with_values(RECIPE, {"model": {"dropout": 0.1}}).default_model == "network"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs=3", "expected stage.name=value, e.g. training.epochs=5"),
        ("training.epochs", "expected stage.name=value"),
        ("", "expected stage.name=value"),
        ("=", "expected stage.name=value"),
        ("trainin.epochs=3", "there is no stage 'trainin'. Did you mean 'training'"),
        ("training.epoch=3", "training has no setting 'epoch'. Did you mean 'epochs'"),
        ("training.=3", "training has no setting ''"),
        ("model.unit=3", "model has no setting 'unit'. Did you mean 'units'"),
        ("model.spec=3", "model has no setting 'spec'"),
        ("task.name=other", "task has no setting 'name'"),
        ("model.other=1", r"model.other: it takes Spec \| None, which --set cannot give. Set it in the recipe"),
        ("training.epochs=0", "training.epochs: expected 1 or more, got 0"),
        ("preprocessing.scaling=robust", "preprocessing.scaling: unknown value 'robust'"),
    ],
)
def test_a_change_that_does_not_fit_is_refused_with_the_nearest_name(change: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        with_settings(RECIPE, [change])


@pytest.mark.parametrize(
    ("text", "expected"), [("age:2,gender:0.5", {"age": 2.0, "gender": 0.5}), (" a : 1 ,", {"a": 1.0}), ("", {})]
)
def test_pairs_of_name_and_value_make_a_mapping(text: str, expected: dict[str, float]) -> None:
    assert parse(text, Mapping[str, float], "task.weights") == expected


@pytest.mark.parametrize(("text", "message"), [("age=2", "expected name:value pairs"), ("age:x", "expected a number")])
def test_pairs_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"task.weights: {message}"):
        parse(text, Mapping[str, float], "task.weights")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"training.epochs": 3, "model.units": (8, 4)}, ["training.epochs=3", "model.units=8,4"]),
        ({"training": {"epochs": 3, "clip": None}, "model": {}}, ["training.epochs=3", "training.clip=None"]),
        ({"task": {"weights": {"a": 1, "b": 0.5}}}, ["task.weights=a:1,b:0.5"]),
        ({"task.weights": {"a": 1, "b": 0.5}}, ["task.weights=a:1,b:0.5"]),
        ({"a": {"training": {"epochs": 2}}, "a.model": {"units": 5}}, ["a.training.epochs=2", "a.model.units=5"]),
        ({"training": 5}, ["training=5"]),
        ({}, []),
    ],
)  # fmt: skip
def test_settings_of_python_are_those_of_the_command_line(settings: dict[str, object], expected: list[str]) -> None:
    assert as_changes(settings) == expected


def test_settings_by_stage_reach_the_recipe_and_a_wrong_stage_is_told() -> None:
    changed = with_settings(RECIPE, as_changes({"model": {"units": (8, 4)}, "data": {"shuffle": True}}))
    assert settings_of(changed)["model"]["units"] == (8, 4) and settings_of(changed)["data"]["shuffle"] is True
    with pytest.raises(SettingsError, match=r"there is no stage 'trainig'.*training"):
        with_settings(RECIPE, as_changes({"trainig": {"epochs": 3}}))


@pytest.mark.parametrize(
    "names", [("Length, cm", "x"), ("(cm)",), ("(a", "b)"), ('the "best"', "[x]"), ("a",), (), ("two\nlines", "b")]
)
def test_names_given_in_python_arrive_as_they_are(names: tuple[str, ...]) -> None:
    (change,) = as_changes({"data": {"columns": names}})
    assert settings_of(with_settings(RECIPE, [change]))["data"]["columns"] == names
