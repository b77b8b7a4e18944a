"""What are the figures of a latent model on test rows, beside a mean picture and PCA, and may they be believed?

Two kinds of rows: *clean* ones, as an artefact is asked about them, for reconstructions, linear probes and PCA; and
rows binarised by the run's protocol, for everything in nats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlkit.contracts import Columns, Examples, take
from dlkit.evaluation.latents import ACTIVE, ELBO_SAMPLES, LABEL, Coder, bounds, corrupted, likelihood, spread
from dlkit.evaluation.reconstructions import Labelled, figures, mean_row, nats, principal_components, probe
from dlkit.evaluation.rows import evenly
from dlkit.inference.images import ImagePixels, size_of
from dlkit.inference.latents import LatentInputs
from dlkit.models.latent_layers import LatentModel, VariationalAutoencoder
from dlkit.models.options import way_to_the_kl

_LOOKED_AT = 2_000
"""Training pictures whose size is looked at."""
_MOST_ROWS = 20_000
"""Training rows of which codes are made."""
_CHECKED = 1_000
_DIFFERENT = 0.05
"""Reconstructions that differ from row to row by less than this share of what rows do are all alike, and a code that
lowers their error by less than this share is ignored."""
_FEW_ACTIVE = 0.1
_OBEYED = 0.25
"""New rows are seen as what was asked for at least this far on the way from by chance to always."""
_ASKED = 20
"""New rows of each class that are made to see whether they are of it."""


@dataclass(frozen=True)
class Rows:
    """Encoded rows of a run, and (rows,) labels as `str`, or None. `clean`: test rows as an artefact sees them.

    `names`: of the classes, by the numbers that a joint model gives.
    """

    train: Examples
    validation: Examples
    test: Examples
    clean: Examples
    train_labels: object = None
    test_labels: object = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """`test`, `baselines`: figures on the test rows; `validation`: the bound. `codes`: for `metrics.json`."""

    validation: dict[str, float]
    test: dict[str, float]
    baselines: dict[str, dict[str, float]]
    warnings: list[str]
    codes: dict[str, object]


def judged(
    coder: Coder, rows: Rows, reconstructed: np.ndarray, *, samples: int, likelihood_rows: int, seed: int
) -> Found:
    """Figures of test rows. `reconstructed`: (rows, ...), what the model makes of the clean ones."""
    model, some = coder.model, evenly(len(rows.train), _MOST_ROWS)
    train = Labelled(clean_of(rows.train, some), _at(rows.train_labels, some))
    clean = Labelled(_array(rows.clean.inputs[coder.name]), rows.test_labels)
    test, beside = _of_clean(coder, rows, train, clean, reconstructed, seed=seed)
    asked = {one: take(rows.train.inputs[one], some) for one in coder.tensors if one == LABEL} | {
        coder.name: train.rows
    }
    codes = coder.codes(rows.clean.inputs)
    if (accuracy := probe(coder.codes(asked), train.labels, codes, clean.labels)) is not None:
        test["probe_accuracy"] = accuracy
    validation = _of_validation(coder, rows.validation)
    varies = spread(coder.codes(rows.test.inputs))
    active = int((varies > ACTIVE).sum())
    of_codes: dict[str, object] = {"code": model.latent, "active_units": active, "variances": varies.tolist()}
    warnings = silent_failures(coder, clean.rows, codes, rows.clean.inputs.get(LABEL), active)
    if model.variational:
        bound = bounds(coder, rows.validation.inputs, samples=ELBO_SAMPLES, seed=seed)
        validation = {"elbo": float(bound.elbo.mean()), **validation}
        found = likelihood(coder, rows.test.inputs, samples=samples, rows=likelihood_rows, seed=seed)
        test = found.figures | test
        cost = _of_mean(model, train.rows, _array(rows.test.inputs[coder.name]))
        next(iter(beside.values())).update(elbo=-cost, nll=cost)
        of_codes |= _protocol(coder) | found.protocol
        if model.conditional and (share := obeyed(coder, train, rows.names, seed=seed)) is not None:
            test["asked_accuracy"] = share
            warnings += _disobedient(share, len(_occurring(train, rows.names)))
    warnings += _lost("elbo" if model.variational else "mse", test, beside)
    return Found(validation, test, beside, warnings, of_codes)


def _protocol(coder: Coder) -> dict[str, object]:
    """What figures in nats are of; `elbo_samples`: codes of each validation row."""
    gaussian = {"noise": coder.model.noise} if coder.model.likelihood == "gaussian" else {}
    unit = f"nats {'an image' if coder.name == 'image' else 'a row'}"
    return {"likelihood": coder.model.likelihood, **gaussian, "unit": unit, "elbo_samples": ELBO_SAMPLES}


def _of_mean(model: LatentModel, train: np.ndarray, test: np.ndarray) -> float:
    """Nats of a test row by the mean row alone; values vary around it as in training, but as the model's at least."""
    mean, variance = train.mean(axis=0, dtype=np.float64), train.var(axis=0, dtype=np.float64)
    return nats(mean, test, model.likelihood, variance=np.maximum(variance, model.noise**2))


