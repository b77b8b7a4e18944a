"""How does a classifier answer with the labels that it was given, whatever their type?"""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin

from dlkit.estimators.network import Network
from dlkit.estimators.targets import Labels
from dlkit.inference.answers import ClassAnswer


class Classifier(ClassifierMixin, Network):
    """`classes_`: (classes,) labels as they were given, sorted, in the order of the columns of `predict_proba`."""

    classes_: np.ndarray
    _labels: Labels

    def predict(self, X: object) -> np.ndarray:  # noqa: N803 (scikit-learn's name)
        """The most probable label of each row, (rows,), of the type of the labels given."""
        best = self._probabilities(X).argmax(axis=1)
        return self.classes_[np.argsort(self._labels.order(self._answer.labels))[best]]

    def predict_proba(self, X: object) -> np.ndarray:  # noqa: N803 (scikit-learn's name)
        """(rows, classes) float64 probabilities, columns in the order of `classes_`."""
        return self._probabilities(X)[:, self._labels.order(self._answer.labels)]

    def _probabilities(self, x: object) -> np.ndarray:
        """(rows, classes), in the order of the answer's own labels, which are sorted as text."""
        found = self._outputs(x)
        return self._answer.probabilities(found)

    @property
    def _answer(self) -> ClassAnswer:
        answer = self._learnt().content.answer
        if not isinstance(answer, ClassAnswer):
            raise TypeError(f"a classifier answers with classes, got {type(answer).__name__}")
        return answer
