"""Do pictures and rows pass through every artefact of a latent model, and do its commands do what they say?"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import dlkit
from dlkit.errors import DisagreementError, InputError, SettingsError
from dlkit.export.proof import Proof, require
from dlkit.inference import Predictor, load
from dlkit.inference.runs import write_json
from dlkit.ordering import order
from dlkit.pipeline import Prepared, prepare
from dlkit.preprocessing.graphs import raw_tensors
from dlkit.run_folder import Content, prove_content, write_content
from dlkit.tasks import readable
from dlkit.training.fit import outputs, seeded

PICTURES = ["model.code=3", "model.units=8"]
CASES = {
    "vae": ("vae", "mlp", ["preprocessing.binarise=static", *PICTURES]),
    "conditional": ("vae", "conditional", PICTURES),
    "joint": ("vae", "joint", PICTURES),
    "plain": ("autoencoder", "dense", PICTURES),
    "rows": ("autoencoder", "dense", [*PICTURES, "data.sample=houses"]),
}


@dataclass(frozen=True)
class Made:
    """A run of an untrained network: what it says is of no use, and has to be the same everywhere."""

    prepared: Prepared
    folder: Path
    proofs: dict[str, Proof]

    @property
    def predictor(self) -> Predictor:
        return load(self.folder)


def made(root: Path, case: str) -> Made:
    name, model, changes = CASES[case]
    asked = order(name, model=model, data="sample", changes=changes, out=root)
    recipe = asked.recipe
    prepared = prepare(recipe, readable(recipe.task, recipe.data.load("sample", say=lambda _: None)))
    with seeded(0):
        network = recipe.build(prepared.spec)
    content = Content(prepared.transform, prepared.answer, network, [])
    folder = root / case / "1"
    folder.mkdir(parents=True)
    write_content(folder, content, {"recipe": name, "task": recipe.task.name, "model": model, "question": "?"})
    write_json(folder / "metrics.json", {})
    inputs = prepared.splits.test.inputs
    return Made(prepared, folder, prove_content(folder, content, outputs(network, prepared.served), inputs))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    root, known = tmp_path_factory.mktemp("latents"), {}

    def one(case: str) -> Made:
        if case not in known:
            known[case] = made(root, case)
        return known[case]

    return one


@pytest.fixture(scope="module", params=CASES)
def run(request: pytest.FixtureRequest, runs: Callable[[str], Made]) -> Made:
    return runs(request.param)


def items(run: Made, count: int = 3) -> list[object]:
    columns = {name: column[:count].tolist() for name, column in run.prepared.splits.test.inputs.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_every_signature_of_every_artefact_answers_as_the_keras_model(run: Made) -> None:
    for proof in run.proofs.values():
        assert proof.rows == len(run.prepared.splits.test) and proof.max_abs_diff <= 1e-4 and proof.agreement == 1
        assert set(proof.signatures) == {"encode", "decode", "reconstruct"} and max(proof.signatures.values()) <= 1e-4


def test_a_signature_that_differs_fails_the_proof(run: Made) -> None:
    wrong = replace(run.proofs["tflite"], signatures={"decode": 0.01})
    with pytest.raises(DisagreementError, match=r"decode: largest difference 0\.01"):
        require({"tflite": wrong}, run.folder)


def test_a_process_that_gives_no_custom_code_goes_on_with_the_model(runs: Callable[[str], Made]) -> None:
    folder = runs("vae").folder
    script = (
        "import dlkit, keras, numpy, sys\n"
        "model = dlkit.keras_model(sys.argv[1])\n"
        "rows = numpy.full((4, 8, 8, 1), 0.5, 'float32')\n"
        "print(float(numpy.asarray(model(rows)).sum()))\n"
        "model.compile('adam')\n"
        "print(*model.fit(rows, verbose=0).history)\n"
        "assert type(keras.saving.load_model(sys.argv[1] + '/model.keras')) is type(model)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answered, losses = done.stdout.splitlines()
    here = dlkit.keras_model(folder)(np.full((4, 8, 8, 1), 0.5, np.float32))
    assert float(answered) == pytest.approx(float(np.asarray(here).sum()), rel=1e-5)
    assert {"loss", "kl"} <= set(losses.split())


def test_an_answer_holds_the_reconstruction_its_error_and_the_code(run: Made) -> None:
    predictor, shape = run.predictor, run.prepared.answer.shape
    for item, answer in zip(items(run), predictor.predict(items(run)), strict=True):
        assert np.shape(answer["code"]) == (3,) and answer["mse"] >= 0
        if len(shape) == 1:
            assert set(answer["reconstruction"]) == set(run.prepared.answer.features) >= set(item) - {"heating"}
        else:
            assert np.shape(answer["reconstruction"]) == shape[:2]
            error = np.square((np.array(answer["reconstruction"]) - np.squeeze(item["image"], 2)) / 255).mean()
            assert answer["mse"] == pytest.approx(error, abs=0.01)


def raw(run: Made) -> dict[str, tf.Tensor]:
    """Three test rows as the SavedModel takes them: files of pictures, words, numbers."""
    columns = {name: column[:3] for name, column in run.prepared.splits.test.inputs.items()}
    return raw_tensors(columns, run.prepared.transform.kinds)


def test_the_saved_model_says_the_same_from_raw_input(run: Made) -> None:
    module = tf.saved_model.load(str(run.folder))
    theirs, ours = module.signatures["serving_default"](**raw(run)), run.predictor.predict(items(run))
    made = [answer["reconstruction"] for answer in ours]
    if run.prepared.transform.name == "row":
        assert theirs["reconstruction"].numpy() == pytest.approx(np.array([list(row.values()) for row in made]), 1e-4)
    else:
        assert np.abs(np.squeeze(theirs["reconstruction"].numpy().astype(int), 3) - made).max() <= 1
    assert theirs["code"].numpy() == pytest.approx(np.array([answer["code"] for answer in ours]), abs=1e-5)
    assert theirs["mse"].numpy() == pytest.approx([answer["mse"] for answer in ours], rel=1e-4)


def test_the_saved_model_takes_pixels_too(runs: Callable[[str], Made]) -> None:
    run = runs("vae")
    signature = tf.saved_model.load(str(run.folder)).signatures["arrays"]
    theirs = signature(pixels=tf.constant(run.prepared.splits.test.inputs["image"][:3]))
    ours = run.predictor.encode(items(run))
    assert theirs["code"].numpy() == pytest.approx(np.array([answer["code"] for answer in ours]), abs=1e-5)


def test_the_saved_model_refuses_a_label_that_it_does_not_know(runs: Callable[[str], Made]) -> None:
    run = runs("conditional")
    signature = tf.saved_model.load(str(run.folder)).signatures["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="digit: expected one of 0, 1, 2"):
        signature(**raw(run) | {"digit": tf.constant(["3", "x", "4"])})


def test_codes_stand_for_what_was_encoded(run: Made) -> None:
    predictor, given = run.predictor, items(run)
    codes = [answer["code"] for answer in predictor.encode(given)]
    label = [item[predictor.class_column] for item in given] if predictor.class_column else None
    again = [answer["reconstruction"] for answer in predictor.decode(codes, label=label)]
    assert again == [answer["reconstruction"] for answer in predictor.predict(given)]


def test_the_same_seed_gives_the_same_pictures(runs: Callable[[str], Made]) -> None:
    predictor = runs("vae").predictor
    first, again, other = (predictor.generate(4, seed=seed) for seed in (1, 1, 2))
    assert first == again != other and np.shape(first[0]["reconstruction"]) == (8, 8)
    assert predictor.generate(2, seed=1) == first[:2]
    # More than the interpreter takes at once.
    assert len(predictor.generate(600, seed=1)) == 600


def test_a_conditional_model_makes_the_class_that_is_asked_for(runs: Callable[[str], Made]) -> None:
    predictor = runs("conditional").predictor
    three, four = predictor.generate(1, label="3"), predictor.generate(1, label="4")
    assert three[0]["code"] == four[0]["code"] and three != four
    with pytest.raises(InputError, match=r"give a label, one of 0, 1, 2"):
        predictor.generate(1)
    with pytest.raises(InputError, match=r"There is no label '12'.*Known: 0, 1"):
        predictor.generate(1, label="12")
    with pytest.raises(InputError, match="column 'digit': expected a label seen in training, got the label 'eleven'"):
        predictor.predict([{"image": np.zeros((8, 8), np.uint8), "digit": "eleven"}])


def test_a_joint_model_tells_the_class_too(runs: Callable[[str], Made]) -> None:
    (answer,) = runs("joint").predictor.predict(items(runs("joint"), 1))
    assert answer["label"] in answer["probabilities"] and sum(answer["probabilities"].values()) == pytest.approx(1)


def test_the_way_between_two_inputs_begins_and_ends_with_them(runs: Callable[[str], Made]) -> None:
    predictor, (first, second) = runs("plain").predictor, items(runs("plain"), 2)
    way = predictor.between(first, second, steps=3)
    ends = predictor.predict([first, second])
    assert [way[0]["reconstruction"], way[2]["reconstruction"]] == [end["reconstruction"] for end in ends]
    assert way[1]["code"] == pytest.approx(np.mean([end["code"] for end in ends], axis=0), abs=1e-6)
    with pytest.raises(InputError, match="expected 2 or more"):
        predictor.between(first, second, steps=1)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([], r"Expected a list of codes, each of 3 numbers, got \[\]"),
        ("codes", "Expected a list of codes"),
        ([[1, 2, 3], [1, 2]], r"Code 2: expected 3 numbers, got 2: \[1, 2\]"),
        ([[1, 2, "x"]], "Code 1: expected 3 numbers, got"),
        ([[1, 2, None]], "Code 1: expected"),
        ([[1, 2, float("nan")]], r"Code 1: expected finite numbers, got nan at place 3\."),
        ([[1, 1e39, 2]], r"Code 1: expected finite numbers, got 1e\+39 at place 2\."),
        ([[[1], [2], [3]]], "Code 1: expected 3 numbers"),
    ],
)
def test_what_is_no_code_is_refused(runs: Callable[[str], Made], codes: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        runs("vae").predictor.decode(codes)  # type: ignore[arg-type]


def test_a_code_far_from_all_inputs_gets_a_warning(runs: Callable[[str], Made]) -> None:
    near, far = runs("vae").predictor.decode([[0, 1, -3], [0, 40, 0]])
    assert "warning" not in near and "the code reaches 40" in str(far["warning"])


def test_what_a_model_cannot_do_is_said(runs: Callable[[str], Made]) -> None:
    with pytest.raises(InputError, match="codes follow no known distribution"):
        runs("plain").predictor.generate(1)
    with pytest.raises(InputError, match="was not given labels"):
        runs("vae").predictor.generate(1, label="3")
    with pytest.raises(InputError, match="expected 1 to 10,000"):
        runs("vae").predictor.generate(0)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((8, 8), np.float32), "expected uint8 pixels"),
        ([[300] * 8] * 8, "whole number from 0 to 255"),
        (np.zeros((8, 8, 2), np.uint8), "expected uint8 pixels"),
        (b"no picture", "no picture that can be read"),
    ],
)
def test_pixels_outside_the_range_are_refused(runs: Callable[[str], Made], picture: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        runs("vae").predictor.predict([picture])


def test_a_picture_of_another_size_is_said_to_be_changed(runs: Callable[[str], Made]) -> None:
    (answer,) = runs("vae").predictor.predict([np.zeros((20, 30), np.uint8)])
    assert answer["warning"] == "the picture has 30 x 20 pixels; it was made 8 x 8, as the model takes it"


# Commands


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


def test_a_picture_that_cannot_be_read_does_not_keep_the_others(cli, runs, alone: Path, pictures) -> None:
    (alone / "third.png").write_bytes(b"\x89PNG broken")
    ended = cli("encode", runs("vae").folder, *pictures, "third.png", "--out", "codes.csv")
    assert ended.code == 0 and "2 written" in ended.out and "third.png" in ended.err


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


def test_labels_are_asked_for_where_there_are_none() -> None:
    asked = order("vae", model="conditional", data="sample", changes=["data.sample=houses"])
    with pytest.raises(Exception, match="needs a label for each row, and sample: generated house prices has none"):
        readable(asked.recipe.task, asked.recipe.data.load("sample", say=lambda _: None))


@pytest.mark.parametrize("setting", ["task.labels=some", "task.samples=0", "preprocessing.binarise=maybe"])
def test_settings_that_do_not_exist_are_refused(setting: str) -> None:
    with pytest.raises(SettingsError, match=setting.partition("=")[0]):
        order("vae", model=None, data="sample", changes=[setting])
