"""What does each model of a recipe reach, and what does it cost to train, keep and ask?

    DLKIT_DATA=DIR python benchmarks/models.py [RECIPE]… [--models a,b] [--seeds 0,1,2] [--data PATH|sample]

Every run is `dlkit run RECIPE --model NAME --seed N --json` in a fresh process, followed by `dlkit bench`, so seconds
and peak memory are those that a user sees. What a run gave is appended to a file (`--results`) and not measured again;
from that file the tables of docs/models.md are written (`--table-only` writes them and runs nothing). The table of a
recipe that the file has no run of stays as it is on the page.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import run
from pages import (
    DLKIT,
    DOCS,
    RESULTS,
    Result,
    append,
    benched,
    cell,
    computer,
    costs,
    different,
    header,
    models,
    number,
    results,
    scaled,
)

RECIPES = ("imdb", "reuters", "cifar10")
NOT_MEASURED = "Not measured yet:"
OF_MODEL = {("cifar10", "fast"): ("--set", "data.validation_rows=1000")}
"""Arguments of `dlkit run` that a model's figures elsewhere in docs/ were measured with."""


@dataclass(frozen=True)
class Wanted:
    """A run of the table. `changes`: arguments of `dlkit run` beside recipe, model, seed and data."""

    recipe: str
    model: str
    seed: int
    data: str | None
    changes: tuple[str, ...]

    @property
    def arguments(self) -> list[str]:
        data = [] if self.data is None else ["--data", self.data]
        return ["run", self.recipe, "--model", self.model, *data, *self.changes, "--seed", str(self.seed)]

    @property
    def key(self) -> str:
        return shlex.join(self.arguments)


def main() -> None:
    options = parsed()
    changes = tuple(part for change in options.changes for part in ("--set", change))
    changes += () if options.epochs is None else ("--epochs", str(options.epochs))
    names = {recipe: models(recipe) for recipe in RECIPES}
    asked = options.models.split(",") if options.models else None
    wanted = [
        Wanted(recipe, model, seed, options.data, (*OF_MODEL.get((recipe, model), ()), *changes))
        for seed in map(int, options.seeds.split(","))
        for recipe in options.recipes
        for model in names[recipe]
    ]
    known = results(options.results)
    due = [one for one in wanted if one.key not in known and (asked is None or one.model in asked)]
    due = [] if options.table_only else due
    for first in {one.recipe: one for one in due}.values():
        prepare(first)
    for count, one in enumerate(due, start=1):
        print(f"{count}/{len(due)}  dlkit {one.key}", file=sys.stderr, flush=True)
        if (measured := measure(one, options.keep)) is not None:
            append(options.results, measured)
    known = results(options.results)
    chosen = [known[one.key] for one in wanted if one.key in known]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    before = options.out.read_text(encoding="utf-8") if options.out.is_file() else ""
    options.out.write_text(page(chosen, names, before), encoding="utf-8")
    due = [one.key for one in wanted if one.key not in known]
    print(f"{options.out}: {len(chosen)} runs" + "".join(f"\nmissing: dlkit {key}" for key in due))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(RECIPES)}; all if none is named")
    parser.add_argument("--models", help="names with commas between; all on offer where nothing is said")
    parser.add_argument("--seeds", default="0", help="numbers with commas between")
    parser.add_argument("--data", help="as of dlkit run; DLKIT_DATA says it where this does not")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="STAGE.NAME=VALUE")
    parser.add_argument("--epochs", type=int, help="for a quick try")
    parser.add_argument("--results", type=Path, default=RESULTS / "models.jsonl", help="a line a run; resumed from")
    parser.add_argument("--keep", type=Path, help="folder for the runs; thrown away where nothing is said")
    parser.add_argument("--table-only", action="store_true", help="write the table of the results that are there")
    parser.add_argument("--out", type=Path, default=DOCS / "models.md")
    options = parser.parse_args()
    options.recipes = options.recipes or list(RECIPES)
    return options


def prepare(one: Wanted) -> None:
    """An epoch of the recipe's own model, so that no run of the table is the one that prepares the dataset."""
    if one.data != "sample":
        with tempfile.TemporaryDirectory() as scratch:
            data = [] if one.data is None else ["--data", one.data]
            run([DLKIT, "run", one.recipe, *data, "--epochs", "1", "--out", scratch, "--json"])


def measure(one: Wanted, keep: Path | None) -> dict[str, object] | None:
    """A line of the results; None where the run failed, which is said."""
    with tempfile.TemporaryDirectory() as scratch:
        out = ["--out", str(keep.resolve() if keep else scratch)]
        try:
            whole = run([DLKIT, *one.arguments, *out, "--json"])
            folder = str(whole.document["run"])
            bench = benched(whole)
        except RuntimeError as error:
            print(f"failed: {error}", file=sys.stderr)
            return None
        if not keep:
            shutil.rmtree(folder)
    figures = whole.document
    return {
        "key": one.key, "recipe": one.recipe, "model": one.model, "seed": one.seed,
        "test": figures["test"], "baselines": figures["baselines"], "parameters": figures["parameters"],
        "epochs": figures["best_epoch"], "seconds": figures["seconds"], "bench": bench, "data": figures["data"],
        "versions": figures["versions"], "warnings": figures["warnings"], **costs(whole),
    }  # fmt: skip


