"""Does the model card say what the model is for, where it fails, and how it is called?"""

from __future__ import annotations

import ast
import re

import pytest

from dlkit.evaluation.card import write_card
from dlkit.evaluation.usage import usage

EVIL = '<script>alert("x")</script> | `tick` [link](javascript:0) # head'


def card(metrics, folder, *, question="Good or bad?", command="dlkit run imdb --seed 0", settings=None) -> str:
    path = write_card(metrics, question=question, settings=settings or {}, command=command, folder=folder)
    assert path == folder / "README.md"
    return path.read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A card without code: blocks and inline code cannot become markup."""
    return re.sub(r"``? .*? ``|`[^`\n]*`", "", re.sub(r"(`{3,})\w+\n.*?\n\1\n", "", text, flags=re.DOTALL))


def test_sections_are_those_of_a_model_card_in_order(imdb, tmp_path):
    headings = re.findall(r"^## (.*)$", card(imdb, tmp_path), flags=re.MULTILINE)
    assert headings == ["What it does", "Intended use", "Data", "Figures", "Limits", "How to call it", "Reproduce"]


def test_the_card_holds_figures_data_notes_versions_seed_and_command(imdb, tmp_path):
    text = card(imdb, tmp_path, settings={"training": {"epochs": 4}})
    for piece in (
        "| network | test | 0.884 |", "| linear baseline | test | 0.878 |", "96 reviews occur twice",
        "sha256:c40f74a1", "keras 3.15.1", "Seed 0", "```sh\ndlkit run imdb --seed 0\n```", "160,305 parameters",
        "| `training.epochs` | 4 |", "better than the best baseline", "licence",
    ):  # fmt: skip
        assert piece in text, piece


def test_tables_have_as_many_cells_in_every_row(boston, tmp_path):
    boston["data"]["source"] = "a|b"
    rows = [line for line in card(boston, tmp_path, settings={"a": 1}).splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    starts = [index for index, row in enumerate(rows) if set(row) <= set("|-:")]
    assert len(starts) == 5
    for start, end in zip(starts, [*[start - 1 for start in starts[1:]], len(rows)], strict=True):
        assert set(widths[start - 1 : end]) == {widths[start]}


def test_sample_data_is_labelled_and_not_for_use(boston, tmp_path):
    text = card(boston, tmp_path)
    assert "**sample data**" in text
    assert "not for use on real input" in text
    assert "4-fold validation, mae: network 2.340 ± 0.210; gradient boosting baseline 2.110 ± 0.340." in text


def test_warnings_stand_above_everything_but_the_headline(boston, tmp_path):
    text = card(boston, tmp_path)
    assert text.index("Read this first") < text.index("## What it does")
    assert "does not beat" in text


def test_user_text_is_neither_markup_nor_a_table_cell(imdb, tmp_path):
    evil = {
        **imdb, "recipe": EVIL, "model": EVIL, "warnings": [EVIL], "inputs": {EVIL: "text"}, "versions": {EVIL: EVIL},
        "data": {**imdb["data"], "name": EVIL, "source": EVIL + "\n\n# second line", "notes": [EVIL]},
    }  # fmt: skip
    text = prose(card(evil, tmp_path, question=EVIL, settings={EVIL: EVIL}, command=EVIL + "\n```\n<b>"))
    assert "<script" not in text
    assert "<b>" not in text
    assert not re.search(r"(?<!\\)\[link(?<!\\)\]", text)
    assert len(re.findall(r"^#+ ", text, flags=re.MULTILINE)) == 8


@pytest.mark.parametrize("name", ["imdb", "boston"])
def test_every_python_snippet_is_python_and_names_each_column(name, request):
    metrics = {**request.getfixturevalue(name), "run": 'runs/it\'s "mine"/1'}
    found = usage(metrics)
    assert set(found.artefacts) == {"keras", "saved_model", "tflite"}
    for snippet in (found.python, *found.artefacts.values()):
        ast.parse(snippet)
    for column in metrics["inputs"]:
        assert f'"{column}"' in found.artefacts["saved_model"]


def test_a_model_of_pictures_is_called_with_files(imdb, tmp_path):
    metrics = {**imdb, "inputs": {"image": "image"}, "run": "runs/cifar10/1"}
    found = usage(metrics)
    assert dict(found.commands)["Ask the model"] == "dlkit predict runs/cifar10/1 photo.jpg folder/"
    assert not any("explain" in command for _, command in found.commands)
    assert 'predictor.predict(["photo.jpg"])' in found.python
    assert '"image": tf.constant([tf.io.read_file("photo.jpg").numpy()]),' in found.artefacts["saved_model"]
    for snippet in (found.python, *found.artefacts.values()):
        ast.parse(snippet)
    text = card(metrics, tmp_path)
    assert "It takes a picture and names one of its classes" in text
    assert "As SavedModel: contents of files in, answer out" in text
    assert "raw columns" not in text
    assert "A text of your own" not in text


def test_a_run_path_with_a_blank_is_quoted_for_the_shell(imdb):
    commands = dict(usage({**imdb, "run": "my runs/imdb/1"}).commands)
    assert commands["Ask the model"] == "dlkit predict 'my runs/imdb/1' \"A text of your own\""


def test_a_translator_that_copies_says_what_it_cannot_copy(tmp_path):
    about = {"recipe": "seq2seq", "model": "copy", "task": "translation", "seed": 0, "test": {"bleu": 1.0}, "data": {}}
    said = "copies pieces of its vocabulary alone"
    assert said in prose(card(about, tmp_path, settings={"model": {"copy": True}}))
    assert said not in prose(card(about, tmp_path, settings={"model": {"copy": False}}))


def test_agreement_of_greedy_translations_stands_beside_that_of_the_search(tmp_path):
    entry = {"path": "model.tflite", "bytes": 1, "max_abs_diff": 0.0, "agreement": 1.0}
    about = {"recipe": "seq2seq", "model": "x", "task": "translation", "seed": 0, "test": {"bleu": 1.0}, "data": {}}
    assert "greedily" not in card({**about, "artefacts": {"tflite": entry}}, tmp_path)
    entry["greedy_agreement"] = 0.996
    assert re.search(r"\| 1\S* *, greedily 0\.996 \|", card({**about, "artefacts": {"tflite": entry}}, tmp_path))


def test_a_run_without_artefacts_has_a_card_too(tmp_path):
    least = {"recipe": "tiny", "model": "mlp", "task": "regression", "seed": 0, "test": {"mae": 1.0}, "data": {}}
    text = card(least, tmp_path)
    assert "off by 1.000 on average" in text
    assert "None" not in text
    assert "| artefact |" not in text
