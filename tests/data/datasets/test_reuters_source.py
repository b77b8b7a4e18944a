"""Do newswires come out of the SGML with their first topic, and in exactly the documented splits?"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.data.builders import load, load_source
from dlkit.data.datasets import reuters, reuters_modapte
from dlkit.data.datasets.reuters import Newswire, at_random, newswires
from dlkit.data.locate import locate
from dlkit.data.sources import Source
from dlkit.data.texts import TextData
from dlkit.errors import DataError, DataNotFoundError

SAID: list[str] = []
NORMAL = "<TEXT>&#2;\n<TITLE>{title}</TITLE>\n<DATELINE> OSLO - </DATELINE><BODY>{body}\n Reuter\n&#3;</BODY></TEXT>"


def newswire(
    number: int, topics: tuple[str, ...] = (), *, split: str = "TRAIN", used: str = "YES", text: str | None = None
) -> str:
    marked = "".join(f"<D>{topic}</D>" for topic in topics)
    shown = NORMAL.format(title=f"TITLE {number}", body=f"body {number}") if text is None else text
    return (
        f'<REUTERS TOPICS="{used}" LEWISSPLIT="{split}" CGISPLIT="x" OLDID="1" NEWID="{number}">\n<DATE>x</DATE>\n'
        f"<TOPICS>{marked}</TOPICS>\n<PLACES><D>usa</D></PLACES>\n<UNKNOWN>&#5;</UNKNOWN>\n{shown}\n</REUTERS>\n"
    )


def archive(path: Path, *files: str) -> Path:
    """In the form of the official archive, with what is to be skipped."""
    contents = {"README.txt": "about", "lewis.dtd": newswire(99, ("dtd",))}
    contents |= {
        f"reut2-{number:03}.sgm": '<!DOCTYPE lewis SYSTEM "lewis.dtd">\n' + f for number, f in enumerate(files)
    }
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            data = content.encode("latin-1")
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def texts(tmp_path: Path, *files: str) -> dict[int, Newswire]:
    return {one.number: one for one in newswires(archive(tmp_path / "a.tar.gz", *files))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NORMAL.format(title=" A\nB ", body=" showers\n    in"), "A\nB\nshowers\n    in\n Reuter"),
        ("<TEXT>&#2;\n******<TITLE>FED SAYS\n</TITLE>Blah blah blah.\n&#3;\n\n</TEXT>", "FED SAYS"),
        ("<TEXT>&#2;\nTABLE - FEB 26\n M-1....736.7\n Reuter\n&#3;</TEXT>", "TABLE - FEB 26\n M-1....736.7\n Reuter"),
        ("<TEXT><TITLE>AT&amp;T &lt;T></TITLE><BODY>Z\xfcrich&#127;bank &amp;lt; &#163;5</BODY></TEXT>",
         "AT&T <T>\nZürich bank &lt; £5"),
        ("<TEXT><TITLE>\x03A\x7fB</TITLE><BODY>&#31;&#9999999;</BODY></TEXT>", "A B\n�"),
    ],
    ids=["title and body", "headline alone", "never taken apart", "entities and Latin-1", "control characters"],
)  # fmt: skip
def test_a_text_is_title_and_body_without_markup(tmp_path: Path, text: str, expected: str) -> None:
    assert texts(tmp_path, newswire(1, ("earn",), text=text))[1].text == expected


def test_the_first_topic_counts_and_places_are_no_topics(tmp_path: Path) -> None:
    found = texts(tmp_path, newswire(2, ("grain", "wheat")) + newswire(1), newswire(3, ("acq",)))
    assert {number: one.topic for number, one in found.items()} == {2: "grain", 3: "acq"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), r"a\.tar\.gz: expected newswires in members reut2-000\.sgm .* found none"),
        ((newswire(1, ("a",)), newswire(1, ("b",))), r"reut2-001\.sgm: newswire 1 comes twice"),
        ((newswire(7, text=" "),), r"newswire '7' is without NEWID, <TOPICS> or <TEXT>"),
        ((newswire(7).replace("NEWID", "ID"),), r"newswire '' is without NEWID"),
    ],
)
def test_a_damaged_archive_is_refused_with_its_place(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        texts(tmp_path, *files)


def labelled(counts: dict[str, int]) -> list[Newswire]:
    topics = [topic for topic, count in counts.items() for _ in range(count)]
    return [Newswire(number, f"text {number}", topic, "TRAIN", True) for number, topic in enumerate(topics)]


def test_the_rarest_topics_are_left_out_and_equal_ones_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuters, "CLASSES", 3)
    monkeypatch.setattr(reuters, "TEST_ROWS", 4)
    splits = at_random(labelled({"rare": 1, "tea": 5, "b": 5, "earn": 9, "a": 6}))
    assert {name: len(split) for name, split in splits.items()} == {"train": 16, "test": 4}
    assert {one.topic for split in splits.values() for one in split} == {"earn", "a", "b"}


def test_the_split_is_the_same_on_every_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuters, "TEST_ROWS", 3)
    assert [one.number for one in at_random(labelled({"a": 20}))["test"]] == [3, 11, 13]


def test_modapte_takes_used_newswires_by_date_and_topics_of_both_parts(tmp_path: Path) -> None:
    wanted = newswire(1, ("a",)) + newswire(2, ("b", "a")) + newswire(3, ("a",), split="TEST")
    others = newswire(4, ("a",), used="NO") + newswire(5, ("a",), split="NOT-USED") + newswire(6, ("c",), split="TEST")
    found = reuters_modapte.by_date(list(texts(tmp_path, wanted, others).values()))
    assert {name: [one.number for one in split] for name, split in found.items()} == {"train": [1], "test": [3]}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_archive_with_newswires_missing_is_refused_by_their_number(tmp_path: Path, cache: Path) -> None:
    path = archive(tmp_path / "few.tar.gz", "".join(newswire(number, ("earn",)) for number in range(1, 6)))
    with pytest.raises(DataError, match=r"expected 8,982 rows in split 'train' of Reuters-21578.*, found 0"):
        load_source(reuters.SOURCE, path=path)


def test_a_small_archive_goes_through_the_builder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuters, "TEST_ROWS", 2)
    path = archive(tmp_path / "few.tar.gz", "".join(newswire(number, ("earn",)) for number in range(1, 8)))
    small: Source = replace(reuters.SOURCE, rows={"train": 5, "test": 2})
    splits = load_source(small, path=path).splits
    every = [*splits["train"].inputs["text"], *splits["test"].inputs["text"]]
    assert sorted(every) == [f"TITLE {number}\nbody {number}\n Reuter" for number in range(1, 8)]


def test_both_datasets_are_looked_for_in_the_same_folder(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reuters").mkdir()
    path = archive(tmp_path / "reuters" / "reuters21578.tar.gz", newswire(1, ("earn",)))
    monkeypatch.setenv("DLKIT_DATA", str(tmp_path))
    for source in (reuters.SOURCE, reuters_modapte.SOURCE):
        assert locate(source, None, allow_download=False, say=SAID.append).path == path
        assert locate(source, tmp_path, allow_download=False, say=SAID.append).path == path
    path.unlink()
    with pytest.raises(DataNotFoundError, match=r"a folder with reuters/reuters21578\.tar\.gz in it"):
        locate(reuters_modapte.SOURCE, None, allow_download=False, say=SAID.append)


@pytest.mark.parametrize("dataset", [reuters.SOURCE, reuters_modapte.SOURCE], ids=["random", "modapte"])
def test_newswires_that_a_dataset_leaves_out_are_counted_in_a_note(dataset: Source) -> None:
    (note,) = dataset.notes
    assert re.match(r"\d+ .*newswires of the \d+ .*topics.* left out$", note)


REAL = pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")


@pytest.mark.real_data
@REAL
def test_the_real_archive_has_11228_newswires_in_46_topics_split_8982_to_2246(cache: Path) -> None:
    result = load("reuters", allow_download=False)
    counts = {name: Counter(split.targets) for name, split in result.splits.items()}
    assert {name: count.total() for name, count in counts.items()} == {"train": 8_982, "test": 2_246}
    assert len(counts["train"]) == len(counts["test"]) == 46
    both = counts["train"] + counts["test"]
    assert both.most_common(3) == [("earn", 3972), ("acq", 2423), ("money-fx", 682)]
    assert min(both.values()) == 16
    every = np.concatenate([split.inputs["text"] for split in result.splits.values()])
    assert len(every) == 11_228 and all(text.strip() == text and text for text in every)
    assert not any(mark in text for text in every for mark in ("&lt;", "&#", "<TITLE>", "<BODY>", "Blah blah", "\x03"))
    labelled = newswires(Path(os.environ["DLKIT_DATA"]) / "reuters" / "reuters21578.tar.gz")
    left = Counter(one.topic for one in labelled if one.topic not in both)
    assert result.notes == (f"{left.total()} newswires of the {len(left)} rarest topics are left out",)


@pytest.mark.real_data
@REAL
def test_the_real_modapte_split_has_7752_and_3011_newswires_in_62_topics(cache: Path) -> None:
    result = load("reuters_modapte", allow_download=False)
    counts = {name: Counter(split.targets) for name, split in result.splits.items()}
    assert {name: count.total() for name, count in counts.items()} == {"train": 7_752, "test": 3_011}
    assert set(counts["train"]) == set(counts["test"]) and len(counts["train"]) == 62
    assert counts["test"].most_common(2) == [("earn", 1083), ("acq", 715)]
    labelled = newswires(Path(os.environ["DLKIT_DATA"]) / "reuters" / "reuters21578.tar.gz")
    used = [one for one in labelled if one.topics_used]
    left = {
        part: [one.topic for one in used if one.split == part and one.topic not in counts["train"]]
        for part in ("TRAIN", "TEST")
    }
    assert result.notes == (
        f"{len(left['TRAIN'])} training and {len(left['TEST'])} test newswires of the "
        f"{len({*left['TRAIN'], *left['TEST']})} topics that only one part has are left out",
    )


@pytest.mark.real_data
@REAL
def test_a_recipe_gets_1000_validation_rows_in_proportion(cache: Path) -> None:
    splits = TextData("reuters", validation_rows=1_000, sample="wires").load(None, say=SAID.append)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (7_982, 1_000, 2_246)
    train, validation = Counter(splits.train.targets), Counter(splits.validation.targets)
    assert set(train) == set(validation) and min(validation.values()) >= 1
    assert abs(validation["earn"] - (train["earn"] + validation["earn"]) / 8.982) < 3
    assert splits.target_name == "topic"
    modapte = TextData("reuters_modapte", validation_rows=1_000).load(None, say=SAID.append)
    assert (len(modapte.train), len(modapte.validation), len(modapte.test)) == (6_752, 1_000, 3_011)
    learnt, tested = (set(np.asarray(split.targets)) for split in (modapte.train, modapte.test))
    assert learnt == tested, "a topic of one newswire stays to be learnt"
