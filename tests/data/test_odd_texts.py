"""Are few and many classes, copies, scripts and spellings of somebody's texts counted and said, and none dropped?"""

from __future__ import annotations

import csv
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from dlkit.contracts import Splits
from dlkit.data.texts import TextData
from dlkit.errors import DataError


def load(tmp_path: Path, rows: Iterable[tuple[str, str]]) -> Splits:
    path = tmp_path / "own.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return TextData(validation_rows=None).load(path, say=lambda _: None)


def parts(splits: Splits) -> dict[str, list[tuple[str, str]]]:
    """Texts and labels by split."""
    found = {}
    for name, split in (("train", splits.train), ("validation", splits.validation), ("test", splits.test)):
        assert split.targets is not None
        found[name] = list(zip(split.inputs["text"], split.targets, strict=True))
    return found


def everything(splits: Splits) -> Counter[tuple[str, str]]:
    return Counter(row for rows in parts(splits).values() for row in rows)


def said(splits: Splits, start: str) -> str:
    """The one note that starts so."""
    (note,) = [note for note in splits.notes if note.startswith(start)]
    return note


def test_one_class_only_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"own\.csv: expected at least 2 classes, got only 'good'\. Add rows of another"
    ):
        load(tmp_path, [(f"text {i}", " good") for i in range(40)])


def test_2000_classes_of_three_texts_are_split_and_said_to_be_small(tmp_path: Path) -> None:
    rows = [(f"text {i} of class {i % 2000}", f"c{i % 2000}") for i in range(6000)]
    splits = load(tmp_path, rows)
    assert everything(splits) == Counter(rows)
    assert {label for _, label in parts(splits)["train"]} == {label for _, label in rows}
    assert "2000 of 2000 classes have fewer than 10 texts (median 3)" in said(splits, "2000 of 2000")
    assert "classes have no test row, so nothing is known of them: 'c" in said(splits, "800 of 2000")


def test_labels_that_nearly_all_differ_are_no_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"40 of 40 texts are alone in their class .* Is this the label\?"):
        load(tmp_path, [(f"text {i}", f"id-{i}") for i in range(40)])


@pytest.mark.parametrize("copies", [1, 6])
def test_a_class_of_one_text_or_its_copies_is_trained_with_and_said_never_to_be_tested(
    tmp_path: Path, copies: int
) -> None:
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(40)] + [("the odd one", "odd")] * copies
    splits = load(tmp_path, rows)
    assert everything(splits) == Counter(rows)
    assert Counter(label for _, label in parts(splits)["train"])["odd"] == copies
    assert said(splits, "1 classes").endswith("a single text, which is trained with and never tested: 'odd'")


def test_a_class_of_one_text_in_a_train_folder_is_said_not_to_be_validated(tmp_path: Path) -> None:
    for part, label, count in (("train", "a", 12), ("train", "b", 1), ("test", "a", 2), ("test", "b", 1)):
        (tmp_path / part / label).mkdir(parents=True)
        for i in range(count):
            (tmp_path / part / label / f"{i}.txt").write_text(f"{part} {label} {i}", encoding="utf-8")
    splits = TextData(validation_rows=None).load(tmp_path, say=lambda _: None)
    assert said(splits, "1 classes").endswith("trained with and never validated: 'b'")


SCRIPTS = {
    "Cyrillic": ("превосходный фильм, очень рекомендую", "скучно и слишком длинно"),
    "Arabic": ("فيلم رائع أنصح به", "ممل وطويل جدا"),
    "Hebrew": ("סרט נהדר ומרגש", "משעמם וארוך מדי"),
    "Hindi": ("बहुत अच्छी फिल्म है", "बहुत उबाऊ थी"),
    "Korean": ("정말 훌륭한 영화였다", "너무 지루하고 길었다"),
    "Chinese cut into words": ("这 部 电影 非常 好看 值得 推荐", "太 无聊 了 浪费 时间"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_with_spaces_arrive_unchanged_and_without_remark(tmp_path: Path, script: str) -> None:
    rows = [(f"{SCRIPTS[script][i % 2]} {i}", ("добре", "شر")[i % 2]) for i in range(40)]
    splits = load(tmp_path, rows)
    assert everything(splits) == Counter(rows)
    assert not any("script" in note for note in splits.notes)


@pytest.mark.parametrize("text", ["这部电影非常好看值得推荐", "とても良い映画でした", "ภาพยนตร์ยอดเยี่ยมมาก"])
def test_scripts_without_spaces_are_kept_and_said_to_be_cut_at_spaces(tmp_path: Path, text: str) -> None:
    rows = [(f"{text} {i}" if i < 15 else f"plain words {i}", "ab"[i % 2]) for i in range(40)]
    splits = load(tmp_path, rows)
    assert everything(splits) == Counter(rows)
    assert "without spaces between words" in said(splits, "15 texts are in a script")


def test_100000_rows_of_50_texts_take_seconds_and_never_lie_in_two_parts(tmp_path: Path) -> None:
    rows = [(f"the text number {i % 50}", "ab"[i % 2]) for i in range(100_000)]
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    splits = load(tmp_path, rows)
    assert time.process_time() - started < 5
    if sys.platform != "darwin":  # which counts bytes, not kB
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    texts = [{text for text, _ in part} for part in parts(splits).values()]
    assert sum(map(len, texts)) == 50
    assert everything(splits) == Counter(rows)
    assert said(splits, "99950").endswith(
        "training texts repeat another one; equal texts stay together, so that none is in validation or test too"
    )


def test_labels_lose_their_stray_spaces_with_a_count(tmp_path: Path) -> None:
    labels = ["good", "bad ", "\tgood", "bad", "\N{NO-BREAK SPACE}good", "bad"]
    splits = load(tmp_path, [(f"text {i}", labels[i % 6]) for i in range(60)])
    assert {label for _, label in everything(splits)} == {"good", "bad"}
    assert said(splits, "30 labels") == "30 labels had spaces around them, which were taken off"


def test_a_class_folder_with_a_stray_space_joins_its_class_and_is_named(tmp_path: Path) -> None:
    for folder in ("pos", "neg", "pos "):
        (tmp_path / folder).mkdir()
        for i in range(10):
            (tmp_path / folder / f"{i}.txt").write_text(f"{folder}: {i} text", encoding="utf-8")
    splits = TextData(validation_rows=None).load(tmp_path, say=lambda _: None)
    assert {label for _, label in everything(splits)} == {"pos", "neg"}
    assert said(splits, "the folder") == "the folder 'pos ' has spaces around its name, which were taken off the label"


def test_labels_that_differ_in_capitals_alone_are_kept_apart_and_named(tmp_path: Path) -> None:
    labels = ["Very good", "very  good", "bad"]
    splits = load(tmp_path, [(f"text {i}", labels[i % 3]) for i in range(60)])
    assert {label for _, label in everything(splits)} == set(labels)
    assert "each taken as a class of its own: 'Very good' and 'very  good'" in said(splits, "1 labels are spelt")
