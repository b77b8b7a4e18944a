"""Which class is a text, learnt from texts and labels in memory?"""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np

from dlkit.contracts import Columns, Split
from dlkit.estimators.classes import Classifier
from dlkit.estimators.columns import TEXT, texts_from
from dlkit.estimators.network import share, whole, widths
from dlkit.estimators.refusals import refusing
from dlkit.estimators.targets import Labels, labels_from
from dlkit.models import dense
from dlkit.preprocessing.text import MultiHot
from dlkit.tasks import Classification


class TextClassifier(Classifier):
    """A text as the set of its words, and a perceptron on it: the network of `dlkit run imdb`.

    `dlkit.TextClassifier().fit(texts, labels).predict(texts)`. X is a list of `str`, an array or a data frame's
    column; labels are texts, whole numbers or bools (or anything with a hash) and come back as given.

    `max_words`: most frequent words that make the vocabulary. `units`: of each hidden layer. `dropout`: probability
    to drop a unit after each. `epochs`: at most; training stops when the loss on the held-out rows, a share
    `validation_fraction` of all, has not fallen for `patience` epochs (None: never). `refit`: then train anew on all
    rows for as many epochs as were best. `batch_size`: None for one that fits the number of rows, 8 to 512.
    `random_state`: a whole number repeats the fit bit for bit on the same machine.
    """

    def __init__(
        self,
        *,
        max_words: int = 10_000,
        units: tuple[int, ...] = (16, 16),
        dropout: float = 0.0,
        epochs: int = 20,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        patience: int | None = 2,
        validation_fraction: float = 0.2,
        refit: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.max_words = max_words
        self.units = units
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.refit = refit
        self.random_state = random_state

    def fit(self, X: object, y: object) -> Self:  # noqa: N803 (scikit-learn's name)
        """Learn from texts and their labels, one each."""
        with refusing(type(self).__name__):
            texts = texts_from(X)
            given = labels_from(y, len(texts))
            labels = Labels.of(given)
            words = MultiHot(max_words=whole("max_words", self.max_words))
            model = partial(dense.mlp, units=widths(self.units), dropout=share("dropout", self.dropout, zero=True))
        rows = Split({TEXT: texts}, labels.named(given))
        self._learn(rows, {TEXT: "text"}, words, Classification(), model)
        self.classes_, self._labels = labels.classes, labels
        return self

    def _raw(self, x: object) -> Columns:
        return {TEXT: texts_from(x)}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags
