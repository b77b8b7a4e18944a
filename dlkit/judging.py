"""How good is a trained network on the test rows, beside its baselines, and what is to be thought of it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from dlkit.contracts import raw_targets
from dlkit.evaluation import (
    anomaly_figures,
    forecast_baselines,
    forecasts,
    latent_figures,
    translation,
    translation_baselines,
)
from dlkit.evaluation.baselines import baselines, warnings_for
from dlkit.evaluation.latents import Coder
from dlkit.evaluation.perplexity import perplexity
from dlkit.evaluation.scores import score
from dlkit.generation import Generation
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.latents import LatentAnswer, LatentInputs
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.series import SeriesInputs
from dlkit.inference.windows import ANOMALY, NORMAL
from dlkit.pipeline import Outcome, Prepared
from dlkit.training.answering import answers_of
from dlkit.training.fit import is_solved, outputs, seeded


@dataclass(frozen=True)
class Judged:
    """Figures on the test rows. `outputs`: the network's, (rows, units). `more`: what `metrics.json` says beside them;
    `line`: the forecasts of the linear baseline, (rows, horizon, targets); `band`: where a forecast of points was off.
    """

    test: dict[str, float]
    baselines: dict[str, dict[str, float]]
    outputs: np.ndarray
    warnings: list[str]
    more: Mapping[str, object] = field(default_factory=dict)
    line: np.ndarray | None = None
    band: forecasts.ErrorBand | None = None


def judge(prepared: Prepared, outcome: Outcome, *, seed: int) -> Judged:
    """Test figures beside those of the baselines, and what to think of them."""
    recipe, splits = prepared.recipe, prepared.splits
    answers = answers_of(outcome.model, prepared.answer, prepared.served)
    test = score(recipe.task.name, prepared.answer, raw_targets(prepared.test), answers)
    if isinstance(prepared.answer, AnomalyAnswer):
        return _judge_anomalies(prepared, prepared.answer, test, answers, seed=seed)
    if isinstance(prepared.answer, ForecastAnswer) and isinstance(prepared.transform, SeriesInputs):
        return _judge_forecasts(prepared, prepared.transform, prepared.answer, outcome, test, answers=answers)
    if isinstance(recipe.task, Generation):
        return judge_latents(prepared, outcome.model, answers, seed=seed)
    if isinstance(prepared.answer, SentenceAnswer):
        return _judge_translations(prepared, prepared.answer, outcome, test, answers)
    beside = baselines(
        recipe.task.name, prepared.answer, prepared.train, prepared.validation, prepared.test,
        seed=seed, extra=recipe.baselines, refit=outcome.refitted,
    )  # fmt: skip
    found = warnings_for(
        recipe.task.name, test, beside, splits.best, splits.sample,
        rows=len(prepared.test), train=raw_targets(prepared.train),
    )  # fmt: skip
    return Judged(test, beside, answers, found)


def _judge_anomalies(
    prepared: Prepared, answer: AnomalyAnswer, test: dict[str, float], residuals: np.ndarray, *, seed: int
) -> Judged:
    """Beside an isolation forest and a windowed Gaussian, and against the network as it was before training."""
    rows = anomaly_figures.Rows(prepared.train, prepared.validation, prepared.test)
    beside = anomaly_figures.baselines(answer, rows, seed=seed)
    with seeded(seed):
        model = prepared.recipe.build(prepared.spec)
    untrained = None if is_solved(model) else outputs(model, prepared.test)
    found = anomaly_figures.warnings_for(
        answer, np.asarray(prepared.test.targets), residuals, untrained=untrained, test=test, beside=beside
    )
    labels = np.asarray(prepared.test.targets)
    labelled = {kind: int((labels == kind).sum()) for kind in (NORMAL, ANOMALY)}
    return Judged(test, beside, residuals, found, {"labelled": labelled})


def _judge_translations(
    prepared: Prepared, answer: SentenceAnswer, outcome: Outcome, test: dict[str, float], answers: np.ndarray
) -> Judged:
    """Beside the source as it is, the most frequent sentence, and a dictionary."""
    splits, rows = prepared.splits, prepared.splits.test
    corpus = translation.corpus_of(answer, rows.targets, answers)
    beside = translation_baselines.baselines(splits.train, rows, answer)
    if prepared.start is not None:
        before = answers_of(prepared.build(), answer, prepared.test)
        beside[translation.BEFORE] = translation.figures(answer, rows.targets, before)
    test = test | {"perplexity": perplexity(outcome.model, prepared.encoded(prepared.test))}
    found = translation.warnings_for(corpus, test, beside, splits.best)
    (sources,) = rows.inputs.values()
    more = {
        "search": {"beam": answer.beam, "length_penalty": answer.length_penalty, "longest": answer.longest},
        "signatures": translation.signatures(corpus),
        "length_ratio": translation.length_ratio(corpus),
        "by_length": translation.by_length(corpus),
        "examples": translation.examples(corpus, sources.tolist()),
    }
    return Judged(test, beside, answers, found, more)


def _judge_forecasts(
    prepared: Prepared,
    transform: SeriesInputs,
    answer: ForecastAnswer,
    outcome: Outcome,
    test: dict[str, float],
    *,
    answers: np.ndarray,
) -> Judged:
    """Beside the last value, the last season and a line: over all, step by step, and from origin to origin."""
    held_out, targets = outcome.held_out, forecasts.steps_of(prepared.test.targets)
    by_name = forecast_baselines.forecasts(
        transform, answer, prepared.train, prepared.validation, prepared.test, refit=outcome.refitted
    )
    beside = {name: forecasts.of_points(answer, targets, points) for name, points in by_name.items()}
    points = {"network": answer.points(answers), **by_name}
    found = forecasts.warnings_for(answer, test, beside, prepared.splits.best, truths=targets.size)
    more = {
        "forecast": {"window": transform.window, "horizon": transform.horizon, "season": transform.season},
        "skill": forecasts.skill(test, beside),
        "by_step": {name: forecasts.by_step(answer, targets, one) for name, one in points.items()},
        "per_target": forecasts.per_target(answer, targets, points["network"]),
        "backtest": forecasts.backtest(
            answer, targets, points, prepared.splits.test.times, zoned=transform.zoned is True
        ),
    }
    if len(answer.targets) > 1:
        more["by_target_and_step"] = forecasts.by_target_and_step(answer, targets, points["network"])
    band = _error_band(prepared, answer, held_out)
    if band is not None:
        share = band.coverage(answer, targets, points["network"])
        more["error_band"] = {"of": "validation errors", "shares": band.shares, "nominal": band.nominal, "test": share}
    return Judged(test, beside, answers, found, more, by_name["linear"], band)


def _error_band(prepared: Prepared, answer: ForecastAnswer, held_out: np.ndarray | None) -> forecasts.ErrorBand | None:
    """An interval for a network that gives none, from what it was off by on windows that it had not learnt from."""
    if held_out is None or answer.quantiles:
        return None
    truth = forecasts.steps_of(raw_targets(prepared.validation))
    return forecasts.error_band(answer, truth, answer.points(held_out))


def judge_latents(prepared: Prepared, model: keras.Model, answers: np.ndarray, *, seed: int) -> Judged:
    """Beside the mean row and PCA; in nats where the model gives a likelihood. `answers`: reconstructions of the test
    rows as artefacts see them.
    """
    task, transform, answer = prepared.recipe.task, prepared.transform, prepared.answer
    if not (isinstance(task, Generation) and isinstance(transform, LatentInputs) and isinstance(answer, LatentAnswer)):
        raise TypeError(f"expected a latent model, got {type(task).__name__}")
    labels = prepared.splits.train.targets, prepared.splits.test.targets
    examples = prepared.train, prepared.validation, prepared.test, prepared.served
    found = latent_figures.judged(
        Coder(model, prepared.spec.inputs),
        latent_figures.Rows(*examples, *labels, answer.labels),
        answer.reconstructions(answers),
        samples=task.samples,
        likelihood_rows=task.likelihood_rows,
        seed=seed,
    )
    told = {"class_column": transform.label, "classes": list(transform.labels)} if transform.label else {}
    more = {"latents": {"binarise": transform.binarise, **found.codes, **told}, "validation": found.validation}
    warnings = latent_figures.resized(transform, prepared.splits.train.inputs) + found.warnings
    return Judged(found.test, found.baselines, answers, warnings, more)
