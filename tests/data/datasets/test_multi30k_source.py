"""Are the four languages of Multi30k read line by line, and is a torn set refused?"""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from dlkit.data.builders import load_source
from dlkit.data.datasets.multi30k import LANGUAGES, SOURCE, STEMS
from dlkit.data.pairs import PairData
from dlkit.errors import DataError

SMALL = replace(SOURCE, rows={"train": 3, "validation": 2, "test": 1})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))
    for split, stem in STEMS.items():
        for language in LANGUAGES:
            text = "".join(f"{split} {row} {language} –\n" for row in range(SMALL.rows[split]))
            (tmp_path / f"{stem}.{language}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return tmp_path


def test_rows_keep_their_order_in_all_languages(folder: Path) -> None:
    splits = load_source(SMALL, path=folder).splits
    assert splits["train"].inputs["cs"].tolist() == [f"train {row} cs –" for row in range(3)]
    assert {name: len(split) for name, split in splits.items()} == dict(SMALL.rows)
    assert splits["test"].inputs["en"].tolist() == ["test 0 en –"]


def test_a_language_with_a_line_less_is_refused(folder: Path) -> None:
    (folder / "train.fr.gz").write_bytes(gzip.compress(b"one\n", mtime=0))
    with pytest.raises(DataError, match=r"train.fr.gz has 1 lines"):
        load_source(SMALL, path=folder)


@pytest.mark.real_data
@pytest.mark.skipif(not os.environ.get("DLKIT_DATA"), reason="needs $DLKIT_DATA")
def test_the_real_set_in_another_direction() -> None:
    splits = PairData(source="fr", target="cs").load(None, say=lambda _: None)
    assert (len(splits.validation), len(splits.test)) == (1_014, 1_000)
    assert 28_900 < len(splits.train) <= 29_000
    assert splits.test.inputs["source"][0].startswith("Un homme avec un chapeau orange")
    assert splits.test.targets[0].startswith("Muž v oranžovém klobouku")
