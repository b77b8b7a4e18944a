"""Does every module import only from rooms to its left, as the order of rooms below says?"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import dlkit
from dlkit.lazily import HEAVY_MODULES

ROOMS = (
    ("errors", "contracts"),
    ("inference",),
    ("lazily",),
    ("data",),
    ("preprocessing",),
    ("models",),
    ("tasks", "forecasting", "generation", "translation"),
    ("training",),
    ("evaluation",),
    ("export",),
    ("recipe",),
    ("variants",),
    ("settings",),
    ("workspace",),
    ("catalog",),
    ("ordering",),
    ("given_rows",),
    ("pipeline",),
    ("ensembles",),
    ("side_by_side",),
    ("judging",),
    ("run_folder",),
    ("finished",),
    ("explained",),
    ("api",),
    ("estimators",),
    ("shelf", "asking", "telling", "coding", "doctor", "printing", "output"),
    ("translators",),
    ("serving",),
    ("latent_commands",),
    ("cli",),
    ("__init__",),
)
"""A module imports from its own room and from rooms further up; those of one line know nothing of each other."""

RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
SEES_ONLY = {
    "models": {"contracts", "errors"},
    "inference": {"contracts", "errors"},
    "serving": {"inference", "contracts", "errors"},
}
"""Rooms that see less than all to their left: networks know no data, production knows no training."""
HEAVY = {"tensorflow", "keras", "keras_hub", "tensorflow_datasets", "tensorflow_text", "sklearn", "matplotlib"}
WITHOUT_HEAVY = {"errors", "contracts", "inference", "serving"}
"""What runs in production, and what it stands on."""
FOR_APPS = {"dlkit", "dlkit.models", "keras", *sys.stdlib_module_names}
LONGEST_FILE = 400

ROOT = Path(dlkit.__file__).parent
APPS = ROOT.parent / "apps"


@dataclass(frozen=True)
class Import:
    """`module` as it is named, `name` taken from it (None for `import module`)."""

    module: str
    name: str | None
    line: int

    @property
    def room(self) -> str | None:
        """The room of dlkit that this looks into; None for another package."""
        first, _, rest = self.module.partition(".")
        if first != "dlkit":
            return None
        if rest:
            return rest.partition(".")[0]
        is_module = self.name is not None and (
            (ROOT / f"{self.name}.py").is_file() or (ROOT / self.name).is_dir() or self.name == "apps"
        )
        return str(self.name) if is_module else "__init__"


def imports(source: str) -> list[Import]:
    """All imports of a file: at its top, inside functions, for type checkers, and by `import_module("name")`."""
    return list(_imports(ast.parse(source)))


def _imports(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import hides its room"
            yield from (Import(str(node.module), alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func) and node.args:
            target = node.args[0]
            if isinstance(target, ast.Constant):
                yield Import(str(target.value), None, node.lineno)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def faults(room: str, source: str) -> list[str]:
    """What a file of `room` imports and should not."""
    found = []
    for one in imports(source):
        package = one.module.partition(".")[0]
        what = f"line {one.line}: {room} imports {one.module}{f'.{one.name}' if one.name else ''}"
        if package in HEAVY and room in WITHOUT_HEAVY:
            found.append(what)
        if one.room is None or one.room == room or (one.room == "__init__" and one.name == "__version__"):
            continue
        if one.room == "apps":
            found.append(f"{what}: the library names no recipe")
        elif one.room not in RANK:
            found.append(f"{what}: no such room")
        elif RANK[one.room] >= RANK[room]:
            found.append(f"{what}: it stands to the right, or beside")
        elif room in SEES_ONLY and one.room not in SEES_ONLY[room]:
            found.append(f"{what}: it sees {', '.join(sorted(SEES_ONLY[room]))} only")
    return found


def app_faults(source: str) -> list[str]:
    """What a recipe imports and should not."""
    found = []
    for one in imports(source):
        allowed = one.module in FOR_APPS or one.module.partition(".")[0] in FOR_APPS - {"dlkit"}
        if not allowed or one.room == "apps":
            found.append(f"line {one.line}: {one.module}")
        elif one.module == "dlkit" and one.name not in {*dlkit.__all__, "models"}:
            found.append(f"line {one.line}: {one.name} is not a public name of dlkit")
    return found


MODULES = sorted(ROOT.rglob("*.py"))
RECIPES = sorted(APPS.glob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT.parent).as_posix()


def test_every_module_has_its_room_in_the_order() -> None:
    assert sorted({room_of(path) for path in MODULES} - set(RANK)) == []


def test_no_room_is_listed_twice() -> None:
    assert len(RANK) == sum(len(rooms) for rooms in ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_imports_from_rooms_to_its_left_only(path: Path) -> None:
    assert faults(room_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", RECIPES, ids=_name)
def test_a_recipe_imports_public_names_and_models_only(path: Path) -> None:
    assert app_faults(path.read_text(encoding="utf-8")) == []


def test_every_layer_of_a_saved_network_is_found_where_it_is_loaded() -> None:
    """Modules that register classes of networks with Keras: those are imported before a file of one is read."""
    register = [path for path in MODULES if room_of(path) == "models" and "@keras.saving.register" in path.read_text()]
    assert {_name(path).removesuffix(".py").replace("/", ".") for path in register} <= {*HEAVY_MODULES}
    assert len(register) > 5


@pytest.mark.parametrize("path", [*MODULES, *RECIPES], ids=_name)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", [path for path in [*MODULES, *RECIPES] if path.stat().st_size], ids=_name)
def test_a_file_opens_with_the_question_it_answers(path: Path) -> None:
    documentation = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    front = path in (ROOT / "__init__.py", ROOT / "errors.py", ROOT / "contracts.py")
    assert documentation
    assert front or "?" in documentation.split("\n\n")[0], documentation.split("\n")[0]


def test_the_library_names_no_recipe_in_a_string() -> None:
    named = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("dlkit.apps."):
                named.append(f"{_name(path)}: {node.value}")
    # The catalogue puts a name together from what lies in the folder, which is no name of a recipe.
    assert named in ([], ["dlkit/catalog.py: dlkit.apps."])


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("data", "from dlkit.training.fit import fit"),
        ("data", "def f():\n    from dlkit import pipeline"),
        ("data", "import importlib\nimportlib.import_module('dlkit.cli')"),
        ("data", "if TYPE_CHECKING:\n    import dlkit.recipe"),
        ("data", "from dlkit import Recipe"),
        ("data", "from dlkit.apps import imdb"),
        ("data", "from dlkit.cupboard import x"),
        ("shelf", "from dlkit.printing import table"),
        ("models", "from dlkit.inference.words import words"),
        ("inference", "def f():\n    import keras.ops"),
        ("serving", "import tensorflow as tf"),
        ("serving", "from dlkit.export.proof import runner"),
    ],
)
def test_a_forged_import_is_caught(room: str, source: str) -> None:
    assert len(faults(room, source)) == 1


@pytest.mark.parametrize(
    "source",
    ["from dlkit.apps import imdb", "from dlkit.training.fit import fit", "from dlkit import cli", "import numpy",
     "from dlkit.apps.imdb import recipe"],
)  # fmt: skip
def test_a_forged_import_of_a_recipe_is_caught(source: str) -> None:
    assert len(app_faults(source)) == 1
