"""Do the galleries show the pictures that they say, in their order, and nothing where there are no pictures?"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from dlkit.contracts import Examples, Spec, Split, Splits
from dlkit.data.image_samples import shapes
from dlkit.evaluation.card import write_card
from dlkit.evaluation.drawings import Drawing
from dlkit.evaluation.gallery import MOST, changed, furthest_off, least_certain, misclassified, of_pictures
from dlkit.evaluation.highlights import Decisions, decisions
from dlkit.evaluation.mistakes import worst_mistakes
from dlkit.evaluation.plots import plot, plot_all
from dlkit.evaluation.report import write_report
from dlkit.evaluation.scores import per_class, score
from dlkit.evaluation.seen import seen
from dlkit.inference.answers import ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.images import ImagePixels
from dlkit.inference.text import MultiHotText
from dlkit.preprocessing.images import Images
from dlkit.tasks import Classification
from dlkit.training.fit import Objective, fit, outputs
from dlkit.training.settings import Training

ANSWER = ClassAnswer(("cat", "dog", "owl"))


@dataclass(frozen=True)
class OnDemand:
    """`Rows` as they come from files."""

    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: np.ndarray) -> np.ndarray:
        return self.pixels[indices]


def numbered(rows: int) -> np.ndarray:
    """Pictures of 8 x 8 in one grey each, the number of their row."""
    return np.repeat(np.arange(rows, dtype=np.uint8), 64).reshape(rows, 8, 8, 1)


def examples(truths: list[str]) -> Examples:
    return Examples({"pixels": OnDemand(numbered(len(truths)))}, np.array(truths, object))


def shown(drawing: Drawing | None) -> list[int]:
    """Which numbered pictures stand in a drawing."""
    assert drawing is not None
    return [int(np.asarray(image.get_array())[0, 0]) for image in drawing.figure.axes[0].images]


def words(drawing: Drawing | None) -> list[str]:
    assert drawing is not None
    return [text.get_text() for text in drawing.figure.axes[0].texts]


def test_mistakes_stand_with_truth_answer_and_probability_the_surest_first():
    probabilities = np.array([[0.6, 0.3, 0.1], [0.05, 0.9, 0.05], [0.2, 0.7, 0.1], [0.02, 0.03, 0.95]])
    drawing = misclassified(ANSWER, examples(["cat", "cat", "cat", "dog"]), probabilities)
    assert shown(drawing) == [3, 1, 2]
    assert words(drawing) == [
        "truth: dog", "answer: owl", "95.0% sure", "truth: cat", "answer: dog", "90.0% sure", "truth: cat",
        "answer: dog", "70.0% sure",
    ]  # fmt: skip
    assert drawing is not None
    assert drawing.alt == (
        "All 3 mistakes on test rows, the surest first. The first is dog, answered as owl, 95.0% sure."
    )


def test_of_many_mistakes_the_surest_are_shown_and_of_none_nothing():
    sure = np.linspace(0.6, 0.99, 40)
    drawing = misclassified(ClassAnswer(("cat", "dog")), examples(["cat"] * 40), sure[:, None])
    assert shown(drawing) == list(range(39, 39 - MOST, -1))
    assert drawing is not None
    assert f"{MOST} of 40 mistakes" in drawing.alt
    assert misclassified(ClassAnswer(("cat", "dog")), examples(["dog"] * 40), sure[:, None]) is None


def test_the_least_certain_have_the_smallest_margin_between_the_two_likeliest():
    probabilities = np.array([[0.34, 0.33, 0.33], [0.5, 0.5, 0.0], [0.4, 0.2, 0.4], [0.41, 0.3, 0.29], [1, 0, 0]])
    drawing = least_certain(ANSWER, examples(["cat", "dog", "owl", "owl", "cat"]), probabilities)
    assert shown(drawing) == [1, 2, 0, 3, 4]
    assert words(drawing)[3:6] == ["truth: owl", "cat 40.0%", "owl 40.0%"]
    assert drawing is not None
    assert "All 5 test rows" in drawing.alt
    assert "from 0.0% to 100.0%; 2 of them are answered rightly" in drawing.alt
    two = least_certain(ClassAnswer(("cat", "dog")), examples(["cat"] * 3), np.array([[0.9], [0.45], [0.2]]))
    assert shown(two) == [1, 2, 0]
    assert words(two)[:3] == ["truth: cat", "cat 55.0%", "dog 45.0%"]


def test_training_pictures_stand_above_what_training_sees_of_them_the_same_every_time():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
    train = Examples({"pixels": OnDemand(pixels)}, np.zeros(50, object))
    drawing = changed(train, ("flip", "shift"))
    assert words(drawing) == ["original", "seen, 1", "seen, 2", "seen, 3", "seen, 4"]
    assert drawing is not None
    images = np.stack([np.asarray(image.get_array()) for image in drawing.figure.axes[0].images])
    assert images.shape == (40, 8, 8, 3)
    np.testing.assert_array_equal(images[:8], pixels[np.linspace(0, 49, 8).astype(int)])
    assert all((images[8 * time : 8 * time + 8] != images[:8]).any() for time in range(1, 5))
    again = changed(train, ("flip", "shift"))
    assert again is not None
    np.testing.assert_array_equal(images, [np.asarray(image.get_array()) for image in again.figure.axes[0].images])
    assert "flip, shift" in drawing.alt
    assert changed(train, ()) is None


def test_words_stay_under_their_own_picture(tmp_path):
    long = ClassAnswer(("a class with a very long name indeed", "W" * 40, "猫"))
    truths = [long.labels[row % 3] for row in range(12)]
    answers = np.eye(3)[(np.arange(12) + 1) % 3]
    drawing = misclassified(long, examples(truths), answers)
    (made,) = plot([lambda: drawing], tmp_path)
    assert drawing is not None
    axes = drawing.figure.axes[0]
    lefts = sorted({image.get_extent()[0] for image in axes.images})
    for text in axes.texts:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            box = text.get_tightbbox().transformed(axes.transData.inverted())
        left = text.get_position()[0]
        following = [other for other in lefts if other > left]
        assert box.x1 <= (following[0] if following else axes.get_xlim()[1] + 0.2)
    assert made.path.suffix == ".png"
    with Image.open(made.path) as image:
        assert image.width > 1_000


def test_the_largest_errors_of_a_number_stand_with_truth_and_answer_the_largest_first():
    rows = Examples({"pixels": OnDemand(numbered(3))}, np.array([30.0, 50.0, 70.0]))
    drawing = furthest_off(ValueAnswer("age", "years"), rows, np.array([[31.0], [20.0], [80.0]]))
    assert shown(drawing) == [1, 2, 0]
    assert words(drawing)[:2] == ["truth: 50.00 years", "answer: 20.00 years"]
    assert drawing is not None
    assert drawing.alt == "All 3 test rows, those with the largest errors, from 30.00 years to 1.000 years."


def test_other_raw_input_has_no_pictures_and_another_task_those_that_it_can_have():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    rows = examples(["cat"] * 3)
    pixels, text = ImagePixels("image", 8, 1), MultiHotText(("a",), "text")
    options = {"outputs": np.full((3, 1), 0.7), "augment": ("flip",)}
    assert of_pictures(model, text, ClassAnswer(("cat", "dog")), rows, rows, **options) == []
    assert len(of_pictures(model, pixels, ValueAnswer("age"), rows, rows, **options)) == 3
    assert len(of_pictures(model, pixels, ClassAnswer(("cat", "dog")), rows, rows, **options)) == 5


JOINT = JointAnswer({"age": ValueAnswer("age", "years"), "gender": ClassAnswer(("female", "male"))})


def with_two_heads() -> keras.Model:
    inputs = keras.Input((8, 8, 1), dtype="uint8", name="pixels")
    maps = keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    features = keras.layers.GlobalAveragePooling2D()(maps)
    heads = {"age": None, "gender": "sigmoid"}
    return keras.Model(inputs, {name: keras.layers.Dense(1, kind, name=name)(features) for name, kind in heads.items()})


def test_of_several_answers_each_has_its_own_pictures_and_the_report_shows_them(tmp_path):
    raw = {"age": np.array([30.0, 50.0, 70.0]), "gender": np.array(["male", "female", "male"], object)}
    pixels = numbered(3)
    rows = Examples({"pixels": OnDemand(pixels)}, raw)
    outputs = np.array([[31.0, 0.9], [20.0, 0.6], [80.0, 0.2]])
    more = of_pictures(
        with_two_heads(), ImagePixels("image", 8, 1), JOINT, rows, rows, outputs=outputs, augment=("flip",)
    )
    plots = plot(more, tmp_path / "plots")
    assert [one.name for one in plots] == [
        "age_largest_errors", "gender_misclassified", "gender_least_certain", "gender_grad_cam", "filters", "augmented",
    ]  # fmt: skip
    mistakes = worst_mistakes("joint", JOINT, {"image": pixels[..., 0]}, raw, outputs)
    assert [(one["target"], one["row"], one["truth"], one["answer"]) for one in mistakes] == [
        ("age", 1, "50.00", "20.00"), ("age", 2, "70.00", "80.00"), ("age", 0, "30.00", "31.00"),
        ("gender", 2, "male", "female"), ("gender", 1, "female", "male"),
    ]  # fmt: skip
    metrics = {
        "recipe": "faces", "model": "small", "task": "joint", "seed": 0, "test": score("joint", JOINT, raw, outputs),
        "data": {"name": "faces", "source": "x.csv", "sample": False, "train_rows": 3, "test_rows": 3},
        "per_class": per_class(JOINT, raw, outputs),
    }  # fmt: skip
    assert [(one["target"], one["label"]) for one in metrics["per_class"]] == [("gender", "female"), ("gender", "male")]
    write_report(metrics, question="Who?", settings={}, history=[], plots=plots, mistakes=mistakes, folder=tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    places = [page.index(piece) for piece in (
        'id="training"', "<b>What training sees of its pictures.", ">gender: female</th>", 'id="mistakes"',
        "<b>age: Largest errors.", "<b>gender: Mistakes it is surest of.", "<b>gender: Pictures it is least sure of.",
        "<td>gender</td><td>male</td><td>female</td>", 'id="looks"', "<b>gender: Where it looks.",
        "<b>Filters of the first convolution.",
    )]  # fmt: skip
    assert places == sorted(places)


def small_convnet(spec: Spec) -> keras.Model:
    ((name, tensor),) = spec.inputs.items()
    inputs = keras.Input(tensor.shape, dtype=tensor.dtype, name=name)
    features = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    pooled = keras.layers.GlobalMaxPooling2D()(features)
    return keras.Model(inputs, keras.layers.Dense(spec.head.units, activation=spec.head.activation)(pooled))


@pytest.fixture(scope="module", params=["array", "files"])
def run(request, tmp_path_factory) -> tuple[Path, dict[str, object]]:
    """The report, card and plots of a classifier of 60 pictures after one epoch, and its figures."""
    folder = tmp_path_factory.mktemp(request.param)
    sample = shapes(60).rows
    images = sample.inputs["image"]
    if request.param == "files":
        column = np.empty(60, object)
        for row, pixels in enumerate(images):
            column[row] = folder / "raw" / f"{row}.png"
            column[row].parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).resize((40, 30)).save(column[row])
        images = column
    rows = Split({"image": images}, sample.targets)
    train, validation, test = (rows.take(np.arange(start, stop)) for start, stop in ((0, 30), (30, 40), (40, 60)))
    splits = Splits(train, validation, test, {"image": "image"}, "shapes", "sample", "sha256:0", sample=True)
    preprocessing, task, settings = Images(16), Classification(), Training(epochs=1, augment=("flip", "rotate"))
    transform, answer = preprocessing.fit(train, splits.kinds), task.fit(train, "shape")
    spec = Spec(transform.tensors, task.heads(answer), transform.sizes, transform.tables)
    raw = [preprocessing.examples(transform, split) for split in (train, validation, test)]
    encoded = [Examples(one.inputs, task.encode(answer, one.targets)) for one in raw]

    trained = fit(
        lambda: small_convnet(spec), *encoded[:2], objective=Objective(task.loss(answer), task.metrics(answer)),
        settings=settings, seed=0, say=lambda _: None,
    )  # fmt: skip
    answers, targets = outputs(trained.model, raw[2]), np.asarray(test.targets)
    plots = plot_all(
        "classification", answer, history=trained.history, targets=targets, outputs=answers, folder=folder / "plots",
        more=of_pictures(
            trained.model, transform, answer, raw[0], raw[2], outputs=answers, augment=settings.augment
        ),
    )  # fmt: skip
    mistakes = worst_mistakes("classification", answer, test.inputs, targets, answers)
    explained = decisions(trained.model, transform, answer, test, outputs=answers, mistakes=mistakes)
    assert explained == Decisions()
    metrics: dict[str, object] = {
        "format": 1, "recipe": "shapes", "model": "small_convnet", "task": "classification", "seed": 0,
        "run": "saved_models/shapes/1", "inputs": dict(splits.kinds), "preprocessing": dict(transform.sizes),
        "data": {"name": "shapes", "source": "sample", "sample": True, "train_rows": 30, "validation_rows": 10,
                 "test_rows": 20, "fingerprint": "sha256:0"},
        "test": score("classification", answer, targets, answers), "best_epoch": 1,
        "per_class": per_class(answer, targets, answers),
        "artefacts": {"saved_model": {"path": "."}, "tflite": {"path": "model.tflite"}},
    }  # fmt: skip
    write_report(
        metrics, question="Which shape?", settings={"training": {"epochs": 1}}, history=trained.history, plots=plots,
        mistakes=mistakes, folder=folder, decisions=explained,
    )  # fmt: skip
    write_card(metrics, question="Which shape?", settings={}, command="dlkit run shapes", folder=folder)
    return folder, {"plots": [one.name for one in plots], "mistakes": mistakes, "metrics": metrics}


def test_a_run_of_pictures_has_every_plot_once_as_png(run):
    folder, found = run
    assert found["plots"] == [
        "learning_curves", "confusion", "misclassified", "least_certain", "grad_cam", "filters", "augmented",
    ]  # fmt: skip
    for name in found["plots"][2:]:
        with Image.open(folder / "plots" / f"{name}.png") as image:
            assert image.width > 300, name


def test_the_report_of_a_run_of_pictures_shows_them_where_they_belong(run):
    page = (run[0] / "report.html").read_text(encoding="utf-8")
    places = [page.index(piece) for piece in (
        'id="training"', "<b>Learning curves.", "<b>What training sees of its pictures.", 'id="answers"',
        "<b>Confusion matrix.", 'id="mistakes"', "<b>Mistakes it is surest of.", "<b>Pictures it is least sure of.",
        'class="thumbnail"', 'id="looks"', "<b>Where it looks.", "<b>Filters of the first convolution.", 'id="use"',
    )]  # fmt: skip
    assert places == sorted(places)
    assert page.count('<img class="thumbnail"') == 10
    assert "of a text" not in page
    assert "image of" not in page
    assert "dlkit predict saved_models/shapes/1 photo.jpg folder/" in page
    assert seen(run[1]["metrics"]) == []
    assert len(page) < 3_000_000


def test_the_mistakes_of_a_run_of_pictures_are_json_and_name_their_files(run):
    folder, found = run
    mistakes = json.loads(json.dumps(found["mistakes"]))
    assert len(mistakes) == 10
    for mistake in mistakes:
        row = mistake["row"] + 40
        of_file = (folder / "raw").exists()
        assert mistake["input"] == (f"raw/{row}.png, 40 × 30 pixels" if of_file else "32 × 32 pixels")
        assert mistake["picture"]["source"].startswith("data:image/png;base64,")
        assert (mistake["picture"]["width"], mistake["picture"]["height"]) == ((80, 60) if of_file else (64, 64))
