"""Do the Sequential, the Functional and the subclassing API give one and the same network?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Spec, Split, Transform
from dlkit.data.samples import sample
from dlkit.errors import SettingsError
from dlkit.export.proof import keras_model
from dlkit.inference.answers import ClassAnswer, ValueAnswer
from dlkit.inference.forms import STANDARD
from dlkit.models import dense
from dlkit.preprocessing.tables import TableFeatures
from dlkit.preprocessing.text import MultiHot
from dlkit.run_folder import Content, prove_content, write_content
from dlkit.training.fit import outputs, seeded

APIS = ("sequential", "functional", "subclass")
MODELS: dict[str, Callable[..., keras.Model]] = {
    "mlp": partial(dense.mlp, units=(8, 6), dropout=0.3, l2=1e-3),
    "linear": dense.linear,
}
Case = tuple[Split, Transform, ClassAnswer | ValueAnswer, Spec]


@pytest.fixture(autouse=True)
def _repeatable() -> Iterator[None]:
    with seeded(0):
        yield


@pytest.fixture(scope="module", params=["word ids", "table features"])
def case(request: pytest.FixtureRequest) -> Case:
    """Raw rows, their transform, an answer, and what a network may know of them."""
    made = sample("reviews" if request.param == "word ids" else "houses")
    rows = made.rows.take(np.arange(120))
    if request.param == "word ids":
        transform: Transform = MultiHot(max_words=60).fit(rows, made.kinds)
        answer: ClassAnswer | ValueAnswer = ClassAnswer(("neg", "pos"))
        head = Head(1, "sigmoid")
    else:
        transform = TableFeatures().fit(rows, made.kinds)
        answer, head = ValueAnswer("price", "k$", 20.0, 8.0, 8.0), Head(1)
    return rows, transform, answer, Spec(transform.tensors, {"answer": head}, transform.sizes)


@pytest.mark.parametrize("name", MODELS)
def test_three_apis_agree_in_parameters_and_outputs(case: Case, name: str) -> None:
    rows, transform, _, spec = case
    models = [MODELS[name](spec, api=api) for api in APIS]
    shapes = [[weight.shape for weight in model.get_weights()] for model in models]
    assert shapes[0] == shapes[1] == shapes[2]
    assert models[0].count_params() == models[1].count_params() == models[2].count_params()
    examples = Examples(transform.encode(rows.inputs))
    before = [outputs(model, examples) for model in models]
    assert np.abs(before[0] - before[1]).max() > 1e-3, "equal outputs would say nothing: the weights are equal already"
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    after = [outputs(model, examples) for model in models]
    np.testing.assert_array_equal(after[0], after[1])
    np.testing.assert_array_equal(after[0], after[2])


def test_three_apis_train_to_the_same_weights(case: Case) -> None:
    rows, transform, _, spec = case
    inputs = next(iter(transform.encode(rows.inputs).values()))
    batch = inputs if isinstance(inputs, np.ndarray) else inputs.take(np.arange(len(rows)))
    targets = np.random.default_rng(0).integers(0, 2, (len(rows), 1)).astype(np.float32)
    ends, start = [], dense.mlp(spec, units=(8, 6), l2=1e-3).get_weights()
    for api in APIS:
        model = dense.mlp(spec, units=(8, 6), l2=1e-3, api=api)  # type: ignore[arg-type]  # from the tuple above
        model.set_weights(start)
        model.compile("adam", "mse")
        for _ in range(3):
            model.train_on_batch(batch, targets)
        ends.append(model.get_weights())
    for one, two, three, first in zip(*ends, start, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-7)
        np.testing.assert_allclose(one, three, atol=1e-7)
        assert np.abs(one - first).max() > 1e-4


@pytest.mark.parametrize("api", APIS)
def test_dropout_is_on_in_training_and_off_else_in_every_api(case: Case, api: str) -> None:
    rows, transform, _, spec = case
    model = dense.mlp(spec, units=(32,), dropout=0.5, api=api)  # type: ignore[arg-type]  # from the tuple above
    inputs = next(iter(transform.encode(rows.inputs).values()))
    batch = inputs if isinstance(inputs, np.ndarray) else inputs.take(np.arange(20))
    assert np.array_equal(model(batch, training=False), model(batch, training=False))
    assert not np.array_equal(model(batch, training=True), model(batch, training=True))


@pytest.mark.parametrize("api", APIS)
def test_a_network_comes_back_from_its_keras_file_and_is_proven_in_every_artefact(
    case: Case, api: str, tmp_path: Path
) -> None:
    rows, transform, answer, spec = case
    model = MODELS["mlp"](spec, api=api)
    content = Content(transform, answer, model, history=[])
    write_content(tmp_path, content, {})
    expected = outputs(model, Examples(transform.encode(rows.inputs)))
    assert prove_content(tmp_path, content, expected, rows.inputs).keys() == set(STANDARD)
    again = keras_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert float(sum(again.losses)) == float(sum(model.losses)) > 0, "the regularizer is part of the file"
    assert [type(layer) for layer in _layers(again)] == [type(layer) for layer in _layers(model)]
    assert all(np.array_equal(one, two) for one, two in zip(model.get_weights(), again.get_weights(), strict=True))


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    every = model._flatten_layers(include_self=False)
    return [layer for layer in every if layer.count_params() or "drop" in layer.name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": ()}, "model.units: expected one or more positive numbers, got none"),
        ({"units": (8, 0)}, "model.units"),
        ({"dropout": 1.0}, r"model.dropout: expected a probability in \[0, 1\), got 1.0"),
        ({"api": "keras"}, "model.api: expected sequential, functional or subclass, got 'keras'"),
        ({"activation": "rellu"}, "model.activation.*rellu"),
        ({"l2": -1.0}, "model.l2"),
    ],
)
def test_options_that_make_no_network_are_refused(case: Case, options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        dense.mlp(case[3], **options)  # type: ignore[arg-type]  # parametrised
