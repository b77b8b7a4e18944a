"""What exactly is a run asked to do? All that can be checked without TensorFlow is checked here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlkit.catalog import entry, load
from dlkit.data.paths import belongs_to, present
from dlkit.data.tables import TableData
from dlkit.errors import RunError, SettingsError
from dlkit.inference.runs import ROOT, find_run, read_run
from dlkit.recipe import Recipe
from dlkit.settings import as_recorded, with_settings, with_values
from dlkit.tasks import Regression

GENTLER = 0.1
"""Learning rate of a training that goes on, as a share of that from the beginning."""
_GO_ON = ("translation", "generation", "reconstruction")
"""Tasks whose training can go on from a run."""


@dataclass(frozen=True)
class Order:
    """All that `dlkit run` was asked for. `recipe`: with model and settings resolved. `file`: of an own recipe.
    `start`: the run whose network (and vocabulary) training goes on with.
    """

    name: str
    question: str
    recipe: Recipe
    model: str
    seed: int = 0
    data: Path | Literal["sample"] | None = None
    out: Path = ROOT
    resume: bool = False
    file: Path | None = None
    command: str = ""
    changes: tuple[str, ...] = ()
    start: Path | None = None

    @property
    def beginning(self) -> dict[str, str]:
        """What records say of the run that training goes on from; nothing where it begins with first weights."""
        return {} if self.start is None else {"from": str(self.start)}


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
    start: str | Path | None = None,
) -> Order:
    """Check everything that can be checked without TensorFlow; SettingsError for what does not fit."""
    if not 0 <= seed < 2**32:
        raise SettingsError(f"--seed: expected a whole number from 0 to 4294967295, got {seed}.")
    if data is not None and not str(data):
        raise SettingsError("--data: expected a path or sample, got an empty text. Is a shell variable not set?")
    if epochs is not None and epochs < 1:
        raise SettingsError(f"--epochs: expected 1 or more, got {epochs}.")
    for option, value in [("the recipe", recipe), ("--data", data), ("--out", out), ("--from", start)]:
        _check_writable(option, value)
    for change in changes:
        _check_writable("--set", change)
    found = entry(recipe)
    command = _command(recipe, model=model, data=data, changes=changes, epochs=epochs, seed=seed, start=start)
    changes = changes if epochs is None else [f"training.epochs={epochs}", *changes]  # of all members but those named
    folder = None if start is None else find_run(start, out)
    if folder is not None:
        model, kept = _going_on(folder, load(found), model, changes)
        changes = [*kept, *changes]
    resolved, name = resolve(load(found), model, changes)
    if folder is not None:
        resolved = _reading_as(folder, resolved)
    place: Path | Literal["sample"] | None = None if data is None else Path(data)
    if str(data) == "sample":
        place = "sample"
    if isinstance(place, Path) and not recipe.endswith(".py"):
        resolved = _without_unit(resolved, place, changes)
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
        command=command,
        changes=tuple(changes),
        start=folder,
    )


def _check_writable(option: str, value: object) -> None:
    """SettingsError for a name that the records of a run cannot hold: bytes of a file name that are no UTF-8."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        shown = str(value).encode(errors="backslashreplace").decode()
        raise SettingsError(
            f"{option}: expected a name in UTF-8, which the run's records can hold, got {shown!r}. Rename it."
        ) from None


def _without_unit(recipe: Recipe, data: Path, changes: list[str]) -> Recipe:
    """The recipe without the unit of its dataset's target where the data is another and nobody said its unit."""
    task, rows = recipe.task, recipe.data
    if not isinstance(task, Regression) or not task.unit or not isinstance(rows, TableData):
        return recipe
    if belongs_to(present(data), rows.dataset) or any(change.strip().startswith("task.unit") for change in changes):
        return recipe
    return with_values(recipe, {"task": {"unit": ""}})


def _going_on(folder: Path, recipe: Recipe, model: str | None, changes: list[str]) -> tuple[str, list[str]]:
    """The model of a finished run and its settings, which hold where nothing else is said: but for the learning rate,
    a tenth of what it began with, lest what was learnt is lost.

    Another model of latent codes may have the same network and learn otherwise: it goes on by its own settings.
    """
    record = read_run(folder)
    if recipe.task.name not in _GO_ON or record.get("task") != recipe.task.name:
        raise SettingsError(
            f"--from {folder}: a {record.get('task')} run, and this recipe is of {recipe.task.name}; what can be gone "
            "on with is a translator, by a recipe of translation, or a model of latent codes, by one of these."
        )
    recorded, kept = str(record.get("model")), record.get("changes")
    fixed = {"preprocessing"}
    if recipe.task.name == "translation":
        fixed = {"model", "preprocessing"}
        if model not in (None, recorded):
            raise SettingsError(f"--from {folder}: its model is {recorded!r}, not {model!r}. Leave out --model.")
    for change in changes:
        if fixed.intersection(change.partition("=")[0].strip().split(".")[:-1]):
            raise SettingsError(f"--set {change!r}: --from keeps network and vocabulary of its run. Leave it out.")
    kept = [str(change) for change in kept] if isinstance(kept, list) else []
    if model not in (None, recorded):  # which rows it goes on with is no matter of the model
        return str(model), [change for change in kept if change.strip().startswith("data.")]
    if "from" not in record:
        before = resolve(recipe, recorded, kept)[0]
        each = {f"{name}.": member for name, member in before.members.items()} or {"": before}
        kept += [f"{name}training.learning_rate={GENTLER * one.training.learning_rate:g}" for name, one in each.items()]
    return recorded, kept


def _reading_as(folder: Path, recipe: Recipe) -> Recipe:
    """The recipe with the preprocessing settings of a finished run, whose vocabulary is kept: another recipe may say
    others.
    """
    settings = read_run(folder).get("settings")
    recorded = settings.get("preprocessing") if isinstance(settings, dict) else None
    if not isinstance(recorded, dict):
        raise RunError(f"{folder / 'run.json'} is damaged: it has no preprocessing settings. Run the recipe again.")
    return as_recorded(recipe, "preprocessing", recorded)


def resolve(recipe: Recipe, model: str | None, changes: list[str]) -> tuple[Recipe, str]:
    """The recipe with its model chosen and its settings changed, and the model's name."""
    return with_settings(recipe.with_model(model), changes), model or recipe.default_model


def _command(
    recipe: str,
    *,
    model: str | None,
    data: str | Path | None,
    changes: list[str],
    epochs: int | None,
    seed: int,
    start: str | Path | None = None,
) -> str:
    parts = ["dlkit", "run", recipe]
    parts += ["--model", model] if model is not None else []
    parts += ["--data", str(data)] if data is not None else []
    for change in changes:
        parts += ["--set", change]
    parts += ["--epochs", str(epochs)] if epochs is not None else []
    parts += ["--from", str(start)] if start is not None else []
    return shlex.join([*parts, "--seed", str(seed)])
