"""Do the files of a network for pictures take the pixels, or the encoded pictures, as they are, and answer alike?"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from dlkit.contracts import Examples, Tensor
from dlkit.export import artefacts
from dlkit.export.associated import LARGEST, associate
from dlkit.export.litert import write_litert
from dlkit.export.proof import AGREEMENT, TOLERANCE, prove
from dlkit.export.saved_model import SavedModel, write_saved_model
from dlkit.inference.answers import ClassAnswer
from dlkit.inference.forms import QUANTIZED
from dlkit.inference.images import ImagePixels
from dlkit.inference.litert import LiteRT
from dlkit.inference.runs import sha256
from dlkit.training.fit import Objective, fit, outputs
from dlkit.training.settings import Training

SIZE = 12
LABELS = ("blue", "green", "red")
ANSWER = ClassAnswer(LABELS)
TENSORS: Mapping[str, Tensor] = {"pixels": Tensor((SIZE, SIZE, 3), "uint8")}


def rows(count: int, seed: int, *, low: int = 0, high: int = 255) -> Examples:
    """Grain around one level, a third of it of one colour more, which is the class."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, 3, count)
    pixels = random.integers(low, (low + high) // 2, (count, SIZE, SIZE, 3))
    pixels[np.arange(count), :, :, 2 - classes] += (high - low) // 3
    pixels[:, 0, 0], pixels[:, -1, -1] = low, high
    return Examples({"pixels": pixels.astype(np.uint8)}, classes.astype(np.int32))


def network() -> keras.Model:
    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="pixels")
    x = keras.layers.Normalization(mean=[110.0, 112.0, 108.0], variance=[3_600.0] * 3)(inputs)
    x = keras.layers.Conv2D(8, 3, activation="relu")(x)
    x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    settings = Training(epochs=6, batch_size=32, learning_rate=0.01, tensorboard=False)
    objective = Objective("sparse_categorical_crossentropy", [])
    return fit(network, rows(300, 0), None, objective=objective, settings=settings, seed=0, say=lambda _: None).model


