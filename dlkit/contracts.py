"""Which few types do all rooms share, and what has which shape?

Data flows through five types, from the rows of a file to an answer::

    Splits ──Preprocessing.fit──▶ Transform ──encode──▶ Examples ──▶ keras.Model(Spec) ──▶ outputs
      raw rows    (train only)     plain Python          arrays                              │
                                                                          Task.fit ▶ Answer.decode ──▶ answer

A *settings* object (`Preprocessing`, `Task`) is what a recipe states; fitting it on the training split gives its *plain
form* (`Transform`, `Answer`), which lives in `inference/`, imports neither TensorFlow nor Keras, is saved as JSON in a
run, and is what serves in production. Training uses the very same object, so the two cannot drift apart.

Cases that bend the contract most:

================  =============================  ===========================  ===============================
recipe            `Split.inputs` / `targets`     `Preprocessing.examples`     `Answer.decode(outputs)`
================  =============================  ===========================  ===============================
vae               images (n, 28, 28, 1) uint8    the image itself, drawn      the reconstruction; code and
                  / labels, or None              black or white on `take`;    noise are inputs of signatures
                                                 the model owns its loss      of their own
translation       source text / target text      ids of source and of what    score and ids that a search
                                                 was written; sentences       wrote, to a sentence
forecasting       a column a channel / None      windows: `Rows`, cut on      inverse scaling with the
                                                 `take`, never n copies       training statistics
anomaly           windows / labels if any        `Rows` scaled on `take`;     score, threshold, decision;
                                                 the output is the residual   calibrated after training
multi-output      images / {"age": …, …}         arrays by name of the head   an answer a head
================  =============================  ===========================  ===============================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

import numpy as np

ColumnKind = Literal["text", "number", "category", "image", "series", "time"]
"""What a raw column holds: text and category are object arrays of `str` (category: None where missing); number is
float64, image is uint8 (rows, height, width, channels), series is float64 (rows, steps), each row a window of numbers
in their order, of a longer series a view, never n copies (NaN where missing); time is datetime64[ns], UTC (or NaT)."""

Column = np.ndarray
Columns = Mapping[str, Column]


@runtime_checkable
class Rows(Protocol):
    """Rows that are made when they are asked for: ragged lists, windows of a series, image files."""

    def __len__(self) -> int: ...

    def take(self, indices: np.ndarray) -> np.ndarray:
        """The rows at `indices` as one dense array, (len(indices), ...)."""
        ...


Targets = np.ndarray | Rows | Mapping[str, np.ndarray] | None


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length without padding: row i is `values[offsets[i]:offsets[i + 1]]`.

    `values`: (total,) int32. `offsets`: (rows + 1,) int64. `take` pads with 0 to the longest row taken
    (at least one column), so 0 must mean "nothing here" to the model.
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, indices: np.ndarray) -> np.ndarray:
        starts, stops = self.offsets[indices], self.offsets[1:][indices]
        width = max(int((stops - starts).max(initial=0)), 1)
        padded = np.zeros((len(starts), width), self.values.dtype)
        # Row by row takes half the time of one assignment by masks, whose temporaries are larger than the batch.
        for row, start, stop in zip(padded, starts.tolist(), stops.tolist(), strict=True):
            row[: stop - start] = self.values[start:stop]
        return padded

    @classmethod
    def from_lists(cls, rows: Sequence[np.ndarray]) -> Ragged:
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return cls(np.concatenate([np.zeros(0, np.int32), *rows]).astype(np.int32), offsets)


@dataclass(frozen=True)
class Joined:
    """The rows of `first`, then those of `second`, where either is made on demand."""

    first: np.ndarray | Rows
    second: np.ndarray | Rows

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def take(self, indices: np.ndarray) -> np.ndarray:
        late = indices >= len(self.first)
        parts = [take(self.first, indices[~late]), take(self.second, indices[late] - len(self.first))]
        rows = np.empty((len(indices), *parts[0].shape[1:]), parts[0].dtype)
        rows[~late], rows[late] = parts
        return rows


@dataclass(frozen=True)
class Chosen:
    """Some of the rows of `rows`, by their numbers."""

    rows: np.ndarray | Rows
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, indices: np.ndarray) -> np.ndarray:
        return take(self.rows, self.numbers[indices])


def joined(first: np.ndarray | Rows, second: np.ndarray | Rows) -> np.ndarray | Rows:
    """One set of rows out of two."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    if isinstance(first, Ragged) and isinstance(second, Ragged):
        offsets = np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]])
        return Ragged(np.concatenate([first.values, second.values]), offsets)
    return Joined(first, second)


