"""In which size and colours does a network see pictures?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlkit.contracts import ColumnKind, Examples, Split, Transform, take
from dlkit.errors import SettingsError
from dlkit.inference.images import ImagePixels

_LOOKED_AT, _AT_ONCE = 5_000, 64


@dataclass(frozen=True)
class Images:
    """Pictures as uint8 pixels, scaled inside the network by the mean and spread of the training pixels.

    `size`: height and width in pixels that the network takes; others are resized. `color`: three channels or one.
    `shape`: a picture that is no square is stretched to one, or its middle square is cut out ("crop").
    """

    size: int = 32
    color: Literal["rgb", "grey"] = "rgb"
    shape: Literal["stretch", "crop"] = "stretch"

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or not 8 <= self.size <= 1024:
            raise SettingsError(f"preprocessing.size: expected 8 to 1024 pixels, got {self.size!r}.")
        if self.color not in ("rgb", "grey"):
            raise SettingsError(f"preprocessing.color: expected rgb or grey, got {self.color!r}.")
        if self.shape not in ("stretch", "crop"):
            raise SettingsError(f"preprocessing.shape: expected stretch or crop, got {self.shape!r}.")

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> ImagePixels:
        images = [name for name, kind in kinds.items() if kind == "image"]
        if len(images) != 1:
            raise SettingsError(f"preprocessing: expected exactly 1 image column, got {len(images)}: {images}.")
        transform = ImagePixels(images[0], self.size, 3 if self.color == "rgb" else 1, self.shape)
        # Evenly over all rows, which may come class by class.
        rows = np.unique(np.linspace(0, len(train) - 1, min(len(train), _LOOKED_AT)).astype(np.int64))
        encoded = transform.encode(train.inputs)["pixels"]
        sums = np.zeros((2, transform.channels))
        for some in np.array_split(rows, len(rows) // _AT_ONCE + 1):
            pixels = take(encoded, some)
            squares = np.square(pixels, dtype=np.float32)
            sums += [each.mean(axis=(1, 2), dtype=np.float64).sum(axis=0) for each in (pixels, squares)]
        mean, square = sums / len(rows)
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        # A picture of one colour has no spread; one grey level is less than any camera's noise.
        fitted = mean.astype(np.float32), np.maximum(spread, 1.0).astype(np.float32)
        return ImagePixels(images[0], self.size, transform.channels, self.shape, *fitted)

    def examples(self, transform: Transform, split: Split) -> Examples:
        return Examples(transform.encode(split.inputs), split.targets)
