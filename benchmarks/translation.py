"""How well does each translator translate, short sentences and long ones, and how did it get there?

    dlkit run transformer --model ensemble --out RUNS
    dlkit run seq2seq --out RUNS
    dlkit run seq2seq --model bottleneck --out RUNS
    python benchmarks/translation.py RUNS/*/*

Trainings take up to an hour and a half, so they are made beforehand: what finished runs say of themselves is added to
results/translation.jsonl, where a run of the same command takes the place of an older one, and the page
docs/translation.md with its curves is written from all that is there. Trainings of which only figures were kept are in
results/translators_tried.jsonl.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from pages import DOCS, RESULTS, Result, append, cell, different, header, machine, number, results

FIGURES = {
    "BLEU, as papers count": (number("test", "bleu_tokenised"), ".1f"),
    "same, validation": (number("validation", "bleu_tokenised"), ".1f"),
    "sacreBLEU": (number("test", "bleu"), ".1f"),
    "chrF": (number("test", "chrf"), ".1f"),
    "perplexity of a piece": (number("test", "perplexity"), ".2f"),
    "parameters": (number("parameters"), ",.0f"),
    "train, s": (number("seconds", "train"), ",.0f"),
    "peak, MB": (number("peak_memory_mb"), ",.0f"),
}
ARTEFACTS = {
    "bytes": ("bytes", ",.0f"),
    "same sentence as Keras": ("agreement", ".2%"),
    "largest difference of scores": ("max_abs_diff", ".1g"),
}
KEPT = (
    "recipe", "model", "seed", "parameters", "peak_memory_mb", "test", "validation", "baselines", "search",
    "signatures", "by_length", "seconds", "versions",
)  # fmt: skip
COUNTS = ("train_rows", "validation_rows", "test_rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="folders of finished runs, added to the page")
    parser.add_argument("--remark", default="", help="what a reader must know of how these runs were made")
    parser.add_argument("--results", type=Path, default=RESULTS / "translation.jsonl", help="a line a run")
    parser.add_argument("--tried", type=Path, default=RESULTS / "translators_tried.jsonl", help="a line a training")
    parser.add_argument("--out", type=Path, default=DOCS / "translation.md")
    options = parser.parse_args()
    for folder in options.runs:
        append(options.results, kept(folder, options.remark))
    runs = list(results(options.results).values())
    if not runs:
        parser.error(f"{options.results} holds no run: name folders of finished runs, such as saved_models/seq2seq/1")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    curves(runs, options.out.with_suffix(".svg"))
    tried = list(results(options.tried).values())
    options.out.write_text(page(runs, tried, options.out.with_suffix(".svg").name), encoding="utf-8")
    print(options.out)


def kept(folder: Path, remark: str) -> dict[str, object]:
    """Of a run's `metrics.json`, `run.json` and `history.csv`, what the page says."""
    metrics, record = (json.loads((folder / name).read_text("utf-8")) for name in ("metrics.json", "run.json"))
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        history = list(csv.DictReader(file))
    of_pairs, names = record["settings"]["data"], [key for key, _ in ARTEFACTS.values()]
    return {
        "key": record["command"],
        **{name: metrics[name] for name in KEPT if name in metrics},
        "data": {name: metrics["data"][name] for name in ("name", *COUNTS)},
        "pair": f"{of_pairs['source']} to {of_pairs['target']}",
        "artefacts": {
            name: {key: one[key] for key in (*names, "test") if key in one}
            for name, one in metrics["artefacts"].items()
        },
        "losses": {
            column.removeprefix("val_").removesuffix("loss").strip("_"): [
                round(float(row[column]), 4)
                for row in history
                if row[column] != "nan"  # another member learned on
            ]
            for column in history[0]
            if column.startswith("val_") and column.endswith("_loss")
        },
        "machine": machine(),
        "remark": remark,
    }


def name_of(run: Result) -> str:
    return f"{run['recipe']}" if run["recipe"] == run["model"] else f"{run['recipe']}, {run['model']}"


