"""What can be translated without a download, and how well at best?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from dlkit.data.pair_files import Sided
from dlkit.data.samples import Dice
from dlkit.errors import SettingsError, did_you_mean

NOUNS = {
    "dog": ("kanu", "o"), "cat": ("mila", "a"), "man": ("omer", "o"), "woman": ("fema", "a"), "child": ("nino", "o"),
    "bird": ("pirra", "a"), "horse": ("kabo", "o"), "tree": ("arvo", "o"), "house": ("dova", "a"),
    "boat": ("nava", "a"), "ball": ("bolo", "o"), "book": ("livra", "a"),
}  # fmt: skip
"""English to the toy language, with its gender."""
ADJECTIVES = {"small": "pik", "old": "vet", "red": "rub", "young": "jov", "tall": "alt", "happy": "gai"}
VERBS = {"sees": "vidas", "finds": "trovas", "follows": "sekas", "holds": "tenas", "likes": "amas", "paints": "pintas"}
PLACES = {"in the garden": "ne korto", "near the river": "pre rivo", "on the street": "su strado"}


@dataclass(frozen=True)
class PairSample:
    """Pairs by split, and the best BLEU that is possible."""

    parts: dict[str, Sided]
    best: float
    title: str


ROWS = {"train": 2_000, "validation": 200, "test": 200}


def toy() -> PairSample:
    """Short sentences in English, and in a toy language that puts adjectives behind their nouns and verbs last.

    There "the" and every adjective end as the gender of their noun wants, so word by word is not enough; a sentence has
    one right translation, so the best BLEU is 100.
    """
    dice = Dice(8)
    pairs: dict[str, str] = {}
    while len(pairs) < sum(ROWS.values()):
        (subject, first), (thing, second) = _noun_phrase(dice), _noun_phrase(dice)
        verb = dice.choose(tuple(VERBS))
        place = dice.choose(tuple(PLACES)) if dice.chance(0.4) else ""
        english = " ".join(filter(None, [subject, verb, thing, place]))
        toy = " ".join(filter(None, [PLACES.get(place, ""), first, second, VERBS[verb]]))
        pairs.setdefault(f"{english[0].upper()}{english[1:]}.", f"{toy[0].upper()}{toy[1:]}.")
    rows = iter(pairs.items())
    parts = {part: Sided(*map(list, zip(*islice(rows, count), strict=True))) for part, count in ROWS.items()}
    return PairSample(parts, 100.0, "generated sentences in English and a toy language")


def _noun_phrase(dice: Dice) -> tuple[str, str]:
    noun = dice.choose(tuple(NOUNS))
    word, gender = NOUNS[noun]
    adjective = dice.choose(tuple(ADJECTIVES)) if dice.chance(0.5) else ""
    english = " ".join(filter(None, ["the", adjective, noun]))
    return english, f"l{gender} {word}" + (f" {ADJECTIVES[adjective]}{gender}" if adjective else "")


SAMPLES: dict[str, Callable[[], PairSample]] = {"toy": toy}


def pair_sample(name: str) -> PairSample:
    """The sample of that name."""
    if name not in SAMPLES:
        raise SettingsError(f"data.sample={name!r}: no such sample of pairs.{did_you_mean(str(name), SAMPLES)}")
    return SAMPLES[name]()
