"""Which settings does a recipe have, and how does `a.b=value` change one?"""

from __future__ import annotations

import builtins
import csv
import inspect
import io
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from dlkit.errors import SettingsError, did_you_mean
from dlkit.preprocessing.joined import Joined
from dlkit.recipe import Recipe

STAGES: tuple[str, ...] = ("data", "preprocessing", "task", "model", "training")
OF_MEMBERS: tuple[str, ...] = ("preprocessing", "model", "training")
"""What the members of an ensemble have for themselves."""


def settings_of(recipe: Recipe) -> dict[str, dict[str, object]]:
    """All settings by stage with their values, in pipeline order."""
    return {stage: _values(recipe, stage) for stage in STAGES}


def members_own(recipe: Recipe) -> dict[str, dict[str, object]]:
    """What each member of an ensemble has for itself, by stage, as JSON holds it; of a single model nothing."""
    members = {name: plain_settings(settings_of(member)) for name, member in recipe.members.items()}
    return {name: {stage: found[stage] for stage in OF_MEMBERS} for name, found in members.items()}


def plain_settings(settings: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, object]]:
    """Settings as JSON holds them."""
    return {
        stage: {name: list(value) if isinstance(value, tuple) else _plain(value) for name, value in values.items()}
        for stage, values in settings.items()
    }


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def as_changes(settings: Mapping[str, object], *, of: str = "") -> list[str]:
    """Settings given in Python as `with_settings` takes them: by their path, "training.epochs", or each stage, and each
    member of an ensemble, with a mapping of its own.
    """
    found = []
    for name, value in settings.items():
        path = f"{of}.{name}" if of else str(name)
        if isinstance(value, Mapping) and ("." not in path or path.rpartition(".")[2] in STAGES):
            found += as_changes(value, of=path)
        else:
            found.append(f"{path}={_text(value)}")
    return found


def _text(value: object) -> str:
    """As `parse` reads it."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{one}" for name, one in value.items())
    if not isinstance(value, tuple | list):
        return str(value)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(str, value))
    whole = text.getvalue()[:-1]
    return f"({whole})" if _is_bracketed(whole) else whole


def _is_bracketed(text: str) -> bool:
    return text[:1] + text[-1:] in ("()", "[]")


def with_settings(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """The recipe with settings changed, each given as "stage.name=value", or, of one member of an ensemble alone, as
    "member.stage.name=value"; of two that concern one setting, the last holds. SettingsError for what does not fit.
    """
    by_stage: dict[str, dict[str, object]] = {}
    by_member: dict[str, dict[str, dict[str, object]]] = {name: {} for name in recipe.members}
    for change in changes:
        path, equals, text = change.partition("=")
        first, dot, rest = path.strip().partition(".")
        if not equals or not dot:
            raise SettingsError(f"--set {change!r}: expected stage.name=value, e.g. training.epochs=5.")
        owner, values, stages, stage, name = recipe, by_stage, STAGES, first, rest
        if first in by_member:
            owner, values, stages = recipe.members[first], by_member[first], OF_MEMBERS
            stage, _, name = rest.partition(".")
        if stage not in stages:
            known = (*stages, *by_member) if owner is recipe else stages
            raise SettingsError(f"--set {change!r}: there is no stage {stage!r}.{did_you_mean(stage, known)}")
        if recipe.members and owner is recipe and not _shared(recipe, stage):
            one = next(iter(by_member))
            raise SettingsError(
                f"--set {change!r}: each member of an ensemble has a {stage} of its own. Say which: {one}.{path}=…"
            )
        kinds = _types(owner, stage)
        if name not in kinds:
            raise SettingsError(f"--set {change!r}: {stage} has no setting {name!r}.{did_you_mean(name, kinds)}")
        values.setdefault(stage, {})[name] = parse(text.strip(), kinds[name], path.strip())
        if owner is recipe:  # what was said of a member before
            for of_member in by_member.values():
                of_member.get(stage, {}).pop(name, None)
    recipe = with_values(recipe, by_stage)
    if not any(by_member.values()):
        return recipe
    return recipe.with_members({name: with_values(one, by_member[name]) for name, one in recipe.members.items()})


def with_values(recipe: Recipe, by_stage: Mapping[str, Mapping[str, object]]) -> Recipe:
    """The recipe with settings replaced by values of the right types."""
    for stage, values in by_stage.items():
        if stage == "model":
            recipe = replace(recipe, model=partial(recipe.model, **values))
        elif values:
            recipe = replace(recipe, **{stage: replace(getattr(recipe, stage), **values)})
    shared = {stage: values for stage, values in by_stage.items() if _shared(recipe, stage)}
    members = {name: with_values(member, shared) for name, member in recipe.members.items()}
    return replace(recipe, members=members) if members else recipe


def _shared(recipe: Recipe, stage: str) -> bool:
    """Whether what is said of an ensemble's stage is said of its members too."""
    return stage != "model" and not isinstance(getattr(recipe, stage), Joined)


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
        if _is_bracketed(whole):  # but for brackets of a name: Length (cm)
            whole = whole[1:-1]
        rows = csv.reader(io.StringIO(whole, newline=""), skipinitialspace=True)  # commas in quotes are of a name
        parts = [part.strip() for row in rows for part in row if part.strip()]
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
        if not math.isfinite(value):
            raise SettingsError(f"{where}: expected {names[kind]}, got {text!r}.")
        return value
    if kind is Path:
        return Path(text)
    if kind in (str, object, typing.Any, inspect.Parameter.empty):
        return text
    raise SettingsError(f"{where}: it takes {kind}, which --set cannot give. Set it in the recipe's file.")
