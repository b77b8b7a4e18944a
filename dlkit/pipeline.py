"""How do rows become a trained network? Preparation, training, folds and refit."""

from __future__ import annotations

import contextlib
import csv
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlkit.contracts import Completing, Examples, Spec, Split, Splits, Task, Transform, raw_targets
from dlkit.data.splitting import equal_rows
from dlkit.errors import NothingTrainedError, SettingsError, TrainingError
from dlkit.evaluation.baselines import k_fold_baseline
from dlkit.evaluation.scores import score
from dlkit.export.proof import keras_model
from dlkit.forecasting import Forecasting
from dlkit.generation import Generation
from dlkit.inference.anomalies import AnomalyAnswer
from dlkit.inference.answers import AnyAnswer, ClassAnswer
from dlkit.inference.latents import LatentAnswer
from dlkit.inference.predictor import load_answer, load_transform
from dlkit.models.layers import MemberMean
from dlkit.preprocessing.latents import LatentRows
from dlkit.preprocessing.pairs import Pairs
from dlkit.preprocessing.tables import TableFeatures
from dlkit.preprocessing.windows import ScaledRows
from dlkit.recipe import Recipe, Say
from dlkit.tasks import AnomalyDetection, Classification, Joint, Regression
from dlkit.training.answering import answers_of
from dlkit.training.fit import Objective, Trained, fit
from dlkit.training.k_fold import KFold, cross_validate
from dlkit.training.remarks import copies, split_anew, training_warnings

_IN_TRAINING_ALONE = {
    "name", "trainable", "dtype", "dropout", "sampling", "samples", "bound", "gradient", "resampled", "beta",
    "free_bits", "warm_up", "label_weight", "seed", "inbound_nodes", "input_layers", "output_layers",
}  # fmt: skip
"""Parts of a network's configuration that do not change what its weights compute, or tell layers by their names."""


def peak_memory_mb(used: resource.struct_rusage | None = None) -> float:
    """Largest resident memory of this process so far, or of the one that `used` it, in MB of 10^6 bytes."""
    peak = (used or resource.getrusage(resource.RUSAGE_SELF)).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)


