"""How does a result look in a terminal?"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlkit.evaluation.seen import seen

_WIDE = 200
"""Columns of output that goes into a file or another program."""
_FAINTEST = 0.05
"""A word with less than this share of the strongest one's weight is left uncoloured."""


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as wide as the terminal, or as its content where there is none; numbers to the right."""
    grid = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, values in zip(grid.columns, zip(*rows, strict=True), strict=False):
        column.justify = "right" if all(isinstance(value, int | float) for value in values) else "left"
        column.overflow = "fold"
    for row in rows:
        grid.add_row(*(Text(_cell(value)) for value in row))
    stream = io.StringIO()
    width = shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else _WIDE
    Console(file=stream, width=width, color_system=None).print(grid)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines() if line.strip())


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def recipe_table(rows: Sequence[Mapping[str, Any]]) -> str:
    return table(["recipe", "question", "data", "models"], [
        [row["recipe"], f"broken: {row['problem']}" if row["problem"] else row["question"], row["data"],
         _some(row["models"])]
        for row in rows
    ])  # fmt: skip


def _some(names: Sequence[str], most: int = 4) -> str:
    """The first names, and how many more there are; `dlkit show` has them all."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def recipe_page(about: Mapping[str, Any]) -> str:
    lines = [about["documentation"], "", f"data: {about['data']}", f"models: {', '.join(about['models'])}"]
    for name, members in about["ensembles"].items():
        example = f"--set {members[-1]}.training.epochs=N"
        lines.append(f"{name}: {', '.join(members)} answer as one; a setting of one of them: {example}")
    lines.append("")
    own = {f"{name}.": stages for name, stages in about["members"].items()}
    theirs = {stage for stages in own.values() for stage in stages}
    shared = {stage: values for stage, values in about["settings"].items() if stage not in theirs}
    rows = [
        [f"{of}{stage}.{name}", str(value)]
        for of, stages in {"": shared, **own}.items()
        for stage, values in stages.items()
        for name, value in values.items()
    ]
    return "\n".join([*lines, table(["setting (--set)", f"default of {about['model']}"], rows)])


def run_summary(metrics: Mapping[str, Any]) -> str:
    names = list(metrics["test"])
    named = {"this network, test": metrics["test"]}
    named |= {f"baseline {name.replace('_', ' ')}": figures for name, figures in metrics["baselines"].items()}
    rows = [[who, *(figures.get(name, "") for name in names)] for who, figures in named.items()]
    sample = " (sample data, for trying out)" if metrics["data"]["sample"] else ""
    parts = [f"{metrics['recipe']} · {metrics['model']} on {metrics['data']['name']}{sample}"]
    if "skill" in metrics:
        from dlkit.evaluation.headline import headline  # with scikit-learn: `dlkit list` has no use for it

        parts.append(headline(metrics))
    parts.append(table(["", *names], rows))
    if "signatures" in metrics:
        parts.append("\n".join(f"{name}: {signature}" for name, signature in metrics["signatures"].items()))
    if "latents" in metrics:
        parts.append(_protocol(metrics["latents"]))
    if lines := [line for one in seen(metrics) if (line := one.line())]:
        parts.append("\n".join(lines))
    if "folds" in metrics:
        parts.append(_folds(metrics["folds"]))
    parts.append(proof_table(metrics["artefacts"]))
    parts += [f"warning: {warning}" for warning in metrics["warnings"]]
    run, seconds, memory = metrics["run"], metrics["seconds"]["total"], metrics["peak_memory_mb"]
    parts.append(f"{run} in {seconds:.1f} s, {memory:.0f} MB at most · report: {run}/report.html")
    return "\n\n".join(parts)


def _protocol(latents: Mapping[str, Any]) -> str:
    from dlkit.evaluation.report import protocol  # with scikit-learn: `dlkit list` has no use for it

    return protocol(latents)


def _folds(folds: Mapping[str, Any]) -> str:
    named = {"this network": folds, **folds.get("baselines", {})}
    names = [name for name in folds if name not in ("k", "baselines")]
    rows = [[who.replace("_", " "), *(_spread(figures, name) for name in names)] for who, figures in named.items()]
    return table([f"{folds['k']}-fold", *names], rows)


def _spread(figures: Mapping[str, Any], name: str) -> str:
    return f"{figures[name]['mean']:.4g} ± {figures[name]['std']:.2g}" if name in figures else ""


