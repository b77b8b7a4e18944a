"""What is odd about somebody's labelled texts, and how is it said to them?

Each function gives notes, empty where there is nothing to say. Whatever is left out or changed is counted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from dlkit.contracts import Split, raw_targets
from dlkit.data.columns import are_values
from dlkit.data.text_files import Labelled

# Chinese and Japanese; Thai, Lao, Burmese and Khmer. Eight in a row are no longer one word among others.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]{8}")


def key(text: str) -> int:
    """Equal for texts that differ in white space alone; a number, since whole texts twice would fill the memory."""
    return hash(" ".join(text.split()))


def repeated(parts: Mapping[str, Labelled], *, grouped: Sequence[str] = ()) -> list[str]:
    """Texts that occur more than once, in the training part, with other labels, or across parts.

    `grouped`: the parts that are yet to be taken from the training part, equal texts together.
    """
    notes = []
    seen = {name: [key(text) for text in part.texts] for name, part in parts.items()}
    train = Counter(seen["train"])
    more = len(seen["train"]) - len(train)
    if more:
        together = f"; equal texts stay together, so that none is in {' or '.join(grouped)} too" if grouped else ""
        notes.append(f"{more} training texts repeat another one{together}")
    answers = Counter(number for number, _ in set(zip(seen["train"], parts["train"].labels, strict=True)))
    torn = sum(count > 1 for count in answers.values())
    if torn:
        notes.append(f"{torn} texts occur with more than one label")
    for name in parts:
        both = sum(number in train for number in seen[name]) if name != "train" else 0
        if both:
            notes.append(f"{both} of {len(seen[name])} texts in {name} occur in train too, which flatters its figures")
    return notes


def labels_alike(labels: Sequence[str]) -> list[str]:
    """Classes whose labels differ in capitals or inner spaces alone: likely one class, spelt in two ways."""
    spelt: dict[str, list[str]] = defaultdict(list)
    for label in dict.fromkeys(labels):
        spelt[" ".join(label.casefold().split())].append(label)
    pairs = [both for both in spelt.values() if len(both) > 1]
    if not pairs:
        return []
    shown = " and ".join(repr(label[:40]) for label in pairs[0][:2])
    return [f"{len(pairs)} labels are spelt in several ways, each taken as a class of its own: {shown}, say"]


def likely_values(labels: Sequence[str], what: str, remedy: str) -> list[str]:
    """Labels that are numbers, of which most differ. `what`: the rows in the user's words."""
    if not are_values(labels):
        return []
    return [
        f"the labels are {len(set(labels))} different numbers on {len(labels)} {what}, each taken as a class of its "
        f"own; {remedy}"
    ]


def unspaced(texts: Sequence[str]) -> list[str]:
    """Texts in scripts that put no spaces between words."""
    count = sum(_UNSPACED.search(text) is not None for text in texts)
    if not count:
        return []
    return [
        f"{count} texts are in a script without spaces between words (Chinese, Japanese, Thai, say); words are cut at "
        "spaces and signs, so whole clauses count as words: put spaces between the words first"
    ]


def unjudged(train: Split, test: Split, different: Sequence[str]) -> list[str]:
    """Classes that no test row has, though they have two texts: they are learnt, and how well is not known.

    `different`: a label for each text that is not a copy of another one.
    """
    known, counts = set(_labels(train)), Counter(different)
    missing = sorted(label for label in known - set(_labels(test)) if counts[label] > 1)
    if not missing:
        return []
    shown = ", ".join(repr(label[:40]) for label in missing[:3]) + (", …" if len(missing) > 3 else "")
    return [f"{len(missing)} of {len(known)} classes have no test row, so nothing is known of them: {shown}"]


def _labels(split: Split) -> list[str]:
    return list(raw_targets(split)) if split.targets is not None else []
