"""Does a SavedModel give the score, decision and contributions that production computes without TensorFlow?"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dlkit.export.saved_model import _alarm
from dlkit.inference.anomalies import AnomalyAnswer, contributions


@pytest.mark.parametrize(("window", "newest"), [(5, 0), (5, 2), (5, 5), (5, 9), (1, 0), (1, 3)])
def test_the_graph_scores_as_numpy_does(window: int, newest: int) -> None:
    shape = (40, 2) if window == 1 else (40, window, 2)
    residuals = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    answer = AnomalyAnswer(("flow", "heat"), window, newest).calibrated(residuals, rate=0.2)
    residuals[3], residuals[4] = np.nan, 1e30
    found = {name: tensor.numpy() for name, tensor in _alarm(answer, tf.constant(residuals)).items()}
    assert np.allclose(found["score"], answer.scores(residuals))
    assert found["anomaly"].tolist() == answer.decisions(answer.scores(residuals)).tolist()
    assert (found["threshold"] == answer.threshold).all()
    level = np.array(answer.level)
    assert np.allclose(found["contributions"], contributions(residuals, level, newest=newest))
