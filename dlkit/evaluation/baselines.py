"""Is the network worth it: how far do a constant answer, a linear model and boosted trees get on the same rows?

Each baseline learns from the very examples the network is trained on, takes its settings from the validation
rows, and is judged once on the test rows. A task is one entry in `_FIELDS`.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgWarning
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB

from dlkit.contracts import Examples
from dlkit.errors import DataError, SettingsError, did_you_mean
from dlkit.evaluation.boosting import boosted_classifiers, boosted_regressors
from dlkit.evaluation.features import LARGE, Matrix, matrix, vocabulary_sizes
from dlkit.evaluation.pages import shortened
from dlkit.evaluation.scores import (
    Judged,
    Parts,
    Raw,
    better,
    classes_of,
    classification_figures,
    higher_is_better,
    joined_figures,
    main_figure,
    regression_figures,
    task_of,
)
from dlkit.training.k_fold import summarise

Candidates = Callable[[Matrix, np.ndarray, int], Sequence[BaseEstimator]]
MANY_CLASSES = 200
"""Beyond it a logistic regression a class takes longer than the network."""
FEW_EXAMPLES = 10
"""Training rows of a class below which its figures say next to nothing."""


@dataclass(frozen=True)
class _Field:
    """The baselines of a task. `mandatory` and `optional`: name to unfitted models; the first name is the constant.

    `figures`: answer, raw targets, fitted model, features -> figures named as `scores.score` names them.
    """

    mandatory: Mapping[str, Candidates]
    optional: Mapping[str, Candidates]
    figures: Callable[[Judged, np.ndarray, BaseEstimator, Matrix], dict[str, float]]


def baselines(
    task: str,
    answer: Judged,
    train: Examples,
    validation: Examples,
    test: Examples,
    *,
    seed: int,
    extra: Sequence[str] = (),
    refit: bool = False,
) -> dict[str, dict[str, float]]:
    """Baseline name to figures on the test rows.

    `train`, `validation`, `test`: encoded inputs with raw targets (labels, or values in own units). `extra`:
    optional baselines, "gradient_boosting" for tables. Always there: "majority" (answers the frequency of each
    class) or "mean", and "linear". `refit`: once settings are chosen, learn from training and validation rows, as
    the network did.
    """
    if isinstance(answer, Parts):
        return _of_parts(answer, train, validation, test, seed=seed, extra=extra, refit=refit)
    field = _field(task)
    if unknown := [name for name in extra if name not in field.optional]:
        raise SettingsError(
            f"There is no baseline {unknown[0]!r} for {task}.{did_you_mean(unknown[0], field.optional)}"
        )
    sizes = vocabulary_sizes(train)
    rows = [(matrix(part, sizes), _raw(part)) for part in (train, validation, test)]
    wanted = {**field.mandatory, **{name: field.optional[name] for name in extra}}
    both = (_stacked(rows[0][0], rows[1][0]), np.concatenate([rows[0][1], rows[1][1]])) if refit else None
    results = {}
    for name, candidates in wanted.items():
        features, targets = rows[0]
        chosen = _choose(task, answer, candidates(features, targets, seed), rows[0], rows[1])
        if both is not None:
            chosen = _fit(clone(chosen), *both)
        results[name] = field.figures(answer, rows[2][1], chosen, rows[2][0])
    return results


CONSTANT = "constant"
"""The constant answers of several targets together: majority of classes, mean of values."""


def _of_parts(
    answer: Parts,
    train: Examples,
    validation: Examples,
    test: Examples,
    *,
    seed: int,
    extra: Sequence[str],
    refit: bool,
) -> dict[str, dict[str, float]]:
    """The baselines of each of several answers, their figures together."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for part, one in answer.parts.items():
        rows = [Examples(split.inputs, _targets(split)[part]) for split in (train, validation, test)]
        task = task_of(one)
        constant = next(iter(_field(task).mandatory))
        for name, figures in baselines(task, one, *rows, seed=seed, extra=extra, refit=refit).items():
            found.setdefault(CONSTANT if name == constant else name, {})[part] = figures
    return {name: joined_figures(answer, by_part) for name, by_part in found.items()}


def _targets(examples: Examples) -> Mapping[str, np.ndarray]:
    if not isinstance(examples.targets, Mapping):
        raise DataError("Several answers need a target each, got one for all.")
    return examples.targets


