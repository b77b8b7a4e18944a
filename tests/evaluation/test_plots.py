"""Are the plots drawn without global state, the same every time, and readable for any class name?"""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest

from dlkit.errors import RunError, SettingsError
from dlkit.evaluation.drawings import confusion_matrix, fold_curve, learning_curves
from dlkit.evaluation.histories import by_member
from dlkit.evaluation.plots import plot_all
from dlkit.inference.answers import ClassAnswer, ValueAnswer


def draw(task, judged, history, folder, **options):
    answer, targets, outputs = judged
    return plot_all(task, answer, history=history, targets=targets, outputs=outputs, folder=folder, **options)


def test_a_classification_has_curves_confusion_and_roc(classes, history, tmp_path):
    plots = draw("classification", classes, history, tmp_path)
    assert [plot.name for plot in plots] == ["learning_curves", "confusion", "roc"]
    for plot in plots:
        assert ET.fromstring(plot.path.read_text(encoding="utf-8")).tag.endswith("svg")  # noqa: S314 (our own file)
        assert plot.title
        assert plot.alt.endswith(".")


def test_a_regression_has_curves_folds_scatter_and_residuals(values, history, tmp_path):
    folds = [[{"epoch": e, "val_mae": 5 / e + fold / 10} for e in range(1, 30)] for fold in range(4)]
    plots = draw("regression", values, history, tmp_path, fold_histories=folds)
    assert [plot.name for plot in plots] == ["learning_curves", "folds", "predicted_against_true", "residuals"]
    assert "medv (k$)" in (tmp_path / "residuals.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_the_same_figures_give_the_same_bytes(classes, history, tmp_path, file_format):
    first = draw("classification", classes, history, tmp_path / "a", file_format=file_format)
    again = draw("classification", classes, history, tmp_path / "b", file_format=file_format)
    assert [plot.path.read_bytes() for plot in first] == [plot.path.read_bytes() for plot in again]


def test_the_users_matplotlib_stays_as_it_is_and_does_not_change_the_plots(classes, history, tmp_path):
    plain = draw("classification", classes, history, tmp_path / "a")[0].path.read_bytes()
    with mpl.rc_context({"font.size": 30, "text.parse_math": True}):
        before = dict(mpl.rcParams)
        assert draw("classification", classes, history, tmp_path / "b")[0].path.read_bytes() == plain
        assert dict(mpl.rcParams) == before


def test_pyplot_is_not_imported():
    code = "import sys, dlkit.evaluation.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("label", ["$5 and $6 <b>", "猫", "🐈", "", "x" * 500, "tab\tbell\x07", "\ud800"])
def test_any_class_name_gives_a_valid_picture_without_a_warning(label, tmp_path):
    answer = ClassAnswer((label, "other"))
    targets = np.array([label, "other", label], object)
    plots = draw("classification", (answer, targets, np.array([[0.1], [0.7], [0.8]])), [], tmp_path)
    for plot in plots:
        ET.parse(plot.path)  # noqa: S314 (our own file)


def test_two_hundred_classes_show_the_fifty_largest():
    labels = tuple(f"class {number:03d}" for number in range(200))
    truth = np.repeat(np.arange(200), np.arange(200) + 1)
    drawing = confusion_matrix(ClassAnswer(labels), np.array(labels, object)[truth], np.eye(200)[truth])
    axes = drawing.figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(labels[150:])
    assert "50 largest of 200" in drawing.title


def test_46_classes_show_every_name_and_every_count_but_0():
    labels = tuple(f"topic {number:02}" for number in range(46))
    truth = np.repeat(np.arange(46), 3)
    outputs = np.eye(46)[np.where(np.arange(len(truth)) == 0, 5, truth)]
    drawing = confusion_matrix(ClassAnswer(labels), np.array(labels, object)[truth], outputs)
    axes = drawing.figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(labels)
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts == {(5, 0): "1", (0, 0): "2", **{(number, number): "3" for number in range(1, 46)}}


def test_the_confusion_matrix_tells_its_worst_mistake():
    answer = ClassAnswer(("cat", "dog"))
    drawing = confusion_matrix(answer, np.array(["cat", "cat", "dog"], object), np.array([[0.9], [0.8], [0.9]]))
    assert "1 of 3 rows" in drawing.alt
    assert "cat answered as dog, 2 x" in drawing.alt


def test_curves_mark_the_epoch_of_the_lowest_validation_loss(history):
    drawing = learning_curves(history)
    assert "lowest at epoch 3" in drawing.alt
    assert [axes.get_title() for axes in drawing.figure.axes] == ["accuracy", "loss"]


def test_curves_without_validation_or_with_one_epoch_or_nan_are_drawn(tmp_path, values):
    one = [{"epoch": 1, "loss": float("nan"), "val_loss": float("nan"), "seconds": 1.0}]
    assert learning_curves([{"epoch": 1, "loss": 0.5}]) is not None
    assert len(draw("regression", values, one, tmp_path)) == 3
    assert learning_curves([]) is None


def test_each_member_of_an_ensemble_has_its_own_line_of_panels_as_long_as_it_was_trained(members_history):
    drawing = learning_curves(members_history)
    titles = [axes.get_title() for axes in drawing.figure.axes]
    assert titles == ["ngrams: accuracy", "ngrams: loss", "cnn_wide: accuracy", "cnn_wide: loss"]
    epochs = [axes.lines[0].get_xdata().tolist() for axes in drawing.figure.axes]
    assert epochs == [[1, 2], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4]]
    assert all(np.isfinite(line.get_ydata()).all() for axes in drawing.figure.axes for line in axes.lines)
    marks = [axes.lines[-1].get_label() for axes in drawing.figure.axes]
    assert marks == ["best epoch (1)"] * 2 + ["best epoch (4)"] * 2
    assert "ngrams, over 2 epochs" in drawing.alt
    assert "cnn_wide, over 4 epochs" in drawing.alt
    assert "nan" not in drawing.alt


