"""What can be learnt without a network or a download, and how well at best?

Each sample is generated, so the best score that any model can reach is known: labels are a function of the
inputs and then a stated share is flipped, or a value is a function of the inputs plus noise of known size.
A sample is the same rows every time. It shows that things work, not how good they are on real data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Split, Splits
from dlkit.data.splitting import fingerprint
from dlkit.errors import SettingsError, did_you_mean

FLIPPED = 0.05
"""Share of labels of each class that are set to another class: nobody can get these right, but by chance."""
NOISE = 2.0
"""Standard deviation of the noise on a price, in thousands of dollars."""


@dataclass(frozen=True)
class Sample:
    """`rows` with their `best` score. `target`: None where the rows have several, by name. `strata`: label and
    whether it was flipped, to split in proportion, so that the share of flipped labels, and with it the best score,
    is the same in each split.
    """

    rows: Split
    kinds: Mapping[str, ColumnKind]
    target: str | None
    task: Literal["value", "label", "several"]
    best: Mapping[str, float]
    title: str
    strata: Sequence[str] | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def fingerprint(self) -> str:
        targets = self.rows.targets
        columns = [*self.rows.inputs.values(), *([targets] if isinstance(targets, np.ndarray) else [])]
        columns += targets.values() if isinstance(targets, Mapping) else []
        return fingerprint(repr(row) for row in zip(*map(_plain, columns), strict=True))


def _plain(column: np.ndarray) -> list[object]:
    """Values as Python has them; a picture as the checksum of its pixels."""
    if column.ndim == 1:
        return column.tolist()
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in column]


def splits_of(
    name: str, chosen: Sample, parts: tuple[Split, Split, Split], *, more_notes: Sequence[str] = ()
) -> Splits:
    """A sample's rows, parted into those that train, validate and test, with all that a report says of them."""
    train, validation, test = parts
    return Splits(
        train=train,
        validation=validation,
        test=test,
        kinds=chosen.kinds,
        name=name,
        source=f"sample: {chosen.title}",
        fingerprint=chosen.fingerprint,
        sample=True,
        target_name=chosen.target,
        best=chosen.best,
        notes=(*chosen.notes, *more_notes),
    )


def sample(name: str) -> Sample:
    """The sample of that name, all its rows in one split."""
    if name not in SAMPLES:
        raise SettingsError(f"data.sample={name!r}: no such sample.{did_you_mean(str(name), SAMPLES)}")
    return SAMPLES[name]()


GOOD = ("wonderful", "great", "brilliant", "moving", "charming", "superb", "delightful", "gripping", "excellent")
BAD = ("terrible", "boring", "awful", "dull", "clumsy", "tedious", "dreadful", "predictable", "bad")
PRAISE = ("I loved every minute", "I would gladly watch it again", "it deserves all its praise")
BLAME = ("I hated every minute", "I nearly left before the end", "it was a waste of an evening")
PARTS = ("acting", "story", "script", "music", "photography", "ending", "dialogue", "cast", "direction", "first half")
DEGREES = ("", "really ", "quite ", "simply ", "truly ", "rather ")
FILLER = (
    "I saw this film with my {who} on a {day}.",
    "The film is set in {place} and runs for about {minutes} minutes.",
    "It was made by a director from {place}.",
    "My {who} had told me about this movie.",
    "The main character is a {job} who moves to {place}.",
    "Most of it was shot in {place}, in black and white.",
)
WORDS = {
    "who": ("brother", "sister", "neighbour", "parents", "friends", "colleague"),
    "day": ("Sunday", "Friday", "rainy Tuesday", "Saturday night", "long flight"),
    "place": ("Paris", "a small village", "Berlin", "the desert", "New York", "Lisbon", "a lighthouse"),
    "minutes": ("80", "90", "100", "120", "140"),
    "job": ("baker", "teacher", "detective", "doctor", "sailor", "painter"),
}


