"""What does a recipe make of the models it offers?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from dlkit.contracts import Head, Spec, Splits, Tensor
from dlkit.errors import DlkitError, SettingsError
from dlkit.preprocessing.joined import Joined
from dlkit.preprocessing.pairs import Pairs
from dlkit.preprocessing.tables import TableFeatures
from dlkit.recipe import Ensemble, Recipe, Variant, model_function
from dlkit.settings import with_settings
from dlkit.tasks import Classification, Regression
from dlkit.training.settings import Training
from dlkit.translation import Translation

SPEC = Spec({"features": Tensor((2,))}, {"answer": Head(1)})


class NoRows:
    """Data that nobody loads."""

    def load(self, *_: object, **__: object) -> Splits:
        raise NotImplementedError


class Network:
    """Looks like a network to a recipe."""

    def fit(self) -> None: ...


def plain(spec: Spec) -> Network:
    return Network()


def other(spec: Spec, *, units: int = 3) -> Network:
    return Network()


RECIPE = Recipe(
    NoRows(),
    TableFeatures(),
    Regression(),
    partial(plain),
    Training(epochs=3),
    variants={
        "wide": partial(partial(other), units=9),
        "logs": Variant(other, task=Regression(target_scaling="log"), training=Training(epochs=8)),
        "raw": Variant(plain, preprocessing=TableFeatures(scaling="none")),
    },
)


def test_the_default_model_is_named_after_its_function_and_stands_first() -> None:
    assert RECIPE.default_model == "plain" and RECIPE.models == ("plain", "wide", "logs", "raw")
    assert model_function(RECIPE.variants["wide"]) is other  # type: ignore[arg-type]  # a partial of a partial


@pytest.mark.parametrize("name", [None, "plain"])
def test_no_name_and_the_default_name_give_the_recipe_itself(name: str | None) -> None:
    assert RECIPE.with_model(name) is RECIPE


def test_a_variant_changes_its_model_and_only_the_stages_that_it_names() -> None:
    wide, logs, raw = (RECIPE.with_model(name) for name in ("wide", "logs", "raw"))
    assert (wide.task, wide.training, wide.preprocessing) == (RECIPE.task, RECIPE.training, RECIPE.preprocessing)
    assert (
        logs.training.epochs == 8
        and logs.task == Regression(target_scaling="log")
        and logs.preprocessing == RECIPE.preprocessing
    )
    assert raw.preprocessing == TableFeatures(scaling="none") and raw.training == RECIPE.training


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match=r"There is no model 'wid' in this recipe\. Did you mean 'wide'"):
        RECIPE.with_model("wid")


def broken(spec: Spec) -> Network:
    raise KeyError("width")


def refused(spec: Spec) -> Network:
    raise ValueError("units must be positive")


def forgetful(spec: Spec) -> None:
    """It does not return its network."""


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (broken, DlkitError, r"The model 'broken' cannot be built .*KeyError: 'width' .*line \d+: raise KeyError"),
        (partial(refused), SettingsError, "The model 'refused' cannot be built .*units must be positive"),
        (forgetful, DlkitError, "The model 'forgetful' gave NoneType; expected a keras.Model"),
    ],
)
def test_a_fault_in_a_model_s_function_is_said_with_its_line(
    model: object, kind: type[DlkitError], message: str
) -> None:
    recipe = Recipe(NoRows(), TableFeatures(), Regression(), model)  # type: ignore[arg-type]  # parametrised
    with pytest.raises(kind, match=message) as error:
        recipe.build(SPEC)
    assert error.type is kind


CLASSES = Recipe(
    NoRows(),
    TableFeatures(),
    Classification(),
    plain,
    variants={
        "wide": other,
        "raw": Variant(plain, preprocessing=TableFeatures(scaling="none")),
        "both": Ensemble(("plain", "raw")),
        "misspelt": Ensemble(("plain", "wied")),
        "itself": Ensemble(("itself", "plain")),
        "nested": Ensemble(("both", "wide")),
        "twice": Ensemble(("plain", "plain")),
        "one": Ensemble(("plain",)),
        "none": Ensemble(()),
        "text": Ensemble("wide"),  # type: ignore[arg-type]  # a comma is easily forgotten
    },
)


def test_an_ensemble_has_each_member_with_its_own_stages() -> None:
    chosen = CLASSES.with_model("both")
    assert list(chosen.members) == ["plain", "raw"]
    assert chosen.members["raw"].preprocessing == TableFeatures(scaling="none")
    assert isinstance(chosen.preprocessing, Joined)
    assert chosen.preprocessing.members == {name: one.preprocessing for name, one in chosen.members.items()}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("misspelt", "Ensemble 'misspelt': no single model 'wied'. Did you mean 'wide'"),
        ("itself", "Ensemble 'itself': no single model 'itself'"),
        ("nested", "Ensemble 'nested': no single model 'both'"),
        ("twice", "expected two different models or more, got \\('plain', 'plain'\\)"),
        ("one", "expected two different models or more"),
        ("none", "expected two different models or more, got \\(\\)"),
        ("text", "expected two different models or more, got 'wide'"),
    ],
)
def test_members_that_make_no_ensemble_are_refused(name: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CLASSES.with_model(name)


def test_values_have_no_ensemble() -> None:
    values = replace(RECIPE, variants={"wide": other, "both": Ensemble(("plain", "wide"))})
    with pytest.raises(SettingsError, match="of the next piece of a translation; the task is regression"):
        values.with_model("both")


SENTENCES = Recipe(
    NoRows(),
    Pairs(size=100, dropout=0.1),
    Translation(),
    plain,
    variants={
        "whole": Variant(other, preprocessing=Pairs(size=100), training=Training(epochs=3)),
        "finer": Variant(other, preprocessing=Pairs(size=99)),
        "both": Ensemble(("plain", "whole")),
        "apart": Ensemble(("plain", "finer")),
        "shorter": Ensemble(("whole", "plain"), epochs=(2, 1)),
        "of one": Ensemble(("whole", "plain"), epochs=(2,)),
    },
)


def test_translators_of_an_ensemble_share_their_pieces() -> None:
    chosen = SENTENCES.with_model("both")
    assert chosen.preprocessing == SENTENCES.preprocessing
    assert [one.preprocessing.dropout for one in chosen.members.values()] == [0.1, 0.0]
    with pytest.raises(SettingsError, match=r"'plain' and 'finer' cut sentences differently.*dropout"):
        SENTENCES.with_model("apart")


def test_members_may_learn_for_less_than_alone() -> None:
    def epochs(model: str, *changes: str) -> list[int]:
        return [one.training.epochs for one in with_settings(SENTENCES.with_model(model), changes).members.values()]

    assert epochs("both") == [Training().epochs, 3] and epochs("shorter") == [2, 1]
    assert epochs("shorter", "plain.training.epochs=9") == [2, 9]
    assert epochs("shorter", "training.epochs=5") == [5, 5]
    assert SENTENCES.with_model("whole").training.epochs == 3
    with pytest.raises(SettingsError, match=r"'of one': expected epochs for each of its 2 members, got \(2,\)"):
        SENTENCES.with_model("of one")


def test_what_is_said_of_shared_pieces_reaches_every_member() -> None:
    chosen = with_settings(
        SENTENCES.with_model("both"), ["preprocessing.lower=true", "whole.preprocessing.dropout=0.2"]
    )
    assert chosen.preprocessing == Pairs(size=100, dropout=0.1, lower=True)
    assert chosen.members["whole"].preprocessing == Pairs(size=100, dropout=0.2, lower=True)


def test_a_member_has_settings_of_its_own_and_of_two_the_last_holds() -> None:
    both = CLASSES.with_model("both")
    chosen = with_settings(both, ["training.epochs=7", "raw.training.epochs=3", "raw.preprocessing.scaling=minmax"])
    assert [one.training.epochs for one in (chosen, *chosen.members.values())] == [7, 7, 3]
    assert chosen.preprocessing.members["raw"] == TableFeatures(scaling="minmax")  # type: ignore[attr-defined]  # Joined
    chosen = with_settings(both, ["raw.training.epochs=3", "training.epochs=7"])
    assert [one.training.epochs for one in chosen.members.values()] == [7, 7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("row.training.epochs=3", "no stage 'row'. Did you mean 'raw'.*plain.*raw"),
        ("raw.data.sample=x", "no stage 'data'. Known: model, preprocessing, training"),
        ("raw.training.epoch=3", "training has no setting 'epoch'. Did you mean 'epochs'"),
        ("raw.training=3", "training has no setting ''"),
        ("raw.training.epochs=no", "^raw.training.epochs: expected a whole number, got 'no'"),
        ("preprocessing.scaling=none", "a preprocessing of its own. Say which: plain.preprocessing.scaling=…"),
        ("model.units=4", "a model of its own. Say which: plain.model.units=…"),
    ],
)
def test_a_setting_that_no_member_has_is_refused(change: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        with_settings(CLASSES.with_model("both"), [change])


def test_settings_of_training_and_task_reach_every_member() -> None:
    changes = ["training.epochs=7", "task.class_weights=balanced"]
    chosen = with_settings(CLASSES.with_model("both"), changes)
    for one in (chosen, *chosen.members.values()):
        assert one.training.epochs == 7 and one.task.class_weights == "balanced"
    assert chosen.members["raw"].preprocessing == TableFeatures(scaling="none")
