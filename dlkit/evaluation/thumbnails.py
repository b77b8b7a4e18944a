"""How does a picture of any size come onto a page, as a small image inside it?"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from dlkit.inference.images import Picture, decode

SMALLEST, LARGEST = 64, 128
"""The longer side on the page, in pixels: smaller pictures are enlarged by a whole number, larger ones shrunk."""


@dataclass(frozen=True)
class Thumbnail:
    """`source`: a PNG as a data URI. `width`, `height`: on the page. `what`: the file, or the picture's own size."""

    source: str
    width: int
    height: int
    what: str


def thumbnail(picture: Picture) -> Thumbnail:
    """A raw picture, upright and in colours, small enough for a table's cell."""
    pixels = decode(picture, 3, "A picture")
    image = Image.fromarray(pixels)
    longer = max(image.size)
    scale = math.ceil(SMALLEST / longer)
    image.thumbnail((LARGEST, LARGEST))
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
    size = f"{pixels.shape[1]} × {pixels.shape[0]} pixels"
    what = f"{picture.parent.name}/{picture.name}, {size}" if isinstance(picture, Path) else size
    return Thumbnail(source, image.width * scale, image.height * scale, what)
