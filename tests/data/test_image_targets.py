"""Are several columns of a CSV, and few pictures of each class, taken as they are asked for?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from pictures import folder, labels, load, parts, picture

from dlkit.contracts import Split, Splits
from dlkit.data.builders import Loaded
from dlkit.data.images import ImageData
from dlkit.errors import DataError, DataNotFoundError, SettingsError


def people(root: Path, rows: list[str], header: str = "file,age,gender,smokes") -> Path:
    """A CSV of those rows; "#" in one stands for the path of a picture of its own."""
    (root / "shots").mkdir(exist_ok=True)
    lines = [header]
    for number, row in enumerate(rows):
        (root / "shots" / f"{number}.png").write_bytes(picture(number))
        lines.append(row.replace("#", f"shots/{number}.png"))
    path = root / "people.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def forty() -> list[str]:
    return [f"#,{20 + i}.5,{'female' if i % 2 else 'male'},{i % 4 // 3}" for i in range(40)]


def columns(split: Split) -> Mapping[str, np.ndarray]:
    assert isinstance(split.targets, Mapping)
    return split.targets


def read(path: Path, target: str, **settings: object) -> Splits:
    return load(path, target=target, **settings)


def test_several_columns_give_numbers_and_labels_by_name(tmp_path: Path) -> None:
    splits = read(people(tmp_path, forty()), " gender , age")
    assert splits.target_name is None and splits.kinds == {"image": "image"} and splits.name == "people"
    assert {name: len(part) for name, part in parts(splits).items()} == {"train": 26, "validation": 6, "test": 8}
    for part in parts(splits).values():
        targets = columns(part)
        assert list(targets) == ["gender", "age"]
        assert targets["age"].dtype == np.float64 and targets["gender"].dtype == object
        for path, age, gender in zip(part.inputs["image"], targets["age"], targets["gender"], strict=True):
            number = int(path.stem)
            assert (age, gender) == (20.5 + number, "female" if number % 2 else "male")
    assert "pictures are taken from column 'file', targets from 'gender', 'age'" in splits.notes


def test_several_targets_are_split_by_the_first_column_of_few_values(tmp_path: Path) -> None:
    path = people(tmp_path, forty())
    for seed in range(4):
        test = columns(read(path, "age,smokes,gender", split_seed=seed).test)
        assert Counter(test["smokes"].tolist()) == {0.0: 6, 1.0: 2}
        assert Counter(columns(read(path, "age,gender", split_seed=seed).test)["gender"]) == {"male": 4, "female": 4}
    assert len(read(people(tmp_path, [f"#,{i},{-i}" for i in range(40)], "file,a,b"), "a,b").test) == 8


def test_rows_without_one_of_the_targets_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [*forty(), "#,NA,male,0", "#,,male,0", "#,33,?,0", "#,,NA,1"]
    splits = read(people(tmp_path, rows), "age,gender")
    assert sum(map(len, parts(splits).values())) == 40
    assert "3 rows without a age were left out ('NA' 1 times)" in splits.notes
    assert "2 rows without a gender were left out ('?' 1 times, 'NA' 1 times)" in splits.notes


def test_labels_of_several_targets_are_stripped_and_numbers_need_not_be(tmp_path: Path) -> None:
    rows = [f"#, {20 + i},{' female' if i % 2 else 'male'},0" for i in range(20)]
    splits = read(people(tmp_path, rows), "age,gender")
    assert set(columns(splits.train)["gender"]) == {"male", "female"} and columns(splits.train)["age"].min() >= 20
    assert [note for note in splits.notes if "spaces" in note] == [
        "10 labels in column 'gender' had spaces around them, which were taken off"
    ]


def test_a_column_with_a_word_among_numbers_is_labels_with_a_note(tmp_path: Path) -> None:
    rows = [*[f"#,{20 + i % 4},{'male' if i % 2 else 'female'},0" for i in range(38)], "#,old,male,0", "#,old,male,0"]
    splits = read(people(tmp_path, rows), "age,gender")
    assert columns(splits.train)["age"].dtype == object and set(columns(splits.train)["age"]) >= {"20", "21"}
    said = "column 'age' is taken as labels: 2 of its 40 values are no numbers, the first is 'old' on line 40"
    assert said in splits.notes
    with pytest.raises(DataError, match=r"people\.csv, line 2, column 'age': '1e999' is infinite"):
        read(people(tmp_path, ["#,1e999,male,0", *forty()]), "age,gender")


def test_what_is_odd_about_one_of_several_targets_is_said_behind_its_name(tmp_path: Path) -> None:
    rows = [f"#,{i},{'Male' if i == 5 else 'male' if i < 36 else 'female'},0" for i in range(40)]
    notes = read(people(tmp_path, rows), "age,gender").notes
    assert "gender: classes are of unequal size: 'male' has 35 pictures, 'Male' has 1" in notes
    assert any(note.startswith("gender: 1 classes have a single picture") for note in notes)
    assert any(note.startswith("gender: 1 labels are spelt in several ways") for note in notes)
    assert not any(note.startswith("age") for note in notes)
    with pytest.raises(DataError, match=r"column 'gender': expected at least 2 classes, got only 'x'"):
        read(people(tmp_path, [f"#,{i},x,0" for i in range(20)]), "age,gender")


def test_equal_pictures_of_several_targets_stay_on_one_side(tmp_path: Path) -> None:
    path = people(tmp_path, [row.replace("#", f"shots/{i // 2}.png") for i, row in enumerate(forty())])
    for seed in range(3):
        splits = read(path, "age,gender", split_seed=seed)
        seen = [set(part.inputs["image"]) for part in parts(splits).values()]
        assert len(set.union(*seen)) == sum(map(len, seen)) == 20
    assert any(note.startswith("20 training pictures repeat another one; equal pictures stay") for note in splits.notes)
    assert "20 pictures occur with more than one label" in splits.notes


def test_broken_pictures_of_several_targets_are_left_out(tmp_path: Path) -> None:
    path = people(tmp_path, forty())
    (tmp_path / "shots" / "7.png").write_bytes(b"?")
    with pytest.raises(DataError, match=r"1 of 40 pictures are broken:\n  shots/7\.png"):
        read(path, "age,gender")
    splits = read(path, "age,gender", broken="skip")
    assert sum(map(len, parts(splits).values())) == 39
    assert not any(27.5 in columns(part)["age"] for part in parts(splits).values())


@pytest.mark.parametrize("target", ["age,", ",", "age, ,gender", "age,gender,age", "image,age"])
def test_names_of_targets_that_are_missing_twice_or_the_pictures_are_refused(target: str) -> None:
    with pytest.raises(SettingsError, match=r"data\.target"):
        ImageData(image="image", target=target)


def test_columns_that_are_not_there_or_hold_the_pictures_are_refused(tmp_path: Path) -> None:
    path = people(tmp_path, forty())
    with pytest.raises(SettingsError, match=r"data\.target='agee': .*Did you mean 'age'"):
        read(path, "agee,gender")
    with pytest.raises(SettingsError, match=r"data\.target names 'file', which holds such paths"):
        read(path, "age,file")
    with pytest.raises(SettingsError, match=r"data\.target='age,gender' names a column of a CSV file, and"):
        read(folder(tmp_path / "pets"), "age,gender")
    with pytest.raises(DataNotFoundError, match=r"which no named dataset has.*--data sample"):
        ImageData(target="age,gender").load(None, say=lambda _: None)


def test_a_recipe_for_several_targets_needs_no_named_dataset(tmp_path: Path) -> None:
    splits = ImageData("faces", target="age,gender").load(people(tmp_path, forty()), say=lambda _: None)
    assert set(columns(splits.train)) == {"age", "gender"}


def from_sample(target: str | None, name: str = "people", **settings: object) -> Splits:
    data = ImageData(sample=name, target=target, **settings)  # type: ignore[arg-type]  # some are wrong on purpose
    return data.load("sample", say=lambda _: None)


@pytest.mark.parametrize("target", ["age,gender", "gender,age", None])
def test_the_people_give_age_and_gender(target: str | None) -> None:
    splits = from_sample(target)
    assert splits.target_name is None and set(splits.best) == {"age_mae", "gender_accuracy"}
    for part, rows in zip(parts(splits).values(), (960, 240, 300), strict=True):
        targets = columns(part)
        assert set(targets) == {"age", "gender"} and len(targets["age"]) == len(targets["gender"]) == rows
        assert targets["age"].dtype == np.float64 and set(targets["gender"]) == {"male", "female"}
    np.testing.assert_array_equal(columns(splits.test)["age"], columns(from_sample(None).test)["age"])


def test_one_target_of_the_people_is_taken_by_its_name() -> None:
    genders, ages = from_sample("gender"), from_sample("age")
    assert genders.target_name == "gender" and dict(genders.best) == {"accuracy": 0.95}
    assert set(labels(genders.train)) == {"male", "female"}
    assert ages.target_name == "age" and list(ages.best) == ["mae"]
    assert isinstance(ages.train.targets, np.ndarray) and ages.train.targets.dtype == np.float64


def test_targets_that_a_sample_has_not_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"data\.target='height': the sample 'people' has no such column"):
        from_sample("age,height")
    with pytest.raises(SettingsError, match=r"the sample 'shapes' has one target, 'shape'.* such as 'people'"):
        from_sample("age,gender", "shapes")


def images(split: Split) -> set[bytes]:
    return {image.tobytes() for image in split.inputs["image"]}


def test_fewer_pictures_of_each_class_are_among_more_of_them() -> None:
    whole = from_sample(None, "shapes")
    ten, fifty, again = (from_sample(None, "shapes", per_class=count) for count in (10, 50, 10))
    assert Counter(labels(ten.train)) == dict.fromkeys(("circle", "cross", "square", "triangle"), 10)
    assert Counter(labels(fifty.train)) == dict.fromkeys(("circle", "cross", "square", "triangle"), 50)
    assert images(ten.train) < images(fifty.train) < images(whole.train)
    np.testing.assert_array_equal(ten.train.inputs["image"], again.train.inputs["image"])
    for one in (ten, fifty):
        np.testing.assert_array_equal(one.validation.inputs["image"], whole.validation.inputs["image"])
        np.testing.assert_array_equal(one.test.inputs["image"], whole.test.inputs["image"])
    assert "data.per_class=10 leaves 40 of 1280 training rows" in ten.notes
    other = from_sample(None, "shapes", per_class=10, split_seed=1)
    assert images(other.train) & images(whole.train) != images(ten.train)


def test_rows_that_are_left_keep_the_order_of_the_file(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", 30)
    left = load(root, per_class=5).train.inputs["image"].tolist()
    assert left == [path for path in load(root).train.inputs["image"] if path in left] and len(left) == 10


def test_a_class_with_fewer_pictures_gives_all_it_has(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", 60)
    for number in range(9, 60):
        (root / "dog" / f"{number}.png").unlink()
    whole, splits = load(root), load(root, per_class=20)
    dogs = labels(whole.train).count("dog")
    assert dogs < 9 and Counter(labels(splits.train)) == {"cat": 20, "dog": dogs}
    assert f"1 of 2 classes have fewer than 20 training rows, all kept: 'dog' ({dogs})" in splits.notes
    assert f"data.per_class=20 leaves {20 + dogs} of {len(whole.train)} training rows" in splits.notes
    unequal = [any("unequal" in note for note in one.notes) for one in (whole, splits)]
    assert unequal == [True, False], "of the cats no more than 20 are learned from"


def test_a_named_dataset_gives_few_of_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.arange(60, dtype=np.uint8).repeat(12).reshape(60, 2, 2, 3)
    named = np.array(["cat", "dog"] * 30, object)
    splits = {"train": Split({"image": pixels[:50]}, named[:50]), "test": Split({"image": pixels[50:]}, named[50:])}
    loaded = Loaded(splits, {"image": "image"}, "label", "somewhere", "sha256:0", ())
    monkeypatch.setattr("dlkit.data.builders.load", lambda *_, **__: loaded)
    found = ImageData(validation_rows=10, per_class=3).load(None, say=lambda _: None)
    assert [len(part) for part in parts(found).values()] == [6, 10, 10]
    assert found.notes == ("data.per_class=3 leaves 6 of 40 training rows",)


@pytest.mark.parametrize("per_class", [0, -1, True, 2.5, "3"])
def test_per_class_is_a_whole_number_above_0(per_class: object) -> None:
    with pytest.raises(SettingsError, match=r"data\.per_class=.*expected a whole number of 1 or more, or None"):
        ImageData(per_class=per_class)  # type: ignore[arg-type]  # wrong on purpose


def test_per_class_is_for_one_label_a_picture() -> None:
    with pytest.raises(SettingsError, match=r"data\.per_class=3 needs one label a picture, and data\.target='a,b'"):
        ImageData(target="a,b", per_class=3)
    for target, what in ((None, "several targets"), ("age", "numbers")):
        with pytest.raises(SettingsError, match=rf"needs one label a picture, and this data has {what}"):
            from_sample(target, per_class=3)
    assert Counter(labels(from_sample("gender", per_class=3).train)) == {"male": 3, "female": 3}