def test_a_member_whose_name_begins_with_anothers_keeps_its_figures():
    row = {
        "epoch": 1,
        "seconds": 1.0,
        "cnn_loss": 1.0,
        "val_cnn_loss": 2.0,
        "cnn_wide_loss": 3.0,
        "val_cnn_wide_loss": 4,
    }
    assert by_member([row]) == {
        "cnn": [{"epoch": 1, "loss": 1, "val_loss": 2}],
        "cnn_wide": [{"epoch": 1, "loss": 3, "val_loss": 4}],
    }


def test_a_single_networks_history_is_its_own(history):
    assert by_member(history) == {"": history}
    assert by_member([]) == {"": []}


def test_first_epochs_off_the_scale_are_left_out_of_the_fold_curve():
    folds = [[{"val_mae": value} for value in (90.0, 40.0, *([2.5] * 20))] for _ in range(3)]
    axes = fold_curve(folds).figure.axes[0]
    assert axes.lines[0].get_xdata()[0] == 3
    assert "first 2 left out" in axes.get_xlabel()


def test_many_points_become_pixels_so_that_the_file_stays_small(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(25_000)
    plots = draw(
        "regression", (ValueAnswer("x"), truth, truth[:, None] + 0.1 * rng.standard_normal((25_000, 1))), [], tmp_path
    )
    assert max(plot.path.stat().st_size for plot in plots) < 400_000


@pytest.mark.parametrize("error", [0.0, 0.1, 1e-16])
@pytest.mark.parametrize("value", [0.0, 1.0, 1e12])
def test_values_that_are_all_equal_are_drawn(tmp_path, value, error):
    truth = np.full(3, value)
    assert len(draw("regression", (ValueAnswer("x"), truth, truth[:, None] + error), [], tmp_path)) == 2


def test_a_folder_that_cannot_be_written_is_our_error(classes, tmp_path):
    (tmp_path / "plots").write_text("a file stands here")
    with pytest.raises(RunError, match="cannot be written"):
        draw("classification", classes, [], tmp_path / "plots")


def test_an_unknown_task_names_the_known_ones(classes, tmp_path):
    known = "anomaly, classification, forecasting, generation, reconstruction, regression, translation"
    with pytest.raises(SettingsError, match=f"Known: {known}"):
        draw("origami", classes, [], tmp_path)
