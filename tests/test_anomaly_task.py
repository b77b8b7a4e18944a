"""Does a search for anomalies learn normal rows, set its threshold on others, and say what it is worth?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit.contracts import Spec, Split
from dlkit.data.anomalies import AnomalyData, unknown
from dlkit.errors import DataError, SettingsError
from dlkit.evaluation import anomaly_figures
from dlkit.evaluation.mistakes import worst_mistakes
from dlkit.evaluation.plots import plot_all
from dlkit.evaluation.scores import judge, score
from dlkit.export.saved_model import Servable
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.windows import ANOMALY, NORMAL, ScaledWindows
from dlkit.models import autoencoders
from dlkit.pipeline import Prepared, prepare, train
from dlkit.preprocessing.windows import ScaledRows
from dlkit.recipe import Recipe
from dlkit.tasks import AnomalyDetection
from dlkit.training.fit import outputs
from dlkit.training.settings import Training

QUICK = Training(epochs=1, optimizer="sgd", learning_rate=1e-9, tensorboard=False)
RECIPE = Recipe(AnomalyData(sample="pump", window=16), ScaledRows(), AnomalyDetection(), autoencoders.pca, QUICK)


def prepared(recipe: Recipe = RECIPE) -> Prepared:
    return prepare(recipe, recipe.data.load("sample", say=lambda _: None))


def labels(*words: str | None) -> np.ndarray:
    made = np.empty(len(words), object)
    made[:] = words
    return made


def test_normal_rows_are_those_labelled_so_and_all_where_no_label_is_known() -> None:
    task = AnomalyDetection()
    assert task.normal(labels(NORMAL, ANOMALY, None, NORMAL)).tolist() == [0, 3]
    assert task.normal(unknown(3)).tolist() == [0, 1, 2]


def test_what_training_aims_at_takes_no_memory() -> None:
    answer = AnomalyAnswer(("a", "b"), window=50)
    aim = AnomalyDetection().encode(answer, unknown(1_000_000))
    assert aim.shape == (1_000_000, 50, 2) and aim.strides == (0, 0, 0) and aim.dtype == np.float32


def test_the_epoch_is_chosen_and_the_threshold_set_by_normal_rows_alone() -> None:
    made = prepared(replace(RECIPE, data=AnomalyData(sample="beats")))
    truth = np.asarray(made.validation.targets)
    assert (truth == ANOMALY).any() and len(made.watched) == (truth == NORMAL).sum()
    residuals = np.where((truth == ANOMALY)[:, None, None], 1e3, 1.0) * np.ones((1, 48, 1), np.float32)
    answer = made.settled(residuals).answer
    assert isinstance(answer, AnomalyAnswer) and answer.level == (1.0,)


def test_best_f1_needs_labels_and_says_so() -> None:
    made = prepared(replace(RECIPE, task=AnomalyDetection(rule="best_f1")))
    assert not (np.asarray(made.validation.targets) == ANOMALY).any()
    with pytest.raises(DataError, match="best_f1 needs labelled rows of both kinds"):
        made.settled(np.ones((len(made.validation), 16, 2), np.float32))


def test_a_threshold_that_no_held_out_rows_can_set_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr("dlkit.pipeline.fit", never)
    made = prepared(replace(RECIPE, task=AnomalyDetection(rule="best_f1")))
    for known in (np.asarray(made.validation.targets), unknown(len(made.validation))):
        unlabelled = replace(made, validation=replace(made.validation, targets=known))
        with pytest.raises(DataError, match=r"best_f1 needs labelled rows of both kinds, got 0 anomalies.*data\.label"):
            train(unlabelled, seed=0, say=lambda _: None)
    odd = np.where(np.arange(len(made.validation)) == 3, ANOMALY, unknown(1))
    with pytest.raises(DataError, match="1 are labelled anomalies, and none is labelled normal"):
        train(replace(prepared(), validation=replace(made.validation, targets=odd)), seed=0, say=lambda _: None)


def test_a_trained_search_finds_the_samples_anomalies_and_says_nothing_bad() -> None:
    made = prepared()
    outcome = train(made, seed=0, say=lambda _: None)
    assert outcome.held_out is not None
    settled = made.settled(outcome.held_out)
    assert isinstance(settled.answer, AnomalyAnswer)
    residuals = outputs(outcome.model, settled.test)
    figures = score("anomaly", settled.answer, np.asarray(settled.test.targets), residuals)
    assert figures["roc_auc"] > 0.97 and figures["event_recall"] == 1.0 and judge("anomaly").main == "roc_auc"
    rows = anomaly_figures.Rows(settled.train, settled.validation, settled.test)
    beside = anomaly_figures.baselines(settled.answer, rows, seed=0)
    assert set(beside) == {"isolation_forest", "windowed_gaussian"}
    assert set(beside["isolation_forest"]) == set(figures)
    truth = np.asarray(settled.test.targets)
    assert not anomaly_figures.warnings_for(
        settled.answer, truth, residuals, untrained=None, test=figures, beside=beside
    )
    said = anomaly_figures.warnings_for(
        settled.answer, truth, residuals, untrained=residuals, test=figures, beside={"isolation_forest": figures}
    )
    assert any("no better than before training" in one for one in said)
    assert any("does not beat the isolation forest baseline" in one for one in said)


def test_windows_of_a_run_know_what_a_gap_is() -> None:
    made = prepared()
    assert isinstance(made.transform, ScaledWindows) and made.transform.gap == 45 * 60


def test_figures_without_labels_are_those_that_can_be_known() -> None:
    answer = AnomalyAnswer(("x",), level=(1.0,), threshold=2.0)
    found = anomaly_figures.figures(answer, unknown(4), np.array([[0.5], [1.0], [3.0], [0.1]]))
    assert found == {"alarm_share": 0.25}


def test_alarms_behind_an_event_belong_to_it() -> None:
    answer = AnomalyAnswer(("x",), level=(1.0,), threshold=1.0, rows_a_week=7.0, window=2)
    truth = labels(NORMAL, NORMAL, ANOMALY, None, NORMAL, NORMAL)
    behind = anomaly_figures.of_scores(answer, truth, np.array([0.0, 0, 0, 2, 0, 0]), 1.0)
    assert (behind["events_found"], behind["false_alarms_a_week"]) == (1.0, 0.0)
    apart = anomaly_figures.of_scores(answer, truth, np.array([2.0, 0, 2, 0, 0, 0]), 1.0)
    assert (apart["events_found"], apart["event_precision"]) == (1.0, 0.5)


@pytest.mark.parametrize("setting", ["folds", "refit"])
def test_what_leaves_no_held_out_rows_is_refused(setting: str) -> None:
    training = replace(QUICK, **{setting: 2 if setting == "folds" else True})  # type: ignore[arg-type]  # by name
    with pytest.raises(SettingsError, match=r"training\.folds and training\.refit leave no held-out rows"):
        train(prepared(replace(RECIPE, training=training)), seed=0, say=lambda _: None)


@pytest.mark.parametrize(
    ("options", "why"),
    [({"rule": "sigma"}, "task.rule"), ({"rate": 0}, "task.rate"), ({"loss_name": "x"}, "loss_name")],
)
def test_a_wrong_setting_is_said(options: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        AnomalyDetection(**options)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("newest", [0, 5])
def test_the_saved_model_scores_and_explains_as_the_plain_answer(newest: int) -> None:
    made = prepared(replace(RECIPE, task=AnomalyDetection(newest=newest)))
    keras.utils.set_random_seed(0)
    model = autoencoders.dense(made.spec)
    settled = made.settled(outputs(model, made.validation))
    assert isinstance(settled.answer, AnomalyAnswer)
    raw = {name: column[:7] for name, column in made.splits.test.inputs.items()}
    servable = Servable(made.transform, model, settled.answer)
    found = servable.serve({name: tf.constant(column) for name, column in raw.items()})
    residuals = found["outputs"].numpy()
    np.testing.assert_allclose(found["score"].numpy(), settled.answer.scores(residuals), rtol=1e-9)
    np.testing.assert_allclose(found["contributions"].numpy().sum(axis=(1, 2)), found["score"].numpy(), rtol=1e-9)
    plain = settled.answer.decode(residuals)
    assert found["anomaly"].numpy().tolist() == [answer["anomaly"] for answer in plain]
    shares = found["contributions"].numpy().sum(axis=1) / found["score"].numpy()[:, None]
    np.testing.assert_allclose(shares, [list(answer["channels"].values()) for answer in plain])  # type: ignore[attr-defined]  # JSON


@pytest.mark.parametrize("known", [True, False])
def test_scores_are_drawn_with_and_without_labels(tmp_path: Path, known: bool) -> None:
    answer = AnomalyAnswer(("x",), level=(1.0,), threshold=2.0, rows_a_week=336.0)
    truth = np.where(np.arange(60) % 10 == 0, ANOMALY, NORMAL).astype(object) if known else unknown(60)
    residuals = np.random.default_rng(0).normal(size=(60, 1))
    plots = plot_all("anomaly", answer, history=[], targets=truth, outputs=residuals, folder=tmp_path)
    assert [plot.name for plot in plots] == (["scores", "rankings", "course"] if known else ["scores", "course"])
    assert all(plot.alt for plot in plots)


def test_a_preprocessing_without_channels_is_refused() -> None:
    from dlkit.preprocessing.text import MultiHot

    texts = np.array(["a text", "another"] * 10, object)
    transform = MultiHot(max_words=5).fit(Split({"text": texts}), {"text": "text"})
    with pytest.raises(SettingsError, match=r"preprocessing=ScaledRows\(\), got MultiHotText"):
        AnomalyDetection().completed(AnomalyAnswer(()), transform)


def test_a_spec_names_the_window_and_its_channels() -> None:
    spec = prepared().spec
    assert isinstance(spec, Spec) and spec.sizes == {"window": 16, "channels": 2}
    assert spec.inputs["window"].shape == (16, 2) and spec.head.units == 2


def test_false_alarms_and_missed_anomalies_are_the_mistakes() -> None:
    answer = AnomalyAnswer(("x",), level=(1.0,), threshold=1.0)
    truth = labels(NORMAL, ANOMALY, NORMAL, None, ANOMALY)
    residuals = np.array([[3.0], [0.1], [0.5], [5.0], [2.0]])
    windows = {"x": np.arange(20.0).reshape(5, 4)}
    found = worst_mistakes("anomaly", answer, windows, truth, residuals)
    assert [(one["row"], one["truth"], one["answer"]) for one in found] == [(1, ANOMALY, NORMAL), (0, NORMAL, ANOMALY)]
    assert found[0]["input"] == "4 numbers from 4.000 to 7.000"


def test_rows_that_nobody_labelled_are_no_weeks_without_alarms_and_find_no_event() -> None:
    answer = AnomalyAnswer(("x",), level=(1.0,), threshold=1.0, rows_a_week=7.0, window=3)
    truth = labels(NORMAL, NORMAL, ANOMALY, None, None, NORMAL, NORMAL, *[None] * 70)
    scores = np.zeros(len(truth))
    scores[[0, 60]] = 2.0  # a false alarm, and one that is ten weeks behind all labels
    found = anomaly_figures.of_scores(answer, truth, scores, 1.0)
    assert (found["events"], found["events_found"]) == (1.0, 0.0)
    assert found["false_alarms_a_week"] == pytest.approx(7 / 4)
    scores[4] = 2.0
    assert anomaly_figures.of_scores(answer, truth, scores, 1.0)["events_found"] == 1.0


def test_events_on_both_sides_of_unlabelled_rows_are_two() -> None:
    labels = ["normal"] * 100 + ["anomaly"] * 3 + [None] * 500 + ["anomaly"] * 3 + ["normal"] * 100
    scores = np.zeros(len(labels))
    scores[101] = 1.0
    answer = AnomalyAnswer(("x",), window=64, rows_a_week=10_080.0)
    found = anomaly_figures.of_scores(answer, np.array(labels, object), scores, 0.5)
    assert (found["events"], found["events_found"], found["event_recall"]) == (2, 1, 0.5)
