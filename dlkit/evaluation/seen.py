"""What does a network see of a text: how many words does it know, how much of a text does it read?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dlkit.evaluation.pages import section

_SIZES = ("vocabulary", "ngrams", "sequence_length")
_RATES = ("out_of_vocabulary", "cut")
_COVERAGE = "word_vector_coverage"
_SHOWN = 0.0005
"""Rates below this are no news in a terminal."""


@dataclass(frozen=True)
class Seen:
    """What one preprocessing leaves of texts; `part`: its name in an ensemble, else "".

    `sizes`: "vocabulary", "ngrams" and "sequence_length", in tokens: words or pieces of them. `rates`: by
    "out_of_vocabulary" (share of tokens) and "cut" (share of texts), then by "train" and "validation". `coverage`:
    share of the vocabulary that own word vectors hold.
    """

    part: str
    sizes: dict[str, int] = field(default_factory=dict)
    rates: dict[str, dict[str, float]] = field(default_factory=dict)
    coverage: float | None = None

    def line(self) -> str:
        """What is worth a line in a terminal; "" if nothing is."""
        pieces = []
        if "ngrams" in self.sizes:
            pieces.append(f"{self.sizes['ngrams']:,} n-grams")
        if "vocabulary" in self.sizes:
            pieces.append(f"vocabulary {self.sizes['vocabulary']:,} tokens")
        if (unknown := self._held_out("out_of_vocabulary")) >= _SHOWN:
            pieces.append(f"{percent(unknown)} of held-out tokens unknown")
        if (cut := self._held_out("cut")) >= _SHOWN and "sequence_length" in self.sizes:
            pieces.append(f"texts cut at {self.sizes['sequence_length']:,} tokens ({percent(cut)})")
        if self.coverage is not None:
            pieces.append(f"word vectors for {percent(self.coverage)} of the vocabulary")
        return f"{self.part}: {' · '.join(pieces)}" if self.part and pieces else " · ".join(pieces)

    def _held_out(self, name: str) -> float:
        return self.rates.get(name, {}).get("validation", 0.0)


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
            part, name = _split(key, (*_RATES, _COVERAGE))
            # A table's preprocessing has sizes and rates of its own, but no vocabulary.
            if part not in found or not isinstance(value, int | float):
                continue
            if name == _COVERAGE:
                found[part] = Seen(part, found[part].sizes, found[part].rates, float(value))
            elif name:
                found[part].rates.setdefault(name, {})[rows] = float(value)
    several = len(found) > 1
    return [Seen(one.part if several else "", one.sizes, one.rates, one.coverage) for one in found.values()]


def _split(key: str, names: Sequence[str]) -> tuple[str, str]:
    """("cnn", "cut") of "cnn_cut" and ("", "cut") of "cut"; no name where none of `names` is meant."""
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
        ("longest sequence, tokens", [_size(one, "sequence_length") for one in parts]),
        ("share of the vocabulary with own word vectors", [_share(one.coverage) for one in parts]),
    ]
    titles = {"out_of_vocabulary": "out-of-vocabulary tokens", "cut": "texts cut to the longest sequence"}
    for name, title in titles.items():
        for split, of in (("train", "training"), ("validation", "validation")):
            shares = [_share(one.rates.get(name, {}).get(split)) for one in parts]
            rows.append((f"{title}, {of} rows", shares))
    return [(title, values) for title, values in rows if set(values) - {"–"}]


def _size(one: Seen, name: str) -> str:
    return f"{one.sizes[name]:,}" if name in one.sizes else "–"


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)
