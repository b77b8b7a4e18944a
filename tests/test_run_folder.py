"""Is what a run says of its rows of all of them, short in the terminal and whole where it is kept?"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from dlkit import run_folder
from dlkit.contracts import Split, Splits


def splits(rows: int, *notes: str) -> Splits:
    split = Split({"text": np.arange(rows).astype(object)})
    return Splits(split, split, split, {"text": "text"}, "own", "own.csv", "sha256:0", notes=notes)


def test_the_terminal_shows_the_first_lines_of_a_long_note() -> None:
    said: list[str] = []
    broken = "\n  ".join(["30 of 99 pictures are broken and were left out:", *(f"{i}.png: bad" for i in range(30))])
    run_folder._announce(splits(3, broken, "2 rows were left out"), said.append)
    lines = said[1].splitlines()
    assert lines[:2] == ["note: 30 of 99 pictures are broken and were left out:", "  0.png: bad"]
    assert lines[5:] == ["  4.png: bad", "  … and 25 lines more, all in metrics.json and report.html"]
    assert said[2] == "note: 2 rows were left out"


def test_rates_are_of_rows_from_all_over_which_may_be_sorted_by_class() -> None:
    """The last thousand rows of 5,000 have a word that no other has."""
    transform = SimpleNamespace(
        sizes={}, figures=lambda inputs: {"out_of_vocabulary": float(np.mean(inputs["text"] >= 4_000))}
    )
    found = run_folder._preprocessing(SimpleNamespace(splits=splits(5_000), transform=transform))  # type: ignore[arg-type]  # all that is asked
    for name in ("train", "validation"):
        rates = found[name]
        assert isinstance(rates, dict)
        assert abs(rates["out_of_vocabulary"] - 0.2) < 0.001
