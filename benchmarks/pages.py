"""How does a page of docs/ come from runs of `dlkit run`, each made once and kept?

A page has parts; a part is a table, a row for each run that it wants, mean over seeds. What a run gave is appended to a
file of results and not measured again, so that a page can be made over several days and written at any time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

from measuring import HERE, Finished, run

DLKIT = str(Path(sys.executable).with_name("dlkit"))
DOCS = HERE.parent / "docs"
RESULTS = HERE / "results"
"""What runs gave, a line each: kept with the programs, so that a page can be continued on another machine."""
Result = Mapping[str, object]
Figure = tuple[Callable[[Result], float | str], str]
"""What it reads from a result, and the form it is written in."""
CONDITIONS = ("data", "versions", "warnings")


@dataclass(frozen=True)
class Wanted:
    """A run. `row`: what it is called in a table. `changes`: arguments of `dlkit run` beside model and seed. `start`:
    the run that it goes on from, which may itself go on from one; made beforehand and not counted.
    """

    recipe: str
    model: str
    changes: tuple[str, ...] = ()
    row: str = ""
    start: Wanted | None = None

    @property
    def name(self) -> str:
        return self.row or f"`{self.model}`"

    def key(self, seed: int | str) -> str:
        parts = ["run", self.recipe, "--model", self.model, *self.changes]
        parts += ["--from", f"saved_models/{self.start.recipe}/{len(self.before)}"] if self.start else []
        return shlex.join([*parts, "--seed", str(seed)])

    @property
    def before(self) -> list[Wanted]:
        """The runs that this one goes on from, the last one first."""
        return [] if self.start is None else [self.start, *self.start.before]


@dataclass(frozen=True)
class Part:
    """A table. `columns`: names of figures. `beside`: lines below the rows, of no run. `after`: a remark."""

    title: str
    about: str
    columns: tuple[str, ...]
    runs: Sequence[Wanted]
    beside: Sequence[str] = ()
    after: str = ""


@dataclass(frozen=True)
class Page:
    """`name`: of the page, its program and its results. `taken`: what is kept of a run's JSON beside `CONDITIONS`.

    `figures`: by the name of a column. `costs`: those that get no standard deviation. `bench`: whether `dlkit bench`
    follows each run.
    """

    name: str
    heading: str
    parts: Mapping[str, Part]
    figures: Mapping[str, Figure]
    costs: Collection[str]
    taken: Sequence[str]
    bench: bool = False


def write(page: Page, about: str) -> None:
    """The program of a page: `about`, its docstring."""
    options = _parsed(page, about)
    models = options.models and options.models.split(",")
    seeds = [int(seed) for seed in options.seeds.split(",")]
    wanted = [one for name in options.parts for one in page.parts[name].runs if not models or one.model in models]
    keys = {one.key(seed): (one, seed) for seed in seeds for one in wanted}
    known = results(options.results)
    due = [] if options.table_only else [key for key in keys if key not in known]
    for count, key in enumerate(due, start=1):
        print(f"{count}/{len(due)}  dlkit {key}", file=sys.stderr, flush=True)
        if (measured := _measured(*keys[key], page)) is not None:
            append(options.results, measured)
    known = results(options.results)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(_text(page, known), encoding="utf-8")
    print(f"{options.out}" + "".join(f"\nmissing: dlkit {key}" for key in keys if key not in known))


def _parsed(page: Page, about: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--parts", default=",".join(page.parts), help="of the page, with commas between")
    parser.add_argument("--models", help="names with commas between; all where nothing is said")
    parser.add_argument("--seeds", default="0", help="numbers with commas between")
    kept = RESULTS / f"{page.name}.jsonl"
    parser.add_argument("--results", type=Path, default=kept, help="a line a run; resumed from")
    parser.add_argument("--table-only", action="store_true", help="write the page of the results that are there")
    parser.add_argument("--out", type=Path, default=DOCS / f"{page.name}.md")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    if unknown := [name for name in options.parts if name not in page.parts]:
        parser.error(f"--parts: there is no {unknown[0]!r}; of {', '.join(page.parts)}")
    return options


def _measured(wanted: Wanted, seed: int, page: Page) -> dict[str, object] | None:
    """A line of the results; None where the run failed, which is said."""
    key = wanted.key(seed)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            start = ""
            for earlier in reversed(wanted.before):
                start = str(run(_command(earlier, seed, start, scratch)).document["run"])
            before = os.times()
            whole = run(_command(wanted, seed, start, scratch))
            after = os.times()
            bench = {"bench": benched(whole)} if page.bench else {}
        except RuntimeError as error:
            print(f"failed: {error}", file=sys.stderr)
            return None
        shutil.rmtree(str(whole.document["run"]))
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "key": key, "seed": seed,
        **{name: whole.document[name] for name in (*page.taken, *CONDITIONS)}, **bench,
        "cpu_seconds": round(processor), **costs(whole),
    }  # fmt: skip


def _command(wanted: Wanted, seed: int, start: str, out: str) -> list[str]:
    """Where its run goes on from another one, from that in the folder `start`."""
    command = [DLKIT, *shlex.split(wanted.key(seed)), "--out", out, "--json"]
    if wanted.start is not None:
        command[command.index("--from") + 1] = start
    return command


def benched(whole: Finished) -> object:
    """What `dlkit bench` says of the artefacts of a run."""
    return run([DLKIT, "bench", str(whole.document["run"]), "--json"]).document["artefacts"]


def costs(whole: Finished) -> dict[str, object]:
    """What a process took, and on which machine."""
    return {
        "whole_seconds": round(whole.seconds, 2), "peak_mb": round(whole.peak_mb, 1), "machine": machine(),
        "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def models(recipe: str) -> list[str]:
    """Names of the models on offer."""
    found = run([DLKIT, "show", recipe, "--json"]).document["models"]
    assert isinstance(found, list), found
    return [str(name) for name in found]


def append(path: Path, result: Result) -> None:
    """Without where this machine keeps the data."""
    data = result["data"]
    about = {name: value for name, value in data.items() if name != "source"} if isinstance(data, Mapping) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**result, "data": about}, ensure_ascii=False) + "\n")


def results(path: Path) -> dict[str, Result]:
    """Results by key; a line that was cut off by an interruption is measured again."""
    found: dict[str, Result] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            print(f"{path}: a damaged line is left out", file=sys.stderr)
            continue
        found[str(result["key"])] = result
    return found


def machine() -> str:
    """The processor's name and the number of cores."""
    names = Path("/proc/cpuinfo")
    lines = names.read_text(encoding="utf-8").splitlines() if names.is_file() else []
    found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{found[0] if found else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def number(*path: str) -> Callable[[Result], float]:
    """Reads a figure that lies at `path` in a result."""

    def read(result: Result) -> float:
        found: object = result
        for name in path:
            found = found[name] if isinstance(found, Mapping) and name in found else float("nan")
        return float(found) if isinstance(found, int | float) else float("nan")

    return read


def scaled(read: Callable[[Result], float], factor: float) -> Callable[[Result], float]:
    return lambda result: read(result) * factor


def ratio(above: Callable[[Result], float], below: Callable[[Result], float]) -> Callable[[Result], float]:
    return lambda result: above(result) / below(result)


def _text(page: Page, known: Mapping[str, Result]) -> str:
    found = [*header(f"python benchmarks/{page.name}.py"), f"# {page.heading}"]
    for part in page.parts.values():
        rows = [(one, _of_all_seeds(one, known)) for one in part.runs]
        if rows := [(one, runs) for one, runs in rows if runs]:
            table = "\n".join([*_table(page, part, rows), *part.beside])
            found += [f"## {part.title}", part.about, table, *([part.after] if part.after else [])]
            found += [_commands([one for one, _ in rows]), _conditions([result for _, runs in rows for result in runs])]
    return "\n\n".join(found) + "\n"


def header(command: str) -> list[str]:
    return [
        "<!-- Generated: do not edit. -->",
        f"This file was generated by `{command}`; change that program, not this page.",
    ]


def _of_all_seeds(one: Wanted, known: Mapping[str, Result]) -> list[Result]:
    start = one.key("SEED").removesuffix("SEED")
    return [result for key, result in known.items() if key.startswith(start) and key[len(start) :].isdigit()]


def _table(page: Page, part: Part, rows: Sequence[tuple[Wanted, Sequence[Result]]]) -> list[str]:
    kinds = {name: "---|" if page.figures[name][1] == "" else "---:|" for name in part.columns}
    lines = ["| | " + " | ".join(kinds) + " |", "|---|" + "".join(kinds.values())]
    for one, runs in rows:
        cells = []
        for name in part.columns:
            read, form = page.figures[name]
            values = [read(result) for result in runs]
            if any(isinstance(value, str) for value in values):
                cells.append(different(map(str, values)))
            else:
                cells.append(cell([float(value) for value in values], form, spread=name not in page.costs))
        lines.append(f"| {one.name} | " + " | ".join(cells) + " |")
    return lines


def cell(values: Sequence[float], form: str, *, spread: bool) -> str:
    """Mean, and standard deviation where there are several values and `spread` asks for it."""
    if any(map(math.isnan, values)):  # a figure that the run does not have
        return "–"
    return f"{mean(values):{form}}" + (f" ± {stdev(values):{form}}" if spread and len(values) > 1 else "")


def _commands(rows: Sequence[Wanted]) -> str:
    """Commands that differ in more than the model, each once and with the rows it stands for."""
    of_changes: dict[tuple[str, tuple[str, ...], Wanted | None], list[Wanted]] = {}
    for one in rows:
        of_changes.setdefault((one.recipe, one.changes, one.start), []).append(one)
    lines = []
    for alike in of_changes.values():
        several = len({one.model for one in alike}) > 1
        command = replace(alike[0], model="MODEL" if several else alike[0].model).key("SEED")
        label = "" if len(of_changes) == 1 else f"* {', '.join(one.name for one in alike)}: "
        before = "".join(f", from `dlkit {earlier.key('SEED')}`" for earlier in alike[0].before)
        lines.append(f"{label}`dlkit {command} --json`{before}")
    return "\n".join(lines)


def _conditions(runs: Sequence[Result]) -> str:
    """Seeds, machine and versions, each once."""
    seeds = sorted({int(str(result["seed"])) for result in runs})
    return f"Seeds {', '.join(map(str, seeds))}. {computer(runs)}"


def computer(runs: Sequence[Result]) -> str:
    # A run that was made by hand, and its result written down later, has none.
    loads = [float(str(result["load"])) for result in runs if "load" in result]
    load = f", load {min(loads):g} to {max(loads):g} when a run had ended" if loads else ""
    versions = different(
        ", ".join(f"{name} {value}" for name, value in result["versions"].items())
        for result in runs
        if isinstance(result["versions"], Mapping)
    )
    machines = different(str(result["machine"]) for result in runs)
    return f"Machine: {machines}{load}. Versions: {versions}."


def different(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))
