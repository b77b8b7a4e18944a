"""Do plain Python and TensorFlow make the same pixels in [0, 1] and rows, and does a saved transform come back?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import ColumnKind, Split, raw_targets, take
from dlkit.data.binarised import Binarised
from dlkit.errors import DataError, InputError, SettingsError
from dlkit.inference.latents import LatentInputs
from dlkit.inference.predictor import _transform_in
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.latents import LatentRows

PICTURES: Mapping[str, ColumnKind] = {"image": "image"}
TABLE: Mapping[str, ColumnKind] = {"size": "number", "kind": "category"}
EVERY = np.arange(40)


def pictures(size: int = 9, channels: int = 1) -> Split:
    random = np.random.default_rng(0)
    labels = np.array(["ab"[row % 2] for row in range(40)], object)
    return Split({"image": random.integers(0, 256, (40, size, size, channels), np.uint8)}, labels)


def rows() -> Split:
    kinds = np.array(["x", None, "y", "x"] * 10, object)
    return Split({"size": np.linspace(5, 9, 40), "kind": kinds})


def conditional() -> tuple[Split, dict[str, ColumnKind]]:
    split = pictures()
    labels = np.asarray(split.targets)
    return Split({**split.inputs, "label": labels}, labels), {"image": "image", "label": "category"}


@pytest.mark.parametrize("binarise", ["none", "static", "threshold"])
def test_pictures_are_the_same_in_both_forms(binarise: str) -> None:
    split = pictures()
    transform = LatentRows(binarise=binarise).fit(split, PICTURES)  # type: ignore[arg-type]
    plain = take(transform.encode(split.inputs)["image"], EVERY)
    graph = graph_of(transform).encode(raw_tensors(split.inputs, PICTURES))["image"].numpy()
    assert plain.dtype == graph.dtype == np.float32 and (plain == graph).all()
    if binarise == "threshold":
        assert (plain == (split.inputs["image"] >= 128)).all()
    else:  # an artefact draws nothing
        assert plain == pytest.approx(split.inputs["image"] / 255)


def test_rows_are_the_same_in_both_forms() -> None:
    split = rows()
    transform = LatentRows().fit(split, TABLE)
    plain = np.asarray(transform.encode(split.inputs)["row"])
    graph = graph_of(transform).encode(raw_tensors(split.inputs, TABLE))["row"].numpy()
    assert transform.tensors["row"].shape == (3,) and plain == pytest.approx(graph, abs=1e-6)
    assert plain[:, 0].mean() == pytest.approx(0, abs=1e-6) and plain[:, 0].std() == pytest.approx(1, abs=1e-6)


def test_a_label_that_goes_in_is_a_number_in_both_forms() -> None:
    split, kinds = conditional()
    transform = LatentRows().fit(split, kinds)
    assert transform.kinds == kinds and transform.choices == {"label": ("a", "b")}
    plain = np.asarray(transform.encode(split.inputs)["label"])
    graph = graph_of(transform).encode(raw_tensors(split.inputs, kinds))["label"].numpy()
    assert plain.dtype == graph.dtype == np.int32 and (plain == graph).all() and (plain == EVERY % 2).all()
    with pytest.raises(InputError, match="Item 2, column 'label': expected a label seen in training, got no label"):
        transform.numbers(np.array(["a", None], object))


def test_labels_of_other_models_stay_outside() -> None:
    transform = LatentRows().fit(pictures(), PICTURES)
    assert set(transform.tensors) == {"image"} and transform.label == ""


@pytest.mark.parametrize("make", [lambda: (pictures(), PICTURES), lambda: (rows(), TABLE), conditional])
def test_a_saved_transform_comes_back(make, tmp_path: Path) -> None:
    split, kinds = make()
    transform = LatentRows(binarise="threshold" if "image" in kinds else "none").fit(split, kinds)
    transform.save(tmp_path)
    again = _transform_in(tmp_path)
    assert isinstance(again, LatentInputs) and again == transform


@pytest.mark.parametrize(("binarise", "anew"), [("static", False), ("dynamic", True)])
def test_training_rows_are_drawn_and_what_is_wanted_is_not(binarise: str, anew: bool) -> None:
    split, settings = pictures(), LatentRows(binarise=binarise)  # type: ignore[arg-type]
    transform = settings.fit(split, PICTURES)
    examples = settings.examples(transform, split)
    drawn, wanted = examples.inputs["image"], raw_targets(examples)
    assert isinstance(drawn, Binarised) and drawn.anew == anew and set(np.unique(drawn.take(EVERY))) == {0, 1}
    assert isinstance(wanted, dict) and wanted["reconstruction"] == pytest.approx(split.inputs["image"] / 255)
    assert (wanted["label"] == split.targets).all()
    again = settings.examples(transform, split).inputs["image"]
    assert (take(again, EVERY) == drawn.take(EVERY)).all()


def test_size_and_colours_are_those_of_the_training_pictures() -> None:
    assert LatentRows().fit(pictures(20), PICTURES).shape == (20, 20, 1)
    assert LatentRows().fit(pictures(20, channels=3), PICTURES).shape == (20, 20, 3)
    assert LatentRows(size=16, color="grey").fit(pictures(20, channels=3), PICTURES).shape == (16, 16, 1)
    assert LatentRows().fit(pictures(100), PICTURES).shape == (64, 64, 1)


def test_pictures_of_another_size_are_counted_and_said() -> None:
    transform = LatentRows(size=8).fit(pictures(9), PICTURES)
    mixed = np.empty(4, object)
    mixed[:] = [np.zeros((side, 8), np.uint8) for side in (8, 8, 8, 12)]
    assert transform.figures({"image": mixed}) == {"resized": 0.25}
    assert transform.remarks({"image": mixed}) == [
        *[None] * 3,
        "the picture has 8 x 12 pixels; it was made 8 x 8, as the model takes it",
    ]
    assert transform.figures({"image": mixed[:3]}) == {}


def test_the_mean_is_that_of_the_training_rows() -> None:
    split = pictures()
    mean = LatentRows().fit(split, PICTURES).tables["mean"]
    assert mean == pytest.approx(split.inputs["image"].mean(axis=0) / 255, abs=1e-6)


def test_pictures_that_are_all_the_same_are_refused() -> None:
    same = Split({"image": np.full((40, 8, 8, 1), 7, np.uint8)})
    with pytest.raises(DataError, match="All 40 training pictures are the same in every pixel"):
        LatentRows().fit(same, PICTURES)
    with pytest.raises(DataError, match="All 40 training rows are the same in every column"):
        LatentRows().fit(Split({"size": np.ones(40)}), {"size": "number"})


@pytest.mark.parametrize("binarise", ["static", "dynamic", "threshold"])
def test_rows_of_a_table_have_no_pixels_to_draw(binarise: str) -> None:
    with pytest.raises(SettingsError, match=rf"preprocessing\.binarise={binarise} draws pixels.*--model table, or"):
        LatentRows(binarise=binarise).fit(rows(), TABLE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"size": 4}, {"color": "blue"}, {"binarise": "often"}, {"draw_seed": -1}, {"shape": "round"}]
)
def test_settings_that_do_not_exist_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=f"preprocessing.{next(iter(settings))}"):
        LatentRows(**settings)  # type: ignore[arg-type]
