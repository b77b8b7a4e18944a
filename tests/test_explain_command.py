"""Does `dlkit explain` say which words carried an answer, to a person, to a program and to Python?"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

import dlkit
from dlkit import printing
from dlkit.errors import RunNotFoundError, SettingsError

TEXT = "A wonderful film<br />with an awful, awful ending."


@pytest.fixture(scope="module")
def words_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the n-gram model; only to be read."""
    root = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DLKIT_CACHE", str(root / "cache"))
        environment.delenv("DLKIT_DATA", raising=False)
        return dlkit.run("imdb", model="ngrams", data="sample", epochs=2, out=root / "runs").folder


def test_json_has_every_word_with_its_place_and_weight(cli, words_run: Path):
    ended = cli("explain", words_run, TEXT, "--json", "--words", 2)
    assert ended.code == 0, ended.err
    document = ended.document
    assert {"recipe", "run", "artefact", "model", "method"} < document.keys()
    assert (document["recipe"], document["model"]) == ("imdb", "ngrams")
    (found,) = document["explanations"]
    assert found["label"] == max(found["probabilities"], key=found["probabilities"].get)
    assert [TEXT[word["start"] : word["stop"]].lower() for word in found["words"]] == [
        "a", "wonderful", "film", "with", "an", "awful", ",", "awful", "ending", ".",
    ]  # fmt: skip
    difference = found["logit"] - found["baseline"]
    assert sum(word["weight"] for word in found["words"]) == pytest.approx(difference, abs=1e-4)
    assert sum(ngram["weight"] for ngram in found["ngrams"]) == pytest.approx(difference, abs=1e-4)
    assert [word.keys() for word in found["strongest"]] == [{"word", "weight", "count"}] * 2


def test_the_answer_is_the_one_that_predict_gives(cli, words_run: Path):
    (explained,) = cli("explain", words_run, TEXT, "--json").document["explanations"]
    (answered,) = cli("predict", words_run, TEXT, "--json").document["answers"]
    assert explained["label"] == answered["label"]
    assert explained["score"] == pytest.approx(answered["score"], abs=1e-4)


def test_without_a_terminal_the_words_are_listed_with_signed_weights(cli, words_run: Path):
    ended = cli("explain", words_run, TEXT, "--words", 3)
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out
    assert len(re.findall(r"^[+-]\d\.\d{3} +\S+ +\d$", ended.out, flags=re.MULTILINE)) == 3
    (found,) = cli("explain", words_run, TEXT, "--json").document["explanations"]
    first = found["strongest"][0]
    assert re.search(rf"^[+-]{abs(first['weight']):.3f} +{first['word']} +{first['count']}$", ended.out, re.MULTILINE)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_words_for_the_answer_are_green_and_those_against_it_red(monkeypatch: pytest.MonkeyPatch):
    found = {
        "text": "good \x1b[2J bad", "label": "pos", "score": 0.9, "strongest": [],
        "words": [{"start": 0, "stop": 4, "weight": 1.0}, {"start": 10, "stop": 13, "weight": -0.5}],
    }  # fmt: skip
    document = {"run": "here", "model": "mlp", "method": "m", "explanations": [found]}
    monkeypatch.setattr(printing.sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = printing.explanations(document)
    assert "\x1b[30;48;2;0;215;0mgood\x1b[0m" in shown
    (red,) = re.findall(r"\x1b\[30;48;2;255;(\d+);(\d+)mbad\x1b\[0m", shown)
    assert red[0] == red[1]
    assert "\x1b[2J" not in shown
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in printing.explanations(document).replace("\x1b[2J", "")


def test_texts_come_from_a_file_or_from_standard_input_as_predict_takes_them(cli, words_run: Path, alone: Path):
    (alone / "texts.csv").write_text('text\nA great film\n"Dull, dull"\n', encoding="utf-8")
    from_file = cli("explain", words_run, "--file", alone / "texts.csv", "--json").document["explanations"]
    assert [one["text"] for one in from_file] == ["A great film", "Dull, dull"]
    piped = cli("explain", words_run, "--json", stdin="A great film\n\nDull, dull\n").document["explanations"]
    assert piped == from_file


def test_python_gives_the_same_explanations(words_run: Path, alone: Path):
    one, two = dlkit.explain(words_run, [TEXT, "zzzz"])
    assert one.text == TEXT
    assert one.strongest(1)[0].weight != 0
    assert two.warning is not None
    assert not two.words[0].known
    with pytest.raises(RunNotFoundError):
        dlkit.explain("nowhere", [TEXT])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("boston", '{"rooms": 3}'), 2, "explained are the words of a text, but this model reads"),
        (("imdb", "  "), 2, "the text is empty"),
        (("imdb",), 2, "There is nothing to"),
        (("nowhere", TEXT), 2, "No complete run of 'nowhere'"),
        (("imdb", "--file", "absent.txt"), 4, "absent.txt is not there"),
    ],
)
def test_bad_input_ends_with_one_message_before_anything_is_loaded(
    cli, runs: Path, monkeypatch: pytest.MonkeyPatch, *, arguments, code: int, said: str
):
    monkeypatch.setattr("dlkit.output.load_tensorflow", lambda: pytest.fail("TensorFlow was loaded"))
    ended = cli("explain", *arguments)
    assert ended.code == code
    assert said in ended.message
    assert ended.out == ""


def test_a_damaged_model_is_named(cli, runs: Path):
    (runs / "imdb" / "1" / "model.keras").write_bytes(b"nothing")
    ended = cli("explain", "imdb", TEXT, "--json")
    assert ended.code == 1
    assert "model.keras is damaged" in ended.document["error"]


def test_a_table_is_refused_in_python_too(runs: Path):
    with pytest.raises(SettingsError, match="Take a run of a text recipe"):
        dlkit.explain("boston", [TEXT])


def test_the_report_of_a_text_shows_its_words_and_that_of_a_table_says_nothing_of_them(finished_runs: Path):
    page = (finished_runs / "imdb" / "1" / "report.html").read_text(encoding="utf-8")
    assert "What carried the decision" in page
    assert "integrated gradients" in page
    assert len(re.findall(r'<span class="word speaks-(?:for|against)" style="--share: \d+%" title="[+-]', page)) >= 5
    assert "What carried the decision" not in (finished_runs / "boston" / "1" / "report.html").read_text(
        encoding="utf-8"
    )
