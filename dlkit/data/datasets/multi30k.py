"""Multi30k: what is a caption of a photo in English, German, French and Czech?

Elliott et al. 2016: captions of Flickr photos in English, translated by people into German; French (Elliott et al.
2017) and Czech (Barrault et al. 2018) came later. Task 1: 29,000 training, 1,014 validation sentences, and the 1,000
test sentences of 2016, the same ones in all four languages, line by line. Any of them can be translated into any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dlkit.data.pair_files import lines_of, same_length
from dlkit.data.sources import Example, Examples, File, Source

LANGUAGES = ("en", "de", "fr", "cs")
ROWS = {"train": 29_000, "validation": 1_014, "test": 1_000}
STEMS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
_ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"
_CHECKSUMS = {
    "train.en": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.de": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.fr": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "train.cs": "a65adb8b32e3bc664f21ecba7a6e7f6950fd1f405e135f7c312faabdb6255077",
    "val.en": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.de": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.fr": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "val.cs": "b63226e05c4bd5dd6a42897d74b86a1b9d2c31498252c572b1ea7f7996927fcc",
    "test_2016_flickr.en": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.de": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.fr": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    "test_2016_flickr.cs": "200a4a74cc9560f051924abb9803be008d1908d77f747e9141aeb86dfd2797f1",
}


def read(paths: Sequence[Path]) -> Examples:
    """Sentences by split; the paths are those of a split's languages, then of the next one's."""
    each = len(LANGUAGES)
    return {split: rows(paths[each * at : each * (at + 1)]) for at, split in enumerate(STEMS)}


def rows(paths: Sequence[Path]) -> Iterator[tuple[str, Example]]:
    """A sentence in all languages."""
    files = {path: lines_of(path) for path in paths}
    same_length(files)
    for number, sentences in enumerate(zip(*files.values(), strict=True)):
        yield f"{number:06d}", dict(zip(LANGUAGES, sentences, strict=True))


SOURCE = Source(
    name="multi30k",
    title="Multi30k captions in four languages",
    forms=(
        tuple(
            File(
                f"{stem}.{language}.gz",
                sha256=(_CHECKSUMS[f"{stem}.{language}"],),
                url=f"{_ADDRESS}/{stem}.{language}.gz",
                url_sha256=_CHECKSUMS[f"{stem}.{language}"],
            )
            for stem in STEMS.values()
            for language in LANGUAGES
        ),
    ),
    read=read,
    rows=ROWS,
    kinds=dict.fromkeys(LANGUAGES, "text"),
    ordered=True,
    home="https://github.com/multi30k/dataset",
    licence="none stated; cite Elliott et al. 2016",
)
