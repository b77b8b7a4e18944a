"""What is to be told from a picture: a label, or several labels and numbers? And from how many pictures of a class?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Literal

import numpy as np

from dlkit.contracts import Split, Targets
from dlkit.data.columns import MOSTLY, answered, check_known, fields_of, numbers_in, strings
from dlkit.data.delimited import Delimited, parse_number
from dlkit.data.samples import Sample
from dlkit.data.sources import check_theirs
from dlkit.errors import DataError, SettingsError
from dlkit.inference.inputs import as_word

Answers = tuple[str | float, ...]
"""What is to be told from one picture: a label, or what each of several columns says of it."""
FEW_LABELS, ROWS_OF_EACH = 20, 5
"""A column with no more different values than that, and so many rows of each on average, is held out in proportion."""


def column_names(target: str | None) -> tuple[str, ...]:
    """The columns that `data.target` names, with commas between; none where it is None."""
    if target is None:
        return ()
    if "," not in target:
        return (target,)
    names = tuple(name.strip() for name in target.split(","))
    if "" in names:
        raise SettingsError(f"data.target={target!r}: a name is missing beside a comma; write it as 'age,gender'.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SettingsError(f"data.target={target!r} names {twice[0]!r} more than once; name it once.")
    return names


def answered_by_all(file: Delimited, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Indices of the rows where no target is missing, and notes on the others."""
    rows, notes = np.arange(len(file)), []
    for name in names:
        there, lost = answered(file, name)
        rows = np.intersect1d(rows, there, assume_unique=True)
        notes += lost
    return rows, notes


def read_answers(file: Delimited, names: Sequence[str], rows: Sequence[int], notes: list[str]) -> list[Answers]:
    """What the columns `names` say on each of `rows`: of one column its labels, of several numbers where all are."""
    columns = [_column(file, name, np.array(rows, np.int64), notes, several=len(names) > 1) for name in names]
    return list(zip(*columns, strict=True)) if columns else [()] * len(rows)


def _column(
    file: Delimited, name: str, rows: np.ndarray, notes: list[str], *, several: bool
) -> Sequence[str] | Sequence[float]:
    fields, raw = fields_of(file, name, rows), file.columns[name]
    labels = fields.present
    if several:
        no_number = [
            row for row, label in enumerate(labels) if parse_number(label, decimal_comma=fields.decimal_comma) is None
        ]
        if not no_number:
            numbers: list[float] = numbers_in(
                fields, "Correct it, or leave it empty: the row is then left out."
            ).tolist()
            return numbers
        if len(no_number) <= (1 - MOSTLY) * len(labels):
            notes.append(
                f"column {name!r} is taken as labels: {len(no_number)} of its {len(labels)} values are no numbers, "
                f"the first is {labels[no_number[0]][:40]!r} on line {fields.lines[no_number[0]]}"
            )
    stray = sum(raw[row] != raw[row].strip() for row in rows)
    if stray:
        where = f" in column {name!r}" if several else ""
        notes.append(f"{stray} labels{where} had spaces around them, which were taken off")
    return labels


def targets_of(names: Sequence[str], answers: Sequence[Answers]) -> Targets:
    """(rows,) of one target, or a mapping of those of several: labels as `str`, numbers as float64. None of none."""
    columns = {name: _array([row[place] for row in answers]) for place, name in enumerate(names)}
    return columns if len(columns) > 1 else next(iter(columns.values()), None)


def _array(values: Sequence[str | float]) -> np.ndarray:
    if all(isinstance(value, float) for value in values):
        return np.array(values, np.float64)
    return strings([str(value) for value in values])


def labels_in(names: Sequence[str], answers: Sequence[Answers]) -> dict[str, list[str]]:
    """The columns that hold labels."""
    columns = {name: [row[place] for row in answers] for place, name in enumerate(names)}
    return {
        name: [value for value in values if isinstance(value, str)]
        for name, values in columns.items()
        if any(isinstance(value, str) for value in values)
    }