class Stopwatch:
    """Seconds by stage; "total" is the sum of all."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def rounded(self) -> dict[str, float]:
        return {**{name: round(value, 3) for name, value in self.seconds.items()}, "total": round(self.total, 3)}

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Prepared:
    """Rows and what was fitted on the training split: examples carry raw targets. `start`: the run whose network, or
    the `member` of it, training goes on with.
    """

    recipe: Recipe
    splits: Splits
    transform: Transform
    answer: AnyAnswer
    spec: Spec
    train: Examples
    validation: Examples
    test: Examples
    start: Path | None = field(default=None, kw_only=True)
    member: int | None = field(default=None, kw_only=True)

    def build(self) -> keras.Model:
        """A network for these rows, with first weights or, where training goes on from a run, with those of that."""
        model: keras.Model = self.recipe.build(self.spec)
        if isinstance(self.recipe.task, Generation):
            self.recipe.task.check(model)
        if any(isinstance(layer, MemberMean) for layer in model.layers):
            _check_squared(self.recipe.task)
        if self.start is not None:
            given = keras_model(self.start / "model.keras")
            take_over(model, given if self.member is None else given.members[self.member], self.start)
        return model

    def encoded(self, examples: Examples) -> Examples:
        return replace(examples, targets=self.recipe.task.encode(self.answer, examples.targets))

    @property
    def watched(self) -> Examples:
        """The validation rows that choose the epoch: of a search for anomalies the normal ones alone."""
        task = self.recipe.task
        if not isinstance(task, AnomalyDetection):
            return self.validation
        return self.validation.take(task.normal(np.asarray(self.validation.targets)))

    @property
    def served(self) -> Examples:
        """The test rows as artefacts see them: grey values of pictures whose pixels training drew black or white."""
        if not isinstance(self.recipe.task, Generation):
            return self.test
        return Examples(self.transform.encode(self.splits.test.inputs), self.test.targets)

    def settled(self, held_out: np.ndarray) -> Prepared:
        """With an answer that the outputs on the validation rows settle: the threshold of a search for anomalies."""
        task, answer = self.recipe.task, self.answer
        if not isinstance(task, AnomalyDetection) or not isinstance(answer, AnomalyAnswer):
            return self
        return replace(self, answer=task.settled(answer, np.asarray(self.validation.targets), held_out))

    @property
    def objective(self) -> Objective:
        task, answer, weights = self.recipe.task, self.answer, None
        if isinstance(task, Classification) and isinstance(answer, ClassAnswer):
            weights = task.class_weight(answer, self.train.targets)
        shares = task.loss_weights if isinstance(task, Joint) else None
        return Objective(task.loss(self.answer), task.metrics(self.answer), weights, shares)


def _check_squared(task: Task[Any]) -> None:
    """SettingsError unless the loss is the squared error, by which alone members of one network are trained by
    themselves.
    """
    if not isinstance(task, Regression) or task.loss_name != "mse":
        found = f"task.loss_name={task.loss_name}" if isinstance(task, Regression) else f"a task of {task.name}"
        raise SettingsError(
            f"This model's members are trained by the squared error of values (task.loss_name=mse), got {found}. "
            "Leave it out, or take another model: --model NAME."
        )


def take_over(model: keras.Model, given: keras.Model, start: Path) -> None:
    """Give `model` the weights of that of the run `start`; SettingsError unless both compute alike. Weights of equal
    shapes are not enough: with other heads, say, the same ones mean something else.
    """
    ours, theirs = (_flat(type(one).__name__, one.get_config()) for one in (model, given))
    others = [name for name in {**theirs, **ours} if ours.get(name) != theirs.get(name)]
    if others or [weight.shape for weight in given.weights] != [weight.shape for weight in model.weights]:
        told = [", ".join(f"{name}={found.get(name)}" for name in others[:5]) for found in (theirs, ours)]
        why = f" ({told[0]}, and here {told[1]})" if others else ""
        raise SettingsError(
            f"--from {start}: its network is built otherwise than this recipe's model{why}. Give the recipe that the "
            "run was made with, and leave out --model."
        )
    model.set_weights(given.get_weights())


def _flat(name: str, config: object) -> dict[str, object]:
    """All of a network's configuration but for what matters in training alone, by its path."""
    if isinstance(config, Mapping):
        parts = {key: value for key, value in config.items() if key not in _IN_TRAINING_ALONE}
    elif isinstance(config, list | tuple):
        parts = dict(enumerate(config))
    else:
        return {name: config}
    return {path: one for key, value in parts.items() for path, one in _flat(f"{name}.{key}", value).items()}


def prepare(recipe: Recipe, splits: Splits, *, start: Path | None = None) -> Prepared:
    """Fit preprocessing and task on the training split, encode all splits. `start`: a run whose preprocessing, classes
    and network training goes on with.
    """
    transform, answer, spec = fitted(recipe, splits.train, splits, start)
    if isinstance(recipe.preprocessing, Pairs | TableFeatures | ScaledRows | LatentRows):
        train, notes = recipe.preprocessing.whole(transform, splits.train)
        splits = replace(splits, train=train, notes=(*splits.notes, *notes))
    examples = [recipe.preprocessing.examples(transform, one) for one in (splits.train, splits.validation, splits.test)]
    return Prepared(recipe, splits, transform, answer, spec, *examples, start=start)


def fitted(
    recipe: Recipe, train: Split, splits: Splits, start: Path | None = None
) -> tuple[Transform, AnyAnswer, Spec]:
    """Preprocessing (that of the run `start`, if there is one) and task fitted on `train` alone, and what a model
    builder may know of them.
    """
    transform = recipe.preprocessing.fit(train, splits.kinds) if start is None else load_transform(start)
    answer = _answer(recipe, train, splits.target_name or "value", start)
    if isinstance(recipe.task, Completing):
        answer = recipe.task.completed(answer, transform)
    of_answer = recipe.task.sizes(answer) if isinstance(recipe.task, Forecasting | Generation) else {}
    sizes = {**transform.sizes, **of_answer}
    return transform, answer, Spec(transform.tensors, recipe.task.heads(answer), sizes, transform.tables)


