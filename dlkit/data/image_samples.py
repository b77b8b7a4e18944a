"""Which pictures can be drawn, so that what they show is known and how well it can be told at best?

Drawn with sums, products and comparisons alone, which give the same pixels on every platform.
"""

from __future__ import annotations

import math

import numpy as np

from dlkit.contracts import Split
from dlkit.data.columns import strings
from dlkit.data.samples import FLIPPED, Dice, Sample

SHAPES = ("circle", "cross", "square", "triangle")
SHAPE_SIZE = 32
CONTRAST = 88.0
"""How far a shape's colour is from its background's at least, in each channel."""
GRADIENT, GRAIN = 20.0, 18.0
"""How much a background changes from its middle to its edge, along each axis, and how far its noise goes."""

FACE_SIZE = 48
YOUNGEST, OLDEST = 18.0, 80.0
AGE_NOISE = 3.0
"""Standard deviation in years between the age that is drawn and the one that is given."""
FLIPPED_NOTE = "5 % of the labels are flipped, so no model can be right on more than 95 % of the rows"


def shapes(rows: int = 2_000) -> Sample:
    """Pictures: is it a circle, a cross, a square or a triangle? Best accuracy 0.95: 5 % of the labels are flipped.

    One filled shape of 11 to 25 pixels in any colour and place, on a background that runs from one colour to another
    and is grainy. Neither colour nor size nor place says anything about the shape.
    """
    dice = Dice(5)
    kind = np.arange(rows) % len(SHAPES)
    radius = _each(dice.uniform(5.5, 12.5, rows))
    across, down = _grid(SHAPE_SIZE)
    left, top = (_each(dice.uniform(-1, 1, rows)) * (SHAPE_SIZE / 2 - 1 - radius) for _ in range(2))
    x, y = (across - left) / radius, (down - top) / radius
    background, colour = _two_colours(dice, rows)
    slope = dice.uniform(-1, 1, (2, rows, 3))[:, :, None, None]
    run = (slope[0] * across[..., None] + slope[1] * down[..., None]) * GRADIENT / (SHAPE_SIZE / 2)
    inside = np.choose(kind[:, None, None], [_circle(x, y), _cross(x, y), _square(x, y), _triangle(x, y)])
    drawn = np.where(inside[..., None], colour, background + run)
    pixels = _finished(drawn + dice.uniform(-GRAIN, GRAIN, drawn.shape))
    given, strata = dice.flipped([SHAPES[number] for number in kind])
    return Sample(
        rows=Split({"image": pixels}, strings(given)),
        kinds={"image": "image"},
        target="shape",
        task="label",
        best={"accuracy": 1 - FLIPPED},
        title="generated pictures of shapes",
        strata=strata,
        notes=(FLIPPED_NOTE,),
    )


def _circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x * x + y * y <= 1


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _square(x, y) & ((np.abs(x) <= 1 / 3) | (np.abs(y) <= 1 / 3))


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.abs(x) <= 1) & (np.abs(y) <= 1)


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.abs(y) <= 1) & (2 * np.abs(x) <= y + 1)


def people(rows: int = 1_500) -> Sample:
    """Drawn heads: how old, and of which gender? Best MAE of the age 3 sqrt(2 / pi) = 2.394, best accuracy 0.95.

    Hair goes from dark to white with age, wrinkles deepen, and the head grows a little; the age given is off from the
    one drawn by noise of 3 years. A rule of ours, which tells nothing of real people: square heads are called male,
    round ones female, and 5 % of these labels are flipped. Colours, place and background say nothing.
    """
    dice = Dice(6)
    male = np.arange(rows) % 2 == 1
    age = dice.uniform(YOUNGEST, OLDEST, rows)
    years = _each((age - YOUNGEST) / (OLDEST - YOUNGEST))
    across, down = _grid(FACE_SIZE)
    left, top = (_each(dice.uniform(-5, 5, rows)) for _ in range(2))
    size = 13 + 3 * years + _each(dice.uniform(-1, 1, rows))
    x, y = (across - left) / size, (down - top) / size
    head = np.where(_each(male), x**2 * x**2 + y**2 * y**2, x**2 + y**2) <= 1
    hair = head & (y < -0.5)
    lines = (np.abs(y + 0.35) < 0.04) | (np.abs(y + 0.2) < 0.04) | (np.abs(y - 0.3) < 0.04)
    wrinkles = lines & (np.abs(x) < 0.5) & head
    eyes = (np.abs(np.abs(x) - 0.4) < 0.12) & (np.abs(y) < 0.08)
    mouth = (np.abs(x) < 0.35) & (np.abs(y - 0.6) < 0.07)
    skin = _colour(dice.uniform(110, 200, (rows, 1)) + np.array([25.0, 0.0, -25.0]))
    backdrop = _colour(dice.uniform(30, 220, (rows, 3)))
    grey = 40 + 190 * years[..., None] + _colour(dice.uniform(-8, 8, (rows, 1)) * np.array([1.0, 0.0, -1.0]))
    drawn = np.where(head[..., None], skin, backdrop)
    drawn = np.where(wrinkles[..., None], drawn * (1 - 0.6 * years[..., None]), drawn)
    drawn = np.where((eyes | mouth)[..., None], skin * 0.35, drawn)
    drawn = np.where(hair[..., None], grey, drawn)
    pixels = _finished(drawn + dice.uniform(-10, 10, drawn.shape))
    given, strata = dice.flipped(["male" if one else "female" for one in male])
    told = (age + AGE_NOISE * dice.normal(rows)).round(1)
    return Sample(
        rows=Split({"image": pixels}, {"age": told, "gender": strings(given)}),
        kinds={"image": "image"},
        target=None,
        task="several",
        best={"age_mae": AGE_NOISE * math.sqrt(2 / math.pi), "gender_accuracy": 1 - FLIPPED},
        title="generated pictures of heads",
        strata=strata,
        notes=(
            f"gender: {FLIPPED_NOTE}",
            "age: off from what is drawn by noise of 3 years, so no model can come closer than 2.39 years on average",
        ),
    )


def digits() -> Sample:
    """Handwritten digits of 8 x 8 pixels: the 1,797 that come with scikit-learn (Alpaydin & Kaynak 1998)."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = np.round(found.images * (255 / found.images.max())).astype(np.uint8)
    labels = [str(label) for label in found.target]
    return Sample(
        rows=Split({"image": pixels[..., np.newaxis]}, strings(labels)),
        kinds={"image": "image"},
        target="digit",
        task="label",
        best={},
        title="scikit-learn's handwritten digits",
        strata=labels,
    )


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """(1, 1, size) across and (1, size, 1) down, in pixels from the middle."""
    steps = np.arange(size) - (size - 1) / 2
    return steps[None, None, :], steps[None, :, None]


def _each(values: np.ndarray) -> np.ndarray:
    """(rows,) to one value for all pixels of a row."""
    return values[:, None, None]


def _colour(values: np.ndarray) -> np.ndarray:
    """(rows, 3) to one colour for all pixels of a row."""
    return values[:, None, None, :]


def _two_colours(dice: Dice, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Any colour, and another that is well away from it in each channel."""
    first = dice.uniform(0, 256, (rows, 3))
    second = (first + dice.uniform(CONTRAST, 256 - CONTRAST, (rows, 3))) % 256
    return _colour(first), _colour(second)


def _finished(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)
