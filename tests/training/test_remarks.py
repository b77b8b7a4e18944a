"""What is said of a training that goes on from a run?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.contracts import Split, Splits
from dlkit.inference.runs import FORMAT, write_json
from dlkit.training.remarks import split_anew

PART = Split({"de": np.array(["Ja."])})
SPLITS = Splits(PART, PART, PART, {"de": "text"}, "own", "own.tsv", "sha256:1", drawn=True)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (replace(SPLITS, fingerprint="sha256:2"), True),
        (SPLITS, False),
        (replace(SPLITS, fingerprint="sha256:2", drawn=False), False),
        (replace(SPLITS, fingerprint="sha256:2", source="other.tsv"), False),
    ],
)
def test_a_file_that_has_changed_is_split_anew(tmp_path: Path, splits: Splits, said: bool) -> None:
    write_json(tmp_path / "run.json", {"format": FORMAT, "data": {"source": "own.tsv", "fingerprint": "sha256:1"}})
    found = split_anew(splits, tmp_path)
    assert ["own.tsv has changed since" in one for one in found] == [True] * said
    assert split_anew(splits, None) == []
