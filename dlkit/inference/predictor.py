"""What does a finished run say about a raw input, without TensorFlow?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np

from dlkit.contracts import ColumnKind, Columns, Rows, Transform, take
from dlkit.errors import DlkitError, InputError, RunError, SettingsError
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.answers import AnyAnswer, ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.coder import MOST, Coder, Label, listed
from dlkit.inference.decoding import Search
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.forms import LITERT
from dlkit.inference.images import ImagePixels
from dlkit.inference.inputs import columns_from
from dlkit.inference.joined import JoinedTransform
from dlkit.inference.latents import LatentAnswer, LatentInputs
from dlkit.inference.litert import LiteRT
from dlkit.inference.ngrams import NgramText
from dlkit.inference.recent import check_items
from dlkit.inference.runs import ASSETS, ROOT, artefact_path, check_assets, find_run, read_json, read_run
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.sequences import SequenceText
from dlkit.inference.series import SeriesInputs
from dlkit.inference.tables import TableRows
from dlkit.inference.text import MultiHotText
from dlkit.inference.translating import Translator
from dlkit.inference.translation import PairText
from dlkit.inference.windows import ScaledWindows

_TRANSFORMS: dict[str, Callable[[Path, Mapping[str, object]], Transform]] = {
    MultiHotText.kind: MultiHotText.load,
    SequenceText.kind: SequenceText.load,
    NgramText.kind: NgramText.load,
    TableRows.kind: TableRows.load,
    ImagePixels.kind: ImagePixels.load,
    ScaledWindows.kind: ScaledWindows.load,
    SeriesInputs.kind: SeriesInputs.load,
    PairText.kind: PairText.load,
    JoinedTransform.kind: lambda folder, settings: JoinedTransform.load(folder, settings, _transform_in),
    LatentInputs.kind: lambda folder, settings: LatentInputs.load(folder, settings, _transform_in(folder / "part")),
}
_ANSWERS: dict[str, Callable[[Mapping[str, object]], AnyAnswer]] = {
    ClassAnswer.kind: ClassAnswer.load,
    ValueAnswer.kind: ValueAnswer.load,
    JointAnswer.kind: JointAnswer.load,
    AnomalyAnswer.kind: AnomalyAnswer.load,
    ForecastAnswer.kind: ForecastAnswer.load,
    LatentAnswer.kind: LatentAnswer.load,
    SentenceAnswer.kind: SentenceAnswer.load,
}


PICTURES_AT_ONCE = 32
"""Decoded ones in memory: a photo takes a hundred times its file."""


class Predictor:
    """A run, loaded: raw input in, answer out.

    `kinds`: the raw input columns. `choices`: known values of the category columns. `labels`: classes, empty
    for a regression. `network`: encoded inputs to the network's outputs. Not safe for use by several threads at once:
    give each its own, or a lock.
    """

    def __init__(
        self, folder: Path, *, artefact: str = "tflite", threads: int = 1, search: Search | None = None
    ) -> None:
        run = read_run(folder)
        check_assets(folder, run)
        self.run = folder
        self.recipe = str(run.get("recipe", folder.parent.name))
        self.question = str(run.get("question", ""))
        self.task = str(run.get("task", ""))
        self.version = int(folder.name) if folder.name.isdecimal() else 0
        self.transform = load_transform(folder)
        self.answer = load_answer(folder)
        self.kinds: Mapping[str, ColumnKind] = self.transform.kinds
        self.choices: Mapping[str, tuple[str, ...]] = self.transform.choices
        self.labels: tuple[str, ...] = self.answer.labels if isinstance(self.answer, ClassAnswer) else ()
        if artefact not in LITERT:
            raise SettingsError(
                f"artefact={artefact!r}: a predictor runs without TensorFlow, by {', '.join(LITERT)}. For another: "
                f"dlkit predict {folder} --artefact {artefact}"
            )
        path = artefact_path(folder, run, artefact)
        self._model = network_in(path, self.transform, self.answer, search=search, threads=threads)
        self.network = self._model.run

    def predict(self, items: Sequence[object]) -> list[dict[str, object]]:
        """Answers for items: strings for a text model, `{column: value}` for a table, paths, bytes or pixels for one of
        pictures; InputError for a bad one.

        A class: `{"label", "score", "probabilities": {label: float}}`; a number: `{"value", "name", "unit"}`; a
        translation: `{"translation", "score"}`, with `"others"` where a search was asked for the next best;
        with "warning" where the answer rests on little.
        """
        return self._in_parts(self._answered, items)

    def _answered(self, items: Sequence[object], before: int) -> list[dict[str, object]]:
        columns = self.columns(items, first=before + 1)
        with _numbered(before):
            return self.answers(columns, self.outputs(columns))

    def _in_parts(
        self, answered: Callable[[Sequence[object], int], list[dict[str, object]]], items: Sequence[object]
    ) -> list[dict[str, object]]:
        """What `answered` gives for some of the items and the number of those before them. Pictures are many bytes."""
        if not len(items):
            return []
        if "image" not in self.kinds.values() or isinstance(items, str | bytes | Mapping):
            return answered(items, 0)
        parts = range(0, len(items), PICTURES_AT_ONCE)
        return [one for first in parts for one in answered(items[first : first + PICTURES_AT_ONCE], first)]

    def columns(self, items: Sequence[object], *, first: int = 1) -> Columns:
        """Items, as `predict` takes them, as raw columns; InputError, with numbers from `first` on, for a bad one."""
        columns = columns_from(items, self.kinds, first=first)
        if isinstance(self.transform, SeriesInputs):  # in columns they are cut to the shortest of them
            check_items(items, self.transform)
        if isinstance(self.transform, ScaledWindows):
            (only, *_) = self.kinds
            for number, item in enumerate(items, start=first):
                channels = item if isinstance(item, Mapping) else {only: item}
                steps = {name: len(one) for name, one in channels.items() if isinstance(one, Sized)}
                self.transform.check_lengths(steps, f"Item {number}")
        return columns

    def outputs(self, columns: Columns) -> np.ndarray:
        """Raw columns to the network's outputs, (rows, units) float32."""
        return self.network(self.transform.encode(columns))

    def answers(self, columns: Columns, outputs: np.ndarray) -> list[dict[str, object]]:
        """The network's outputs for raw columns as answers, with a warning where an answer rests on little."""
        with np.errstate(over="ignore"):
            _check_finite(self.answer.comparable(outputs))
            answers = self.answer.decode(outputs)
        if isinstance(self.transform, SeriesInputs):
            times = self.transform.following(columns)
            answers = [{"time": one} | answer for one, answer in zip(times, answers, strict=True)]
        if isinstance(self.transform, LatentInputs) and answers:
            about = self._codes(self.transform, columns, outputs)
            answers = [{**one, **answer} for one, answer in zip(about, answers, strict=True)]
        return _warned(answers, self.transform.remarks(columns))

    @property
    def is_latent(self) -> bool:
        """Whether it can encode and decode."""
        return self.task in ("generation", "reconstruction")

    @property
    def class_column(self) -> str:
        """The column of labels that a conditional model is given; "" of all others."""
        return self.transform.label if isinstance(self.transform, LatentInputs) else ""

    @cached_property
    def coder(self) -> Coder:
        """Encoder and decoder of a latent model; InputError for a run of another kind."""
        if not isinstance(self.transform, LatentInputs) or not isinstance(self._model, LiteRT):
            raise InputError(
                f"{self.run} is a run of {self.recipe}, which has no latent codes. Take one of vae or autoencoder."
            )
        return Coder(self._model, self.transform)

    def encode(self, items: Sequence[object]) -> list[dict[str, object]]:
        """Codes of items, as `predict` takes them: {"code"}, of a variational model the mean, with "log_variance", of a
        conditional one with the "label" that it was told.
        """
        coder = self.coder
        return self._in_parts(lambda some, before: self._coded(coder, some, before), items)

    def _coded(self, coder: Coder, items: Sequence[object], before: int) -> list[dict[str, object]]:
        columns = self.columns(items, first=before + 1)
        with _numbered(before):
            found = _encoded(coder, self.transform.encode(columns))
        found = {"code": found.pop("mean"), **found}
        answers: list[dict[str, object]] = [
            {name: row.tolist() for name, row in zip(found, rows, strict=True)}
            for rows in zip(*found.values(), strict=True)
        ]
        if self.class_column:
            answers = [{"label": label} | one for label, one in zip(columns[self.class_column], answers, strict=True)]
        return _warned(answers, self.transform.remarks(columns))

    def decode(self, codes: Sequence[object], *, label: Label | np.ndarray = None) -> list[dict[str, object]]:
        """What codes stand for: {"reconstruction"}, see `LatentAnswer.decode`. `label`: the class, of a conditional
        model, or one for each code.
        """
        rows, label = self.coder.checked(codes), listed(label)
        if isinstance(label, Sequence) and not isinstance(label, str) and len(label) != len(rows):
            raise InputError(f"label: expected one for each of {len(rows)} codes, got {len(label)}.")
        return _warned(self._made(rows, label), self.coder.remarks(rows))

    def generate(self, count: int = 1, *, seed: int = 0, label: str | None = None) -> list[dict[str, object]]:
        """New ones, from codes drawn from the prior: {"code", "reconstruction"}. The same seed, the same ones."""
        return self._of_codes(self.coder.drawn(count, seed), label)

    def between(self, first: object, second: object, *, steps: int = 8) -> list[dict[str, object]]:
        """From one item to another in `steps` even steps of their codes, both included: {"code", "reconstruction"}, and
        "warning" at an end whose input says little.
        """
        if not 2 <= steps <= MOST:
            raise InputError(f"steps={steps}: expected 2 to {MOST:,}, both ends included.")
        coder, columns = self.coder, columns_from([first, second], self.kinds)
        start, end = _encoded(coder, self.transform.encode(columns))["mean"]
        label = None
        if self.class_column:
            label, other = (str(one) for one in columns[self.class_column])
            if label != other:
                raise InputError(f"One item is {label!r}, the other {other!r}; expected two of one class.")
        shares = np.linspace(0, 1, steps, dtype=np.float32)[:, np.newaxis]
        made = self._of_codes((1 - shares) * start + shares * end, label)
        of_first, of_second = self.transform.remarks(columns)
        return _warned(made, [of_first, *[None] * (steps - 2), of_second])

    def _of_codes(self, codes: np.ndarray, label: str | None) -> list[dict[str, object]]:
        made = self._made(codes, label)
        return [{"code": code.tolist(), **one} for code, one in zip(codes, made, strict=True)]

    def _made(self, codes: np.ndarray, label: Label) -> list[dict[str, object]]:
        """What the decoder makes of codes, with the "label" that it was told; InputError where that is no finite
        number.
        """
        outputs = self.coder.decode(codes, label)
        _check_finite(outputs)
        made = self.answer.decode(outputs)
        if not self.class_column:
            return made
        labels = [label] * len(codes) if isinstance(label, str) or label is None else label
        return [{"label": told} | one for told, one in zip(labels, made, strict=True)]

    def _codes(self, transform: LatentInputs, columns: Columns, outputs: np.ndarray) -> list[dict[str, object]]:
        """The "code" of each row, the mean squared error of its reconstruction, and the class that the code tells."""
        inputs = transform.encode(columns)
        found = _encoded(self.coder, inputs)
        clean = take(inputs[transform.name], np.arange(len(outputs)))
        with np.errstate(over="ignore"):
            errors = np.square(clean - outputs).reshape(len(outputs), -1).mean(axis=1)
        _check_finite(errors)
        about = [
            {"code": code.tolist(), "mse": float(error)} for code, error in zip(found["mean"], errors, strict=True)
        ]
        if "probabilities" not in found:
            return about
        classes = ClassAnswer(self.answer.labels if isinstance(self.answer, LatentAnswer) else ())
        return [{**one, **two} for one, two in zip(classes.decode(found["probabilities"]), about, strict=True)]


