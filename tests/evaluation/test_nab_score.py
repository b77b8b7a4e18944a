"""Is the NAB score the one of its paper, to the digits that the benchmark publishes?"""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.errors import DataError
from dlkit.evaluation.nab_score import (
    PROFILES,
    Profile,
    Stream,
    best_nab_score,
    nab_score,
    probation_rows,
    row_values,
    sweep,
    windows_of,
)

EVEN = Profile(1.0, 1.0, 1.0)


def stream(rows: int, windows: list[list[int]], detections: list[int]) -> Stream:
    scores = np.zeros(rows)
    scores[detections] = 1
    return Stream(scores, np.array(windows, np.int64).reshape(-1, 2))


def raw(one: Stream, profile: Profile) -> float:
    """The sum before it is scaled, as the benchmark's tables have it for a file."""
    windows = len(one.windows)
    scaled = nab_score([one], 0.5, profile)
    return scaled / 100 * windows * (profile.true_positive + profile.false_negative) - windows * profile.false_negative


@pytest.mark.parametrize(
    ("rows", "windows", "detections", "published"),
    [
        # The score is the one published for windowedGaussian, profile standard; where it fires is worked out
        # anew from its definition, and agrees with the published counts of rows found and false.
        (4032, [[2014, 2149], [3328, 3463], [3956, 4032]], [3394, 3395, 4030], -0.06591011872780705),
        (5315, [[2243, 2508], [2877, 3142]], [1148, 1172, 2466, 2515, 4400, 4425, 4807, 5089, 5146],
         -1.3964908955014117),
        (1882, [[669, 764], [1240, 1335]], [432, 1622, 1657, 1781], -2.44),
        (18050, [[16551, 18050]], [817], -1.11),
        (10320, [[5839, 6046], [7080, 7287], [8423, 8630], [8731, 8938], [9977, 10184]], [], -5.0),
    ],
    ids=["latency", "key_updown", "key_hold", "cpu", "taxi"],
)  # fmt: skip
def test_published_files_are_scored_to_the_digit(
    rows: int, windows: list[list[int]], detections: list[int], published: float
) -> None:
    assert raw(stream(rows, windows, detections), PROFILES["standard"]) == pytest.approx(published, abs=1e-9)


def test_the_benchmarks_own_example_of_all_counts() -> None:
    """Two windows of 5: one found at its first row, one missed, one false alarm three rows behind the first."""
    one = stream(1_000, [[300, 305], [600, 605]], [300, 301, 307])
    assert raw(one, EVEN) == pytest.approx(-0.9540, abs=1e-4)


def test_edges_are_those_of_the_scaled_sigmoid() -> None:
    values = row_values(100, np.array([[40, 50]]), EVEN)
    assert values[40] == pytest.approx(1)
    assert values[45] == pytest.approx((2 / (1 + np.exp(-2.5)) - 1) / (2 / (1 + np.exp(-5)) - 1))
    assert 0 < values[49] < 0.25
    assert values[:40].tolist() == [-1.0] * 40
    assert values[58] == pytest.approx(2 / (1 + np.exp(5 * 9 / 9)) - 1)
    assert values[-1] == -1


def test_silence_has_zero_and_perfection_a_hundred() -> None:
    windows = [[300, 400], [700, 800]]
    assert nab_score([stream(1_000, windows, [])], 0.5) == 0
    assert nab_score([stream(1_000, windows, [300, 700])], 0.5) == pytest.approx(100)


def test_one_detection_a_window_counts_and_the_earliest() -> None:
    windows = [[300, 400]]
    early = nab_score([stream(1_000, windows, [310])], 0.5)
    assert nab_score([stream(1_000, windows, [310, 350, 399])], 0.5) == early
    assert nab_score([stream(1_000, windows, [350])], 0.5) < early


def test_false_detections_cost_and_less_just_behind_a_window() -> None:
    windows = [[300, 400]]
    at = {place: nab_score([stream(1_000, windows, [310, place])], 0.5) for place in (250, 401, 430, 900)}
    assert at[250] == at[900] < at[430] < at[401] < nab_score([stream(1_000, windows, [310])], 0.5)
    low = PROFILES["reward_low_fp_rate"]
    assert nab_score([stream(1_000, windows, [310, 900])], 0.5, low) < at[900]


def test_probation_counts_for_nothing() -> None:
    assert [probation_rows(rows) for rows in (100, 1_000, 4_032, 22_695)] == [15, 150, 604, 750]
    windows = [[300, 400]]
    noisy = stream(1_000, windows, [*range(150), 310])
    assert nab_score([noisy], 0.5) == nab_score([stream(1_000, windows, [310])], 0.5)


def test_the_sweep_is_the_score_at_each_threshold() -> None:
    rng = np.random.default_rng(0)
    streams = [
        Stream(rng.integers(0, 30, 400).astype(float), np.array([[100, 150], [200, 240]])),
        Stream(rng.integers(0, 30, 300).astype(float), np.array([[250, 260]])),
        Stream(rng.integers(0, 30, 200).astype(float), np.zeros((0, 2), np.int64)),
    ]
    thresholds, found = sweep(streams)
    for threshold, score in zip(thresholds[1:], found[1:], strict=True):
        flagged = [Stream((one.scores >= threshold).astype(float), one.windows) for one in streams]
        assert nab_score(flagged, 0.5) == pytest.approx(score)
        assert nab_score(streams, threshold) == score
        assert nab_score(streams, threshold - 0.5) == score
    best, top = best_nab_score(streams)
    assert (top, best) == (found.max(), thresholds[found.argmax()])


def test_windows_are_found_by_their_times() -> None:
    times = np.datetime64("2024-01-01T00:00", "ns") + np.arange(10) * np.timedelta64(5, "m")
    limits = [["2024-01-01 00:10:00.000000", "2024-01-01 00:20:00.000000"]]
    assert windows_of(times, limits).tolist() == [[2, 5]]
    assert windows_of(times, []).shape == (0, 2)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(DataError, match="at least one labelled window"):
        sweep([stream(100, [], [3])])
    broken = Stream(np.full(100, np.nan), np.array([[50, 60]]))
    with pytest.raises(DataError, match="finite score"):
        sweep([broken])
