"""Do aligned files and tables become pairs, cleaned and counted, and is what is not plainly pairs refused?"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from dlkit.contracts import Splits
from dlkit.data.pair_files import part_of, read_pairs
from dlkit.data.pairs import PairData
from dlkit.errors import DataError, DataNotFoundError, SettingsError
from dlkit.preprocessing.pairs import Pairs

ENGLISH = [f"the {size} dog {number}" for number, size in enumerate(["small", "old"] * 20)]
GERMAN = [f"der {size} Hund {number}" for number, size in enumerate(["kleine", "alte"] * 20)]


NO_HEADER = "own.tsv has no header: its first column is taken as en, its second as de"


def lines(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="")
    return path


def loaded(path: Path, **settings: object) -> Splits:
    return PairData(**settings).load(path, say=lambda _: None)  # type: ignore[arg-type]


@pytest.fixture
def aligned(tmp_path: Path) -> Path:
    for part, rows in (("train", slice(0, 30)), ("val", slice(30, 35)), ("test_2020", slice(35, 40))):
        lines(tmp_path / f"{part}.en", ENGLISH[rows])
        lines(tmp_path / f"{part}.de", GERMAN[rows])
    return tmp_path


def test_aligned_files_keep_their_parts(aligned: Path) -> None:
    splits = loaded(aligned)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [30, 5, 5]
    assert splits.train.inputs["source"].tolist() == ENGLISH[:30] and splits.test.targets.tolist() == GERMAN[35:]
    assert (splits.kinds, splits.target_name, splits.notes) == ({"source": "text"}, "de", ())
    back = loaded(aligned, source="de", target="en")
    assert back.train.inputs["source"].tolist() == GERMAN[:30] and back.fingerprint != splits.fingerprint


def test_one_of_two_files_gzipped_or_not_names_the_other(tmp_path: Path) -> None:
    for language, texts in (("en", ENGLISH), ("de", GERMAN)):
        content = "\r\n".join(texts).encode("utf-16")
        (tmp_path / f"corpus.{language}.gz").write_bytes(gzip.compress(content, mtime=0))
    splits = loaded(tmp_path / "corpus.de.gz")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (32, 4, 4)
    assert {*splits.train.inputs["source"], *splits.validation.inputs["source"], *splits.test.inputs["source"]} == {
        *ENGLISH
    }


@pytest.mark.parametrize("header", ["", "source\ttarget\n", "EN\tde\n", "src\ttgt\n"])
def test_a_table_of_two_columns_has_a_header_or_none(tmp_path: Path, header: str) -> None:
    rows = "".join(f'{one}\t"{other}"\n' for one, other in zip(ENGLISH, GERMAN, strict=True))
    (tmp_path / "own.tsv").write_text(header + rows + "\n\n")
    files = read_pairs(tmp_path / "own.tsv", "en", "de")
    assert files.parts["train"].source == ENGLISH
    assert files.parts["train"].target[:1] == [f'"{GERMAN[0]}"']


def test_a_csv_and_columns_by_their_names(tmp_path: Path) -> None:
    rows = "".join(f"{number},{other},{one}\n" for number, (one, other) in enumerate(zip(ENGLISH, GERMAN, strict=True)))
    (tmp_path / "own.csv").write_text("id,german,english\n" + rows)
    splits = loaded(tmp_path / "own.csv", source="english", target="german")
    assert splits.train.inputs["source"][0] in ENGLISH and splits.train.targets[0] in GERMAN
    for read in (loaded, lambda path: PairData().to_judge(path, say=len)):
        with pytest.raises(
            DataError, match=r"which columns hold .*\? Call them en and de, .* Columns: id, german, english"
        ):
            read(tmp_path / "own.csv")


@pytest.mark.parametrize("name", ["own.tsv", "own.csv"])
@pytest.mark.parametrize(
    ("header", "said"),
    [
        (("en", "fr"), "--set data.source=en --set data.target=fr"),
        (("CS", "pt-BR"), "--set data.source=CS --set data.target=pt-BR"),
        (("en", "german"), "--set data.source=en --set data.target=german"),
    ],
)
def test_a_header_of_other_languages_is_no_pair(tmp_path: Path, name: str, header: tuple[str, str], said: str) -> None:
    delimiter = "\t" if name.endswith(".tsv") else ","
    rows = [header, *zip(ENGLISH, GERMAN, strict=True)]
    path = lines(tmp_path / name, [delimiter.join(row) for row in rows])
    with pytest.raises(DataError, match=f"{name}, line 1: expected columns called en and de, .* got .*{said}"):
        loaded(path)


def test_columns_that_are_not_told_may_be_called_as_the_run_calls_them(tmp_path: Path) -> None:
    path = lines(tmp_path / "own.tsv", ["id\ten\tfr\tnote", *(f"1\t{one}\t{one}\tx" for one in ENGLISH)])
    with pytest.raises(
        DataError, match=r"line 1: .* got 4\. .* in a first line, those two fra and eng, or with dlkit run"
    ):
        PairData(source="fra", target="eng").to_judge(path, say=len)
    path.write_text(path.read_text(encoding="utf-8").replace("en\tfr", "eng\tfra", 1), encoding="utf-8")
    assert len(PairData(source="fra", target="eng").to_judge(path, say=len).test) == len(ENGLISH)


def test_what_the_columns_of_a_table_were_taken_for_is_noted(tmp_path: Path) -> None:
    rows = list(zip(GERMAN, ENGLISH, strict=True))
    path = lines(tmp_path / "own.tsv", ["\t".join(row) for row in rows])
    splits = loaded(path, source="de", target="en")
    assert splits.notes == ("own.tsv has no header: its first column is taken as de, its second as en",)
    assert splits.train.inputs["source"][0] in GERMAN
    (note,) = loaded(lines(tmp_path / "own.csv", [",".join(row) for row in rows]), source="de", target="en").notes
    assert f"own.csv: line 1, {GERMAN[0]} | {ENGLISH[0]}, is taken as names of columns, the first of them as de" in note
    assert "if it is a pair, put the line source,target above it" in note
    assert loaded(lines(tmp_path / "own.csv", ["de,en", *map(",".join, rows)]), source="de", target="en").notes == ()


def test_tables_of_a_folder_are_parts(tmp_path: Path) -> None:
    for part, rows in (("train", slice(0, 30)), ("dev", slice(30, 35)), ("test", slice(35, 40))):
        lines(tmp_path / f"{part}.tsv", [f"{a}\t{b}" for a, b in zip(ENGLISH[rows], GERMAN[rows], strict=True)])
    splits = loaded(tmp_path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [30, 5, 5]


@pytest.mark.parametrize("name", ["validated.tsv", "values.tsv", "testimonials.tsv", "devices.tsv", "val.tsv"])
def test_a_lone_file_is_to_learn_from_unless_it_is_called_test(tmp_path: Path, name: str) -> None:
    path = lines(tmp_path / name, [f"{a}\t{b}" for a, b in zip(ENGLISH, GERMAN, strict=True)])
    for given in (path, tmp_path):
        splits = loaded(given)
        assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [32, 4, 4]
        assert any("is the only file" in note for note in splits.notes) == (name == "val.tsv")


@pytest.mark.parametrize(
    ("stem", "part"),
    [
        ("train", "train"), ("train.lower", "train"), ("Training-1", "train"), ("val", "validation"),
        ("dev2010", "validation"), ("valid_1", "validation"), ("test_2018", "test"), ("TEST2016", "test"),
        ("testing", "test"),
        ("newstest2014", None), ("trainer", None), ("validated", None), ("testé", None), ("", None),
    ],
)  # fmt: skip
def test_a_part_is_the_first_word_of_a_name(stem: str, part: str | None) -> None:
    assert part_of(stem) == part


def test_without_pairs_to_learn_from_a_training_is_refused(aligned: Path) -> None:
    for path in aligned.glob("train.*"):
        path.unlink()
    splits = loaded(aligned)
    with pytest.raises(DataError, match="no pairs to learn from, only some to test with"):
        Pairs().fit(splits.train, splits.kinds)


@pytest.mark.parametrize("part", ["val", "test_2020"])
@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_part_without_a_pair_is_refused_before_any_training(aligned: Path, part: str, content: str) -> None:
    for language in ("en", "de"):
        (aligned / f"{part}.{language}").write_text(content, encoding="utf-8")
    what = "validation" if part == "val" else "test"
    with pytest.raises(DataError, match=f"expected {what} pairs with a sentence on both sides, got [02] lines"):
        loaded(aligned)


@pytest.mark.parametrize("name", ["flickr2017", "mscoco", "newstest"])
def test_all_pairs_of_a_file_judge_where_it_names_no_test_rows(tmp_path: Path, name: str) -> None:
    english, german = [*ENGLISH[:4], ENGLISH[0], "word " * 101, " "], [*GERMAN[:4], GERMAN[0], "Wort", "x"]
    lines(tmp_path / f"{name}.en", english)
    lines(tmp_path / f"{name}.de", german)
    splits = PairData().to_judge(tmp_path / f"{name}.de", say=lambda _: None)
    assert splits.test.inputs["source"].tolist() == english[:6] and splits.test.targets.tolist() == german[:6]  # type: ignore[union-attr]
    assert (len(splits.train), len(splits.validation), splits.drawn) == (0, 0, True)
    assert splits.notes == (
        f"{name}.de names no test rows: all are judged",
        "1 test pairs had an empty side; left out",
    )


def test_the_test_rows_of_a_folder_judge_alone(aligned: Path) -> None:
    splits = PairData().to_judge(aligned, say=lambda _: None)
    assert splits.test.inputs["source"].tolist() == ENGLISH[35:] and not splits.drawn and splits.notes == ()
    assert splits.fingerprint == loaded(aligned).fingerprint
    (aligned / "test_2020.en").unlink()
    (aligned / "test_2020.de").unlink()
    every = PairData().to_judge(aligned, say=lambda _: None)
    assert sorted(every.test.inputs["source"]) == sorted(ENGLISH[:35]) and every.drawn
    assert PairData().to_judge("sample", say=lambda _: None).sample


def test_test_rows_alone_are_enough_to_judge_by(tmp_path: Path) -> None:
    path = lines(tmp_path / "test_2018.tsv", [f"{a}\t{b}" for a, b in zip(ENGLISH[:3], GERMAN[:3], strict=True)])
    splits = loaded(path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [0, 0, 3]


def test_pairs_are_cleaned_and_what_went_is_counted(tmp_path: Path) -> None:
    odd = ["\tein Hund", "a dog\t  ", f"{ENGLISH[0]}\t{GERMAN[0]}", f"{'word ' * 101}\tWort", f"x\t{'字' * 2_000}", ""]
    rows = [f"{a}\t{b}" for a, b in zip(ENGLISH, GERMAN, strict=True)]
    splits = loaded(lines(tmp_path / "own.tsv", [*rows, *odd, "end\tEnde"]))
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 41
    assert splits.notes == (
        NO_HEADER,
        "3 training pairs had an empty side; left out",
        "1 training pairs repeated another pair; left out",
        "2 training pairs had more than data.longest=100 words; left out",
    )


def test_sentences_to_judge_by_that_are_learnt_from_are_told_of(aligned: Path) -> None:
    lines(aligned / "val.en", [*ENGLISH[:2], "new", " ".join(ENGLISH[2].split()) + " ", "other"])
    lines(aligned / "val.de", [*GERMAN[:2], "neu", "x", "anders"])
    assert loaded(aligned).notes == ("3 of 5 sentences in validation occur in train too, which flatters its figures",)


def test_a_sentence_with_two_translations_is_in_one_part(tmp_path: Path) -> None:
    rows = [f"{a}\t{b} {turn}" for turn in "xy" for a, b in zip(ENGLISH, GERMAN, strict=True)]
    splits = loaded(lines(tmp_path / "own.tsv", rows))
    parts = [{*part.inputs["source"]} for part in (splits.train, splits.validation, splits.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"a b c\n" * 20, "line 1: expected 2 columns, .* got 1"),
        (b"a\tb\tc\n" * 20, "line 1: expected 2 columns, .* got 3. Leave the others out, or name the columns"),
        (b"a\tb\n" * 11 + b"a\tb\tc\n", "line 12: expected 2 columns as in line 1, got 3. Is a tab"),
        (b"a\tb\n", "expected at least 10 pairs of sentences to learn from, got 1"),
        (b"\tb\n" * 20, "expected at least 10 pairs of sentences to learn from, got 0"),
        ("ä\tb\n".encode("cp1252"), "line 1: not UTF-8 text .byte 0xe4.. Convert it: iconv"),
        (b"a\tb\nc\0\td\n", "line 2: holds a zero byte"),
    ],
)  # fmt: skip
def test_a_table_that_is_none_is_refused_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "own.tsv").write_bytes(content)
    with pytest.raises(DataError, match=said):
        loaded(tmp_path / "own.tsv")


def test_misaligned_files_are_refused_with_counts_and_place(aligned: Path) -> None:
    lines(aligned / "train.de", GERMAN[:29])
    with pytest.raises(DataError, match=r"train.en has 30 lines; .*train.de has 29 lines: .* at line 30 at the latest"):
        loaded(aligned)
    lines(aligned / "train.de", [*GERMAN[:7], "", *GERMAN[7:28]])
    lines(aligned / "train.en", ENGLISH[:28])
    with pytest.raises(DataError, match="line 8 is empty in one of them alone"):
        loaded(aligned)


def test_what_is_missing_is_said(aligned: Path, tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"expected two aligned files such as train.sv and train.fi"):
        loaded(aligned, target="fi", source="sv")
    (aligned / "val.de").unlink()
    with pytest.raises(DataNotFoundError, match=r"val.en: there is no val.de beside it"):
        loaded(aligned)
    lines(aligned / "val.de", GERMAN[30:35])
    lines(aligned / "test_2021.de", GERMAN[:2])
    lines(aligned / "test_2021.en", ENGLISH[:2])
    with pytest.raises(DataError, match="test_2021 is for the same as test_2020"):
        loaded(aligned)
    with pytest.raises(DataError, match=r"expected a .tsv or .csv of two columns, or one of two aligned files"):
        loaded(lines(tmp_path / "notes.txt", ENGLISH))


def test_two_files_for_the_same_are_refused(aligned: Path, tmp_path: Path) -> None:
    lines(aligned / "train.en.gz", ENGLISH[:30])
    with pytest.raises(DataError, match=r"train\.en and train\.en\.gz are for the same; expected one of them"):
        loaded(aligned)
    (tmp_path / "tables").mkdir()
    for ending in ("csv", "tsv"):
        lines(tmp_path / "tables" / f"train.{ending}", ENGLISH)
    with pytest.raises(DataError, match=r"train\.csv and train\.tsv are for the same; expected one of them"):
        loaded(tmp_path / "tables")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source": "en", "target": "en"}, "data.source and data.target are both 'en'"),
        ({"target": "xx"}, "data.target='xx': Multi30k"),
        ({"dataset": "imdb"}, "is not a set of translations"),
        ({"longest": 0}, "data.longest=0"),
        ({"validation_rows": 0}, "data.validation_rows=0"),
        ({"sample": "toys"}, "data.sample='toys': no such sample of pairs. Did you mean 'toy'"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        PairData(**settings).load("sample" if "sample" in settings else None, say=lambda _: None)  # type: ignore[arg-type]


def test_the_sample_is_the_same_each_time_and_no_sentence_is_in_two_parts() -> None:
    first, second = (PairData().load("sample", say=lambda _: None) for _ in range(2))
    assert first.fingerprint == second.fingerprint and first.sample and first.best == {"bleu": 100.0}
    assert [len(part) for part in (first.train, first.validation, first.test)] == [2_000, 200, 200]
    parts = [{*part.inputs["source"]} for part in (first.train, first.validation, first.test)]
    assert len(set().union(*parts)) == 2_400
    assert first.train.inputs["source"][0] == "The woman paints the woman near the river."
    assert first.train.targets[0] == "Pre rivo la fema la fema pintas."
