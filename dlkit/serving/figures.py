"""How good is a served model, as its own run recorded it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlkit.errors import RunError
from dlkit.inference.runs import read_json


@dataclass(frozen=True)
class Figures:
    """`rows`: a row a metric, its figure for each of `columns`: "this model", then the baselines.

    `remarks`: sentences that must stand beside the figures (a sample, a model that does not beat a baseline).
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    source: str
    remarks: tuple[str, ...]


def read_figures(run: Path) -> Figures | None:
    """The test figures in `metrics.json`; None where the run has none that can be read."""
    try:
        content = read_json(run / "metrics.json")
    except RunError:
        return None
    test = _numbers(content.get("test"))
    if not test:
        return None
    listed = content.get("baselines")
    baselines = {str(name): _numbers(values) for name, values in listed.items()} if isinstance(listed, dict) else {}
    rows = tuple((name, (value, *(their.get(name) for their in baselines.values()))) for name, value in test.items())
    data = content.get("data")
    data = data if isinstance(data, dict) else {}
    warnings = content.get("warnings")
    remarks = [str(warning) for warning in warnings] if isinstance(warnings, list) else []
    if data.get("sample"):
        remarks.insert(0, "Trained and tested on sample data: these figures say nothing of the real task.")
    count = data.get("test_rows")
    rows_text = f"{count:,} test rows of " if isinstance(count, int) else "test rows of "
    return Figures(("this model", *baselines), rows, rows_text + str(data.get("name", run.parent.name)), tuple(remarks))


def _numbers(values: object) -> dict[str, float]:
    if not isinstance(values, dict):
        return {}
    return {
        str(name): value
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
