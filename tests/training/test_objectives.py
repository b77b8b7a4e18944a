"""Do class weights change the loss as they should, and are one-hot and sparse targets the same training?"""

from __future__ import annotations

from collections import Counter

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Spec, Split, Tensor
from dlkit.data.texts import TextData
from dlkit.inference.answers import ClassAnswer
from dlkit.models import dense
from dlkit.pipeline import prepare, train
from dlkit.preprocessing.text import MultiHot
from dlkit.recipe import Recipe
from dlkit.tasks import Classification
from dlkit.training.fit import Objective, Trained, fit, outputs
from dlkit.training.settings import Training

TOPICS = tuple(f"topic {number:02}" for number in range(46))
CLASSES = ("a", "b", "c")


def rows(labels: tuple[str, ...], count: int, task: Classification) -> tuple[Examples, np.ndarray, Spec]:
    """Rows of 20 numbers with labels drawn unequally, as the network eats them; their raw labels; the spec."""
    rng = np.random.default_rng(0)
    share = np.arange(1, len(labels) + 1) / np.arange(1, len(labels) + 1).sum()
    raw = np.concatenate([np.array(labels, object), rng.choice(np.array(labels, object), count - len(labels), p=share)])
    inputs = rng.standard_normal((count, 20)).astype(np.float32)
    answer = task.fit(Split({"x": inputs[:, 0]}, raw), "topic")
    spec = Spec({"features": Tensor((20,))}, task.heads(answer))
    return Examples({"features": inputs}, task.encode(answer, raw)), raw, spec


def network(spec: Spec) -> keras.Model:
    """The 64-64-46 of the lecture notes (Chollet 2021, section 4.2)."""
    inputs = keras.Input((20,), name="features")
    hidden = keras.layers.Dense(64, activation="relu")(keras.layers.Dense(64, activation="relu")(inputs))
    return keras.Model(inputs, keras.layers.Dense(spec.head.units, activation=spec.head.activation)(hidden))


def trained(labels: tuple[str, ...], task: Classification, *, epochs: int, batch_size: int, rate: float) -> Trained:
    examples, raw, spec = rows(labels, 230, task)
    answer = task.fit(Split({"x": raw}, raw), "topic")
    objective = Objective(task.loss(answer), task.metrics(answer), task.class_weight(answer, raw))
    settings = Training(epochs=epochs, batch_size=batch_size, learning_rate=rate, tensorboard=False)
    return fit(
        lambda: network(spec), examples, examples, objective=objective, settings=settings, seed=3, say=lambda _: None
    )


def test_one_hot_and_sparse_targets_give_the_same_losses_on_the_network_of_the_notes() -> None:
    sparse, one_hot = (
        trained(TOPICS, Classification(targets=targets), epochs=3, batch_size=64, rate=0.001).history
        for targets in ("sparse", "one_hot")
    )
    for figure in ("loss", "val_loss", "accuracy", "val_accuracy"):
        assert [row[figure] for row in one_hot] == pytest.approx([row[figure] for row in sparse], rel=1e-5), figure
    assert sparse[-1]["loss"] < sparse[0]["loss"]


@pytest.mark.parametrize("targets", ["sparse", "one_hot"])
@pytest.mark.parametrize("labels", [("a", "b"), CLASSES])
def test_the_training_loss_is_the_mean_of_weighted_losses_and_the_validation_loss_is_plain(
    labels: tuple[str, ...], targets: str
) -> None:
    task = Classification(class_weights="balanced", targets=targets)  # type: ignore[arg-type]  # parametrised
    # One batch, and a step too small to be felt: both losses are those of the same weights.
    result = trained(labels, task, epochs=1, batch_size=1000, rate=1e-12)
    examples, raw, _ = rows(labels, 230, task)
    answers = np.asarray(result.model(examples.inputs["features"]))
    probabilities = np.concatenate([1 - answers, answers], axis=1) if len(labels) == 2 else answers
    losses = -np.log(probabilities[np.arange(len(raw)), [labels.index(label) for label in raw]])
    counts = Counter(raw)
    weights = np.array([len(raw) / (len(labels) * counts[label]) for label in raw])
    assert result.history[0]["loss"] == pytest.approx((weights * losses).mean(), rel=1e-4)
    assert result.history[0]["val_loss"] == pytest.approx(losses.mean(), rel=1e-4)
    assert abs((weights * losses).mean() - losses.mean()) > 1e-3, "otherwise the test would tell nothing"


def recall_of_the_rarest(task: Classification) -> float:
    recipe = Recipe(
        data=TextData(sample="wires"),
        preprocessing=MultiHot(max_words=300),
        task=task,
        model=dense.linear,
        training=Training(epochs=2, batch_size=64, learning_rate=0.003, tensorboard=False),
    )
    prepared = prepare(recipe, recipe.data.load("sample", say=lambda _: None))
    assert (prepared.objective.class_weight is None) == (task.class_weights == "none")
    assert isinstance(prepared.answer, ClassAnswer)
    answers = outputs(train(prepared, seed=0, say=lambda _: None).model, prepared.test)
    rarest = np.asarray(prepared.test.targets) == "metals"
    return float((answers.argmax(axis=1)[rarest] == prepared.answer.labels.index("metals")).mean())


def test_balanced_weights_find_more_of_the_rarest_class() -> None:
    assert recall_of_the_rarest(Classification(class_weights="balanced")) > 0.2 + recall_of_the_rarest(Classification())
