"""Does a run answer raw input by LiteRT alone, as its Keras model would?"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dlkit
from dlkit.contracts import Examples, Head, Ragged, Spec, Split
from dlkit.data.samples import sample
from dlkit.errors import InputError, RunError, SettingsError
from dlkit.inference.answers import ClassAnswer, ValueAnswer
from dlkit.inference.litert import ROWS_AT_ONCE, LiteRT
from dlkit.models import dense
from dlkit.preprocessing.tables import TableFeatures
from dlkit.preprocessing.text import MultiHot
from dlkit.run_folder import Content, write_content
from dlkit.training.fit import outputs, seeded

ROWS = 2 * ROWS_AT_ONCE + 9


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Content, Split]:
    """A run of an untrained network on words, and rows."""
    made = sample("reviews")
    rows = made.rows.take(np.arange(ROWS))
    transform = MultiHot(max_words=80).fit(rows, made.kinds)
    with seeded(1):
        model = dense.mlp(Spec(transform.tensors, {"answer": Head(1, "sigmoid")}, transform.sizes), units=(8,))
    content = Content(transform, ClassAnswer(("neg", "pos")), model, history=[])
    folder = tmp_path_factory.mktemp("reviews") / "1"
    folder.mkdir()
    write_content(folder, content, {"recipe": "reviews", "question": "Good?", "task": "classification"})
    return folder, content, rows


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Content, Split]:
    """A run of an untrained network on a table, and rows."""
    made = sample("houses")
    rows = made.rows.take(np.arange(ROWS))
    transform = TableFeatures().fit(rows, made.kinds)
    with seeded(1):
        model = dense.mlp(Spec(transform.tensors, {"answer": Head(1)}), units=(8,))
    content = Content(transform, ValueAnswer("price", "k$", 20.0, 8.0, 8.0), model, history=[])
    folder = tmp_path_factory.mktemp("houses") / "1"
    folder.mkdir()
    write_content(folder, content, {"recipe": "houses", "task": "regression"})
    return folder, content, rows


def test_answers_to_more_rows_than_fit_at_once_are_those_of_the_keras_model(
    reviews: tuple[Path, Content, Split], houses: tuple[Path, Content, Split]
) -> None:
    for folder, content, rows in (reviews, houses):
        expected = outputs(content.model, Examples(content.transform.encode(rows.inputs)))
        ours = dlkit.load(folder).outputs(rows.inputs)
        assert ours.shape == expected.shape == (ROWS, 1)
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_a_text_is_answered_with_a_label_and_probabilities(reviews: tuple[Path, Content, Split]) -> None:
    predictor = dlkit.load(reviews[0])
    assert (predictor.recipe, predictor.question, predictor.version) == ("reviews", "Good?", 1)
    assert predictor.labels == ("neg", "pos") and predictor.kinds == {"text": "text"}
    first, second = predictor.predict(["A wonderful film", {"text": "😀"}])
    assert set(first) == {"label", "score", "probabilities"}
    assert "no word of this text" in str(second["warning"])


def test_a_row_is_answered_with_a_value_and_a_warning_where_it_rests_on_little(
    houses: tuple[Path, Content, Split],
) -> None:
    predictor = dlkit.load(houses[0])
    good, odd, empty = predictor.predict([{"area_m2": 90, "heating": "gas"}, {"heating": "magic"}, {"rooms": None}])
    assert (good["name"], good["unit"]) == ("price", "k$") and "warning" not in good
    assert "'magic' was never seen in training" in str(odd["warning"])
    assert np.isfinite(float(str(empty["value"])))
    assert set(predictor.choices["heating"]) == {"gas", "oil", "wood", "heat pump", "district"}


def test_a_run_that_is_moved_while_it_is_in_use_goes_on_answering(
    reviews: tuple[Path, Content, Split], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(reviews[0], tmp_path / "run"))
    predictor = dlkit.load(folder)
    shutil.rmtree(folder)
    for words in (2, 100, 300):
        text = " ".join(["film"] * words)
        assert predictor.predict([text]) == dlkit.load(reviews[0]).predict([text])


@pytest.mark.parametrize("artefact", ["keras", "saved_model", "onnx"])
def test_an_artefact_that_needs_another_library_is_refused_as_such(
    reviews: tuple[Path, Content, Split], artefact: str
) -> None:
    with pytest.raises(SettingsError, match=f"without TensorFlow, by tflite.*--artefact {artefact}"):
        dlkit.load(reviews[0], artefact=artefact)


def test_no_items_give_no_answers(reviews: tuple[Path, Content, Split]) -> None:
    assert dlkit.load(reviews[0]).predict([]) == []


def test_a_bad_item_is_refused_before_anything_runs(houses: tuple[Path, Content, Split]) -> None:
    with pytest.raises(InputError, match="Item 2, column 'area_m2'"):
        dlkit.load(houses[0]).predict([{"area_m2": 1}, {"area_m2": "big"}])


def test_a_run_is_used_without_tensorflow_keras_or_sklearn(reviews: tuple[Path, Content, Split]) -> None:
    code = (
        "import sys, json, dlkit\n"
        "answers = dlkit.load(sys.argv[1]).predict(['A wonderful film'])\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "print(json.dumps([answers, sorted(heavy)]))"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(reviews[0])], capture_output=True, text=True, check=True)
    answers, heavy = json.loads(ended.stdout)
    assert heavy == [] and ended.stderr == ""
    assert answers == dlkit.load(reviews[0]).predict(["A wonderful film"])


def test_several_threads_of_litert_give_the_same_answers(houses: tuple[Path, Content, Split]) -> None:
    folder, _, rows = houses
    one, two = dlkit.load(folder).outputs(rows.inputs), dlkit.load(folder, threads=2).outputs(rows.inputs)
    np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 64])
def test_a_file_that_is_no_model_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(content)
    with pytest.raises(RunError, match="cannot be loaded as a LiteRT model"):
        LiteRT(tmp_path / "model.tflite")


def test_a_file_of_another_model_is_said(
    reviews: tuple[Path, Content, Split], houses: tuple[Path, Content, Split]
) -> None:
    encoded = houses[1].transform.encode(houses[2].inputs)
    with pytest.raises(RunError, match="it is of another model"):
        LiteRT(reviews[0] / "model.tflite").run(encoded)


def test_no_rows_give_outputs_of_no_rows(reviews: tuple[Path, Content, Split]) -> None:
    nothing = Ragged(np.zeros(0, np.int32), np.zeros(1, np.int64))
    assert LiteRT(reviews[0] / "model.tflite").run({"word_ids": nothing}).shape == (0, 1)
