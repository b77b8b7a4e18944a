"""Which autoencoder finds more of NAB's events than a windowed Gaussian and an isolation forest do?

    DLKIT_DATA=DIR python benchmarks/nab.py [--models pca,dense,…] [--hours 24] [--seeds 0,1]
    DLKIT_DATA=DIR python benchmarks/nab.py --models pca --choose hours=6,12,24,48 --choose code=2,3,6 > docs/nab.md

Every stream by itself, as the benchmark wants it (Lavin & Ahmad 2015): a detector learns from the first 15 % of it, 750
rows at most, and is judged on the rest. Networks and forest see windows of `--hours`. What is normal is told by
cross-fitting: each third of the learning rows is scored by a detector that learned from the other two. The table:

* events found where each stream's threshold is the lowest with at most one false alarm a week in it. That needs the
  labels: it says what a score could do, for all detectors alike.
* events found and false alarms a week at the threshold that the learning rows set, without any label: rule "extreme",
  one false alarm a week.
* the NAB score, standard profile, at the best threshold for all streams, as the benchmark has it: each row above it a
  detection; and each call, where an alarm that lasts calls once in `--quiet` hours. Scores of different streams are
  compared as they are or in units of each stream's own threshold, whichever is better for the detector.

The defaults of `--hours`, `--newest` and `--code` were chosen by the labels of these very streams (a grid with
principal components), so that the networks' rows are the better for it. With `--choose` no stream has a say in its own
settings: each is judged by those, of all combinations, that find most events in the other streams, of equals by the
first.

A false alarm is a call outside of all labelled windows, so that what always fires calls every `--quiet` hours.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product
from statistics import mean

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlkit import AnomalyDetection, ScaledRows, Training
from dlkit.contracts import Examples, Spec, Split
from dlkit.data import builders
from dlkit.evaluation.anomalies import Events, count_events, events_at, pages
from dlkit.evaluation.anomaly_baselines import isolation_forest, windowed_gaussian
from dlkit.evaluation.nab_score import PROFILES, Stream, best_nab_score, nab_score, probation_rows
from dlkit.inference.anomalies import AnomalyAnswer, events, extreme_threshold
from dlkit.models import autoencoders
from dlkit.training.fit import Objective, Trained, fit, is_solved, outputs

MODELS: Mapping[str, Callable[..., keras.Model]] = {
    "pca": autoencoders.pca,
    "dense": autoencoders.dense,
    "denoising": autoencoders.denoising,
    "convolutional": autoencoders.convolutional,
    "lstm": autoencoders.lstm,
    "vae": autoencoders.vae,
}
SETTINGS = {"hours": float, "newest": int, "code": int}
HEEDED: Mapping[str, set[str]] = {"windowed Gaussian": set(), "isolation forest": {"hours"}}
"""Settings that change anything; networks heed all."""
TRAINING = Training(epochs=150, batch_size=16, learning_rate=2e-3, patience=20)
FOLDS = 3
A_WEEK = 1.0
_CANDIDATES = 1 - np.geomspace(1e-5, 0.3, 80)


@dataclass(frozen=True)
class Measured:
    """A stream. `windows`: labelled ones, as `nab_score.Stream` has them. `day`: rows of 24 hours."""

    name: str
    values: np.ndarray
    windows: np.ndarray
    day: float

    @property
    def learnt(self) -> int:
        return probation_rows(len(self.values))


@dataclass(frozen=True)
class Scored:
    """`scores`: (rows,) of a stream. `threshold`: set by the held-out learning rows."""

    scores: np.ndarray
    threshold: float


def streams() -> list[Measured]:
    rows = builders.load("nab", path=None, allow_download=True, say=_say).splits["train"]
    names, found = rows.inputs["stream"], []
    for name in dict.fromkeys(names.tolist()):
        inside = np.flatnonzero(names == name)
        times = rows.inputs["time"][inside].astype("datetime64[s]")
        day = np.timedelta64(1, "D") / np.median(np.diff(times).astype(np.int64)).astype("timedelta64[s]")
        labels = np.asarray(rows.targets)[inside] == "anomaly"
        found.append(Measured(name, rows.inputs["value"][inside], events(labels), float(day)))
    return found


def windowed(stream: Measured, hours: float) -> np.ndarray:
    """(rows - window + 1, window) views; shorter where half the learning rows would not make one."""
    window = max(8, min(round(hours / 24 * stream.day), stream.learnt // 2))
    return sliding_window_view(stream.values, window)


def gaussian(stream: Measured, given: Namespace, _seed: int) -> Scored:
    scores = windowed_gaussian(stream.values)
    return _scored(stream, scores, scores[stream.learnt // FOLDS : stream.learnt], given)


def forest(stream: Measured, given: Namespace, seed: int) -> Scored:
    rows = windowed(stream, given.hours)
    behind = rows.shape[1] - 1
    learning = rows[: stream.learnt - behind]
    normal = [
        isolation_forest(learning[rest], learning[held], seed=seed) for rest, held in folds(learning, given.newest)
    ]
    found = isolation_forest(learning, rows, seed=seed)
    return _scored(stream, np.concatenate([np.full(behind, found.min()), found]), np.concatenate(normal), given)


def folds(learning: np.ndarray, reach: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Learning windows to learn from and to score, by thirds in time; the first `reach` next to these are left out."""
    numbers, edges = np.arange(len(learning)), np.linspace(0, len(learning), FOLDS + 1).astype(int)
    for start, stop in pairwise(edges):
        apart = (numbers < start - reach) | (numbers >= stop + reach)
        yield np.flatnonzero(apart), np.arange(start, stop)


