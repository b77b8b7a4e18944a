"""Does the picture of attention show the pieces and weights of the sentences that were written?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pytest

from dlkit.contracts import Head, Spec
from dlkit.evaluation.attention_maps import attention_maps
from dlkit.evaluation.plots import plot
from dlkit.inference.sentence_pieces import SentencePieces
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translation import PairText
from dlkit.models import translation

PIECES = SentencePieces(("▁a", "▁b", "▁c", "▁<d>", "."), level="word")
TRANSFORM = PairText("source", PIECES, PIECES, 40, 40)
ANSWER = SentenceAnswer(PIECES, longest=40, language="de")
SPEC = Spec(TRANSFORM.tensors, {"tokens": Head(PIECES.highest_id + 1)}, TRANSFORM.sizes)
TEXTS = np.array(["a b " * 30, "a b c.", "c <d>"], object)


def outputs() -> np.ndarray:
    """The first sentence is too long to be drawn, the last was not translated."""
    found = np.zeros((3, ANSWER.units), np.float32)
    for row, text in enumerate(["a b", "b c a", ""]):
        ids = PIECES.encode(text)
        found[row, 1 : 1 + len(ids)] = ids
    return found


def test_a_sentence_that_fits_is_drawn(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = translation.transformer(SPEC, width=8, heads=2, intermediate=8, encoders=1, decoders=1)
    weights = np.array([[[0.1, 0.2, 0.3, 0.3, 0.1], [0, 1, 0, 0, 0], [0.2] * 5, [0.2] * 5]], np.float32)
    seen = []

    def looked(inputs: dict[str, np.ndarray]) -> np.ndarray:
        seen.append({name: ids.tolist() for name, ids in inputs.items()})
        return weights

    model.attention = looked
    (drawn,) = plot([lambda: attention_maps(model, TRANSFORM, ANSWER, {"source": TEXTS}, outputs())], tmp_path)
    assert seen == [{"source": [[4, 5, 6, 8, 2]], "target": [[1, 5, 6, 4]]}]
    assert "1 sentences" in drawn.alt and "“▁c”" in drawn.alt and "100%" in drawn.alt and "at “▁b”" in drawn.alt
    assert "(end)" in drawn.path.read_text(encoding="utf-8")


@pytest.mark.parametrize("attention", ["none", "dot"])
def test_a_network_that_looks_nowhere_has_no_picture(attention: Literal["none", "dot"]) -> None:
    model = translation.seq2seq(SPEC, attention=attention, dimension=4, units=4)
    drawn = attention_maps(model, TRANSFORM, ANSWER, {"source": TEXTS}, outputs())
    assert (drawn is None) == (attention == "none")


def test_no_sentence_no_picture() -> None:
    model = translation.seq2seq(SPEC, dimension=4, units=4)
    assert attention_maps(model, TRANSFORM, ANSWER, {"source": TEXTS}, np.zeros_like(outputs())) is None
