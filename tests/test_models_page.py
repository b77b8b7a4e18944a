"""Does the table of all models hold every model that its recipes offer, or say which it does not?"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dlkit import catalog

ROOT = Path(__file__).parent.parent


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that writes the table."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location("models_of_recipes", ROOT / "benchmarks" / "models.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_the_page_has_each_model_on_offer_once_with_figures_or_as_not_measured(generator: ModuleType) -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for recipe in generator.RECIPES:
        part = page.partition(f"\n## {recipe}\n")[2].partition("\n## ")[0]
        shown = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
        for line in part.splitlines():
            if line.startswith(generator.NOT_MEASURED):
                shown += re.findall(r"`(\w+)`", line)
        assert sorted(shown) == sorted(catalog.load(catalog.entry(recipe)).models), recipe


def test_a_model_on_offer_that_was_not_measured_is_named_below_its_table(generator: ModuleType) -> None:
    assert generator.missing([{"model": "mlp"}], ("mlp", "cnn", "lstm")) == ["Not measured yet: `cnn`, `lstm`."]
    assert generator.missing([{"model": "mlp"}], ("mlp",)) == []
    assert "## imdb\n\nNot measured yet: `mlp`, `cnn`.\n" in generator.page([], {"imdb": ["mlp", "cnn"]})


def test_a_recipe_without_new_runs_keeps_its_table(generator: ModuleType) -> None:
    names = {"imdb": ["mlp"], "reuters": ["mlp"]}
    first = generator.page([], names)
    measured = first.replace("## imdb\n\nNot measured yet: `mlp`.", "## imdb\n\n| `mlp` | 0.9 |\n\nOn this machine.")
    assert measured != first
    assert generator.page([], names, measured) == measured
