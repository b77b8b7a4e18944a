"""Are pictures found in folders, zips and tables of all shapes, and those that cannot be read named?"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from pictures import animation, folder, huge, labels, load, parts, picture, table, tree, zipped

from dlkit.errors import DataError, SettingsError


def test_a_folder_of_class_folders_gives_paths_and_labels(tmp_path: Path) -> None:
    splits = load(folder(tmp_path / "pets"))
    assert {name: len(part) for name, part in parts(splits).items()} == {"train": 13, "validation": 3, "test": 4}
    assert splits.kinds == {"image": "image"} and splits.target_name == "label" and splits.name == "pets"
    assert sorted(labels(splits.test)) == ["cat", "cat", "dog", "dog"]
    for part in parts(splits).values():
        assert part.inputs["image"].dtype == object
        for path, label in zip(part.inputs["image"], labels(part), strict=True):
            assert isinstance(path, Path) and path.is_file() and path.parent.name == label
    assert splits.source == str(tmp_path / "pets") and not splits.sample


def test_pictures_deeper_in_a_class_folder_count_to_it_with_a_note(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets")
    deep = root / "cat" / "siamese" / "young"
    deep.mkdir(parents=True)
    (deep / "x.JPG").write_bytes(picture(5000, "JPEG", (16, 16)))
    splits = load(root)
    assert sum(labels(part).count("cat") for part in parts(splits).values()) == 11
    assert (
        "1 pictures lie deeper than their class folder and count to it, such as cat/siamese/young/x.JPG" in splits.notes
    )


def test_links_that_go_round_in_circles_end(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets")
    (root / "cat" / "again").symlink_to(root)
    assert sum(map(len, parts(load(root)).values())) == 20


@pytest.mark.parametrize("names", [("train", "test", "validation"), ("Training", "testing", "val")])
def test_split_folders_are_kept_apart(tmp_path: Path, names: tuple[str, ...]) -> None:
    for start, (name, count) in enumerate(zip(names, (12, 5, 3), strict=True)):
        folder(tmp_path / name, count, start=100 * start)
    folder(tmp_path / "spare", 2, start=900)
    splits = load(tmp_path)
    assert {name: len(part) for name, part in parts(splits).items()} == {"train": 24, "validation": 6, "test": 10}
    assert {path.parent.parent.name for path in splits.test.inputs["image"]} == {names[1]}
    assert {path.parent.parent.name for path in splits.validation.inputs["image"]} == {names[2]}
    assert f"spare/ beside {names[0]}/ left out: no split of classes" in splits.notes


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    splits = load(folder(tmp_path, classes=("test", "train")))
    assert set(labels(splits.train)) == {"test", "train"}
    assert "test/ and train/ hold pictures and no folders of classes: they are taken for the classes" in splits.notes


def test_folders_called_as_splits_beside_a_table_are_not_taken_for_classes(tmp_path: Path) -> None:
    folder(tmp_path, classes=("test", "train"))
    (tmp_path / "labels.csv").write_text("id,label\n1,cat\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"test/ and train/ hold pictures .* If labels\.csv has the labels, give it"):
        load(tmp_path)


def test_names_in_a_zip_of_a_mac_are_read_as_they_were_written(tmp_path: Path) -> None:
    """UTF-8 without the flag that says so, umlauts taken apart."""

    class OfMac(zipfile.ZipInfo):
        def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 (zipfile's name)
            return self.filename.encode(), self.flag_bits & ~0x800

    with zipfile.ZipFile(tmp_path / "fruit.zip", "w") as archive:
        for name in ("A\u0308pfel", "Birnen"):
            for number in range(10):
                archive.writestr(OfMac(f"{name}/{number}.png"), picture(100 * len(name) + number))
        archive.writestr(OfMac("O\u0308de/"), b"")
    with pytest.raises(DataError, match="O\u0308de/ holds no picture"):
        load(tmp_path / "fruit.zip")
    with zipfile.ZipFile(tmp_path / "fruit.zip") as archive, zipfile.ZipFile(tmp_path / "two.zip", "w") as other:
        for entry in archive.infolist():
            if not entry.is_dir():
                other.writestr(OfMac(entry.filename.encode("cp437").decode()), archive.read(entry))
    assert set(labels(load(tmp_path / "two.zip").train)) == {"\u00c4pfel", "Birnen"}


def test_a_class_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "cat").rename(os.fsdecode(os.fsencode(tmp_path) + b"/n\xe9g"))
    with pytest.raises(DataError, match=r"holds a class folder whose name is not UTF-8: b'n\\xe9g'\. Rename it"):
        load(tmp_path)


def test_a_folder_around_the_class_folders_is_looked_into(tmp_path: Path) -> None:
    folder(tmp_path / "flowers" / "photos", classes=("rose", "tulip"))
    splits = load(tmp_path / "flowers")
    assert set(labels(splits.train)) == {"rose", "tulip"}
    assert "all pictures lie in photos/, so the folders in it are taken for the classes" in splits.notes


def test_a_zip_gives_the_encoded_bytes_and_writes_nothing(tmp_path: Path) -> None:
    contents = tree("pets/")
    more = {"pets/readme.txt": b"hello", "__MACOSX/pets/cat/._0.png": b"?", "pets/.DS_Store": b"?"}
    path = zipped(tmp_path / "pets.zip", contents | more)
    splits = load(path)
    found = {value for part in parts(splits).values() for value in part.inputs["image"]}
    assert found == set(contents.values())
    assert splits.name == "pets" and splits.source == str(path)
    assert any(
        note.startswith("1 files in ") and note.endswith("left out, such as readme.txt") for note in splits.notes
    )
    assert [file.name for file in tmp_path.iterdir()] == ["pets.zip"]


def test_a_zip_may_be_split_too(tmp_path: Path) -> None:
    test = {f"test/{name}": picture(7000 + i) for i, name in enumerate(tree(per_class=3))}
    splits = load(zipped(tmp_path / "pets.zip", tree("train/") | test))
    assert (len(splits.train) + len(splits.validation), len(splits.test)) == (20, 6)


@pytest.mark.parametrize("name", ["../cat/x.png", "/cat/x.png", "cat/../../x.png"])
def test_a_zip_that_would_write_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"pets\.zip is refused: member .* would be written outside of the folder"):
        load(zipped(tmp_path / "pets.zip", tree() | {name: picture(1)}))


def test_a_zip_that_is_cut_short_or_none_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "pets.zip", tree())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"pets\.zip is damaged or cut short"):
        load(path)


def test_a_table_of_paths_beside_the_pictures_is_read(tmp_path: Path) -> None:
    folder(tmp_path / "shots")
    rows = [(f"shots/{name}/{i}.png", f" {name}y") for name in ("cat", "dog") for i in range(10)]
    path = table(tmp_path, rows, "shot,Class")
    for given in (path, tmp_path):
        splits = load(given)
        assert sum(map(len, parts(splits).values())) == 20 and splits.target_name == "Class"
        for file, label in zip(splits.train.inputs["image"], labels(splits.train), strict=True):
            assert file.is_file() and label == f"{file.parent.name}y"
        assert "pictures are taken from column 'shot', labels from 'Class'" in splits.notes
        assert "20 labels had spaces around them, which were taken off" in splits.notes


def test_columns_of_a_table_that_are_not_read_are_said(tmp_path: Path) -> None:
    folder(tmp_path / "a")
    names = [f"a/{name}/{i}.png" for name in ("cat", "dog") for i in range(10)]
    path = table(
        tmp_path, [(name, f"{name[2:5]},train,{row}") for row, name in enumerate(names)], "path,label,split,age"
    )
    assert "2 other columns are not read: 'split', 'age'" in load(path).notes
    assert "1 other columns are not read: 'split'" in load(path, target="label,age").notes


def test_labels_that_are_mostly_different_numbers_are_said_to_be_values(tmp_path: Path) -> None:
    folder(tmp_path / "a")
    names = [f"a/{name}/{i}.png" for name in ("cat", "dog") for i in range(10)]
    said = (
        "11 different numbers on 20 pictures, each taken as a class of its own; values are learnt from pictures beside"
    )
    ages, halves = ([(name, str(row % most)) for row, name in enumerate(names)] for most in (11, 10))
    assert sum(said in note for note in load(table(tmp_path, ages)).notes) == 1
    assert not any("different numbers" in note for note in load(table(tmp_path, halves)).notes)


def test_columns_of_a_table_can_be_set_and_misspelt(tmp_path: Path) -> None:
    folder(tmp_path / "a")
    rows = [(f"a/{name}/{i}.png", name) for name in ("cat", "dog") for i in range(10)]
    path = table(tmp_path, rows, "where,what")
    with pytest.raises(SettingsError, match=r"own\.csv: which column holds the labels\? Say --set data\.target=NAME"):
        load(path)
    assert load(path, target="what").target_name == "what"
    assert load(path, image="where", target="what").kinds == {"image": "image"}
    with pytest.raises(SettingsError, match=r"data\.image='wher'.*Did you mean 'where'"):
        load(path, image="wher", target="what")
    with pytest.raises(SettingsError, match=r"data\.target='what' names a column of a CSV file"):
        load(tmp_path / "a", target="what")
    with pytest.raises(DataError, match=r"column 'what': expected paths of pictures \(\.jpg, .*got 'cat'"):
        load(path, image="what", target="where")
    with pytest.raises(SettingsError, match="which column holds the paths of the pictures"):
        load(table(tmp_path, [("1", "x")] * 20, "age,label"))


def test_a_table_beside_class_folders_is_read_where_its_columns_are_asked_for(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets")
    table(root, [(f"{name}/{i}.png", f"{name}ty") for name in ("cat", "dog") for i in range(10)], "image,kind")
    assert set(labels(load(root).train)) == {"cat", "dog"}
    assert set(labels(load(root, target="kind").train)) == {"catty", "dogty"}


def test_a_picture_that_a_table_names_twice_stays_on_one_side(tmp_path: Path) -> None:
    folder(tmp_path / "a")
    rows = [(f"a/{name}/{i}.png", name) for name in ("cat", "dog") for i in range(10)]
    splits = load(table(tmp_path, rows * 2))
    seen = [set(part.inputs["image"]) for part in parts(splits).values()]
    assert list(map(len, seen)) == [13, 3, 4] and len(set.union(*seen)) == 20


def test_rows_of_a_table_without_a_picture_are_left_out_and_counted(tmp_path: Path) -> None:
    folder(tmp_path / "a")
    rows = [(f"a\\{name}\\{i}.png", name) for name in ("cat", "dog") for i in range(10)]
    splits = load(table(tmp_path, [*rows, ("", "cat"), ("notes.txt", "dog"), ("a/cat/1.png", "")]))
    assert sum(map(len, parts(splits).values())) == 20
    assert "1 rows without a path were left out" in splits.notes
    assert "1 rows name a file that is no picture by its ending; left out" in splits.notes
    assert "1 rows without a label were left out" in splits.notes


GOOD_JPEG = picture(3, "JPEG", (200, 200))
BROKEN = {
    "empty": (b"", r"no picture that can be read"),
    "text": (b"<html>no cat here</html>", r"no picture that can be read.*<html>"),
    "cut JPEG": (GOOD_JPEG[:-300], r"the picture is damaged \(.*truncated"),
    "cut PNG": (picture(4, size=(90, 90))[:-60], r"the picture is damaged"),
    "too large": (huge(10_000, 5_001), r"10000 x 5001 pixels are over the limit of 50,000,000"),
    "animated": (animation(), r"moves \(2 frames\)"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_picture_is_named_with_its_reason_and_the_remedy(tmp_path: Path, content: bytes, reason: str) -> None:
    suffix = "gif" if content.startswith(b"GIF") else "jpg"
    root = folder(tmp_path / "pets")
    (root / "dog" / f"bad.{suffix}").write_bytes(content)
    with pytest.raises(
        DataError, match=rf"pets: 1 of 21 pictures are broken:\n  dog/bad\.{suffix}: {reason}"
    ) as caught:
        load(root)
    assert str(caught.value).endswith("\nRepair or remove them, or leave them out: --set data.broken=skip")
    splits = load(root, broken="skip")
    assert sum(map(len, parts(splits).values())) == 20
    (note,) = [note for note in splits.notes if note.startswith("1 of 21 pictures are broken and were left out:")]
    assert f"dog/bad.{suffix}: " in note


def test_the_first_five_broken_pictures_are_named_and_the_others_counted(tmp_path: Path) -> None:
    path = zipped(tmp_path / "pets.zip", tree() | {f"cat/x{i}.png": b"?" for i in range(7)})
    with pytest.raises(DataError, match="7 of 27 pictures are broken") as caught:
        load(path)
    named = [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:-2]]
    assert named == [f"cat/x{i}.png" for i in range(5)]
    assert "\n  and 2 more\n" in str(caught.value)
    assert str(caught.value).endswith("--set data.broken=skip, which names all in the report")


def test_all_broken_pictures_that_were_left_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "pets.zip", tree() | {f"cat/x{i}.png": b"?" for i in range(7)})

    def listed() -> list[str]:
        (note,) = [note for note in load(path, broken="skip").notes if "pictures are broken" in note]
        return [line.split(":")[0].strip() for line in note.splitlines()]

    assert listed() == ["7 of 27 pictures are broken and were left out", *(f"cat/x{i}.png" for i in range(7))]
    monkeypatch.setattr("dlkit.data.image_files.LISTED", 3)
    assert listed()[1:] == ["cat/x0.png", "cat/x1.png", "cat/x2.png", "and 4 more"]


def test_files_of_a_table_that_are_not_there_are_broken(tmp_path: Path) -> None:
    folder(tmp_path / "a")
    os.mkfifo(tmp_path / "a" / "pipe.png")  # to read it would wait for ever
    rows = [(f"a/{name}/{i}.png", name) for name in ("cat", "dog") for i in range(10)]
    path = table(tmp_path, [*rows, ("a/cat/99.png", "cat"), ("a/pipe.png", "dog"), (f"{'x' * 300}.png", "dog")])
    with pytest.raises(DataError, match=r"3 of 23 .*\n  a/cat/99\.png: no such file\n  a/pipe\.png: no regular file\n"):
        load(path)
    assert sum(map(len, parts(load(path, broken="skip")).values())) == 20


def test_a_picture_that_may_not_be_read_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "pets")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "3.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read all files, so chmod would prove nothing
    with pytest.raises(DataError, match=r"2 of 20 .*\n  cat/3\.png: cannot be read \(Permission denied\)"):
        load(root)


def test_pictures_are_known_by_their_content_not_their_ending(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets")
    for kind, name in (("JPEG", "a.png"), ("BMP", "b.jpeg"), ("GIF", "c.webp"), ("TIFF", "d.tif"), ("WEBP", "e.TIFF")):
        (root / "cat" / name).write_bytes(picture(6000 + ord(name[0]), kind, (16, 16)))
    assert sum(map(len, parts(load(root)).values())) == 25


def test_a_class_whose_pictures_are_all_broken_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets", classes=("cat", "dog"))
    (root / "cow").mkdir()
    (root / "cow" / "1.png").write_bytes(b"?")
    with pytest.raises(DataError, match="all 1 pictures of the class 'cow' in train are broken"):
        load(root, broken="skip")


def test_folders_that_are_no_classes_are_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "loose.png").write_bytes(picture(1))
    with pytest.raises(
        DataError, match=r"holds no class folder \(1 pictures lie right in it\); expected a folder a class"
    ):
        load(tmp_path)
    folder(tmp_path, classes=("cat",))
    with pytest.raises(DataError, match=r"holds 1 class folder \('cat'\); classification needs at least 2.*/other/"):
        load(tmp_path)
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "x.heic").write_bytes(b"")
    with pytest.raises(DataError, match=r"/dog/ holds no picture \(1 others\)\. Add pictures of this class \(\.jpg, "):
        load(tmp_path)
    (tmp_path / "dog" / "x.heic").unlink()
    with pytest.raises(DataError, match=r"/dog/ holds no picture \(0 others\)"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"empty\.zip/cow/ holds no picture \(0 others\)"):
        load(zipped(tmp_path / "empty.zip", tree() | {"cow/": b""}))
    with pytest.raises(DataError, match=r"texts\.zip/ holds no class folder"):
        load(zipped(tmp_path / "texts.zip", {"a.txt": b"a"}))


def test_other_files_and_loose_pictures_are_left_out_and_counted(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets")
    (root / "cat" / "x.heic").write_bytes(b"")
    (root / "cat" / ".hidden.png").write_bytes(b"")
    (root / "list.txt").write_bytes(b"")
    (root / "loose.png").write_bytes(picture(1))
    notes = load(root).notes
    assert f"2 files in {root}/ are no pictures by their ending; left out, such as cat/x.heic" in notes
    assert f"1 pictures in {root}/ lie in no class folder; left out, such as loose.png" in notes


def test_test_folders_must_fit_the_training_folder(tmp_path: Path) -> None:
    folder(tmp_path / "test", 3)
    folder(tmp_path / "other", 3)
    with pytest.raises(
        DataError, match=r"holds test/ and no train/ with class folders; there is nothing to learn from"
    ):
        load(tmp_path)
    folder(tmp_path / "train", classes=("cat", "cow"))
    with pytest.raises(DataError, match=r"the test folder holds the class 'dog', which has no picture in train/"):
        load(tmp_path)
    folder(tmp_path / "Train")
    with pytest.raises(DataError, match=r"holds Train/ and train/; expected one of them"):
        load(tmp_path)


def test_the_fingerprint_depends_on_names_contents_and_labels(tmp_path: Path) -> None:
    root = folder(tmp_path / "pets")
    found = [load(root).fingerprint]
    assert load(root).fingerprint == found[0]
    (root / "cat" / "3.png").rename(root / "cat" / "99.png")
    found.append(load(root).fingerprint)
    (root / "cat" / "99.png").write_bytes(picture(99))
    found.append(load(root).fingerprint)
    (root / "cat" / "0.png").unlink()
    (root / "cat" / "99.png").rename(root / "cat" / "3.png")
    (root / "cat" / "0.png").write_bytes(picture(0))
    (root / "cat" / "3.png").write_bytes(picture(3))
    assert load(root).fingerprint == found[0]
    assert load(zipped(tmp_path / "x.zip", tree())).fingerprint == found[0], "a zip holds the same rows"
    rows = [(f"pets/{name}/{i}.png", name) for name in ("cat", "dog") for i in range(10)]
    found.append(load(table(tmp_path, rows)).fingerprint)
    found.append(load(table(tmp_path, [*rows[:-1], (rows[-1][0], "cat")])).fingerprint)
    assert len(set(found)) == 5 and all(one.startswith("sha256:") for one in found)