def part_of(run: Result, *path: str) -> Mapping[str, object]:
    """What lies at `path` in a result; nothing where it has none."""
    found: object = run
    for name in path:
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def page(runs: Sequence[Result], tried: Sequence[Result], picture: str) -> str:
    counts = number("data", "train_rows"), number("data", "validation_rows"), number("data", "test_rows")
    data = different(
        "{}, {}: {:,.0f} training, {:,.0f} validation, {:,.0f} test pairs".format(
            part_of(run, "data")["name"], run["pair"], *(count(run) for count in counts)
        )
        for run in runs
    )
    signatures = different(
        "; ".join(f"{name}: `{text}`" for name, text in part_of(run, "signatures").items()) for run in runs
    )
    found = [
        *header("python benchmarks/translation.py"),
        "# Translators",
        f"{data}. Settings and epoch were chosen on validation sentences; test sentences were looked at once.",
        models(runs),
        f"{signatures}.",
        "\n".join(f"* {name_of(run)}: `{run['key']}`; {run['machine']}. {run['remark']}".rstrip() for run in runs),
        "## Short sentences and long ones",
        "sacreBLEU by the number of words in the reference.",
        by_length(runs),
        "## How they got there",
        f"![Validation loss by epoch]({picture})",
        "The loss of validation sentences counts smoothed targets.",
        "## Artefacts",
        "`dynamic` is the 8-bit LiteRT file of `dlkit export RUN --format tflite --quantize dynamic`.",
        artefacts(runs),
    ]
    if tried:
        found += [
            "## Others that were tried",
            "BLEU as papers count it.",
            table(["validation", "test", ""], [other(one) for one in tried], kinds="---:|---:|---|"),
        ]
    return "\n\n".join(found) + "\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], kinds: str = "") -> str:
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + (kinds or "---:|" * len(heads))]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def one_cell(value: float, form: str) -> str:
    return cell([value], form, spread=False)


def models(runs: Sequence[Result]) -> str:
    rows = [[name_of(run), *(one_cell(read(run), form) for read, form in FIGURES.values())] for run in runs]
    for name, figures in part_of(runs[0], "baselines").items():
        cells = [one_cell(read({"test": figures}), form) for read, form in FIGURES.values()]
        rows.append([f"baseline: {name.replace('_', ' ')}", *cells])
    return table(list(FIGURES), rows)


def by_length(runs: Sequence[Result]) -> str:
    lengths = list(dict.fromkeys(name for run in runs for name in part_of(run, "by_length")))
    rows = [
        [name_of(run), *(one_cell(number("by_length", name, "bleu")(run), ".1f") for name in lengths)] for run in runs
    ]
    return table(lengths, rows)


def artefacts(runs: Sequence[Result]) -> str:
    rows = [
        [
            f"{name_of(run)}: {name}",
            *(one_cell(number("artefacts", name, key)(run), form) for key, form in ARTEFACTS.values()),
            *(one_cell(number("artefacts", name, "test", key)(run), ".2f") for key in ("bleu", "chrf")),
        ]
        for run in runs
        for name in part_of(run, "artefacts")
    ]
    return table([*ARTEFACTS, "sacreBLEU", "chrF"], rows)


def other(one: Result) -> list[str]:
    """A training of which only figures were kept: what it was, BLEU on validation and on test, and what else is known
    of it.
    """
    figures = (one_cell(number(name)(one), ".1f") for name in ("validation", "test"))
    return [f"{one['what']}: `{one['key']}`", *figures, str(one["remark"])]


def curves(runs: Sequence[Result], path: Path) -> None:
    """Validation loss by epoch, a line for each network."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dlkit", "font.family": ["DejaVu Sans"]}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        for run in runs:
            for member, losses in part_of(run, "losses").items():
                assert isinstance(losses, list), losses
                label = f"{name_of(run)}: {member}" if member else name_of(run)
                axes.plot(range(1, len(losses) + 1), losses, label=label)
        axes.set(xlabel="epoch", ylabel="validation loss (nats a piece)")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        FigureCanvasSVG(figure)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
