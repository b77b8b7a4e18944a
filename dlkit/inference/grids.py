"""How do several pictures become one that a person looks at?"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np

_LEAST = 56
"""Pixels that a side of a small picture is drawn with, each of its own as a square."""
_GAP = 2


def png(pictures: Sequence[object], *, across: int | None = None) -> bytes:
    """Pictures of one size (rows of pixels from 0 to 255, or of colours) side by side, as a PNG file.

    `across`: how many in a row; none: as many as there are rows.
    """
    from PIL import Image

    tiles = np.array(pictures, np.uint8)
    factor = max(1, -(-_LEAST // tiles.shape[1]))
    tiles = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    count, height, width = tiles.shape[:3]
    across = min(count, across or math.ceil(math.sqrt(count)))
    down = -(-count // across)
    sheet = np.full((down * (height + _GAP) - _GAP, across * (width + _GAP) - _GAP, *tiles.shape[3:]), 255, np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // across * (height + _GAP), place % across * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "PNG")
    return stream.getvalue()
