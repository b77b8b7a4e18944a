"""Are pixels drawn as often white as they are bright, once or in every epoch as the protocol says?"""

from __future__ import annotations

import numpy as np

from dlkit.contracts import Examples
from dlkit.data.batches import Batches
from dlkit.data.binarised import Binarised

EVERY = np.arange(4_000)


def levels() -> np.ndarray:
    """(4000, 1, 3, 1): black, a quarter bright, white."""
    return np.broadcast_to(np.array([0, 64, 255], np.uint8)[None, None, :, None], (4_000, 1, 3, 1)).copy()


def test_a_pixel_is_white_as_often_as_it_is_bright() -> None:
    drawn = Binarised(levels(), 0, anew=False).take(EVERY)
    assert drawn.dtype == np.float32 and set(np.unique(drawn)) == {0.0, 1.0}
    black, quarter, white = drawn.mean(axis=(0, 1, 3))
    assert black == 0 and white == 1
    assert abs(quarter - 64 / 255) < 4 * np.sqrt(0.19 / 4_000)


def test_a_static_draw_is_the_same_at_each_call_and_another_for_another_seed() -> None:
    first, second = Binarised(levels(), 0, anew=False), Binarised(levels(), 1, anew=False)
    assert (first.take(EVERY) == first.take(EVERY)).all()
    assert (first.take(EVERY[::-1]) == first.take(EVERY)[::-1]).all()
    assert (first.take(EVERY) != second.take(EVERY)).any()


def epoch(rows: Binarised, number: int, seed: int | None) -> np.ndarray:
    batches = Batches(Examples({"image": rows}), 4_000, seed=seed)
    batches.epoch = number
    (batch,) = batches
    order = np.concatenate(batches.order())
    found = np.empty_like(batch)
    found[order] = batch
    return found


def test_batches_of_a_training_draw_anew_only_under_the_dynamic_protocol() -> None:
    static, dynamic = Binarised(levels(), 0, anew=False), Binarised(levels(), 0, anew=True)
    assert (epoch(static, 0, seed=3) == epoch(static, 1, seed=3)).all()
    assert (epoch(dynamic, 0, seed=3) != epoch(dynamic, 1, seed=3)).any()
    assert (epoch(dynamic, 1, seed=3) == epoch(dynamic, 1, seed=3)).all()  # a resumed training sees the same


def test_held_out_rows_are_drawn_once_under_the_dynamic_protocol_too() -> None:
    dynamic = Binarised(levels(), 0, anew=True)
    assert (epoch(dynamic, 0, seed=None) == epoch(dynamic, 1, seed=None)).all()
