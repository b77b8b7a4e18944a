"""Do pictures of the user's own become splits without leaks, with notes on what is odd about them?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import folder, labels, load, parts, picture, table, tree, zipped

from dlkit.contracts import Split
from dlkit.data.builders import Loaded
from dlkit.data.images import ImageData
from dlkit.data.samples import sample
from dlkit.errors import DataError, DataNotFoundError, SettingsError

SAID: list[str] = []


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected at least 10 pictures to learn from, got 8"):
        load(folder(tmp_path / "few", 4))
    same = folder(tmp_path / "same", 8)
    for path in same.rglob("*.png"):
        path.write_bytes(picture(int(path.stem) % 4))
    with pytest.raises(DataError, match="expected at least 10 different pictures to learn from, got 4"):
        load(same)
    folder(tmp_path / "a")
    rows = [(f"a/{name}/{i}.png", "pet") for name in ("cat", "dog") for i in range(10)]
    with pytest.raises(DataError, match=r"own\.csv: expected at least 2 classes, got only 'pet'"):
        load(table(tmp_path, rows))


def test_equal_pictures_never_lie_on_both_sides_of_a_split(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", 60)
    for path in root.rglob("*.png"):
        path.write_bytes(picture(int(path.stem) // 3 + 1000 * (path.parent.name == "dog")))
    for seed in range(5):
        splits = load(root, split_seed=seed)
        seen = [{path.read_bytes() for path in part.inputs["image"]} for part in parts(splits).values()]
        assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    said = (
        "80 training pictures repeat another one; equal pictures stay together, so that none is in validation or test"
    )
    assert f"{said} too" in splits.notes


def test_pictures_in_two_classes_or_in_train_and_test_are_reported(tmp_path: Path) -> None:
    folder(tmp_path / "train")
    folder(tmp_path / "test", 4)
    (tmp_path / "train" / "dog" / "copy.png").write_bytes(picture(0))
    notes = load(tmp_path).notes
    assert "8 of 8 pictures in test occur in train too, which flatters its figures" in notes
    assert "1 pictures occur with more than one label" in notes


def test_classes_of_unequal_size_are_reported_with_remedies(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", 10)
    for i in range(10, 50):
        (root / "cat" / f"{i}.png").write_bytes(picture(i))
    assert not any("unequal" in note for note in load(root).notes), "5 times as many are let pass"
    (root / "cat" / "50.png").write_bytes(picture(50))
    assert (
        "classes are of unequal size: 'cat' has 51 pictures, 'dog' has 10; consider --set task.class_weights=balanced, "
        "or more of the small classes, changed each time: --set training.balance=true --set training.augment=flip,shift"
        in load(root).notes
    )


def test_splits_hold_the_classes_in_proportion(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", 20)
    for i in range(20, 80):
        (root / "cat" / f"{i}.png").write_bytes(picture(i))
    for part, dogs, rows in zip(parts(load(root)).values(), (13, 3, 4), (64, 16, 20), strict=True):
        assert (labels(part).count("dog"), len(part)) == (dogs, rows)


def test_wrong_paths_say_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"no such file or folder.*--data sample"):
        load(tmp_path / "nothing")
    (tmp_path / "cat.png").write_bytes(picture(1))
    with pytest.raises(DataError, match=r"cat\.png: expected a folder of class folders, .* and this is one picture"):
        load(tmp_path / "cat.png")


def test_validation_rows_are_taken_where_they_fit_and_a_share_otherwise(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", 50)
    for rows, expected in ((30, 30), (40, 40), (41, 16), (None, 16)):
        splits = load(root, validation_rows=rows)
        assert [len(part) for part in parts(splits).values()] == [80 - expected, expected, 20]
        assert any("data.validation_rows=41 is over half of the 80" in note for note in splits.notes) == (rows == 41)


@pytest.mark.parametrize(
    "settings",
    [{"validation_rows": 0}, {"validation_rows": True}, {"validation_fraction": 1.0}, {"test_fraction": "0.2"},
     {"split_seed": 1.5}, {"image": ""}, {"image": "a", "target": "a"}, {"broken": "ignore"}],
)  # fmt: skip
def test_wrong_settings_are_refused_by_name(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=rf"data\.{next(iter(settings))}"):
        ImageData(**settings)  # type: ignore[arg-type]  # wrong on purpose


def test_samples_give_pixels_with_their_share_of_flipped_labels() -> None:
    splits = ImageData().load("sample", say=SAID.append)
    assert {name: len(part) for name, part in parts(splits).items()} == {"train": 1280, "validation": 320, "test": 400}
    assert splits.sample and splits.best == {"accuracy": 0.95} and splits.target_name == "shape"
    made = sample("shapes")
    assert made.strata is not None
    pixels = [image.tobytes() for image in made.rows.inputs["image"]]
    flipped = {image: stratum.endswith("True") for image, stratum in zip(pixels, made.strata, strict=True)}
    assert len(flipped) == 2000, "no picture twice"
    for part in parts(splits).values():
        assert part.inputs["image"].shape[1:] == (32, 32, 3)
        assert np.mean([flipped[image.tobytes()] for image in part.inputs["image"]]) == pytest.approx(0.05, abs=0.004)
    with pytest.raises(SettingsError, match=r"data\.sample='houses' holds no pictures; .* such as 'shapes'"):
        ImageData(sample="houses").load("sample", say=SAID.append)


def test_a_sample_of_several_targets_is_split_with_all_of_them() -> None:
    splits = ImageData(sample="people").load("sample", say=SAID.append)
    assert splits.target_name is None and set(splits.best) == {"age_mae", "gender_accuracy"}
    for part, rows in zip(parts(splits).values(), (960, 240, 300), strict=True):
        assert isinstance(part.targets, dict)
        assert len(part) == len(part.targets["age"]) == len(part.targets["gender"]) == rows


def test_a_dataset_of_texts_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"data\.dataset='imdb': IMDb film reviews is not a set of pictures"):
        ImageData(dataset="imdb").load(None, say=SAID.append)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path | None]]:
    """What of CIFAR-10 is asked for; 40 and 10 pictures of two classes are there, two of them twice."""
    asked: list[Path | None] = []

    def give(_name: str, *, path: Path | None, **_: object) -> Loaded:
        asked.append(path)
        pixels = np.arange(50, dtype=np.uint8).repeat(32 * 32 * 3).reshape(50, 32, 32, 3)
        pixels[1] = pixels[49] = pixels[0]
        labels = np.array(["cat", "dog"] * 25, object)
        splits = {
            "train": Split({"image": pixels[:40]}, labels[:40]),
            "test": Split({"image": pixels[40:]}, labels[40:]),
        }
        return Loaded(splits, {"image": "image"}, "label", "somewhere", "sha256:0", ("given",))

    monkeypatch.setattr("dlkit.data.builders.load", give)
    return lambda: asked


def test_a_named_dataset_gives_its_pixels(named: Callable[[], list[Path | None]]) -> None:
    splits = ImageData(validation_rows=8).load(None, say=SAID.append)
    assert [len(part) for part in parts(splits).values()] == [32, 8, 10]
    for seed in range(5):
        validation = ImageData(validation_rows=8, split_seed=seed).load(None, say=SAID.append).validation
        assert labels(validation).count("cat") == 4
    assert splits.train.inputs["image"].dtype == np.uint8
    assert splits.notes == (
        "given", "1 training pictures repeat another one", "1 pictures occur with more than one label",
        "1 of 10 pictures in test occur in train too, which flatters its figures",
    )  # fmt: skip


def test_a_zip_is_the_datasets_by_its_name_alone(named: Callable[[], list[Path | None]], tmp_path: Path) -> None:
    paths = [zipped(tmp_path / name, tree()) for name in ("cifar10.zip", "pets.zip")]
    assert ImageData().load(paths[0], say=SAID.append).name == "cifar10"
    assert load(paths[1]).name == "pets"
    assert named() == [paths[0]]


def test_all_pictures_of_another_folder_judge_a_run_whatever_number_it_learns_from(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", 30)
    splits = ImageData(per_class=2).to_judge(root, say=SAID.append)
    assert len(splits.test) == 60 and len({*splits.test.inputs["image"]}) == 60


@pytest.mark.parametrize("inside", ["", "test/"])
@pytest.mark.parametrize("as_zip", [False, True])
def test_pictures_to_judge_may_be_few_of_one_class_and_in_test_alone(
    tmp_path: Path, inside: str, *, as_zip: bool
) -> None:
    place = tmp_path / "pets" / inside / "cat"
    place.mkdir(parents=True)
    (place / "0.png").write_bytes(picture(0))
    files = {str(path.relative_to(tmp_path / "pets")): path.read_bytes() for path in (tmp_path / "pets").rglob("*.png")}
    given = zipped(tmp_path / "pets.zip", files) if as_zip else tmp_path / "pets"
    splits = ImageData().to_judge(given, say=SAID.append)
    assert len(splits.test) == 1 and labels(splits.test) == ["cat"]
    assert ("names no test rows" in " ".join(splits.notes)) == (inside == "") == splits.drawn
    with pytest.raises(DataError, match=r"needs at least 2|nothing to learn from"):
        load(given)