def _encoded(coder: Coder, inputs: Mapping[str, np.ndarray | Rows]) -> dict[str, np.ndarray]:
    """What the encoder gives for encoded inputs; InputError where that is no finite number."""
    # An activation may make a finite number of an infinite one.
    _check_finite(*(rows for rows in inputs.values() if isinstance(rows, np.ndarray)))
    found = coder.encode(inputs)
    _check_finite(*found.values())
    return found


def _check_finite(*found: np.ndarray) -> None:
    """InputError for a row of any of the arrays, (rows, …) each, that is not of finite numbers."""
    for values in found:
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if not finite.all():
            raise InputError(
                f"Item {int(finite.argmin()) + 1}: the answer is no finite number, so a value lies far outside what "
                "the model was trained on. Correct it, or leave it out if it is not known."
            )


def _warned(answers: list[dict[str, object]], remarks: Sequence[str | None]) -> list[dict[str, object]]:
    for answer, remark in zip(answers, remarks, strict=True):
        if remark is not None:
            answer["warning"] = remark
    return answers


def load(
    run: str | Path,
    *,
    root: str | Path = ROOT,
    artefact: str = "tflite",
    threads: int = 1,
    search: Search | None = None,
) -> Predictor:
    """Load a run: a folder, or a recipe's name for its newest complete version in `root`.

    `artefact`: "tflite", or the name of another LiteRT file of the run ("int8", "float16", "dynamic"). `search`: how a
    translator looks for translations, the run's own way where it is None.
    Raises RunNotFoundError, RunError for a folder that is damaged or newer than this dlkit, and SettingsError for a
    search with what is no translator.
    """
    return Predictor(find_run(run, root), artefact=artefact, threads=threads, search=search)