def k_fold_baseline(
    task: str,
    answer: Judged,
    features: np.ndarray,
    targets: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    seed: int,
) -> dict[str, dict[str, dict[str, object]]]:
    """The constant answer and gradient boosting on the folds of a network's k-fold validation.

    `features`: (rows, features) numbers of all rows; `targets`: raw; `folds`: (train indices, test indices). Gives
    baseline -> figure -> {"mean", "std", "values"}, as `training.k_fold` does. Both are blind to the scale of a
    feature, so scaling that has seen all rows gives nothing away, and both take fixed settings, as a fold has no
    rows to choose on.
    """
    field = _field(task)
    constant = next(iter(field.mandatory))
    models = {constant: field.mandatory[constant], "gradient_boosting": field.optional["gradient_boosting"]}
    results = {}
    for name, candidates in models.items():
        figures = []
        for train, test in folds:
            model = _fit(candidates(features[train], targets[train], seed)[0], features[train], targets[train])
            figures.append(field.figures(answer, targets[test], model, features[test]))
        shared = [key for key in figures[0] if all(key in fold for fold in figures)]
        results[name] = summarise([{key: fold[key] for key in shared} for fold in figures])
    return results


def warnings_for(
    task: str,
    test: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    best: Mapping[str, float],
    sample: bool,
    *,
    rows: int = 250,
    train: Raw | None = None,
) -> list[str]:
    """What a user must know before the figures are believed; empty where the network earns its place.

    `best`: best possible figures, known for generated samples. `rows`: number of test rows, which says how far a
    figure may lie beyond the best by luck alone (three standard errors). `train`: raw targets of the training rows;
    classes with few of them are named.
    """
    main, _ = main_figure(task)
    constant = CONSTANT if task == "joint" else next(iter(_field(task).mandatory))
    found = []
    for name, figures in baselines.items():
        if main not in figures or better(task, test, figures):
            continue
        remedy = (
            "It has learned nothing of use: check the labels, train longer, or change the learning rate."
            if name == constant
            else "Use the simpler model, or give the network more data, more epochs or stronger regularisation."
        )
        found.append(
            f"The network ({main} {test[main]:.4g}) does not beat the {name.replace('_', ' ')} baseline "
            f"({figures[main]:.4g}). {remedy}"
        )
    where = "this sample" if sample else "this data"
    found += [
        f"The test {name} {test[name]:.4g} is better than the best possible on {where} ({limit:.4g}): test rows or "
        "targets have leaked into the inputs. Look for duplicates and for columns made from the target."
        for name, limit in best.items()
        if name in test and _beyond(name, test[name], limit, rows)
    ]
    every = train.values() if isinstance(train, Mapping) else [train]
    return found + [
        text for labels in every if labels is not None and labels.dtype.kind in "OU" for text in _rare_classes(labels)
    ]


def _rare_classes(train: np.ndarray) -> list[str]:
    counts = Counter(str(label) for label in train)
    rare = sorted((label for label in counts if counts[label] < FEW_EXAMPLES), key=lambda label: (counts[label], label))
    if not rare:
        return []
    shown = ", ".join(f"{shortened(label, 30)} ({counts[label]})" for label in rare[:5])
    return [
        f"{len(rare)} of {len(counts)} classes have fewer than {FEW_EXAMPLES} training examples: {shown}"
        f"{', …' if len(rare) > 5 else ''}. Do not rely on their figures; add examples, or join classes."
    ]


def _beyond(name: str, value: float, limit: float, rows: int) -> bool:
    """Is a figure better than the best possible one by more than three standard errors?"""
    if higher_is_better(name):
        return value - limit > 3 * math.sqrt(max(limit * (1 - limit), 1 / rows) / rows)
    # Standard deviation of |error| over its mean is 0.76 for normal noise, that of its square 1.41: take the wider.
    return limit - value > 3 * 1.41 * limit / math.sqrt(rows)


