"""IMDb reviews: is a film review positive or negative?

Large Movie Review Dataset, Maas et al. 2011, "Learning Word Vectors for Sentiment Analysis": 25,000 reviews to
train on and 25,000 to test with, half of each positive, at most 30 a film and no film in both. The 50,000
unlabelled reviews of the official archive are skipped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from dlkit.data.archives import members
from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError

SPLITS = ("train", "test")
LABELS = ("neg", "pos")
REVIEWS_PER_FOLDER = 12_500
REVIEW = re.compile(r"aclImdb/(train|test)/(neg|pos)/\d+_\d+\.txt")


def read(paths: Sequence[Path]) -> Examples:
    """Reviews by split. Whichever split is asked for first reads the archive; the other one's reviews wait."""
    (archive,) = paths
    waiting: dict[str, list[tuple[str, bytes]]] = {}
    return {split: reviews(archive, split, waiting) for split in SPLITS}


def reviews(archive: Path, split: str, waiting: dict[str, list[tuple[str, bytes]]]) -> Iterator[tuple[str, Example]]:
    """Members `aclImdb/{train,test}/{neg,pos}/<id>_<stars>.txt`: UTF-8 text with `<br />`."""
    counts = Counter(dict.fromkeys(LABELS, 0))
    for name, content in _members(archive, split, waiting):
        label = name.split("/")[2]
        counts[label] += 1
        try:
            yield name, {"text": content.decode(), "label": label}
        except UnicodeDecodeError as error:
            raise DataError(f"{archive}: member {name!r} is not UTF-8 text. Get the archive again.") from error
    for label, count in counts.items():
        if count != REVIEWS_PER_FOLDER:
            raise DataError(
                f"{archive}: expected {REVIEWS_PER_FOLDER:,} reviews in aclImdb/{split}/{label}/, found {count:,}. "
                "Get the archive again: dlkit data imdb --download"
            )


def _members(archive: Path, split: str, waiting: dict[str, list[tuple[str, bytes]]]) -> Iterator[tuple[str, bytes]]:
    """Those of a split. To unpack the archive twice would take longer than to write it as a dataset."""
    if split in waiting:
        yield from waiting.pop(split)
        return
    others: dict[str, list[tuple[str, bytes]]] = {other: [] for other in SPLITS if other != split}
    for name, content in members(archive, wanted=lambda name: REVIEW.fullmatch(name) is not None):
        found = name.split("/")[1]
        if found == split:
            yield name, content
        else:
            others[found].append((name, content))
    waiting.update(others)


SOURCE = Source(
    name="imdb",
    title="IMDb film reviews",
    forms=(
        (
            File(
                "aclImdb_v1.tar.gz",
                sha256=(
                    "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
                    # The labelled reviews alone, packed again.
                    "b067f5ee169d1345cdaadf5debb23bfb7c578846b75fc2454e229c679f3124a4",
                ),
                url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                url_sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
                bytes=84_125_825,
            ),
        ),
    ),
    read=read,
    rows={"train": 2 * REVIEWS_PER_FOLDER, "test": 2 * REVIEWS_PER_FOLDER},
    kinds={"text": "text"},
    target="label",
    target_kind="label",
    labels=LABELS,
    home="https://ai.stanford.edu/~amaas/data/sentiment/",
    licence="none stated; cite Maas et al. 2011",
)
