"""Do several networks answer as their weighted opinions say, in plain arithmetic, as a layer and out of a file?"""

from __future__ import annotations

import math
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Ragged, Spec, Tensor
from dlkit.export.litert import write_litert
from dlkit.export.proof import keras_model
from dlkit.inference.litert import LiteRT
from dlkit.models import text
from dlkit.models.pooling import LogOpinionPool, best_weights, pool, pooled
from dlkit.training.fit import outputs

DICE = np.random.default_rng(0)
SIGMOIDS = [DICE.random((20, 1)).astype(np.float32) for _ in range(3)]
SOFTMAXES = [DICE.dirichlet(np.ones(4), 20).astype(np.float32) for _ in range(3)]
WEIGHTS = [0.5, 2.0, 0.0]


def by_hand(opinions: list[np.ndarray], weights: list[float], row: int) -> list[float]:
    """The weighted product of the chances of each class, made to sum to 1."""
    chances = [[1 - float(one[row, 0]), float(one[row, 0])] if one.shape[1] == 1 else one[row] for one in opinions]
    products = [
        math.prod(float(chance[place]) ** weight for chance, weight in zip(chances, weights, strict=True))
        for place in range(len(chances[0]))
    ]
    shares = [product / sum(products) for product in products]
    return shares[1:] if opinions[0].shape[1] == 1 else shares


@pytest.mark.parametrize("opinions", [SIGMOIDS, SOFTMAXES], ids=["sigmoid", "softmax"])
def test_pool_and_its_layer_are_the_product_worked_out_by_hand(opinions: list[np.ndarray]) -> None:
    expected = [by_hand(opinions, WEIGHTS, row) for row in range(20)]
    np.testing.assert_allclose(pool(opinions, WEIGHTS), expected, rtol=1e-5)
    np.testing.assert_allclose(LogOpinionPool(WEIGHTS)(opinions), expected, rtol=1e-4)
    np.testing.assert_allclose(pool(opinions[:1], [1.0]), opinions[0], rtol=1e-5)


@pytest.mark.parametrize("units", [1, 3])
def test_sure_opinions_that_contradict_each_other_give_a_finite_answer(units: int) -> None:
    sure = np.eye(3, dtype=np.float32)[:, :units]
    opinions = [sure, 1 - sure if units == 1 else sure[::-1].copy()]
    for answers in (pool(opinions, [5.0, 5.0]), np.asarray(LogOpinionPool([5.0, 5.0])(opinions))):
        assert np.isfinite(answers).all() and answers.min() >= 0 and answers.max() <= 1
        assert answers[0] == pytest.approx([0.5] * units if units == 1 else [0.5, 0, 0.5], abs=1e-3)


def votes(classes: np.ndarray, skill: float, count: int, seed: int) -> np.ndarray:
    """Opinions that lean to the right class by `skill`, with noise."""
    logits = np.random.default_rng(seed).normal(0, 1, (len(classes), count))
    logits[np.arange(len(classes)), classes] += skill
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return chances[:, 1:] if count == 2 else chances


@pytest.mark.parametrize("count", [2, 4])
def test_the_better_member_weighs_more_and_a_misleading_one_nothing(count: int) -> None:
    classes = np.random.default_rng(5).integers(0, count, 2_000)
    opinions = [votes(classes, skill, count, seed) for seed, skill in enumerate((2.0, 1.0, -0.5))]
    targets = classes[:, None].astype(np.float32) if count == 2 else classes
    good, fair, bad = best_weights(opinions, targets)
    assert good > fair > 0 and bad == 0


@pytest.mark.parametrize("count", [2, 4])
def test_no_other_weights_have_a_lower_loss(count: int) -> None:
    classes = np.random.default_rng(5).integers(0, count, 500)
    opinions = [votes(classes, skill, count, seed) for seed, skill in enumerate((2.0, 1.0))]

    def loss(weights: list[float]) -> float:
        found = pool(opinions, weights)
        chances = np.concatenate([1 - found, found], axis=1) if count == 2 else found
        return float(-np.log(chances[np.arange(500), classes]).mean())

    best = best_weights(opinions, classes[:, None].astype(np.float32) if count == 2 else classes)
    others = [[best[0] + a, best[1] + b] for a in (-0.1, 0, 0.1) for b in (-0.1, 0, 0.1) if a or b]
    assert loss(best) < min(map(loss, others))


def test_class_numbers_and_one_hot_targets_give_the_same_weights() -> None:
    classes = np.random.default_rng(5).integers(0, 4, 300)
    opinions = [votes(classes, skill, 4, seed) for seed, skill in enumerate((2.0, 1.0))]
    assert best_weights(opinions, np.eye(4, dtype=np.float32)[classes]) == best_weights(opinions, classes)


IDS = Tensor((None,), "int32")


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "separate"])
@pytest.mark.parametrize("head", [Head(1, "sigmoid"), Head(3, "softmax")], ids=["sigmoid", "softmax"])
def test_networks_pooled_are_the_pool_of_their_answers_also_out_of_files(
    head: Head, shared: bool, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(2)
    alone = Spec({"ngram_ids": IDS}, {"answer": head}, {"ngrams": 50})
    weighed = Spec({"ngram_ids": IDS, "ngram_weights": Tensor((None,))}, {"answer": head}, {"ngrams": 50})
    first = text.fasttext(alone, dimension=4)
    second = text.fasttext(alone, dimension=3) if shared else text.ngrams(weighed)
    for model in (first, second):
        model.set_weights([DICE.normal(0, 1, weight.shape) for weight in model.get_weights()])
    ids = Ragged.from_lists([np.arange(1, 2 + row % 9, dtype=np.int32) for row in range(30)])
    values = Ragged(DICE.random(len(ids.values)).astype(np.float32), ids.offsets)
    inputs = {"a_ngram_ids": ids} if shared else {"a_ngram_ids": ids, "b_ngram_ids": ids, "b_ngram_weights": values}
    tensors = {name: Tensor((None,), "float32" if name.endswith("weights") else "int32") for name in inputs}
    part_of = {"a": "a", "b": "a" if shared else "b"}
    model = pooled({"a": first, "b": second}, part_of, Spec(tensors, {"answer": head}), [0.7, 1.5])
    own = Examples({"ngram_ids": ids} if shared else {"ngram_ids": ids, "ngram_weights": values})
    expected = pool([outputs(first, Examples({"ngram_ids": ids})), outputs(second, own)], [0.7, 1.5])
    found = outputs(model, Examples(inputs))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(outputs(keras_model(tmp_path / "model.keras"), Examples(inputs)), found, atol=1e-6)
    write_litert(tmp_path / "model.tflite", model, tensors)
    np.testing.assert_allclose(LiteRT(tmp_path / "model.tflite").run(inputs), found, atol=1e-5)
