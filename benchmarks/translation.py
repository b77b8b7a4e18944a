"""How well does each translator translate, short sentences and long ones, and how did it get there?

    dlkit run transformer --out RUNS
    dlkit run seq2seq --out RUNS
    dlkit run seq2seq --model bottleneck --out RUNS
    python benchmarks/translation.py RUNS/*/*

Trainings take up to an hour and a half, so they are made beforehand: the page docs/translation.md and its curves are
written from what finished runs say of themselves.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from pages import DOCS, different, header, machine, number

FIGURES = {
    "BLEU, as papers count": (number("test", "bleu_tokenised"), ".1f"),
    "sacreBLEU": (number("test", "bleu"), ".1f"),
    "chrF": (number("test", "chrf"), ".1f"),
    "sacreBLEU, validation": (number("validation", "bleu"), ".1f"),
    "perplexity of a piece": (number("test", "perplexity"), ".2f"),
    "parameters": (number("parameters"), ",.0f"),
    "epochs": (number("epochs"), ",.0f"),
    "train, s": (number("seconds", "train"), ",.0f"),
}
ARTEFACTS = {
    "bytes": ("bytes", ",.0f"),
    "same sentence as Keras": ("agreement", ".2%"),
    "largest difference of scores": ("max_abs_diff", ".1g"),
}


@dataclass(frozen=True)
class Made:
    """A finished run: `metrics.json`, `run.json` and `history.csv`."""

    metrics: Mapping[str, object]
    record: Mapping[str, object]
    history: Sequence[Mapping[str, str]]

    @property
    def name(self) -> str:
        recipe, model = self.metrics["recipe"], self.metrics["model"]
        return f"{recipe}" if recipe == model else f"{recipe}, {model}"

    @classmethod
    def read(cls, folder: Path) -> Made:
        metrics, record = (json.loads((folder / name).read_text("utf-8")) for name in ("metrics.json", "run.json"))
        with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
            return cls(metrics, record, list(csv.DictReader(file)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of finished runs, in their order")
    parser.add_argument("--remark", default="", help="what a reader must know of how the runs were made")
    parser.add_argument("--out", type=Path, default=DOCS / "translation.md")
    options = parser.parse_args()
    runs = [Made.read(folder) for folder in options.runs]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    curves(runs, options.out.with_suffix(".svg"))
    options.out.write_text(page(runs, options.out.with_suffix(".svg").name, options.remark), encoding="utf-8")
    print(options.out)


def page(runs: Sequence[Made], picture: str, remark: str) -> str:
    data = different(
        f"{one.metrics['data']['name']}, {one.record['settings']['data']['source']} to "  # type: ignore[index]
        f"{one.record['settings']['data']['target']}: {one.metrics['data']['train_rows']:,} training, "  # type: ignore[index]
        f"{one.metrics['data']['validation_rows']:,} validation, {one.metrics['data']['test_rows']:,} test pairs"  # type: ignore[index]
        for one in runs
    )
    signatures = different(
        "; ".join(f"{name}: `{text}`" for name, text in one.metrics["signatures"].items())  # type: ignore[attr-defined]
        for one in runs
    )
    found = [
        *header("python benchmarks/translation.py RUNS/*/*"),
        "# Translators",
        f"{data}. Settings and epoch were chosen on validation sentences; test sentences were looked at once.",
        *([remark] if remark else []),
        models(runs),
        f"{signatures}. Machine: {machine()}. Seeds {different(str(one.metrics['seed']) for one in runs)}.",
        "\n".join(f"* {one.name}: `{one.record['command']}`" for one in runs),
        "## Short sentences and long ones",
        "sacreBLEU by the number of words in the reference.",
        by_length(runs),
        "## How they got there",
        f"![Validation loss and training seconds]({picture})",
        "## Artefacts",
        artefacts(runs),
    ]
    return "\n\n".join(found) + "\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def cell(value: float, form: str) -> str:
    return "–" if value != value else f"{value:{form}}"  # noqa: PLR0124 (NaN: the run does not have it)


def models(runs: Sequence[Made]) -> str:
    rows = [[one.name, *(cell(read(dict(one.metrics)), form) for read, form in FIGURES.values())] for one in runs]
    baselines: Mapping[str, object] = runs[0].metrics["baselines"]  # type: ignore[assignment]
    for name in baselines:
        beside = {"test": baselines[name]}
        cells = [cell(read(beside), form) for read, form in FIGURES.values()]
        rows.append([f"baseline: {name.replace('_', ' ')}", *cells])
    return table(list(FIGURES), rows)


def by_length(runs: Sequence[Made]) -> str:
    lengths = list(dict.fromkeys(name for one in runs for name in one.metrics["by_length"]))  # type: ignore[attr-defined]
    rows = [
        [one.name, *(cell(number("by_length", name, "bleu")(dict(one.metrics)), ".1f") for name in lengths)]
        for one in runs
    ]
    return table(lengths, rows)


def artefacts(runs: Sequence[Made]) -> str:
    rows = [
        [
            f"{one.name}: {name}",
            *(cell(number("artefacts", name, key)(dict(one.metrics)), form) for key, form in ARTEFACTS.values()),
            *(cell(number("artefacts", name, "test", key)(dict(one.metrics)), ".2f") for key in ("bleu", "chrf")),
        ]
        for one in runs
        for name in one.metrics["artefacts"]  # type: ignore[attr-defined]
    ]
    return table([*ARTEFACTS, "sacreBLEU", "chrF"], rows)


def curves(runs: Sequence[Made], path: Path) -> None:
    """Validation loss over minutes of training."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dlkit", "font.family": ["DejaVu Sans"]}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for one in runs:
            minutes, loss = [], []
            for row in one.history:
                minutes.append((minutes[-1] if minutes else 0.0) + float(row["seconds"]) / 60)
                loss.append(float(row["val_loss"]))
            axes.plot(minutes, loss, label=one.name)
        axes.set(xlabel="minutes of training", ylabel="validation loss (nats a piece)")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        FigureCanvasSVG(figure)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
