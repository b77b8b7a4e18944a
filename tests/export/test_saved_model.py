"""Does a SavedModel take raw input, without Python of ours, and give the answer that we would give?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit.contracts import Examples, Head, Spec, Split, Transform
from dlkit.data.samples import sample
from dlkit.export.saved_model import SavedModel, write_saved_model
from dlkit.inference.answers import ClassAnswer, ValueAnswer
from dlkit.models import dense
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