class Dice:
    """Choices by raw doubles alone, which are the same on every platform and in every numpy."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def chance(self, share: float) -> bool:
        return self._generator.random() < share

    def choose(self, options: Sequence[str]) -> str:
        return options[int(self._generator.random() * len(options))]

    def uniform(self, low: float, high: float, rows: int | tuple[int, ...]) -> np.ndarray:
        return low + (high - low) * self._generator.random(rows)

    def normal(self, rows: int) -> np.ndarray:
        """Box & Muller 1958."""
        radius = np.sqrt(-2 * np.log(1 - self._generator.random(rows)))
        return radius * np.cos(2 * math.pi * self._generator.random(rows))

    def flipped(self, labels: Sequence[str]) -> tuple[list[str], list[str]]:
        """Labels with FLIPPED of each class set to another one, and the strata."""
        classes = sorted(set(labels))
        order = np.argsort(self._generator.random(len(labels)), kind="stable").tolist()
        chosen: set[int] = set()
        for label in classes:
            members = [row for row in order if labels[row] == label]
            chosen.update(members[: round(len(members) * FLIPPED)])
        given = list(labels)
        for row in sorted(chosen):
            given[row] = self.choose([label for label in classes if label != labels[row]])
        return given, [f"{label} {row in chosen}" for row, label in enumerate(given)]


def reviews(rows: int = 2_000) -> Sample:
    """Film reviews: is a review positive or negative? Best accuracy 0.95: 5 % of the labels are flipped.

    A review holds two to four opinions, nearly always of one mind, in a random order among neutral sentences;
    an eighth of the opinions is negated ("not boring"), a quarter of the reviews concede one thing.
    """
    dice = Dice(1)
    texts: dict[str, str] = {}
    while len(texts) < rows:
        label = "pos" if len(texts) % 2 else "neg"
        texts.setdefault(_review(dice, good=label == "pos"), label)  # no text twice: a split must not leak
    given, strata = dice.flipped(list(texts.values()))
    return Sample(
        rows=Split({"text": _strings(list(texts))}, _strings(given)),
        kinds={"text": "text"},
        target="label",
        task="label",
        best={"accuracy": 1 - FLIPPED},
        title="generated film reviews",
        strata=strata,
        notes=("5 % of the labels are flipped, so no model can be right on more than 95 % of the rows",),
    )


def _review(dice: Dice, *, good: bool) -> str:
    opinions = [_opinion(dice, good=good) for _ in range(2 + dice.chance(0.6) + dice.chance(0.4))]
    if dice.chance(0.25):
        part, word = dice.choose(PARTS), dice.choose(BAD if good else GOOD)
        opinions.append(f"Only the {part} was {word}, but that changes little.")
    if dice.chance(0.4):
        opinions.append(f"All in all {dice.choose(PRAISE if good else BLAME)}.")
    filler = [dice.choose(FILLER) for _ in range(1 + dice.chance(0.5))]
    sentences = [sentence.format(**{name: dice.choose(words) for name, words in WORDS.items()}) for sentence in filler]
    for opinion in opinions:
        sentences.insert(int(dice.uniform(0, len(sentences) + 1, 1)[0]), opinion)
    return " ".join(sentences)


def _opinion(dice: Dice, *, good: bool) -> str:
    negated = dice.chance(1 / 8)
    word = dice.choose(GOOD if good != negated else BAD)
    part, degree = dice.choose(PARTS), dice.choose(DEGREES)
    article = "an" if word[0] in "aeiou" else "a"
    if negated:
        return dice.choose(
            (f"The {part} is not {word}.", f"The {part} was never {word}.", f"It is not {article} {word} film.")
        )
    return dice.choose(
        (f"The {part} was {degree}{word}.", f"What {article} {word} film!", f"The {degree}{word} {part} stays in mind.")
    )


TOPICS = {"earnings": 0.4, "takeovers": 0.25, "grain": 0.14, "oil": 0.1, "rates": 0.07, "metals": 0.04}
"""Share of the newswires on each topic."""
FACTS = {
    "earnings": (
        "Net profit per share came to {count} cts.",
        "It declared a dividend of {count} cts.",
        "Quarterly earnings fell short of forecasts.",
    ),
    "takeovers": (
        "It will acquire {company} for {count} mln dlrs.",
        "Shareholders of {company} were offered a merger.",
        "The takeover bid was raised by {count} pct.",
    ),
    "grain": (
        "Wheat exports reached {count} thousand tonnes.",
        "The maize harvest suffered from drought.",
        "Farmers in {country} planted more soybeans.",
    ),
    "oil": (
        "Crude output was cut to {count} thousand barrels a day.",
        "OPEC ministers meet in {country}.",
        "Refineries in {country} stand still.",
    ),
    "rates": (
        "The central bank left its discount rate as it was.",
        "Money market yields rose by {count} basis points.",
        "Banks in {country} lowered their prime rate.",
    ),
    "metals": (
        "A gold mine in {country} opened a new shaft.",
        "Silver was fixed {count} cts higher.",
        "Copper smelters reduced their output.",
    ),
}
SHARED = (
    "The market in {country} had expected that.",
    "Analysts spoke of a rise of {count} pct over the year.",
    "A spokesman of {company} would not comment.",
    "Trade with {country} was worth {count} mln dlrs.",
    "The price of shares in {company} did not move.",
)
NAMES = {
    "company": ("Alden Corp", "Brook Inc", "Carver Ltd", "Dunmore Holdings", "Eastgate Co", "Fulton Group"),
    "country": ("Canada", "Brazil", "Japan", "West Germany", "Australia", "Nigeria", "Indonesia"),
}


def wires(rows: int = 1_500) -> Sample:
    """Newswires: which of six topics is one about, from 40 % of them to 4 %? Best accuracy 0.95: 5 % are flipped.

    A newswire states two or three facts of its topic among sentences that fit any; a third of them also touch on
    another topic, with one fact.
    """
    dice = Dice(4)
    texts: dict[str, str] = {}
    for topic, share in TOPICS.items():
        wanted = len(texts) + round(rows * share)
        while len(texts) < wanted:
            texts.setdefault(_wire(dice, topic), topic)  # no text twice: a split must not leak
    given, strata = dice.flipped(list(texts.values()))
    return Sample(
        rows=Split({"text": _strings(list(texts))}, _strings(given)),
        kinds={"text": "text"},
        target="topic",
        task="label",
        best={"accuracy": 1 - FLIPPED},
        title="generated newswires",
        strata=strata,
        notes=("5 % of the labels are flipped, so no model can be right on more than 95 % of the rows",),
    )


def _wire(dice: Dice, topic: str) -> str:
    sentences = [dice.choose(FACTS[topic]) for _ in range(2 + dice.chance(0.5))]
    if dice.chance(1 / 3):
        sentences.append(dice.choose(FACTS[dice.choose([other for other in TOPICS if other != topic])]))
    for _ in range(2 + dice.chance(0.5)):
        sentences.insert(int(dice.uniform(0, len(sentences) + 1, 1)[0]), dice.choose(SHARED))
    filled = []
    for sentence in sentences:
        names = {name: dice.choose(words) for name, words in NAMES.items()}
        filled.append(sentence.format(count=5 + int(dice.uniform(0, 90, 1)[0]), **names))
    return "\n".join([dice.choose(NAMES["company"]).upper(), " ".join(filled)])


HEATING = {"gas": 0.0, "oil": -2.5, "wood": -1.0, "heat pump": 3.5, "district": 1.5}
UNKNOWN_AGE = 45.0


def houses(rows: int = 1_200) -> Sample:
    """House prices in thousands of dollars from 5 numbers and the heating. Best MAE 2 sqrt(2 / pi) = 1.596.

    Area counts for more near the centre, age first lowers a price and then, for very old houses, raises it.
    Where age or heating is missing, a price was set as if it were 45 years or gas: nothing is hidden.
    """
    dice = Dice(2)
    area = dice.uniform(45, 210, rows).round(1)
    rooms = np.clip(np.round(area / 28 + dice.uniform(-1, 1, rows)), 1, 8)
    age = dice.uniform(0, 120, rows).round()
    distance = dice.uniform(0.2, 25, rows).round(1)
    crime = (dice.uniform(0, 1, rows) ** 2 * 10).round(2)
    heating = [dice.choose(tuple(HEATING)) for _ in range(rows)]
    without_age, without_heating = dice.uniform(0, 1, rows) < 0.04, dice.uniform(0, 1, rows) < 0.03
    known_age = np.where(without_age, UNKNOWN_AGE, age)
    effect = np.where(without_heating, 0.0, [HEATING[name] for name in heating])
    price = (
        10
        + 0.14 * area * (0.5 + np.exp(-distance / 8))
        + 1.2 * rooms
        - 0.9 * crime
        + 0.0022 * (known_age - 65) ** 2
        + effect * (1 + known_age / 60)
    )
    numbers = {"area_m2": area, "rooms": rooms, "age_years": np.where(without_age, np.nan, age)}
    numbers |= {"distance_km": distance, "crime_rate": crime}
    categories = [None if gone else name for name, gone in zip(heating, without_heating, strict=True)]
    kinds: dict[str, ColumnKind] = {**dict.fromkeys(numbers, "number"), "heating": "category"}
    return Sample(
        rows=Split(numbers | {"heating": _strings(categories)}, (price + NOISE * dice.normal(rows)).round(2)),
        kinds=kinds,
        target="price",
        task="value",
        best={"mae": NOISE * math.sqrt(2 / math.pi), "mse": NOISE**2},
        title="generated house prices",
        notes=(f"{without_age.sum()} rows without age_years and {without_heating.sum()} without heating",),
    )


HABITATS = ("forest", "marsh", "meadow")


def species(rows: int = 1_200) -> Sample:
    """Birds: which of three species is it, from 3 numbers and its habitat? Best accuracy 0.95: 5 % are flipped.

    In the marsh the wing decides, elsewhere the ratio of bill to wing and the mass.
    """
    dice = Dice(3)
    bill, wing = dice.uniform(8, 24, rows).round(1), dice.uniform(50, 110, rows).round(1)
    mass = (0.3 * wing + 6 * dice.normal(rows)).clip(8).round(1)
    habitat = [dice.choose(HABITATS) for _ in range(rows)]
    labels = []
    for place, row_bill, row_wing, row_mass in zip(habitat, bill, wing, mass, strict=True):
        if place == "marsh":
            labels.append("reedling" if row_wing < 85 else "finch")
        elif row_bill / row_wing > 0.21:
            labels.append("finch" if place == "forest" else "warbler")
        else:
            labels.append("reedling" if row_mass > 24 else "warbler")
    given, strata = dice.flipped(labels)
    numbers = {"bill_mm": bill, "wing_mm": wing, "mass_g": mass}
    kinds: dict[str, ColumnKind] = {**dict.fromkeys(numbers, "number"), "habitat": "category"}
    return Sample(
        rows=Split(numbers | {"habitat": _strings(habitat)}, _strings(given)),
        kinds=kinds,
        target="species",
        task="label",
        best={"accuracy": 1 - FLIPPED},
        title="generated birds",
        strata=strata,
        notes=("5 % of the labels are flipped, so no model can be right on more than 95 % of the rows",),
    )


def _strings(values: Sequence[str | None]) -> np.ndarray:
    """An object array, whatever the values: numpy would make fixed-width text of them."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _shapes() -> Sample:
    from dlkit.data.image_samples import shapes

    return shapes()


def _people() -> Sample:
    from dlkit.data.image_samples import people

    return people()


def _digits() -> Sample:
    from dlkit.data.image_samples import digits

    return digits()


SAMPLES: Mapping[str, Callable[[], Sample]] = {
    "reviews": reviews,
    "wires": wires,
    "houses": houses,
    "species": species,
    "shapes": _shapes,
    "people": _people,
    "digits": _digits,
}
