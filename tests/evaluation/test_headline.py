"""Does the first sentence of a report say of alarms what labels can tell?"""

from __future__ import annotations

import pytest

from dlkit.evaluation.headline import headline


@pytest.mark.parametrize(
    ("labelled", "said"),
    [
        ({"normal": 9, "anomaly": 0}, "20.0% of those with a label are above the threshold: all of them are normal"),
        ({"normal": 0, "anomaly": 9}, "20.0% of those with a label are above the threshold: all of them are anomalies"),
        ({"normal": 0, "anomaly": 0}, "20.0% are above the threshold; without labels nobody can say"),
        ({}, "20.0% are above the threshold; without labels nobody can say"),
    ],
)
def test_alarms_of_rows_of_one_kind(labelled: dict[str, int], said: str) -> None:
    metrics = {"task": "anomaly", "data": {"test_rows": 9, "name": "own"}, "test": {"alarm_share": 0.2}}
    assert f"On 9 test rows of own {said}" in headline({**metrics, "labelled": labelled})
