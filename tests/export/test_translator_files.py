"""Does a translator write the same sentences in every form in which it leaves the house?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from translators import ANSWER, KINDS, PIECES, SENTENCES, TEXT, built, column

from dlkit.contracts import Examples, Tensor
from dlkit.errors import DisagreementError, ExportError, RunError, SettingsError
from dlkit.evaluation.usage import TEXT as TEXT_OF_YOUR_OWN
from dlkit.evaluation.usage import usage
from dlkit.export import artefacts
from dlkit.export.compact import compacted
from dlkit.export.litert import write_litert
from dlkit.export.proof import Proof, prove, require, with_signatures
from dlkit.export.saved_model import SavedModel
from dlkit.inference.answers import ClassAnswer
from dlkit.inference.decoding import Search
from dlkit.inference.predictor import load, network_in
from dlkit.inference.runs import ASSETS, FORMAT, asset_checksums, write_json
from dlkit.inference.translating import Translator
from dlkit.training.answering import answers_of, searching


def written(folder: Path, name: str, model: keras.Model) -> Path:
    entry = artefacts.write(name, folder, model=model, transform=TEXT, answer=ANSWER)
    return folder / str(entry["path"])


def keras_outputs(model: keras.Model, beam: int) -> np.ndarray:
    source = np.asarray(TEXT.encode(column())["source"].take(np.arange(len(SENTENCES))))
    return np.asarray(searching(model, ANSWER, beam=beam).predict_on_batch(source))


def same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found[:, 1:], expected[:, 1:])
    np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=1e-4)


@pytest.fixture(scope="module", params=[kind for kind in KINDS if kind != "wide transformer"])
def litert(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    model = built(request.param)
    before = dict(vars(model))
    path = written(tmp_path_factory.mktemp("litert"), "tflite", model)
    assert vars(model) == before
    return model, path


@pytest.mark.parametrize("beam", [1, 3], ids=["greedy", "beam"])
def test_litert_writes_what_keras_writes_on_sentences_of_any_length_in_turn(
    litert: tuple[keras.Model, Path], beam: int
) -> None:
    model, path = litert
    found = Translator(path, ANSWER, search=Search(beam=beam)).run(TEXT.encode(column()))
    same(found, keras_outputs(model, beam))
    assert len({tuple(row) for row in found}) > 2


def test_litert_searches_as_the_run_says_unless_it_is_told_otherwise(litert: tuple[keras.Model, Path]) -> None:
    model, path = litert
    encoded = TEXT.encode(column())
    same(Translator(path, ANSWER).run(encoded), keras_outputs(model, ANSWER.beam))
    several = Translator(path, ANSWER, search=Search(beam=4, best=2)).run(encoded)
    assert several.shape == (len(SENTENCES), 2 * ANSWER.units)
    assert (several[:, 0] >= several[:, ANSWER.units]).all()
    drawn = [
        Translator(path, ANSWER, search=Search(best=3, temperature=1.5, seed=seed)).run(encoded) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


def test_greedy_in_one_call_is_greedy_step_by_step(litert: tuple[keras.Model, Path]) -> None:
    _, path = litert
    encoded = TEXT.encode(column())
    whole, stepwise = Translator(path, ANSWER, search=Search(beam=1)), Translator(path, ANSWER)
    stepwise.search = Search(beam=1)
    same(stepwise.run(encoded), whole.run(encoded))


def test_no_rows_are_no_translations(litert: tuple[keras.Model, Path]) -> None:
    assert Translator(litert[1], ANSWER).run(TEXT.encode(column(()))).shape == (0, ANSWER.units)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    model, folder = built("transformer"), tmp_path_factory.mktemp("saved")
    written(folder, "saved_model", model)
    return model, folder


def test_a_saved_model_takes_and_gives_strings(saved: tuple[keras.Model, Path]) -> None:
    model, folder = saved
    expected = answers_of(model, ANSWER, Examples(TEXT.encode(column())))
    artefact = SavedModel(folder, TEXT)
    same(artefact.outputs(column()), expected)
    same(artefact.outputs(column(), batch_size=3), expected)
    same(artefact.network({"source": np.asarray(TEXT.encode(column())["source"].take(np.arange(4)))}), expected[:4])
    signatures = tf.saved_model.load(str(folder)).signatures
    assert set(signatures) == {"serving_default", "greedy", "network", "encode", "step"}
    for name, outputs in (("serving_default", expected), ("greedy", keras_outputs(model, 1))):
        answer = signatures[name](source=tf.constant(SENTENCES))
        decoded = ANSWER.decode(outputs)
        assert [text.decode() for text in answer["translation"].numpy()] == [one["translation"] for one in decoded]
        np.testing.assert_allclose(answer["score"], [one["score"] for one in decoded], atol=1e-4)


class Steps:
    """The parts of a SavedModel, called from Python."""

    def __init__(self, folder: Path) -> None:
        self._module = tf.saved_model.load(str(folder))

    def encode(self, source: np.ndarray) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
        found = self._run("encode", {"source": source})
        cache = {name: rows for name, rows in found.items() if name.startswith("cache_")}
        return {name: rows for name, rows in found.items() if name not in cache}, cache

    def step(
        self, pieces: np.ndarray, position: int, state: Mapping[str, np.ndarray], cache: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        found = self._run("step", {"pieces": pieces, "position": np.int32(position), **state, **cache})
        return found.pop("chances"), found

    def _run(self, name: str, given: Mapping[str, object]) -> dict[str, np.ndarray]:
        tensors = {key: tf.constant(value) for key, value in given.items()}
        return {key: tensor.numpy() for key, tensor in self._module.signatures[name](**tensors).items()}


def test_the_parts_of_a_saved_model_make_a_search(saved: tuple[keras.Model, Path]) -> None:
    model, folder = saved
    source = np.asarray(TEXT.encode(column())["source"].take(np.arange(len(SENTENCES))))
    same(Search(beam=3).run(Steps(folder), source, ANSWER.longest).outputs, keras_outputs(model, 3))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """A run folder of two LiteRT files."""
    model, folder = built("wide transformer"), tmp_path_factory.mktemp("run")
    (folder / ASSETS).mkdir()
    TEXT.save(folder / ASSETS)
    ANSWER.save(folder / ASSETS)
    entries = {
        name: artefacts.write(name, folder, model=model, transform=TEXT, answer=ANSWER)
        for name in ("tflite", "dynamic")
    }
    record = {"format": FORMAT, "task": "translation", "assets": asset_checksums(folder), "artefacts": entries}
    write_json(folder / "run.json", record)
    return model, folder


def test_a_predictor_answers_with_sentences(run: tuple[keras.Model, Path]) -> None:
    model, folder = run
    expected = [row for row, text in zip(keras_outputs(model, ANSWER.beam), SENTENCES, strict=True) if text]
    found = load(folder).predict(list(filter(None, SENTENCES)))
    assert [answer["translation"] for answer in found] == ANSWER.sentences(np.array(expected))
    assert not any("others" in answer for answer in found)


def test_a_predictor_gives_the_next_best_on_request(run: tuple[keras.Model, Path]) -> None:
    for answer in load(run[1], search=Search(beam=4, best=3)).predict(list(filter(None, SENTENCES))):
        scores = [answer["score"], *(other["score"] for other in answer["others"])]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert len({answer["translation"], *(other["translation"] for other in answer["others"])}) == 3


def test_a_search_is_for_translators_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="translations"):
        network_in(tmp_path / "model.tflite", TEXT, ClassAnswer(("a", "b")), search=Search())


def test_weights_of_8_bits_hold_each_table_once_and_write_the_same(run: tuple[keras.Model, Path]) -> None:
    model, folder = run
    found = load(folder, artefact="dynamic", search=Search(beam=1)).outputs(column())
    assert (found[:, 1:3] == keras_outputs(model, 1)[:, 1:3]).mean() > 0.9
    content = (folder / "model.dynamic.tflite").read_bytes()
    assert len(content) < 0.7 * (folder / "model.tflite").stat().st_size
    file = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    tensors = [tensor for graph in file.subgraphs for tensor in graph.tensors]
    tables = [one for one in tensors if one.shape is not None and list(one.shape) == [PIECES.highest_id + 1, 64]]
    held = {tensor.buffer: tensor.type for tensor in tables if file.buffers[tensor.buffer].data is not None}
    assert list(held.values()) == [schema.TensorType.INT8]
    assert content.startswith(compacted(content))  # behind it stand assets


def test_the_card_translates_without_dlkit(
    litert: tuple[keras.Model, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = litert[1].parent
    (folder / ASSETS).mkdir(exist_ok=True)
    TEXT.save(folder / ASSETS)
    about = {"run": str(folder), "task": "translation", "artefacts": {"tflite": {"path": "model.tflite"}}}
    snippet = usage(about).artefacts["tflite"]
    assert TEXT_OF_YOUR_OWN in snippet and "dlkit" not in snippet.replace(str(folder), "")
    texts = ("jab led a bad lad", "fab?", "a zebra", *filter(None, SENTENCES))
    found = Translator(litert[1], ANSWER, search=Search(beam=1)).run(TEXT.encode(column(texts)))
    capsys.readouterr()
    for text, row, sentence in zip(texts, found, ANSWER.sentences(found), strict=True):
        exec(compile(snippet.replace(TEXT_OF_YOUR_OWN, text), "card", "exec"), {})  # noqa: S102 (our own words)
        written, score = capsys.readouterr().out.rstrip("\n").rsplit(" ", 1)
        assert written == sentence
        assert float(score) == pytest.approx(float(row[0]), abs=1e-5)
    assert len(set(ANSWER.sentences(found))) > 2


def test_a_proof_replays_the_greedy_loop_too(run: tuple[keras.Model, Path], saved: tuple[keras.Model, Path]) -> None:
    for (model, folder), name in ((run, "tflite"), (saved, "saved_model")):
        proof = Proof(len(SENTENCES), 0.0, 1.0, np.zeros((0, ANSWER.units)), sentences=True)
        found = with_signatures({name: proof}, model, ANSWER, folder, transform=TEXT, columns=column())
        assert found[name].greedy_agreement == 1.0 and found[name].holds(name)
    other = built("wide transformer", seed=6)
    found = with_signatures({"tflite": proof}, other, ANSWER, run[1], transform=TEXT, columns=column())
    assert found["tflite"].agreements["agreement"] == 1.0 > found["tflite"].agreements["greedy_agreement"]
    with pytest.raises(DisagreementError, match=r"same answer on 100.00% .*, searched greedily on \d"):
        require(found, run[1])


@pytest.mark.parametrize("name", ["int8", "onnx"])
def test_a_form_that_knows_no_loops_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportError, match="dynamic"):
        written(tmp_path, name, built("transformer"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_model_is_told(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((3,), name="rows"), keras.layers.Dense(1)])
    write_litert(tmp_path / "model.tflite", other, {"rows": Tensor((3,))})
    with pytest.raises(RunError, match="another model"):
        Translator(tmp_path / "model.tflite", ANSWER)


def test_a_proof_asks_for_the_same_sentences() -> None:
    expected = np.zeros((200, ANSWER.units), np.float32)
    expected[:, 1] = 5
    other = expected.copy()
    other[:2, 1] = 6
    other[:, 0] += 5e-5
    other[0, 0] = 7  # the score of another sentence is another one
    proof = prove(ANSWER, expected, lambda _: other, {})
    assert proof.holds("tflite")
    assert (proof.agreement, proof.rows) == (0.99, 200)
    np.testing.assert_allclose(proof.max_abs_diff, 5e-5)
    other[2, 1] = 6
    assert not prove(ANSWER, expected, lambda _: other, {}).holds("saved_model")
    other[3, 0] = np.nan
    assert prove(ANSWER, expected, lambda _: other, {}).max_abs_diff == np.inf
    assert not Proof(10, 0.0, 0.995, expected).holds("tflite")
    assert Proof(10, 0.3, 0.6, expected, sentences=True).holds("dynamic")
    assert not Proof(10, 0.0, 0.4, expected, sentences=True).holds("dynamic")
