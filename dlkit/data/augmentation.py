"""How does a network see a picture a little differently each time?

Random changes that leave the class as it is, made anew for every batch from (seed, epoch, batch), so that a resumed
training sees what the interrupted one would have seen. Keras' preprocessing layers do what turns, zooms and colours;
flips and shifts are done in numpy, where a batch of small pictures takes a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from dlkit.errors import SettingsError, did_you_mean

Pixels = np.ndarray
"""(rows, height, width, channels) uint8"""
SHIFT = 1 / 8
"""Largest shift, as a share of the size (4 of 32 pixels: Krizhevsky 2009 and most after him)."""
NUDGE = 1 / 16
"""The same for trainings of a few epochs (2 of 32 pixels: Jordan 2024)."""
CUT = 3 / 8
"""Side of what `cutout` hides, as a share of the size (12 of 32 pixels: Jordan 2024)."""


def flip(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Half of the pictures, left to right."""
    rows, height, width, channels = pixels.shape
    chosen = random.random(rows) < 0.5
    # Numbers taken in their new order: to copy pixel by pixel from the right takes three times as long.
    places = np.arange(width * channels).reshape(width, channels)[::-1].ravel()
    lines = pixels.reshape(rows, height, width * channels).copy()
    lines[chosen] = lines[chosen].take(places, axis=2)
    return lines.reshape(pixels.shape)


def shift(pixels: Pixels, random: np.random.Generator, share: float = SHIFT) -> Pixels:
    """Each picture by up to `share` of its size in each direction; what comes in is its mirror image."""
    rows, height, width, channels = pixels.shape
    down, across = (min(max(1, round(size * share)), size - 1) for size in (height, width))
    # As lines of numbers, which are copied a line at a time.
    lines = _mirrored(pixels, down, across).reshape(rows, height + 2 * down, -1)
    windows = np.lib.stride_tricks.sliding_window_view(lines, (height, width * channels), axis=(1, 2))
    top, left = random.integers(0, 2 * down + 1, rows), random.integers(0, 2 * across + 1, rows)
    return windows[np.arange(rows), top, left * channels].reshape(pixels.shape)


def _mirrored(pixels: Pixels, down: int, across: int) -> Pixels:
    """With `down` rows and `across` columns more on each side: `np.pad` with the mode "reflect", in half the time."""
    rows, height, width, channels = pixels.shape
    padded = np.empty((rows, height + 2 * down, width + 2 * across, channels), pixels.dtype)
    inner = padded[:, down : down + height]
    inner[:, :, across : across + width] = pixels
    inner[:, :, :across] = pixels[:, :, 1 : across + 1][:, :, ::-1]
    inner[:, :, across + width :] = pixels[:, :, ::-1][:, :, 1 : across + 1]
    padded[:, :down] = inner[:, 1 : down + 1][:, ::-1]
    padded[:, down + height :] = inner[:, ::-1][:, 1 : down + 1]
    return padded


def cutout(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Each picture with a square in its own mean colour (DeVries & Taylor 2017, section 3.2).

    The middle of the square is any pixel, so that it often sticks out.
    """
    rows, height, width, channels = pixels.shape
    colours = pixels.reshape(rows, height * width, channels).sum(axis=1, dtype=np.uint32) // (height * width)
    cut = pixels.copy()
    (top, bottom), (left, right) = (_hidden(size, random, rows) for size in (height, width))
    for row in range(rows):
        cut[row, top[row] : bottom[row], left[row] : right[row]] = colours[row]
    return cut


def _hidden(size: int, random: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Where `rows` squares begin and end along one side."""
    side = max(1, round(size * CUT))
    start = random.integers(0, size, rows) - side // 2
    return np.maximum(start, 0), start + side


def _by_keras(name: str, **options: object) -> Callable[[Pixels, np.random.Generator], Pixels]:
    """A preprocessing layer of Keras, seeded anew for each batch."""

    def changed(pixels: Pixels, random: np.random.Generator) -> Pixels:
        import keras

        seed = int(random.integers(2**31))
        layer = getattr(keras.layers, name)(**options, seed=seed)
        made = keras.ops.convert_to_numpy(layer(pixels.astype(np.float32), training=True))
        return np.clip(np.round(made), 0, 255).astype(np.uint8)

    return changed


_jitter = _by_keras("RandomColorJitter", value_range=(0, 255), saturation_factor=(0.4, 0.6), hue_factor=0.03)


def color(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Saturation and hue, of which grey pictures have neither."""
    return pixels if pixels.shape[-1] == 1 else _jitter(pixels, random)


CHANGES: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "flip": flip,
    "shift": shift,
    "nudge": partial(shift, share=NUDGE),
    "rotate": _by_keras("RandomRotation", factor=0.04, fill_mode="reflect"),
    "zoom": _by_keras("RandomZoom", height_factor=(-0.15, 0.15), fill_mode="reflect"),
    "contrast": _by_keras("RandomContrast", factor=0.2, value_range=(0, 255)),
    "brightness": _by_keras("RandomBrightness", factor=0.15, value_range=(0, 255)),
    "color": color,
    "cutout": cutout,
    "erase": _by_keras("RandomErasing", factor=0.5, scale=(0.02, 0.15), value_range=(0, 255)),
}
"""By the name in `training.augment`."""


def check(names: Sequence[str]) -> None:
    """SettingsError unless each name is one of `CHANGES`."""
    for name in names:
        if name not in CHANGES:
            raise SettingsError(f"training.augment: unknown {name!r}.{did_you_mean(name, CHANGES)}")


def augmented(pixels: Pixels, names: Sequence[str], random: np.random.Generator) -> Pixels:
    """A batch of pictures after the changes called `names`, in their order."""
    for name in names:
        pixels = CHANGES[name](pixels, random)
    return pixels
