"""Is a dataset's own file told from rows of the user's own?"""

from __future__ import annotations

from pathlib import Path

import pytest

from dlkit.data.paths import belongs_to, listed, present
from dlkit.errors import DataNotFoundError, SettingsError


def test_the_datasets_file_its_folder_and_one_above_belong_to_it(tmp_path: Path) -> None:
    archive = tmp_path / "imdb" / "aclImdb_v1.tar.gz"
    archive.parent.mkdir()
    archive.touch()
    assert all(belongs_to(path, "imdb") for path in (archive, archive.parent, tmp_path))
    assert not belongs_to(tmp_path, "boston_housing")


def test_an_archive_under_another_name_belongs_to_a_dataset_of_archives_alone(tmp_path: Path) -> None:
    assert belongs_to(tmp_path / "reviews.tgz", "imdb")
    assert not belongs_to(tmp_path / "reviews.tgz", "boston_housing")


def test_own_tables_and_folders_do_not_belong_to_a_dataset(tmp_path: Path) -> None:
    assert not belongs_to(tmp_path / "own.csv", "imdb")
    assert not belongs_to(tmp_path / "own.csv", "boston_housing")
    assert not belongs_to(tmp_path, "imdb")


def test_an_unknown_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'imdb'"):
        belongs_to(tmp_path, "imbd")


def test_home_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.csv").touch()
    assert present("~/own.csv") == tmp_path / "own.csv"


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x.csv", "zero\0byte.csv", "n" * 5000, "no/such/file.csv"])
def test_a_path_that_cannot_be_is_not_found(path: str) -> None:
    with pytest.raises(DataNotFoundError, match="--data"):
        present(path)


def test_a_folder_is_listed_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b", "a", "B", ".hidden"):
        (tmp_path / name).touch()
    assert [file.name for file in listed(tmp_path)] == ["B", "a", "b"]


def test_an_unreadable_folder_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may read all folders, so chmod would prove nothing
    with pytest.raises(DataNotFoundError, match="Permission denied"):
        listed(tmp_path)
