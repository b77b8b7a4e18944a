"""Do own pairs become a translator, from `dlkit run` over `--from` to `dlkit predict`, and is a bad input refused?"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from dlkit.data.pair_samples import toy
from dlkit.errors import DataError, InputError, SettingsError
from dlkit.export.proof import keras_model
from dlkit.finished import Finished, evaluate
from dlkit.inference import Predictor, load
from dlkit.inference.answers import ValueAnswer
from dlkit.ordering import order
from dlkit.preprocessing.pairs import Pairs
from dlkit.run_folder import Run, make
from dlkit.translators import search_from, texts_from, translated

SMALL = [
    "model.units=24",
    "model.dimension=24",
    "task.beam=2",
    "training.epochs=2",
    "preprocessing.size=200",
    "preprocessing.length=16",
]
OWN_RECIPE = """'Mine: what is said?'
from dlkit import PairData, Pairs, Recipe, Translation
from dlkit.models import translation

recipe = Recipe(PairData(), Pairs(lower=True, joint=False), Translation(), translation.seq2seq)
"""
ODD = [
    "中文没有空格的句子。",
    "😀❤️👩‍👩‍👧",
    "\u0007bell\u0000\u001f",
    "word " * 10_000,
    "x" * 5_000,
    "\u200b.",
    "İ ß ﬁ \u202eabc",
]


def own(folder: Path, rows: int, *, first: int = 0, name: str = "own.tsv") -> Path:
    pairs = islice(zip(*vars(toy().parts["train"]).values(), strict=True), first, first + rows)
    path = folder / name
    path.write_text("".join(f"{one}\t{other}\n" for one, other in pairs), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("translation")
    changes = [*SMALL, "data.target=toy"]
    return make(order("seq2seq", data=own(folder, 200), changes=changes, out=folder), say=lambda _: None)


@pytest.fixture(scope="module")
def predictor(run: Run) -> Predictor:
    return load(run.folder)


def test_the_figures_say_how_they_were_made(run: Run) -> None:
    metrics = run.metrics
    assert set(metrics["test"]) == {"bleu", "bleu_tokenised", "chrf", "perplexity"}  # type: ignore[arg-type]
    assert set(metrics["baselines"]) == {"copy", "most_frequent", "word_by_word"}  # type: ignore[arg-type]
    assert metrics["search"] == {"beam": 2, "length_penalty": 2.0, "longest": 16}
    assert "tok:13a" in metrics["signatures"]["bleu"]  # type: ignore[index]
    artefacts = metrics["artefacts"].values()  # type: ignore[attr-defined]
    assert all(min(one["agreement"], one["greedy_agreement"]) >= 0.99 for one in artefacts)
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "tok:13a" in report and "Translations of test sentences" in report
    card = (run.folder / "README.md").read_text(encoding="utf-8")
    assert "writes it in another" in card and "fluent nonsense" in card


def test_the_vocabulary_is_among_the_assets(run: Run) -> None:
    lines = (run.folder / "assets.extra" / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert 50 < len(lines) <= 200 and "▁the" in lines
    assert not (run.folder / "assets.extra" / "target_vocabulary.txt").exists()


def test_any_text_is_answered_within_the_bound(predictor: Predictor) -> None:
    answers = predictor.predict(ODD)
    for text, answer in zip(ODD, answers, strict=True):
        ids = predictor.transform.target.encode(str(answer["translation"]))  # type: ignore[attr-defined]
        assert len(ids) <= 16, text
    assert all("hardly anything" in str(answers[row]["warning"]) for row in (0, 1))
    assert "the first 15 were read" in str(answers[3]["warning"])
    alone = [predictor.predict([text])[0] for text in ODD]
    assert [one["translation"] for one in alone] == [one["translation"] for one in answers]


def test_a_file_and_its_translation_have_as_many_lines(cli, run: Run, alone: Path) -> None:
    (alone / "in.txt").write_text("The dog sees the cat.\n\n  \nThe cat.\n中文\n", encoding="utf-8")
    from_file = cli("predict", run.folder, "--file", "in.txt")
    assert from_file.code == 0 and from_file.out.count("\n") == 5
    assert [not line for line in from_file.out.split("\n")[:5]][1:3] == [True, True]
    assert "warning: line 5: hardly anything of this text is in the model's vocabulary" in from_file.err
    piped = cli("predict", run.folder, stdin="The dog sees the cat.\n\n  \nThe cat.\n中文\n")
    assert piped.out == from_file.out
    document = cli("predict", run.folder, "--json", "The dog sees the cat.").document
    (answer,) = document["answers"]  # type: ignore[misc]
    assert answer["translation"] == from_file.out.split("\n")[0] and answer["score"] < 0


def test_a_search_is_asked_for_and_a_wrong_one_refused(cli, run: Run) -> None:
    three = cli("predict", run.folder, "--search", "best=3,length_penalty=0.5", "The dog.")
    scores = [float(line.split("  ")[0]) for line in three.out.strip().split("\n")]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    drawn = [cli("predict", run.folder, "--search", f"temperature=1,seed={seed}", "The dog.").out for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    for text, said in (
        ("bim=3", "Did you mean 'beam'"),
        ("beam", "expected NAME=VALUE"),
        ("beam=0", "beam: expected a number from 1 to 256"),
        ("beam=x", "--search beam: expected a whole number"),
    ):
        ended = cli("predict", run.folder, "--search", text, "The dog.")
        assert ended.code == 2 and said in ended.message
    assert cli("predict", run.folder, "--search", "beam=2", "--artefact", "saved_model", "x").code == 2


def test_the_saved_model_translates_raw_strings_alike(run: Run, predictor: Predictor) -> None:
    import tensorflow as tf

    texts = ["The dog sees the cat.", "", *ODD[:3]]
    function = tf.saved_model.load(str(run.folder)).signatures["serving_default"]
    found = function(source=tf.constant([text.encode() for text in texts]))
    written = [text.decode() for text in np.asarray(found["translation"])]
    columns = {"source": np.array(texts, object)}
    assert written == [one["translation"] for one in predictor.answers(columns, predictor.outputs(columns))]


def test_explaining_a_translation_is_refused(cli, run: Run) -> None:
    assert "this run translates" in cli("explain", run.folder, "The dog.").message


@pytest.mark.parametrize("name", ["test_own.tsv", "flickr2017.tsv"])
def test_a_test_set_of_ones_own_is_judged_whole(run: Run, tmp_path: Path, name: str) -> None:
    path, said = own(tmp_path, 30, first=300, name=name), list[str]()
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{'The dog sees the cat. ' * 30}\tx\n\tempty\n")
    document = evaluate(run.folder, data=path, artefact="tflite", say=said.append)
    assert "tok:13a" in document["signatures"]["bleu"]  # type: ignore[index]
    assert document["rows"] == 31 and 0 <= document["test"]["bleu"] <= 100  # type: ignore[index,operator]
    assert "note: 1 test pairs had an empty side; left out" in said
    assert f"note: {name} names no test rows: all are judged" in said or name.startswith("test")
    assert document["sources_cut"] == 1
    assert "note: 1 of 31 texts have more than the 15 pieces that are read; cut there" in said


def test_rows_that_a_run_learnt_from_do_not_judge_it_under_another_name(run: Run, tmp_path: Path) -> None:
    data = run.metrics["data"]
    splits = Finished(run.folder).judged(own(tmp_path, 200, name="other.tsv"), len)
    assert splits.fingerprint == data["fingerprint"] and len(splits.test) == data["test_rows"] == 20  # type: ignore[index]


def test_training_goes_on_from_a_run_with_its_vocabulary(cli, run: Run, alone: Path) -> None:
    own(alone, 120, first=400)
    asked = ("run", "seq2seq", "--from", run.folder, "--data", "own.tsv", "--epochs", 1, "--json")
    document = cli(*asked).document
    folder = Path(str(document["run"]))
    before, after = ((path / "assets.extra" / "vocabulary.txt").read_bytes() for path in (run.folder, folder))
    assert before == after and document["test"]
    assert set(document["baselines"]) >= {"before", "copy"}  # type: ignore[call-overload]
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["from"] == document["from"] == str(run.folder)
    assert record["settings"]["model"]["units"] == 24
    assert f"--from {run.folder}" in record["command"]
    assert record["settings"]["data"]["target"] == "toy"
    weights = [keras_model(path / "model.keras").get_weights() for path in (run.folder, folder)]
    assert max(np.abs(one - other).max() for one, other in zip(*weights, strict=True)) > 1e-5


def test_another_recipe_goes_on_with_the_preprocessing_of_the_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN_RECIPE, encoding="utf-8")
    assert order(str(tmp_path / "mine.py"), changes=[]).recipe.preprocessing == Pairs(lower=True, joint=False)
    going_on = order(str(tmp_path / "mine.py"), changes=[], start=run.folder).recipe
    assert going_on.preprocessing == Pairs(size=200, length=16)


def test_the_figures_say_what_of_both_languages_is_cut(run: Run) -> None:
    seen = run.metrics["preprocessing"]
    for rows in ("train", "validation"):
        assert {"source_cut", "target_cut", "target_out_of_vocabulary"} <= set(seen[rows])  # type: ignore[index]
    assert seen["train"]["source_cut"] == seen["train"]["target_cut"] == 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("table.csv", "id,en,de\n1,The dog.,x\n2,,y\n\n3,The cat.,z\n", ["The dog.", "", "", "The cat."]),
        ("table.tsv", "en\tde\nThe dog.\tx\n\t\nThe cat.\ty\n", ["The dog.", "", "The cat."]),
        ("one.csv", 'source\nThe dog.\n""\nThe cat.\n', ["The dog.", "", "The cat."]),
        ("only.csv", "id,satz\n1,The dog.\n2,The cat.\n", ["The dog.", "The cat."]),
        ("long.csv", 'en,de\n"The dog\nsees.",x\nThe cat.,y\n', ["The dog\nsees.", "The cat."]),
        ("marks.tsv", 'en\tde\n"To be\tx\nor not.\ty\n"Stop!"\tz\n', ['"To be', "or not.", '"Stop!"']),
        ("from.csv", "source,en,de\nwww.x.org,The dog.,x\nnews,The cat.,y\n", ["The dog.", "The cat."]),
        ("usual.tsv", "id\tsrc\ttgt\n1\tThe dog.\tx\n", ["The dog."]),
        ("both.jsonl", '{"source": "www.x.org", "en": "The dog."}\n', ["The dog."]),
        ("rows.jsonl", '{"en": "The dog."}\n{"source": ""}\n{"source": null}\n', ["The dog.", "", ""]),
    ],
)
def test_a_row_of_a_file_is_a_translation(
    predictor: Predictor, tmp_path: Path, name: str, content: str, expected: list[str]
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    said: list[str] = []
    items = texts_from([], tmp_path / name, None, predictor, say=said.append)
    texts = [next(iter(item.values())) or "" if isinstance(item, dict) else item for item in items]
    assert texts == expected
    assert said == (["note: column 'satz' of only.csv is translated"] if name == "only.csv" else [])
    answers = translated(predictor.predict, items, say=len)
    assert [answer["translation"] == "" and "score" not in answer for answer in answers] == [not one for one in texts]


@pytest.mark.parametrize("content", ["id,fr,de\n1,a b,x\n", "The dog sees.\nThe cat.\n"])
def test_a_table_without_a_column_to_translate_is_refused(predictor: Predictor, tmp_path: Path, content: str) -> None:
    (tmp_path / "table.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"which column is to be translated. Expected one called en or source"):
        texts_from([], tmp_path / "table.csv", None, predictor, say=len)


def test_a_row_of_other_columns_is_refused_with_its_line(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "table.tsv").write_text("en\tde\nThe dog.\tx\nThe cat.\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"table\.tsv, line 3: expected 2 columns as in line 1, got 1"):
        texts_from([], tmp_path / "table.tsv", None, predictor, say=len)


def test_a_table_in_another_encoding_is_told_of(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("en,de\nThe dog.,Tür\nThe cat.,y\n".encode("cp1252"))
    said: list[str] = []
    assert texts_from([], tmp_path / "table.csv", None, predictor, say=said.append) == ["The dog.", "The cat."]
    assert len(said) == 1 and "1252" in said[0]


def test_nothing_but_blank_lines_asks_no_network() -> None:
    assert translated(lambda _: pytest.fail("asked"), ["", " "], say=len) == [{"translation": ""}] * 2


@pytest.mark.parametrize("settings", [{"training.folds": 3}, {"training.refit": "true"}])
def test_translators_have_no_folds_and_no_refit(cli, alone: Path, settings: dict[str, object]) -> None:
    changes = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    ended = cli("run", "seq2seq", "--data", "sample", "--epochs", "1", *changes)
    assert ended.code == 2 and "training.folds and training.refit are not for translators" in ended.message


def test_training_goes_on_gently_unless_a_rate_is_said(run: Run, tmp_path: Path) -> None:
    before = order("seq2seq", changes=[]).recipe.training.learning_rate
    again = order("seq2seq", changes=[], start=run.folder)
    assert again.recipe.training.learning_rate == pytest.approx(before / 10)
    said = order("seq2seq", changes=["training.learning_rate=0.5"], start=run.folder)
    assert said.recipe.training.learning_rate == 0.5
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    twice = tmp_path / "2"
    twice.mkdir()
    (twice / "metrics.json").write_bytes((run.folder / "metrics.json").read_bytes())
    written = {**record, "from": str(run.folder), "changes": list(again.changes)}
    (twice / "run.json").write_text(json.dumps(written), encoding="utf-8")
    assert order("seq2seq", changes=[], start=twice).recipe.training.learning_rate == pytest.approx(before / 10)


@pytest.mark.parametrize(
    ("files", "given", "said"),
    [
        ({"a.tsv": "en\tfr\n" + "x\ty\n" * 20}, "a.tsv", "say --set data.source=en --set data.target=fr"),
        ({"a.en": "x\n" * 20, "a.de": "y\n" * 19}, "a.en", "a.en has 20 lines; a.de has 19 lines"),
        ({"a.tsv": "x\ty\tz\n" * 20}, "a.tsv", "got 3. Leave the others out, or name the columns"),
        ({"a.tsv": "x\ty\n"}, "a.tsv", "expected at least 10 pairs of sentences to learn from, got 1"),
        ({"a.tsv": "\n" * 20}, "a.tsv", "the file is empty"),
        ({"test.tsv": "x\ty\n" * 20}, "test.tsv", "There are no pairs to learn from, only some to test with"),
        ({"a.txt": "x\n" * 20}, "a.txt", "expected a .tsv or .csv of two columns"),
    ],
)  # fmt: skip
def test_pairs_that_are_none_are_refused(cli, alone: Path, files: dict[str, str], given: str, said: str) -> None:
    for name, content in files.items():
        (alone / name).write_text(content, encoding="utf-8")
    ended = cli("run", "seq2seq", "--data", given)
    assert (ended.code, ended.out) == (1, "") and said in ended.message
    assert not (alone / "saved_models").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "gru"}, "its model is 'seq2seq', not 'gru'"),
        ({"changes": ["model.units=3"]}, "--from keeps network and vocabulary"),
        ({"changes": ["preprocessing.size=300"]}, "--from keeps network and vocabulary"),
        ({"recipe": "imdb"}, "a translation run, and this recipe is of classification"),
    ],
)
def test_what_does_not_go_with_a_run_is_refused(run: Run, options: dict[str, object], said: str) -> None:
    asked = {"recipe": "seq2seq", "changes": [], "start": run.folder, **options}
    with pytest.raises(SettingsError, match=said):
        order(**asked)  # type: ignore[arg-type]


def test_a_search_is_for_translators(run: Run, tmp_path: Path) -> None:
    assert search_from("best=4", run.folder).beam == 4
    assert search_from("top_p=0.9", run.folder).is_by_chance and search_from("top_k=10,seed=3", run.folder).is_by_chance
    (tmp_path / "assets.extra").mkdir()
    ValueAnswer("x").save(tmp_path / "assets.extra")
    with pytest.raises(SettingsError, match="--search is for translations"):
        search_from("beam=3", tmp_path)


def test_blank_lines_stay_and_warnings_are_said_aside() -> None:
    said: list[str] = []
    answers = translated(
        lambda items: [{"translation": str(one), "warning": "odd"} for one in items], ["", "a"], say=said.append
    )
    assert answers == [{"translation": ""}, {"translation": "a", "warning": "odd"}]
    assert said == ["warning: line 2: odd"]
