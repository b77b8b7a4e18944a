"""Does the command line stay light until it has something heavy to do, and does misuse end at once?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

HEAVY = ("tensorflow", "keras", "sklearn", "matplotlib", "tensorflow_datasets", "keras_hub")
_WATCHED = f"""
import sys
from dlkit.cli import main
try:
    main()
finally:
    loaded = {{name.partition(".")[0] for name in sys.modules}}
    print("loaded:", *sorted(loaded & set({HEAVY!r})), file=sys.stderr)
"""

RECIPE = '''"""Own recipe: what does a house cost?"""

import keras
import tensorflow as tf
from keras import layers

from dlkit import Recipe, Regression, TableData, TableFeatures


def model(spec, *, units: int = 8):
    return keras.Sequential([layers.Dense(units), layers.Dense(1)])


recipe = Recipe(data=TableData("boston_housing"), preprocessing=TableFeatures(), task=Regression(), model=model)
'''


@pytest.fixture
def watched(process):
    """A command in its own process, which must not have loaded anything heavy."""

    def call(*arguments, **options):
        ended = process(*arguments, python=("-c", _WATCHED), **options)
        said, _, loaded = ended.err.rpartition("loaded:")
        assert loaded.split() == []
        return type(ended)(ended.code, ended.out, said)

    return call


def test_help_lists_all_commands_without_tensorflow(watched):
    ended = watched("--help")
    assert ended.code == 0
    for command in ("list", "show", "run", "predict", "evaluate", "export", "verify", "bench", "serve", "data", "copy"):
        assert f"\n  {command} " in ended.out


@pytest.mark.parametrize("command", ["run", "predict", "serve"])
def test_help_of_a_command_needs_no_tensorflow(watched, command):
    ended = watched(command, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: dlkit {command}") or f" {command} [OPTIONS]" in ended.out


def test_list_reads_recipes_without_tensorflow(watched):
    ended = watched("list", "--json")
    assert ended.code == 0
    assert {row["recipe"] for row in json.loads(ended.out)["recipes"]} >= {"boston", "imdb"}


def test_show_gives_settings_without_tensorflow(watched):
    ended = watched("show", "imdb", "--json")
    assert ended.code == 0
    assert ended.document["settings"]["training"]["batch_size"] == 512


def test_show_of_an_own_recipe_that_imports_keras_does_not_load_it(watched, alone):
    (alone / "mine.py").write_text(RECIPE, encoding="utf-8")
    ended = watched("show", "mine.py", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["models"] == ["model"]
    assert ended.document["settings"]["model"] == {"units": 8}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "Did you mean 'run'?"),
        (["run", "imbd"], "Did you mean 'imdb'?"),
        (["run", "imdb", "--model", "mlpp"], "Did you mean 'mlp'?"),
        (["run", "imdb", "--set", "training.epohcs=3"], "Did you mean 'epochs'?"),
        (["run", "imdb", "--set", "training.epochs=abc"], "training.epochs: expected a whole number, got 'abc'"),
        (["run", "imdb", "--epochs", "0"], "--epochs: expected 1 or more, got 0"),
        (["run", "imdb", "--seed", "-1"], "--seed: expected a whole number from 0"),
        (["run", "imdb", "--epoch", "3"], "--epochs"),
        (["export", "imdb", "--format", "tflite", "--quantize", "int9"], "Did you mean 'int8'?"),
        (["predict", "imdb", "a text", "--artefact", "tflit"], "Did you mean 'tflite'?"),
        (["predict", "imdb", "a text"], "Make one with: dlkit run"),
        (["run"], "Missing argument"),
        (["data", "imbd"], "Did you mean 'imdb'?"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_hint_before_anything_heavy(watched, arguments, said):
    ended = watched(*arguments)
    assert ended.code == 2
    assert said in ended.message
    assert ended.out == ""


def test_predict_answers_without_tensorflow(watched, runs: Path):
    ended = watched("predict", "imdb", "A wonderful film", "--json")
    assert ended.code == 0, ended.err
    (answer,) = ended.document["answers"]
    assert answer["label"] in ("neg", "pos")


def test_predict_from_a_csv_answers_without_tensorflow(watched, runs: Path, alone: Path):
    (alone / "houses.csv").write_text("area_m2,rooms,heating\n80,3,gas\n120,4,oil\n", encoding="utf-8")
    ended = watched("predict", "boston", "--file", "houses.csv", "--json")
    assert ended.code == 0, ended.err
    assert len(ended.document["answers"]) == 2
