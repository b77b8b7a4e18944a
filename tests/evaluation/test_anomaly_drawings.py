"""Do the pictures of a search for anomalies show what they say, with axes that can be read?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlkit.evaluation.anomaly_drawings import course, rankings, score_histogram
from dlkit.evaluation.drawings import Drawing
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.windows import ANOMALY

DICE = np.random.default_rng(0)
RESIDUALS = DICE.normal(size=(400, 6, 2))
RESIDUALS[300:340] *= 4
TARGETS = np.array(["normal"] * 300 + [ANOMALY] * 40 + ["normal"] * 60, object)


@pytest.fixture(scope="module")
def answer() -> AnomalyAnswer:
    return AnomalyAnswer(("flow", "heat"), window=6).calibrated(RESIDUALS[:300], rate=0.01)


def labels(drawing: Drawing | None) -> list[str]:
    assert drawing is not None
    drawing.figure.canvas.draw()
    (axes, *_) = drawing.figure.axes
    return [text.get_text() for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels(which="both")]


def test_axes_have_numbers_and_no_formulas(answer: AnomalyAnswer) -> None:
    stream = replace(answer, rows_a_week=168.0)
    for drawing in (score_histogram(answer, TARGETS, RESIDUALS), course(stream, TARGETS, RESIDUALS)):
        shown = labels(drawing)
        assert not any("$" in text for text in shown)
        assert {"1", "2", "5", "10"} & set(shown)


def test_the_histogram_says_how_many_of_each_kind_are_above_the_threshold(answer: AnomalyAnswer) -> None:
    above = answer.scores(RESIDUALS) > answer.threshold
    normal = TARGETS != ANOMALY
    said = score_histogram(answer, TARGETS, RESIDUALS).alt
    assert f"{above[normal].mean():.1%} of normal rows, {above[~normal].mean():.1%} of anomalous rows" in said


def test_what_nobody_knows_is_not_said_to_be_normal(answer: AnomalyAnswer) -> None:
    above, some = answer.scores(RESIDUALS) > answer.threshold, TARGETS.copy()
    some[320:360] = None
    said = score_histogram(answer, some, RESIDUALS).alt
    shares = [above[some == kind].mean() for kind in ("normal", ANOMALY)]
    assert f"{shares[0]:.1%} of normal rows, {shares[1]:.1%} of anomalous rows" in said
    nobody = score_histogram(answer, np.full(len(some), None, object), RESIDUALS).alt
    assert f"{above.mean():.1%} of all rows" in nobody


def test_an_anomaly_of_a_single_row_is_shaded(answer: AnomalyAnswer) -> None:
    targets = np.array(["normal"] * 400, object)
    targets[[50, 200, 201]] = ANOMALY
    drawing = course(replace(answer, rows_a_week=168.0), targets, RESIDUALS)
    assert drawing is not None
    (axes,) = drawing.figure.axes
    spans = sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches)  # type: ignore[attr-defined]  # rectangles
    np.testing.assert_allclose(np.array(spans) * 24, [(50, 51), (200, 202)], atol=1e-6)


def test_there_is_no_ranking_of_one_kind_and_no_course_without_a_clock(answer: AnomalyAnswer) -> None:
    drawn = rankings(answer, TARGETS, RESIDUALS)
    assert drawn is not None and "1.000" in drawn.alt
    assert rankings(answer, TARGETS[:300], RESIDUALS[:300]) is None
    assert course(answer, TARGETS, RESIDUALS) is None
