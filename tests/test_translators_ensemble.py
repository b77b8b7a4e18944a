"""Do translators that learnt one by one answer as one, go on from a run each with its weights, and know their rates?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit import ensembles
from dlkit.data.pair_samples import toy
from dlkit.ensembles import member_alone
from dlkit.errors import SettingsError, TrainingError
from dlkit.export.proof import keras_model
from dlkit.given_rows import rows_to_learn
from dlkit.inference.runs import read_json
from dlkit.models import translation
from dlkit.ordering import order
from dlkit.pipeline import prepare
from dlkit.run_folder import Run, make
from dlkit.training.fit import Keeper

SMALL = [
    "transformer.model.width=16", "transformer.model.intermediate=16", "transformer.model.encoders=1",
    "transformer.model.decoders=1", "lstm.model.units=16", "lstm.model.dimension=16", "task.beam=2",
    "preprocessing.size=200", "preprocessing.length=16", "lstm.training.epochs=1", "lstm.training.learning_rate=0.001",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("translators")
    pairs = islice(zip(*vars(toy().parts["train"]).values(), strict=True), 200)
    (folder / "own.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in pairs), encoding="utf-8")
    changes = [*SMALL, "data.target=toy"]
    asked = order("transformer", model="ensemble", data=folder / "own.tsv", changes=changes, epochs=2, out=folder)
    return make(asked, say=lambda _: None)


def test_each_learns_by_its_own_settings_and_the_answer_is_their_mean(run: Run) -> None:
    header, first, second = (run.folder / "history.csv").read_text(encoding="utf-8").splitlines()
    for number, row in enumerate((first, second), start=1):
        found = dict(zip(header.split(","), row.split(","), strict=True))
        assert float(found["transformer_loss"]) > 0 and (found["lstm_loss"] == "nan") == (number == 2)
    network = keras_model(run.folder / "model.keras")
    source = np.array([[5, 6, 7, 2], [8, 2, 0, 0]], np.int32)
    inputs = {"source": source, "target": np.array([[1, 9, 10], [1, 11, 0]], np.int32)}
    alone = [np.asarray(member(inputs, training=False)) for member in network.members]
    np.testing.assert_allclose(network(inputs, training=False), np.mean(alone, axis=0), atol=1e-5)
    assert np.abs(alone[0] - alone[1]).max() > 0.1
    artefacts = run.metrics["artefacts"]
    assert isinstance(artefacts, dict) and all(entry["agreement"] == 1 for entry in artefacts.values())


def test_training_goes_on_from_the_weights_of_each(run: Run) -> None:
    again = order("transformer", data=run.folder.parent.parent / "own.tsv", changes=[], start=run.folder)
    rates = {name: member.training.learning_rate for name, member in again.recipe.members.items()}
    assert rates == pytest.approx({"transformer": 3e-4, "lstm": 1e-4})
    assert {member.training.epochs for member in again.recipe.members.values()} == {1, 2}
    splits = rows_to_learn(again.recipe, again.data, start=run.folder, say=len)
    prepared = prepare(again.recipe, splits, start=run.folder)
    given = keras_model(run.folder / "model.keras")
    same(prepared.build(), given)
    for name, member in zip(again.recipe.members, given.members, strict=True):
        same(member_alone(prepared, name).build(), member)


def same(ours: keras.Model, theirs: keras.Model) -> None:
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_of_other_members_is_refused_before_any_learns(run: Run) -> None:
    again = order("transformer", data=run.folder.parent.parent / "own.tsv", changes=[], start=run.folder).recipe
    lstm = again.members["lstm"]
    for members in (
        {**again.members, "lstm": replace(lstm, model=partial(translation.seq2seq, units=8, dimension=8))},
        {**again.members, "another": lstm},
        {"transformer": again.members["transformer"]},
    ):
        recipe = again.with_members(members)
        splits = rows_to_learn(recipe, run.folder.parent.parent / "own.tsv", start=run.folder, say=len)
        prepared, said = prepare(recipe, splits, start=run.folder), list[str]()
        with pytest.raises(SettingsError, match="its network is built otherwise"):
            ensembles.train(prepared, seed=0, say=said.append)
        assert not said


def test_an_interrupt_says_whether_there_is_something_to_go_on_from(run: Run, tmp_path: Path) -> None:
    recipe = order("transformer", data=run.folder.parent.parent / "own.tsv", changes=[], start=run.folder).recipe
    splits = rows_to_learn(recipe, run.folder.parent.parent / "own.tsv", start=run.folder, say=len)
    prepared = prepare(recipe, splits, start=run.folder)

    def interrupted_in(member: str) -> str:
        def say(line: str) -> None:
            nonlocal learning
            learning = line.removeprefix("member ") if line.startswith("member ") else learning

        def pressed(self: Keeper, batch: int, logs: dict[str, float] | None = None) -> None:
            if learning == member:
                raise KeyboardInterrupt

        learning = ""
        with pytest.MonkeyPatch.context() as patched, pytest.raises(TrainingError) as raised:
            patched.setattr(Keeper, "on_train_batch_end", pressed)
            ensembles.train(prepared, tmp_path, seed=0, say=say)
        return str(raised.value)

    assert "nothing that could be kept" in interrupted_in("transformer")
    assert "the same command with --resume" in interrupted_in("lstm")


def test_what_is_said_of_all_when_going_on_holds_for_each(run: Run) -> None:
    said = order("transformer", changes=["training.learning_rate=0.5"], epochs=7, start=run.folder).recipe
    assert [(one.training.learning_rate, one.training.epochs) for one in said.members.values()] == [(0.5, 7)] * 2
    with pytest.raises(SettingsError, match="--from keeps network and vocabulary"):
        order("transformer", changes=["lstm.model.units=3"], start=run.folder)


def test_the_record_says_the_settings_of_each(run: Run) -> None:
    record = read_json(run.folder / "run.json")
    assert record["changes"] == ["training.epochs=2", *SMALL, "data.target=toy"]
    assert [one["training"]["epochs"] for one in record["members"].values()] == [2, 1]
