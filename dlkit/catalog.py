"""Which recipes are there, and how is one found by name or by path without importing the others?"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from dlkit.errors import DlkitError, SettingsError, did_you_mean
from dlkit.lazily import heavy_imports_wait
from dlkit.recipe import Recipe


@dataclass(frozen=True)
class Entry:
    """A recipe file that was read, not run. `problem`: what is wrong with it, None where nothing was found."""

    name: str
    path: Path
    question: str
    documentation: str
    problem: str | None = None


def entries() -> list[Entry]:
    """All recipes that dlkit ships, by name; a file that does not parse is there with its problem."""
    return [_read(path) for path in sorted(_folder().glob("*.py")) if not path.name.startswith("_")]


def entry(recipe: str) -> Entry:
    """A recipe by name, or by the path to its file; SettingsError where there is none."""
    path = Path(recipe)
    if recipe.endswith(".py") or len(path.parts) > 1:
        if not _is_file(path):
            raise SettingsError(f"There is no recipe file {recipe}. Make one with: dlkit copy imdb {recipe}")
        return _read(path)
    for one in entries():
        if one.name == recipe:
            return one
    known = [one.name for one in entries()]
    raise SettingsError(f"There is no recipe {recipe!r}.{did_you_mean(recipe, known)} A path to a .py file works too.")


def load(one: Entry) -> Recipe:
    """Run the recipe's file and take its `recipe`. What is wrong with it is said with the file's own error and line.

    Keras and TensorFlow are loaded when the recipe first uses them, not when it imports them.
    """
    if one.problem is not None:
        raise DlkitError(f"{one.path} is not a recipe: {one.problem}")
    try:
        with heavy_imports_wait():
            module = _module(one)
    except DlkitError:
        raise
    except (Exception, SystemExit) as error:
        file = str(one.path.absolute())
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        where = f", line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
        raise DlkitError(f"{one.path} cannot be used: {type(error).__name__}: {error}{where}") from error
    recipe = getattr(module, "recipe", None)
    if not isinstance(recipe, Recipe):
        got = "nothing of that name" if recipe is None else type(recipe).__name__
        raise DlkitError(f"{one.path} is not a recipe: expected `recipe = Recipe(...)`, got {got}.")
    return recipe


def know_layers(record: Mapping[str, object]) -> None:
    """Make layers that stand in a recipe file of the user's own known to Keras, which is to load the run of `record`.
    A file that is gone may have had none.
    """
    file = record.get("recipe_file")
    if isinstance(file, str):
        with contextlib.suppress(DlkitError):
            load(entry(file))


def _folder() -> Path:
    spec = importlib.util.find_spec("dlkit.apps")
    if spec is None or not spec.submodule_search_locations:
        raise DlkitError("dlkit's recipes are missing: reinstall with pip install --force-reinstall dlkit")
    return Path(next(iter(spec.submodule_search_locations)))


def _read(path: Path) -> Entry:
    try:
        # Bytes, so that Python's own rules for a byte order mark and a coding line hold.
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError, OSError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        return Entry(path.stem, path, "", "", f"{type(error).__name__}: {getattr(error, 'msg', error)}{line}")
    documentation = ast.get_docstring(tree) or ""
    question = documentation.split("\n", 1)[0].strip()
    problem = None if question else "it has no docstring; open it with the question that it answers"
    return Entry(path.stem, path, question, documentation, problem)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, a zero byte
        return False


def _module(one: Entry) -> ModuleType:
    shipped = one.path.parent == _folder()
    name = f"dlkit.apps.{one.name}" if shipped else f"dlkit_recipe_{one.name}"
    if shipped and name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, one.path)
    if spec is None or spec.loader is None:
        raise DlkitError(f"{one.path} cannot be read as Python.")
    module = importlib.util.module_from_spec(spec)
    # Keras looks a custom layer's module up by name when it saves a model.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
