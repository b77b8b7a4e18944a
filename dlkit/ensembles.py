"""How are several networks trained to answer as one?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from dlkit import pipeline
from dlkit.contracts import Spec, raw_targets
from dlkit.errors import NothingTrainedError, SettingsError, TrainingError
from dlkit.evaluation.scores import score
from dlkit.inference.joined import JoinedTransform
from dlkit.inference.sentences import SentenceAnswer
from dlkit.models import translator_ensembles
from dlkit.models.pooling import best_weights, pool, pooled
from dlkit.pipeline import Outcome, Prepared
from dlkit.preprocessing.joined import Joined, part_examples
from dlkit.recipe import Say
from dlkit.training.answering import answers_of
from dlkit.training.fit import Trained
from dlkit.workspace import holds_checkpoints


def train(
    prepared: Prepared, checkpoints: Path | None = None, logs: Path | None = None, *, seed: int, say: Say
) -> Outcome:
    """As `pipeline.train`; of an ensemble, each member by its own settings, then all of them as one network."""
    members = prepared.recipe.members
    if not members:
        return pipeline.train(prepared, seed=seed, say=say, checkpoints=checkpoints, logs=logs)
    if any(recipe.training.folds for recipe in members.values()):
        raise SettingsError("An ensemble is not trained in folds: its members are. Say --set training.folds=0.")
    if prepared.start is not None:
        prepared.build()  # whether that run has these members is to be said now, not when each has its turn
    outcomes: dict[str, Outcome] = {}
    found: list[str] = []
    for name in members:
        say(f"member {name}")
        places = [place / name if place else None for place in (checkpoints, logs)]
        alone = member_alone(prepared, name)
        try:
            outcomes[name] = pipeline.train(alone, seed=seed, say=say, checkpoints=places[0], logs=places[1])
        except NothingTrainedError:
            raise left_off([name], checkpoints) from None
        if outcomes[name].trained.interrupted and len(outcomes) < len(members):
            raise left_off([name], checkpoints)
    if isinstance(prepared.answer, SentenceAnswer):
        model: keras.Model = translator_ensembles.Members([outcome.model for outcome in outcomes.values()])
        held_out = answers_of(model, prepared.answer, prepared.validation)
    else:
        model, held_out, found = _pooled(prepared, outcomes, say)
    figures = score(prepared.recipe.task.name, prepared.answer, raw_targets(prepared.validation), held_out)
    trained = replace(_histories({name: outcome.trained for name, outcome in outcomes.items()}), model=model)
    own = [f"{name}: {warning}" for name, outcome in outcomes.items() for warning in outcome.warnings]
    return Outcome(trained, figures, None, {}, own + found, held_out)


def left_off(members: Sequence[str], checkpoints: Path | None) -> TrainingError:
    """What is said where a person interrupts while these members learn and the ensemble is not whole."""
    where = f"Interrupted in member{'s' * (len(members) > 1)} {', '.join(members)}"
    if checkpoints is not None and holds_checkpoints(checkpoints):
        return TrainingError(f"{where}. To go on from there: the same command with --resume.")
    return NothingTrainedError(f"{where} with nothing that could be kept. The run can be started again.")


def member_alone(prepared: Prepared, name: str) -> Prepared:
    """What the member `name` of an ensemble learns from, as if it were alone."""
    recipe = prepared.recipe.members[name]
    if isinstance(prepared.answer, SentenceAnswer):
        # All share their pieces; how words are cut in training is a matter of each.
        train = recipe.preprocessing.examples(prepared.transform, prepared.splits.train)
        return replace(prepared, recipe=recipe, train=train, member=list(prepared.recipe.members).index(name))
    joined, transform = _joined(prepared)
    part_of = joined.part_of(name)
    part = transform.parts[part_of]
    spec = Spec(part.tensors, prepared.spec.heads, part.sizes, part.tables)
    examples = [part_examples(one, part_of, part) for one in (prepared.train, prepared.validation, prepared.test)]
    return Prepared(recipe, prepared.splits, part, prepared.answer, spec, *examples)


def _joined(prepared: Prepared) -> tuple[Joined, JoinedTransform]:
    joined, transform = prepared.recipe.preprocessing, prepared.transform
    if not isinstance(joined, Joined) or not isinstance(transform, JoinedTransform):
        raise TrainingError("An ensemble needs the joined preprocessings of its members.")
    return joined, transform


def _pooled(prepared: Prepared, outcomes: Mapping[str, Outcome], say: Say) -> tuple[keras.Model, np.ndarray, list[str]]:
    """One network of all members, its outputs on the validation rows, and what to think of it."""
    joined, _ = _joined(prepared)
    opinions = [np.asarray(outcome.held_out) for outcome in outcomes.values()]
    weights = best_weights(opinions, np.asarray(prepared.encoded(prepared.validation).targets))
    say("weights: " + ", ".join(f"{name} {weight:.3f}" for name, weight in zip(outcomes, weights, strict=True)))
    part_of = {name: joined.part_of(name) for name in outcomes}
    model = pooled({name: outcome.model for name, outcome in outcomes.items()}, part_of, prepared.spec, weights)
    idle = [name for name, weight in zip(outcomes, weights, strict=True) if not weight]
    found = [f"{name} counts for nothing in this ensemble: leave it out." for name in idle]
    return model, pool(opinions, weights), found


def _histories(members: Mapping[str, Trained]) -> Trained:
    """The members' histories side by side, an epoch a row; metrics are called by member."""
    history: list[dict[str, float]] = []
    for epoch in range(max(len(one.history) for one in members.values())):
        row: dict[str, float] = {"epoch": epoch + 1, "seconds": 0.0}
        for name, one in members.items():
            figures = one.history[epoch] if epoch < len(one.history) else dict.fromkeys(one.history[0], math.nan)
            row["seconds"] += 0.0 if math.isnan(figures["seconds"]) else figures["seconds"]
            for key, value in figures.items():
                if key not in ("epoch", "seconds"):
                    row[f"val_{name}_{key.removeprefix('val_')}" if key.startswith("val_") else f"{name}_{key}"] = value
        history.append(row)
    first = next(iter(members.values()))
    best = max(one.best_epoch for one in members.values())
    return Trained(first.model, history, best, None, any(one.interrupted for one in members.values()))
