"""How does a recipe become a run folder that is whole, proven and servable?"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from dlkit.contracts import Columns, Splits, Transform, raw_targets
from dlkit.ensembles import train
from dlkit.evaluation.attention_maps import attention_maps
from dlkit.evaluation.card import write_card
from dlkit.evaluation.drawings import Drawing
from dlkit.evaluation.forecast_drawings import error_by_step, over_history
from dlkit.evaluation.forecasts import steps_of
from dlkit.evaluation.gallery import of_pictures
from dlkit.evaluation.gradients import gradient_by_step
from dlkit.evaluation.highlights import decisions
from dlkit.evaluation.latent_drawings import Coded, of_codes
from dlkit.evaluation.latents import Coder
from dlkit.evaluation.mistakes import worst_mistakes
from dlkit.evaluation.pages import first_lines
from dlkit.evaluation.plots import plot_all
from dlkit.evaluation.report import write_report
from dlkit.evaluation.rows import evenly
from dlkit.evaluation.scores import Raw, per_class, score
from dlkit.evaluation.seen import figures_of
from dlkit.export import artefacts
from dlkit.export.proof import Proof, prove, require, runner, with_signatures
from dlkit.given_rows import rows_to_learn
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.answers import AnyAnswer, ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.forecasts import ForecastAnswer
from dlkit.inference.forms import STANDARD
from dlkit.inference.latents import LatentAnswer
from dlkit.inference.runs import ASSETS, FORMAT, asset_checksums, sha256, write_json
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translation import PairText
from dlkit.judging import Judged, judge
from dlkit.ordering import Order
from dlkit.pipeline import Outcome, Prepared, Stopwatch, peak_memory_mb, prepare, write_history
from dlkit.recipe import Recipe, Say
from dlkit.settings import OF_MEMBERS, STAGES, members_own, plain_settings, settings_of
from dlkit.side_by_side import learn_side_by_side
from dlkit.workspace import Workspace, interrupted_runs, workspace

_ROWS_TO_LOOK_AT = 2_000
_PACKAGES = ("dlkit", "tensorflow", "keras", "ai-edge-litert", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Made:
    """What was asked for, the rows, and what training gave. `beside_mb`: memory of all processes that learned side by
    side, 0 where none did.
    """

    order: Order
    prepared: Prepared
    outcome: Outcome
    beside_mb: float = 0.0


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and what `metrics.json` holds."""

    folder: Path
    metrics: dict[str, object]


def make(order: Order, *, say: Say) -> Run:
    """Data → train → evaluate → export → verify → report; the folder appears when all of it is done.

    Raises DisagreementError when an artefact is beyond its tolerance: then no version appears.
    """
    watch = Stopwatch()
    with watch.stage("prepare"):
        splits = rows_to_learn(order.recipe, order.data, start=order.start, say=say)
        _announce(splits, say)
        prepared = prepare(order.recipe, splits, start=order.start)
        for note in prepared.splits.notes[len(splits.notes) :]:
            say(f"note: {note}")
    folder = order.out / order.name
    members = {
        f"{name}.{key}": value
        for name, member in order.recipe.members.items()
        for key, value in _flat(settings_of(member)).items()
    }
    identity = (
        _flat(settings_of(order.recipe))
        | members
        | {"model": order.model, "seed": order.seed, "rows": splits.fingerprint}
        | order.beginning
        | ({} if order.file is None else {"recipe_file": sha256(order.file)})  # the network may be written there
    )
    with workspace(folder, identity, resume=order.resume) as space:
        _say_resumed(order, space, folder, say)
        with watch.stage("train"):
            places = space.checkpoints, space.run / "logs"
            beside_mb = learn_side_by_side(order, prepared.splits, *places, say=say)
            outcome = train(prepared, *places, seed=order.seed, say=say)
        if outcome.held_out is not None:
            prepared = prepared.settled(outcome.held_out)
        with watch.stage("evaluate"):
            judged = judge(prepared, outcome, seed=order.seed)
        with watch.stage("export"):
            made = Made(order, prepared, outcome, beside_mb)
            entries = write_content(space.run, _content(made), _origin(order, splits))
        with watch.stage("verify"):
            proofs = prove_content(space.run, _content(made), judged.outputs, splits.test.inputs)
        with watch.stage("report"):
            metrics = _metrics(made, judged, _with_proofs(entries, proofs, prepared), space.final)
            metrics["seconds"] = watch.rounded()
            _report(made, judged, metrics, space.run)
        metrics["seconds"] = watch.rounded()
        write_json(space.run / "metrics.json", metrics)
        space.publish()
    return Run(space.final, metrics)


def _announce(splits: Splits, say: Say) -> None:
    sizes = f"{len(splits.train)} training, {len(splits.validation)} validation, {len(splits.test)} test rows"
    say(f"data: {splits.source} ({sizes})")
    for note in splits.notes:
        say(f"note: {first_lines(note)}")


