"""What does training and the model's behaviour look like?

Plots are drawn without pyplot, so no window system, figure registry or style of the user's matters, and carry
neither dates nor random ids: the same figures give the same bytes. Colours are those of Okabe and Ito (2008),
told apart with any colour vision. A task is one entry in `_DRAWINGS`.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dlkit.errors import SettingsError, did_you_mean
from dlkit.evaluation.anomaly_drawings import course, rankings, score_histogram
from dlkit.evaluation.drawings import (
    Drawing,
    confusion_matrix,
    fold_curve,
    learning_curves,
    residuals,
    roc,
    scatter,
    unit_in_training,
)
from dlkit.evaluation.forecast_drawings import spread_of_errors
from dlkit.evaluation.pages import write
from dlkit.evaluation.scores import Judged, Parts, Raw, by_name, task_of
from dlkit.evaluation.translation_drawings import bleu_by_length

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

_STYLE: dict[RcKeyType, object] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "white",
    # Text stays text: it can be read aloud and searched, and the viewer's fonts know scripts that ours do not.
    "svg.fonttype": "none",
    "svg.hashsalt": "dlkit",
    # A class called "$5" is no formula.
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Plot:
    """A picture on disk. `name`: stem of the file; `alt`: what it shows, for who cannot see it."""

    name: str
    title: str
    path: Path
    alt: str


def plot_all(
    task: str,
    answer: Judged,
    *,
    history: Sequence[Mapping[str, float]],
    targets: Raw,
    outputs: np.ndarray,
    folder: Path,
    fold_histories: Sequence[Sequence[Mapping[str, float]]] = (),
    more: Sequence[Callable[[], Drawing | None]] = (),
    file_format: Literal["svg", "png"] = "svg",
) -> list[Plot]:
    """All plots of a task, drawn into `folder`.

    `history`: a row an epoch, keys `epoch`, `loss`, `val_loss` and so on. `targets`: raw; `outputs`: of the
    network, both of the test rows. `fold_histories`: the histories of a k-fold validation, if there was one.
    `more`: what draws plots of this network alone; they come last.
    """
    unit = unit_in_training(answer)
    draws: list[Callable[[], Drawing | None]] = [
        partial(learning_curves, history, unit),
        partial(fold_curve, fold_histories, unit),
        *_of_answer(task, answer, targets, outputs),
        *more,
    ]
    return plot(draws, folder, file_format)


def _of_answer(task: str, answer: Judged, targets: Raw, outputs: np.ndarray) -> list[Callable[[], Drawing | None]]:
    """What is drawn of a task; of several answers, that of each, behind its name."""
    if isinstance(answer, Parts):
        raw, by_part = by_name(targets, answer), answer.split(outputs)
        return [
            partial(called, part, draw)
            for part, one in answer.parts.items()
            for draw in _of_answer(task_of(one), one, raw[part], by_part[part])
        ]
    if task not in _DRAWINGS:
        raise SettingsError(f"There are no plots for the task {task!r}.{did_you_mean(task, _DRAWINGS)}")
    return [partial(draw, answer, np.asarray(targets), outputs) for draw in _DRAWINGS[task]]


def called(part: str, draw: Callable[[], Drawing | None]) -> Drawing | None:
    """A drawing behind the name of the one of several answers that it is about."""
    drawing = draw()
    if drawing is None:
        return None
    return replace(drawing, name=f"{slug(part)}_{drawing.name}", title=f"{part}: {drawing.title}")


def slug(name: str) -> str:
    """A name as a file may have it."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower() or "answer"


def plot(
    draws: Sequence[Callable[[], Drawing | None]], folder: Path, file_format: Literal["svg", "png"] = "svg"
) -> list[Plot]:
    """Draw and save those that have something to show, all in one style."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        drawings = [draw() for draw in draws]
        return [_save(drawing, folder, file_format) for drawing in drawings if drawing is not None]


def _save(drawing: Drawing, folder: Path, file_format: Literal["svg", "png"]) -> Plot:
    file_format = drawing.file_format or file_format
    FigureCanvasAgg(drawing.figure)
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if file_format == "svg" else {"Software": None}
    with warnings.catch_warnings():
        # Class names may be in any script; the viewer of an SVG has the fonts that are missing here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        drawing.figure.savefig(buffer, format=file_format, dpi=140, bbox_inches="tight", metadata=metadata)
    path = write(folder / f"{drawing.name}.{file_format}", buffer.getvalue())
    return Plot(drawing.name, drawing.title, path, drawing.alt)


_DRAWINGS: dict[str, tuple[Callable[[Judged, np.ndarray, np.ndarray], Drawing | None], ...]] = {
    "classification": (confusion_matrix, roc),
    "regression": (scatter, residuals),
    "anomaly": (score_histogram, rankings, course),
    "forecasting": (spread_of_errors,),
    "generation": (),  # drawn by the model itself, see `latent_drawings`
    "reconstruction": (),
    "translation": (bleu_by_length,),
}
