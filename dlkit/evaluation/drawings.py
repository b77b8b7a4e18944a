"""How is each plot drawn, and what does it say in words?

Every drawing comes with a text of what it shows. Those that have nothing to show are None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import roc_auc_score, roc_curve

from dlkit.evaluation.histories import by_member
from dlkit.evaluation.pages import figure as number
from dlkit.evaluation.pages import shortened
from dlkit.evaluation.scores import Judged, Values, classes_of, confusion, values_of

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#595959"
MOST_CLASSES = 50
"""Classes that a confusion matrix can show with readable names."""
MANY_POINTS = 2_000
_IN_UNIT = frozenset({"mae", "mean_absolute_error"})
_NO_METRIC = frozenset({"epoch", "seconds", "learning_rate", "lr"})


@dataclass(frozen=True)
class Drawing:
    """A figure in memory. `alt`: what it shows, for who cannot see it. `file_format`: where only one does, such as
    "png" for photographs.
    """

    name: str
    title: str
    alt: str
    figure: Figure
    file_format: Literal["svg", "png"] | None = None


def learning_curves(history: Sequence[Mapping[str, float]], unit: str = "") -> Drawing | None:
    """Each metric by epoch, for training and validation rows, with the epoch of the lowest validation loss marked.

    `unit`: of a mean absolute error. Each member of an ensemble has a line of its own.
    """
    histories = by_member(history)
    metrics = {member: _metrics(own) for member, own in histories.items()}
    if not all(metrics.values()):
        return None
    columns = min(max(map(len, metrics.values())), 3)
    lines = {member: -(-len(own) // columns) for member, own in metrics.items()}
    size = (max(4.2 * columns, 5.6), 3.1 * sum(lines.values()))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(sum(lines.values()), columns, squeeze=False)
    first = 0
    for member, own in histories.items():
        panels = grid[first : first + lines[member]].flat
        for metric, axes in zip([*metrics[member], *[""] * len(panels)], panels, strict=False):
            if metric:
                _curve(axes, own, metric, unit, member)
            else:
                axes.remove()
        first += lines[member]
    alt = " ".join(_in_words(own, metrics[member], member) for member, own in histories.items())
    return Drawing("learning_curves", "Learning curves", alt, figure)


def _metrics(history: Sequence[Mapping[str, float]]) -> list[str]:
    return [key for key in (history[0] if history else {}) if key not in _NO_METRIC and not key.startswith("val_")]


def _curve(axes: Axes, history: Sequence[Mapping[str, float]], metric: str, unit: str, member: str) -> None:
    epochs = _epochs(history)
    # One epoch is a point, and a line of one point is invisible.
    marker = "o" if len(epochs) <= 30 else ""
    axes.plot(epochs, _column(history, metric), marker=marker, markersize=4, color=BLUE, label="training")
    validation = _column(history, f"val_{metric}")
    if np.isfinite(validation).any():
        axes.plot(epochs, validation, "--", marker=marker, markersize=4, color=ORANGE, label="validation")
    if (best := _best_epoch(history)) is not None:
        axes.axvline(best, color=GREY, linewidth=1, linestyle=":", label=f"best epoch ({best:g})")
    title = f"{shortened(member, 30)}: {metric}" if member else metric
    axes.set(title=f"{title} ({unit})" if unit and metric in _IN_UNIT else title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8)


def fold_curve(histories: Sequence[Sequence[Mapping[str, float]]], unit: str = "") -> Drawing | None:
    """The validation error by epoch: mean over the folds, and one standard deviation to each side.

    The first epochs are left out where they are off the scale of the rest and would press the curve flat.
    """
    length = min((len(history) for history in histories), default=0)
    names = ("val_mae", "val_mean_absolute_error", "val_loss")
    metric = next((name for name in names if length and name in histories[0][0]), None)
    if metric is None:
        return None
    values = np.array([_column(history[:length], metric) for history in histories])
    mean, spread = values.mean(axis=0), values.std(axis=0)
    shown = mean <= 1.5 * np.median(mean)
    first = min(int(shown.argmax()), length // 2)
    epochs = np.arange(1, length + 1)[first:]
    best = int(mean.argmin()) + 1
    figure, axes = _one()
    low, high = (mean - spread)[first:], (mean + spread)[first:]
    axes.fill_between(epochs, low, high, color=BLUE, alpha=0.2, linewidth=0, label="one standard deviation")
    axes.plot(epochs, mean[first:], color=BLUE, label=f"mean of {len(values)} folds")
    axes.axvline(best, color=GREY, linewidth=1, linestyle=":", label=f"lowest mean (epoch {best})")
    name = metric.removeprefix("val_")
    left_out = f" (first {first} left out: off the scale)" if first else ""
    axes.set(
        xlabel=f"epoch{left_out}", ylabel=f"validation {name}" + (f" ({unit})" if unit and name in _IN_UNIT else "")
    )
    axes.legend(fontsize=8)
    alt = (
        f"Validation {name} by epoch over {len(values)} folds: lowest at epoch {best} with {number(mean[best - 1])} "
        f"± {number(spread[best - 1])}, at the end {number(mean[-1])} ± {number(spread[-1])}."
    )
    return Drawing("folds", f"K-fold validation: {name} by epoch", alt, figure)


def confusion_matrix(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> Drawing:
    """Truth by answer: counts where they fit, colour by the share of the true class."""
    table = confusion(classes_of(answer), targets, outputs)
    every, counts = len(table.labels), table.counts
    largest = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MOST_CLASSES])
    shown = counts[np.ix_(largest, largest)]
    labels = [shortened(table.labels[index], 24) or "(empty)" for index in largest]
    share = shown / np.maximum(counts.sum(axis=1)[largest], 1)[:, None]
    classes = len(labels)
    side = float(np.clip(2.6 + 0.42 * classes, 3.6, 11.5))
    figure = Figure(figsize=(side * 1.1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    font = 9 if classes <= 25 else 6.5
    upright = classes > 6 or max(map(len, labels)) > 8
    axes.set_xticks(range(classes), labels, fontsize=font, rotation=90 if upright else 0)
    axes.set_yticks(range(classes), labels, fontsize=font)
    axes.grid(visible=False)
    axes.set(xlabel="answer of the network", ylabel="truth")
    _write_counts(axes, shown, share, font if classes <= 20 else 4.5)
    figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03).set_label("share of the true class", fontsize=9)
    title = "Confusion matrix" + (f" (the {MOST_CLASSES} largest of {every} classes)" if every > classes else "")
    wrong = counts - np.diag(np.diag(counts))
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    alt = f"{np.trace(counts):,} of {counts.sum():,} rows lie on the diagonal."
    if wrong.any():
        alt += f" The most frequent mistake: {table.labels[row]} answered as {table.labels[column]}, {wrong.max():,} x."
    return Drawing("confusion", title, shortened(alt, 300), figure)


def _write_counts(axes: Axes, counts: np.ndarray, share: np.ndarray, font: float) -> None:
    """Of many classes only what is not 0, with lines to follow: a dark cell may be one row or a thousand."""
    many = len(counts) > 20
    for (row, column), count in np.ndenumerate(counts):
        if count or not many:
            colour = "white" if share[row, column] > 0.55 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=font)
    if many:
        between = np.arange(0.5, len(counts) - 1)
        axes.set_xticks(between, minor=True)
        axes.set_yticks(between, minor=True)
        axes.grid(which="minor", color="#e3e3e3", linewidth=0.4)
        axes.tick_params(which="minor", length=0)


def roc(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> Drawing | None:
    """True against false positive rate of the second of two classes; None unless both occur."""
    labels = classes_of(answer).labels
    if len(labels) != 2 or {str(target) for target in targets} != set(labels):
        return None
    positive = np.array([str(target) == labels[1] for target in targets])
    scores = classes_of(answer).probabilities(outputs)[:, 1]
    false_rate, true_rate, _ = roc_curve(positive, scores)
    area = float(roc_auc_score(positive, scores))
    figure, axes = _one(square=True)
    axes.plot(false_rate, true_rate, color=BLUE, label=f"network (area {area:.4f})", rasterized=False)
    axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1, label="chance (area 0.5)")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    axes.legend(loc="lower right", fontsize=8)
    name = shortened(labels[1], 24)
    return Drawing("roc", f"ROC curve of class “{name}”", f"The area under the curve is {area:.4f}.", figure)


def scatter(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> Drawing:
    """Predicted against true values, with the line of perfect answers."""
    values = values_of(answer).values(outputs)
    low, high = float(min(targets.min(), values.min())), float(max(targets.max(), values.max()))
    limits = _padded(low, high, 0.04)
    figure, axes = _one(square=True)
    # Thousands of vector points make a file that viewers choke on.
    many = len(targets) > MANY_POINTS
    axes.scatter(
        targets, values, s=8 if many else 16, alpha=0.3 if many else 0.6, color=BLUE, linewidth=0, rasterized=many
    )
    axes.plot(limits, limits, "--", color=GREY, linewidth=1, label="perfect answer")
    what = _quantity(answer)
    axes.set(xlabel=f"true {what}", ylabel=f"predicted {what}", xlim=limits, ylim=limits)
    axes.set_aspect("equal")
    axes.legend(loc="upper left", fontsize=8)
    alt = f"{len(targets):,} rows; true values from {number(float(targets.min()))} to {number(float(targets.max()))}, "
    alt += f"predictions from {number(float(values.min()))} to {number(float(values.max()))}."
    return Drawing("predicted_against_true", "Predicted against true values", alt, figure)


def residuals(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> Drawing:
    """How the errors spread: prediction minus truth."""
    errors = values_of(answer).values(outputs) - targets
    figure, axes = _one()
    bins = int(np.clip(2 * np.sqrt(len(errors)), 5, 60))
    limits = _padded(float(errors.min()), float(errors.max()), 0.0)
    axes.hist(errors, bins=bins, range=limits, color=BLUE, edgecolor="white", linewidth=0.5)
    axes.axvline(0, color=GREY, linewidth=1, linestyle="--", label="no error")
    mean = float(errors.mean())
    axes.axvline(mean, color=ORANGE, linewidth=1.5, label=f"mean error ({number(mean)})")
    axes.set(xlabel=f"predicted minus true {_quantity(answer)}", ylabel="rows")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8)
    alt = f"Errors have mean {number(mean)} and standard deviation {number(float(errors.std()))}; "
    alt += f"the largest is {number(float(np.abs(errors).max()))}."
    return Drawing("residuals", "Errors", alt, figure)


def _one(*, square: bool = False) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, 4.6) if square else (5.6, 3.4), layout="constrained")
    return figure, figure.subplots()


def unit_in_training(answer: Judged) -> str:
    """The unit of errors while training: the network may learn a target that is scaled."""
    if not isinstance(answer, Values):
        return ""
    scaled = getattr(answer, "scale", 1.0) != 1.0
    return "standard deviations" if scaled else shortened(answer.unit, 20)


def _padded(low: float, high: float, share: float) -> tuple[float, float]:
    """The limits of an axis, wide enough to draw on where all values are nearly one."""
    least = 1e-6 * max(abs(low), abs(high)) or 1.0
    pad = share * (high - low) if high - low > least else least
    return low - pad, high + pad


def _quantity(answer: Judged) -> str:
    value = values_of(answer)
    name, unit = shortened(value.name, 40) or "value", shortened(value.unit, 20)
    return f"{name} ({unit})" if unit else name


def _column(history: Sequence[Mapping[str, float]], name: str) -> np.ndarray:
    return np.array([row.get(name, np.nan) for row in history], np.float64)


def _epochs(history: Sequence[Mapping[str, float]]) -> np.ndarray:
    return np.array([row.get("epoch", index) for index, row in enumerate(history, start=1)])


def _best_epoch(history: Sequence[Mapping[str, float]]) -> float | None:
    losses = _column(history, "val_loss")
    return float(_epochs(history)[np.nanargmin(losses)]) if np.isfinite(losses).any() else None


def _in_words(history: Sequence[Mapping[str, float]], metrics: Sequence[str], member: str) -> str:
    best = _best_epoch(history)
    ends = []
    for metric in metrics:
        last = [number(float(history[-1][key])) for key in (metric, f"val_{metric}") if key in history[-1]]
        ends.append(f"{metric} ends at " + " in training and ".join(last) + (" in validation" if last[1:] else ""))
    lowest = f" The validation loss is lowest at epoch {best:g}." if best is not None else ""
    over = f"{shortened(member, 30)}, over" if member else "Over"
    return f"{over} {len(history)} epoch{'s' if len(history) != 1 else ''}: {'; '.join(ends)}.{lowest}"