def take(rows: np.ndarray | Rows, indices: np.ndarray) -> np.ndarray:
    """The rows at `indices`, whether they lie in memory or are made on demand."""
    return rows[indices] if isinstance(rows, np.ndarray) else rows.take(indices)


def lengths(inputs: Mapping[str, np.ndarray | Rows]) -> np.ndarray | None:
    """(rows,) the longest ragged input of each row; None where every row is as long as the others."""
    ragged = [np.diff(rows.offsets) for rows in inputs.values() if isinstance(rows, Ragged)]
    return np.max(ragged, axis=0) if ragged else None


@dataclass(frozen=True)
class Split:
    """Raw rows, as a user has them.

    `inputs`: columns of equal length, see `ColumnKind`. `targets`: (rows,) labels as `str` or values as
    float64; a mapping of those for several heads; None where there is nothing to predict. `times`: (rows,)
    datetime64[ns] in UTC, when each row was, of a window its last step; None where that is not known.
    """

    inputs: Columns
    targets: Targets = None
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def take(self, indices: np.ndarray) -> Split:
        targets = self.targets
        if isinstance(targets, Mapping):
            targets = {name: column[indices] for name, column in targets.items()}
        elif targets is not None:
            targets = take(targets, indices)
        times = None if self.times is None else self.times[indices]
        return Split({name: column[indices] for name, column in self.inputs.items()}, targets, times)

    def joined(self, other: Split) -> Split:
        """These rows, then those of `other` (same columns)."""
        inputs = {name: np.concatenate([column, other.inputs[name]]) for name, column in self.inputs.items()}
        both = self.times is not None and other.times is not None
        times = np.concatenate([self.times, other.times]) if both else None
        return Split(inputs, _joined_targets(self.targets, other.targets), times)


@dataclass(frozen=True)
class Splits:
    """A dataset, split, with all that a report must say about where it came from.

    `kinds`: input column to `ColumnKind`. `source`: path or "sample" as printed to the user. `fingerprint`: "sha256:…"
    of the rows' origin. `best`: best score that is possible at all, of generated samples, e.g. {"accuracy": 0.95}.
    `notes`: what a user should know (missing values, duplicates). `drawn`: the rows themselves name none as test rows.
    """

    train: Split
    validation: Split
    test: Split
    kinds: Mapping[str, ColumnKind]
    name: str
    source: str
    fingerprint: str
    sample: bool = False
    target_name: str | None = None
    best: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    drawn: bool = False


@dataclass(frozen=True)
class Examples:
    """What the network eats: `inputs` by the name of the model's input, `targets` encoded (or None).

    `anew`: the same rows otherwise, inputs and targets both encoded, as a training may see them in each epoch.
    """

    inputs: Mapping[str, np.ndarray | Rows]
    targets: Targets = None
    anew: Callable[[np.random.Generator], Examples] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def joined(self, other: Examples) -> Examples:
        """These rows, then those of `other`."""
        inputs = {name: joined(rows, other.inputs[name]) for name, rows in self.inputs.items()}
        first, second = self.anew, other.anew
        anew = first and second and (lambda random: first(random).joined(second(random)))
        return Examples(inputs, _joined_targets(self.targets, other.targets), anew)

    def take(self, indices: np.ndarray) -> Examples:
        """Some of these rows, of one target each; those that are made on demand still are."""
        inputs = {
            name: rows[indices] if isinstance(rows, np.ndarray) else Chosen(rows, indices)
            for name, rows in self.inputs.items()
        }
        return Examples(inputs, self.targets[indices] if isinstance(self.targets, np.ndarray) else None)


def raw_targets(rows: Split | Examples) -> np.ndarray | Mapping[str, np.ndarray]:
    """Targets that are there, in memory: an array, or one for each of several answers."""
    if isinstance(rows.targets, Mapping):
        return {name: _in_memory(column) for name, column in rows.targets.items()}
    return _in_memory(rows.targets)


def _in_memory(column: np.ndarray | Rows | None) -> np.ndarray:
    made = None if column is None or isinstance(column, np.ndarray) else column.take(np.arange(len(column)))
    return np.asarray(column) if made is None else made


