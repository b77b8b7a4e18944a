"""Are recipes found by name and by path, and does a broken one hide no other?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlkit import catalog
from dlkit.errors import DlkitError, SettingsError
from dlkit.recipe import Recipe

OWN = '''"""Houses: what is mine worth?

dlkit run mine.py
"""

from __future__ import annotations

import keras
from keras import layers

from dlkit import Recipe, Regression, TableData, TableFeatures


def small(spec, *, units: int = 4) -> keras.Model:
    inputs = keras.Input(spec.inputs["features"].shape, name="features")
    return keras.Model(inputs, layers.Dense(1)(layers.Dense(units)(inputs)))


recipe = Recipe(data=TableData(), preprocessing=TableFeatures(), task=Regression(), model=small)
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_all_recipes_are_listed_by_name_with_their_question() -> None:
    found = {entry.name: entry for entry in catalog.entries()}
    assert {"boston", "imdb"} <= set(found) and list(found) == sorted(found)
    assert found["imdb"].question == "IMDb reviews: is a film review positive or negative?"
    assert all(entry.problem is None for entry in found.values())


def test_a_recipe_is_found_by_name_and_gives_a_recipe() -> None:
    entry = catalog.entry("imdb")
    assert entry.name == "imdb" and isinstance(catalog.load(entry), Recipe)
    assert catalog.load(entry) is catalog.load(catalog.entry("imdb")), "it is run once"


def test_a_recipe_is_found_by_the_path_to_its_file(own: Path) -> None:
    entry = catalog.entry(str(own))
    assert (entry.name, entry.question, entry.path) == ("mine", "Houses: what is mine worth?", own)
    assert catalog.load(entry).default_model == "small"


def test_listing_and_reading_recipes_loads_neither_keras_nor_tensorflow(own: Path) -> None:
    code = (
        "import sys; from dlkit import catalog\n"
        "for one in [*catalog.entries(), catalog.entry(sys.argv[1])]: catalog.load(one)\n"
        "print(sorted({'keras', 'tensorflow', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(own)], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_a_recipe_read_without_keras_builds_a_network_with_it(own: Path) -> None:
    from dlkit.contracts import Head, Spec, Tensor

    model = catalog.load(catalog.entry(str(own))).build(Spec({"features": Tensor((3,))}, {"answer": Head(1)}))
    assert model.count_params() == 3 * 4 + 4 + 4 + 1  # type: ignore[attr-defined]  # a keras.Model


def test_a_changed_file_is_read_anew(own: Path) -> None:
    assert catalog.load(catalog.entry(str(own))).default_model == "small"
    own.write_text(OWN.replace("small", "large"), encoding="utf-8")
    assert catalog.load(catalog.entry(str(own))).default_model == "large"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("imbd", "There is no recipe 'imbd'. Did you mean 'imdb'"),
        ("", "There is no recipe ''"),
        ("nowhere/mine.py", "There is no recipe file nowhere/mine.py"),
        ("../boston", "There is no recipe file ../boston"),
        ("mine.py", "There is no recipe file mine.py"),
        (".", "There is no recipe '.'"),
        ("__init__", "There is no recipe '__init__'"),
    ],
)
def test_a_recipe_that_is_not_there_is_said(name: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        catalog.entry(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def f(:\n", "SyntaxError: invalid syntax, line 1"),
        ("x = 1\n", "it has no docstring; open it with the question"),
        ('"""Why?"""\nx = 1\n', "expected `recipe = Recipe.*got nothing of that name"),
        ('"""Why?"""\nrecipe = 5\n', "expected `recipe = Recipe.*got int"),
        ('"""Why?"""\n\nrecipe = nothing\n', "NameError: name 'nothing' is not defined, line 3: recipe = nothing"),
        ('"""Why?"""\nimport nowhere_at_all\n', "No module named 'nowhere_at_all', line 2"),
        ('"""Why?"""\nfrom dlkit import Recip\n', "cannot import name 'Recip'"),
        ('"""Why?"""\nraise SystemExit(3)\n', "SystemExit: 3, line 2"),
        ("\x00", "null bytes"),
    ],
)
def test_a_broken_file_is_said_with_its_own_error_and_line(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DlkitError, match=message) as error:
        catalog.load(catalog.entry(str(path)))
    assert str(path) in str(error.value)


def test_a_broken_file_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.py").write_text("def f(:\n", encoding="utf-8")
    (tmp_path / "good.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "latin.py").write_bytes(b'"""M\xfcller?"""\n')
    (tmp_path / "_draft.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(catalog, "_folder", lambda: tmp_path)
    found = {entry.name: entry for entry in catalog.entries()}
    assert set(found) == {"bad", "good", "latin"}
    assert found["good"].problem is None and found["bad"].problem and found["latin"].problem