def proof_table(artefacts: Mapping[str, Any]) -> str:
    shares = {"agreement": "same answer", "greedy_agreement": "searched greedily"}
    known = [name for name in shares if any(name in entry for entry in artefacts.values())]
    rows = [
        [
            name, entry.get("bytes", ""), entry["max_abs_diff"],
            *(f"{entry[share]:.2%}" if share in entry else "" for share in known), entry["rows"],
        ]
        for name, entry in artefacts.items()
    ]  # fmt: skip
    heads = ["artefact", "bytes", "largest difference", *(shares[name] for name in known), "rows replayed"]
    return table(heads, rows)


def explanations(document: Mapping[str, Any]) -> str:
    """A paragraph a text: the answer, on a terminal with colours the text in them, and its strongest words."""
    colours = _colour_system()
    parts = [f"{document['run']} · {document['model']} by {document['method']}"]
    for found in document["explanations"]:
        lines = [f"{found['label']}  {found['score']:.1%}"]
        if "warning" in found:
            lines.append(f"warning: {found['warning']}")
        lines.append(_highlighted(found, colours) if colours else _opening(found["text"]))
        others = f"for {found['label']} (+) or against it (-), in units of the logit"
        rows = [[f"{word['weight']:+.3f}", word["word"], word["count"]] for word in found["strongest"]]
        lines.append(table(["weight", others, "times"], rows) if rows else "no word of it carried anything")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _opening(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"


def _highlighted(found: Mapping[str, Any], colours: Literal["standard", "256", "truecolor"]) -> str:
    """The text with green behind the words that speak for the answer and red behind those against it."""
    text = Text(printable(found["text"]))
    most = max((abs(word["weight"]) for word in found["words"]), default=0) or 1
    for word in found["words"]:
        strength = abs(word["weight"]) / most
        if strength >= _FAINTEST:
            pale = round(225 * (1 - strength))
            colour = (pale, 215, pale) if word["weight"] > 0 else (255, round(90 + 0.6 * pale), round(90 + 0.6 * pale))
            text.stylize(f"black on rgb({colour[0]},{colour[1]},{colour[2]})", word["start"], word["stop"])
    stream = io.StringIO()
    width = shutil.get_terminal_size().columns
    Console(file=stream, width=width, force_terminal=True, color_system=colours).print(text)
    return stream.getvalue().rstrip("\n")


def _colour_system() -> Literal["standard", "256", "truecolor"] | None:
    """What colours standard output has; none in a file, for another program, and where NO_COLOR is set."""
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return None
    found = Console(file=sys.stdout).color_system
    return found if found in ("standard", "256", "truecolor") else None  # type: ignore[return-value]  # one of them


def printable(text: str) -> str:
    """A text of the same length without control characters, which could rewrite what stands on the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def figures(document: Mapping[str, Any]) -> str:
    head = f"{document['run']} · {document['artefact']} on {document['rows']} test rows"
    lines = [f"{name}: {signature}" for name, signature in document.get("signatures", {}).items()]
    lines += [_protocol(document["latents"])] if "latents" in document else []
    return "\n".join([head, table(["figure", "value"], list(map(list, document["test"].items()))), *lines])


def bench_table(artefacts: Mapping[str, Any]) -> str:
    columns = {
        "bytes": "bytes",
        "latency_us": "latency, µs",
        "rows_per_second": "rows a second",
        "speedup": "speed-up",
        "network_latency_us": "network alone, µs",
        "network_speedup": "speed-up",
        "decoder_latency_us": "decoder alone, µs",
        "decoder_speedup": "speed-up",
        "greedy_latency_us": "greedily, µs",
    }
    columns = {column: title for column, title in columns.items() if any(column in one for one in artefacts.values())}
    rows = [[name, *(entry.get(column, "") for column in columns)] for name, entry in artefacts.items()]
    return table(["artefact", *columns.values()], rows)


def dataset_table(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ["dataset", "where", "bytes", "prepared", "licence"]
    return table(heads, [[row["name"], row["where"], row["bytes"], row["prepared"], row["licence"]] for row in rows])


def diagnosis(found: Mapping[str, Any]) -> str:
    rows = [[name, value if not isinstance(value, dict | list) else _listed(value)] for name, value in found.items()]
    return table(["", ""], rows)


def _listed(value: Mapping[str, object] | Sequence[object]) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {about}" for name, about in value.items())
    return ", ".join(map(str, value)) or "none"
