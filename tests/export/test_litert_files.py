"""Is a network converted to LiteRT with builtin operations only, smaller where asked, or refused?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit.contracts import Examples, Head, Spec, Tensor
from dlkit.errors import ExportError
from dlkit.export import litert
from dlkit.export.latent_signatures import Functions
from dlkit.export.litert import write_litert
from dlkit.export.proof import AGREEMENT, TOLERANCE, Proof, prove
from dlkit.inference.answers import ValueAnswer
from dlkit.inference.forms import QUANTIZED
from dlkit.inference.litert import LiteRT
from dlkit.models import dense, latents
from dlkit.training.fit import Objective, fit, outputs
from dlkit.training.settings import Training

TENSORS: Mapping[str, Tensor] = {"features": Tensor((6,))}


def rows(count: int, seed: int) -> Examples:
    """Bounded inputs and outputs: integers hold the range that calibration saw, and nothing beyond it."""
    inputs = np.random.default_rng(seed).uniform(-2, 2, (count, 6)).astype(np.float32)
    slopes = np.array([[1.0], [-2.0], [0.5], [1.5], [-1.0], [0.2]], np.float32)
    return Examples({"features": inputs}, np.tanh(inputs @ slopes))


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    """The table network of the recipes, trained a little."""
    spec = Spec(TENSORS, {"answer": Head(1)})
    settings = Training(epochs=12, batch_size=32, learning_rate=0.01, tensorboard=False)
    build = lambda: dense.mlp(spec, units=(64, 64))  # noqa: E731 (a model is built anew for each training)
    return fit(build, rows(400, 0), None, objective=Objective("mse", []), settings=settings, seed=0, say=print).model


@pytest.fixture(scope="module")
def files(trained: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The network as it is and quantized in every way."""
    folder = tmp_path_factory.mktemp("litert")
    written = {}
    for name in ("tflite", *QUANTIZED):
        written[name] = folder / f"{name}.tflite"
        quantize = None if name == "tflite" else name
        write_litert(written[name], trained, TENSORS, quantize=quantize, calibration=rows(1_000, 0))
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in written.values())
    return written


@pytest.mark.parametrize("name", ["tflite", *QUANTIZED])
def test_a_file_answers_within_the_tolerance_of_its_name(
    name: str, files: dict[str, Path], trained: keras.Model
) -> None:
    proof = proven(trained, files[name], rows(300, 1))
    assert proof.max_abs_diff <= TOLERANCE[name], proof.max_abs_diff
    assert name in AGREEMENT or proof.agreement == 1.0


def test_rows_far_beyond_what_calibration_saw_are_not_within_tolerance(
    files: dict[str, Path], trained: keras.Model
) -> None:
    near = rows(50, 1)
    far = Examples({"features": 10 * np.asarray(near.inputs["features"])})
    assert proven(trained, files["tflite"], far).holds("tflite")
    assert not proven(trained, files["int8"], far).holds("int8")


def proven(model: keras.Model, file: Path, examples: Examples) -> Proof:
    expected = outputs(model, examples)
    answer = ValueAnswer("y", spread=float(expected.std()))
    return prove(answer, expected, lambda _: LiteRT(file).run(examples.inputs), {})


@pytest.mark.parametrize(("name", "share"), [("float16", 0.65), ("dynamic", 0.65), ("int8", 0.65)])
def test_a_quantized_file_is_smaller(name: str, share: float, files: dict[str, Path]) -> None:
    assert files[name].stat().st_size < share * files["tflite"].stat().st_size


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantization_changes_something(name: str, files: dict[str, Path]) -> None:
    held_out = rows(50, 1).inputs
    assert not np.array_equal(LiteRT(files[name]).run(held_out), LiteRT(files["tflite"]).run(held_out))


def test_the_weights_in_a_file_are_those_of_now_not_of_before(trained: keras.Model, tmp_path: Path) -> None:
    model = keras.models.clone_model(trained)
    held_out = rows(20, 1)
    for factor in (1.0, 2.0):
        model.set_weights([factor * weight for weight in trained.get_weights()])
        write_litert(tmp_path / "model.tflite", model, TENSORS)
        np.testing.assert_allclose(
            LiteRT(tmp_path / "model.tflite").run(held_out.inputs), outputs(model, held_out), rtol=1e-4, atol=1e-4
        )


def test_dropout_is_off_in_a_file(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dropout(0.9)])
    write_litert(tmp_path / "model.tflite", model, TENSORS)
    held_out = rows(5, 1).inputs["features"]
    np.testing.assert_array_equal(LiteRT(tmp_path / "model.tflite").run({"features": held_out}), held_out)


