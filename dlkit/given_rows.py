"""How are rows that a person gives to a finished run read: by which columns, as which kinds, with which labels?"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlkit.contracts import ColumnKind, Split, Splits, Transform
from dlkit.data.columns import strings
from dlkit.data.delimited import has_column
from dlkit.data.series import SeriesData
from dlkit.data.series_windows import SeriesSplit
from dlkit.data.tables import TableData
from dlkit.data.texts import TextData
from dlkit.errors import DataError, SettingsError
from dlkit.inference import times as clock
from dlkit.inference.answers import AnyAnswer, ClassAnswer
from dlkit.inference.inputs import as_word
from dlkit.inference.latents import LatentInputs
from dlkit.inference.series import SeriesInputs
from dlkit.recipe import Recipe, Say


def as_learnt(recipe: Recipe, transform: Transform, loaded: Callable[[Any], Splits], say: Say) -> Splits:
    """The rows with columns called, and of the kinds, as the model has learnt; DataError where some are not there.

    `loaded`: the rows by settings of data, such as those of the recipe.
    """
    if isinstance(transform, SeriesInputs) and isinstance(recipe.data, SeriesData):
        return _series_as_learnt(recipe.data, transform, loaded)
    splits, kinds = _loaded_by_kinds(recipe, transform, loaded), {**transform.kinds}
    if isinstance(transform, LatentInputs):
        kinds.pop(transform.label, None)  # stands among the targets yet
    missing = [name for name in kinds if name not in splits.kinds]
    if not set(kinds.values()) <= {"text", "number", "category", "image"}:
        return splits
    if not missing:
        return _of_kinds(splits, kinds)
    if [*kinds.values()] != ["text"] or [*splits.kinds.values()] != ["text"]:
        raise _lacking(splits, missing)
    (theirs,), (ours,) = splits.kinds, kinds
    if isinstance(recipe.data, TextData) and recipe.data.text is None and has_column(Path(splits.source), ours):
        return loaded(replace(recipe.data, text=ours))
    say(f"note: column {theirs!r} is read as the model's {ours!r}")
    first, second, third = (
        Split({ours: part.inputs[theirs]}, part.targets) for part in (splits.train, splits.validation, splits.test)
    )
    return replace(splits, kinds=dict(kinds), train=first, validation=second, test=third)


def _lacking(splits: Splits, missing: list[str]) -> DataError:
    return DataError(
        f"{splits.source} lacks the columns {missing} that the model reads; it has {[*splits.kinds]}. Call them so, or "
        "give another file."
    )


def _loaded_by_kinds(recipe: Recipe, transform: Transform, loaded: Callable[[Any], Splits]) -> Splits:
    """The rows; columns of a table that are there are read as the kinds of the model, whatever they look like here:
    "007" of a column of words is no number, and numbers that count the rows are no row numbers.
    """
    if isinstance(recipe.data, TableData):
        words, numbers = (
            tuple(name for name, one in transform.kinds.items() if one == kind) for kind in ("category", "number")
        )
        with contextlib.suppress(SettingsError):  # of a column that is not there, which is told below
            return loaded(replace(recipe.data, categorical=words, numeric=numbers))
    return loaded(recipe.data)


def _series_as_learnt(data: SeriesData, made: SeriesInputs, loaded: Callable[[Any], Splits]) -> Splits:
    """Windows as long as those of the model, with its targets alone to forecast; DataError for a series without them,
    or of another step.
    """
    channels, known = ([channel.name for channel in some] for some in (made.channels, made.known))
    asked = replace(
        data,
        targets=tuple(channels[: made.targets]),
        known=tuple(known),
        window=made.window,
        horizon=made.horizon,
        season=made.season,
    )
    try:
        splits = loaded(asked)
        more = [name for name, kind in splits.kinds.items() if kind == "series" and name not in (*channels, *known)]
        if more:  # where one of them has a gap, the windows do not
            splits = loaded(replace(asked, ignore=tuple(dict.fromkeys((*data.ignore, *more)))))
    except SettingsError as error:
        raise DataError(f"The model reads the columns {', '.join([*channels, *known])}. {error}") from None
    if missing := [name for name in channels if name not in splits.kinds]:
        raise _lacking(splits, missing)
    step = splits.train.layout.step if isinstance(splits.train, SeriesSplit) else None
    if step is not None and made.step is not None and not clock.are_equal(step, made.step):
        raise DataError(
            f"{splits.source}: rows are {clock.shown_step(step)} apart, and those that the model has learnt from "
            f"{clock.shown_step(made.step)}. Give rows in that step."
        )
    return splits


def _of_kinds(splits: Splits, kinds: Mapping[str, ColumnKind]) -> Splits:
    """The rows with columns of the kinds that the model reads: words that all look like numbers in these rows are words
    all the same. DataError for other differences.
    """
    other = [name for name, kind in kinds.items() if splits.kinds[name] != kind]
    for name in other:
        if (splits.kinds[name], kinds[name]) != ("number", "category"):
            raise DataError(
                f"{splits.source}, column {name!r}: the model reads a {kinds[name]} there, and this is a "
                f"{splits.kinds[name]}. Give a file of the same columns."
            )
    if not other:
        return splits

    def read(part: Split) -> Split:
        words = {name: strings([_word(value) for value in part.inputs[name].tolist()]) for name in other}
        return replace(part, inputs={**part.inputs, **words})

    parts = read(splits.train), read(splits.validation), read(splits.test)
    return replace(splits, kinds={**splits.kinds, **kinds}, train=parts[0], validation=parts[1], test=parts[2])


def _word(value: float) -> str | None:
    return None if np.isnan(value) else as_word(value)


def check_labels(answer: AnyAnswer, splits: Splits, say: Say) -> None:
    """DataError where the model knows none of the labels; of some it does not, what they count is said."""
    targets = splits.test.targets
    if not isinstance(answer, ClassAnswer) or not isinstance(targets, np.ndarray):
        return
    unknown = Counter(label for label in map(str, targets) if label not in answer.labels)
    if not unknown:
        return
    shown = ", ".join(repr(label[:40]) for label, _ in unknown.most_common(5))
    if unknown.total() == len(targets):
        known = ", ".join(repr(label[:40]) for label in answer.labels[:5])
        raise DataError(
            f"{splits.source}: none of its labels ({shown}) is one of the model's ({known}"
            f"{', …' * (len(answer.labels) > 5)}). Call them as the model does."
        )
    say(f"note: {unknown.total()} of {len(targets)} rows have labels that the model does not know, all wrong: {shown}")
