"""Does each member of an ensemble get what its own preprocessing makes, fitted once where two want the same?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import ColumnKind, Examples, Preprocessing, Ragged, Split, Splits, Transform, take
from dlkit.errors import RunError
from dlkit.inference.joined import JoinedTransform
from dlkit.inference.predictor import load_transform
from dlkit.inference.runs import ASSETS
from dlkit.pipeline import prepare
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.joined import Joined, part_examples
from dlkit.preprocessing.ngrams import Ngrams
from dlkit.preprocessing.sequences import Sequences
from dlkit.preprocessing.text import MultiHot
from dlkit.recipe import Recipe
from dlkit.tasks import Classification

KINDS: dict[str, ColumnKind] = {"text": "text"}
TEXTS = ["a b a b c", "c b a", "a, b!", "", "d d d"] * 2
MEMBERS: dict[str, Preprocessing] = {
    "linear": MultiHot(max_words=2),
    "cnn": Sequences(min_count=1, length=3),
    "cnn_wide": Sequences(min_count=3, length=9),
    "ngrams": Ngrams(weighting="tfidf"),
    "again": Sequences(min_count=1, length=3),
}
"""One name begins with another one and "_", as "bilstm" and "bilstm_attention" do."""


def column(texts: list[str]) -> np.ndarray:
    values = np.empty(len(texts), object)
    values[:] = texts
    return values


class NoRows:
    """Data that nobody loads."""

    def load(self, *_: object, **__: object) -> Splits:
        raise NotImplementedError


NEW = {"text": column(["a b zzz", "", "d", "?"])}


@pytest.fixture(scope="module")
def train() -> Split:
    return Split({"text": column(TEXTS)}, np.arange(len(TEXTS)))


@pytest.fixture(scope="module")
def transform(train: Split) -> JoinedTransform:
    return Joined(MEMBERS).fit(train, KINDS)


def dense(inputs: Mapping[str, object]) -> dict[str, list[object]]:
    return {name: take(rows, np.arange(len(rows))).tolist() for name, rows in inputs.items()}  # type: ignore[arg-type]


def test_equal_settings_are_fitted_once() -> None:
    fitted: list[int] = []

    @dataclass(frozen=True)
    class Counted:
        least: int

        def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> Transform:
            fitted.append(self.least)
            return Sequences(min_count=self.least).fit(train, kinds)

        def examples(self, transform: Transform, split: Split) -> Examples:
            raise NotImplementedError

    joined = Joined({"a": Counted(1), "b": Counted(2), "c": Counted(1)})
    assert list(joined.fit(Split({"text": column(TEXTS)}), KINDS).parts) == ["a", "b"]
    assert fitted == [1, 2]
    assert [joined.part_of(name) for name in "abc"] == ["a", "b", "a"]


def test_a_member_gets_what_its_preprocessing_makes_alone(transform: JoinedTransform, train: Split) -> None:
    joined = Joined(MEMBERS)
    examples = joined.examples(transform, train)
    assert set(examples.inputs) == set(transform.tensors) and len(transform.parts) == 4
    for name, settings in MEMBERS.items():
        alone = settings.fit(train, KINDS)
        expected = settings.examples(alone, train)
        part = joined.part_of(name)
        own = part_examples(examples, part, transform.parts[part])
        assert dense(own.inputs) == dense(expected.inputs)
        assert own.targets is train.targets


def test_parts_are_side_by_side_under_their_names(transform: JoinedTransform) -> None:
    assert set(transform.tensors) == {
        "cnn_word_ids", "cnn_wide_word_ids", "linear_word_ids", "ngrams_ngram_ids", "ngrams_ngram_weights",
    }  # fmt: skip
    assert transform.kinds == KINDS and transform.choices == {} and transform.tables == {}
    assert transform.sizes["cnn_sequence_length"] == 3 and transform.sizes["linear_vocabulary"] == 2
    figures = transform.figures(NEW)
    for name, part in transform.parts.items():
        for key, value in part.figures(NEW).items():
            assert figures[f"{name}_{key}"] == value
    assert len(figures) == 6


def test_a_text_is_remarked_on_where_no_part_makes_anything_of_it(transform: JoinedTransform) -> None:
    """The word d is in the vocabulary of some parts, not of all."""
    by_part = [part.remarks(NEW)[2] is None for part in transform.parts.values()]
    assert set(by_part) == {True, False}
    assert [remark is None for remark in transform.remarks(NEW)] == [True, False, True, False]


def test_a_saved_transform_encodes_as_before(transform: JoinedTransform, tmp_path: Path) -> None:
    assets = tmp_path / ASSETS
    assets.mkdir()
    transform.save(assets)
    loaded = load_transform(tmp_path)
    assert loaded.tensors == transform.tensors and loaded.sizes == transform.sizes
    assert dense(loaded.encode(NEW)) == dense(transform.encode(NEW))
    assert loaded.figures(NEW) == transform.figures(NEW) and loaded.remarks(NEW) == transform.remarks(NEW)


@pytest.mark.parametrize(
    "damage",
    [
        lambda assets: (assets / "preprocessing.json").write_text('{"kind": "joined"}'),
        lambda assets: (assets / "preprocessing.json").write_text('{"kind": "joined", "parts": "cnn"}'),
        lambda assets: (assets / "cnn" / "vocabulary.txt").unlink(),
        lambda assets: (assets / "cnn" / "preprocessing.json").write_text("{"),
        lambda assets: (assets / "ngrams" / "ngrams.npy").write_bytes(b"\x93NUMPY"),
    ],
)
def test_damaged_parts_are_said_to_be_so(damage: object, transform: JoinedTransform, tmp_path: Path) -> None:
    assets = tmp_path / ASSETS
    assets.mkdir()
    transform.save(assets)
    damage(assets)  # type: ignore[operator]  # one of the functions above
    with pytest.raises(RunError, match="is damaged"):
        load_transform(tmp_path)


def test_every_part_is_fitted_on_the_training_split_alone() -> None:
    held_out = Split({"text": column(["unseen held words"] * 5)}, column(["x", "y"] * 2 + ["x"]))
    train = Split({"text": column(TEXTS)}, column(["x", "y"] * 5))
    recipe = Recipe(NoRows(), Joined(MEMBERS), Classification(), lambda _: None)
    prepared = prepare(recipe, Splits(train, held_out, held_out, KINDS, "texts", "here", "sha256:0"))
    assert isinstance(prepared.transform, JoinedTransform)
    for part in prepared.transform.parts.values():
        assert part.remarks(held_out.inputs)[0] is not None
        assert part.figures(held_out.inputs)["out_of_vocabulary"] == 1


def test_the_tensorflow_form_is_the_plain_form(transform: JoinedTransform) -> None:
    graph = graph_of(transform)
    theirs = graph.encode(raw_tensors(NEW, KINDS))
    ours = transform.encode(NEW)
    assert set(graph.signature) == {"text"} and set(theirs) == set(ours)
    for name, rows in ours.items():
        assert isinstance(rows, Ragged)
        np.testing.assert_allclose(theirs[name].numpy(), rows.take(np.arange(4)), atol=1e-7)
