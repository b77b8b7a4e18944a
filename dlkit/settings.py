"""Which settings does a recipe have, and how does `a.b=value` change one?"""

from __future__ import annotations

import builtins
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from dlkit.errors import SettingsError, did_you_mean
from dlkit.recipe import Recipe

STAGES = ("data", "preprocessing", "task", "model", "training")


def settings_of(recipe: Recipe) -> dict[str, dict[str, object]]:
    """All settings by stage with their values, in pipeline order."""
    return {stage: _values(recipe, stage) for stage in STAGES}


def with_settings(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """The recipe with settings changed, each given as "stage.name=value"; SettingsError for what does not fit."""
    by_stage: dict[str, dict[str, object]] = {}
    for change in changes:
        path, equals, text = change.partition("=")
        stage, dot, name = path.strip().partition(".")
        if not equals or not dot:
            raise SettingsError(f"--set {change!r}: expected stage.name=value, e.g. training.epochs=5.")
        if stage not in STAGES:
            raise SettingsError(f"--set {change!r}: there is no stage {stage!r}.{did_you_mean(stage, STAGES)}")
        kinds = _types(recipe, stage)
        if name not in kinds:
            raise SettingsError(f"--set {change!r}: {stage} has no setting {name!r}.{did_you_mean(name, kinds)}")
        by_stage.setdefault(stage, {})[name] = parse(text.strip(), kinds[name], f"{stage}.{name}")
    return with_values(recipe, by_stage)


def with_values(recipe: Recipe, by_stage: Mapping[str, Mapping[str, object]]) -> Recipe:
    """The recipe with settings replaced by values of the right types."""
    for stage, values in by_stage.items():
        if stage == "model":
            recipe = replace(recipe, model=partial(recipe.model, **values))
        elif values:
            recipe = replace(recipe, **{stage: replace(getattr(recipe, stage), **values)})
    shared = {stage: values for stage, values in by_stage.items() if stage in ("data", "task", "training")}
    members = {name: with_values(member, shared) for name, member in recipe.members.items()}
    return replace(recipe, members=members) if members else recipe


def as_recorded(recipe: Recipe, stage: str, recorded: Mapping[str, object]) -> Recipe:
    """The recipe with settings of a stage as `run.json` holds them; what the stage does not know is left out."""
    known = _values(recipe, stage)
    values = {name: tuple(one) if isinstance(one, list) else one for name, one in recorded.items() if name in known}
    return with_values(recipe, {stage: {name: one for name, one in values.items() if one != known[name]}})


def _values(recipe: Recipe, stage: str) -> dict[str, object]:
    if stage != "model":
        part = getattr(recipe, stage)
        return {item.name: getattr(part, item.name) for item in fields(part)}
    return {name: parameter.default for name, parameter in _options(recipe).items()}


def _options(recipe: Recipe) -> dict[str, inspect.Parameter]:
    """Options of the model function; `inspect` already puts the values of a partial in place of the defaults."""
    parameters = inspect.signature(recipe.model).parameters.values()
    return {one.name: one for one in parameters if one.default is not inspect.Parameter.empty}


def _types(recipe: Recipe, stage: str) -> dict[str, object]:
    if stage != "model":
        part = type(getattr(recipe, stage))
        hints = typing.get_type_hints(part)
        return {item.name: hints[item.name] for item in fields(part)}
    # Only names of `typing` and the builtins are known here: looking further would load the function's module.
    known = {"Path": Path, "__builtins__": builtins, **vars(typing)}
    hints = {name: option.annotation for name, option in _options(recipe).items()}
    return {name: _type(hint, known) if isinstance(hint, str) else hint for name, hint in hints.items()}


def _type(hint: str, known: dict[str, object]) -> object:
    """The type that an annotation names; the annotation itself where it names something else than plain types."""
    try:
        return eval(hint, known)  # noqa: S307 (the recipe's own source)
    except (NameError, AttributeError, TypeError, SyntaxError):
        return hint


def parse(text: str, kind: object, where: str) -> object:
    """A value of type `kind` from the text of a command line; SettingsError where it is none."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        if text not in [str(choice) for choice in arguments]:
            raise SettingsError(f"{where}: unknown value {text!r}.{did_you_mean(text, map(str, arguments))}")
        return next(choice for choice in arguments if str(choice) == text)
    if origin in (typing.Union, types.UnionType):
        if type(None) in arguments and text.lower() in ("none", ""):
            return None
        return parse(text, next(one for one in arguments if one is not type(None)), where)
    if origin is tuple:
        whole = text.strip()
        if whole[:1] + whole[-1:] in ("()", "[]"):  # but for brackets of a name: Length (cm)
            whole = whole[1:-1]
        parts = [part.strip() for part in whole.split(",") if part.strip()]
        return tuple(parse(part, arguments[0], where) for part in parts)
    if origin is Mapping:
        return _pairs(text, arguments[1], where)
    return _truth(text, where) if kind is bool else _scalar(text, kind, where)


def _truth(text: str, where: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
        raise SettingsError(f"{where}: expected true or false, got {text!r}.")
    return text.lower() in ("true", "yes", "1")


def _pairs(text: str, kind: object, where: str) -> dict[str, object]:
    pairs = [part.partition(":") for part in text.split(",") if part.strip()]
    if not all(colon for _, colon, _ in pairs):
        raise SettingsError(f"{where}: expected name:value pairs such as a:1,b:0.5, got {text!r}.")
    return {name.strip(): parse(value.strip(), kind, where) for name, _, value in pairs}


def _scalar(text: str, kind: object, where: str) -> object:
    names: dict[object, str] = {int: "a whole number", float: "a number"}
    if kind in (int, float):
        try:
            value = int(text.replace("_", "")) if kind is int else float(text)
        except ValueError:
            raise SettingsError(f"{where}: expected {names[kind]}, got {text!r}.") from None
        if value != value:  # noqa: PLR0124 (NaN is the one value unequal to itself)
            raise SettingsError(f"{where}: expected {names[kind]}, got {text!r}.")
        return value
    if kind is Path:
        return Path(text)
    if kind in (str, object, typing.Any, inspect.Parameter.empty):
        return text
    raise SettingsError(f"{where}: it takes {kind}, which --set cannot give. Set it in the recipe's file.")
