"""Reuters newswires: which of 46 topics is a newswire of 1987 about?

Reuters-21578, Distribution 1.0 (Lewis 1997). The task is that of Keras' `reuters`, on texts instead of word ids: every
newswire with at least one topic is labelled with the first one, the 46 most frequent labels are kept (11,228
newswires), and 2,246 of them, drawn at random, test. `reuters_modapte` holds the split of the literature.

A text is title, newline, body. Where a newswire came as a headline alone (TYPE="BRIEF", followed by "Blah blah blah."),
the text is the title; where it was never taken apart (TYPE="UNPROC", weekly tables of banks), all of it. Control
characters, remains of the wire's protocol, become spaces; the last line, "Reuter", was sent and stays.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from dlkit.data.archives import members
from dlkit.data.sources import Example, Examples, File, Source
from dlkit.errors import DataError

CLASSES = 46
TEST_ROWS = 2_246
SPLIT_SEED = 0

_FILE = re.compile(r"(?:.*/)?reut2-\d{3}\.sgm")
_NEWSWIRE = re.compile(r"<REUTERS\s([^>]*)>(.*?)</REUTERS>", re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_TOPICS = re.compile(r"<TOPICS>(.*?)</TOPICS>", re.DOTALL)
_TOPIC = re.compile(r"<D>(.*?)</D>", re.DOTALL)
_TEXT = re.compile(r"<TEXT([^>]*)>(.*?)</TEXT>", re.DOTALL)
_TITLE = re.compile(r"<TITLE>(.*?)</TITLE>", re.DOTALL)
_BODY = re.compile(r"<BODY>(.*?)</BODY>", re.DOTALL)
_REFERENCE = re.compile(r"&#(\d{1,7});")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Newswire:
    """One document. `number`: its NEWID. `split`: LEWISSPLIT. `topics_used`: TOPICS="YES", which ModApte asks for."""

    number: int
    text: str
    topic: str | None
    split: Literal["TRAIN", "TEST", "NOT-USED"] | str
    topics_used: bool


Choice = Callable[[Sequence[Newswire]], dict[str, list[Newswire]]]
"""From all newswires that have a topic, in the order of their numbers, to those of each split."""


def read(paths: Sequence[Path]) -> Examples:
    """The 46 topics, split at random by a fixed seed."""
    return examples(paths, at_random)


def examples(paths: Sequence[Path], choice: Choice) -> Examples:
    """Newswires by split; whichever split is asked for first reads the archive."""
    (archive,) = paths
    splits = cache(lambda: choice(newswires(archive)))

    def rows(split: str) -> Iterator[tuple[str, Example]]:
        for one in splits()[split]:
            yield f"{one.number:05d}", {"text": one.text, "topic": str(one.topic)}

    return {"train": rows("train"), "test": rows("test")}


def at_random(labelled: Sequence[Newswire]) -> dict[str, list[Newswire]]:
    """The most frequent topics; raw PCG64 doubles, the same on every platform, order the rows that test."""
    counts = Counter(one.topic for one in labelled)
    topics = sorted(counts, key=lambda topic: (-counts[topic], topic))[:CLASSES]
    chosen = [one for one in labelled if one.topic in topics]
    order = np.argsort(np.random.Generator(np.random.PCG64(SPLIT_SEED)).random(len(chosen)), kind="stable")
    held = set(order[:TEST_ROWS].tolist())
    return {
        "train": [one for row, one in enumerate(chosen) if row not in held],
        "test": [one for row, one in enumerate(chosen) if row in held],
    }


def newswires(archive: Path) -> list[Newswire]:
    """All newswires with a topic, by number, from the members `reut2-000.sgm` … `reut2-021.sgm`, which are Latin-1."""
    found: dict[int, Newswire] = {}
    for name, content in members(archive, wanted=lambda name: _FILE.fullmatch(name) is not None):
        for match in _NEWSWIRE.finditer(content.decode("latin-1")):
            one = _newswire(f"{archive}, {name}", dict(_ATTRIBUTE.findall(match[1])), match[2])
            if one.number in found:
                raise DataError(f"{archive}, {name}: newswire {one.number} comes twice. Get the archive again.")
            found[one.number] = one
    if not found:
        raise DataError(
            f"{archive}: expected newswires in members reut2-000.sgm to reut2-021.sgm, found none. "
            "Get the archive again: dlkit data reuters --download"
        )
    return [one for _, one in sorted(found.items()) if one.topic is not None]


def _newswire(where: str, attributes: dict[str, str], content: str) -> Newswire:
    number, topics, text = attributes.get("NEWID", ""), _TOPICS.search(content), _TEXT.search(content)
    if not number.isdecimal() or topics is None or text is None:
        raise DataError(
            f"{where}: newswire {number!r} is without NEWID, <TOPICS> or <TEXT>; the file is damaged. "
            "Get the archive again."
        )
    first = _TOPIC.search(topics[1])
    return Newswire(
        number=int(number),
        text=_text(text[2]),
        topic=_plain(first[1]) if first else None,
        split=attributes.get("LEWISSPLIT", ""),
        topics_used=attributes.get("TOPICS") == "YES",
    )


def _text(content: str) -> str:
    title, body = _TITLE.search(content), _BODY.search(content)
    if title is None and body is None:
        return _plain(content)
    return "\n".join(_plain(part[1]) for part in (title, body) if part is not None)


def _plain(markup: str) -> str:
    """Entities as characters, control characters as spaces (one stands for a letter that was lost on the way)."""
    # `html.unescape` knows no control characters: it would join the words on both sides.
    named = _REFERENCE.sub(lambda match: " " if _CONTROL.match(chr(min(int(match[1]), 0x10FFFF))) else match[0], markup)
    return _CONTROL.sub(" ", html.unescape(named)).strip()


SOURCE = Source(
    name="reuters",
    title="Reuters-21578 newswires, 46 topics",
    forms=(
        (
            File(
                "reuters21578.tar.gz",
                sha256=(
                    # As scikit-learn pins the archive of the UCI (examples/applications).
                    "3bae43c9b14e387f76a61b6d82bf98a4fb5d3ef99ef7e7075ff2ccbcf59f9d30",
                    # The 22 files of newswires alone, packed again.
                    "946f3cbdc6f8a2905c81e142624730da5c9457edc51b70061c2b07be1deee818",
                ),
                url="https://kdd.ics.uci.edu/databases/reuters21578/reuters21578.tar.gz",
                url_sha256="3bae43c9b14e387f76a61b6d82bf98a4fb5d3ef99ef7e7075ff2ccbcf59f9d30",
            ),
        ),
    ),
    read=read,
    rows={"train": 8_982, "test": TEST_ROWS},
    kinds={"text": "text"},
    target="topic",
    target_kind="label",
    home="https://archive.ics.uci.edu/dataset/137/reuters+21578+text+categorization+collection",
    licence="for research only, as Reuters Ltd. and Carnegie Group, Inc. allow",
    notes=("139 newswires of the 36 rarest topics are left out",),
)
