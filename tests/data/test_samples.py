"""Are the generated samples what they claim: the same every time, with a best score that is known?"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dlkit.data.samples import NOISE, SAMPLES, sample
from dlkit.errors import SettingsError

FINGERPRINTS = {
    "reviews": "sha256:52e5e3932d4f",
    "wires": "sha256:7caa7a30d6cb",
    "houses": "sha256:e3a0150f6526",
    "species": "sha256:3e068c32c872",
    "shapes": "sha256:68849421ea03",
    "people": "sha256:70245d8cbff3",
    "digits": "sha256:76006d2d6ae1",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_same_rows_every_time(name: str) -> None:
    assert sample(name).fingerprint == sample(name).fingerprint
    assert sample(name).fingerprint.startswith(FINGERPRINTS[name])


@pytest.mark.parametrize("name", SAMPLES)
def test_columns_are_as_their_kinds_say(name: str) -> None:
    made = sample(name)
    assert list(made.rows.inputs) == list(made.kinds)
    for column, kind in made.kinds.items():
        values = made.rows.inputs[column]
        assert len(values) == len(made.rows) >= 1000
        if kind == "number":
            assert values.dtype == np.float64
        elif kind == "image":
            assert values.dtype == np.uint8 and values.ndim == 4
        else:
            assert {type(value) for value in values} <= {str, type(None)}
    if made.task == "several":
        assert isinstance(made.rows.targets, dict) and made.target is None
        assert {len(column) for column in made.rows.targets.values()} == {len(made.rows)}
        return
    assert isinstance(made.rows.targets, np.ndarray)
    assert made.rows.targets.dtype == (np.float64 if made.task == "value" else object)


def test_reviews_are_balanced_unique_and_of_ordinary_words() -> None:
    made = sample("reviews")
    texts = made.rows.inputs["text"]
    assert len(set(texts)) == len(texts) == 2000
    labels = made.rows.targets
    assert isinstance(labels, np.ndarray)
    assert abs((labels == "pos").mean() - 0.5) < 0.01
    everything = " ".join(texts)
    assert all(word in everything for word in ("wonderful", "terrible", "boring", "great", "film", "acting"))


@pytest.mark.parametrize("name", ["reviews", "wires", "species", "shapes", "people"])
def test_five_percent_of_each_class_are_flipped(name: str) -> None:
    made = sample(name)
    assert made.strata is not None
    flipped = sum(stratum.endswith("True") for stratum in made.strata)
    best = made.best["gender_accuracy" if made.task == "several" else "accuracy"]
    assert flipped / len(made.rows) == pytest.approx(1 - best, abs=0.001)


def test_reviews_can_be_read_off_their_opinions() -> None:
    """A reader of the grammar: praise minus blame, with "not" and "never" turned round, the concession aside."""
    from dlkit.data.samples import BAD, BLAME, GOOD, PRAISE

    made = sample("reviews")
    right = 0
    assert isinstance(made.rows.targets, np.ndarray)
    for text, label in zip(made.rows.inputs["text"], made.rows.targets, strict=True):
        score = 0
        for sentence in text.replace("!", ".").split("."):
            if sentence.strip().startswith("Only the"):
                continue
            found = any(word in sentence.replace(",", " ").split() for word in GOOD) or any(
                p in sentence for p in PRAISE
            )
            lost = any(word in sentence.replace(",", " ").split() for word in BAD) or any(b in sentence for b in BLAME)
            turned = " not " in sentence or " never " in sentence
            score += (int(found) - int(lost)) * (-1 if turned else 1)
        right += (score > 0) == (label == "pos")
    assert right / len(made.rows) == pytest.approx(made.best["accuracy"], abs=0.001)


def test_wires_can_be_read_off_their_facts_and_are_of_six_unequal_topics() -> None:
    """A reader of the grammar: the topic with the most facts."""
    from dlkit.data.samples import FACTS, TOPICS

    made = sample("wires")
    texts, targets = made.rows.inputs["text"], made.rows.targets
    assert len(set(texts)) == len(texts) == 1500 and isinstance(targets, np.ndarray)
    starts = {topic: [fact.split("{")[0].rstrip(".") for fact in facts] for topic, facts in FACTS.items()}
    right = 0
    for text, label in zip(texts, targets, strict=True):
        facts = {topic: sum(text.count(start) for start in starts[topic]) for topic in TOPICS}
        right += max(facts, key=facts.__getitem__) == label
    assert right / len(made.rows) == pytest.approx(made.best["accuracy"], abs=0.001)
    shares = [float((targets == topic).mean()) for topic in TOPICS]
    assert shares == sorted(shares, reverse=True) and shares[0] > 8 * shares[-1] > 0.3


def test_the_noise_on_prices_is_what_the_best_error_says() -> None:
    from dlkit.data.samples import HEATING, UNKNOWN_AGE

    made = sample("houses")
    column = made.rows.inputs
    age = np.where(np.isnan(column["age_years"]), UNKNOWN_AGE, column["age_years"])
    effect = np.array([HEATING.get(name, 0.0) for name in column["heating"]])
    area, distance = column["area_m2"], column["distance_km"]
    price = 10 + 0.14 * area * (0.5 + np.exp(-distance / 8)) + 1.2 * column["rooms"] - 0.9 * column["crime_rate"]
    price = price + 0.0022 * (age - 65) ** 2 + effect * (1 + age / 60)
    assert isinstance(made.rows.targets, np.ndarray)
    error = made.rows.targets - price
    assert np.abs(error).mean() == pytest.approx(made.best["mae"], rel=0.05)
    assert error.std() == pytest.approx(NOISE, rel=0.05)
    assert made.rows.targets.min() > 0


def test_houses_have_a_few_missing_values_of_both_kinds() -> None:
    columns = sample("houses").rows.inputs
    assert 0 < np.isnan(columns["age_years"]).sum() < 100
    assert 0 < sum(value is None for value in columns["heating"]) < 100


def test_shapes_can_be_read_off_their_outline() -> None:
    """Pixels that are far from the colour of the edge: how much of their box they fill, and how wide they end."""
    made = sample("shapes")
    right = 0
    assert isinstance(made.rows.targets, np.ndarray)
    for image, label in zip(made.rows.inputs["image"].astype(float), made.rows.targets, strict=True):
        edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        inside = (np.abs(image - np.median(edge, axis=0)) > 60).sum(axis=2) >= 2
        rows, columns = np.flatnonzero(inside.sum(axis=1) > 1), np.flatnonzero(inside.sum(axis=0) > 1)
        box = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if box.mean() > 0.68:
            read = "square" if box.mean() > 0.92 else "circle"
        else:
            read = "triangle" if box[-1].mean() > 0.67 else "cross"
        right += read == label
    assert right / len(made.rows) == pytest.approx(made.best["accuracy"], abs=0.005)


def test_age_and_gender_can_be_read_off_the_heads() -> None:
    """Hair is the brighter the older, by a straight line; a round head fills less of its box than a square one."""
    made = sample("people")
    images, targets = made.rows.inputs["image"].astype(float), made.rows.targets
    assert isinstance(targets, dict)
    greys, fills = [], []
    for image in images:
        backdrop = np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]), axis=0)
        head = np.abs(image - backdrop).max(axis=2) > 12
        rows, columns = np.flatnonzero(head.sum(axis=1) > 2), np.flatnonzero(head.sum(axis=0) > 2)
        top, middle = rows[0], (columns[0] + columns[-1]) // 2
        greys.append(np.median(image[top + 2 : top + 5, middle - 3 : middle + 4].mean(axis=2)))
        fills.append(head[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean())
    ages = targets["age"]
    line = np.polyfit(greys, ages, 1)
    assert np.abs(np.polyval(line, greys) - ages).mean() == pytest.approx(made.best["age_mae"], rel=0.12)
    gender = np.where(np.array(fills) > np.median(fills), "male", "female")
    assert (gender == targets["gender"]).mean() == pytest.approx(made.best["gender_accuracy"], abs=0.02)


def test_an_unknown_sample_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'houses'"):
        sample("house")


def test_settings_and_samples_need_no_heavy_import() -> None:
    code = (
        "import sys; from dlkit.data.texts import TextData; from dlkit.data.tables import TableData; "
        "TextData().load('sample', say=str); TableData().load('sample', say=str); "
        "heavy = {'tensorflow', 'keras', 'sklearn', 'tensorflow_datasets', 'pandas'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
