"""Do `dlkit generate`, `encode` and `decode` write what they say, from files that people have?"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from latent_runs import Made, made_once
from PIL import Image

from dlkit.coding import write_answers
from dlkit.errors import SettingsError
from dlkit.export.proof import keras_model
from dlkit.generation import Reconstruction
from dlkit.inference import load
from dlkit.ordering import order
from dlkit.pipeline import prepare


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    return made_once(tmp_path_factory.mktemp("latents"))


def with_settings(run: Made, folder: Path) -> Path:
    """A copy of the run whose record has the settings that a training which goes on asks for."""
    copied = shutil.copytree(run.folder, folder / "run")
    record = json.loads((copied / "run.json").read_text("utf-8"))
    settings = {"preprocessing": asdict(run.prepared.recipe.preprocessing)}  # type: ignore[call-overload]
    (copied / "run.json").write_text(json.dumps({**record, "settings": settings}), encoding="utf-8")
    return copied


@pytest.fixture
def pictures(alone: Path) -> list[Path]:
    paths = [alone / f"{name}.png" for name in ("first", "second")]
    for level, path in enumerate(paths):
        Image.new("L", (8, 8), 100 * level).save(path)
    return paths


def test_generate_writes_a_grid_of_pictures(cli, runs: Callable[[str], Made], alone: Path) -> None:
    ended = cli("generate", runs("vae").folder, "--count", 5, "--out", "grid.png")
    assert ended.code == 0 and "grid.png: 5 written" in ended.out
    with Image.open(alone / "grid.png") as image:
        assert image.size == (3 * 56 + 4, 2 * 56 + 2)
    document = cli("generate", runs("vae").folder, "--count", 2, "--json").document
    assert [np.shape(answer["reconstruction"]) for answer in document["answers"]] == [(8, 8), (8, 8)]  # type: ignore[union-attr,index]


def test_codes_go_through_files_and_come_back(cli, runs: Callable[[str], Made], alone: Path, pictures) -> None:
    folder = runs("vae").folder
    for file in ("codes.csv", "codes.json"):
        assert cli("encode", folder, *pictures, "--out", file).code == 0
        decoded = cli("decode", folder, "--file", file, "--json").document["answers"]
        expected = load(folder).predict(pictures)
        assert [one["reconstruction"] for one in decoded] == [one["reconstruction"] for one in expected]  # type: ignore[union-attr]
    with (alone / "codes.csv").open() as lines:
        assert list(csv.DictReader(lines).fieldnames or ())[:2] == ["file", "code_1"]
    (alone / "bare.csv").write_text("0,0.5,1\n1,1,1\n")
    assert "2 written" in cli("decode", folder, "--file", "bare.csv", "--out", "made.png").out


def test_between_two_pictures_all_steps_stand_in_a_row(cli, runs: Callable[[str], Made], alone: Path, pictures) -> None:
    ended = cli("generate", runs("plain").folder, "--between", *pictures, "--steps", 5, "--out", "way.png")
    assert ended.code == 0, ended.err
    with Image.open(alone / "way.png") as image:
        assert image.size == (5 * 56 + 8, 56)


def test_the_class_of_pictures_is_said_beside_them(cli, runs: Callable[[str], Made], alone: Path, pictures) -> None:
    folder = runs("conditional").folder
    assert "2 written" in cli("encode", folder, *pictures, "--label", "3", "--out", "codes.csv").out
    assert "2 written" in cli("decode", folder, "--file", "codes.csv", "--label", "3", "--out", "made.png").out
    assert "8 written" in cli("generate", folder, "--between", *pictures, "--label", 3, "--out", "way.png").out
    ended = cli("encode", folder, pictures[0], "--json")
    assert 'pairs such as "image=photo.jpg,digit=…"' in ended.message
    answer = cli("predict", folder, f"image={pictures[0]},digit=3", "--json").document["answers"]
    assert len(answer[0]["code"]) == 3  # type: ignore[index]


def test_each_code_of_a_conditional_model_keeps_its_class(cli, runs, alone: Path, pictures) -> None:
    folder = runs("conditional").folder
    given = alone / "given.csv"
    given.write_text(f"image,digit\n{pictures[0]},3\n{pictures[1]},4\n")
    for file in ("codes.csv", "codes.json"):
        assert cli("encode", folder, "--file", given, "--out", file).code == 0
        made = cli("decode", folder, "--file", file, "--json").document["answers"]
        assert [one["label"] for one in made] == ["3", "4"]  # type: ignore[union-attr]
    expected = load(folder).predict(
        [{"image": path, "digit": label} for path, label in zip(pictures, "34", strict=True)]
    )
    assert [one["reconstruction"] for one in made] == [one["reconstruction"] for one in expected]  # type: ignore[union-attr]
    other = cli("decode", folder, "--file", "codes.csv", "--label", "5", "--json").document["answers"]
    assert [one["label"] for one in other] == ["5", "5"]  # type: ignore[union-attr]
    assert (alone / "codes.csv").read_text().startswith("file,digit,code_1,")


def test_a_table_of_pictures_and_classes_is_read_as_in_training(cli, runs, alone: Path, pictures, monkeypatch) -> None:
    folder = runs("conditional").folder
    (alone / "own.csv").write_text("picture,digit,note\nfirst.png,3,x\n,4,x\nsecond.png,4,x\n")
    (alone / "elsewhere").mkdir()
    monkeypatch.chdir(alone / "elsewhere")
    expected = load(folder).predict(
        [{"image": path, "digit": label} for path, label in zip(pictures, "34", strict=True)]
    )
    asked = cli("predict", folder, "--file", "../own.csv", "--json").document["answers"]
    assert [(one["file"], one["mse"]) for one in asked] == [  # type: ignore[union-attr]
        (f"../{path.name}", one["mse"]) for path, one in zip(pictures, expected, strict=True)
    ]
    coded = cli("encode", folder, "--file", "../own.csv", "--json").document["answers"]
    assert [one["code"] for one in coded] == [one["code"] for one in expected]  # type: ignore[union-attr]
    told = cli("encode", folder, "--file", "../own.csv", "--label", "3", "--json").document["answers"]
    assert told[0] == coded[0] and told[1]["label"] == "3"  # type: ignore[index]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("picture,digits", "lacks the columns ['digit'], which the model is told beside each picture"),
        ("picture,digits", "Did you mean 'digit' by 'digits'?"),
        ("picture,size", "it has ['picture', 'size']. Add them."),
        ("digit,size", "no column holds paths of pictures; it has digit, size"),
    ],
)
def test_a_table_of_pictures_that_lacks_a_column_is_refused(cli, runs, alone: Path, header: str, message: str) -> None:
    (alone / "own.csv").write_text(f"{header}\n{'first.png,3' if 'picture' in header else '3,3'}\n")
    ended = cli("encode", runs("conditional").folder, "--file", "own.csv")
    assert ended.code != 0 and message in ended.message and "own.csv" in ended.message


@pytest.mark.parametrize("command", ["generate", "decode"])
def test_rows_that_were_made_go_back_into_encode(cli, runs: Callable[[str], Made], alone: Path, command: str) -> None:
    folder = runs("table").folder
    file = ["--count", 3] if command == "generate" else ["--file", codes(alone, [[0, 0, 0], [1, 1, 1], [2, 0, 1]])]
    assert "3 written" in cli(command, folder, *file, "--out", "rows.csv").out
    with (alone / "rows.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {"area_m2", "age_years", "heating"} < set(rows[0]) and not any("=" in name for name in rows[0])
    assert "3 written" in cli("encode", folder, "--file", "rows.csv", "--out", "codes.csv").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", 3], "--steps=3 does not apply: --between is missing"),
        (["--between", "a.png", "b.png", "--count", 3], "--count=3 does not apply: --between goes from one"),
        (["--between", "a.png", "b.png", "--seed", 0], "--seed=0 does not apply"),
        (["--between", "a.png", "b.png", "--steps", 1], "--steps=1: expected 2 to 1,000, both ends included"),
        (["--between", "a.png", "b.png", "--steps", 10**9], "expected 2 to 1,000"),
    ],
)
def test_options_that_do_not_apply_are_refused(cli, runs: Callable[[str], Made], arguments, message: str) -> None:
    ended = cli("generate", runs("vae").folder, *arguments, "--out", "x.png")
    assert ended.code == 2 and message in ended.err


def test_rows_of_a_table_are_printed_in_their_own_units(cli, runs: Callable[[str], Made], alone: Path) -> None:
    ended = cli("decode", runs("rows").folder, "--file", codes(alone, [[0, 0, 0]]))
    assert ended.code == 0 and "area_m2=" in ended.out and "rooms=" in ended.out


def codes(folder: Path, content: object) -> Path:
    (folder / "given.json").write_text(json.dumps(content))
    return folder / "given.json"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "--count", "0", "--out", "x.png"], "expected 1 to 10,000"),
        (["generate", "--out", "x.gif"], r"expected a file that ends in .csv, .json, .png"),
        (["generate", "--out", "nowhere/x.png"], "there is no folder nowhere/"),
        (["generate"], "give --out FILE.png, or --json"),
        (["generate", "--label", "3", "--json"], "was not given labels"),
        (["generate", "--between", "a.png", "b.png", "--json"], "a.png: cannot be read"),
        (["encode", "--out", "codes.png", "a.png"], "expected a file that ends in .csv, .json, got"),
        (["decode", "--file", "nowhere.csv", "--json"], "is not there"),
        (["decode", "--file", "codes.txt", "--json"], "is not there"),
        (["decode", "--file", "x" * 300 + ".csv", "--json"], "cannot be looked at"),
    ],
)
def test_wrong_use_ends_in_one_message_and_leaves_no_file(
    cli, runs: Callable[[str], Made], alone: Path, arguments: list[str], message: str
) -> None:
    command, *rest = arguments
    ended = cli(command, runs("vae").folder, *rest)
    assert ended.code == (4 if "--file" in arguments else 2) and message in ended.err and not list(alone.glob("*.*"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "holds no code"),
        ("a.csv", "code_1,code_2,code_3\n", "holds no code"),
        ("a.csv", "code_1,code_2,code_3\n1,2,x\n", "code 1, column 'code_3': expected a number, got 'x'"),
        ("a.csv", "code_1,code_2\n1,2\n", "Code 1: expected 3 numbers, got 2"),
        ("a.csv", "name,size\na,1\n", "has no columns code_1, code_2"),
        ("a.csv", "code_1,code_3,code_4\n1,2,3\n", "each of them once, got code_1, code_3, code_4"),
        ("a.csv", "code_1,code_2,code_2\n1,2,3\n", "each of them once, got code_1, code_2, code_2"),
        ("a.csv", 'code_1,code_2,code_3\n1,2,"' + "x" * 140_000, "is no CSV: field larger than field limit"),
        ("a.json", f"[[1, 2, 1{'0' * 400}]]", "Code 1: expected 3 numbers"),
        ("a.json", "[1, 2", "is not JSON"),
        ("a.json", '{"codes": 3}', 'expected a list of codes, or an object with "answers"'),
        ("a.json", '[{"file": "x"}]', "Code 1: expected 3 numbers, got None"),
        ("a.txt", "1 2 3", "should be a .csv or .json"),
    ],
)
def test_files_that_hold_no_codes_are_refused(
    cli, runs: Callable[[str], Made], name: str, content: str, message: str
) -> None:
    Path(name).write_text(content)
    ended = cli("decode", runs("vae").folder, "--file", name, "--out", "x.png")
    assert ended.code == 2 and message in ended.message and not Path("x.png").exists()


def test_codes_of_a_table_go_by_their_numbers(cli, runs: Callable[[str], Made], alone: Path) -> None:
    rows = {"a.csv": "code_1,code_2,code_3\n1,2,-1\n", "b.csv": "code_postal,code_3,code_1,code_2\nx,-1,1,2\n"}
    found = []
    for name, content in rows.items():
        Path(name).write_text(content)
        found.append(cli("decode", runs("vae").folder, "--file", name, "--json").document["answers"])
    assert found[0] == found[1]


def test_between_takes_no_folder(cli, runs: Callable[[str], Made], alone: Path, pictures) -> None:
    (alone / "some").mkdir()
    for picture in pictures:
        (alone / "some" / Path(picture).name).write_bytes(Path(picture).read_bytes())
    ended = cli("generate", runs("vae").folder, "--between", "some", pictures[0], "--json")
    assert ended.code == 2 and "--between goes from one input to another, no folder of them" in ended.err


def test_a_picture_that_cannot_be_read_does_not_keep_the_others(cli, runs, alone: Path, pictures) -> None:
    (alone / "third.png").write_bytes(b"\x89PNG broken")
    ended = cli("encode", runs("vae").folder, *pictures, "third.png", "--out", "codes.csv")
    assert ended.code == 0 and "2 written" in ended.out and "third.png" in ended.err


@pytest.mark.parametrize("command", ["encode", "predict"])
def test_a_bad_picture_of_a_conditional_model_does_not_keep_the_others(
    cli, runs, alone: Path, pictures, command: str
) -> None:
    Image.new("L", (20, 30)).save(alone / "large.png")
    (alone / "own.csv").write_text("image,digit\nfirst.png,3\nnowhere.png,3\nsecond.png,x\nlarge.png,4\n")
    ended = cli(command, runs("conditional").folder, "--file", "own.csv", "--json")
    assert ended.code == 0, ended.err
    first, nowhere, second, large = ended.document["answers"]  # type: ignore[misc]
    assert len(first["code"]) == 3 and first["file"] == "first.png"
    assert nowhere["error"] == "nowhere.png: cannot be read (No such file or directory)."
    assert second["error"].startswith("second.png, column 'digit': expected a label seen in training, got the label")
    assert large["warning"].startswith("the picture has 20 x 30 pixels") and large["file"] == "large.png"


def test_codes_of_the_good_pictures_are_written_and_messages_name_the_others(cli, runs, alone: Path, pictures) -> None:
    Image.new("L", (20, 30)).save(alone / "large.png")
    (alone / "own.csv").write_text("image,digit\nfirst.png,3\nnowhere.png,3\nlarge.png,4\n")
    ended = cli("encode", runs("conditional").folder, "--file", "own.csv", "--out", "codes.csv")
    assert ended.code == 0 and "2 written" in ended.out
    assert "nowhere.png: cannot be read" in ended.err and "large.png: the picture has 20 x 30 pixels" in ended.err
    with (alone / "codes.csv").open() as lines:
        assert [(row["file"], row["digit"]) for row in csv.DictReader(lines)] == [
            ("first.png", "3"),
            ("large.png", "4"),
        ]
    shown = cli("encode", runs("conditional").folder, "--file", "own.csv")
    assert [line.split("  ")[0] for line in shown.out.splitlines()] == ["first.png", "large.png"]
    assert shown.err.count("nowhere.png") == 1 and shown.err.count("20 x 30 pixels") == 1
    (alone / "own.csv").write_text("image,digit\nnowhere.png,3\n")
    assert cli("encode", runs("conditional").folder, "--file", "own.csv", "--out", "none.csv").code == 1


def test_generating_needs_no_tensorflow(process, runs: Callable[[str], Made], alone: Path) -> None:
    code = (
        "import sys; sys.argv = ['dlkit', *sys.argv[1:]]\n"
        "from dlkit import output\nfrom dlkit.cli import commands\n"
        "commands(standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)\nsys.exit(f'imported {heavy}' if heavy else 0)"
    )
    ended = process("generate", runs("vae").folder, "--out", "x.png", python=("-c", code))
    assert ended.code == 0, ended.err
    assert (alone / "x.png").stat().st_size > 100


def test_a_run_of_another_kind_has_no_codes(cli, finished_runs: Path) -> None:
    ended = cli("generate", finished_runs / "imdb" / "1", "--out", "x.png")
    assert ended.code == 2 and "is a run of imdb, which has no latent codes" in ended.message


def test_another_way_to_learn_goes_on_with_the_network_of_a_run(runs: Callable[[str], Made], alone: Path) -> None:
    run = runs("vae")
    settings = json.loads((run.folder / "run.json").read_text("utf-8")) | {
        "settings": {"preprocessing": {"binarise": "static"}}
    }
    (run.folder / "run.json").write_text(json.dumps(settings), encoding="utf-8")
    changes = ["model.code=3", "model.units=8", "model.samples=5", "model.resampled=2"]
    asked = order("vae", model="iwae", data="sample", changes=changes, start=run.folder, out=alone)
    assert asked.recipe.preprocessing.binarise == "static"  # type: ignore[attr-defined]  # LatentRows
    # Only the same model goes on with the run's settings, and gently.
    assert asked.recipe.training == order("vae", model="iwae", data="sample", changes=changes).recipe.training
    same = order("vae", data="sample", changes=[], start=run.folder, out=alone)
    assert (same.model, same.recipe.training.learning_rate) == ("mlp", pytest.approx(2e-4))
    prepared = prepare(asked.recipe, run.prepared.splits, start=run.folder)
    network = prepared.build()
    assert (network.bound, network.samples, network.resampled) == ("iwae", 5, 2)
    given = keras_model(run.folder / "model.keras")
    for ours, theirs in zip(network.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"changes": ["preprocessing.binarise=none"]}, "--from keeps network and vocabulary"),
        ({"recipe": "transformer"}, "a generation run, and this recipe is of translation"),
        ({"recipe": "autoencoder"}, "a generation run, and this recipe is of reconstruction"),
        ({"recipe": "cifar10"}, "what can be gone on with is a translator, .* or a model of latent codes"),
    ],
)
def test_what_cannot_go_on_is_refused(
    runs: Callable[[str], Made], alone: Path, options: dict[str, object], said: str
) -> None:
    asked = {"recipe": "vae", "changes": [], "start": runs("vae").folder, "out": alone, **options}
    with pytest.raises(SettingsError, match=said):
        order(**asked)  # type: ignore[arg-type]


def test_an_autoencoder_goes_on_too(runs: Callable[[str], Made], alone: Path) -> None:
    folder = with_settings(runs("plain"), alone)
    same = order("autoencoder", data="sample", changes=[], start=folder, out=alone)
    assert same.model == "dense" and isinstance(same.recipe.task, Reconstruction)
    prepared = prepare(same.recipe, runs("plain").prepared.splits, start=folder)
    given = keras_model(folder / "model.keras").get_weights()
    for ours, theirs in zip(prepared.build().get_weights(), given, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_own_rows_that_lack_a_column_of_the_run_are_told_of(cli, runs: Callable[[str], Made], alone: Path) -> None:
    folder = with_settings(runs("table"), alone)
    (alone / "own.csv").write_text("area,rooms\n" + "70.5,3\n80.5,4\n" * 40, encoding="utf-8")
    ended = cli("run", "vae", "--from", folder, "--data", "own.csv", "--epochs", 1)
    assert ended.code == 1 and "own.csv lacks the columns ['area_m2', " in ended.message


def test_a_run_of_another_network_is_refused(runs: Callable[[str], Made], alone: Path) -> None:
    run = runs("vae")
    wider = order("vae", model="mlp", data="sample", changes=["model.code=4", "model.units=8"], out=alone).recipe
    with pytest.raises(SettingsError, match="its network is built otherwise than this recipe's model"):
        prepare(wider, run.prepared.splits, start=run.folder).build()


def test_a_table_whose_column_is_called_as_a_code_is_no_csv(tmp_path: Path) -> None:
    answers = [{"label": "a", "code": [0.5, 1.0], "reconstruction": {"code_2": 7.0, "rooms": 3.0}}]
    with pytest.raises(SettingsError, match=r"columns 'code_2'.*Write a \.json"):
        write_answers(tmp_path / "made.csv", answers, {})
    assert not (tmp_path / "made.csv").exists()
    write_answers(tmp_path / "made.json", answers, {"answers": answers})
    assert json.loads((tmp_path / "made.json").read_text(encoding="utf-8")) == {"answers": answers}
