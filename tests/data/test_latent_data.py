"""Are pictures with and without labels, and rows of a table, taken as they lie there, and too few of them refused?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlkit.contracts import Splits
from dlkit.data.image_samples import digits
from dlkit.data.latents import LatentData
from dlkit.errors import DataError, SettingsError


def load(path: Path | str, **settings: object) -> Splits:
    return LatentData(**settings).load(path, say=lambda _: None)  # type: ignore[arg-type]


def pictures(folder: Path, count: int, *, first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for level in range(first, first + count):
        Image.new("L", (8, 8), level).save(folder / f"{level:03d}.png")
    return folder


def table(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


ROWS = [f"{row % 7},{row * 0.5},{'ab'[row % 2]}" for row in range(60)]


def total(splits: Splits) -> int:
    return len(splits.train) + len(splits.validation) + len(splits.test)


def test_a_folder_of_pictures_needs_no_classes(tmp_path: Path) -> None:
    splits = load(pictures(tmp_path / "own", 60))
    assert total(splits) == 60 and splits.train.targets is None and splits.target_name is None
    assert splits.kinds == {"image": "image"}
    assert any("have no labels" in note for note in splits.notes)


def test_a_single_folder_in_it_is_no_class(tmp_path: Path) -> None:
    pictures(tmp_path / "own" / "all", 60)
    assert load(tmp_path / "own").train.targets is None


@pytest.mark.parametrize("labels", [[f"{row / 7:.2f}" for row in range(60)], ["cat"] * 60])
def test_a_column_that_nobody_named_is_taken_for_labels_where_it_holds_classes_alone(
    tmp_path: Path, labels: list[str]
) -> None:
    pictures(tmp_path, 60)
    table(tmp_path / "own.csv", "image,label", [f"{row:03d}.png,{label}" for row, label in enumerate(labels)])
    splits = load(tmp_path / "own.csv")
    assert total(splits) == 60 and splits.train.targets is None
    table(tmp_path / "own.csv", "image,label", [f"{row:03d}.png,{'ab'[row % 2]}" for row in range(60)])
    assert load(tmp_path / "own.csv").target_name == "label"


def test_train_and_test_folders_without_classes_are_kept_apart(tmp_path: Path) -> None:
    pictures(tmp_path / "own" / "train", 60)
    pictures(tmp_path / "own" / "test", 5, first=100)
    splits = load(tmp_path / "own")
    assert len(splits.test) == 5 and total(splits) == 65 and splits.test.targets is None


def test_folders_of_classes_are_labels(tmp_path: Path) -> None:
    for number, name in enumerate(("dark", "light")):
        pictures(tmp_path / "own" / name, 30, first=100 * number)
    splits = load(tmp_path / "own")
    assert set(np.asarray(splits.train.targets)) == {"dark", "light"} and splits.target_name == "label"


def test_a_csv_of_paths_needs_no_labels(tmp_path: Path) -> None:
    pictures(tmp_path, 60)
    paths = [f"{level:03d}.png,{'even' if level % 2 == 0 else 'odd'}" for level in range(60)]
    assert load(table(tmp_path / "a.csv", "file,parity", paths)).train.targets is None
    splits = load(tmp_path / "a.csv", target="parity")
    assert set(np.asarray(splits.train.targets)) == {"even", "odd"}


def test_a_csv_without_paths_is_a_table(tmp_path: Path) -> None:
    splits = load(table(tmp_path / "a.csv", "size,weight,kind", ROWS))
    assert splits.kinds == {"size": "number", "weight": "number", "kind": "category"}
    assert total(splits) == 60 and splits.train.targets is None
    labelled = load(tmp_path / "a.csv", target="kind", ignore=("size",))
    assert labelled.kinds == {"weight": "number"} and set(np.asarray(labelled.test.targets)) == {"a", "b"}


@pytest.mark.parametrize("count", [1, 10, 49])
def test_few_pictures_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(DataError, match=rf"expected at least 50 pictures to learn from, got {count}\."):
        load(pictures(tmp_path / "own", count))


def test_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected at least 50 rows to learn from, got 10"):
        load(table(tmp_path / "a.csv", "size,weight,kind", ROWS[:10]))


def test_few_rows_may_be_judged_with_columns_as_they_were_learnt(tmp_path: Path) -> None:
    few = table(
        tmp_path / "few.csv", "size,weight,kind,more", [f"{row},,{'ab'[row % 2]},{row}x" for row in range(1, 6)]
    )
    known = LatentData(target="size").known({"weight": "number", "kind": "category"}, classes=True)
    splits = known.to_judge(few, say=lambda _: None)
    assert splits.kinds == {"weight": "number", "kind": "category"} and len(splits.test) == len(splits.train) == 5
    assert np.isnan(splits.test.inputs["weight"]).all() and np.asarray(splits.test.targets).tolist() == [*"12345"]
    assert any("all are judged" in note for note in splits.notes)
    counted = LatentData().known({"size": "number"}, classes=False).to_judge(few, say=lambda _: None)
    assert counted.test.inputs["size"].tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(
        DataError, match=r"line 2, column 'more': .* The model reads numbers there: correct it, or leave"
    ):
        LatentData().known({"more": "number"}, classes=False).to_judge(few, say=lambda _: None)
    assert len(LatentData().to_judge(pictures(tmp_path / "own", 3), say=lambda _: None).test) == 3


def test_few_pictures_of_each_class_are_refused_too() -> None:
    with pytest.raises(DataError, match=r"data.per_class=2 leaves 20 of \d+ training rows; expected at least 50"):
        load("sample", per_class=2)
    assert len(load("sample", per_class=5).train) == 50


def test_classes_are_not_counted_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"data\.per_class=9 needs a label for each row, and this data has none"):
        load(pictures(tmp_path / "own", 60), per_class=9)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with pytest.raises(DataError, match=r"holds no picture; expected files such as \.jpg"):
        load(tmp_path / "own")


def test_a_class_that_training_lacks_is_refused(tmp_path: Path) -> None:
    for number, name in enumerate(("train/a", "train/b", "test/a", "test/c")):
        pictures(tmp_path / "own" / name, 30, first=50 * number)
    with pytest.raises(DataError, match=r"the test folder holds the class .c., which"):
        load(tmp_path / "own")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "a,b"}, "expected one column of labels"),
        ({"ignore": "a"}, "expected names of columns"),
        ({"sample": "reviews"}, "holds texts"),
        ({"target": "kind"}, "data.target='kind' is for a file of your own .* it is"),
        ({"sample": "houses", "ignore": ("are",)}, "data.ignore='are': the sample 'houses' has no such column"),
        ({"sample": "digits", "ignore": ("image",)}, "leaves no column of the sample 'digits'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load("sample", **settings)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"data\.target"):
        load(table(tmp_path / "a.csv", "size,weight,kind", ROWS), target="sort")


def test_the_digits_keep_their_labels_in_each_part() -> None:
    splits = load("sample")
    assert total(splits) == len(digits().rows) == 1797
    for part in (splits.train, splits.validation, splits.test):
        assert len(set(np.asarray(part.targets))) == 10 and part.inputs["image"].shape[1:] == (8, 8, 1)
    assert splits.train.inputs["image"].max() == 255


def test_a_column_of_a_sample_may_be_left_out() -> None:
    first, *others = load("sample", sample="houses").kinds
    splits = load("sample", sample="houses", ignore=(first,))
    assert list(splits.kinds) == list(splits.train.inputs) == others


def test_numbers_that_a_sample_is_to_be_judged_by_are_no_labels() -> None:
    splits = load("sample", sample="houses")
    assert splits.train.targets is None and "area_m2" in splits.kinds


def test_a_column_of_numbers_is_no_label_either(tmp_path: Path) -> None:
    rows = [f"{place % 7},{place % 3},{1000 + 1.5 * place}" for place in range(60)]
    splits = load(table(tmp_path / "a.csv", "rooms,floor,price", rows), target="price")
    assert splits.train.targets is None and splits.target_name is None and set(splits.kinds) == {"rooms", "floor"}
    assert "column 'price' holds numbers, no classes: it is left out" in splits.notes
    by_floor = load(tmp_path / "a.csv", target="floor")
    assert set(np.asarray(by_floor.train.targets)) == {"0", "1", "2"} and by_floor.target_name == "floor"
