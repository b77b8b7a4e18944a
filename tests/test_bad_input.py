"""Does every bad input end in one clear message and the documented exit code, with nothing half-written or lost?

Commands that fail before training cost nothing; those that would train are stopped there by `no_training`.
"""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest

from dlkit.asking import items_from, recent_from
from dlkit.errors import InputError, TrainingError

HEAD = "area,heating,price\n"
ROWS = "".join(f"{40 + 3 * i}.5,{'gas' if i % 3 else 'oil'},{20 + i * 1.5}\n" for i in range(60))
BALANCED = ("--set", "training.balance=true", "--set", "task.class_weights=balanced")
FEW = ("--set", "data.per_class=9")
OWN = ("--epochs", "1", "--set", "training.folds=0", "--set", "data.target=price")
REACHED = "training was reached"


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are accepted end here instead of in a training."""
    from dlkit import run_folder

    def train(*_: object, **__: object) -> None:
        raise TrainingError(REACHED)

    monkeypatch.setattr(run_folder, "train", train)


# Rows to train on


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        pytest.param(b"", 1, "rows.csv: the file is empty", id="empty"),
        pytest.param(HEAD, 1, "no rows below it", id="header alone"),
        pytest.param("\n\n\n", 1, "nothing but blank lines", id="blank lines"),
        pytest.param(f"{HEAD}1,gas,3\n", 1, "expected at least 10 rows with a target, got 1", id="1 row"),
        pytest.param(f"{HEAD}{ROWS}1,2\n", 1, "line 62: expected 3 fields as in the header, got 2", id="ragged"),
        pytest.param(f"area,heating,cost\n{ROWS}", 2, "no such column. Known: area, cost, heating", id="no target"),
        pytest.param(ROWS, 1, "line 1: expected column names, got numbers", id="no header"),
        pytest.param(f"{HEAD}{'1,gas,5' * 1}\n" + "2,oil,5\n" * 40, 1, "the target is 5 on all", id="one value"),
        pytest.param(f"{HEAD}{ROWS}1,gas,cheap\n", 1, "column 'price': expected a number, got 'cheap'", id="text"),
        pytest.param(f"{HEAD}{ROWS}inf,gas,3\n", 1, "line 62, column 'area': 'inf' is infinite", id="infinite input"),
        pytest.param(f"{HEAD}{ROWS}1,gas,-inf\n", 1, "'-inf' is infinite", id="infinite target"),
        pytest.param((HEAD + ROWS).encode() + b"\0\0", 1, "byte 0x00 does not occur in text", id="binary"),
        pytest.param(b"PK\x03\x04" + os.urandom(100), 1, "a zip or Excel file", id="Excel"),
        pytest.param(f"{HEAD}{ROWS}nan,gas,3\n,oil,nan\n", 1, REACHED, id="missing values are handled"),
        pytest.param(f"{HEAD}{ROWS}1,é,3\n".encode("latin-1"), 1, REACHED, id="Latin-1 is read"),
        pytest.param(b"\xef\xbb\xbf" + (HEAD + ROWS).encode(), 1, REACHED, id="a BOM is read"),
        pytest.param((HEAD + ROWS).replace(",", ";").replace("\n", "\r\n"), 1, REACHED, id="semicolons are read"),
    ],
)
def test_a_table_is_refused_with_its_reason_or_taken(cli, alone: Path, no_training: None, *, content, code, said):
    (alone / "rows.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = cli("run", "boston", "--data", "rows.csv", *OWN)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.message
    assert not (alone / "saved_models").exists()


def test_what_was_done_about_odd_rows_is_said(cli, alone: Path, no_training: None):
    (alone / "rows.csv").write_bytes(f"{HEAD}{ROWS}nan,é,3\n1,gas,\n".encode("latin-1"))
    said = cli("run", "boston", "--data", "rows.csv", *OWN).err
    assert "not UTF-8; it was read as Windows-1252" in said
    assert "missing values in area (1)" in said
    assert "1 rows without a price were left out" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\nhello,pos\n", "expected at least 10 texts to learn from, got 1"),
        ("text,label\n" + "".join(f"film {i},pos\n" for i in range(40)), "expected at least 2 classes, got only 'pos'"),
        ("text,label\n" + ",pos\n,neg\n" * 20, "expected at least 10 texts to learn from, got 0"),
        ("text,label\n" + "".join(f"{'😀' * i},{'pos' if i % 2 else 'neg'}\n" for i in range(1, 50)), "emoji"),
        ("text,label\n" + "".join(f"a film,{'pos' if i % 2 else 'neg'}\n" for i in range(50)), "different texts"),
    ],
)
def test_texts_that_teach_nothing_are_refused(cli, alone: Path, no_training: None, content: str, said: str):
    (alone / "texts.csv").write_text(content, encoding="utf-8")
    ended = cli("run", "imdb", "--data", "texts.csv", "--epochs", "1")
    assert ended.code == 1
    assert said in ended.message


def texts_of_2000_classes(folder: Path) -> tuple[str, ...]:
    rows = [f"what {i % 2000} and {i % 7} say,c{i % 2000}" for i in range(6000)]
    (folder / "texts.csv").write_text("\n".join(["text,label", *rows, ""]), encoding="utf-8")
    words = [f"preprocessing.{name}" for name in ("order=1", "min_count=1", "opening=0", "closing=0")]
    settings = [part for setting in (*words, "training.refit=false") for part in ("--set", setting)]
    return ("run", "imdb", "--model", "ngrams", "--data", "texts.csv", "--epochs", "1", *settings)


def test_2000_classes_of_three_texts_are_learnt_and_proven(cli, alone: Path):
    ended = cli(*texts_of_2000_classes(alone), "--json")
    assert ended.code == 0, ended.err
    assert all(entry["agreement"] == 1 for entry in ended.document["artefacts"].values())
    assert ended.document["test"]["accuracy"] > 10 / 2000  # ten times what a guess has


def test_classes_whose_weights_do_not_fit_into_memory_end_a_run_before_anything_is_written(
    cli, alone: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("dlkit.models.memory.free_memory", lambda: 10_000_000)
    ended = cli(*texts_of_2000_classes(alone))
    assert ended.code == 2
    assert "n-grams for each of 2,000 outputs take" in ended.message
    assert "10.0 MB of memory are free. Take fewer n-grams: --set preprocessing.max_features=" in ended.message
    assert not (alone / "saved_models").exists()


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("nowhere.csv", 4, "no such file or folder"),
        ("x" * 300, 4, "cannot be looked at"),
        ("", 2, "Is a shell variable not set?"),
        ("empty", 4, "expected a CSV or TSV file; in this folder: none"),
        ("unreadable.csv", 4, "cannot be read"),
        ("/dev/null", 4, "not a regular file"),
    ],
)
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_data_that_is_not_there_ends_with_4(cli, alone: Path, *, path: str, code: int, said: str, as_json):
    (alone / "empty").mkdir()
    # Reading this one fails for root as well.
    (alone / "unreadable.csv").symlink_to("/proc/self/mem")
    ended = cli("run", "boston", "--data", path, *OWN, *as_json)
    assert ended.code == code
    assert said in ended.message
    if as_json:
        assert ended.document == {"error": ended.message, "exit_code": code}
    assert not (alone / "saved_models").exists()


def test_a_dataset_that_is_nowhere_ends_with_4_and_the_ways_on(cli, monkeypatch: pytest.MonkeyPatch):
    from dlkit.data import locate
    from dlkit.errors import DataNotFoundError

    def download(*_: object, **__: object) -> None:
        raise DataNotFoundError("there is no network")

    monkeypatch.setattr(locate, "download", download)
    ended = cli("run", "imdb")
    assert ended.code == 4
    for way in ("$DLKIT_DATA is not set", "there is no network", "--data PATH", "--data sample", "--download"):
        assert way in ended.message


# Recipes, models and settings


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "boton"], 2, "Did you mean 'boston'?"),
        (["run", "nowhere/mine.py"], 2, "There is no recipe file nowhere/mine.py"),
        (["run", "x" * 300 + ".py"], 2, "There is no recipe file"),
        (["run", "boston", "--model", "ensembel"], 2, "Did you mean 'ensemble'?"),
        (["run", "boston", "--set", "trainning.epochs=2"], 2, "Did you mean 'training'?"),
        (["run", "boston", "--set", "training.epochs"], 2, "expected stage.name=value"),
        (["run", "boston", "--set", "training.epochs=2.5"], 2, "expected a whole number, got '2.5'"),
        (["run", "boston", "--set", "training.learning_rate=fast"], 2, "expected a number, got 'fast'"),
        (["run", "boston", "--set", "training.learning_rate=nan"], 2, "expected a number, got 'nan'"),
        (["run", "boston", "--set", "training.refit=maybe"], 2, "expected true or false, got 'maybe'"),
        (["run", "boston", "--set", "training.optimizer=adma"], 2, "Did you mean 'adam'?"),
        (["run", "boston", "--set", "training.batch_size=0"], 2, "expected 1 or more, got 0"),
        (["run", "boston", "--seed", "4294967296"], 2, "--seed: expected a whole number from 0"),
        (["run", "boston", "--seed", "one"], 2, "is not a valid integer"),
        (["run", "boston", "--data", "sample", "--set", "model.units=0"], 2, "model.units"),
        (["run", "boston", "--data", "sample", "--set", "model.activation=rleu", *OWN[:4]], 2, "rleu"),
        (["run", "boston", "--data", "sample", "--set", "training.folds=100000"], 2, "training.folds"),
        (
            ["run", "cifar10", "--data", "sample", *BALANCED],
            2,
            "training.balance=true and task.class_weights=balanced both make up for rare classes",
        ),
        *[
            (["run", "cifar10", "--data", "sample", *FEW, "--set", setting], 2, "data.per_class leaves so many")
            for setting in ("training.refit=true", "training.folds=2")
        ],
        (
            ["run", "imdb", "--model", "ensemble", "--data", "sample", "--set", "training.folds=2"],
            2,
            "An ensemble is not trained in folds",
        ),
        (["copy", "boston", "."], 2, "give a name for your recipe"),
        (["run", "boston", "--data", "caf\udce9.csv"], 2, "--data: expected a name in UTF-8"),
        (["run", "boston", "--set", "data.target=caf\udce9"], 2, "--set: expected a name in UTF-8"),
        (["run", "boston", "--data", "sample", "--set", "training.clip=inf"], 2, "expected a number, got 'inf'"),
        (["copy", "boston", "nowhere/mine.py"], 2, "There is no folder nowhere"),
        (["predict", "", "text"], 2, "No complete run of ''"),
        (["predict", "a review instead of a run " * 20], 2, "The first argument is a run folder or a recipe's name"),
        (["verify", "imbd"], 2, "No complete run of 'imbd'"),
        (["evaluate", "./saved_models/imdb/7"], 2, "There is no run folder"),
        (["bench", "."], 1, "holds no run.json"),
    ],
)
def test_what_does_not_exist_or_fit_is_refused_with_a_hint(cli, alone: Path, arguments, code: int, said: str):
    ended = cli(*arguments)
    assert ended.code == code
    assert said in ended.message
    assert not (alone / "saved_models").exists()


def test_unknown_run_gets_the_nearest_known_name(cli, runs: Path):
    assert "Did you mean 'imdb'?" in cli("predict", "imbd", "text").message


BROKEN = {
    "syntax": ('"""Why?"""\n\nrecipe = (\n', "SyntaxError"),
    "raises": ('"""Why?"""\n\nrates = {}\nrates["none"]\n', "KeyError: 'none', line 4"),
    "leaves": ('"""Why?"""\n\nimport sys\n\nsys.exit(3)\n', "SystemExit: 3, line 5"),
    "misspelt": ('"""Why?"""\n\nfrom dlkit import Recip\n', "ImportError"),
    "nothing": ('"""Why?"""\n', "expected `recipe = Recipe(...)`, got nothing of that name"),
    "silent": ("recipe = 1\n", "no docstring"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_recipe_file_shows_its_real_error_and_line(cli, alone: Path, name: str):
    content, said = BROKEN[name]
    (alone / "mine.py").write_text(content, encoding="utf-8")
    for command in (["show", "mine.py"], ["run", "mine.py", "--data", "sample"]):
        ended = cli(*command)
        assert ended.code == 1
        assert said in ended.message
        assert "mine.py" in ended.message


def test_broken_recipes_hide_no_other_in_the_list(cli, alone: Path, monkeypatch: pytest.MonkeyPatch):
    from dlkit import catalog

    shelf = Path(shutil.copytree(catalog._folder(), alone / "apps", ignore=shutil.ignore_patterns("__pycache__")))
    for name, (content, _) in BROKEN.items():
        (shelf / f"{name}.py").write_text(content, encoding="utf-8")
    monkeypatch.setattr(catalog, "_folder", lambda: shelf)
    ended = cli("list", "--json")
    assert ended.code == 0
    rows = {row["recipe"]: row for row in ended.document["recipes"]}
    assert rows.keys() >= {"boston", "imdb", *BROKEN}
    for name, (_, said) in BROKEN.items():
        assert said in rows[name]["problem"]
    assert rows["imdb"]["problem"] is None
    assert rows["imdb"]["models"]
    text = cli("list").out
    assert text.count("broken: ") == len(BROKEN)
    assert "KeyError: 'none'" in text


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("return undefined", 1, "NameError: name 'undefined' is not defined"),
        ("pass", 1, "gave NoneType; expected a keras.Model"),
        ("return keras.layers.Dense(0)", 2, "ValueError"),
    ],
)
def test_a_fault_in_a_models_function_is_said_with_its_line(cli, alone: Path, body: str, code: int, said: str):
    (alone / "mine.py").write_text(
        f'''"""Why?"""
import keras
from dlkit import Recipe, Regression, TableData, TableFeatures

def model(spec):
    {body}

recipe = Recipe(data=TableData(), preprocessing=TableFeatures(), task=Regression(), model=model)
''',
        encoding="utf-8",
    )
    ended = cli("run", "mine.py", "--data", "sample", "--epochs", "1")
    assert ended.code == code
    assert said in ended.message
    if "Error" in said:
        assert f"mine.py, line 6: {body}" in ended.message


# Inputs to predict on


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the text is empty"),
        (" \n\t", "the text is empty"),
        ("😀🎉👍", None),
        ("gut \udcff", None),
        ("😀" * 250_000, None),
    ],
)
def test_an_odd_text_is_refused_or_answered_with_a_warning(cli, runs: Path, text: str, said: str | None):
    ended = cli("predict", "imdb", text, "--json")
    if said is not None:
        assert (ended.code, said in ended.message) == (2, True)
    else:
        assert ended.code == 0, ended.err
        assert "no word of this text" in ended.document["answers"][0]["warning"]


def test_a_text_of_a_megabyte_is_answered(cli, runs: Path, alone: Path):
    (alone / "long.txt").write_text("A wonderful film with great acting. " * 30_000, encoding="utf-8")
    ended = cli("predict", "imdb", "--file", "long.txt", "--json")
    assert ended.code == 0, ended.err
    (short,) = cli("predict", "imdb", "A wonderful film with great acting.", "--json").document["answers"]
    assert ended.document["answers"] == [short]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("area_m2=inf", "expected a finite number, got inf"),
        ('{"area_m2": -Infinity}', "expected a finite number"),
        ("area_m2=1e300", "Item 1: the answer is no finite number"),
        ("area_m2=wide", "column 'area_m2': expected a number, got str 'wide'"),
        ('{"area_m2": [80]}', "expected a number, got list"),
        ("area=80", "Did you mean 'area_m2'?"),
        ("80", "Expected column=value pairs"),
        ('{"area_m2": 80', "is not JSON"),
        ('{"area_m2": ' + "[" * 100_000, "is not JSON"),
        ("{}", "Item 1 is empty"),
    ],
)
def test_a_row_that_the_model_cannot_take_is_refused(cli, runs: Path, row: str, said: str):
    ended = cli("predict", "boston", row)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.message


def test_missing_and_unseen_values_of_a_row_are_answered_and_said(cli, runs: Path):
    (answer,) = cli("predict", "boston", '{"area_m2": NaN, "heating": "coal"}', "--json").document["answers"]
    assert "'coal' was never seen in training" in answer["warning"]
    assert answer["value"] == answer["value"]


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("rows.csv", "area_m2,rooms\n80,3\nwide,3\n", 2, "line 3, column 'area_m2': expected a number, got 'wide'"),
        ("rows.csv", "area_m2,rooms\n80,3\ninf,3\n", 2, "line 3, column 'area_m2': 'inf' is infinite"),
        ("rows.csv", "area_m2,rooms\n80\n", 1, "line 2: expected 2 fields as in the header, got 1"),
        ("rows.csv", "", 1, "the file is empty"),
        ("rows.csv", "area_m2,rooms\n", 1, "no rows below it"),
        ("rows.csv", "price,town\n1,2\n", 2, "it has ['price', 'town']"),
        ("rows.jsonl", '{"area_m2": 80}\n{"area_m2": \n', 2, "rows.jsonl, line 2 is not JSON"),
        ("rows.jsonl", "", 2, "There is nothing to predict on"),
        ("rows.txt", "area_m2=3\n", 2, "should be .csv, .tsv or .jsonl"),
        ("rows.xlsx", b"PK\x03\x04\xff\xfe", 1, "is not UTF-8"),
    ],
)
def test_a_file_of_rows_that_cannot_be_read_is_refused_with_its_line(cli, runs, alone, *, name, content, code, said):
    (alone / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = cli("predict", "boston", "--file", name)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.message


def test_a_file_is_read_as_the_training_rows_were(cli, runs: Path, alone: Path):
    (alone / "plain.csv").write_text("area_m2,rooms,heating\n80.5,,\n", encoding="utf-8")
    (alone / "german.csv").write_bytes(b"\xef\xbb\xbfarea_m2;rooms;heating\r\n80,5;N/A;NA\r\n")
    plain, german = (cli("predict", "boston", "--file", f"{name}.csv", "--json") for name in ("plain", "german"))
    assert plain.code == german.code == 0, german.err
    assert plain.document["answers"] == german.document["answers"]
    assert "warning" not in german.document["answers"][0]


def test_a_line_of_a_text_file_ends_at_a_newline_only(cli, runs: Path, alone: Path):
    (alone / "texts.jsonl").write_text('{"text": "good\u2028film\x85"}\n', encoding="utf-8")
    (alone / "texts.txt").write_text("good\u2028film\n\nbad film\r\n", encoding="utf-8")
    assert len(cli("predict", "imdb", "--file", "texts.jsonl", "--json").document["answers"]) == 1
    assert len(cli("predict", "imdb", "--file", "texts.txt", "--json").document["answers"]) == 2


@pytest.mark.parametrize(
    ("path", "said"),
    [("nowhere.csv", "not there"), (".", "a folder, no file"), ("x" * 300 + ".csv", "cannot be looked at")],
)
def test_an_input_file_that_is_not_there_ends_with_4(cli, runs: Path, path: str, said: str):
    ended = cli("predict", "boston", "--file", path)
    assert ended.code == 4
    assert said in ended.message


@pytest.mark.parametrize(
    "arguments",
    [
        ["rnu"],
        ["show", "imbd"],
        ["run", "imdb", "--epochs", "none"],
        ["predict", "nowhere", "text"],
        ["evaluate", "nowhere"],
        ["verify", "nowhere"],
        ["bench", "nowhere"],
        ["export", "nowhere", "--format", "tflight"],
        ["data", "--download"],
    ],
)
def test_each_failing_command_prints_one_json_object(cli, arguments: list[str]):
    ended = cli(*arguments, "--json")
    assert ended.code == 2
    assert ended.document == {"error": ended.message, "exit_code": 2}
    assert ended.out.count("\n") == 1


@pytest.mark.parametrize("kind", ["text", "number", "image"])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_standard_input_that_is_not_utf_8_is_said_for_every_recipe(kind: str, errors: str) -> None:
    piped = io.TextIOWrapper(io.BytesIO("a café\n".encode("cp1252")), encoding="utf-8", errors=errors)
    with pytest.raises(InputError, match="Standard input: expected UTF-8, got other bytes"):
        items_from([], None, piped, {"x": kind})  # type: ignore[dict-item]


def test_a_series_on_standard_input_that_is_not_utf_8_is_said() -> None:
    piped = io.TextIOWrapper(io.BytesIO(b"when,l\xe4ge\n"), encoding="utf-8")
    with pytest.raises(InputError, match="Standard input: expected UTF-8"):
        recent_from([], None, piped, None)  # type: ignore[arg-type]  # it is not looked at
