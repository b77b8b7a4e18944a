"""Does each command do what the README says of it, and does `--json` print exactly one JSON object?"""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path

import pytest

from dlkit import catalog

NUMBERS = (int, float)
HOUSE = {"area_m2": 80, "rooms": 3, "age_years": 20, "distance_km": 5, "crime_rate": 2, "heating": "gas"}


def test_list_shows_each_recipe_with_its_question_data_and_models(cli):
    ended = cli("list")
    assert ended.code == 0
    for word in ("boston", "imdb", "positive or negative?", "not on this machine", "ensemble", "regularised"):
        assert word in ended.out
    (imdb,) = [row for row in cli("list", "--json").document["recipes"] if row["recipe"] == "imdb"]
    assert imdb["models"][0] == "mlp"
    assert imdb["problem"] is None


def test_show_gives_all_settings_with_defaults(cli):
    ended = cli("show", "boston")
    assert ended.code == 0
    assert "training.learning_rate" in ended.out
    about = cli("show", "boston", "--json").document
    assert list(about["settings"]) == ["data", "preprocessing", "task", "model", "training"]
    assert about["settings"]["training"]["epochs"] > 1 and about["ensembles"] == {}


def test_show_says_of_an_ensemble_who_answers_and_how_one_is_set(cli):
    assert cli("show", "transformer", "--json").document["ensembles"] == {"ensemble": ["transformer", "lstm"]}
    assert "--set lstm.training.epochs=N" in cli("show", "transformer").out


def test_show_gives_the_settings_of_any_model(cli):
    about = cli("show", "imdb", "--model", "lstm", "--json").document
    assert about["model"] == "lstm" and "vectors" in about["settings"]["preprocessing"] and about["members"] == {}
    assert "preprocessing.vectors" in cli("show", "imdb", "--model", "lstm").out
    assert "preprocessing.vectors" not in cli("show", "imdb").out

    ended = cli("show", "transformer", "--model", "ensemble")
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["task.beam", "5"] in lines and ["lstm.training.beta_2", "0.999"] in lines
    assert not [line for line in lines if line and line[0].startswith(("training.", "model."))]

    ended = cli("show", "imdb", "--model", "lstn")
    assert ended.code == 2 and "lstm" in ended.err