def test_int8_without_calibration_rows_is_refused(trained: keras.Model, tmp_path: Path) -> None:
    for calibration in (None, Examples({"features": np.zeros((0, 6), np.float32)})):
        with pytest.raises(ExportError, match="needs training rows to learn the ranges from"):
            write_litert(tmp_path / "m.tflite", trained, TENSORS, quantize="int8", calibration=calibration)
    assert list(tmp_path.iterdir()) == []


def test_calibration_sees_every_class_of_rows_that_are_sorted_by_class(trained: keras.Model, tmp_path: Path) -> None:
    """A class a folder: here 1,000 rows of small numbers, then 1,000 as wide as what the network is asked."""
    wide = rows(1_000, 0)
    both = np.concatenate([0.05 * np.asarray(wide.inputs["features"]), np.asarray(wide.inputs["features"])])
    sorted_rows = Examples({"features": both})
    write_litert(tmp_path / "m.tflite", trained, TENSORS, quantize="int8", calibration=sorted_rows)
    proof = proven(trained, tmp_path / "m.tflite", rows(300, 1))
    assert proof.holds("int8"), proof.max_abs_diff


class Digamma(keras.layers.Layer):
    """An operation that TensorFlow has and LiteRT has not: with Flex it would convert, and not run in production."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.math.digamma(inputs)


class PythonFunction(keras.layers.Layer):
    """Python in a graph: no file can hold it."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.py_function(lambda x: x * 2, [inputs], tf.float32), inputs.shape)


@pytest.mark.parametrize(("layer", "reason"), [(Digamma, "Digamma"), (PythonFunction, "PyFunc|py_function")])
@pytest.mark.parametrize("quantize", [None, "float16"])
def test_a_network_without_a_builtin_form_is_refused_and_leaves_no_file(
    layer: type[keras.layers.Layer], reason: str, quantize: str | None, tmp_path: Path
) -> None:
    model = keras.Sequential([keras.Input((6,)), layer()])
    with pytest.raises(ExportError, match=f"no LiteRT form with builtin operations only: .*({reason})"):
        write_litert(tmp_path / "model.tflite", model, TENSORS, quantize=quantize)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_conversion_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"before")
    with pytest.raises(ExportError):
        write_litert(tmp_path / "model.tflite", keras.Sequential([keras.Input((6,)), Digamma()]), TENSORS)
    assert (tmp_path / "model.tflite").read_bytes() == b"before"


def test_every_row_that_calibrates_a_latent_model_has_noise_of_its_own() -> None:
    tensors = {"row": Tensor((2,))}
    functions: Functions = {
        "encode": (lambda inputs: {"mean": tf.zeros((len(inputs["row"]), 3))}, {}),
        "reconstruct": (lambda _: {}, {"row": Tensor((2,)), "noise": Tensor((3,))}),
    }
    rows = litert._rows(Examples({"row": np.zeros((40, 2), np.float32)}), tensors, functions)
    noise = np.concatenate([given["noise"] for name, given in rows if name == "reconstruct"])
    assert len(np.unique(noise)) == noise.size == 120 and np.abs(noise).max() > 2
    again = litert._rows(Examples({"row": np.zeros((40, 2), np.float32)}), tensors, functions)
    np.testing.assert_array_equal(noise, np.concatenate([given["noise"] for name, given in again if "noise" in given]))


def test_a_class_that_is_read_keeps_its_numbers_in_integers(tmp_path: Path) -> None:
    """The converter quantizes the 0 and the 1 of a one-hot operation each by a range of its own: 0 then means 0.5."""
    tensors = {"image": Tensor((4, 4, 1)), "label": Tensor((), "int32")}
    model = latents.mlp(Spec(tensors, {}, {"classes": 3}), code=2, units=(16,))
    random = np.random.default_rng(0)
    pictures, labels = random.uniform(size=(90, 4, 4, 1)).astype(np.float32), np.arange(90, dtype=np.int32) % 3
    # The class decides what is made: a network that reads a wrong one makes another picture.
    pictures[labels == 1] = 1.0
    model.compile(keras.optimizers.Adam(0.02))
    model.fit({"image": pictures, "label": labels}, epochs=30, batch_size=30, verbose=0)
    rows = Examples({"image": pictures, "label": labels})
    write_litert(tmp_path / "model.tflite", model, tensors, quantize="int8", calibration=rows)
    given = {"code": np.zeros((3, 2), np.float32), "label": np.arange(3, dtype=np.int32)}
    made = LiteRT(tmp_path / "model.tflite").signature("decode")(**given)["outputs"]
    expected = np.asarray(model.decode(given["code"], given["label"]))
    assert np.abs(expected[1] - expected[0]).max() > 0.2
    np.testing.assert_allclose(made, expected, atol=0.05)