def _answer(recipe: Recipe, train: Split, target_name: str, start: Path | None) -> Any:
    """What the task makes of `train`, with the classes of the run `start` where it is one of latent codes."""
    task = recipe.task
    if start is None or not isinstance(task, Generation):
        return task.fit(train, target_name)
    known = load_answer(start)
    return task.going_on(known, train, target_name) if isinstance(known, LatentAnswer) else task.fit(train, target_name)


@dataclass(frozen=True)
class Outcome:
    """What training gave. `validation`, `held_out`: figures and outputs of the network that had not seen the
    validation rows. `refitted`: whether the network has, since.
    """

    trained: Trained
    validation: Mapping[str, float]
    folds: KFold | None
    fold_baselines: Mapping[str, object]
    warnings: list[str] = field(default_factory=list)
    held_out: np.ndarray | None = None
    refitted: bool = False

    @property
    def model(self) -> keras.Model:
        return self.trained.model


def train(
    prepared: Prepared, *, seed: int, say: Say, checkpoints: Path | None = None, logs: Path | None = None
) -> Outcome:
    """k-fold validation where it is asked for, the training itself, and the refit on all rows where it is asked for."""
    recipe, settings = prepared.recipe, prepared.recipe.training
    if isinstance(recipe.task, AnomalyDetection) and (settings.folds or settings.refit):
        raise SettingsError(
            "training.folds and training.refit leave no held-out rows to set the threshold of an anomaly by. "
            "Say --set training.folds=0 --set training.refit=false."
        )
    if isinstance(recipe.task, AnomalyDetection):
        recipe.task.check(np.asarray(prepared.validation.targets))
    if isinstance(recipe.task, Generation) and (settings.folds or settings.refit or settings.augment):
        raise SettingsError(
            "training.folds, training.refit and training.augment are not for latent models: figures are measured on "
            "rows that were held out, and pixels reach the network as they are. Leave them out."
        )
    if isinstance(recipe.preprocessing, Pairs) and (settings.folds or settings.refit):
        raise SettingsError(
            "training.folds and training.refit are not for translators: validation sentences choose among epochs, and "
            "pairs that are too long are left out of the training pairs alone. Leave both out."
        )
    if prepared.start is not None and settings.folds:
        raise SettingsError("--from goes on with one network: it has no folds. Say --set training.folds=0.")
    if settings.balance and prepared.objective.class_weight:
        raise SettingsError(
            "training.balance=true and task.class_weights=balanced both make up for rare classes; together they would "
            "count these twice. Leave one of them out."
        )
    if getattr(recipe.data, "per_class", None) is not None and (settings.folds or settings.refit):
        raise SettingsError(
            "data.per_class leaves so many training rows of each class, and training.folds and training.refit learn "
            "from all validation rows too. Leave data.per_class out, or say --set training.folds=0 --set "
            "training.refit=false."
        )
    folds, beside = _folds(prepared, seed=seed, say=say, checkpoints=checkpoints) if settings.folds else (None, {})
    trained = learn(prepared, seed=seed, say=say, checkpoints=checkpoints, logs=logs)
    answers = answers_of(trained.model, prepared.answer, prepared.validation)
    answer = prepared.settled(answers).answer
    figures = score(recipe.task.name, answer, raw_targets(prepared.validation), answers)
    warnings = training_warnings(trained, len(prepared.train), settings)
    warnings += copies(settings, prepared.transform) + split_anew(prepared.splits, prepared.start)
    refitted = settings.refit and not trained.interrupted and trained.best_epoch > 0
    if refitted:
        say(f"refit on training and validation rows for {trained.best_epoch} epochs")
        trained = _refit(prepared, trained, seed=seed, say=say, checkpoints=checkpoints)
        refitted = not trained.interrupted
        if not refitted:
            warnings.append("The refit on all rows was interrupted; the weights are those of the training before it.")
    return Outcome(trained, figures, folds, beside, warnings, answers, refitted)


