"""Which test rows does the model get wrong, and is it most sure about? A task is one entry in `_WORST`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlkit.contracts import Column, Columns
from dlkit.evaluation.pages import figure, shortened
from dlkit.evaluation.scores import Judged, classes_of, values_of

LONGEST = 400
"""Characters of a raw input that are kept."""


def worst_mistakes(
    task: str, answer: Judged, inputs: Columns, targets: np.ndarray, outputs: np.ndarray, *, count: int = 10
) -> list[dict[str, object]]:
    """The most confident errors (classes) or the largest ones (values), the worst first; none for other tasks.

    Each has `row` (counted from 0), `input` (a text, or a mapping of columns, shortened), `truth`, `answer`, and
    `sureness`: the probability of the wrong class, or the error with its sign and unit.
    """
    if task not in _WORST:
        return []
    rows, answers, sureness = _WORST[task](answer, targets, outputs)
    return [
        {
            "row": int(row),
            "input": _readable(inputs, int(row)),
            "truth": _cell(targets[row]),
            "answer": answers[index],
            "sureness": sureness[index],
        }
        for index, row in enumerate(rows[:count])
    ]


def _confident(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, list[str], list[str]]:
    labels = np.array(classes_of(answer).labels, object)
    probabilities = classes_of(answer).probabilities(outputs)
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    wrong = np.flatnonzero(labels[best] != targets.astype(object))
    rows = wrong[np.argsort(-sure[wrong], kind="stable")]
    return rows, [shortened(labels[best[row]], 60) for row in rows], [f"{sure[row]:.1%} sure" for row in rows]


def _largest(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, list[str], list[str]]:
    values = values_of(answer).values(outputs)
    errors = values - targets
    rows = np.argsort(-np.abs(errors), kind="stable")
    unit = values_of(answer).unit
    signed = [f"{'+' if errors[row] > 0 else '-'}{figure(abs(float(errors[row])))} {unit}".rstrip() for row in rows]
    return rows, [figure(float(values[row])) for row in rows], signed


def _readable(inputs: Columns, row: int) -> str | dict[str, str]:
    cells = {name: _cell(column[row]) for name, column in inputs.items()}
    return next(iter(cells.values())) if len(cells) == 1 else cells


def _cell(value: Column | str | float | None) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "missing"
    if isinstance(value, np.ndarray):
        return f"image of {' × '.join(map(str, value.shape))}"
    return figure(float(value)) if isinstance(value, int | float | np.number) else shortened(str(value), LONGEST)


_WORST: dict[str, Callable[[Judged, np.ndarray, np.ndarray], tuple[np.ndarray, list[str], list[str]]]] = {
    "classification": _confident,
    "regression": _largest,
}
