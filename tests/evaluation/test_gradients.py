"""Is the reach of a gradient measured as the chain rule has it, and drawn for networks that have one?"""

from __future__ import annotations

from functools import partial
from xml.etree import ElementTree as ET

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Ragged, Spec, Tensor
from dlkit.evaluation.gradients import Reach, drawing, gradient_by_step, reach
from dlkit.evaluation.plots import plot
from dlkit.models import dense, text
from dlkit.training.fit import seeded

LOSS = "binary_crossentropy"
STEPS = 40


@pytest.fixture
def examples() -> Examples:
    """30 texts of 10 to 49 word ids, a class each."""
    random = np.random.default_rng(0)
    rows = [random.integers(1, 31, length).astype(np.int32) for length in random.integers(10, 50, 30)]
    rows[3] = random.integers(1, 31, 49).astype(np.int32)
    return Examples({"word_ids": Ragged.from_lists(rows)}, random.integers(0, 2, (30, 1)).astype(np.float32))


def spec(head: Head | None = None) -> Spec:
    sizes = {"vocabulary": 30, "sequence_length": 50}
    return Spec({"word_ids": Tensor((None,), "int32")}, {"answer": head or Head(1, "sigmoid")}, sizes)


def recurrent(kind: str) -> keras.Model:
    with seeded(1):
        return getattr(text, kind)(spec(), dimension=8, units=8)


def with_recurrent_kernel(model: keras.Model, scale: float) -> keras.Model:
    """The unit matrix times `scale`: each step back multiplies the gradient with `scale`, where tanh is linear."""
    layer = model.get_layer("simple_rnn")
    kernel, recurrent_kernel, bias = layer.get_weights()
    layer.set_weights([0.05 * kernel, scale * np.eye(len(recurrent_kernel)), bias])
    return model


def measured(model: keras.Model, examples: Examples, **options: int) -> Reach:
    found = reach(model, examples, LOSS, **options)
    assert found is not None
    return found


@pytest.mark.parametrize("scale", [0.5, 0.8])
def test_a_small_recurrent_kernel_loses_the_gradient_geometrically(examples, scale):
    found = measured(with_recurrent_kernel(recurrent("simple_rnn"), scale), examples, steps=STEPS)
    assert found.norms.shape == (found.norms.shape[0], STEPS)
    # The inputs are small, so tanh is all but linear.
    np.testing.assert_allclose(found.norms[:, 1:] / found.norms[:, :-1], scale, rtol=0.02)
    assert found.factor == pytest.approx(scale, rel=0.01)


def test_an_lstm_with_forget_bias_loses_less_than_a_simple_rnn(examples):
    lstm = measured(recurrent("lstm"), examples, steps=STEPS)
    simple = measured(with_recurrent_kernel(recurrent("simple_rnn"), 0.5), examples, steps=STEPS)
    assert lstm.kept > 1e3 * simple.kept
    layer = recurrent("lstm").get_layer("lstm")
    units = layer.units
    assert (layer.get_weights()[2][units : 2 * units] == 1).all(), "Keras' LSTM starts with an open forget gate"
    opened = recurrent("lstm")
    kernel, recurrent_kernel, bias = opened.get_layer("lstm").get_weights()
    bias[units : 2 * units] = 6
    opened.get_layer("lstm").set_weights([kernel, recurrent_kernel, bias])
    assert measured(opened, examples, steps=STEPS).factor > lstm.factor


def test_the_gradient_is_that_of_finite_differences(examples):
    model = recurrent("gru")
    found = measured(model, examples, texts=1, steps=12)
    rows = examples.inputs["word_ids"]
    assert isinstance(rows, Ragged)
    row = int(np.flatnonzero(np.diff(rows.offsets) >= 12)[0])
    ids = rows.take(np.array([row]))[:, np.diff(rows.offsets)[row] - 12 : np.diff(rows.offsets)[row]]
    after = keras.Model([model.input, model.get_layer("words").output], model.output)
    vectors, target = np.asarray(model.get_layer("words")(ids)), np.asarray(examples.targets)[[row]]

    def loss(at: np.ndarray) -> float:
        return float(np.asarray(keras.losses.binary_crossentropy(target, after([ids, at], training=False)))[0])

    for distance in (0, 5):
        slopes = []
        for axis in range(vectors.shape[-1]):
            step = np.zeros_like(vectors)
            step[0, 11 - distance, axis] = 0.05
            slopes.append((loss(vectors + step) - loss(vectors - step)) / 0.1)
        assert found.norms[0, distance] == pytest.approx(np.linalg.norm(slopes), rel=0.05)