def _say_resumed(order: Order, space: Workspace, folder: Path, say: Say) -> None:
    if space.resumed:
        say(f"resuming the interrupted run {space.final}")
    elif order.resume:
        say("nothing to resume: no interrupted run with a checkpoint; starting from the beginning")
    elif waiting := [path for path in interrupted_runs(folder) if path != space.scratch]:
        say(f"an interrupted run is kept in {waiting[-1]}; --resume goes on with it")


@dataclass(frozen=True)
class Content:
    """What a run folder keeps of a training, whoever asked for it."""

    transform: Transform
    answer: AnyAnswer
    model: keras.Model
    history: list[dict[str, float]]


def write_content(folder: Path, content: Content, origin: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Assets, history, the standard artefacts and `run.json`, where `origin` says what they come from."""
    assets = folder / ASSETS
    assets.mkdir()
    content.transform.save(assets)
    content.answer.save(assets)
    write_history(folder / "history.csv", content.history)
    entries = {
        name: artefacts.write(name, folder, model=content.model, transform=content.transform, answer=content.answer)
        for name in STANDARD
    }
    written = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": _versions(),
        "assets": asset_checksums(folder),
        "artefacts": entries,
    }
    write_json(folder / "run.json", {"format": FORMAT, **origin, **written})
    return entries


def prove_content(folder: Path, content: Content, expected: np.ndarray, columns: Columns) -> dict[str, Proof]:
    """Replay raw `columns` through every standard artefact, each loaded from the folder as a stranger would.

    `expected`: the network's outputs on them. Raises DisagreementError when an artefact is beyond its tolerance.
    """
    answer, transform = content.answer, content.transform
    proofs = {name: prove(answer, expected, runner(folder, name, transform), columns) for name in STANDARD}
    proofs = with_signatures(proofs, content.model, answer, folder, transform=transform, columns=columns)
    require(proofs, folder)
    return proofs


def _content(made: Made) -> Content:
    prepared, trained = made.prepared, made.outcome.trained
    return Content(prepared.transform, prepared.answer, trained.model, trained.history)


def _origin(order: Order, splits: Splits) -> dict[str, object]:
    return {
        "recipe": order.name,
        "recipe_file": str(order.file.resolve()) if order.file else None,
        "question": order.question,
        "task": order.recipe.task.name,
        "model": order.model,
        "settings": plain_settings(settings_of(order.recipe)),
        **({"members": members_own(order.recipe)} if order.recipe.members else {}),
        "changes": list(order.changes),
        "seed": order.seed,
        "data": {
            "argument": _argument(order.data),
            "name": splits.name,
            "source": splits.source,
            "fingerprint": splits.fingerprint,
        },
        "command": order.command,
        **order.beginning,
    }


def _argument(data: Path | Literal["sample"] | None) -> str | None:
    """Where rows were asked from, for whoever reads the record in another folder."""
    return str(data.expanduser().absolute()) if isinstance(data, Path) else data


def _with_proofs(
    entries: Mapping[str, Mapping[str, object]], proofs: Mapping[str, Proof], prepared: Prepared
) -> dict[str, dict[str, object]]:
    targets = raw_targets(prepared.test)
    return {
        name: {**entries[name], **proof_entry(proof, prepared.recipe.task.name, prepared.answer, targets)}
        for name, proof in proofs.items()
    }


def proof_entry(proof: Proof, task: str, answer: AnyAnswer, targets: Raw) -> dict[str, object]:
    """What `metrics.json` says of a proven artefact beside its file."""
    return {
        "rows": proof.rows,
        "max_abs_diff": proof.max_abs_diff,
        **proof.agreements,
        "test": score(task, answer, targets, proof.outputs),
        **({"signatures": dict(proof.signatures)} if proof.signatures else {}),
    }


def _metrics(made: Made, judged: Judged, entries: dict[str, dict[str, object]], final: Path) -> dict[str, object]:
    order, prepared, outcome = made.order, made.prepared, made.outcome
    splits, answer = prepared.splits, prepared.answer
    metrics: dict[str, object] = {
        "format": FORMAT,
        "recipe": order.name,
        "model": order.model,
        "task": order.recipe.task.name,
        "seed": order.seed,
        **order.beginning,
        "run": str(final),
        "data": {
            "name": splits.name,
            "source": splits.source,
            "sample": splits.sample,
            "train_rows": len(splits.train),
            "validation_rows": len(splits.validation),
            "test_rows": len(splits.test),
            "fingerprint": splits.fingerprint,
            "notes": list(splits.notes),
        },
        "inputs": dict(splits.kinds),
        "preprocessing": _preprocessing(prepared),
        "validation": dict(outcome.validation),
        "test": judged.test,
        "baselines": judged.baselines,
        **judged.more,
        "peak_memory_mb": max(peak_memory_mb(), made.beside_mb),
        "parameters": int(outcome.model.count_params()),
        "epochs": len(outcome.trained.history),
        "best_epoch": outcome.trained.best_epoch,
        "artefacts": entries,
        "versions": _versions(),
        "warnings": outcome.warnings + judged.warnings,
    }
    if splits.best:
        metrics["best_possible"] = dict(splits.best)
    if outcome.folds is not None:
        metrics["folds"] = outcome.folds.summary() | {"baselines": dict(outcome.fold_baselines)}
    if isinstance(answer, ValueAnswer):
        metrics["unit"] = answer.unit
    elif isinstance(answer, AnomalyAnswer):
        metrics["decision"] = {"threshold": answer.threshold, "rule": answer.rule, "rate": answer.rate}
    elif isinstance(answer, ClassAnswer | JointAnswer):
        metrics["per_class"] = per_class(answer, raw_targets(prepared.test), judged.outputs)
    return metrics


def _preprocessing(prepared: Prepared) -> dict[str, object]:
    """Sizes (vocabulary, sequence length), and what `Transform.figures` says of training and held-out rows."""
    splits = {"train": prepared.splits.train, "validation": prepared.splits.validation}
    figures = {
        name: figures_of(prepared.transform, split.take(evenly(len(split), _ROWS_TO_LOOK_AT)))
        for name, split in splits.items()
    }
    return dict(prepared.transform.sizes) | {name: found for name, found in figures.items() if found}


def _report(made: Made, judged: Judged, metrics: dict[str, object], folder: Path) -> None:
    """Plots, report and model card."""
    order, prepared, outcome = made.order, made.prepared, made.outcome
    task, answer, targets = order.recipe.task.name, prepared.answer, raw_targets(prepared.test)
    plots = plot_all(
        task,
        answer,
        history=outcome.trained.history,
        targets=targets,
        outputs=judged.outputs,
        folder=folder / "plots",
        fold_histories=outcome.folds.curves if outcome.folds else (),
        more=[
            *_of_forecast(prepared, judged),
            *_of_latents(made, judged),
            *_of_translation(made, judged),
            partial(gradient_by_step, outcome.model, prepared.encoded(prepared.test), prepared.objective.loss),
            *of_pictures(
                outcome.model,
                prepared.transform,
                answer,
                prepared.train,
                prepared.test,
                outputs=judged.outputs,
                augment=order.recipe.training.augment,
            ),
        ],
    )
    mistakes = worst_mistakes(task, answer, prepared.splits.test.inputs, targets, judged.outputs)
    carried = decisions(
        outcome.model, prepared.transform, answer, prepared.splits.test, outputs=judged.outputs, mistakes=mistakes
    )
    settings = _shown_settings(order.recipe)
    write_report(
        metrics,
        question=order.question,
        settings=settings,
        history=outcome.trained.history,
        plots=plots,
        mistakes=mistakes,
        folder=folder,
        decisions=carried,
    )
    write_card(metrics, question=order.question, settings=settings, command=order.command, folder=folder)


def _of_forecast(prepared: Prepared, judged: Judged) -> list[Callable[[], Drawing | None]]:
    answer, targets = prepared.answer, prepared.test.targets
    steps = judged.more.get("by_step")
    if not isinstance(answer, ForecastAnswer) or judged.line is None or not isinstance(steps, dict):
        return []
    inputs = prepared.splits.test.inputs
    return [
        partial(over_history, answer, inputs, steps_of(targets), judged.outputs, judged.line, band=judged.band),
        partial(error_by_step, steps),
    ]


def _of_latents(made: Made, judged: Judged) -> list[Callable[[], Drawing | None]]:
    prepared, answer = made.prepared, made.prepared.answer
    if not isinstance(answer, LatentAnswer):
        return []
    coder, found = Coder(made.outcome.model, prepared.spec.inputs), answer.reconstructions(judged.outputs)
    labels, variances = prepared.splits.test.targets, judged.more["latents"]["variances"]  # type: ignore[index]
    coded = Coded(coder, prepared.served, found, labels, answer.labels, seed=made.order.seed)
    return of_codes(coded, variances)


def _of_translation(made: Made, judged: Judged) -> list[Callable[[], Drawing | None]]:
    transform, answer, rows = made.prepared.transform, made.prepared.answer, made.prepared.splits.test.inputs
    if not isinstance(transform, PairText) or not isinstance(answer, SentenceAnswer):
        return []
    return [partial(attention_maps, made.outcome.model, transform, answer, rows, judged.outputs)]


def _shown_settings(recipe: Recipe) -> dict[str, object]:
    """The settings that were used, as `--set` takes them: in an ensemble some stages are each member's own."""
    settings = plain_settings(settings_of(recipe))
    if not recipe.members:
        return dict(settings)
    shared = {stage: settings[stage] for stage in STAGES if stage not in OF_MEMBERS}
    return shared | {"members": members_own(recipe)}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{package: version(package) for package in _PACKAGES}}


def _flat(settings: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    return {f"{stage}.{name}": value for stage, values in settings.items() for name, value in values.items()}
