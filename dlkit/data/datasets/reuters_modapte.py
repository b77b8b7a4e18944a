"""Reuters newswires, split as the literature does it: what is a newswire about, when the test ones came later?

The modified Apté split ("ModApte") of Reuters-21578: of the newswires with TOPICS="YES" and at least one topic, those
with LEWISSPLIT="TRAIN" came up to 7 April 1987 and train (7,775), those with "TEST" came later and test (3,019). The
label is the first topic, as in `reuters`. Of 81 topics the 62 that occur in both parts are kept: 7,752 newswires to
train on and 3,011 to test with. Some topics have one newswire to learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dlkit.data.datasets import reuters
from dlkit.data.datasets.reuters import Newswire
from dlkit.data.sources import Examples


def read(paths: Sequence[Path]) -> Examples:
    """The topics of both parts, split by date."""
    return reuters.examples(paths, by_date)


def by_date(labelled: Sequence[Newswire]) -> dict[str, list[Newswire]]:
    """ModApte, without the topics that only one part has."""
    used = [one for one in labelled if one.topics_used]
    train, test = ([one for one in used if one.split == split] for split in ("TRAIN", "TEST"))
    both = {one.topic for one in train} & {one.topic for one in test}
    return {
        "train": [one for one in train if one.topic in both],
        "test": [one for one in test if one.topic in both],
    }


SOURCE = replace(
    reuters.SOURCE,
    name="reuters_modapte",
    title="Reuters-21578 newswires, ModApte split",
    folder="reuters",
    read=read,
    rows={"train": 7_752, "test": 3_011},
    notes=("23 training and 8 test newswires of the 19 topics that only one part has are left out",),
)
