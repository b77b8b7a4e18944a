"""Which test rows does the model get wrong, and is it most sure about? A task is one entry in `_WORST`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlkit.contracts import Column, Columns
from dlkit.evaluation.pages import figure, shortened
from dlkit.evaluation.scores import (
    Classes,
    Judged,
    Parts,
    Raw,
    Values,
    alarms_of,
    by_name,
    classes_of,
    task_of,
    values_of,
)
from dlkit.evaluation.thumbnails import thumbnail
from dlkit.evaluation.translation import worst
from dlkit.inference.windows import ANOMALY, NORMAL

LONGEST = 400
"""Characters of a raw input that are kept."""


def worst_mistakes(
    task: str, answer: Judged, inputs: Columns, targets: Raw, outputs: np.ndarray, *, count: int = 10
) -> list[dict[str, object]]:
    """The most confident errors (classes), the largest ones (values), or false alarms and missed anomalies, the worst
    first; none for other tasks.

    Each has `row` (counted from 0), `input` (a text, or a mapping of columns, shortened), `truth`, `answer`, and
    `sureness`: the probability of the wrong class, or the error with its sign and unit. Of pictures `input` is their
    file and size, and `picture` has `source` (a PNG as a data URI), `width` and `height` (pixels on a page). Of several
    answers those of each, with its name as `target`.
    """
    if isinstance(answer, Parts):
        raw, by_part = by_name(targets, answer), answer.split(outputs)
        return [
            {"target": part, **mistake}
            for part, one in answer.parts.items()
            for mistake in worst_mistakes(task_of(one), one, inputs, raw[part], by_part[part], count=count)
        ]
    if task not in _WORST or not isinstance(targets, np.ndarray):
        return []
    rows, answers, sureness = _WORST[task](answer, targets, outputs)
    return [
        {
            "row": int(row),
            **_shown(inputs, int(row)),
            "truth": _cell(targets[row]),
            "answer": answers[index],
            "sureness": sureness[index],
        }
        for index, row in enumerate(rows[:count])
    ]


def surest_mistakes(answer: Classes, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Numbers of the rows that are answered wrongly, the most confident first."""
    probabilities = answer.probabilities(outputs)
    labels = np.array(answer.labels, object)
    wrong = np.flatnonzero(labels[probabilities.argmax(axis=1)] != targets.astype(object))
    return np.asarray(wrong[np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")])


def largest_errors(answer: Values, targets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Numbers of all rows, the one furthest off first."""
    return np.argsort(-np.abs(answer.values(outputs) - targets), kind="stable")


def _confident(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, list[str], list[str]]:
    labels = classes_of(answer).labels
    probabilities = classes_of(answer).probabilities(outputs)
    best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    rows = surest_mistakes(classes_of(answer), targets, outputs)
    return rows, [shortened(labels[best[row]], 60) for row in rows], [f"{sure[row]:.1%} sure" for row in rows]


def _largest(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, list[str], list[str]]:
    values = values_of(answer).values(outputs)
    errors = values - targets
    rows = largest_errors(values_of(answer), targets, outputs)
    unit = values_of(answer).unit
    signed = [f"{'+' if errors[row] > 0 else '-'}{figure(abs(float(errors[row])))} {unit}".rstrip() for row in rows]
    return rows, [figure(float(values[row])) for row in rows], signed


def _alarms(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, list[str], list[str]]:
    """False alarms and missed anomalies, the furthest from the threshold first."""
    answer = alarms_of(answer)
    scores = answer.scores(outputs)
    flags = scores > answer.threshold
    wrong = np.flatnonzero(((targets == ANOMALY) & ~flags) | ((targets == NORMAL) & flags))
    distance = np.abs(np.log((scores[wrong] + 1e-12) / (answer.threshold + 1e-12)))
    rows = wrong[np.argsort(-distance, kind="stable")]
    answers = [ANOMALY if flags[row] else NORMAL for row in rows]
    return rows, answers, [f"score {figure(float(scores[row]))} of {figure(answer.threshold)}" for row in rows]


def _shown(inputs: Columns, row: int) -> dict[str, object]:
    values = {name: column[row] for name, column in inputs.items()}
    only = next(iter(values.values())) if len(values) == 1 else None
    if isinstance(only, bytes | Path) or (isinstance(only, np.ndarray) and only.ndim > 1):
        small = thumbnail(only)
        picture = {"source": small.source, "width": small.width, "height": small.height}
        return {"input": shortened(small.what, LONGEST), "picture": picture}
    cells = {name: _cell(value) for name, value in values.items()}
    return {"input": next(iter(cells.values())) if len(cells) == 1 else cells}


def _cell(value: Column | str | float | None) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "missing"
    if isinstance(value, np.ndarray) and value.ndim == 1:
        ends = (figure(float(np.nanmin(value))), figure(float(np.nanmax(value)))) if np.isfinite(value).any() else "––"
        return f"{len(value)} numbers from {ends[0]} to {ends[1]}"
    if isinstance(value, np.ndarray):
        return f"image of {' × '.join(map(str, value.shape))}"
    return figure(float(value)) if isinstance(value, int | float | np.number) else shortened(str(value), LONGEST)


_WORST: dict[str, Callable[[Judged, np.ndarray, np.ndarray], tuple[np.ndarray, list[str], list[str]]]] = {
    "classification": _confident,
    "regression": _largest,
    "anomaly": _alarms,
    "translation": worst,
}
