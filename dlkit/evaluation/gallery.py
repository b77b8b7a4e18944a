"""Which pictures does a network get wrong, doubt, and learn from?

Shown are the pixels that the network gets, not those of the files: what cannot be seen in them it cannot see either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import keras
import numpy as np
from matplotlib.figure import Figure

from dlkit.contracts import Examples, Transform, raw_targets, take
from dlkit.data.augmentation import augmented
from dlkit.evaluation.drawings import Drawing
from dlkit.evaluation.heat_maps import filters, grad_cam
from dlkit.evaluation.mistakes import largest_errors, surest_mistakes
from dlkit.evaluation.pages import figure
from dlkit.evaluation.plots import called
from dlkit.evaluation.rows import evenly
from dlkit.evaluation.scores import Classes, Parts, Values, by_name
from dlkit.evaluation.tiles import Tile, grid, rows_of, short
from dlkit.inference.images import ImagePixels

MOST = 24
"""Pictures in a gallery."""
_COLUMNS = 6
_ORIGINALS, _TIMES = 8, 4
"""Training pictures that are shown, and how often each of them changed."""


def of_pictures(
    model: keras.Model,
    transform: Transform,
    answer: object,
    train: Examples,
    test: Examples,
    *,
    outputs: np.ndarray,
    augment: Sequence[str] = (),
) -> list[Callable[[], Drawing | None]]:
    """What draws a network that reads pictures, as `plot_all` takes it; nothing for other raw input.

    Of several answers each has its own, behind its name. `train`, `test`: with raw targets. `outputs`: of the network,
    on all test rows. `augment`: as in the training.
    """
    if not isinstance(transform, ImagePixels):
        return []
    draws = _of_answer(model, answer, test, outputs)
    if isinstance(answer, Parts):
        raw, by_part = by_name(raw_targets(test), answer), answer.split(outputs)
        draws = [
            partial(called, part, draw)
            for part, one in answer.parts.items()
            for draw in _of_answer(_with_output(model, part), one, replace(test, targets=raw[part]), by_part[part])
        ]
    return [*draws, partial(filters, model), partial(changed, train, augment)]


def _of_answer(
    model: keras.Model | None, answer: object, test: Examples, outputs: np.ndarray
) -> list[Callable[[], Drawing | None]]:
    if isinstance(answer, Values):
        return [partial(furthest_off, answer, test, outputs)]
    if not isinstance(answer, Classes):
        return []
    looks = [] if model is None else [partial(grad_cam, model, answer, test, outputs)]
    return [partial(misclassified, answer, test, outputs), partial(least_certain, answer, test, outputs), *looks]


def _with_output(model: keras.Model, name: str) -> keras.Model | None:
    """The network with that output alone; None where it has no graph to take it from."""
    outputs = getattr(model, "output", None)
    return keras.Model(model.input, outputs[name]) if isinstance(outputs, Mapping) else None


def misclassified(answer: Classes, test: Examples, outputs: np.ndarray) -> Drawing | None:
    """The mistakes on test rows that the network is surest of; None where it makes none."""
    every = surest_mistakes(answer, np.asarray(test.targets), outputs)
    rows = every[:MOST]
    if not len(rows):
        return None
    probabilities = answer.probabilities(outputs)[rows]
    truths = [str(truth) for truth in np.asarray(test.targets)[rows]]
    answers = [answer.labels[index] for index in probabilities.argmax(axis=1)]
    sure = [f"{share:.1%} sure" for share in probabilities.max(axis=1)]
    lines = [
        (f"truth: {short(truth)}", f"answer: {short(said)}", share)
        for truth, said, share in zip(truths, answers, sure, strict=True)
    ]
    alt = (
        f"{_counted(len(rows), len(every), 'mistakes')} on test rows, the surest first. "
        f"The first is {truths[0]}, answered as {answers[0]}, {sure[0]}."
    )
    return Drawing("misclassified", "Mistakes it is surest of", alt, _gallery(test, rows, lines), "png")


def least_certain(answer: Classes, test: Examples, outputs: np.ndarray) -> Drawing | None:
    """The test rows whose two likeliest classes are nearly as likely as each other."""
    probabilities = answer.probabilities(outputs)
    if not len(probabilities):
        return None
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    first, second = np.take_along_axis(probabilities, order, axis=1).T
    rows = np.argsort(first - second, kind="stable")[:MOST]
    targets = np.asarray(test.targets)
    lines = [
        (f"truth: {short(str(targets[row]))}", *(
            f"{short(answer.labels[index])} {probabilities[row, index]:.1%}" for index in order[row]
        ))
        for row in rows
    ]  # fmt: skip
    right = sum(answer.labels[order[row, 0]] == str(targets[row]) for row in rows)
    alt = (
        f"{_counted(len(rows), len(probabilities), 'test rows')}, those with the smallest margin between the two "
        f"likeliest classes, from {(first - second)[rows[0]]:.1%} to {(first - second)[rows[-1]]:.1%}; "
        f"{right} of them are answered rightly."
    )
    return Drawing("least_certain", "Pictures it is least sure of", alt, _gallery(test, rows, lines), "png")


def furthest_off(answer: Values, test: Examples, outputs: np.ndarray) -> Drawing | None:
    """The test rows with the largest errors of a number."""
    targets, values = np.asarray(test.targets), answer.values(outputs)
    every = largest_errors(answer, targets, outputs)
    rows = every[:MOST]
    if not len(rows):
        return None
    unit = f" {short(answer.unit)}" if answer.unit else ""
    lines = [
        (f"truth: {figure(float(targets[row]))}{unit}", f"answer: {figure(float(values[row]))}{unit}") for row in rows
    ]
    alt = (
        f"{_counted(len(rows), len(every), 'test rows')}, those with the largest errors, from "
        f"{figure(abs(float(values[rows[0]] - targets[rows[0]])))}{unit} to "
        f"{figure(abs(float(values[rows[-1]] - targets[rows[-1]])))}{unit}."
    )
    return Drawing("largest_errors", "Largest errors", alt, _gallery(test, rows, lines), "png")


def changed(train: Examples, augment: Sequence[str], *, seed: int = 0) -> Drawing | None:
    """Training pictures, and what training sees of them; None where it sees them as they are."""
    if not augment or not len(train):
        return None
    pixels = take(train.inputs["pixels"], evenly(len(train), _ORIGINALS))
    random = np.random.default_rng(seed)
    seen = [augmented(pixels, augment, random) for _ in range(_TIMES)]
    rows = [[Tile(one) for one in batch] for batch in (pixels, *seen)]
    names = ["original", *(f"seen, {time}" for time in range(1, _TIMES + 1))]
    alt = (
        f"{len(pixels)} training pictures in the first row, and below each of them {_TIMES} examples of what training "
        f"sees of it after random changes: {', '.join(augment)}."
    )
    figure = grid(rows, names=names, side=1.0)
    return Drawing("augmented", "What training sees of its pictures", alt, figure, "png")


def _gallery(test: Examples, rows: np.ndarray, lines: Sequence[tuple[str, ...]]) -> Figure:
    pixels = take(test.inputs["pixels"], rows)
    return grid(rows_of([Tile(one, words) for one, words in zip(pixels, lines, strict=True)], _COLUMNS))


def _counted(shown: int, every: int, what: str) -> str:
    return f"All {every} {what}" if shown == every and every > 1 else f"{shown} of {every} {what}"
