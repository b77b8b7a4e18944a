"""Do a served latent model's reconstruction, codes and new pictures reach programs and people?"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nicegui", reason="the server is the extra 'serve'")

from fastapi.testclient import TestClient

from dlkit.errors import InputError
from dlkit.inference import Predictor
from dlkit.inference.images import ImagePixels
from dlkit.inference.inputs import columns_from
from dlkit.inference.latents import LatentInputs
from dlkit.serving import application
from dlkit.serving.limits import Limits
from dlkit.serving.served import ServedModels

LIGHT = np.full((4, 4), 255).tolist()


@dataclass(frozen=True)
class Halves:
    """In the place of a `Coder`."""

    variational: bool = True


class Shades(Predictor):
    """A picture's code is how light it is, from 0 to 1; what a code stands for is a picture of that shade."""

    def __init__(self, run: Path, *, label: str = "", variational: bool = True) -> None:
        self.recipe, self.version, self.run, self.task = "shades", 1, run, "generation"
        self.question = "How light is a picture?"
        self.transform = LatentInputs(ImagePixels("image", 4, 1), label=label, labels=("a", "b") if label else ())
        self.kinds, self.choices, self.labels = self.transform.kinds, self.transform.choices, ()
        self.coder = Halves(variational)  # type: ignore[misc,assignment]  # a stand-in

    def predict(self, items):
        answers = self.encode(items)
        return [{**one, "mse": 0.25, **self.decode([one["code"]])[0]} for one in answers]

    def encode(self, items):
        return [{"code": [float(pixels.mean()) / 255]} for pixels in columns_from(items, self.kinds)["image"]]

    def decode(self, codes, *, label=None):  # noqa: ARG002 (as the real one)
        if any(code is None for code in codes):
            raise InputError("Code 1: expected 1 number, got None.")
        return [{"reconstruction": [[round(255 * code[0])] * 4] * 4} for code in codes]

    def generate(self, count=1, *, seed=0, label=None):
        if count < 1:
            raise InputError(f"count={count}: expected 1 to 10,000 at once.")
        self.asked = count, seed, label
        return [{"code": [0.5], **self.decode([[0.5]])[0]} for _ in range(count)]


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(application([Shades(tmp_path)], page=False), raise_server_exceptions=False)


def ask(client: TestClient, content: object) -> tuple[int, dict[str, object]]:
    response = client.post("/v1/models/shades:predict", content=json.dumps(content).encode())
    return response.status_code, response.json()


# REST


def test_a_picture_is_answered_with_its_reconstruction(client: TestClient) -> None:
    status, answer = ask(client, {"instances": [LIGHT]})
    assert (status, answer) == (200, {"predictions": [{"code": [1.0], "mse": 0.25, "reconstruction": LIGHT}]})


def test_both_halves_are_signatures(client: TestClient) -> None:
    status, answer = ask(client, {"signature_name": "encode", "instances": [LIGHT]})
    assert (status, answer) == (200, {"predictions": [{"code": [1.0]}]})
    for codes in ([[1.0], [0.0]], [{"code": [1.0]}, {"code": [0.0], "label": None}]):
        status, answer = ask(client, {"signature_name": "decode", "instances": codes})
        assert status == 200 and answer["predictions"][0] == {"reconstruction": LIGHT}  # type: ignore[index]
    status, answer = ask(client, {"signature_name": "decode", "inputs": {"code": [[1.0]]}})
    assert (status, answer) == (200, {"outputs": {"reconstruction": [LIGHT]}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"signature_name": "draw", "instances": [LIGHT]},
            "signatures are serving_default, encode, decode; got 'draw'",
        ),
        ({"signature_name": "decode", "instances": [{"picture": LIGHT}]}, "Code 1: expected"),
        ({"signature_name": "decode", "inputs": {"codes": [[1]]}}, "no column 'codes'. Did you mean 'code'?"),
        ({"signature_name": "encode", "instances": ["/etc/passwd"]}, "a picture is"),
    ],
)
def test_what_is_no_question_is_refused(client: TestClient, content: object, message: str) -> None:
    status, answer = ask(client, content)
    assert status == 400 and message in str(answer["error"])


def test_metadata_names_what_comes_out(client: TestClient) -> None:
    metadata = client.get("/v1/models/shades/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert set(metadata["serving_default"]["outputs"]) == {"code", "mse", "reconstruction"}


# The page


@pytest.mark.parametrize("label", ["", "class"])
def test_new_pictures_are_made_and_shown(tmp_path: Path, label: str) -> None:
    simulation = pytest.importorskip("nicegui.testing.user_simulation", reason="came after NiceGUI 3.0")
    from nicegui import ui

    from dlkit.serving.page import define_pages

    shades = Shades(tmp_path, label=label)

    async def use() -> None:
        async with simulation.user_simulation() as user:
            define_pages(ServedModels([shades]), Limits())
            await user.open("/models/shades")
            await user.should_see("New ones")
            user.find("Generate").click()
            await user.should_see(ui.image)
            (shown,) = [one for one in user.find(ui.image).elements if "16 pictures" in str(one.props.get("alt"))]
            assert str(shown.props["src"]).startswith("data:image/png;base64,iVBOR")
            assert shades.asked == (16, 0, "a" if label else None)
            (count,) = [one for one in user.find(ui.number).elements if one.props["label"] == "how many"]
            count.set_value(0)
            user.find("Generate").click()
            await user.should_see("count=0: expected 1 to 10,000 at once.")

    simulated(use)


def test_an_answer_shows_the_reconstruction_and_the_code(tmp_path: Path) -> None:
    simulation = pytest.importorskip("nicegui.testing.user_simulation", reason="came after NiceGUI 3.0")
    from nicegui import ui

    from dlkit.serving.answers import show_answer
    from dlkit.serving.page import define_pages

    async def use() -> None:
        async with simulation.user_simulation() as user:
            define_pages(ServedModels([Shades(tmp_path, variational=False)]), Limits())

            @ui.page("/answers")
            def answers() -> None:
                show_answer({"code": [0.5, 0.25], "mse": 0.25, "reconstruction": LIGHT, "label": "b", "score": 0.75})
                show_answer({"code": [1.0], "mse": 0.5, "reconstruction": {"size": 3.25}})

            await user.open("/answers")
            await user.should_see("Mean squared error 0.25, made again from 2 numbers:")
            await user.should_see("0.5, 0.25")
            await user.should_see("size: 3.25")
            await user.should_see("with probability 75.0 %")
            await user.open("/models/shades")
            await user.should_not_see("New ones")  # no codes can be drawn

    simulated(use)


def simulated(use) -> None:
    # NiceGUI's simulation throws the module that defined the pages out of `sys.modules`, and its packages with it.
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "dlkit"}
    try:
        asyncio.run(use())
    finally:
        sys.modules.update(ours)
