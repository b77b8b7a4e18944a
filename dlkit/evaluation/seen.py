"""What does a network see of a text: how many words does it know, how much of a text does it read?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dlkit.contracts import Split, Transform
from dlkit.evaluation.pages import section
from dlkit.inference.translation import PairText

_SIZES = ("vocabulary", "ngrams", "sequence_length")
_LONGEST = {"longest_source": "source", "longest_target": "target"}
"""Longest rows of a translation, in pieces, and whose they are."""
_RATES = ("out_of_vocabulary", "cut")
_COVERAGE = "word_vector_coverage"
_REPEATED = "word_vectors_repeated"
_RAISED = "raised_min_count"
_SHOWN = 0.0005
"""Rates below this are no news in a terminal."""


@dataclass(frozen=True)
class Seen:
    """What one preprocessing leaves of texts; `part`: its name in an ensemble, "source" or "target" of a translation,
    else "".

    `sizes`: "vocabulary", "ngrams" and "sequence_length", in tokens: words or pieces of them. `rates`: by
    "out_of_vocabulary" (share of tokens) and "cut" (share of texts), then by "train" and "validation". `coverage`:
    share of the vocabulary that own word vectors hold. `repeated`: lines of them left out, their word having one.
    `raised`: texts that each n-gram is in at least, where that is more than was asked for.
    """

    part: str
    sizes: dict[str, int] = field(default_factory=dict)
    rates: dict[str, dict[str, float]] = field(default_factory=dict)
    coverage: float | None = None
    repeated: int = 0
    raised: int = 0

    def line(self) -> str:
        """What is worth a line in a terminal; "" if nothing is."""
        pieces = []
        if "ngrams" in self.sizes:
            bound = f" in {self.raised:,} texts or more each, by max_features" if self.raised else ""
            pieces.append(f"{self.sizes['ngrams']:,} n-grams{bound}")
        if "vocabulary" in self.sizes:
            pieces.append(f"vocabulary {self.sizes['vocabulary']:,} tokens")
        if (unknown := self._held_out("out_of_vocabulary")) >= _SHOWN:
            pieces.append(f"{percent(unknown)} of held-out tokens unknown")
        if (cut := self._held_out("cut")) >= _SHOWN and "sequence_length" in self.sizes:
            pieces.append(f"texts cut at {self.sizes['sequence_length']:,} tokens ({percent(cut)})")
        if self.coverage is not None:
            pieces.append(f"word vectors for {percent(self.coverage)} of the vocabulary")
        if self.repeated:
            pieces.append(f"{self.repeated:,} word vectors left out: their word had one before")
        return f"{self.part}: {' · '.join(pieces)}" if self.part and pieces else " · ".join(pieces)

    def _held_out(self, name: str) -> float:
        return self.rates.get(name, {}).get("validation", 0.0)


def figures_of(transform: Transform, rows: Split) -> dict[str, float]:
    """What `Transform.figures` says of these rows; of a translation of both languages."""
    found = transform.figures(rows.inputs)
    if isinstance(transform, PairText) and isinstance(rows.targets, np.ndarray):
        found |= transform.target_figures(rows.targets)
    return found


def seen(metrics: Mapping[str, object]) -> list[Seen]:
    """What `metrics.json` says under "preprocessing", a part each; empty for anything else than texts."""
    found: dict[str, Seen] = {}
    preprocessing = section(metrics, "preprocessing")
    for key, value in preprocessing.items():
        part, name = _split(key, _SIZES)
        if name and isinstance(value, int):
            found.setdefault(part, Seen(part)).sizes[name] = value
    for rows in ("train", "validation"):
        for key, value in section(preprocessing, rows).items():
            part, name = _split(key, (*_RATES, _COVERAGE, _REPEATED, _RAISED))
            # A table's preprocessing has sizes and rates of its own, but no vocabulary.
            if part not in found or not isinstance(value, int | float):
                continue
            if name == _COVERAGE:
                found[part] = replace(found[part], coverage=float(value))
            elif name == _REPEATED:
                found[part] = replace(found[part], repeated=int(value))
            elif name == _RAISED:
                found[part] = replace(found[part], raised=int(value))
            elif name:
                found[part].rates.setdefault(name, {})[rows] = float(value)
    several = len(found) > 1
    return [one if several else replace(one, part="") for one in found.values()]


def _split(key: str, names: Sequence[str]) -> tuple[str, str]:
    """("cnn", "cut") of "cnn_cut" and ("", "cut") of "cut"; no name where none of `names` is meant."""
    if key in _LONGEST and "sequence_length" in names:
        return _LONGEST[key], "sequence_length"
    for name in names:
        if key == name:
            return "", name
        if key.endswith(f"_{name}"):
            return key.removesuffix(f"_{name}"), name
    return "", ""


def percent(share: float) -> str:
    """A share between 0 and 1; small ones never become nothing."""
    return "< 0.1 %" if 0 < share < _SHOWN else f"{100 * share:.1f} %"


def table(parts: Sequence[Seen]) -> list[tuple[str, list[str]]]:
    """Rows of a table with a column a part: what is measured, and its values, "–" where a part has none."""
    rows: list[tuple[str, list[str]]] = [
        ("vocabulary, tokens", [_size(one, "vocabulary") for one in parts]),
        ("word n-grams", [_size(one, "ngrams") for one in parts]),
        ("min_count, raised for max_features", [_count(one.raised) for one in parts]),
        ("longest sequence, tokens", [_size(one, "sequence_length") for one in parts]),
        ("share of the vocabulary with own word vectors", [_share(one.coverage) for one in parts]),
        ("own word vectors left out: their word had one before", [_count(one.repeated) for one in parts]),
    ]
    titles = {"out_of_vocabulary": "out-of-vocabulary tokens", "cut": "texts cut to the longest sequence"}
    for name, title in titles.items():
        for split, of in (("train", "training"), ("validation", "validation")):
            shares = [_share(one.rates.get(name, {}).get(split)) for one in parts]
            rows.append((f"{title}, {of} rows", shares))
    return [(title, values) for title, values in rows if set(values) - {"–"}]


def _size(one: Seen, name: str) -> str:
    return f"{one.sizes[name]:,}" if name in one.sizes else "–"


def _count(count: int) -> str:
    return f"{count:,}" if count else "–"


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)
