"""Which words of a sentence did a translator look at while it wrote each of its own?"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from dlkit.contracts import Columns
from dlkit.evaluation.drawings import Drawing
from dlkit.evaluation.pages import shortened
from dlkit.inference.sentence_pieces import END, FIRST, START
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translation import PairText, ended

_SENTENCES = 4
_MOST_PIECES = 24
"""Of a sentence that is drawn, on either side: more have no room for their names."""


def attention_maps(
    model: keras.Model, transform: PairText, answer: SentenceAnswer, inputs: Columns, outputs: np.ndarray
) -> Drawing | None:
    """The weights of the first test sentences that fit; None where none does, or the network has no attention.

    `outputs`: of the search, see `SentenceAnswer`.
    """
    sources = ended(transform.source, inputs[transform.column], transform.longest_source)
    names = {END: "(end)"} | dict(enumerate(transform.source.vocabulary, start=FIRST))
    written = [[int(number) for number in row if number > 0] for row in outputs[:, 1 : answer.units]]
    lengths = np.diff(sources.offsets)
    fits = [row for row, one in enumerate(written) if one and max(len(one), lengths[row]) <= _MOST_PIECES]
    maps = []
    for row in fits[:_SENTENCES]:
        source = sources.take(np.array([row]))
        target = np.array([[START, *written[row]]], np.int32)
        weights: Any = model.attention({"source": source, "target": target})
        if weights is None:
            return None
        read = [names.get(int(number), "?") for number in source[0]]
        maps.append((read, [*answer.pieces.pieces(written[row]), "(end)"], np.asarray(weights)[0]))
    return _drawn(maps) if maps else None


def _drawn(maps: list[tuple[list[str], list[str], np.ndarray]]) -> Drawing:
    heights = [0.2 * len(written) + 0.9 for _, written, _ in maps]
    figure = Figure(figsize=(6.4, sum(heights)), layout="constrained")
    panels = figure.subplots(len(maps), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (read, written, weights) in zip(panels, maps, strict=True):
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(read)), [shortened(one, 14) for one in read], fontsize=7, rotation=60, ha="right")
        axes.set_yticks(range(len(written)), [shortened(one, 14) for one in written], fontsize=7)
        axes.grid(visible=False)
    read, written, weights = maps[0]
    row, column = np.unravel_index(weights.argmax(), weights.shape)
    alt = (
        f"{len(maps)} sentences, a row a written piece, a column a piece that was read. In the first, “{written[row]}” "
        f"looks most sharply, with {weights.max():.0%} of its weight at “{read[column]}”."
    )
    return Drawing("attention", "What was read (across) for each piece that was written (down)", alt, figure)