def _scored(stream: Measured, scores: np.ndarray, normal: np.ndarray, given: Namespace) -> Scored:
    return Scored(scores, extreme_threshold(normal, A_WEEK / (7 * stream.day), gap=_quiet(stream, given)))


def network(name: str) -> Callable[[Measured, Namespace, int], Scored]:
    """A detector that trains the network of that name on each stream."""

    def scored(stream: Measured, given: Namespace, seed: int) -> Scored:
        rows = windowed(stream, given.hours)
        window = rows.shape[1]
        learning = rows[: stream.learnt - window + 1]
        transform = ScaledRows().fit(Split({"value": learning}), {"value": "series"})
        task = AnomalyDetection(rate=A_WEEK / (7 * stream.day), newest=given.newest)
        answer = task.completed(AnomalyAnswer((), newest=given.newest), transform)
        build = partial(MODELS[name], Spec(transform.tensors, task.heads(answer), transform.sizes), code=given.code)
        encoded = transform.encode({"value": learning})["window"].take(np.arange(len(learning)))  # type: ignore[union-attr]  # made on demand
        settings = replace(TRAINING, epochs=given.epochs)
        if is_solved(build()):
            settings = replace(TRAINING, epochs=1, optimizer="sgd", learning_rate=1e-9)

        def trained(inside: np.ndarray, held_out: np.ndarray | None, settings: Training) -> Trained:
            objective = Objective(task.loss(answer), [])
            parts = [None if part is None else _examples(part) for part in (inside, held_out)]
            return fit(
                build, parts[0], parts[1],  # type: ignore[arg-type]  # the first is there
                objective=objective, settings=settings, seed=seed, say=lambda _: None,
            )  # fmt: skip

        residuals, epochs = [], []
        # Only the newest rows of a window are scored, so windows may reach into rows that were learnt from.
        for rest, held in folds(encoded, given.newest):
            part = trained(encoded[rest], encoded[held], settings)
            residuals.append(outputs(part.model, _examples(encoded[held])))
            epochs.append(part.best_epoch)
        whole = trained(encoded, None, replace(settings, epochs=max(1, round(mean(epochs))), keep="last"))
        answer = answer.calibrated(np.concatenate(residuals), rate=task.rate, gap=_quiet(stream, given))
        every = Examples(transform.encode({"value": rows}))
        scores = np.concatenate([np.zeros(window - 1), answer.scores(outputs(whole.model, every))])
        return Scored(scores, answer.threshold)

    return scored


def _examples(rows: np.ndarray) -> Examples:
    return Examples({"window": rows}, np.broadcast_to(np.float32(0), rows.shape))


def _quiet(stream: Measured, given: Namespace) -> int:
    return max(1, round(given.quiet / 24 * stream.day))


DETECTORS: Mapping[str, Callable[[Measured, Namespace, int], Scored]] = {
    "windowed Gaussian": gaussian,
    "isolation forest": forest,
    **{name: network(name) for name in MODELS},
}


def figures(rows: list[Measured], scored: list[Scored], given: Namespace) -> dict[str, float]:
    """The columns of the table for one detector and seed."""
    kept = [Stream(one.scores, stream.windows) for one, stream in zip(scored, rows, strict=True)]
    ours = [
        Stream(one.scores / max(one.threshold, 1e-12), one_of.windows) for one, one_of in zip(scored, kept, strict=True)
    ]
    quiet = [_quiet(stream, given) for stream in rows]
    best = _at_best(rows, scored, given)
    own = _counted(rows, kept, [one.threshold for one in scored], given)
    return {
        "events": float(best.events),
        "found": float(best.found),
        "own_found": float(own.found),
        "own_weekly": own.false_alarms_a_week,
        "nab_rows": max(best_nab_score(kept)[1], best_nab_score(ours)[1]),
        "nab_calls": max(_best_calls(kept, quiet), _best_calls(ours, quiet)),
    }


def _at_best(rows: list[Measured], scored: list[Scored], given: Namespace) -> Events:
    """At the lowest threshold with at most one false alarm a week in each stream."""
    kept = [Stream(one.scores, stream.windows) for one, stream in zip(scored, rows, strict=True)]
    weeks, quiet = [7 * stream.day for stream in rows], [_quiet(stream, given) for stream in rows]
    return events_at(kept, A_WEEK, rows_a_week=weeks, quiet=quiet)


