"""How are rows that a person gives to a run, a new or a finished one, read: by which columns, kinds and labels?"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlkit.contracts import ColumnKind, Split, Splits, Transform
from dlkit.data.columns import strings
from dlkit.data.delimited import has_column
from dlkit.data.image_targets import column_names
from dlkit.data.images import ImageData, holds_table
from dlkit.data.latents import LatentData
from dlkit.data.paths import present
from dlkit.data.series import SeriesData
from dlkit.data.series_windows import SeriesSplit
from dlkit.data.tables import Kind, TableData
from dlkit.data.texts import TextData
from dlkit.errors import DataError, SettingsError
from dlkit.generation import Generation
from dlkit.inference import times as clock
from dlkit.inference.answers import AnyAnswer, ClassAnswer
from dlkit.inference.inputs import as_word
from dlkit.inference.latents import LatentAnswer, LatentInputs
from dlkit.inference.predictor import load_answer, load_transform
from dlkit.inference.series import SeriesInputs
from dlkit.recipe import Recipe, Say
from dlkit.tasks import readable

Place = Path | Literal["sample"] | None


def rows_to_learn(recipe: Recipe, place: Place, *, start: Path | None, say: Say) -> Splits:
    """The rows of `place` for a training; where it goes on from the run `start`, read as that has learnt."""
    if start is None:
        return readable(recipe.task, recipe.data.load(place, say=say))
    transform = load_transform(start)
    if isinstance(recipe.task, Generation) and isinstance(transform, LatentInputs):
        _check_alike(recipe.task, transform, start)
    splits = with_labels(recipe, transform, as_learnt(recipe, transform, place, say))
    of_classes = isinstance(recipe.task, Generation) and recipe.task.labels != "none"
    if of_classes and isinstance(answer := load_answer(start), LatentAnswer):
        _check_classes(splits, answer, start)
    return splits


def as_learnt(recipe: Recipe, transform: Transform, place: Place, say: Say, *, judged: bool = False) -> Splits:
    """The rows of `place` with columns called, and of the kinds, as the model has learnt; DataError where some are not
    there. `judged`: all of them are test rows, where they name none.
    """
    recipe = replace(recipe, data=_settings_for(recipe.data, place, say))

    def loaded(settings: Any) -> Splits:
        return settings.to_judge(place, say=say) if judged else settings.load(place, say=say)

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


def with_labels(recipe: Recipe, transform: Transform, splits: Splits) -> Splits:
    """The rows as the task reads them, with labels called as a conditional model has learnt: other data may call them
    otherwise.
    """
    column = transform.label if isinstance(transform, LatentInputs) else ""
    if not column or splits.train.targets is None or splits.target_name == column:
        return readable(recipe.task, splits)
    if column in splits.kinds:
        raise DataError(
            f"{splits.source}: the model's classes are in the column {column!r}, and here the labels are in "
            f"{splits.target_name!r}, beside a column {column!r}. Leave one of the two columns out."
        )
    return readable(recipe.task, replace(splits, target_name=column))


def _check_alike(task: Generation, transform: LatentInputs, start: Path) -> None:
    """SettingsError where one of two models, that of the run and the one that goes on, is given labels alone."""
    if (task.labels == "condition") != bool(transform.label):
        how = "labels, and this recipe's reads none" if transform.label else "no labels, and this recipe's does"
        raise SettingsError(f"--from {start}: its model reads {how}. Take the model of that run.")


def _check_classes(splits: Splits, answer: LatentAnswer, start: Path) -> None:
    """DataError for labels that the run `start` has not learnt; a part of its classes will do."""
    given = [label for part in (splits.train, splits.validation, splits.test) for label in np.asarray(part.targets)]
    unknown = Counter(label for label in map(str, given) if label not in answer.labels)
    if unknown:
        shown = ", ".join(f"{label[:40]!r} ({count} rows)" for label, count in unknown.most_common(5))
        known = ", ".join(repr(label[:40]) for label in answer.labels[:10])
        raise DataError(
            f"{splits.source}: {start}, which training goes on from, knows the classes {known}"
            f"{', …' * (len(answer.labels) > 10)}, and here are others: {shown}. Call them as the run does, leave "
            "their rows out, or train anew without --from."
        )


def _settings_for(data: Any, place: Place, say: Say) -> Any:
    """The settings of data without columns of the run's own file where pictures lie in folders of classes."""
    if not isinstance(data, ImageData) or not isinstance(place, Path) or len(column_names(data.target)) > 1:
        return data
    said = [f"data.{name}={value}" for name in ("image", "target") if (value := getattr(data, name)) is not None]
    path = present(place)
    is_zip = path.is_file() and path.suffix.lower() == ".zip"
    if not said or (not is_zip and holds_table(path, wanted=True)):
        return data
    say(f"note: {path} holds folders of pictures and no table of them: {' and '.join(said)} does not matter here")
    return replace(data, image=None, target=None)


def _loaded_by_kinds(recipe: Recipe, transform: Transform, loaded: Callable[[Any], Splits]) -> Splits:
    """The rows; columns of a table that are there are read as the kinds of the model, whatever they look like here:
    "007" of a column of words is no number, and numbers that count the rows are no row numbers.
    """
    if isinstance(recipe.data, LatentData) and isinstance(transform, LatentInputs):
        of_table: dict[str, Kind] = {
            name: kind for name, kind in transform.part.kinds.items() if kind in ("number", "category")
        }
        classes = isinstance(recipe.task, Generation) and recipe.task.labels != "none"
        return loaded(recipe.data.known(of_table, classes=classes))
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
