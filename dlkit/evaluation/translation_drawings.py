"""Are long sentences translated worse than short ones?"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from dlkit.evaluation.drawings import BLUE, Drawing
from dlkit.evaluation.tokenisers import USUAL
from dlkit.evaluation.translation import by_length, corpus_of


def bleu_by_length(answer: object, targets: np.ndarray, outputs: np.ndarray) -> Drawing | None:
    """BLEU by the length of a reference; None where no length has enough sentences."""
    corpus = corpus_of(answer, targets, outputs)
    found, counted = by_length(corpus), "words" if corpus.tokeniser == USUAL else f"tokens ({corpus.tokeniser})"
    if not found:
        return None
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    bars = axes.bar(list(found), [one["bleu"] for one in found.values()], color=BLUE, width=0.6)
    axes.bar_label(bars, [f"{one['rows']:.0f} sentences" for one in found.values()], fontsize=8, padding=2)
    axes.set(xlabel=f"{counted} of the reference", ylabel="BLEU", ylim=(0, None))
    axes.grid(axis="x", visible=False)
    values = ", ".join(f"{one['bleu']:.1f} at {name} {counted}" for name, one in found.items())
    return Drawing("bleu_by_length", "BLEU by sentence length", f"BLEU is {values}.", figure)
