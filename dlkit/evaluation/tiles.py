"""How do pictures stand side by side in one figure, each with a few words under it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dlkit.evaluation.drawings import GREY
from dlkit.evaluation.pages import shortened

_GAP, _LINE, _FONT = 0.14, 0.15, 8
"""Between two pictures, of a line of words (both inches), and its size in points."""
_LONGEST = 14
"""Characters of a class name that fit beside "answer: " under a picture of 1.4 inches."""


@dataclass(frozen=True)
class Tile:
    """A picture and what is said under it. `pixels`: (height, width, 1 or 3) uint8, or float in [0, 1]."""

    pixels: np.ndarray
    lines: tuple[str, ...] = ()


def rows_of(tiles: Sequence[Tile], columns: int) -> list[Sequence[Tile]]:
    """Tiles, so many a row."""
    return [tiles[start : start + columns] for start in range(0, len(tiles), columns)]


def grid(rows: Sequence[Sequence[Tile]], *, names: Sequence[str] = (), side: float = 1.4, gap: float = _GAP) -> Figure:
    """Square pictures in rows. `names`: of the rows, at their left. `side`, `gap`: of and between pictures, inches."""
    margin = 0.07 * max(map(len, names), default=0) + 0.15 if names else 0.0
    heights = [side + _LINE * max(len(tile.lines) for tile in row) + gap for row in rows]
    heights[-1] -= gap
    width = margin + max(map(len, rows)) * (side + gap) - gap
    figure = Figure(figsize=(width, sum(heights)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    top = 0.0
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        if names:
            axes.text(0, top + side / 2, names[number], fontsize=_FONT + 1, va="center", color=GREY)
        for column, tile in enumerate(row):
            left = margin + column * (side + gap)
            shown = tile.pixels[..., 0] if tile.pixels.shape[-1] == 1 else tile.pixels
            bright = 1 if shown.dtype.kind == "f" else 255
            axes.imshow(shown, cmap="gray", vmin=0, vmax=bright, extent=(left, left + side, top + side, top))
            for line, words in enumerate(tile.lines):
                text = axes.text(
                    left, top + side + _LINE * (line + 0.25), words, fontsize=_FONT, va="top", clip_on=True
                )
                # Letters may be far wider than most, and would run into the next picture's words.
                text.set_clip_path(Rectangle((left, top), side + gap / 2, height, transform=axes.transData))
        top += height
    axes.set(xlim=(0, width), ylim=(top, 0))  # one unit is an inch, downwards as in a picture
    return figure


def short(label: str) -> str:
    """A class name that fits under a picture."""
    return shortened(label, _LONGEST) or "(empty)"
