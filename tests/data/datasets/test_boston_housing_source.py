"""Are the 506 towns read alike from the CSV and from Keras' arrays, and is anything else refused?"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlkit.data.builders import load, load_source
from dlkit.data.datasets.boston_housing import COLUMNS, FEATURES, SOURCE
from dlkit.errors import DataError

SMALL = replace(SOURCE, rows={"train": 3})
TABLE = np.arange(3 * 14).reshape(3, 14) / 7
HEADER = ",".join(f'"{name}"' for name in COLUMNS)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))


def write_csv(path: Path, header: str = HEADER, last: str = "") -> Path:
    lines = [",".join(f'"{value}"' if number == 3 else repr(value) for number, value in enumerate(row))
             for row in TABLE.tolist()]  # fmt: skip
    path.write_text("\n".join([header, *(lines[:2] if last else lines), *filter(None, [last])]) + "\n")
    return path


def in_columns(path: Path) -> np.ndarray:
    split = load_source(SMALL, path=path).splits["train"]
    assert isinstance(split.targets, np.ndarray)
    rows = np.column_stack([*(split.inputs[name] for name in FEATURES), split.targets])
    return rows[rows[:, 0].argsort()]


def test_csv_and_npz_give_the_same_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "boston_housing.npz", x=TABLE[:, :13], y=TABLE[:, 13])
    np.testing.assert_array_equal(in_columns(tmp_path / "boston_housing.npz"), TABLE)
    np.testing.assert_array_equal(in_columns(write_csv(tmp_path / "boston.csv")), TABLE)


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ("1,2,3", "line 4 has 3 fields"),
        (",".join(["x"] * 14), "could not convert string to float"),
        (",".join(["nan"] * 14), "missing or infinite"),
        (",".join(["1"] * 13 + ["inf"]), "missing or infinite"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, last: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        load_source(SMALL, path=write_csv(tmp_path / "boston.csv", last=last))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected the columns crim, .* \(the header is a, b\)"):
        load_source(SMALL, path=write_csv(tmp_path / "boston.csv", header="a,b"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\n"])
@pytest.mark.parametrize("name", ["boston.csv", "boston.npz"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError):
        load_source(SMALL, path=tmp_path / name)


def test_a_pickle_in_the_arrays_is_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "boston.npz", x=np.array([[object()]]), y=np.array([1.0]))
    with pytest.raises(DataError, match="allow_pickle=False"):
        load_source(SMALL, path=tmp_path / "boston.npz")


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "boston.npz", x=TABLE[:, :5], y=TABLE[:, 13])
    with pytest.raises(DataError, match="the arrays have 6 columns"):
        load_source(SMALL, path=tmp_path / "boston.npz")


def test_the_note_tells_what_feature_b_is() -> None:
    assert any("encodes race" in note and "california_housing" in note for note in SOURCE.notes)


@pytest.mark.real_data
@pytest.mark.skipif("DLKIT_DATA" not in os.environ, reason="needs $DLKIT_DATA")
def test_the_real_file_has_506_rows_with_the_known_mean() -> None:
    split = load("boston_housing", allow_download=False).splits["train"]
    assert isinstance(split.targets, np.ndarray)
    assert len(split) == 506
    assert split.targets.mean() == pytest.approx(22.5328, abs=1e-4)
    assert set(split.inputs["chas"]) == {0.0, 1.0}
