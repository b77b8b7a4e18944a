"""What is on offer, and where is its data? Answers for `list`, `show`, `data` and `copy`, without TensorFlow."""

from __future__ import annotations

from pathlib import Path

from dlkit import catalog
from dlkit.data import locate, sources
from dlkit.errors import DlkitError, SettingsError
from dlkit.recipe import Ensemble, Recipe, Say
from dlkit.settings import members_own, settings_of


def shelf() -> list[dict[str, object]]:
    """A row a recipe; a broken one is listed with its problem and hides no other."""
    rows = []
    for one in catalog.entries():
        row: dict[str, object] = {
            "recipe": one.name,
            "question": one.question,
            "data": "",
            "models": [],
            "problem": None,
        }
        try:
            recipe = catalog.load(one)
            row |= {"data": _data(recipe), "models": list(recipe.models)}
        except DlkitError as error:
            row["problem"] = str(error)
        rows.append(row)
    return rows


def description(name: str, model: str | None = None) -> dict[str, object]:
    """A recipe's documentation, data status and models, and of one of these (None: the recipe's own) all settings with
    defaults; of an ensemble also those that each member has for itself.
    """
    one = catalog.entry(name)
    recipe = catalog.load(one)
    chosen = recipe.with_model(model)
    return {
        "recipe": one.name,
        "question": one.question,
        "documentation": one.documentation,
        "file": str(one.path),
        "data": _data(recipe),
        "models": list(recipe.models),
        "ensembles": {name: list(one.members) for name, one in recipe.variants.items() if isinstance(one, Ensemble)},
        "model": recipe.default_model if model is None else model,
        "settings": settings_of(chosen),
        "members": members_own(chosen),
    }


def datasets(name: str | None = None) -> list[dict[str, object]]:
    """A row a dataset: where it lies, whether it is prepared, its size and licence."""
    chosen = [sources.source(name)] if name is not None else list(sources.sources().values())
    rows: list[dict[str, object]] = []
    for source in chosen:
        status = locate.status(source)
        rows.append(
            {
                "name": source.name,
                "title": source.title,
                "where": f"{status.origin}: {status.path}" if status.path else status.origin,
                "path": str(status.path) if status.path else None,
                "bytes": status.bytes,
                "prepared": str(status.prepared) if status.prepared else "no",
                "prepared_bytes": status.prepared_bytes,
                "rows": dict(source.rows),
                "home": source.home,
                "licence": source.licence,
                "notes": list(source.notes),
            }
        )
    return rows


def download(name: str, say: Say) -> None:
    """Fetch a dataset into the cache, checked against its pinned sha256."""
    located = locate.fetch(sources.source(name), say=say)
    say(f"{name} is in {located.path}")


def copy_recipe(name: str, file: Path) -> Path:
    """Write a recipe's source to `file`, which must not exist; gives the file, whose name ends in .py."""
    one = catalog.entry(name)
    if not file.name or file.is_dir():
        raise SettingsError(f"{file} is a folder: give a name for your recipe, e.g. {file / f'my_{one.name}.py'}")
    target = file if file.suffix == ".py" else file.with_name(f"{file.name}.py")
    if target.exists():
        raise SettingsError(f"{target} exists already; it was left as it is. Give another name.")
    if not target.parent.is_dir():
        raise SettingsError(f"There is no folder {target.parent} to put {target.name} into.")
    source = one.path.read_bytes()  # in an encoding of its own, which it names
    with target.open("xb") as stream:  # "x" refuses a file that came into being since the look above
        stream.write(source)
    return target


def _data(recipe: Recipe) -> str:
    name = getattr(recipe.data, "dataset", None)
    if name is None:
        return "own"
    return f"{name}: {locate.status(sources.source(name)).origin}"
