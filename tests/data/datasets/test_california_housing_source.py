"""Are the columns those that scikit-learn makes of the same archive?"""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets._california_housing as in_sklearn

from dlkit.data.builders import load_source
from dlkit.data.datasets.california_housing import MEMBER, SOURCE
from dlkit.errors import DataError

SMALL = replace(SOURCE, rows={"train": 20})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLKIT_CACHE", str(tmp_path / "cache"))


def table() -> np.ndarray:
    """In the order of the file: longitude first, the median house value in dollars last."""
    numbers = np.random.default_rng(0).uniform(1, 5_000, (20, 9)).round(4)
    numbers[:, 0] *= -1
    return numbers


def write(path: Path, content: str, member_name: str = MEMBER) -> Path:
    member = tarfile.TarInfo(member_name)
    member.size = len(content)
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO(content.encode()))
    return path


def as_lines(numbers: np.ndarray) -> str:
    return "\n".join(",".join(map(repr, row)) for row in numbers.tolist()) + "\n"


def test_columns_and_target_are_those_of_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write(tmp_path / "cal_housing.tgz", as_lines(table()))
    split = load_source(SMALL, path=archive).splits["train"]

    def fetched(*_arguments: object, dirname: Path, **_options: object) -> str:
        return str(write(Path(dirname) / "cal_housing.tgz", as_lines(table())))

    monkeypatch.setattr(in_sklearn, "_fetch_remote", fetched)
    (tmp_path / "sklearn").mkdir()
    bunch = in_sklearn.fetch_california_housing(data_home=tmp_path / "sklearn")
    assert list(split.inputs) == bunch.feature_names
    ours = np.column_stack([*split.inputs.values(), split.targets])
    theirs = np.column_stack([bunch.data, bunch.target])
    np.testing.assert_allclose(ours[ours[:, 0].argsort()], theirs[theirs[:, 0].argsort()], rtol=1e-12)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "expected lines of nine numbers"),
        ("1,2,3\n", "expected lines of nine numbers"),
        ("a,b,c\n", "expected lines of nine numbers"),
        (",".join(["1"] * 8 + ["nan"]) + "\n", "missing values"),
        ("1,1,1,1,1,1,0,1,1\n", "without households"),
        ("1,1,1,1,1,1,1,1,1\n", "expected 20 rows"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        load_source(SMALL, path=write(tmp_path / "cal_housing.tgz", content))


def test_an_archive_without_the_table_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "cal_housing.tgz", as_lines(table()), "other.txt")
    with pytest.raises(DataError, match=r"expected a member 'CaliforniaHousing/cal_housing\.data', found none"):
        load_source(SMALL, path=path)