def _choose(
    task: str,
    answer: Judged,
    candidates: Sequence[BaseEstimator],
    train: tuple[Matrix, np.ndarray],
    validation: tuple[Matrix, np.ndarray],
) -> BaseEstimator:
    """The candidate, fitted on the training rows, that is best on the validation rows."""
    figures = _field(task).figures
    if len(candidates) == 1 or not len(validation[1]):
        return _fit(candidates[0], *train)
    chosen, best = None, None
    for candidate in candidates:
        model = _fit(candidate, *train)
        found = figures(answer, validation[1], model, validation[0])
        if best is None or better(task, found, best):
            chosen, best = model, found
        elif sparse.issparse(train[0]) and better(task, best, found):
            # Candidates for words are ordered from stiff to supple: past the top they only get slower and worse.
            break
    return chosen


def _stacked(first: Matrix, second: Matrix) -> Matrix:
    return sparse.vstack([first, second], format="csr") if sparse.issparse(first) else np.concatenate([first, second])


def _fit(model: BaseEstimator, features: Matrix, targets: np.ndarray) -> BaseEstimator:
    with warnings.catch_warnings():
        # A baseline a few steps short of its optimum is still a baseline; validation chooses among them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        # The notes on the data say what is odd about such labels.
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%", UserWarning)
        return model.fit(features, targets)


def _linear_classifiers(features: Matrix, targets: np.ndarray, seed: int) -> list[BaseEstimator]:
    """Logistic regressions, from stiff to supple.

    On sparse words the dual coordinate descent of liblinear needs 0.1 s for 15,000 reviews and as many more for
    each further class, at no loss of accuracy against an exact optimum. Naive Bayes, as linear in the words, counts
    once for all classes.
    """
    classes = len(np.unique(targets))
    if classes < 2:
        return [DummyClassifier(strategy="prior")]
    if sparse.issparse(features) and classes > MANY_CLASSES:
        return [MultinomialNB(alpha=alpha) for alpha in (1.0, 0.1, 0.01)]
    if sparse.issparse(features):
        models = [
            LogisticRegression(C=c, solver="liblinear", dual=True, tol=0.1, random_state=seed)
            for c in (0.03, 0.1, 0.3, 1.0, 3.0)
        ]
        return models if classes == 2 else [OneVsRestClassifier(model) for model in models]
    strengths = (0.1,) if features.size * classes > LARGE else (1.0, 0.01, 0.1, 10.0)
    return [LogisticRegression(C=c, max_iter=100 if len(strengths) == 1 else 300) for c in strengths]


def _linear_regressors(features: Matrix, _targets: np.ndarray, seed: int) -> list[BaseEstimator]:
    alphas = (1000.0, 100.0, 10.0, 1.0) if sparse.issparse(features) else (1.0, 0.1, 10.0, 100.0)
    return [Ridge(alpha=alpha, random_state=seed) for alpha in alphas]


def _boosted_classifiers(features: Matrix, targets: np.ndarray, seed: int) -> list[BaseEstimator]:
    constant = len(np.unique(targets)) < 2
    return [DummyClassifier(strategy="prior")] if constant else boosted_classifiers(features, targets, seed)


def _class_figures(answer: Judged, targets: np.ndarray, model: BaseEstimator, features: Matrix) -> dict[str, float]:
    labels = classes_of(answer).labels
    probabilities = np.zeros((len(targets), len(labels)))
    # The model only has the classes of its training rows, which in a fold may be fewer.
    probabilities[:, [labels.index(str(label)) for label in model.classes_]] = model.predict_proba(features)
    return classification_figures(labels, targets, probabilities)


def _value_figures(_: Judged, targets: np.ndarray, model: BaseEstimator, features: Matrix) -> dict[str, float]:
    return regression_figures(targets, model.predict(features))


def _raw(examples: Examples) -> np.ndarray:
    if not isinstance(examples.targets, np.ndarray):
        raise DataError(f"Baselines need one array of targets, got {type(examples.targets).__name__}.")
    return examples.targets


def _field(task: str) -> _Field:
    if task not in _FIELDS:
        raise SettingsError(f"There are no baselines for the task {task!r}.{did_you_mean(task, _FIELDS)}")
    return _FIELDS[task]


_FIELDS: dict[str, _Field] = {
    "classification": _Field(
        {"majority": lambda *_: [DummyClassifier(strategy="prior")], "linear": _linear_classifiers},
        {"gradient_boosting": _boosted_classifiers},
        _class_figures,
    ),
    "regression": _Field(
        {"mean": lambda *_: [DummyRegressor()], "linear": _linear_regressors},
        {"gradient_boosting": boosted_regressors},
        _value_figures,
    ),
}