@pytest.fixture(scope="module")
def files(trained: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The network as it is and quantized in every way; "narrow" is int8 by rows without black and white."""
    folder = tmp_path_factory.mktemp("litert")
    written = {name: folder / f"{name}.tflite" for name in ("tflite", *QUANTIZED, "narrow")}
    for name, path in written.items():
        calibration = rows(100, 0) if name != "narrow" else rows(100, 0, low=40, high=200)
        quantize = {"tflite": None, "narrow": "int8"}.get(name, name)
        write_litert(path, trained, TENSORS, quantize=quantize, calibration=calibration)
    return written


def input_of(file: Path) -> Mapping[str, object]:
    from ai_edge_litert.interpreter import Interpreter

    (detail,) = Interpreter(model_content=file.read_bytes()).get_input_details()
    return detail


@pytest.mark.parametrize("name", ["tflite", *QUANTIZED, "narrow"])
def test_a_file_takes_pixels_as_bytes(name: str, files: dict[str, Path]) -> None:
    detail = input_of(files[name])
    assert detail["dtype"] == np.uint8
    assert list(detail["shape_signature"]) == [-1, SIZE, SIZE, 3]  # type: ignore[call-overload]  # an array


def test_the_bytes_of_an_integer_network_stand_for_themselves(files: dict[str, Path]) -> None:
    assert input_of(files["int8"])["quantization"] == (1.0, 0)
    scale, zero = input_of(files["narrow"])["quantization"]  # type: ignore[misc]  # a pair
    assert (scale, zero) != (1.0, 0) and 0.5 < scale < 1


@pytest.mark.parametrize("name", ["tflite", *QUANTIZED])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_a_file_answers_within_the_tolerance_of_its_name(
    name: str, count: int, files: dict[str, Path], trained: keras.Model
) -> None:
    held_out = rows(count, 1)
    expected = outputs(trained, held_out)
    proof = prove(ANSWER, expected, lambda _: LiteRT(files[name]).run(held_out.inputs), {})
    assert proof.holds(name), proof
    assert proof.outputs.dtype == np.float32 and proof.outputs.shape == (count, 3)
    if count == 300:
        assert (expected.argmax(axis=1) == held_out.targets).mean() > 0.9, (
            "a network that learnt nothing proves nothing"
        )


def test_calibration_without_black_and_white_gives_right_answers_all_the_same(
    files: dict[str, Path], trained: keras.Model
) -> None:
    """Its bytes are those of another scale: to hand over pixels as they are would change every picture."""
    held_out = rows(300, 1, low=45, high=195)
    pixels = held_out.inputs["pixels"]
    expected = outputs(trained, held_out)
    found = LiteRT(files["narrow"]).run(held_out.inputs)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= AGREEMENT["int8"]
    assert np.abs(found - expected).max() <= TOLERANCE["int8"]
    scale, zero = input_of(files["narrow"])["quantization"]  # type: ignore[misc]  # a pair
    assert isinstance(pixels, np.ndarray)
    as_they_are = np.clip((pixels.astype(np.float32) - zero) * scale, 0, 255).astype(np.uint8)
    wrong = LiteRT(files["narrow"]).run({"pixels": as_they_are})
    assert np.abs(wrong - expected).max() > 2 * np.abs(found - expected).max()


def test_batches_and_single_pictures_of_rows_on_demand_are_answered_alike(files: dict[str, Path]) -> None:
    column = np.empty(5, object)
    for row, one in enumerate(rows(5, 3).inputs["pixels"]):  # type: ignore[arg-type]  # an array
        column[row] = np.kron(one, np.ones((2, 2, 1), np.uint8))
    on_demand = ImagePixels("image", SIZE).encode({"image": column})
    together = LiteRT(files["int8"]).run(on_demand)
    for row in range(5):
        alone = LiteRT(files["int8"]).run({"pixels": on_demand["pixels"].take(np.array([row]))})  # type: ignore[union-attr]
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)
    assert len(np.unique(together[:, 0])) > 1


@pytest.mark.parametrize("name", ["tflite", "int8"])
def test_a_file_alone_holds_its_labels_and_still_answers(name: str, trained: keras.Model, tmp_path: Path) -> None:
    transform, assets = ImagePixels("image", SIZE, fit="crop"), tmp_path / "assets.extra"
    assets.mkdir()
    ANSWER.save(assets)
    transform.save(assets)
    entry = artefacts.write(name, tmp_path, model=trained, transform=transform, answer=ANSWER, calibration=rows(100, 0))
    file = tmp_path / str(entry["path"])
    assert (entry["bytes"], entry["sha256"]) == (file.stat().st_size, sha256(file))
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["answer.json", "labels.txt", "preprocessing.json"]
        assert archive.read("labels.txt").decode().splitlines() == list(LABELS)
        assert json.loads(archive.read("preprocessing.json"))["fit"] == "crop"
        network = archive.infolist()[0].header_offset
    assert entry["bytes"] - network < 1_500  # type: ignore[operator]  # a number
    held_out = rows(20, 1)
    assert input_of(file)["dtype"] == np.uint8
    proof = prove(ANSWER, outputs(trained, held_out), lambda _: LiteRT(file).run(held_out.inputs), {})
    assert proof.holds(name), proof


def test_what_travels_in_a_file_is_small_but_for_labels_and_gives_the_same_bytes(tmp_path: Path) -> None:
    assets = tmp_path / "assets.extra"
    (assets / "part").mkdir(parents=True)
    for file, size in (("labels.txt", 2 * LARGEST), ("part/preprocessing.json", 9), ("vocabulary.txt", LARGEST + 1)):
        (assets / file).write_bytes(b"x" * size)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"network")
        associate(tmp_path / name, assets)
    assert zipfile.ZipFile(tmp_path / "a").namelist() == ["labels.txt", "part/preprocessing.json"]
    content = (tmp_path / "a").read_bytes()
    assert content.startswith(b"network") and content == (tmp_path / "b").read_bytes()
    associate(tmp_path / "a", tmp_path / "nothing")
    assert (tmp_path / "a").read_bytes() == content


# SavedModel


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture(scope="module", params=["stretch", "crop"])
def transform(request: pytest.FixtureRequest) -> ImagePixels:
    return ImagePixels("image", SIZE, fit=request.param)


@pytest.fixture(scope="module")
def saved(transform: ImagePixels, trained: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    write_saved_model(folder, transform, trained, ANSWER)
    return folder


def large(count: int) -> np.ndarray:
    """(count, 40, 60, 3) uint8: other in their middle than beside it, so that a crop shows."""
    small = np.asarray(rows(count, 5).inputs["pixels"])
    made = np.kron(small, np.ones((1, 4, 5, 1), np.uint8))[:, :40]
    made[:, :, :10], made[:, :, 50:] = 255 - made[:, :, :10], 255
    return made


def test_contents_and_arrays_of_the_same_pictures_get_the_same_answers(
    saved: Path, transform: ImagePixels, trained: keras.Model
) -> None:
    pictures = large(6)
    signatures = tf.saved_model.load(str(saved)).signatures
    by_content = signatures["serving_default"](image=tf.constant([encoded(one, "PNG") for one in pictures]))
    by_array = signatures["arrays"](pixels=tf.constant(pictures))
    assert set(by_content) == set(by_array) == {"outputs", "probabilities", "label"}
    for name in by_content:
        np.testing.assert_array_equal(by_content[name].numpy(), by_array[name].numpy())
    expected = outputs(trained, Examples(transform.encode({"image": pictures})))
    np.testing.assert_allclose(by_array["outputs"].numpy(), expected, atol=1e-5)
    assert [label.decode() for label in by_array["label"].numpy()] == [LABELS[n] for n in expected.argmax(axis=1)]
    assert len({*expected.argmax(axis=1).tolist()}) > 1


def test_signatures_name_what_they_take(saved: Path) -> None:
    signatures = tf.saved_model.load(str(saved)).signatures
    taken = {
        name: {key: (spec.shape.as_list(), spec.dtype.name) for key, spec in one.structured_input_signature[1].items()}
        for name, one in signatures.items()
    }
    assert taken == {
        "serving_default": {"image": ([None], "string")},
        "network": {"pixels": ([None, SIZE, SIZE, 3], "uint8")},
        "arrays": {"pixels": ([None, None, None, None], "uint8")},
    }


def test_arrays_may_have_one_channel_or_one_for_transparency(saved: Path, transform: ImagePixels) -> None:
    signature = tf.saved_model.load(str(saved)).signatures["arrays"]
    pictures = large(3)
    see_through = np.concatenate([pictures, np.zeros((3, 40, 60, 1), np.uint8)], axis=3)
    whole = signature(pixels=tf.constant(pictures))["outputs"].numpy()
    np.testing.assert_array_equal(signature(pixels=tf.constant(see_through))["outputs"].numpy(), whole)
    one = np.ascontiguousarray(pictures[..., :1])
    np.testing.assert_array_equal(
        signature(pixels=tf.constant(one))["outputs"].numpy(),
        signature(pixels=tf.constant(np.repeat(one, 3, axis=3)))["outputs"].numpy(),
    )


def test_a_saved_model_takes_paths_contents_and_pixels_of_any_size(
    saved: Path, transform: ImagePixels, trained: keras.Model, tmp_path: Path
) -> None:
    pictures = large(5)
    (tmp_path / "a.jpg").write_bytes(encoded(pictures[0], "JPEG"))
    column = np.empty(5, object)
    column[0] = tmp_path / "a.jpg"
    for row, kind in enumerate(("WEBP", "BMP", "TIFF"), start=1):
        column[row] = encoded(pictures[row], kind)
    column[4] = pictures[4]
    found = SavedModel(saved, transform).outputs({"image": column}, batch_size=2)
    expected = outputs(trained, Examples(transform.encode({"image": column})))
    np.testing.assert_allclose(found, expected, atol=1e-5)
