"""Do texts of the user's own become labelled rows without leaks, or a clear refusal?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Split, Splits
from dlkit.data import text_files
from dlkit.data.samples import sample
from dlkit.data.texts import TextData
from dlkit.errors import DataError, DataNotFoundError, SettingsError

SAID: list[str] = []


def load(path: Path, **settings: str) -> Splits:
    return TextData(**settings).load(path, say=SAID.append)  # type: ignore[arg-type]  # names of columns only


def labels(split: Split) -> list[str]:
    assert isinstance(split.targets, np.ndarray)
    return split.targets.tolist()


def folder(root: Path, per_class: int = 10, classes: tuple[str, ...] = ("neg", "pos"), mark: str = "") -> Path:
    for name in classes:
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            (root / name / f"{i}.txt").write_text(f"text {i} of {name} {mark}", encoding="utf-8")
    return root


def csv_file(
    tmp_path: Path, rows: Sequence[tuple[str, ...]], header: str = "text,label", name: str = "own.csv"
) -> Path:
    path = tmp_path / name
    path.write_text("\n".join([header, *[",".join(row) for row in rows], ""]), encoding="utf-8")
    return path


ROWS: list[tuple[str, ...]] = [(f"text number {i}", "pos" if i % 2 else "neg") for i in range(20)]


def test_a_folder_of_class_folders_is_read(tmp_path: Path) -> None:
    splits = load(folder(tmp_path / "own"))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (13, 3, 4)
    assert splits.kinds == {"text": "text"} and splits.target_name == "label" and splits.name == "own"
    assert sorted(labels(splits.test)) == ["neg", "neg", "pos", "pos"]
    for part in (splits.train, splits.validation, splits.test):
        assert all(label in text for text, label in zip(part.inputs["text"], labels(part), strict=True))


def test_train_and_test_folders_are_kept_apart(tmp_path: Path) -> None:
    folder(tmp_path / "train", 20, mark="train")
    folder(tmp_path / "test", 5, mark="test")
    splits = load(tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (32, 8, 10)
    assert all(text.endswith("test") for text in splits.test.inputs["text"])
    assert text_files.read_text_folder(tmp_path).notes == ()


@pytest.mark.parametrize("name", ["validation", "val", "Valid", "dev"])
def test_a_validation_folder_is_read_under_each_of_its_names(tmp_path: Path, name: str) -> None:
    for part, count in (("train", 20), ("test", 5), (name, 3)):
        folder(tmp_path / part, count, mark=part)
    splits = load(tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (40, 6, 10)
    assert all(text.endswith(name) for text in splits.validation.inputs["text"]) and splits.notes == ()
    folder(tmp_path / name, 1, ("odd",))
    with pytest.raises(DataError, match=f"/{name}/ holds the class 'odd', which has no text in train/"):
        load(tmp_path)


def test_two_folders_of_one_part_are_refused(tmp_path: Path) -> None:
    for part in ("train", "val", "dev"):
        folder(tmp_path / part)
    with pytest.raises(DataError, match=r"holds dev/ and val/; expected one of them\. Join them"):
        load(tmp_path)
    folder(tmp_path / "other" / "Test")
    with pytest.raises(DataError, match="holds Test/ and no train/ with class folders"):
        load(tmp_path / "other")


def write(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("a text", encoding="utf-8")


def test_every_text_that_is_left_out_beside_train_is_counted_in_a_note(tmp_path: Path) -> None:
    folder(tmp_path / "train", 20)
    write(tmp_path / "extra" / "pos" / "more" / "1.txt", tmp_path / "extra" / "pos" / "more" / "2.txt")
    write(tmp_path / "spare" / "1.txt", tmp_path / "spare" / "notes.md", tmp_path / "urls.txt", tmp_path / "README")
    assert load(tmp_path).notes[:3] == (
        "extra/ (2 texts), spare/ (1 texts) beside train/ left out: no split of classes",
        f"1 texts in {tmp_path}/ lie in no class folder; left out, such as urls.txt",
        f"1 files or folders in {tmp_path}/ are no .txt files; left out, such as README",
    )


@pytest.mark.parametrize("part", ["", "train"])
def test_every_text_that_is_left_out_beside_and_below_classes_is_counted_in_a_note(tmp_path: Path, part: str) -> None:
    root = folder(tmp_path / part, 20)
    write(*(root / "unsup" / f"{i}.txt" for i in range(3)), root / "Unlabeled" / "deep" / "1.txt")
    write(root / "loose1.txt", root / "loose2.TXT", root / "index.csv", root / "pos" / "1.html")
    write(*(root / "neg" / "more" / f"{i}.txt" for i in range(4)))
    (root / "pos" / "empty").mkdir()
    splits = load(tmp_path)
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 40
    assert splits.notes[:4] == (
        f"4 texts in {root}/Unlabeled/, {root}/unsup/ have no label; left out",
        f"2 texts in {root}/ lie in no class folder; left out, such as loose1.txt",
        "4 texts lie deeper than their class folder; left out, such as those in neg/more/",
        f"3 files or folders in {root}/ are no .txt files; left out, such as index.csv",
    )


def test_a_class_of_the_test_folder_that_is_not_in_training_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "train")
    folder(tmp_path / "test", 5, ("pos", "neutral"))
    with pytest.raises(DataError, match=r"test/ holds the class 'neutral'"):
        load(tmp_path)


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    assert set(labels(load(folder(tmp_path, classes=("test", "train"))).train)) == {"test", "train"}


def test_the_fingerprint_of_a_folder_depends_on_names_and_contents(tmp_path: Path) -> None:
    path = folder(tmp_path / "own")
    first = load(path).fingerprint
    assert load(path).fingerprint == first
    (path / "pos" / "3.txt").rename(path / "pos" / "99.txt")
    second = load(path).fingerprint
    (path / "pos" / "99.txt").write_text("changed", encoding="utf-8")
    assert len({first, second, load(path).fingerprint}) == 3


def test_folders_that_are_no_classes_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no class folder \(0 texts lie right in it\)"):
        load(tmp_path)
    folder(tmp_path, classes=("pos",))
    with pytest.raises(DataError, match=r"holds 1 class folder \('pos'\); classification needs at least 2.*/neg/"):
        load(tmp_path)
    (tmp_path / "neg").mkdir()
    (tmp_path / "neg" / "x.pdf").write_bytes(b"")
    with pytest.raises(DataError, match=r"neg/ holds no \.txt file \(1 others\)"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["caf\xe9".encode("latin-1"), b"a\0b"])
def test_a_file_that_is_no_text_is_named(tmp_path: Path, content: bytes) -> None:
    (folder(tmp_path) / "pos" / "bad.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"pos/bad\.txt: .*Remove it|pos/bad\.txt: not UTF-8.*iconv"):
        load(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_part_of_a_text(tmp_path: Path, encoding: str) -> None:
    (folder(tmp_path) / "pos" / "bom.txt").write_bytes("größer".encode(encoding))
    assert "größer" in text_files.read_text_folder(tmp_path).parts["train"].texts


def test_an_unreadable_file_is_named_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path)

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read all files, so chmod would prove nothing
    with pytest.raises(DataNotFoundError, match=r"neg/0\.txt: cannot be read \(Permission denied\)\. Allow it"):
        load(tmp_path)


def test_text_and_label_columns_are_found_by_name(tmp_path: Path) -> None:
    rows = [(str(i), f"a review {i}", "much longer text that is no review" * 2, "ab"[i % 2]) for i in range(20)]
    splits = load(csv_file(tmp_path, rows, "id,Review,notes,Sentiment"))
    assert splits.kinds == {"Review": "text"} and splits.target_name == "Sentiment"
    assert "texts are taken from column 'Review', labels from 'Sentiment'" in splits.notes
    assert "2 other columns are not read: 'id', 'notes'" in splits.notes


def test_labels_of_texts_that_are_mostly_different_numbers_are_said_to_be_values(tmp_path: Path) -> None:
    rows = [(f"a review {i}", f"{i % 11}.5") for i in range(20)]
    said = (
        "the labels are 11 different numbers on 20 texts, each taken as a class of its own; values to estimate need a"
    )
    assert sum(note.startswith(said) for note in load(csv_file(tmp_path, rows)).notes) == 1
    few = [(text, str(int(float(label)) % 10)) for text, label in rows]
    assert not any("different numbers" in note for note in load(csv_file(tmp_path, few)).notes)


def test_the_longest_column_is_the_text_where_none_is_called_so(tmp_path: Path) -> None:
    rows = [(str(i), f"what was said in line {i}", "ab"[i % 2]) for i in range(20)]
    assert load(csv_file(tmp_path, rows, "id,said,label")).kinds == {"said": "text"}


def test_columns_can_be_set_and_misspelt(tmp_path: Path) -> None:
    rows = [(f"subject {i}", f"text {i}", "ab"[i % 2]) for i in range(20)]
    path = csv_file(tmp_path, rows, "subject,text,kind")
    splits = load(path, text="subject", target="kind")
    assert splits.kinds == {"subject": "text"} and splits.target_name == "kind"
    with pytest.raises(SettingsError, match=r"--set data\.target=NAME\. Columns: subject, text, kind"):
        load(path)
    with pytest.raises(SettingsError, match=r"data\.text='subjct'.*Did you mean 'subject'"):
        load(path, text="subjct", target="kind")
    with pytest.raises(SettingsError, match="names a column of a CSV file"):
        load(folder(tmp_path / "folder"), target="kind")


def test_a_file_of_one_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only one column, 'label'"):
        load(csv_file(tmp_path, [("a",), ("b",)] * 10, "label"))


def test_spaces_around_labels_are_taken_off_and_counted(tmp_path: Path) -> None:
    rows = [(text, f" {label}") if i < 3 else (text, label) for i, (text, label) in enumerate(ROWS)]
    splits = load(csv_file(tmp_path, rows))
    assert set(labels(splits.train)) == {"neg", "pos"}
    assert "3 labels had spaces around them, which were taken off" in splits.notes


def test_empty_texts_and_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    splits = load(csv_file(tmp_path, [*ROWS, ("", "pos"), ('"  "', "neg"), ("no label", ""), ("none", "None")]))
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 20
    assert "2 empty texts were left out" in splits.notes
    assert "2 rows without a label were left out ('None' 1 times)" in splits.notes


def test_only_empty_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected at least 10 texts to learn from, got 0"):
        load(csv_file(tmp_path, [('" "', "pos"), ('""', "neg")] * 10))


def test_texts_of_emoji_alone_are_kept_with_a_note(tmp_path: Path) -> None:
    splits = load(csv_file(tmp_path, [*ROWS, ("😀😀", "pos"), ("👎🏽", "neg")]))
    assert sum(len(part) for part in (splits.train, splits.validation, splits.test)) == 22
    assert any(note.startswith("2 texts hold no letter or digit") for note in splits.notes)


def test_a_text_of_a_megabyte_is_read_whole(tmp_path: Path) -> None:
    long = "word " * 200_000
    for path in (csv_file(tmp_path, [*ROWS, (long, "pos")]), folder(tmp_path / "own")):
        if path.is_dir():
            (path / "pos" / "long.txt").write_text(long, encoding="utf-8")
        splits = load(path)
        parts = (splits.train, splits.validation, splits.test)
        assert max(len(text) for part in parts for text in part.inputs["text"]) == 1_000_000


def test_equal_texts_never_lie_on_both_sides_of_a_split(tmp_path: Path) -> None:
    rows = [(f"text  {i // 3}" if i % 2 else f"text {i // 3}", "pos" if i < 60 else "neg") for i in range(120)]
    path = csv_file(tmp_path, rows)
    for seed in range(5):
        splits = TextData(split_seed=seed).load(path, say=SAID.append)
        seen = [
            {" ".join(text.split()) for text in part.inputs["text"]}
            for part in (splits.train, splits.validation, splits.test)
        ]
        assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert any(note.startswith("80 training texts repeat another one; equal texts stay") for note in splits.notes)


def test_texts_in_train_and_test_folders_alike_are_reported(tmp_path: Path) -> None:
    folder(tmp_path / "train")
    folder(tmp_path / "test", 4)
    assert "8 of 8 texts in test occur in train too, which flatters its figures" in load(tmp_path).notes


def test_texts_with_two_labels_are_reported(tmp_path: Path) -> None:
    assert "1 texts occur with more than one label" in load(csv_file(tmp_path, [*ROWS, ("text number 0", "pos")])).notes


def test_too_few_texts_or_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected at least 10 texts to learn from, got 1"):
        load(csv_file(tmp_path, ROWS[:1]))
    with pytest.raises(DataError, match="expected at least 10 different texts to learn from, got 2"):
        load(csv_file(tmp_path, [("one", "pos"), ("two", "neg")] * 10))
    with pytest.raises(DataError, match="at least 2 classes, got only 'pos'"):
        load(csv_file(tmp_path, [(text, "pos") for text, _ in ROWS]))


def test_a_class_of_one_text_stays_in_training_with_a_note(tmp_path: Path) -> None:
    splits = load(csv_file(tmp_path, [*ROWS, ("odd one", "neutral")]))
    assert "neutral" in labels(splits.train)
    assert any(
        "1 classes have a single text, which is trained with and never tested: 'neutral'" in note
        for note in splits.notes
    )


def test_a_latin_1_csv_is_read_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(("text,label\n" + "".join(f"café {i},{'ab'[i % 2]}\n" for i in range(20))).encode("latin-1"))
    splits = load(path)
    assert splits.train.inputs["text"][0].startswith("café ")
    assert any("not UTF-8" in note for note in splits.notes)


def test_missing_and_wrong_paths_say_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"no such file or folder.*--data sample"):
        load(tmp_path / "nothing")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match="a picture"):
        load(tmp_path / "photo.png")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataNotFoundError, match="not a regular file"):
        load(tmp_path / "pipe")


def test_validation_rows_are_taken_where_they_fit_and_a_share_otherwise(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [(f"text number {i}", "ab"[i % 2]) for i in range(100)])
    for rows, expected in ((30, 30), (40, 40), (41, 16), (None, 16)):
        splits = TextData(validation_rows=rows).load(path, say=SAID.append)
        assert (len(splits.train), len(splits.validation), len(splits.test)) == (80 - expected, expected, 20)
        assert any("data.validation_rows=41" in note for note in splits.notes) == (rows == 41)


@pytest.mark.parametrize(
    "settings",
    [{"validation_rows": 0}, {"validation_rows": 0.2}, {"validation_rows": True}, {"validation_fraction": 1.0},
     {"test_fraction": "0.2"}, {"split_seed": 1.5}, {"sample": None, "text": ""}, {"text": "a", "target": "a"}],
)  # fmt: skip
def test_wrong_settings_are_refused_by_name(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"data\.(validation|test|split|text)"):
        TextData(**settings)  # type: ignore[arg-type]  # wrong on purpose


def test_the_sample_is_flagged_and_each_split_has_its_share_of_flipped_labels() -> None:
    splits = TextData().load("sample", say=SAID.append)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (1280, 320, 400)
    assert splits.sample and splits.best == {"accuracy": 0.95}
    made = sample("reviews")
    assert made.strata is not None
    flipped = {text: s.endswith("True") for text, s in zip(made.rows.inputs["text"], made.strata, strict=True)}
    for part in (splits.train, splits.validation, splits.test):
        assert np.mean([flipped[text] for text in part.inputs["text"]]) == pytest.approx(0.05, abs=0.004)
    for name, what in (("houses", "is a table"), ("shapes", "holds pictures"), ("people", "holds pictures")):
        with pytest.raises(SettingsError, match=rf"data\.sample='{name}' {what}; this recipe reads texts"):
            TextData(sample=name).load("sample", say=SAID.append)


def test_settings_for_own_files_are_refused_with_a_sample() -> None:
    assert TextData(text="text", target="label").load("sample", say=SAID.append).sample
    for data in (TextData(text="review"), TextData(target="stars")):
        with pytest.raises(SettingsError, match=r"data\.(text='review'|target='stars') is for a file of your own"):
            data.load("sample", say=SAID.append)


@pytest.mark.parametrize(("rows", "expected"), [(15, 15), (30, 8)])
def test_validation_rows_that_a_named_dataset_has_not_are_said(
    monkeypatch: pytest.MonkeyPatch, rows: int, expected: int
) -> None:
    from dlkit.data import builders

    def column(*values: str) -> np.ndarray:
        return np.array(values, object)

    def part(name: str, count: int) -> Split:
        texts = column(*(f"{name} {i}" for i in range(count)))
        return Split({"text": texts}, column(*("pos" if i % 2 else "neg" for i in range(count))))

    loaded = builders.Loaded({"train": part("train", 40), "test": part("test", 6)}, {"text": "text"}, "label", "", "")
    monkeypatch.setattr(builders, "load", lambda *_, **__: loaded)
    splits = TextData(validation_rows=rows).load(None, say=SAID.append)
    assert len(splits.validation) == expected
    assert any(note.startswith(f"data.validation_rows={rows} is over half of the 40") for note in splits.notes) == (
        rows > expected
    )


def test_settings_for_own_files_are_refused_with_a_named_dataset() -> None:
    for data, message in (
        (TextData(dataset="boston_housing"), "not a set of texts"),
        (TextData(text="review"), r"data\.text='review' is for a file of your own"),
        (TextData(dataset="imbd"), "Did you mean 'imdb'"),
    ):
        with pytest.raises(SettingsError, match=message):
            data.load(None, say=SAID.append)


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_imdb_gives_15000_10000_and_25000_balanced_reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path))
    splits = TextData().load(None, say=SAID.append)
    for part, rows in ((splits.train, 15_000), (splits.validation, 10_000), (splits.test, 25_000)):
        assert len(part) == rows
        assert labels(part).count("pos") == rows // 2
    assert "123 of 25000 texts in test occur in train too, which flatters its figures" in splits.notes


def test_all_texts_of_another_file_judge_a_run_or_those_it_names_for_it(tmp_path: Path) -> None:
    every = TextData().to_judge(csv_file(tmp_path, ROWS), say=SAID.append)
    assert sorted(every.test.inputs["text"]) == sorted(text for text, _ in ROWS)
    folder(tmp_path / "own" / "train", mark="train")
    folder(tmp_path / "own" / "test", 2, mark="test")
    named = TextData().to_judge(tmp_path / "own", say=SAID.append)
    assert len(named.test) == 4 and not named.drawn


def test_texts_to_judge_may_be_few_of_one_class_and_without_texts_to_learn_from(tmp_path: Path) -> None:
    few = TextData().to_judge(
        csv_file(tmp_path, [("one text", "pos"), (" ", "pos"), ("another", "pos")]), say=SAID.append
    )
    assert few.test.inputs["text"].tolist() == ["one text", "another"] and few.drawn
    assert [note for note in few.notes if "texts are taken" not in note] == [
        "1 empty texts were left out",
        "own.csv names no test rows: all are judged",
    ]
    folder(tmp_path / "one", 2, classes=("pos",))
    assert labels(TextData().to_judge(tmp_path / "one", say=SAID.append).test) == ["pos", "pos"]
    folder(tmp_path / "alone" / "test", 3)
    judged = TextData().to_judge(tmp_path / "alone", say=SAID.append)
    assert len(judged.test) == 6 and not judged.drawn
    with pytest.raises(DataError, match="expected at least 1 texts to judge, got 0"):
        TextData().to_judge(csv_file(tmp_path, [(" ", "pos")]), say=SAID.append)


def test_a_file_or_class_whose_name_is_no_text_is_read_or_refused(tmp_path: Path) -> None:
    folder(tmp_path / "own")
    odd = os.fsdecode(b"caf\xe9")
    (tmp_path / "own" / "pos" / "0.txt").rename(tmp_path / "own" / "pos" / f"{odd}.txt")
    assert len(load(tmp_path / "own").train) == 13
    (tmp_path / "own" / "pos").rename(tmp_path / "own" / odd)
    with pytest.raises(DataError, match=r"a class folder whose name is not UTF-8: b'caf\\xe9'\. Rename it"):
        load(tmp_path / "own")