SCORES = ("accuracy", "macro F1")
COLUMNS: dict[str, tuple[Callable[[Result], float], str]] = {
    "accuracy": (number("test", "accuracy"), ".4f"),
    "macro F1": (number("test", "macro_f1"), ".4f"),
    "parameters": (number("parameters"), ",.0f"),
    "train, s": (number("seconds", "train"), ",.1f"),
    "whole run, s": (number("whole_seconds"), ",.1f"),
    "peak, MB": (number("peak_mb"), ",.0f"),
    "Keras, kB": (scaled(number("bench", "keras", "bytes"), 1e-3), ",.0f"),
    "SavedModel, kB": (scaled(number("bench", "saved_model", "bytes"), 1e-3), ",.0f"),
    "LiteRT, kB": (scaled(number("bench", "tflite", "bytes"), 1e-3), ",.0f"),
    "LiteRT, µs": (number("bench", "tflite", "network_latency_us"), ",.1f"),
    "SavedModel, µs": (number("bench", "saved_model", "network_latency_us"), ",.0f"),
    "ratio": (number("bench", "tflite", "network_speedup"), ".1f"),
    "one size: LiteRT, µs": (number("bench", "tflite", "network_latency_same_length_us"), ",.1f"),
    "raw row: LiteRT, µs": (number("bench", "tflite", "latency_us"), ",.0f"),
    "raw row: ratio": (number("bench", "tflite", "speedup"), ".1f"),
}


def page(chosen: Sequence[Result], names: Mapping[str, Sequence[str]], before: str = "") -> str:
    """The table of every recipe, and what a reader must know of its figures. `before`: the page as it was."""
    parts = [*header(f"python benchmarks/{Path(sys.argv[0]).name} RECIPE"), "# Models, recipe by recipe"]
    for recipe, order in names.items():
        rows = [result for result in chosen if result["recipe"] == recipe]
        if rows:
            parts += [f"## {recipe}", table(rows, order), *missing(rows, order), *conditions(rows)]
        else:
            parts += [section(before, recipe) or "\n\n".join([f"## {recipe}", *missing(rows, order)])]
    return "\n\n".join([*parts, NOTES]) + "\n"


def section(text: str, title: str) -> str:
    """What the page says below this heading, with it; nothing if it has none."""
    _, heading, rest = text.partition(f"\n## {title}\n")
    return (heading + rest.partition("\n## ")[0]).strip()


NOTES = """## What the figures are

* accuracy and macro F1: on the test split, which nothing was chosen by. Mean ± standard deviation where there are
  several seeds; other columns are means.
* train: the stage that trains, refit included. whole run: the process `dlkit run` from its start to its end, with
  encoding, evaluation, export, the proof of every artefact on the whole test split, and the report; an earlier run had
  prepared the dataset. peak: largest resident memory of that process, in 10^6 bytes.
* LiteRT, SavedModel, µs: median of a call of the network alone with one encoded test row (`dlkit bench`: batch 1,
  LiteRT with one thread, the SavedModel's signature `network` in the same process, in turns). Texts differ in length
  from call to call, and LiteRT makes its tensors anew at each change; one size: without that. ratio: SavedModel
  divided by LiteRT.
* raw row: the same from a text or picture to the outputs, encoding included, against the signature
  `serving_default`."""


def table(rows: Sequence[Result], order: Sequence[str]) -> str:
    lines = ["| model | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for model in order:
        of_model = [row for row in rows if row["model"] == model]
        if of_model:
            cells = [
                cell([read(row) for row in of_model], form, spread=name in SCORES)
                for name, (read, form) in COLUMNS.items()
            ]
            lines.append(f"| `{model}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def missing(rows: Sequence[Result], order: Sequence[str]) -> list[str]:
    """What the table leaves out."""
    measured = {row["model"] for row in rows}
    names = ", ".join(f"`{model}`" for model in order if model not in measured)
    return [f"{NOT_MEASURED} {names}."] if names else []


_PLACES = {"--model": "MODEL", "--seed": "SEED"}


def conditions(rows: Sequence[Result]) -> list[str]:
    """Data, baselines, commands, machine and versions, each once."""
    seeds = sorted({int(str(row["seed"])) for row in rows})
    data = [row["data"] for row in rows if isinstance(row["data"], dict)]
    about = different(
        f"{one['name']}: {one['train_rows']:,} training, {one['validation_rows']:,} validation, {one['test_rows']:,} "
        f"test rows{' (a generated sample: figures of no meaning)' if one['sample'] else ''}"
        for one in data
    )
    commands = [shlex.split(str(row["key"])) for row in rows]
    said = (
        shlex.join([_PLACES.get(before, part) for before, part in zip(["", *command], command, strict=False)])
        for command in commands
    )
    common = " or ".join(f"`dlkit {one} --json`" for one in dict.fromkeys(said))
    return [
        f"{common}, then `dlkit bench RUN --json`; seeds {', '.join(map(str, seeds))}. Rows: {about}. {computer(rows)}"
    ]


if __name__ == "__main__":
    main()
