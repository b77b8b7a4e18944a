"""Are networks timed in turns, on rows whose length changes, without the calls that only warm up?"""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np

from dlkit.export.latency import in_turns

ROWS = [{"word_ids": np.ones((1, length), np.int32)} for length in range(1, 13)]


def test_the_latency_is_that_of_a_call():
    found = in_turns({"slow": lambda _: time.sleep(0.004), "quick": lambda _: time.sleep(0.001)}, ROWS, seconds=0.05)
    assert 4_000 <= found["slow"] < 40_000
    assert 1_000 <= found["quick"] < found["slow"]


def test_all_networks_take_the_same_rows_in_turns():
    calls: list[tuple[str, int]] = []

    def recorder(name: str):
        return lambda inputs: calls.append((name, inputs["word_ids"].shape[1]))

    in_turns({"a": recorder("a"), "b": recorder("b")}, ROWS, seconds=0.05)
    assert [length for name, length in calls if name == "a"] == [length for name, length in calls if name == "b"]
    assert {length for _, length in calls} == set(range(1, 13))
    changes = sum(one != other for (one, _), (other, _) in pairwise(calls))
    assert changes > 3


def test_with_repeats_the_call_that_changes_the_length_is_not_counted():
    seen: list[int] = []

    def network(inputs):
        length = inputs["word_ids"].shape[1]
        if not seen or seen[-1] != length:
            time.sleep(0.01)
        seen.append(length)

    assert in_turns({"network": network}, ROWS, seconds=0.1, repeats=4)["network"] < 2_000
    assert in_turns({"network": network}, ROWS, seconds=0.1)["network"] > 9_000