def _joined_targets(first: Targets, second: Targets) -> Targets:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return {name: np.concatenate([column, second[name]]) for name, column in first.items()}
    if first is None or second is None or isinstance(first, Mapping) or isinstance(second, Mapping):
        return None
    # Steps to forecast are views of a series: never n copies.
    views = isinstance(first, np.ndarray) and first.ndim > 2
    return Joined(first, second) if views else joined(first, second)


@dataclass(frozen=True)
class Tensor:
    """One input of a network: `shape` without the batch axis (None: any length), `dtype` as numpy names it."""

    shape: tuple[int | None, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Head:
    """One output of a network: (batch, units) after `activation`."""

    units: int
    activation: str | None = None


@dataclass(frozen=True)
class Spec:
    """All that a model builder may know of the data.

    `inputs`, `heads`: of the network, by name. `sizes`: further ones, such as "vocabulary" (word ids, the padding id 0
    not counted). `tables`: first values of weights, such as "word_vectors" (vocabulary + 1, dimension) float32.
    """

    inputs: Mapping[str, Tensor]
    heads: Mapping[str, Head]
    sizes: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def head(self) -> Head:
        """The only head; a model for several heads reads `heads`."""
        (head,) = self.heads.values()
        return head


class Transform(Protocol):
    """A fitted preprocessing in plain Python: raw columns in, arrays for the network out."""

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        """Raw input columns and what they hold."""
        ...

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The network's inputs."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """See `Spec.sizes`."""
        ...

    @property
    def tables(self) -> Mapping[str, np.ndarray]:
        """See `Spec.tables`; empty once it was saved and loaded."""
        ...

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """Category columns and the values seen in training."""
        ...

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]: ...

    def remarks(self, inputs: Columns) -> list[str | None]:
        """A row each: what a user should know of it (no known word, a category never seen), or None."""
        ...

    def figures(self, inputs: Columns) -> dict[str, float]:
        """What a report should say of how well these rows are taken in, such as the share of unknown words."""
        ...

    def save(self, folder: Path) -> None:
        """Write `preprocessing.json` (its "kind" says who reads it) and what belongs to it into `folder`."""
        ...


class Answer(Protocol):
    """A fitted task in plain Python: the network's outputs in, answers for a person out."""

    def decode(self, outputs: np.ndarray) -> list[dict[str, object]]: ...

    def comparable(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, n) of what two artefacts must agree on, in units in which 1e-4 means the same for every model."""
        ...

    def agrees(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(rows,) bool from two results of `comparable`: is it the same answer?"""
        ...

    def save(self, folder: Path) -> None:
        """Write `answer.json` (its "kind" says who reads it) and what belongs to it into `folder`."""
        ...


AnswerT = TypeVar("AnswerT", bound=Answer)


class Preprocessing(Protocol):
    """Settings of a preprocessing; `fit` sees the training split alone."""

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> Transform: ...

    def examples(self, transform: Transform, split: Split) -> Examples:
        """Inputs encoded; targets still raw, or made here where they come from the inputs (windows)."""
        ...


class Task(Protocol[AnswerT]):
    """Settings of a task: how targets are encoded, judged and turned back.

    `name`: as in `metrics.json`. `monitor`: the figure that chooses models, and whether "max" or "min" is best.
    """

    @property
    def name(self) -> str: ...

    @property
    def monitor(self) -> tuple[str, Literal["max", "min"]]: ...

    def fit(self, train: Split, target_name: str) -> AnswerT: ...

    def heads(self, answer: AnswerT) -> Mapping[str, Head]: ...

    def encode(self, answer: AnswerT, targets: Targets) -> Targets: ...

    def loss(self, answer: AnswerT) -> str | Mapping[str, str] | None:
        """A Keras loss by name; None where the model adds its own."""
        ...

    def metrics(self, answer: AnswerT) -> list[str] | Mapping[str, list[str]]: ...


@runtime_checkable
class Completing(Protocol[AnswerT]):
    """A task whose answer also speaks of what the network is given: its channels, its pieces of words, its shape."""

    def completed(self, answer: AnswerT, transform: Transform) -> AnswerT: ...


__all__ = [
    "Answer", "Chosen", "Column", "ColumnKind", "Columns", "Completing", "Examples", "Head", "Joined",
    "Preprocessing", "Ragged", "Rows", "Spec", "Split", "Splits", "Targets", "Task", "Tensor", "Transform",
    "joined", "lengths", "raw_targets", "take",
]  # fmt: skip
