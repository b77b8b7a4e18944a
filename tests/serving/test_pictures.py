"""Can a picture be sent to the server, by program and by hand, and can nobody see the server's own?"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nicegui", reason="the server is the extra 'serve'")

from fastapi.testclient import TestClient
from PIL import Image

from dlkit.errors import InputError
from dlkit.inference import Predictor
from dlkit.inference.answers import ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.inputs import columns_from
from dlkit.serving import application
from dlkit.serving.limits import Limits
from dlkit.serving.payload import read_question
from dlkit.serving.rest import _metadata, rest_application
from dlkit.serving.served import ServedModels

PREDICT = "/v1/models/shades:predict"


class Shades(Predictor):
    """Says "light" to a picture whose pixels are above 127 on average."""

    def __init__(self, run: Path) -> None:
        self.recipe, self.version, self.run, self.task = "shades", 1, run, "classification"
        self.question = "Is a picture light or dark?"
        self.kinds = {"image": "image"}
        self.choices = {}
        self.labels = ("dark", "light")

    def predict(self, items):
        pictures = columns_from(items, self.kinds)["image"]
        return [self._answer(float(pixels.mean()) / 255) for pixels in pictures]

    def _answer(self, light: float) -> dict[str, object]:
        label = "light" if light > 0.5 else "dark"
        return {"label": label, "score": max(light, 1 - light), "probabilities": {"dark": 1 - light, "light": light}}


def encoded(level: int, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (6, 4), (level,) * 3).save(stream, kind)
    return stream.getvalue()


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


@pytest.fixture
def shades(tmp_path: Path) -> Predictor:
    return Shades(tmp_path)


@pytest.fixture
def client(shades: Predictor) -> TestClient:
    return TestClient(application([shades], page=False), raise_server_exceptions=False)


def ask(client, content):
    response = client.post(PREDICT, content=json.dumps(content).encode())
    return response.status_code, response.json()


# REST


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_contents_of_files_are_sent_in_base64(client, kind):
    rows = [b64(encoded(250, kind)), {"image": b64(encoded(10, kind))}]
    status, answer = ask(client, {"instances": rows})
    assert status == 200
    assert [prediction["label"] for prediction in answer["predictions"]] == ["light", "dark"]


@pytest.mark.parametrize(
    "inputs", [[b64(encoded(250)), b64(encoded(10))], {"image": [b64(encoded(250)), b64(encoded(10))]}]
)
def test_pictures_are_sent_as_a_column_too(client, inputs):
    status, answer = ask(client, {"inputs": inputs})
    assert (status, answer["outputs"]["label"]) == (200, ["light", "dark"])


def test_pictures_of_too_many_pixels_together_are_refused_before_they_are_decoded(shades):
    limits = Limits(pixels=6 * 4 * 3)
    client = TestClient(rest_application(ServedModels([shades]), limits), raise_server_exceptions=False)
    assert ask(client, {"instances": [b64(encoded(9))] * 3})[0] == 200
    for rows in ([b64(encoded(9))] * 4, [{"image": b64(encoded(9))}] * 4):
        status, answer = ask(client, {"instances": rows})
        assert status == 413 and "more than 72 pixels together" in answer["error"]


@pytest.mark.parametrize("shape", [(4, 6, 3), (4, 6, 1), (4, 6), (4, 6, 4)])
def test_pixels_are_sent_as_numbers(client, shape):
    light, dark = np.full(shape, 240), np.full(shape, 20)
    status, answer = ask(client, {"instances": [light.tolist(), {"image": dark.tolist()}]})
    assert (status, [prediction["label"] for prediction in answer["predictions"]]) == (200, ["light", "dark"])


def test_metadata_names_each_of_several_answers(tmp_path):
    faces = Shades(tmp_path)
    faces.labels, faces.task = (), "joint"
    faces.answer = JointAnswer({"age": ValueAnswer("age", "years", 40, 10, 10, False), "sex": ClassAnswer(("f", "m"))})
    metadata = _metadata(faces)["metadata"]
    outputs = metadata["signature_def"]["signature_def"]["serving_default"]["outputs"]
    assert {name: one["dtype"] for name, one in outputs.items()} == {
        "age.value": "DT_DOUBLE", "sex.label": "DT_STRING", "sex.score": "DT_DOUBLE",
    }  # fmt: skip


def test_metadata_says_that_a_picture_is_a_string_of_bytes(client):
    metadata = client.get("/v1/models/shades/metadata").json()["metadata"]
    assert metadata["signature_def"]["signature_def"]["serving_default"]["inputs"]["image"]["dtype"] == "DT_STRING"
    assert metadata["dlkit"]["kinds"] == {"image": "image"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"b64": "?"}, 'Item 2: "b64" is not the base64 form of a picture.'),
        ({"b64": "YQ"}, 'Item 2: "b64" is not the base64 form of a picture.'),
        ({"b64": 5}, 'Item 2: expected {"b64": "base64 of a picture"} and nothing beside it.'),
        ({"b64": "", "more": 1}, 'expected {"b64": "base64 of a picture"} and nothing beside it.'),
        ({"image": {"b64": "?"}}, "Item 2, column 'image': \"b64\" is not the base64 form of a picture."),
        ({"b64": ""}, "Item 2, column 'image': no picture that can be read"),
        (b64(b"root:x:0:0"), "Item 2, column 'image': no picture that can be read"),
        (b64(encoded(9, "JPEG")[:200]), "Item 2, column 'image': the picture is damaged"),
        ({"image": {"path": "a.png"}}, "Item 2, column 'image': expected a picture"),
        (None, "expected a picture"),
        (7, "expected a picture"),
        ([[0, 256]], "expected rows of pixels, each a whole number from 0 to 255"),
        ([[0.5]], "expected rows of pixels"),
        ([1, 2, 3], "expected uint8 pixels (height, width, 1, 3 or 4)"),
        ({"photo": b64(b"")}, "the model has no column 'photo'"),
        ({}, "the image column 'image' is missing"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_item(client, row, message):
    status, answer = ask(client, {"instances": [b64(encoded(9)), row]})
    assert status == 400
    assert message in answer["error"]


# The server's own files


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good picture on the server; to read any file fails from here on."""
    (tmp_path / "secret.png").write_bytes(encoded(200))
    monkeypatch.chdir(tmp_path)

    def read(path: Path) -> bytes:
        pytest.fail(f"{path} was read")

    monkeypatch.setattr(Path, "read_bytes", read)
    return tmp_path / "secret.png"