@contextmanager
def _numbered(before: int) -> Iterator[None]:
    """Errors inside count the items from 1; what is said counts also those `before`."""
    try:
        yield
    except InputError as error:
        said = re.sub(r"^Item (\d+)", lambda found: f"Item {int(found[1]) + before}", str(error))
        raise InputError(said) from error


def network_in(
    path: Path, transform: Transform, answer: AnyAnswer, *, search: Search | None = None, threads: int = 1
) -> LiteRT | Translator:
    """A run's LiteRT file, loaded: its `run` takes encoded inputs, and gives what `answer` reads."""
    if isinstance(answer, SentenceAnswer):
        return Translator(path, answer, search=search, threads=threads)
    if search is not None:
        raise SettingsError("A search is for translations, and this run makes none. Leave out what belongs to it.")
    return LiteRT(path, threads=threads, widths=padded_widths(transform))


def padded_widths(transform: Transform) -> Sequence[int]:
    """What LiteRT is to pad a row of ids to, ascending: of a set, which has neither an order to keep nor a longest row.

    To look up some padding costs next to nothing, and few sizes stay in the processor's caches.
    """
    return [64 << doubled for doubled in range(11)] if isinstance(transform, MultiHotText | NgramText) else []


def load_transform(folder: Path) -> Transform:
    """The fitted preprocessing of a run."""
    return _transform_in(folder / ASSETS)


def _transform_in(assets: Path) -> Transform:
    settings = read_json(assets / "preprocessing.json")
    try:
        return _TRANSFORMS[str(settings["kind"])](assets, settings)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise _damaged(assets, error) from error


def load_answer(folder: Path) -> AnyAnswer:
    """The fitted task of a run."""
    assets = folder / ASSETS
    settings = read_json(assets / "answer.json")
    try:
        return _ANSWERS[str(settings["kind"])](settings)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(assets, error) from error


def _damaged(assets: Path, error: Exception) -> DlkitError:
    return RunError(f"{assets} is damaged ({type(error).__name__}: {error}). Run the recipe again.")