def _of_clean(
    coder: Coder, rows: Rows, train: Labelled, clean: Labelled, reconstructed: np.ndarray, *, seed: int
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures that outputs give, of the model and of its baselines, the mean row first."""
    test, model = figures(clean.rows, reconstructed), coder.model
    noisy = corrupted(model, clean.rows, seed=seed)
    beside = {
        "mean_image" if reconstructed.ndim > 2 else "mean_row": mean_row(train, clean),
        "pca": principal_components(train, clean, model.latent, seed=seed, noisy=noisy),
    }
    if noisy is not None:
        test["denoised_mse"] = figures(clean.rows, coder.again({**rows.clean.inputs, coder.name: noisy}))["mse"]
        beside["noisy_input"] = {"denoised_mse": figures(clean.rows, noisy)["mse"]}
    if model.classifier is not None:
        said = np.array(rows.names, object)[coder.classes(rows.clean.inputs)]
        test["accuracy"] = float((said == clean.labels).mean())
    return test, beside


def _of_validation(coder: Coder, examples: Examples) -> dict[str, float]:
    truth = clean_of(examples, np.arange(len(examples)))
    return figures(truth, coder.again({**examples.inputs, coder.name: truth}))


def _disobedient(share: float, classes: int) -> list[str]:
    if share >= 1 / classes + _OBEYED * (1 - 1 / classes):
        return []
    return [
        "The decoder ignores the label: of new rows that were asked for by class, a linear classifier of real ones "
        f"sees that class in {share:.0%}. Train longer, or take a smaller model.code."
    ]


def obeyed(coder: Coder, train: Labelled, names: Sequence[str], *, seed: int) -> float | None:
    """The share of new rows, asked for by class, in which a linear classifier of real ones sees that class."""
    asked = np.repeat(np.array(_occurring(train, names), np.int32), _ASKED)
    codes = np.random.default_rng(seed).standard_normal((len(asked), coder.model.latent), np.float32)
    made, real = (found.reshape(len(found), -1) for found in (coder.decode(codes, asked), train.rows))
    return probe(real, train.labels, made, np.array(names, object)[asked])


def _occurring(train: Labelled, names: Sequence[str]) -> list[int]:
    """Numbers of the classes that the rows have: a training that goes on from a run may have a part of them alone."""
    there = {str(label) for label in np.unique(np.asarray(train.labels, str))}
    return [number for number, name in enumerate(names) if name in there]


def silent_failures(coder: Coder, truth: np.ndarray, codes: np.ndarray, labels: object, active: int) -> list[str]:
    """What is wrong with a model whose loss looks well: codes that are not used, pictures that are all alike."""
    some = evenly(len(truth), _CHECKED)
    known = None if labels is None else np.asarray(take(labels, some))  # type: ignore[arg-type]  # an array or Rows
    truth, codes = truth[some], codes[some]
    own, others = (coder.decode(each, known) for each in (codes, np.roll(codes, len(codes) // 2, axis=0)))
    if own.std(axis=0).mean() < _DIFFERENT * truth.std(axis=0).mean():
        what = "picture" if truth.ndim > 2 else "row"
        return [f"All reconstructions are nearly the same {what}: the decoder ignores the code. {_remedy(coder.model)}"]
    errors = [float(np.square(each - truth).mean()) for each in (own, others)]
    if len(some) > 1 and errors[0] > (1 - _DIFFERENT) * errors[1]:
        return [
            f"The decoder ignores the code: with the code of another row the error is {errors[1]:.4g}, with its own "
            f"{errors[0]:.4g}. {_remedy(coder.model)}"
        ]
    units = coder.model.latent
    if coder.model.variational and active < max(2, _FEW_ACTIVE * units) and active < units:
        return [
            f"Posterior collapse: {active} of {units} units of the code are active (their mean varies by more than "
            f"{ACTIVE} over the test rows). {_remedy(coder.model)}"
        ]
    return []


def _remedy(model: LatentModel) -> str:
    """What makes this model use its code, in settings that it has."""
    if not isinstance(model, VariationalAutoencoder):
        return "Train longer, or lower training.learning_rate."
    said = "lower model.beta, set model.free_bits, or raise model.warm_up"
    way = way_to_the_kl(model.bound, model.gradient)
    said = f"Train longer, or {said}" + (f", which need {way}" if way else "") + "."
    if model.likelihood == "gaussian":
        said += f" Numbers that share little need a smaller noise than {model.noise:g} (--model table, model.noise)."
    return said


def resized(transform: LatentInputs, columns: Columns) -> list[str]:
    """What to say of training pictures that differ in size, or are not square as those that the model takes."""
    if not isinstance(transform.part, ImagePixels):
        return []
    column, (height, width, _) = columns[transform.part.column], transform.part.shape
    looked_at = [size_of(column[row]) for row in evenly(len(column), _LOOKED_AT)]
    sizes = [size for size in looked_at if size is not None]
    uneven = sum(one != other for one, other in sizes) / max(len(sizes), 1)
    stretched = uneven and transform.part.fit == "stretch"
    if not stretched and len(set(sizes)) < 2:
        return []
    smallest, largest = min(sizes, key=math.prod), max(sizes, key=math.prod)
    found = f"Training pictures have {smallest[1]} x {smallest[0]}"
    found += f" to {largest[1]} x {largest[0]} pixels" if smallest != largest else " pixels"
    if stretched:
        return [
            f"{found}; {uneven:.0%} are not square and were stretched to {width} x {height}. Set preprocessing.size or "
            "preprocessing.shape=crop, or give square pictures."
        ]
    changed = sum(size != (height, width) for size in sizes) / len(sizes)
    return [
        f"{found}; {changed:.0%} were made {width} x {height}. Set preprocessing.size, or give pictures of one size."
    ]


def _lost(main: str, test: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Baselines that the model does not beat on the main figure."""
    found = []
    for name, beside in baselines.items():
        if main not in beside or (test[main] > beside[main] if main == "elbo" else test[main] < beside[main]):
            continue
        remedy = (
            "PCA is exact, smaller and faster: take it, or train longer."
            if name == "pca"
            else "It has learned nothing of use: train longer, or change the learning rate."
        )
        found.append(
            f"The network ({main} {test[main]:.4g}) does not beat the {name.replace('_', ' ')} baseline "
            f"({beside[main]:.4g}). {remedy}"
        )
    return found


def clean_of(examples: Examples, some: np.ndarray) -> np.ndarray:
    """Some of the rows as they are before they are binarised: what a reconstruction is compared with."""
    return take(examples.targets["reconstruction"], some)  # type: ignore[index]  # a latent model's targets, by name


def _at(labels: object, some: np.ndarray) -> object:
    return labels[some] if isinstance(labels, np.ndarray) else None


def _array(rows: object) -> np.ndarray:
    return take(rows, np.arange(len(rows)))  # type: ignore[arg-type]  # an array or Rows