def wrapped(path: str) -> dict[str, object]:
    """A path in every place of a request where a picture, or a part of one, may stand."""
    return {
        "instances": {"instances": [path]},
        "instances by name": {"instances": [{"image": path}]},
        "inputs": {"inputs": [path]},
        "inputs by name": {"inputs": {"image": [path]}},
        "in a list": {"instances": [[path]]},
        "in rows of pixels": {"instances": [[[path]]]},
        "in a list by name": {"inputs": {"image": [[path]]}},
        "in base64": {"instances": [b64(path.encode())]},
        "in an object": {"instances": [{"image": {"image": path}}]},
    }


@pytest.mark.parametrize("place", wrapped(""))
@pytest.mark.parametrize("form", ["{}", "{}.none", "file://{}", "secret.png", "../{0.parent.name}/secret.png"])
def test_a_text_in_the_place_of_a_picture_reads_no_file_and_tells_of_none(client, secret: Path, place, form):
    status, answer = ask(client, wrapped(form.format(secret))[place])
    assert status == 400
    for told in ("cannot be read", "No such file", "Is a directory"):
        assert told not in answer["error"]


def test_the_message_for_a_path_says_what_to_send_instead(client, secret: Path):
    _, answer = ask(client, {"instances": [str(secret)]})
    assert answer["error"] == 'Item 1: a picture is {"b64": "base64 of a JPEG or PNG"} or rows of pixels, no text.'
    _, answer = ask(client, {"inputs": {"image": [str(secret)]}})
    assert answer["error"].startswith("Item 1, column 'image': a picture is")


@pytest.mark.parametrize("row", ['"/a.png"', '{"b64": "/a.png"}', '{"b64": {"b64": "?"}}'])
def test_a_column_of_pictures_called_b64_holds_no_paths_either(row):
    with pytest.raises(InputError, match="Item 1"):
        read_question(f'{{"instances": [{row}]}}'.encode(), {"b64": "image"})
    good = json.dumps({"instances": [{"b64": b64(encoded(9))}]}).encode()
    assert read_question(good, {"b64": "image"}).items == [{"b64": encoded(9)}]


def test_a_table_of_paths_on_the_page_reads_no_file(shades: Predictor, secret: Path):
    from dlkit.serving.page import _answer_table

    (model,) = ServedModels([shades])
    with pytest.raises(InputError, match="picture"):
        _answer_table(model, f"image\n{secret}\n".encode(), Limits())


# The page


def test_a_picture_is_answered_as_soon_as_it_is_uploaded(shades: Predictor):
    simulation = pytest.importorskip("nicegui.testing.user_simulation", reason="came after NiceGUI 3.0")
    from nicegui import ui
    from nicegui.elements.upload_files import SmallFileUpload

    from dlkit.serving.form import MOST_BYTES
    from dlkit.serving.page import define_pages

    async def use() -> None:
        async with simulation.user_simulation() as user:
            define_pages(ServedModels([shades]), Limits())
            await user.open("/models/shades")
            await user.should_see("Choose or drop a picture")
            (field,) = [one for one in user.find(ui.upload).elements if "picture" in one.props["label"]]
            assert field.props["accept"] == "image/*" and field.props["max-file-size"] == MOST_BYTES
            user.find("Predict").click()
            await user.should_see("Item 1: the image column 'image' is missing.")
            await field.handle_uploads([SmallFileUpload("a.png", "image/png", encoded(250))])
            await user.should_see("with probability 98.0 %")
            (shown,) = [one for one in user.find(ui.image).elements if "alt" in one.props]
            assert shown.visible and shown.props["src"] == f"data:image/png;base64,{b64(encoded(250))['b64']}"
            await field.handle_uploads([SmallFileUpload("b.png", "image/png", b"root:x:0:0")])
            await user.should_see("Item 1, column 'image': no picture that can be read")
            await field.handle_uploads([SmallFileUpload("c.jpg", "image/jpeg", encoded(0, "JPEG"))])
            await user.should_see("with probability 100.0 %")

    # NiceGUI's simulation throws the module that defined the pages out of `sys.modules`, and its packages with it.
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "dlkit"}
    try:
        asyncio.run(use())
    finally:
        sys.modules.update(ours)
