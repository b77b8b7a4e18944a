"""Which models do the server's tests ask? Two stand-ins with the interface of a Predictor and no interpreter.

Run as a program (`python conftest.py PORT FOLDER`) it serves them, for the tests that need a real server.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dlkit.contracts import Columns
from dlkit.errors import DlkitError
from dlkit.inference import Predictor
from dlkit.inference.inputs import columns_from
from dlkit.inference.tables import NumberColumn, TableRows


class Reviews(Predictor):
    """Says "pos" to a review that holds "good"; raises as a broken model would on "crash"."""

    def __init__(self, run: Path, version: int = 3) -> None:
        self.recipe, self.version, self.run, self.task = "imdb", version, run, "classification"
        self.question = "Is a film review positive or negative?"
        self.kinds = {"text": "text"}
        self.choices = {}
        self.labels = ("neg", "pos")

    def predict(self, items):
        texts = columns_from(items, self.kinds)["text"]
        if "crash" in texts:
            raise DlkitError("the model failed")
        if "bug" in texts:
            raise ZeroDivisionError
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> dict[str, object]:
        pos = float("nan") if text == "nan" else 0.97 if "good" in text else 0.1
        answer: dict[str, object] = {"label": "pos" if pos > 0.5 else "neg", "score": max(pos, 1 - pos)}
        answer["probabilities"] = {"neg": 1 - pos, "pos": pos}
        if "xyzzy" in text:
            answer["warning"] = "no word of this text was seen in training"
        return answer


class Houses(Predictor):
    """A town's price is ten times its rooms; a river adds five."""

    def __init__(self, run: Path) -> None:
        self.recipe, self.version, self.run, self.task = "boston", 1, run, "regression"
        self.question = "What does a house in a town near Boston cost?"
        rooms = NumberColumn(fill=6.2, shift=0.0, scale=1.0)
        tax = NumberColumn(fill=400.0, shift=0.0, scale=1.0)
        self.transform = TableRows({"rooms": rooms, "tax": tax}, {"river": ("no", "yes")})
        self.kinds, self.choices, self.labels = self.transform.kinds, self.transform.choices, ()

    def predict(self, items):
        columns: Columns = columns_from(items, self.kinds)
        pairs = zip(columns["rooms"], columns["river"], strict=True)
        values = [10 * float(rooms) + (5 if river == "yes" else 0) for rooms, river in pairs]
        return [{"value": value, "name": "price", "unit": "k$"} for value in values]


def stand_ins(folder: Path) -> list[Predictor]:
    """Two versions of one model and one of another, with what their runs would leave for a person to read."""
    runs = [folder / "imdb" / "2", folder / "imdb" / "3", folder / "boston" / "1"]
    for run in runs:
        (run / "plots").mkdir(parents=True, exist_ok=True)
        (run / "report.html").write_text("<h1>the report</h1>", encoding="utf-8")
        (run / "plots" / "loss.svg").write_text("<svg/>", encoding="utf-8")
        (run / "metrics.json").write_text(json.dumps(_metrics(run.parent.name)), encoding="utf-8")
    return [Reviews(runs[1]), Reviews(runs[0], version=2), Houses(runs[2])]


def _metrics(name: str) -> dict[str, object]:
    if name == "boston":
        test, baselines = {"mae": 2.08, "mse": 9.4}, {"mean": {"mae": 6.5, "mse": 84.6}, "linear": {"mae": 3.3}}
        data = {"name": name, "test_rows": 102, "sample": True}
        return {"test": test, "baselines": baselines, "data": data}
    baselines = {"majority": {"accuracy": 0.5}, "linear": {"accuracy": 0.8891}}
    warnings = ["The network does not beat the linear baseline."]
    data = {"name": name, "test_rows": 25_000}
    return {"test": {"accuracy": 0.8841, "loss": 0.29}, "baselines": baselines, "data": data, "warnings": warnings}


@pytest.fixture
def predictors(tmp_path: Path) -> list[Predictor]:
    return stand_ins(tmp_path)


if __name__ == "__main__":
    from dlkit.serving import serve

    serve(stand_ins(Path(sys.argv[2])), port=int(sys.argv[1]), say=lambda line: sys.stderr.write(line + "\n"))
    loaded = {name.partition(".")[0] for name in sys.modules}
    sys.stderr.write(f"loaded: {sorted(loaded & {'tensorflow', 'keras', 'nicegui'})}\n")
