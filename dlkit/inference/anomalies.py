"""Is a window or a row unusual, how sure is that, and which channel and moment made it so?

The path of a decision, numpy only::

    residuals ──usual_errors (held-out normal)──▶ level ──scores──▶ score ──threshold──▶ anomaly
     input − reconstruction                                   └──contributions──▶ which channel, which moment

`residuals`: (rows, window, channels) float32, or (rows, channels) of a table, on the scale of the network. A score is
the mean squared residual in units of what is usual for its channel on held-out normal rows: about 1 for a normal
window, and comparable between models and streams.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.errors import DataError, SettingsError
from dlkit.inference.runs import write_json

Rule = Literal["quantile", "extreme", "best_f1"]
RULES: tuple[Rule, ...] = ("quantile", "extreme", "best_f1")
MOST_SHOWN = 1e12
"""Scores end here: a residual so large that its square overflows still gives a number, and an alarm."""
_SHARES = np.linspace(0, 1, 201)
_FEWEST_PEAKS = 20
_ROUNDING = 1e-8
"""Of a residual that is a thousand times as large as numbers near 1 are rounded in 32 bits, its square."""
_LEAST = 1e-3
"""The lowest threshold, in usual errors: what lies below is rounding, which differs from artefact to artefact."""


def usual_errors(residuals: np.ndarray) -> np.ndarray:
    """(channels,) float64 mean squared residual of held-out normal rows, the unit in which scores count.

    A channel that is always reproduced exactly is given a millionth of the mean of the others (1e-8 where all are), so
    that the first deviation counts as large and nothing is divided by 0, nor is rounding taken for a deviation.
    """
    squares = np.square(np.asarray(residuals, np.float64))
    level = squares.mean(axis=tuple(range(squares.ndim - 1)))
    if not np.isfinite(level).all():
        raise DataError(
            "The model's errors on the held-out normal rows are not finite, so no threshold can be set. The training "
            "diverged, or the rows hold infinities: train again with a lower learning rate, or correct the rows."
        )
    return np.maximum(level, max(1e-6 * float(level.mean()), _ROUNDING))


def contributions(residuals: np.ndarray, level: np.ndarray, *, newest: int = 0) -> np.ndarray:
    """As `residuals`, float64: what each element adds to the score of its row; they sum to `scores`.

    `newest`: only so many rows at the end of a window count, the others are context; 0: all count alike.
    """
    with np.errstate(over="ignore"):
        parts = np.square(np.asarray(residuals, np.float64)) / level
    parts = np.fmin(parts, MOST_SHOWN)  # which also takes it for a NaN
    if parts.ndim == 3 and 0 < newest < parts.shape[1]:
        parts[:, :-newest] = 0
        return parts / (newest * parts.shape[2])
    return parts / math.prod(parts.shape[1:])


def scores(residuals: np.ndarray, level: np.ndarray, *, newest: int = 0) -> np.ndarray:
    """(rows,) float64 of at least 0: mean squared residual in units of `level` (`usual_errors`)."""
    residuals = np.asarray(residuals)
    if residuals.ndim == 3 and newest:
        residuals = residuals[:, -newest:]
    parts = contributions(residuals, level)
    return parts.sum(axis=tuple(range(1, parts.ndim)))


@dataclass(frozen=True)
class Tail:
    """The upper tail of normal scores: a generalised Pareto distribution of what lies above `start`.

    P(score > s) = `share` (1 + `shape` (s − `start`) / `scale`)^(−1 / `shape`) (Pickands 1975; Coles 2001, eq. 4.10).
    `share`: of rows, or of events where peaks were declustered, above `start`.
    """

    start: float
    share: float
    scale: float
    shape: float

    def probability(self, found: np.ndarray) -> np.ndarray:
        """(rows,) in [0, `share`]: how often a normal score is this high or higher; `share` at `start` and below."""
        excess = np.maximum(np.asarray(found, np.float64) - self.start, 0)
        if not self.scale:
            return np.where(excess > 0, 0.0, self.share)
        if abs(self.shape) < 1e-9:
            return self.share * np.exp(-excess / self.scale)
        return self.share * np.maximum(1 + self.shape * excess / self.scale, 0) ** (-1 / self.shape)

    def threshold(self, rate: float) -> float:
        """The score that normal rows exceed with probability `rate`, at least `start` (Siffer et al. 2017, eq. 1)."""
        if not self.scale or rate >= self.share:
            return self.start
        if abs(self.shape) < 1e-9:
            return self.start + self.scale * math.log(self.share / rate)
        return self.start + self.scale / self.shape * ((self.share / rate) ** self.shape - 1)


def fit_tail(normal: np.ndarray, *, quantile: float = 0.98, gap: int = 0) -> Tail:
    """The tail of the scores of held-out normal rows above their `quantile`, or above a lower one that leaves 20 peaks.

    `gap`: 0 counts each row. Scores of overlapping windows come in bursts; with `gap` of 1 or more, exceedances that
    lie at most so many rows apart are one event, of which the highest counts, and rates are events per row.
    """
    normal = _finite(normal)
    start = float(np.quantile(normal, min(quantile, max(1 - _FEWEST_PEAKS / len(normal), 0.5))))
    above = np.flatnonzero(normal > start)
    if not len(above):
        return Tail(start, 0.0, 0.0, 0.0)
    # Every row is a group of its own where gap is 0: neighbours are 1 apart.
    first = np.concatenate([[0], np.flatnonzero(np.diff(above) > gap) + 1])
    peaks = np.maximum.reduceat(normal[above], first) - start
    from scipy.stats import genpareto

    unit = float(peaks.mean())
    # More than a shape of 1 has no mean: the fit to few peaks, and a threshold that nothing reaches.
    shape, _, scale = genpareto.fit(peaks / unit, 0.1, floc=0, scale=1.0) if len(peaks) >= 10 else (0.0, 0.0, 1.0)
    if not (math.isfinite(shape) and math.isfinite(scale) and -0.5 <= shape <= 1 and scale > 0):
        shape, scale = 0.0, 1.0
    return Tail(start, len(peaks) / len(normal), float(scale) * unit, float(shape))


def quantile_threshold(normal: np.ndarray, quantile: float = 0.999) -> float:
    """The score below which `quantile` of the held-out normal rows lie."""
    return float(np.quantile(_finite(normal), quantile))


def extreme_threshold(normal: np.ndarray, rate: float, *, gap: int = 0) -> float:
    """The score that normal rows exceed with probability `rate`, beyond what was observed: see `fit_tail`."""
    return fit_tail(normal, quantile=_tail_for(rate), gap=gap).threshold(rate)


def _tail_for(rate: float) -> float:
    """The quantile at which a tail begins: not beyond the rate that is asked for, of which enough was seen there."""
    return min(0.98, 1 - rate)


def check_both_kinds(labels: np.ndarray) -> None:
    """DataError unless labelled rows, (rows,) bool, are anomalies in part and in part not."""
    if labels.all() or not labels.any():
        raise DataError(
            f"best_f1 needs labelled rows of both kinds, got {int(labels.sum())} anomalies of {len(labels)} labelled "
            "rows held out. Name the column of labels (data.label), or choose the rule 'extreme' or 'quantile' "
            "(task.rule), which need normal rows alone."
        )


def best_f1_threshold(found: np.ndarray, labels: np.ndarray) -> float:
    """The threshold with the best F1 of `found > threshold` against `labels` (rows,) bool, with both kinds there.

    It lies half way between the two scores that it separates. Rows other than the test rows must choose it.
    """
    labels = np.asarray(labels, bool)
    check_both_kinds(labels)
    found = _finite(found)
    order = np.argsort(-found, kind="stable")
    ranked, hits = found[order], np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + labels.sum())
    # Equal scores stand on the same side of any threshold.
    f1[:-1][ranked[:-1] == ranked[1:]] = -1
    last = int(f1.argmax())
    below = ranked[last + 1] if last + 1 < len(ranked) else ranked[last] - 1
    return float((ranked[last] + below) / 2)


def events(flags: np.ndarray, *, gap: int = 0) -> np.ndarray:
    """(events, 2) int64: first row of each run of True and the row after its last; runs `gap` rows apart are one."""
    rows = np.flatnonzero(flags)
    if not len(rows):
        return np.zeros((0, 2), np.int64)
    breaks = np.flatnonzero(np.diff(rows) > gap + 1)
    return np.stack([rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, len(rows) - 1]] + 1], axis=1)


@dataclass(frozen=True)
class AnomalyAnswer:
    """A fitted decision. Outputs of the network are residuals: (rows, window, channels), or (rows, channels).

    `channels`: names, in the order of the last axis. `newest`: see `contributions`; `level`: see `usual_errors`.
    `normal`: scores of held-out normal rows at 201 even shares from 0 to 1; `tail`: their upper end. `rule`, `rate`:
    how `threshold` was set, see `calibrated`. `rows_a_week`: of a stream; 0 where rows are by themselves.
    """

    channels: tuple[str, ...]
    window: int = 1
    newest: int = 0
    level: tuple[float, ...] = ()
    threshold: float = math.inf
    rule: Rule = "extreme"
    normal: tuple[float, ...] = ()
    tail: Tail = Tail(0.0, 0.0, 0.0, 0.0)
    rate: float = 1e-3
    rows_a_week: float = 0.0

    kind = "anomaly"
    width = 1

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise SettingsError(f"task.rule: expected one of {', '.join(RULES)}, got {self.rule!r}.")
        if self.newest < 0:
            raise SettingsError(f"task.newest: expected a number of rows, 0 for all of a window, got {self.newest}.")

    def calibrated(self, residuals: np.ndarray, *, rate: float = 1e-3, gap: int = 0) -> AnomalyAnswer:
        """The same answer, its unit, tail and threshold taken from `residuals` of held-out normal rows in time order.

        `rate`: share of normal rows ("extreme" with `gap`: events a row) that may be above the threshold: quantile
        1 − `rate`, or where the tail says so. Under the rule "best_f1" this is the first threshold, until
        `with_best_f1` has seen labels.
        """
        if not len(residuals):
            raise DataError("There are no held-out normal rows to set the threshold by. Give more rows.")
        if not 0 < rate < 1:
            raise SettingsError(f"task.rate: expected a share between 0 and 1, got {rate}.")
        shaped = self._shaped(residuals)
        level = usual_errors(shaped[:, -self.newest :] if shaped.ndim == 3 else shaped)
        found = scores(shaped, level, newest=self.newest)
        tail = fit_tail(found, quantile=_tail_for(rate), gap=gap)
        threshold = quantile_threshold(found, 1 - rate) if self.rule == "quantile" else tail.threshold(rate)
        return replace(
            self,
            level=tuple(level.tolist()),
            threshold=max(threshold, _LEAST),
            normal=tuple(np.quantile(found, _SHARES).tolist()),
            tail=fit_tail(found),
            rate=rate,
        )

    def with_best_f1(self, residuals: np.ndarray, labels: np.ndarray) -> AnomalyAnswer:
        """The same answer, its threshold the one of best F1 on labelled rows (`labels`: (rows,) bool)."""
        return replace(self, threshold=best_f1_threshold(self.scores(residuals), labels), rule="best_f1")

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Residuals to (rows,) float64 scores."""
        return scores(self._shaped(outputs), self._level, newest=self.newest)

    def decisions(self, found: np.ndarray) -> np.ndarray:
        """(rows,) scores to (rows,) bool: an anomaly?"""
        return np.asarray(found) > self.threshold

    def rarity(self, found: np.ndarray) -> np.ndarray:
        """(rows,) in [0, 1]: how often a normal row has such a score or a higher one; the tail beyond what was seen."""
        found = np.asarray(found, np.float64)
        if not self.normal:
            return np.ones(len(found))
        body = 1 - np.interp(found, np.maximum.accumulate(self.normal), np.linspace(0, 1, len(self.normal)))
        return np.where(found > self.tail.start, self.tail.probability(found), body)

    def decode(self, outputs: np.ndarray) -> list[dict[str, object]]:
        """Residuals to an object a row: {"score", "threshold", "anomaly", "rarity", "channels", "moments"}.

        "channels": name to share of the score, in [0, 1] and summing to 1. "moments", of a window: such shares from
        the oldest row to the newest.
        """
        parts = contributions(self._shaped(outputs), self._level, newest=self.newest)
        found = parts.sum(axis=tuple(range(1, parts.ndim)))
        rarity, flags = self.rarity(found), self.decisions(found)
        shares = parts / np.maximum(found, np.finfo(np.float64).tiny).reshape(-1, *[1] * (parts.ndim - 1))
        by_channel = shares.sum(axis=tuple(range(1, shares.ndim - 1))).tolist()
        by_moment = shares.sum(axis=2).tolist() if self.window > 1 else []
        answers: list[dict[str, object]] = []
        for row, score in enumerate(found.tolist()):
            answers.append(
                {
                    "score": score,
                    "threshold": self.threshold,
                    "anomaly": bool(flags[row]),
                    "rarity": float(rarity[row]),
                    "channels": dict(zip(self.channels, by_channel[row], strict=True)),
                }
            )
            if by_moment:
                answers[-1]["moments"] = by_moment[row]
        return answers

    def judged(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[int, dict[str, float]]]:
        """Residuals to (rows,) scores, (rows,) decisions, and of alarms, by their row, the "channels" of `decode`."""
        shaped = self._shaped(outputs)
        parts = contributions(shaped[:, -self.newest :] if self.window > 1 else shaped, self._level)
        found = parts.sum(axis=tuple(range(1, parts.ndim)))
        alarms = self.decisions(found)
        if not alarms.any():
            return found, alarms, {}
        shares = parts[alarms].sum(axis=tuple(range(1, parts.ndim - 1)))
        shares /= np.maximum(found[alarms, np.newaxis], np.finfo(np.float64).tiny)
        named = [dict(zip(self.channels, row, strict=True)) for row in shares.tolist()]
        return found, alarms, dict(zip(np.flatnonzero(alarms).tolist(), named, strict=True))

    def comparable(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, 1) log(1 + score): 1e-4 is a ten thousandth of a score, whatever its size; NaN for a bad output."""
        shaped = self._shaped(outputs)
        finite = np.isfinite(shaped).all(axis=tuple(range(1, shaped.ndim)))
        return np.where(finite, np.log1p(self.scores(outputs)), np.nan)[:, None]

    def agrees(self, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(rows,) bool, from two results of `comparable`: the same decision, or scores equal to a thousandth?"""
        edge = math.log1p(self.threshold)
        return ((ours > edge) == (theirs > edge))[:, 0] | (np.abs(ours - theirs) <= 1e-3)[:, 0]

    def settings(self) -> dict[str, object]:
        """What `load` takes."""
        return {"kind": self.kind, **asdict(self)}

    def save(self, folder: Path) -> None:
        write_json(folder / "answer.json", self.settings())

    @classmethod
    def load(cls, settings: Mapping[str, object]) -> AnomalyAnswer:
        own = {name: settings[name] for name in cls.__dataclass_fields__}
        tail = own["tail"]
        if not isinstance(tail, dict):
            raise TypeError("tail is a JSON object")
        for name in ("channels", "level", "normal"):
            own[name] = tuple(_list(own[name]))
        return cls(**{**own, "tail": Tail(**tail)})  # type: ignore[arg-type]  # as `settings` wrote them

    @cached_property
    def _level(self) -> np.ndarray:
        return np.array(self.level)

    def _shaped(self, outputs: np.ndarray) -> np.ndarray:
        """(rows, window, channels), whatever an artefact made of the last two axes; (rows, channels) of a table."""
        outputs = np.asarray(outputs)
        last = (len(self.channels),) if self.window == 1 else (self.window, len(self.channels))
        return outputs.reshape(len(outputs), *last)


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise TypeError("expected a JSON list")
    return value


def _finite(found: np.ndarray) -> np.ndarray:
    found = np.asarray(found, np.float64)
    if not len(found) or not np.isfinite(found).all():
        raise DataError(
            f"Scores of {len(found)} rows, {int(np.sum(~np.isfinite(found)))} of them not finite, set no threshold. "
            "Give rows without missing and infinite values."
        )
    return found
