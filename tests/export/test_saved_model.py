"""Does a SavedModel take raw input, without Python of ours, and give the answer that we would give?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit.contracts import Examples, Head, Spec, Split, Transform, take
from dlkit.data.samples import sample
from dlkit.errors import InputError, RunError
from dlkit.export.saved_model import SavedModel, Servable, write_saved_model
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.answers import ClassAnswer, ValueAnswer
from dlkit.inference.tables import NumberColumn
from dlkit.inference.windows import ScaledWindows
from dlkit.models import autoencoders, dense, text
from dlkit.preprocessing.sequences import Sequences
from dlkit.preprocessing.tables import TableFeatures
from dlkit.preprocessing.text import MultiHot
from dlkit.training.fit import outputs, seeded

Case = tuple[Path, Split, Transform, ClassAnswer | ValueAnswer, keras.Model]

CASES: dict[str, tuple[str, ClassAnswer | ValueAnswer, Head]] = {
    "two classes of texts": ("reviews", ClassAnswer(("schlecht 👎", "größer")), Head(1, "sigmoid")),
    "46 classes of texts": ("reviews", ClassAnswer(tuple(f"topic {n}" for n in range(46))), Head(46, "softmax")),
    "values of a table": ("houses", ValueAnswer("price", "k$", 22.5, 9.1, 9.1), Head(1)),
    "logarithms of a table": ("houses", ValueAnswer("price", "k$", 3.0, 0.4, 9.1, logarithm=True), Head(1)),
    "classes of a table": ("species", ClassAnswer(("a", "b", "c")), Head(3, "softmax")),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    name, answer, head = CASES[request.param]
    made = sample(name)
    rows = made.rows.take(np.arange(150))
    settings = MultiHot(max_words=60) if name == "reviews" else TableFeatures()
    transform = settings.fit(rows, made.kinds)
    with seeded(3):
        model = dense.mlp(Spec(transform.tensors, {"answer": head}, transform.sizes), units=(8,))
    folder = tmp_path_factory.mktemp("saved")
    parts = write_saved_model(folder, transform, model, answer)
    assert {"saved_model.pb", "variables"} <= set(parts) <= {path.name for path in folder.iterdir()}
    return folder, rows, transform, answer, model


def raw(rows: Split, kinds: dict[str, str]) -> dict[str, tf.Tensor]:
    """Columns as a stranger would send them: strings ("" where nothing is known) and float64."""
    return {
        name: tf.constant(column if kinds[name] == "number" else ["" if value is None else value for value in column])
        for name, column in rows.inputs.items()
    }


def test_raw_rows_give_the_outputs_of_the_keras_model(case: Case) -> None:
    folder, rows, transform, _, model = case
    expected = outputs(model, Examples(transform.encode(rows.inputs)))
    np.testing.assert_allclose(SavedModel(folder, transform).outputs(rows.inputs, batch_size=64), expected, atol=1e-5)


def test_the_answer_is_the_one_that_the_plain_form_decodes(case: Case) -> None:
    folder, rows, transform, answer, model = case
    served = tf.saved_model.load(str(folder)).signatures["serving_default"](**raw(rows, dict(transform.kinds)))
    decoded = answer.decode(outputs(model, Examples(transform.encode(rows.inputs))))
    if isinstance(answer, ClassAnswer):
        assert [label.decode() for label in served["label"].numpy()] == [row["label"] for row in decoded]
        ours = np.array([list(row["probabilities"].values()) for row in decoded])  # type: ignore[attr-defined]
        np.testing.assert_allclose(served["probabilities"].numpy(), ours, atol=1e-5)
        assert len({row["label"] for row in decoded}) > 1, "one label for all would hide a permutation"
    else:
        values = answer.values(outputs(model, Examples(transform.encode(rows.inputs))))
        assert values.tolist() == [row["value"] for row in decoded]
        np.testing.assert_allclose(served["value"].numpy(), values, rtol=1e-5)


def test_the_signature_names_the_raw_columns(case: Case) -> None:
    folder, rows, *_ = case
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"].structured_input_signature[1]
    assert set(signature) == set(rows.inputs)
    assert {spec.dtype for spec in signature.values()} <= {tf.string, tf.float64}
    assert all(spec.shape.as_list() == [None] for spec in signature.values())


def test_the_signature_network_takes_encoded_inputs_by_name(case: Case) -> None:
    folder, rows, transform, _, model = case
    encoded = {name: take(values, np.arange(len(rows))) for name, values in transform.encode(rows.inputs).items()}
    expected = outputs(model, Examples(encoded))
    signature = tf.saved_model.load(str(folder)).signatures["network"].structured_input_signature[1]
    assert {name: (spec.shape.as_list(), spec.dtype.name) for name, spec in signature.items()} == {
        name: ([None, *tensor.shape], tensor.dtype) for name, tensor in transform.tensors.items()
    }
    served = SavedModel(folder, transform)
    np.testing.assert_allclose(served.network(encoded), expected, atol=1e-6)
    one = {name: values[7:8] for name, values in encoded.items()}
    np.testing.assert_allclose(served.network(one), expected[7:8], atol=1e-6)


def test_the_signature_network_takes_any_length(tmp_path: Path) -> None:
    made = sample("reviews")
    transform = Sequences(max_words=30).fit(made.rows, made.kinds)
    model = text.lstm(
        Spec(transform.tensors, {"answer": Head(1, "sigmoid")}, transform.sizes), dimension=4, units=4, dropout=0.0
    )
    write_saved_model(tmp_path, transform, model, ClassAnswer(("neg", "pos")))
    served = SavedModel(tmp_path, transform)
    for shape in ((1, 1), (1, 9), (3, 9), (5, 200)):
        ids = np.random.default_rng(0).integers(1, 30, shape).astype(np.int32)
        expected = model.predict_on_batch(ids)
        np.testing.assert_allclose(served.network({"word_ids": ids}), expected, atol=1e-5)


def test_a_saved_model_without_the_signature_network_still_serves_and_says_so(tmp_path: Path) -> None:
    made = sample("houses")
    transform = TableFeatures().fit(made.rows, made.kinds)
    model = dense.mlp(Spec(transform.tensors, {"answer": Head(1)}, transform.sizes), units=(4,))
    servable = Servable(transform, model, ValueAnswer("price", "k$", 22.5, 9.1, 9.1))
    tf.saved_model.save(servable, str(tmp_path), signatures={"serving_default": servable.serve})
    served = SavedModel(tmp_path, transform)
    assert not served.has_network
    assert served.outputs(made.rows.take(np.arange(3)).inputs).shape == (3, 1)
    with pytest.raises(RunError, match="export RUN --format saved_model"):
        served.network({"features": np.zeros((1, 3), np.float32)})


def test_of_windows_the_newest_steps_count_and_short_ones_are_refused(tmp_path: Path) -> None:
    transform = ScaledWindows(4, {"bar": NumberColumn(5.0, 5.0, 1.0), "flow": NumberColumn(80.0, 80.0, 10.0)})
    model = autoencoders.dense(Spec(transform.tensors, {"residual": Head(2)}), units=(4,), code=2)
    answer = AnomalyAnswer(("bar", "flow"), window=4).calibrated(np.ones((50, 4, 2)), rate=0.05)
    write_saved_model(tmp_path, transform, model, answer)
    served, dice = SavedModel(tmp_path, transform), np.random.default_rng(0)
    long = {"bar": dice.normal(5, 1, (2, 9)), "flow": dice.normal(80, 10, (2, 9))}
    newest = {name: column[:, -4:] for name, column in long.items()}
    np.testing.assert_array_equal(served.outputs(long), served.outputs(newest))
    with pytest.raises(InputError, match="Column 'bar': expected a window of 4 numbers"):
        served.outputs({name: column[:, :3] for name, column in long.items()})


def test_a_process_without_dlkit_can_serve_it(tmp_path: Path) -> None:
    made = sample("reviews")
    transform = MultiHot(max_words=30).fit(made.rows, made.kinds)
    model = dense.mlp(Spec(transform.tensors, {"answer": Head(1, "sigmoid")}, transform.sizes), units=(4,))
    write_saved_model(tmp_path, transform, model, ClassAnswer(("neg", "pos")))
    code = (
        "import sys, tensorflow as tf\n"
        "served = tf.saved_model.load(sys.argv[1]).signatures['serving_default']\n"
        "answer = served(text=tf.constant(['a great film', 'a boring film', '']))\n"
        "assert not [name for name in sys.modules if name.startswith('dlkit')]\n"
        "print(answer['outputs'].numpy().ravel().tolist())"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    texts = np.array(["a great film", "a boring film", ""], object)
    expected = outputs(model, Examples(transform.encode({"text": texts}))).ravel()
    np.testing.assert_allclose(np.fromstring(ended.stdout.strip("[]\n"), sep=","), expected, atol=1e-5)
