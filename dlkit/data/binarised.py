"""How do grey pictures become pictures of black and white, each pixel white as often as it is bright?"""

from __future__ import annotations

import numpy as np

from dlkit.contracts import Rows, take

_AT_ONCE = 4_096


class Binarised:
    """Pixels of 0 and 1, float32: each is 1 with the probability that is its grey value.

    `take` gives the one draw from `seed`, the same at each call, as in the static protocol (Larochelle & Murray 2011).
    With `anew`, batches of a training ask for another draw in every epoch, by `drawn`: the dynamic protocol.

    `pixels`: (rows, height, width, channels) uint8.
    """

    def __init__(self, pixels: np.ndarray | Rows, seed: int, *, anew: bool) -> None:
        self.pixels, self.anew = pixels, anew
        random = np.random.default_rng((seed, len(pixels)))
        parts = [
            _draw(take(pixels, np.arange(start, min(start + _AT_ONCE, len(pixels)))), random)
            for start in range(0, len(pixels), _AT_ONCE)
        ]
        self._fixed = np.concatenate(parts)

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: np.ndarray) -> np.ndarray:
        return self._fixed[indices].astype(np.float32)

    def drawn(self, indices: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The rows at `indices`: drawn by `random` where they are drawn anew, else as `take`."""
        return _draw(take(self.pixels, indices), random).astype(np.float32) if self.anew else self.take(indices)


def _draw(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(…) bool, True with probability pixel / 255."""
    return random.integers(0, 255, pixels.shape, np.uint8) < pixels
