"""How are the scores of a search for anomalies drawn: their distribution, their ranking, their course?"""

from __future__ import annotations

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from dlkit.evaluation.anomaly_figures import is_known
from dlkit.evaluation.drawings import BLUE, GREY, ORANGE, Drawing
from dlkit.evaluation.pages import figure as number
from dlkit.evaluation.scores import Judged, alarms_of
from dlkit.inference.anomalies import AnomalyAnswer, events
from dlkit.inference.windows import ANOMALY, NORMAL

_BINS = 40
_MOST_POINTS = 4_000


def score_histogram(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> Drawing:
    """Scores of normal and anomalous rows, on a logarithmic axis, with the threshold."""
    answer = alarms_of(answer)
    scores, known = _positive(answer.scores(outputs)), is_known(targets).any()
    normal = targets == NORMAL if known else np.ones(len(targets), bool)
    odd = targets == ANOMALY
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    ends = np.array([*scores[[scores.argmin(), scores.argmax()]], max(answer.threshold, scores.min())])
    edges = np.geomspace(ends.min() / 1.05, ends.max() * 1.05, _BINS).tolist()
    axes.hist(scores[normal], edges, color=BLUE, alpha=0.75, label="normal" if known else "not labelled")
    if odd.any():
        axes.hist(scores[odd], edges, color=ORANGE, alpha=0.75, label="anomaly")
    axes.axvline(answer.threshold, color=GREY, linestyle="--", label=f"threshold {number(answer.threshold)}")
    axes.set(xscale="log", xlabel="score (1: as large as a normal error)", ylabel="test rows")
    _plain(axes.xaxis)
    axes.legend()
    above = [f"{share:.1%} of {who} rows" for who, share in _above(answer, scores, targets).items()]
    return Drawing("scores", "Scores", f"Above the threshold {number(answer.threshold)}: {', '.join(above)}.", figure)


def rankings(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> Drawing | None:
    """ROC and precision-recall curves of the score; None without rows of both kinds."""
    answer, known = alarms_of(answer), is_known(targets)
    labels = targets[known] == ANOMALY
    if not labels.any() or labels.all():
        return None
    scores = answer.scores(outputs)[known]
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    false, true, _ = roc_curve(labels, scores)
    left.plot(false, true, color=BLUE)
    left.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
    left.set(xlabel="share of normal rows above", ylabel="share of anomalies above", aspect="equal")
    precision, recall, _ = precision_recall_curve(labels, scores)
    right.plot(recall, precision, color=BLUE)
    right.axhline(labels.mean(), color=GREY, linestyle=":", linewidth=1)
    right.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    chosen = scores > answer.threshold
    if chosen.any():
        at = (labels & chosen).sum()
        right.plot(at / labels.sum(), at / chosen.sum(), "o", color=ORANGE, label="at the threshold")
        left.plot((~labels & chosen).sum() / (~labels).sum(), at / labels.sum(), "o", color=ORANGE)
        right.legend(loc="lower left")
    area, average = roc_auc_score(labels, scores), average_precision_score(labels, scores)
    alt = f"Area under the ROC curve {area:.3f}, average precision {average:.3f}."
    return Drawing("rankings", "How scores rank anomalies", alt, figure)


def course(answer: Judged, targets: np.ndarray, outputs: np.ndarray) -> Drawing | None:
    """The score over the rows of a stream, with labelled anomalies shaded; None for rows by themselves."""
    answer = alarms_of(answer)
    if not answer.rows_a_week:
        return None
    scores = _positive(answer.scores(outputs))
    figure = Figure(figsize=(8.4, 3.0), layout="constrained")
    axes = figure.subplots()
    # Of many rows the highest of each few is drawn: a mean would hide the peaks.
    few = max(1, -(-len(scores) // _MOST_POINTS))
    starts = np.arange(0, len(scores), few)
    days = starts * 7 / answer.rows_a_week
    axes.plot(days, np.maximum.reduceat(scores, starts), color=BLUE, linewidth=1)
    axes.axhline(answer.threshold, color=GREY, linestyle="--", label=f"threshold {number(answer.threshold)}")
    inside, width = np.maximum.reduceat((targets == ANOMALY).astype(np.int8), starts), few * 7 / answer.rows_a_week
    for place, (first, last) in enumerate(events(inside.astype(bool))):
        name = "_" if place else "labelled anomaly"  # which stands in the legend once
        axes.axvspan(days[first], days[last - 1] + width, color=ORANGE, alpha=0.25, label=name)
    axes.set(yscale="log", xlabel="days of the test rows", ylabel="score")
    _plain(axes.yaxis)
    axes.legend(loc="upper left")
    alarms = int((scores > answer.threshold).sum())
    return Drawing("course", "Score over time", f"{alarms} of {len(scores)} rows lie above the threshold.", figure)


def _plain(axis: Axis) -> None:
    """A logarithmic axis with 0.1, 0.2, 0.5 and so on: the plots' style reads no formulas, as powers of ten are."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _above(answer: AnomalyAnswer, scores: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    kinds = {"normal": targets == NORMAL, "anomalous": targets == ANOMALY}
    if not is_known(targets).any():
        kinds = {"all": np.ones(len(targets), bool)}
    return {who: float((scores[rows] > answer.threshold).mean()) for who, rows in kinds.items() if rows.any()}


def _positive(scores: np.ndarray) -> np.ndarray:
    """Scores as a logarithmic axis can show them."""
    above = scores[scores > 0]
    return np.maximum(scores, above.min() if len(above) else 1e-12)