def test_only_texts_that_are_long_enough_are_read_and_only_their_ends(examples):
    model, rows = recurrent("lstm"), examples.inputs["word_ids"]
    assert isinstance(rows, Ragged)
    assert len(measured(model, examples, steps=STEPS).norms) == int((np.diff(rows.offsets) >= STEPS).sum())
    lengths = np.sort(np.diff(rows.offsets))
    assert measured(model, examples, texts=5).norms.shape[1] == lengths[-5]
    beginnings = rows.values.copy()
    for start, stop in zip(rows.offsets[:-1], rows.offsets[1:], strict=True):
        beginnings[start : max(start, stop - 20)] = 1
    changed = Examples({"word_ids": Ragged(beginnings, rows.offsets)}, examples.targets)
    ours, theirs = (measured(model, one, texts=9, steps=20).norms for one in (examples, changed))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["simple_rnn", "lstm", "gru", "bilstm", "bilstm_attention"])
def test_every_recurrent_network_has_a_drawing(kind, examples, tmp_path):
    (made,) = plot([partial(gradient_by_step, recurrent(kind), examples, LOSS)], tmp_path)
    assert made.name == "gradient_by_step"
    assert made.alt.endswith(".")
    page = made.path.read_text(encoding="utf-8")
    assert ET.fromstring(page).tag.endswith("svg")  # noqa: S314 (our own file)
    for words in ("before training", "after training", "steps before the last word"):
        assert words in page


def test_the_same_network_gives_the_same_picture(examples, tmp_path):
    draw = partial(gradient_by_step, recurrent("lstm"), examples, LOSS)
    first, again = (plot([draw], tmp_path / name)[0].path.read_bytes() for name in "ab")
    assert first == again


def test_several_classes_have_a_reach_too(examples):
    model = text.gru(spec(Head(3, "softmax")), dimension=4, units=4)
    classes = Examples(examples.inputs, np.arange(30, dtype=np.int32) % 3)
    one_hot = Examples(examples.inputs, np.eye(3, dtype=np.float32)[np.arange(30) % 3])
    sparse = reach(model, classes, "sparse_categorical_crossentropy", steps=20)
    dense_targets = reach(model, one_hot, "categorical_crossentropy", steps=20)
    assert sparse is not None
    assert dense_targets is not None
    np.testing.assert_allclose(sparse.norms, dense_targets.norms, rtol=1e-4)


def test_networks_and_rows_without_steps_have_no_drawing(examples):
    assert gradient_by_step(text.cnn(spec(), dimension=4, filters=2), examples, LOSS) is None
    table = Examples({"features": np.zeros((5, 3), np.float32)}, np.zeros((5, 1), np.float32))
    network = dense.mlp(Spec({"features": Tensor((3,))}, {"answer": Head(1, "sigmoid")}), units=(2,))
    assert gradient_by_step(network, table, LOSS) is None
    single = Examples({"word_ids": Ragged.from_lists([np.ones(1, np.int32)] * 4)}, np.zeros((4, 1), np.float32))
    assert gradient_by_step(recurrent("lstm"), single, LOSS) is None
    assert gradient_by_step(recurrent("lstm"), Examples(examples.inputs), LOSS) is None
    assert gradient_by_step(recurrent("lstm"), examples, None) is None
    inputs = keras.Input((None,), dtype="int32")
    unnamed = keras.layers.LSTM(2)(keras.layers.Embedding(31, 4)(inputs))
    assert gradient_by_step(keras.Model(inputs, keras.layers.Dense(1)(unnamed)), examples, LOSS) is None


def test_a_gradient_too_small_for_float32_is_said_and_not_drawn():
    shown = drawing({"one": Reach(np.array([[1.0, 1e-20, 0.0]] * 4))})
    assert "less than 1e-30" in shown.alt
    (axes,) = shown.figure.axes
    (line,) = axes.lines
    drawn = np.asarray(line.get_ydata(), float)
    assert np.isfinite(drawn).all()
    assert drawn[-1] < axes.get_ylim()[0]


def test_a_text_with_an_exploding_gradient_is_not_all_that_is_seen():
    norms = np.tile(0.9 ** np.arange(30), (9, 1))
    norms[4] = 1e6
    found = Reach(norms)
    assert found.factor == pytest.approx(0.9)
    assert found.kept == pytest.approx(0.9**29)
    assert found.mean.min() > 1e5


def test_the_axis_has_numbers_and_no_formulas(tmp_path):
    (made,) = plot([partial(drawing, {"one": Reach(np.array([[1.0, 1e-3, 1e-6]]))})], tmp_path)
    page = made.path.read_text(encoding="utf-8")
    assert "mathdefault" not in page
    assert "1e-04" in page
