"""Is a split the same every time, in proportion, and without leaks?"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Split
from dlkit.data.splitting import equal_rows, file_fingerprint, fingerprint, hold_out, three_ways
from dlkit.errors import DataError, DataNotFoundError


def numbered(rows: int) -> Split:
    return Split({"x": np.arange(rows)}, None)


def test_parts_are_disjoint_complete_and_sorted() -> None:
    rest, held = hold_out(100, 20, seed=0)
    assert len(held) == 20
    assert sorted([*rest, *held]) == list(range(100))
    assert (np.diff(rest) > 0).all() and (np.diff(held) > 0).all()


def test_the_split_is_pinned_so_that_no_platform_or_version_changes_it() -> None:
    assert hold_out(20, 4, seed=0)[1].tolist() == PINNED
    assert hold_out(20, 4, seed=1)[1].tolist() != PINNED


PINNED = [1, 2, 6, 16]


def test_numpys_global_state_is_neither_read_nor_changed() -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    first = hold_out(50, 10, seed=3)[1]
    assert np.random.random() == expected
    assert (hold_out(50, 10, seed=3)[1] == first).all()


def test_classes_are_held_out_in_proportion() -> None:
    labels = ["a"] * 700 + ["b"] * 250 + ["c"] * 50
    _, held = hold_out(1000, 100, seed=0, labels=labels)
    assert [sum(labels[i] == name for i in held) for name in "abc"] == [70, 25, 5]


def test_the_count_is_exact_where_proportions_are_no_whole_numbers() -> None:
    labels = ["a"] * 33 + ["b"] * 34 + ["c"] * 33
    assert len(hold_out(100, 50, seed=0, labels=labels)[1]) == 50


def test_a_class_of_one_row_is_never_held_out_and_one_of_three_is() -> None:
    labels = np.array(["a"] * 40 + ["b"] * 3 + ["c"], object)
    for seed in range(10):
        rest, held = hold_out(44, 5, seed=seed, labels=labels)
        assert set(labels[rest]) == {"a", "b", "c"}
        assert set(labels[held]) == {"a", "b"}


def test_every_class_stays_in_training_even_where_groups_mix_classes() -> None:
    labels = ["a", "rare"] + ["a"] * 30
    groups = [0, 0, *range(1, 31)]  # the rare label hides behind a common one in its group
    for seed in range(30):
        rest, _ = hold_out(32, 16, seed=seed, labels=labels, groups=groups)
        assert 1 in rest


def test_every_class_of_every_other_column_of_labels_stays_in_training() -> None:
    ages, genders = np.arange(60) % 6, np.array(["m", "f"] * 30)
    genders[7] = "x"
    for seed in range(40):
        kept, held = hold_out(60, 20, seed=seed, labels=ages, others=[genders])
        assert 7 in kept and set(genders[kept]) == {"m", "f", "x"} and len(held) in (19, 20)


def test_equal_texts_and_pictures_have_one_number(tmp_path: Path) -> None:
    texts = np.array(["a b", "c", "a  b ", "c d"], object)
    assert equal_rows({"text": texts}, {"text": "text"}).tolist() == [0, 1, 0, 2]  # type: ignore[union-attr]
    for name, content in {"a": b"1", "b": b"2", "c": b"1"}.items():
        (tmp_path / name).write_bytes(content)
    pictures = np.empty(5, object)
    pictures[:] = [tmp_path / "a", tmp_path / "b", tmp_path / "c", b"2", np.frombuffer(b"1", np.uint8)]
    assert equal_rows({"image": pictures}, {"image": "image"}).tolist() == [0, 1, 0, 1, 0]  # type: ignore[union-attr]
    assert equal_rows({"age": np.ones(3)}, {"age": "number"}) is None
    assert equal_rows({"age": np.ones(4), "text": texts}, {"age": "number", "text": "text"}) is None


def test_groups_stay_together() -> None:
    groups = [i // 3 for i in range(90)]
    rest, held = hold_out(90, 18, seed=0, labels=["a", "b"] * 45, groups=groups)
    assert not {groups[i] for i in rest} & {groups[i] for i in held}
    assert len(held) == 18


def test_at_least_one_row_is_held_out_and_never_all() -> None:
    assert len(hold_out(10, 0, seed=0)[1]) == 1
    assert len(hold_out(10, 10, seed=0)[0]) == 1


@pytest.mark.parametrize("groups", [[7] * 5, None])
def test_what_cannot_be_split_is_refused(groups: list[int] | None) -> None:
    with pytest.raises(DataError):
        hold_out(5, 2, seed=0, labels=list("abcde"), groups=groups)


def test_test_rows_come_first_and_validation_is_a_share_of_the_rest() -> None:
    train, validation, test = three_ways({"train": numbered(100)}, test_fraction=0.2, validation=0.25, seed=0)
    assert (len(train), len(validation), len(test)) == (60, 20, 20)
    every = np.concatenate([part.inputs["x"] for part in (train, validation, test)])
    assert sorted(every) == list(range(100))


def test_a_given_test_part_is_kept_as_it_is() -> None:
    given = {"train": numbered(50), "test": numbered(7)}
    train, validation, test = three_ways(given, test_fraction=0.2, validation=10, seed=0)
    assert test is given["test"]
    assert (len(train), len(validation)) == (40, 10)


def test_a_files_fingerprint_is_the_sha256_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"rows")
    assert file_fingerprint(tmp_path / "f") == f"sha256:{hashlib.sha256(b'rows').hexdigest()}"
    with pytest.raises(DataNotFoundError):
        file_fingerprint(tmp_path / "g")


def test_a_fingerprint_tells_where_parts_end() -> None:
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
