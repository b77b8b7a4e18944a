"""Are the named datasets found, well described, and known without TensorFlow?"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from dlkit.data.sources import Source, source, sources
from dlkit.errors import SettingsError

EVERY = pytest.mark.parametrize("dataset", sources().values(), ids=sources())


def test_each_file_of_the_folder_is_a_dataset() -> None:
    assert {"imdb", "boston_housing", "california_housing"} <= set(sources())


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match=r"'imbd'\. Did you mean 'imdb'\? Known: .*boston_housing"):
        source("imbd")


@EVERY
def test_a_download_has_a_pinned_checksum_that_is_known_good(dataset: Source) -> None:
    for file in (file for form in dataset.forms for file in form):
        assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in file.sha256)
        if file.url is not None:
            assert file.url_sha256 in file.sha256


@EVERY
def test_a_dataset_says_what_it_holds_and_whose_it_is(dataset: Source) -> None:
    assert dataset.title
    assert dataset.home.startswith("http")
    assert dataset.licence
    assert all(count > 0 for count in dataset.rows.values())
    assert dataset.target not in dataset.kinds
    assert (dataset.target is None) == (dataset.target_kind is None)
    assert (dataset.image_shape is not None) == ("image" in dataset.kinds.values())
    assert re.fullmatch("[a-z][a-z0-9_]*", dataset.name)


def test_listing_datasets_imports_none_of_the_heavy_packages() -> None:
    code = """
import sys
from dlkit.data.sources import sources
from dlkit.data.locate import status
[status(source) for source in sources().values()]
heavy = {"tensorflow", "tensorflow_datasets", "keras", "sklearn", "pandas"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
