"""Does the server take a text, and give it back in another language?"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nicegui", reason="the server is the extra 'serve'")

from dlkit.errors import InputError
from dlkit.inference import Predictor
from dlkit.inference.sentence_pieces import SentencePieces
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translation import PairText
from dlkit.serving.batch import read_table, write_answers_csv
from dlkit.serving.payload import read_question, write_answers
from dlkit.serving.rest import _metadata
from dlkit.serving.served import ServedModel

PIECES = SentencePieces(("▁", *"abcdefghijklmnopqrstuvwxyz."))


class Echo(Predictor):
    """Says what it was told, letter by letter."""

    def __init__(self) -> None:
        self.recipe, self.version, self.run, self.task = "transformer", 1, Path(), "translation"
        self.question = "What does a sentence say in another language?"
        self.transform = PairText("source", PIECES, PIECES, 20, 20)
        self.answer = SentenceAnswer(PIECES, 20)
        self.kinds, self.choices, self.labels = self.transform.kinds, {}, ()

    def outputs(self, columns):
        ids = self.transform.encode(columns)["source"].take(np.arange(len(columns["source"])))
        padded = np.pad(ids, ((0, 0), (1, 20 - ids.shape[1]))).astype(np.float32)
        padded[:, 0] = -0.5
        return padded


def ask(body: object, *, by_column: bool = False) -> object:
    model = Echo()
    question = read_question(json.dumps(body).encode(), model.kinds)
    return write_answers(ServedModel(model).predict(question.items), by_column=by_column)


def test_an_instance_is_a_text_with_or_without_its_name() -> None:
    answers = ask({"instances": ["a dog.", {"source": "a cat"}]})
    assert answers == {"predictions": [
        {"translation": "a dog.", "score": -0.5}, {"translation": "a cat", "score": -0.5},
    ]}  # fmt: skip
    assert ask({"inputs": ["a dog."]}, by_column=True) == {"outputs": {"translation": ["a dog."], "score": [-0.5]}}


def test_what_is_odd_is_told_and_what_is_no_text_is_refused() -> None:
    (answer,) = ask({"instances": ["a " * 100]})["predictions"]  # type: ignore[index]
    assert "the first 19 were read" in answer["warning"]
    for item in ("", 3, None, {"text": "a"}):
        with pytest.raises(InputError):
            ask({"instances": [item]})


def test_the_signature_names_what_comes_out() -> None:
    signature = _metadata(Echo())["metadata"]["signature_def"]["signature_def"]["serving_default"]  # type: ignore[index]
    assert set(signature["inputs"]) == {"source"} and set(signature["outputs"]) == {"translation", "score"}


def test_a_file_of_texts_gets_its_translations_beside_it() -> None:
    table = read_table(b"source,id\na dog.,1\na cat,2\n", most_rows=10)
    answers = Echo().predict(table.items(Echo().kinds))
    assert write_answers_csv(table, answers).decode("utf-8-sig").splitlines() == [
        "source,id,translation,score", "a dog.,1,a dog.,-0.5", "a cat,2,a cat,-0.5",
    ]  # fmt: skip


def test_a_person_writes_a_text_and_reads_it_in_another_language() -> None:
    simulation = pytest.importorskip("nicegui.testing.user_simulation", reason="came after NiceGUI 3.0")
    from nicegui import ui

    from dlkit.serving.limits import Limits
    from dlkit.serving.page import define_pages
    from dlkit.serving.served import ServedModels

    async def use() -> None:
        async with simulation.user_simulation() as user:
            define_pages(ServedModels([Echo()]), Limits())
            await user.open("/models/transformer")
            (field,) = user.find(ui.textarea).elements
            field.set_value("a dog sees a cat.")
            user.find("Predict").click()
            await user.should_see("a dog sees a cat.", kind=ui.label)

    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "dlkit"}
    try:
        asyncio.run(use())
    finally:
        sys.modules.update(ours)