def chosen_elsewhere(name: str, rows: list[Measured], given: Namespace, seed: int) -> Events:
    """Each stream by the settings that find most events in the others."""
    tried, heeded = [], HEEDED.get(name, set(SETTINGS))
    different = {tuple(value for key, value in setting.items() if key in heeded): setting for setting in given.tried}
    for setting in different.values():
        changed = Namespace(**{**vars(given), **setting})
        scored = [DETECTORS[name](stream, changed, seed) for stream in rows]
        tried.append([_at_best([stream], [one], changed) for stream, one in zip(rows, scored, strict=True)])
        _say(f"{name}, seed {seed}, {setting}: {sum(one.found for one in tried[-1])} events found")
    total = Events(0, 0, 0, 0.0)
    for stream in range(len(rows)):
        elsewhere = [sum(one.found for one in events) - events[stream].found for events in tried]
        total += tried[int(np.argmax(elsewhere))][stream]
    return total


def _counted(rows: list[Measured], kept: list[Stream], thresholds: list[float], given: Namespace) -> Events:
    total = Events(0, 0, 0, 0.0)
    for stream, one, threshold in zip(rows, kept, thresholds, strict=True):
        flags = one.scores > threshold
        total += count_events(
            flags, one.windows, rows_a_week=7 * stream.day, quiet=_quiet(stream, given), start=stream.learnt
        )
    return total


def _best_calls(kept: list[Stream], quiet: list[int]) -> float:
    """The best NAB score where each call is a detection, of some thresholds for all streams."""
    judged = np.concatenate([stream.scores[probation_rows(len(stream.scores)) :] for stream in kept])
    return max(_calls_score(kept, threshold, quiet) for threshold in np.unique(np.quantile(judged, _CANDIDATES)))


def _calls_score(kept: list[Stream], threshold: float, quiet: list[int]) -> float:
    called = []
    for stream, silent in zip(kept, quiet, strict=True):
        flags = stream.scores > threshold
        flags[: probation_rows(len(flags))] = False
        detections = np.zeros(len(flags))
        detections[pages(flags, silent)] = 1
        called.append(Stream(detections, stream.windows))
    return nab_score(called, 0.5, PROFILES["standard"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default="pca,dense,denoising,convolutional,vae", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--hours", type=float, default=24, help="length of the windows")
    parser.add_argument("--newest", type=int, default=1, help="rows of a window that make its score")
    parser.add_argument("--code", type=int, default=3, help="numbers that a window is reduced to")
    parser.add_argument("--choose", action="append", default=[], metavar="NAME=A,B", help=f"of {', '.join(SETTINGS)}")
    parser.add_argument("--quiet", type=float, default=24, help="hours in which an alarm that lasts is not repeated")
    parser.add_argument("--epochs", type=int, default=TRAINING.epochs)
    parser.add_argument("--seeds", default="0")
    given = parser.parse_args()
    choices = dict(choice.split("=") for choice in given.choose)
    values = [[SETTINGS[name](value) for value in listed.split(",")] for name, listed in choices.items()]
    given.tried = [dict(zip(choices, one, strict=True)) for one in product(*values)]
    _quiet_logs()
    rows, seeds = streams(), [int(seed) for seed in given.seeds.split(",")]
    command = " ".join(["python benchmarks/nab.py", *sys.argv[1:]])
    print(f"`{command}`: {len(rows)} streams, means of {len(seeds)} seeds where there is chance.\n")
    detectors = ["windowed Gaussian", "isolation forest", *given.models.split(",")]
    if choices:
        _print_chosen(detectors, rows, given, seeds)
        return
    print("| detector | events found | at its own threshold | NAB score, rows | NAB score, calls | seconds |")
    print("|---|---|---|---|---|---|")
    for name in detectors:
        started, found = time.perf_counter(), []
        for seed in seeds[:1] if name in ("windowed Gaussian", "pca") else seeds:
            _say(f"{name}, seed {seed}")
            found.append(figures(rows, [DETECTORS[name](stream, given, seed) for stream in rows], given))
        seconds = (time.perf_counter() - started) / len(found)
        of = {figure: mean(one[figure] for one in found) for figure in found[0]}
        print(
            f"| {name} | {of['found']:.4g} of {of['events']:.0f} | {of['own_found']:.4g}, "
            f"{of['own_weekly']:.2f} false a week | {of['nab_rows']:.1f} | {of['nab_calls']:.1f} | {seconds:.0f} |",
            flush=True,
        )


def _print_chosen(detectors: list[str], rows: list[Measured], given: Namespace, seeds: list[int]) -> None:
    print(f"Each stream by the best of {len(given.tried)} settings on the others.\n")
    print("| detector | events found | false alarms a week | seconds |")
    print("|---|---|---|---|")
    for name in detectors:
        started = time.perf_counter()
        tried = seeds[:1] if name in ("windowed Gaussian", "pca") else seeds
        found = [chosen_elsewhere(name, rows, given, seed) for seed in tried]
        seconds = (time.perf_counter() - started) / len(found)
        print(
            f"| {name} | {mean(one.found for one in found):.4g} of {found[0].events} | "
            f"{mean(one.false_alarms_a_week for one in found):.2f} | {seconds:.0f} |",
            flush=True,
        )


def _quiet_logs() -> None:
    # Every stream has a network of its own, which TensorFlow takes for retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
