"""What does a finished run say about a raw input, without TensorFlow?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dlkit.contracts import ColumnKind, Columns, Transform
from dlkit.errors import DlkitError, InputError, RunError
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.answers import AnyAnswer, ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.images import ImagePixels
from dlkit.inference.inputs import columns_from
from dlkit.inference.joined import JoinedTransform
from dlkit.inference.litert import LiteRT
from dlkit.inference.ngrams import NgramText
from dlkit.inference.runs import ASSETS, ROOT, artefact_path, check_assets, find_run, read_json, read_run
from dlkit.inference.sequences import SequenceText
from dlkit.inference.series import SeriesInputs
from dlkit.inference.tables import TableRows
from dlkit.inference.text import MultiHotText
from dlkit.inference.windows import ScaledWindows

_TRANSFORMS: dict[str, Callable[[Path, Mapping[str, object]], Transform]] = {
    MultiHotText.kind: MultiHotText.load,
    SequenceText.kind: SequenceText.load,
    NgramText.kind: NgramText.load,
    TableRows.kind: TableRows.load,
    ImagePixels.kind: ImagePixels.load,
    ScaledWindows.kind: ScaledWindows.load,
    SeriesInputs.kind: SeriesInputs.load,
    JoinedTransform.kind: lambda folder, settings: JoinedTransform.load(folder, settings, _transform_in),
}
_ANSWERS: dict[str, Callable[[Mapping[str, object]], AnyAnswer]] = {
    ClassAnswer.kind: ClassAnswer.load,
    ValueAnswer.kind: ValueAnswer.load,
    JointAnswer.kind: JointAnswer.load,
    AnomalyAnswer.kind: AnomalyAnswer.load,
    ForecastAnswer.kind: ForecastAnswer.load,
}


class Predictor:
    """A run, loaded: raw input in, answer out.

    `kinds`: the raw input columns. `choices`: known values of the category columns. `labels`: classes, empty
    for a regression. `network`: encoded inputs to the network's outputs. Not safe for use by several threads at once:
    give each its own, or a lock.
    """

    def __init__(self, folder: Path, *, artefact: str = "tflite", threads: int = 1) -> None:
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
        path = artefact_path(folder, run, artefact)
        self.network = LiteRT(path, threads=threads, widths=padded_widths(self.transform)).run

    def predict(self, items: Sequence[object]) -> list[dict[str, object]]:
        """Answers for items: strings for a text model, `{column: value}` for a table, paths, bytes or pixels for one of
        pictures; InputError for a bad one.

        A class: `{"label", "score", "probabilities": {label: float}}`; a number: `{"value", "name", "unit"}`;
        with "warning" where the answer rests on little.
        """
        if not len(items):
            return []
        columns = columns_from(items, self.kinds)
        return self.answers(columns, self.outputs(columns))

    def outputs(self, columns: Columns) -> np.ndarray:
        """Raw columns to the network's outputs, (rows, units) float32."""
        return self.network(self.transform.encode(columns))

    def answers(self, columns: Columns, outputs: np.ndarray) -> list[dict[str, object]]:
        """The network's outputs for raw columns as answers, with a warning where an answer rests on little."""
        with np.errstate(over="ignore"):
            finite = np.isfinite(self.answer.comparable(outputs)).all(axis=1)
            answers = self.answer.decode(outputs)
        if not finite.all():
            raise InputError(
                f"Item {int(finite.argmin()) + 1}: the answer is no finite number, so a value lies far outside what "
                "the model was trained on. Correct it, or leave it out if it is not known."
            )
        if isinstance(self.transform, SeriesInputs):
            times = self.transform.following(columns)
            answers = [{"time": one} | answer for one, answer in zip(times, answers, strict=True)]
        for answer, remark in zip(answers, self.transform.remarks(columns), strict=True):
            if remark is not None:
                answer["warning"] = remark
        return answers


def load(run: str | Path, *, root: str | Path = ROOT, artefact: str = "tflite", threads: int = 1) -> Predictor:
    """Load a run: a folder, or a recipe's name for its newest complete version in `root`.

    `artefact`: "tflite", or the name of another LiteRT file of the run ("int8", "float16", "dynamic").
    Raises RunNotFoundError, and RunError for a folder that is damaged or newer than this dlkit.
    """
    return Predictor(find_run(run, root), artefact=artefact, threads=threads)


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
