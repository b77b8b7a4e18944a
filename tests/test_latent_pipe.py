"""Do pictures and rows pass through every artefact of a latent model, and is it judged again as in its run?"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from latent_runs import CASES, PICTURES, Made, items, made_once
from PIL import Image

import dlkit
from dlkit import finished, given_rows
from dlkit.contracts import Split, Splits
from dlkit.errors import DataError, DisagreementError, InputError, SettingsError
from dlkit.evaluation.card import write_card
from dlkit.evaluation.report import write_report
from dlkit.evaluation.usage import usage
from dlkit.export.artefacts import write
from dlkit.export.onnx import OnnxModel
from dlkit.export.proof import require
from dlkit.inference.latents import LatentAnswer
from dlkit.judging import judge_latents
from dlkit.ordering import order
from dlkit.pipeline import prepare
from dlkit.preprocessing.graphs import raw_tensors
from dlkit.printing import figures
from dlkit.tasks import readable
from dlkit.training.fit import compile_model, outputs

ABOUT = {"recipe": "shades", "model": "mlp", "task": "generation"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    return made_once(tmp_path_factory.mktemp("latents"))


@pytest.fixture(scope="module", params=CASES)
def run(request: pytest.FixtureRequest, runs: Callable[[str], Made]) -> Made:
    return runs(request.param)


def test_every_signature_of_every_artefact_answers_as_the_keras_model(run: Made) -> None:
    for proof in run.proofs.values():
        assert proof.rows == len(run.prepared.splits.test) and proof.max_abs_diff <= 1e-4 and proof.agreement == 1
        assert set(proof.signatures) == {"encode", "decode", "reconstruct"} and max(proof.signatures.values()) <= 1e-4


def test_a_signature_that_differs_fails_the_proof(run: Made) -> None:
    wrong = replace(run.proofs["tflite"], signatures={"decode": 0.01})
    with pytest.raises(DisagreementError, match=r"decode: largest difference 0\.01"):
        require({"tflite": wrong}, run.folder)


@pytest.mark.parametrize("name", ["report.html", "README.md"])
def test_report_and_card_load_a_model_as_this_function_does(tmp_path: Path, name: str) -> None:
    metrics = {**ABOUT, "seed": 0, "test": {"mse": 1.0}, "data": {}, "run": "runs/vae/1", "artefacts": {"keras": {}}}
    write_report(metrics, question="?", settings={}, history=[], plots=[], mistakes=[], folder=tmp_path)
    write_card(metrics, question="?", settings={}, command="", folder=tmp_path)
    assert 'dlkit.keras_model("runs/vae/1")' in html.unescape((tmp_path / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", ["vae", "conditional", "table", "told", "plain"])
def test_every_snippet_of_a_card_runs(runs: Callable[[str], Made], case: str, alone: Path, capsys) -> None:
    run = runs(case)
    prepared = run.prepared
    few = replace(prepared, recipe=replace(prepared.recipe, task=replace(prepared.recipe.task, samples=2)))
    model = dlkit.keras_model(run.folder)
    latents = judge_latents(few, model, outputs(model, prepared.served), seed=0).more["latents"]
    artefacts = {"saved_model": {}, "tflite": {"path": "model.tflite"}, "keras": {}}
    made = {"seed": 0, "test": {"mse": 1.0}, "data": {}, "run": str(run.folder), "artefacts": artefacts}
    about = {**ABOUT, **made, "task": prepared.recipe.task.name, "inputs": prepared.splits.kinds, "latents": latents}
    write_card(about, question="?", settings={}, command="", folder=alone)
    Image.new("L", (8, 8), 90).save(alone / "photo.jpg")
    text = (alone / "README.md").read_text(encoding="utf-8")
    python, saved_model, litert, keras = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    found: dict[str, object] = {}
    exec(python.replace("predictor.predict(", "answers = predictor.predict("), found)  # noqa: S102 (our own words)
    answers = found["answers"]
    exec(saved_model, found)  # noqa: S102 (as above)
    assert found["answer"]["code"].numpy() == pytest.approx(np.array([answers[0]["code"]]), abs=0.02)  # type: ignore[index]
    capsys.readouterr()
    exec(litert, {})  # noqa: S102 (as above)
    printed = capsys.readouterr().out
    assert all(f"'{name}'" in printed for name in prepared.transform.tensors)
    exec(keras, found)  # noqa: S102 (as above)
    assert type(found["model"]) is type(model)


def test_a_model_of_several_inputs_has_an_onnx_form(runs: Callable[[str], Made], tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx")
    run = runs("conditional")
    model, transform = dlkit.keras_model(run.folder), run.prepared.transform
    write("onnx", tmp_path, model=model, transform=transform, answer=run.prepared.answer)
    made = OnnxModel(tmp_path / "model.onnx", transform).outputs(run.prepared.splits.test.inputs)
    assert made == pytest.approx(outputs(model, run.prepared.served), abs=1e-5)


def test_a_compiled_model_keeps_its_optimizer_and_its_file_none(runs: Callable[[str], Made], tmp_path: Path) -> None:
    run = runs("vae")
    model, transform, answer = dlkit.keras_model(run.folder), run.prepared.transform, run.prepared.answer
    compile_model(model, run.prepared.objective, run.prepared.recipe.training, epoch=10)
    optimizer = model.optimizer
    assert type(optimizer).__name__ == "FusedAdam"
    write("keras", tmp_path, model=model, transform=transform, answer=answer)
    assert model.optimizer is optimizer and model.compiled
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert b"FusedAdam" not in archive.read("config.json")


def test_a_process_that_gives_no_custom_code_goes_on_with_the_model(runs: Callable[[str], Made]) -> None:
    folder = runs("vae").folder
    printed = usage({**ABOUT, "run": str(folder), "artefacts": {"keras": {}}}).artefacts["keras"]
    script = (
        f"{printed}import keras, numpy, sys\n"
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
            assert set(answer["reconstruction"]) == set(item)
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
        for name in made[0]:
            column, own = theirs[f"reconstruction_{name}"].numpy(), [row[name] for row in made]
            if name == "heating":
                assert [value.decode() for value in column] == own
            else:
                assert column == pytest.approx(np.array(own, np.float64), 1e-4, nan_ok=True)
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


def test_what_a_table_is_made_again_to_is_a_row_of_it(runs: Callable[[str], Made]) -> None:
    answer = runs("table").prepared.answer
    assert answer.features[2:4] == ("age_years", "age_years is missing")
    features = np.zeros((2, len(answer.features)), np.float32)
    features[0, answer.features.index("heating=oil")] = 0.4
    features[1, 3], features[1, answer.features.index("heating=gas")] = 0.9, 2
    first, second = (one["reconstruction"] for one in answer.decode(features))
    assert first["age_years"] == pytest.approx(answer.shift[2]) and second["age_years"] is None
    assert (first["heating"], second["heating"]) == ("oil", "gas")
    again = type(answer).load(json.loads(json.dumps(answer.settings())))
    assert again.decode(features) == answer.decode(features)


def test_rows_of_the_first_runs_stay_features() -> None:
    settings = {"shape": [2], "labels": [], "features": ["a", "b=x"], "shift": [0, 0], "scale": [1, 1]}
    (made,) = LatentAnswer.load(settings).decode(np.array([[1.0, 0.5]]))
    assert made == {"reconstruction": {"a": 1.0, "b=x": 0.5}}


@pytest.mark.parametrize("case", ["rows", "table"])
def test_a_value_beyond_all_numbers_is_one_error_everywhere(
    runs: Callable[[str], Made], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, (good,) = runs(case).predictor, items(runs(case), 1)
    far = {**good, "area_m2": 1e300}
    for ask in (predictor.predict, predictor.encode, lambda rows: predictor.between(*rows)):
        with pytest.raises(InputError, match="Item 2: the answer is no finite number, so a value lies far outside"):
            ask([good, far])
    monkeypatch.setattr(predictor.coder, "decode", lambda codes, _label: np.full((len(codes), 1), np.inf))
    with pytest.raises(InputError, match="Item 1: the answer is no finite number"):
        predictor.decode([[3e38, 3e38, 3e38]])


def test_labels_may_be_an_array_and_seeds_are_checked(runs: Callable[[str], Made]) -> None:
    predictor = runs("conditional").predictor
    codes, labels = np.zeros((2, predictor.coder.latent)), predictor.encode(items(runs("conditional"), 2))
    names = np.array([one["label"] for one in labels])
    assert predictor.decode(codes, label=names) == predictor.decode(codes, label=names.tolist())
    with pytest.raises(InputError, match="seed=-1: expected a whole number of 0 or more"):
        predictor.generate(1, seed=-1)


def test_a_bad_picture_or_class_is_named_by_its_number_among_all(runs: Callable[[str], Made]) -> None:
    predictor, (one, *_) = runs("conditional").predictor, items(runs("conditional"), 2)
    for ask in (predictor.predict, predictor.encode):
        with pytest.raises(InputError, match=f"Item 35, column '{predictor.class_column}': expected a label"):
            ask([one] * 34 + [{**one, predictor.class_column: "none"}])
        assert len(ask([one] * 35)) == 35


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
    with pytest.raises(InputError, match="expected 2 to 10,000"):
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


def test_between_pictures_of_another_size_the_ends_say_so(runs: Callable[[str], Made]) -> None:
    small, large = np.zeros((8, 8), np.uint8), np.zeros((20, 30), np.uint8)
    first, middle, last = runs("vae").predictor.between(small, large, steps=3)
    assert "warning" not in first and "warning" not in middle
    assert last["warning"] == "the picture has 30 x 20 pixels; it was made 8 x 8, as the model takes it"


@pytest.mark.parametrize(
    ("recipe", "model", "labels", "message"),
    [
        ("vae", "mlp", "classify", "this model has no classifier. Take --model joint"),
        ("vae", "joint", "none", "task.labels=none: this model has a classifier"),
        ("vae", "joint", "condition", "task.labels=condition: this model has a classifier"),
        ("autoencoder", "dense", "classify", "this model has no classifier. Take --model joint"),
        ("autoencoder", "joint", "none", "task.labels=none: this model has a classifier"),
    ],
)
def test_model_and_labels_have_to_fit(recipe: str, model: str, labels: str, message: str) -> None:
    asked = order(recipe, model=model, data="sample", changes=[*PICTURES, f"task.labels={labels}"]).recipe
    prepared = prepare(asked, readable(asked.task, asked.data.load("sample", say=lambda _: None)))
    with pytest.raises(SettingsError, match=message):
        prepared.build()


# Judged again


def test_the_keras_file_is_judged_as_in_the_run(runs: Callable[[str], Made]) -> None:
    run = runs("vae")
    found = finished.evaluate(run.folder, data=None, artefact="keras", say=lambda _: None)
    model, prepared = dlkit.keras_model(run.folder), run.prepared
    expected = judge_latents(prepared, model, outputs(model, prepared.served), seed=0)
    assert found["test"] == pytest.approx(expected.test, rel=1e-5) and {"elbo", "kl", "nll"} < set(found["test"])
    assert found["latents"]["binarise"] == "static" and found["latents"]["unit"] == "nats an image"
    assert "each pixel drawn once" in figures(found)


def test_other_artefacts_say_where_the_bound_is_to_be_had(runs: Callable[[str], Made]) -> None:
    said: list[str] = []
    found = finished.evaluate(runs("vae").folder, data=None, artefact="tflite", say=said.append)
    assert set(found["test"]) == {"mse", "mae"} and "--artefact keras" in said[-1]


def test_classes_of_other_data_may_have_another_name(runs: Callable[[str], Made], alone: Path) -> None:
    for name in ("3", "4"):
        (alone / "own" / name).mkdir(parents=True)
        for level in range(30):
            Image.new("L", (8, 8), level + 100 * int(name) - 200).save(alone / "own" / name / f"{level}.png")
    folder = runs("conditional").folder
    found = finished.evaluate(folder, data=alone / "own", artefact="tflite", say=lambda _: None)
    assert found["rows"] == 60 and found["test"]["mse"] > 0


def test_another_model_goes_on_with_the_rows_of_the_run(runs: Callable[[str], Made], tmp_path: Path) -> None:
    record = json.loads((runs("vae").folder / "run.json").read_text(encoding="utf-8"))
    kept = ["data.dataset=fashion_mnist", "training.epochs=3"]
    (tmp_path / "1").mkdir()
    shutil.copy(runs("vae").folder / "metrics.json", tmp_path / "1")
    settings = {"preprocessing": {"binarise": "dynamic"}}
    written = {**record, "recipe": "vae", "model": "mlp", "changes": kept, "settings": settings}
    (tmp_path / "1" / "run.json").write_text(json.dumps(written), encoding="utf-8")
    for model, epochs in ((None, 3), ("iwae", 400)):
        again = order("vae", model=model, changes=[], start=tmp_path / "1").recipe
        assert again.data.dataset == "fashion_mnist" and again.training.epochs == epochs  # type: ignore[attr-defined]


def test_words_that_all_look_like_numbers_are_words_all_the_same() -> None:
    part = Split({"grade": np.array([1.0, 2.0, np.nan])})
    splits = Splits(part, part, part, {"grade": "number"}, "own", "own.csv", "sha256:0")
    found = given_rows._of_kinds(splits, {"grade": "category"})
    assert found.test.inputs["grade"].tolist() == ["1", "2", None] and found.kinds == {"grade": "category"}
    with pytest.raises(DataError, match="column 'grade': the model reads a text there, and this is a number"):
        given_rows._of_kinds(splits, {"grade": "text"})


def test_a_second_column_with_the_name_of_the_class_is_refused(runs: Callable[[str], Made]) -> None:
    run = runs("conditional")
    torn = replace(run.prepared.splits, target_name="colour")
    with pytest.raises(DataError, match="classes are in the column 'digit', and here the labels are in 'colour'"):
        given_rows.with_labels(run.prepared.recipe, run.prepared.transform, torn)


def test_labels_are_asked_for_where_there_are_none() -> None:
    asked = order("vae", model="conditional", data="sample", changes=["data.sample=houses"])
    with pytest.raises(Exception, match="needs a label for each row, and sample: generated house prices has none"):
        readable(asked.recipe.task, asked.recipe.data.load("sample", say=lambda _: None))


@pytest.mark.parametrize("setting", ["task.labels=some", "task.samples=0", "preprocessing.binarise=maybe"])
def test_settings_that_do_not_exist_are_refused(setting: str) -> None:
    with pytest.raises(SettingsError, match=setting.partition("=")[0]):
        order("vae", model=None, data="sample", changes=[setting])
