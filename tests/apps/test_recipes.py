"""Does every recipe, with every model it offers, hold what the house promises of it?

The table is made from the catalogue, so that a recipe or a model that is added is tested without a word here.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import dlkit
from dlkit import catalog, finished
from dlkit.contracts import Splits
from dlkit.export.proof import TOLERANCE
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.answers import AnyAnswer, ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.forms import STANDARD
from dlkit.inference.latents import LatentAnswer
from dlkit.inference.sentences import SentenceAnswer
from dlkit.ordering import Order, order
from dlkit.run_folder import make
from dlkit.settings import settings_of
from dlkit.tasks import readable

QUICK = ["training.epochs=2", "training.patience=none", "training.tensorboard=false"]
"""Two epochs on the sample show that all stages fit together; how good a recipe gets is for the benchmarks to say."""
SMALLER = {
    "fast": "model.widths=16,16,16",
    "inception": "model.filters=8",
    "cnn_bn": "model.filters=8,16",
    "resnet": "model.blocks=1",
    "separable": "model.filters=16,32",
    "transfer": "preprocessing.size=48",
    "tuned": "preprocessing.size=48",
    "scratch": "preprocessing.size=48",
    "table": "data.sample=houses",
}
"""Networks whose real size takes a minute here: every layer is there all the same. One of a recipe for pictures reads
tables.
"""
SMALL_LSTM = ("model.units=16", "model.dimension=16")
SMALL_TRANSFORMER = ("model.width=16", "model.intermediate=16", "model.encoders=1", "model.decoders=1")
SHORTER = {
    "forecast": ("data.window=48", "data.horizon=6", "data.stride=8", "training.batch_size=64"),
    "seq2seq": ("task.beam=2", *SMALL_LSTM),
    "transformer": ("task.beam=2", *SMALL_TRANSFORMER),
    "transformer lstm": ("task.beam=2", *SMALL_LSTM),
    "transformer ensemble": (
        "task.beam=2",
        *(f"transformer.{change}" for change in SMALL_TRANSFORMER),
        *(f"lstm.{change}" for change in SMALL_LSTM),
    ),
}
"""Windows whose real length takes a recurrent network a minute, and translators whose real size does; of a model that
has its own, by both names.
"""
FILES = {
    "saved_model.pb", "variables", "model.keras", "model.tflite", "assets.extra", "run.json", "metrics.json",
    "history.csv", "report.html", "plots", "README.md",
}  # fmt: skip
"""What the architecture promises of a run folder."""
METRICS = {
    "format", "recipe", "model", "task", "seed", "run", "data", "validation", "test", "baselines", "seconds",
    "peak_memory_mb", "parameters", "artefacts", "warnings",
}  # fmt: skip

RECIPES = [entry.name for entry in catalog.entries()]
CASES = [(entry.name, model) for entry in catalog.entries() for model in catalog.load(entry).models]


@dataclass(frozen=True)
class Made:
    """A finished run, what was asked for, and the rows it was made of."""

    order: Order
    folder: Path
    splits: Splits

    @property
    def metrics(self) -> dict[str, object]:
        content = json.loads((self.folder / "metrics.json").read_text(encoding="utf-8"))
        assert isinstance(content, dict)
        return content

    @property
    def items(self) -> list[object]:
        """The test rows as a person would give them."""
        columns = {name: column.tolist() for name, column in self.splits.test.inputs.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def untrained_backbone(folder: Path) -> Path:
    """A file of weights such as others download: what it has learned does not matter here."""
    from dlkit.models.backbones import squeezenet

    squeezenet().save_weights(folder / "squeezenet.weights.h5")
    return folder / "squeezenet.weights.h5"


@pytest.fixture(scope="module", params=CASES, ids=" ".join)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    name, model = request.param
    recipe = catalog.load(catalog.entry(name)).with_model(model)
    changes = [*QUICK, f"training.folds={min(recipe.training.folds, 2)}"]
    changes += [SMALLER[model]] if model in SMALLER else []
    changes += SHORTER.get(f"{name} {model}", SHORTER.get(name, ()))
    if settings_of(recipe)["model"].get("weights") == "imagenet":
        changes.append(f"model.weights={untrained_backbone(tmp_path_factory.mktemp('weights'))}")
    asked = order(name, model=model, data="sample", changes=changes, out=tmp_path_factory.mktemp("runs"))
    # Boosted trees take longer than all else here together; tests/evaluation has them.
    asked = replace(asked, recipe=replace(asked.recipe, baselines=()))
    run = make(asked, say=lambda _: None)
    splits = asked.recipe.data.load("sample", say=lambda _: None)
    # The label of a conditional model is an input.
    return Made(asked, run.folder, readable(asked.recipe.task, splits) if name == "vae" else splits)


def test_the_table_holds_every_file_in_apps() -> None:
    folder = Path(dlkit.__file__).parent.parent / "apps"
    assert sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__") == sorted(RECIPES)
    assert {name for name, _ in CASES} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_opens_with_its_question_and_its_command(name: str) -> None:
    entry = catalog.entry(name)
    assert entry.problem is None
    assert entry.question.endswith("?") and entry.question == entry.documentation.splitlines()[0]
    assert f"dlkit run {name}" in entry.documentation
    assert len(entry.path.read_text(encoding="utf-8").splitlines()) <= 60


def test_the_run_folder_holds_what_the_architecture_promises(made: Made) -> None:
    there = {path.name for path in made.folder.iterdir()}
    assert there >= FILES
    assert not [name for name in there if name.startswith(".")]
    assert not [path for path in made.folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    assert made.folder.name == "1" and [path.name for path in made.folder.parent.iterdir()] == ["1"]


def test_the_figures_are_whole_and_finite(made: Made) -> None:
    metrics = made.metrics
    assert set(metrics) >= METRICS
    assert (metrics["recipe"], metrics["model"]) == (made.order.name, made.order.model)
    artefacts = metrics["artefacts"]
    assert isinstance(artefacts, dict) and set(artefacts) == set(STANDARD)
    for figures in (metrics["test"], metrics["validation"], *(entry["test"] for entry in artefacts.values())):
        assert isinstance(figures, dict) and figures and np.isfinite(list(figures.values())).all()
    assert metrics["baselines"] and metrics["data"]["sample"] is True  # type: ignore[index]  # JSON
    with (made.folder / "history.csv").open(encoding="utf-8") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_every_artefact_answers_every_test_row_as_the_keras_model_does(made: Made) -> None:
    proven = finished.verify(made.folder, data=None, say=lambda _: None)["artefacts"]
    assert set(proven) == set(STANDARD)
    for name, proof in proven.items():
        assert proof["rows"] == len(made.splits.test)
        assert proof["max_abs_diff"] <= TOLERANCE[name] == 1e-4 and proof["agreement"] == 1.0


def test_the_litert_file_holds_builtin_operations_only(made: Made) -> None:
    interpreter = Interpreter(
        str(made.folder / "model.tflite"),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    names = [str(operation["op_name"]) for operation in interpreter._get_ops_details()]
    assert names
    assert not [name for name in names if name.startswith("Flex") or "CUSTOM" in name.upper()]


def test_answers_have_the_shape_that_their_task_promises(made: Made) -> None:
    predictor = dlkit.load(made.folder)
    answers = predictor.predict(made.items)
    assert len(answers) == len(made.splits.test)
    for answer in answers:
        if isinstance(predictor.answer, JointAnswer):
            assert isinstance(made.splits.test.targets, dict) and set(answer) == set(made.splits.test.targets)
            for name, part in predictor.answer.parts.items():
                check_answer(answer[name], part, name)
        else:
            check_answer(answer, predictor.answer, made.splits.target_name)


def check_answer(answer: object, expected: AnyAnswer, name: str | None) -> None:
    assert isinstance(answer, dict)
    if isinstance(expected, AnomalyAnswer):
        assert answer["anomaly"] == (answer["score"] > answer["threshold"] == expected.threshold)
        assert tuple(answer["channels"]) == expected.channels
        for shares in (answer["channels"].values(), answer.get("moments", [1.0])):
            assert sum(shares) == pytest.approx(1, abs=1e-6)
        return
    if isinstance(expected, ValueAnswer):
        assert np.isfinite(answer["value"]) and answer["name"] == name
        return
    if isinstance(expected, LatentAnswer):
        made = answer["reconstruction"]
        assert list(made) == list(expected.columns) if expected.features else np.shape(made) == expected.shape[:2]
        assert np.isfinite(answer["mse"]) and np.isfinite(answer["code"]).all()
        return
    if isinstance(expected, SentenceAnswer):
        assert isinstance(answer["translation"], str) and answer["score"] < 0
        return
    if isinstance(expected, ForecastAnswer):
        assert set(answer) >= {"time", "forecast"} and tuple(answer["forecast"]) == expected.targets
        assert all(len(values) == len(answer["time"]) for values in answer["forecast"].values())
        return
    assert isinstance(expected, ClassAnswer)
    probabilities = answer["probabilities"]
    assert tuple(probabilities) == expected.labels
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert answer["score"] == max(probabilities.values()) == probabilities[answer["label"]]


def test_one_row_is_answered_as_in_a_batch(made: Made) -> None:
    predictor = dlkit.load(made.folder)
    together = predictor.outputs(made.splits.test.take(np.arange(5)).inputs)
    alone = [predictor.outputs(made.splits.test.take(np.array([row])).inputs) for row in range(5)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)