def test_run_prints_its_metrics_as_one_json_object_and_keeps_them_in_the_run(cli, alone: Path):
    ended = cli("run", "boston", "--data", "sample", "--epochs", 2, "--set", "training.folds=2", "--seed", 7, "--json")
    assert ended.code == 0, ended.err
    metrics = ended.document
    assert json.loads((alone / metrics["run"] / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert metrics["run"] == "saved_models/boston/1"
    assert (metrics["recipe"], metrics["model"], metrics["task"], metrics["seed"]) == ("boston", "mlp", "regression", 7)
    assert "epoch 1/2" in ended.err
    assert metrics["folds"]["k"] == 2
    assert all(isinstance(metrics["folds"]["mae"][name], NUMBERS) for name in ("mean", "std"))
    record = json.loads((alone / metrics["run"] / "run.json").read_text(encoding="utf-8"))
    assert record["settings"]["training"]["epochs"] == 2
    assert not list((alone / "saved_models" / "boston").glob(".*"))


@pytest.mark.parametrize("recipe", ["imdb", "boston"])
def test_metrics_hold_all_that_the_contract_names(finished_runs: Path, recipe: str):
    metrics = json.loads((finished_runs / recipe / "1" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["format"] == 1
    assert metrics["recipe"] == recipe
    assert metrics["data"]["sample"] is True
    assert metrics["data"]["fingerprint"].startswith("sha256:")
    assert all(metrics["data"][f"{split}_rows"] > 0 for split in ("train", "validation", "test"))
    assert {"name", "source"} <= metrics["data"].keys()
    assert {"prepare", "train", "evaluate", "export", "verify", "total"} <= metrics["seconds"].keys()
    parts = [value for name, value in metrics["seconds"].items() if name != "total"]
    assert math.isclose(metrics["seconds"]["total"], sum(parts), abs_tol=0.02)
    assert metrics["peak_memory_mb"] > 50
    assert metrics["parameters"] > 0
    trivial, figure = ("majority", "accuracy") if recipe == "imdb" else ("mean", "mae")
    assert {trivial, "linear"} <= metrics["baselines"].keys()
    for figures in (metrics["validation"], metrics["test"], *metrics["baselines"].values()):
        assert isinstance(figures[figure], NUMBERS)
    assert isinstance(metrics["warnings"], list)


@pytest.mark.parametrize("recipe", ["imdb", "boston"])
def test_each_artefact_is_recorded_with_its_proof(finished_runs: Path, recipe: str):
    folder = finished_runs / recipe / "1"
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["artefacts"]) == {"keras", "saved_model", "tflite"}
    for entry in metrics["artefacts"].values():
        assert {"path", "bytes", "sha256", "rows", "max_abs_diff", "agreement", "test"} <= entry.keys()
        assert (folder / entry["path"]).exists()
        assert entry["rows"] == metrics["data"]["test_rows"]
        assert entry["agreement"] == 1.0
        assert entry["max_abs_diff"] <= 1e-4
        assert entry["test"].keys() == metrics["test"].keys()


@pytest.mark.parametrize("recipe", ["imdb", "boston"])
def test_a_run_folder_is_a_servable_with_a_report(finished_runs: Path, recipe: str):
    folder = finished_runs / recipe / "1"
    for part in ("saved_model.pb", "variables", "model.keras", "model.tflite", "assets.extra", "run.json",
                 "metrics.json", "history.csv", "report.html", "plots", "README.md"):  # fmt: skip
        assert (folder / part).exists(), part
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".npy")]


def test_predict_takes_texts_from_arguments_files_and_standard_input_alike(cli, runs: Path, alone: Path):
    texts = ["A wonderful, moving film", 'It said "boring", and it was', "Grün und schön: naïve"]
    (alone / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    (alone / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = ['"' + text.replace('"', '""') + '",pos' for text in texts]
    (alone / "texts.csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    expected = cli("predict", "imdb", *texts, "--json").document["answers"]
    assert [sorted(answer["probabilities"]) for answer in expected] == [["neg", "pos"]] * 3
    assert all(math.isclose(sum(answer["probabilities"].values()), 1) for answer in expected)
    for suffix in ("txt", "jsonl", "csv"):
        ended = cli("predict", "imdb", "--file", f"texts.{suffix}", "--json")
        assert ended.code == 0, ended.err
        assert ended.document["answers"] == expected, suffix
    assert cli("predict", "imdb", "--json", stdin="\n".join(texts)).document["answers"] == expected


def test_predict_takes_rows_of_a_table_from_arguments_files_and_standard_input_alike(cli, runs: Path, alone: Path):
    pairs = ",".join(f"{name}={value}" for name, value in HOUSE.items())
    (alone / "houses.jsonl").write_text(json.dumps(HOUSE) + "\n\n", encoding="utf-8")
    (alone / "houses.csv").write_text(
        ",".join([*HOUSE, "price"]) + "\n" + ",".join(map(str, [*HOUSE.values(), 99])) + "\n", encoding="utf-8"
    )
    (alone / "houses.tsv").write_text("\t".join(HOUSE) + "\n" + "\t".join(map(str, HOUSE.values())), encoding="utf-8")
    (expected,) = cli("predict", "boston", json.dumps(HOUSE), "--json").document["answers"]
    assert math.isfinite(expected["value"])
    assert expected["unit"] == "k$"
    assert cli("predict", "boston", pairs, "--json").document["answers"] == [expected]
    for suffix in ("jsonl", "csv", "tsv"):
        ended = cli("predict", "boston", "--file", f"houses.{suffix}", "--json")
        assert ended.document["answers"] == [expected], suffix
    assert cli("predict", "boston", "--json", stdin=f"{pairs}\n").document["answers"] == [expected]


def test_predict_answers_alike_with_each_artefact(cli, runs: Path):
    values = []
    for artefact in ("tflite", "keras", "saved_model"):
        ended = cli("predict", "boston", json.dumps(HOUSE), "--artefact", artefact, "--json")
        assert ended.code == 0, ended.err
        assert ended.document["artefact"] == artefact
        values.append(ended.document["answers"][0]["value"])
    assert values == pytest.approx([values[0]] * 3, rel=1e-4)


def test_predict_says_an_answer_in_words(cli, runs: Path):
    assert cli("predict", "imdb", "A wonderful film").out.split()[0] in ("neg", "pos")
    assert cli("predict", "boston", json.dumps(HOUSE)).out.strip().endswith(" k$")


def test_a_run_is_found_by_name_and_by_path(cli, runs: Path, alone: Path):
    shutil.copytree(runs / "imdb" / "1", runs / "imdb" / "10")
    shutil.copytree(runs / "imdb" / "1", runs / "imdb" / "9")
    (runs / "imdb" / ".11.partial").mkdir()
    assert cli("predict", "imdb", "good", "--json").document["run"] == "saved_models/imdb/10"
    assert cli("predict", runs / "imdb" / "9", "good", "--json").document["run"] == str(runs / "imdb" / "9")
    shutil.move(runs, alone / "elsewhere")
    assert cli("predict", "imdb", "good", "--out", "elsewhere", "--json").document["run"] == "elsewhere/imdb/10"


ROWS = [("a superb story", "pos"), ("a boring mess", "neg"), ("superb, superb", "pos")]


def judged_by(cli, header: str, rows: list[tuple[str, str]]):
    Path("other.csv").write_text("\n".join([header, *map(",".join, rows), ""]), encoding="utf-8")
    return cli("evaluate", "imdb", "--data", "other.csv", "--json")


def test_evaluate_reads_a_column_of_another_name(cli, runs: Path):
    quoted = [(f'"{text}"', label) for text, label in ROWS]
    plain, other = (judged_by(cli, header, quoted) for header in ("text,label", "review,sentiment"))
    assert (plain.code, other.code) == (0, 0)
    assert plain.document["test"] == other.document["test"] and plain.document["rows"] == 3
    assert "note: column 'review' is read as the model's 'text'" in other.err
    both = judged_by(cli, "review,text,label", [("superb", *row) for row in quoted])  # type: ignore[misc]  # a third
    assert both.document["test"] == plain.document["test"]


def test_evaluate_says_which_labels_the_model_does_not_know(cli, runs: Path):
    none = judged_by(cli, "text,label", [("superb", "1"), ("boring", "0")])
    assert none.code == 1 and "none of its labels ('1', '0') is one of the model's ('neg', 'pos')" in none.err
    some = judged_by(cli, "text,label", [("superb", "pos"), ("boring", "Neg"), ("a mess", "neg")])
    assert some.code == 0
    assert "note: 1 of 3 rows have labels that the model does not know, all wrong: 'Neg'" in some.err


def test_evaluate_refuses_a_table_that_lacks_what_the_model_reads(cli, runs: Path):
    Path("houses.csv").write_text("rm,medv\n" + "".join(f"6.{row},{row}\n" for row in range(12)), encoding="utf-8")
    ended = cli("evaluate", "boston", "--data", "houses.csv")
    assert ended.code == 1 and "lacks the columns" in ended.err and "Traceback" not in ended.err


@pytest.mark.parametrize("artefact", ["tflite", "keras"])
def test_evaluate_repeats_the_figures_of_the_run(cli, runs: Path, artefact: str):
    metrics = json.loads((runs / "boston" / "1" / "metrics.json").read_text(encoding="utf-8"))
    document = cli("evaluate", "boston", "--artefact", artefact, "--json").document
    assert document["rows"] == metrics["data"]["test_rows"]
    assert document["test"] == pytest.approx(metrics["artefacts"][artefact]["test"], rel=1e-5)


def test_verify_replays_the_test_rows_through_each_artefact(cli, runs: Path):
    ended = cli("verify", "imdb", "--json")
    assert ended.code == 0, ended.err
    entries = ended.document["artefacts"]
    assert set(entries) == {"keras", "saved_model", "tflite"}
    assert {entry["rows"] for entry in entries.values()} == {400}
    assert all(entry["agreement"] == 1.0 for entry in entries.values())
    assert "saved_model" in cli("verify", "imdb").out


@pytest.mark.parametrize(
    ("recipe", "quantize", "raw"),
    [
        ("boston", "float16", json.dumps(HOUSE)),
        ("boston", "dynamic", json.dumps(HOUSE)),
        ("imdb", "int8", "A wonderful film"),
    ],
)
def test_export_adds_a_proven_quantized_file_that_answers(cli, runs: Path, recipe: str, quantize: str, raw: str):
    ended = cli("export", recipe, "--format", "tflite", "--quantize", quantize, "--json")
    assert ended.code == 0, ended.err
    document = ended.document
    assert document["artefact"] == quantize
    assert document["agreement"] > 0.9
    for name in ("run.json", "metrics.json"):
        recorded = json.loads((runs / recipe / "1" / name).read_text(encoding="utf-8"))
        assert recorded["artefacts"][quantize]["sha256"] == document["sha256"]
    assert cli("predict", recipe, raw, "--artefact", quantize).code == 0
    assert not list((runs / recipe / "1").glob(".*"))


@pytest.mark.parametrize("form", ["tflite", "saved_model"])
def test_export_puts_a_removed_artefact_back(cli, runs: Path, form: str):
    folder = runs / "boston" / "1"
    shutil.rmtree(folder / "variables") if form == "saved_model" else (folder / "model.tflite").unlink()
    assert cli("verify", "boston").code == 1
    assert cli("export", "boston", "--format", form).code == 0
    assert cli("verify", "boston").code == 0


@pytest.mark.parametrize("recipe", ["boston", "imdb"])
def test_an_onnx_file_is_proven_and_timed_beside_the_others(cli, runs: Path, monkeypatch, recipe: str):
    from dlkit import finished

    pytest.importorskip("tf2onnx")
    monkeypatch.setitem(finished.bench.__kwdefaults__, "seconds", 0.05)
    ended = cli("export", recipe, "--format", "onnx", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["agreement"] == 1.0
    entry = cli("bench", recipe, "--json").document["artefacts"]["onnx"]
    assert entry["network_latency_us"] > 0 and entry["network_speedup"] > 0


def test_export_to_onnx_says_which_extra_is_missing(cli, runs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    ended = cli("export", "boston", "--format", "onnx", "--json")
    assert ended.code == 1
    assert "pip install 'dlkit[onnx]'" in ended.message
    assert not list((runs / "boston" / "1").glob("*.onnx*"))


def test_bench_gives_size_latency_and_throughput_of_each_artefact(cli, runs: Path, monkeypatch: pytest.MonkeyPatch):
    from dlkit import finished

    monkeypatch.setitem(finished.bench.__kwdefaults__, "seconds", 0.05)
    entries = cli("bench", "boston", "--json").document["artefacts"]
    assert set(entries) == {"keras", "saved_model", "tflite"}
    for entry in entries.values():
        assert all(entry[name] > 0 for name in ("bytes", "latency_us", "rows_per_second", "speedup"))


@pytest.mark.parametrize("recipe", ["boston", "imdb"])
def test_bench_times_the_network_alone_where_two_artefacts_take_encoded_rows(
    cli, runs: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
):
    from dlkit import finished

    monkeypatch.setitem(finished.bench.__kwdefaults__, "seconds", 0.05)
    entries = cli("bench", recipe, "--json").document["artefacts"]
    alone = ("network_latency_us", "network_latency_same_length_us", "network_speedup")
    for name in ("saved_model", "tflite"):
        assert all(entries[name][figure] > 0 for figure in alone), name
    assert not set(alone) & set(entries["keras"])
    assert entries["saved_model"]["network_speedup"] == 1
    ratio = entries["saved_model"]["network_latency_us"] / entries["tflite"]["network_latency_us"]
    assert entries["tflite"]["network_speedup"] == pytest.approx(ratio, abs=0.01)
    assert "network alone" in cli("bench", recipe).out


def test_data_says_what_is_where(cli, alone: Path, monkeypatch: pytest.MonkeyPatch):
    (imdb,) = cli("data", "imdb", "--json").document["datasets"]
    assert imdb["path"] is None
    (alone / "data" / "imdb").mkdir(parents=True)
    (alone / "data" / "imdb" / "aclImdb_v1.tar.gz").write_bytes(b"not looked into")
    monkeypatch.setenv("DLKIT_DATA", str(alone / "data"))
    (imdb,) = cli("data", "imdb", "--json").document["datasets"]
    assert imdb["path"] == str(alone / "data" / "imdb" / "aclImdb_v1.tar.gz")
    assert "boston_housing" in cli("data").out


def test_a_copied_recipe_is_a_recipe_of_ones_own(cli, alone: Path):
    ended = cli("copy", "boston", "mine")
    assert ended.code == 0
    assert "dlkit run mine.py" in ended.err
    assert cli("show", "mine.py", "--json").document["settings"] == cli("show", "boston", "--json").document["settings"]
    before = (alone / "mine.py").read_bytes()
    assert cli("copy", "imdb", "mine.py").code == 2
    assert (alone / "mine.py").read_bytes() == before


def test_a_copy_keeps_the_encoding_that_a_recipe_names(cli, alone: Path):
    content = "# -*- coding: latin-1 -*-\n" + catalog.entry("boston").path.read_text(encoding="utf-8") + "# für uns\n"
    (alone / "own.py").write_bytes(content.encode("latin-1", "replace"))
    assert cli("copy", "own.py", "again.py").code == 0
    assert (alone / "again.py").read_bytes() == (alone / "own.py").read_bytes()


def test_doctor_tells_of_the_machine_and_of_problems(cli, alone: Path, monkeypatch: pytest.MonkeyPatch):
    ended = cli("doctor", "--json")
    assert (ended.code, ended.document["problems"]) == (0, [])
    monkeypatch.setenv("DLKIT_DATA", str(alone / "nowhere"))
    ended = cli("doctor", "--json")
    assert ended.code == 1
    assert "correct or unset it" in ended.document["problems"][0]
    (alone / "home" / "data").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(alone / "home"))
    monkeypatch.setenv("DLKIT_DATA", "~/data")
    assert cli("doctor", "--json").document["problems"] == []
