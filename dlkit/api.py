"""What does a few lines of Python do? The same as the command line, with the same names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlkit.catalog import entry, load
from dlkit.errors import SettingsError
from dlkit.inference.runs import ROOT
from dlkit.recipe import Recipe, Say
from dlkit.settings import with_settings

if TYPE_CHECKING:
    from dlkit.run_folder import Order, Run


def run(
    recipe: str | Path,
    *,
    model: str | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    epochs: int | None = None,
    seed: int = 0,
    out: str | Path = ROOT,
    resume: bool = False,
    say: Say | None = None,
) -> Run:
    """Data → train → evaluate → export → verify → report, as `dlkit run`.

    `recipe`: a name or a path to a `.py` file. `data`: a path, "sample", or None for the recipe's dataset. `settings`:
    e.g. `{"training.batch_size": 256}`. `say`: takes progress, a line at a time (default: nothing is printed).
    Raises a `DlkitError`; DisagreementError when an artefact does not answer as its model.
    """
    changes = [f"{name}={_text(value)}" for name, value in (settings or {}).items()]
    made = order(str(recipe), model=model, data=data, changes=changes, epochs=epochs, seed=seed, out=out, resume=resume)
    from dlkit.run_folder import make

    return make(made, say=say or (lambda _: None))


def order(
    recipe: str,
    *,
    model: str | None = None,
    data: str | Path | None = None,
    changes: list[str],
    epochs: int | None = None,
    seed: int = 0,
    out: str | Path = ROOT,
    resume: bool = False,
) -> Order:
    """Check everything that can be checked without TensorFlow; SettingsError for what does not fit."""
    if not 0 <= seed < 2**32:
        raise SettingsError(f"--seed: expected a whole number from 0 to 4294967295, got {seed}.")
    found = entry(recipe)
    resolved, name = resolve(load(found), model, changes, epochs)
    place: Path | Literal["sample"] | None = None if data is None else Path(data)
    if str(data) == "sample":
        place = "sample"
    from dlkit.run_folder import Order

    return Order(
        name=found.name,
        question=found.question,
        recipe=resolved,
        model=name,
        seed=seed,
        data=place,
        out=Path(out),
        resume=resume,
        file=found.path if recipe.endswith(".py") else None,
        command=_command(recipe, model=model, data=data, changes=changes, epochs=epochs, seed=seed),
        changes=tuple(changes) if epochs is None else (*changes, f"training.epochs={epochs}"),
    )


def resolve(recipe: Recipe, model: str | None, changes: list[str], epochs: int | None) -> tuple[Recipe, str]:
    """The recipe with its model chosen and its settings changed, and the model's name."""
    if epochs is not None and epochs < 1:
        raise SettingsError(f"--epochs: expected 1 or more, got {epochs}.")
    chosen = with_settings(recipe.with_model(model), changes)
    if epochs is not None:
        chosen = replace(chosen, training=replace(chosen.training, epochs=epochs))
    return chosen, model or recipe.default_model


def _command(
    recipe: str,
    *,
    model: str | None,
    data: str | Path | None,
    changes: list[str],
    epochs: int | None,
    seed: int,
) -> str:
    parts = ["dlkit", "run", recipe]
    parts += ["--model", model] if model is not None else []
    parts += ["--data", str(data)] if data is not None else []
    for change in changes:
        parts += ["--set", change]
    parts += ["--epochs", str(epochs)] if epochs is not None else []
    return shlex.join([*parts, "--seed", str(seed)])


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