def learn(prepared: Prepared, *, seed: int, say: Say, checkpoints: Path | None, logs: Path | None) -> Trained:
    """The training itself, from first weights, from those of a run, or from the last of its own checkpoints."""
    return fit(
        prepared.build,
        prepared.encoded(prepared.train),
        prepared.encoded(prepared.watched),
        objective=prepared.objective,
        settings=prepared.recipe.training,
        seed=seed,
        say=say,
        checkpoint=checkpoints / "main" if checkpoints else None,
        logs=logs,
    )


def _refit(prepared: Prepared, chosen: Trained, *, seed: int, say: Say, checkpoints: Path | None) -> Trained:
    settings = replace(prepared.recipe.training, epochs=chosen.best_epoch, patience=None, keep="last")
    both = prepared.train.joined(prepared.validation)
    try:
        again = fit(
            prepared.build,
            prepared.encoded(both),
            None,
            objective=prepared.objective,
            settings=settings,
            seed=seed,
            say=say,
            # A resumed training may go on to a better epoch; then another refit is due.
            checkpoint=checkpoints / f"refit-{settings.epochs}" if checkpoints else None,
        )
    except NothingTrainedError:
        return replace(chosen, interrupted=True)
    if again.interrupted:
        return replace(chosen, interrupted=True)
    # The curves of the first training stay: only they have validation figures.
    return replace(chosen, model=again.model)


def _folds(prepared: Prepared, *, seed: int, say: Say, checkpoints: Path | None) -> tuple[KFold, dict[str, object]]:
    """k-fold validation over training and validation rows; preprocessing is fitted anew in every fold."""
    recipe, splits = prepared.recipe, prepared.splits
    rows = splits.train.joined(splits.validation)

    def one(number: int, train: np.ndarray, held_out: np.ndarray) -> tuple[dict[str, float], list[dict[str, float]]]:
        say(f"fold {number}/{recipe.training.folds}")
        inside, outside = rows.take(train), rows.take(held_out)
        transform, answer, spec = fitted(recipe, inside, splits)
        part = Prepared(
            recipe, splits, transform, answer, spec,
            *(recipe.preprocessing.examples(transform, split) for split in (inside, outside, outside)),
        )  # fmt: skip
        # The last epoch counts, not the best: choosing by the held-out rows would flatter the figure.
        trained = fit(
            lambda: recipe.build(spec),
            part.encoded(part.train),
            part.encoded(part.validation),
            objective=part.objective,
            settings=replace(recipe.training, patience=None, keep="last"),
            seed=(seed + number) % 2**32,
            say=say,
            checkpoint=checkpoints / f"fold-{number}" if checkpoints else None,
        )
        if trained.interrupted:
            raise TrainingError(f"Interrupted in fold {number}. To go on from there: the same command with --resume.")
        answers = answers_of(trained.model, answer, part.validation)
        figures = score(recipe.task.name, answer, raw_targets(part.validation), answers)
        return figures, trained.history

    targets_of = rows.targets.values() if isinstance(rows.targets, Mapping) else [rows.targets]
    labels = [one for one in targets_of if isinstance(one, np.ndarray) and one.dtype.kind in "OU"]
    groups = equal_rows(rows.inputs, splits.kinds)
    result = cross_validate(len(rows), recipe.training.folds, seed=seed, one=one, labels=labels, groups=groups)
    examples = prepared.train.joined(prepared.validation)
    dense = [array for array in examples.inputs.values() if isinstance(array, np.ndarray)]
    targets = raw_targets(examples)
    if not recipe.baselines or len(dense) != len(examples.inputs) or not isinstance(targets, np.ndarray):
        return result, {}
    features = np.concatenate([array.reshape(len(array), -1) for array in dense], axis=1)
    beside = k_fold_baseline(recipe.task.name, prepared.answer, features, targets, result.folds, seed=seed)
    return result, dict(beside)


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """`history.csv`: a row an epoch."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]) if history else ["epoch"])
        writer.writeheader()
        writer.writerows(history)