def strata_in(names: Sequence[str], answers: Sequence[Answers]) -> list[str | float] | None:
    """What to hold rows out in proportion of: the label; of several targets the first with few different values."""
    for place in range(len(names)):
        values = [row[place] for row in answers]
        different = len(set(values))
        if len(names) == 1 or different <= min(FEW_LABELS, len(values) // ROWS_OF_EACH):
            return values
    return None


def notes_on_each(
    columns: Mapping[str, list[str]], notes_on: Callable[[str, list[str]], list[str]], *, several: bool
) -> list[str]:
    """Notes on each column of labels, from its name and its labels; behind the name where there are several targets."""
    return [
        f"{name}: {note}" if several else note for name, labels in columns.items() for note in notes_on(name, labels)
    ]


def matched(
    columns: Mapping[str, np.ndarray], wanted: Mapping[str, Literal["number", "class"]]
) -> dict[str, str] | None:
    """Which column is which of the `wanted` targets: those of the same name, and of the others a column of numbers the
    number and one of labels the class; numbers of two values may be either. None where that leaves a choice, or none.
    """
    same = {name: name for name in wanted if name in columns}
    names, left = ([one for one in some if one not in same] for some in (wanted, columns))
    # Two targets of one kind could always change places.
    if len(names) != len(left) or len({wanted[name] for name in names}) < len(names):
        return None
    ways = [dict(zip(names, order, strict=True)) for order in permutations(left)]
    fit = [way for way in ways if all(_may_be(columns[column], wanted[name]) for name, column in way.items())]
    return same | fit[0] if len(fit) == 1 else None


def _may_be(column: np.ndarray, kind: Literal["number", "class"]) -> bool:
    numbers = column.dtype.kind in "iuf"
    return numbers if kind == "number" else not numbers or len(np.unique(column)) == 2


def one_column(targets: Targets, name: str) -> Targets:
    """The target of that name out of several, or the only one."""
    return targets[name] if isinstance(targets, Mapping) else targets


def chosen_targets(said: str, sample: Sample, names: Sequence[str]) -> Sample:
    """The sample with those of its targets that `names` names; all of them where there are no names.

    `said`: which sample it is, for an error.
    """
    targets = sample.rows.targets
    if not isinstance(targets, Mapping):
        if len(names) > 1:
            raise SettingsError(
                f"data.target={','.join(names)!r} names several columns, and {said} has one target, {sample.target!r}. "
                "Choose a sample with several, such as 'people'."
            )
        check_theirs(said, target=(next(iter(names), None), sample.target))
        return sample
    check_known("data.target", names, targets, said)
    if len(names) == 1:
        (name,) = names
        column = targets[name]
        best = {figure.removeprefix(f"{name}_"): value for figure, value in sample.best.items() if _is_of(figure, name)}
        task: Literal["value", "label"] = "value" if column.dtype.kind == "f" else "label"
        return replace(sample, rows=Split(sample.rows.inputs, column), target=name, task=task, best=best)
    wanted = {name: targets[name] for name in names or targets}
    best = {figure: value for figure, value in sample.best.items() if any(_is_of(figure, name) for name in wanted)}
    return replace(sample, rows=Split(sample.rows.inputs, wanted), best=best)


def _is_of(figure: str, name: str) -> bool:
    return figure.startswith(f"{name}_")


def as_labels(column: np.ndarray, name: str) -> np.ndarray:
    """Labels as `str`, numbers among them as a file would have them: "4", not "4.0"."""
    labels = np.empty(len(column), object)
    for row, value in enumerate(column.tolist()):
        if not isinstance(value, str) and not np.isfinite(value):
            raise DataError(f"The target {name!r} is a class, and row {row} holds {value}. Leave the row out.")
        labels[row] = as_word(value)
    return labels


def as_numbers(column: np.ndarray, name: str) -> np.ndarray:
    """(rows,) float64; DataError with the row at what is written as no number."""
    numbers = np.empty(len(column))
    for row, value in enumerate(column.tolist()):
        number = parse_number(value.strip()) if isinstance(value, str) else value
        if number is None:
            raise DataError(
                f"The target {name!r} is a number, and row {row} holds {str(value)[:40]!r}, which is none. Correct it, "
                f"or give {name!r} the task Classification."
            )
        numbers[row] = number
    return numbers


def few_of_each(train: Split, per_class: int, seed: int) -> tuple[Split, list[str]]:
    """So many rows of each class, in the order of the file, and what to say of it.

    Rows are drawn in an order that depends on `seed` alone, so that fewer of them are among more of them.
    """
    targets = train.targets
    if not isinstance(targets, np.ndarray) or targets.dtype.kind not in "OU":
        what = "numbers" if isinstance(targets, np.ndarray) else "several targets"
        raise SettingsError(f"data.per_class={per_class} needs one label a picture, and this data has {what}.")
    order = np.argsort(np.random.Generator(np.random.PCG64([seed, len(train)])).random(len(train)), kind="stable")
    counts: Counter[str] = Counter()
    kept = []
    for row in order.tolist():
        counts[targets[row]] += 1
        if counts[targets[row]] <= per_class:
            kept.append(row)
    notes = [f"data.per_class={per_class} leaves {len(kept)} of {len(train)} training rows"]
    few = sorted((label for label, count in counts.items() if count < per_class), key=lambda label: counts[label])
    if few:
        shown = ", ".join(f"{label[:40]!r} ({counts[label]})" for label in few[:3]) + (", …" if len(few) > 3 else "")
        notes.append(
            f"{len(few)} of {len(counts)} classes have fewer than {per_class} training rows, all kept: {shown}"
        )
    return train.take(np.sort(np.array(kept, np.int64))), notes
