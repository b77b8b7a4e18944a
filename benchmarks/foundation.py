"""How much faster and leaner is dlkit than the notes' own code, and how quick are its commands and artefacts?

    DLKIT_DATA=DIR python benchmarks/foundation.py [imdb] [training] [commands] [artefacts] [--seed N] [--repeats N]

Everything is measured in one run, contenders in turns and each in fresh processes, and printed as one table. The
figures are ratios: seconds depend on the machine and on what else it does, ratios far less. See README.md beside this.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from measuring import Finished, machine, run, script

DLKIT = str(Path(sys.executable).with_name("dlkit"))
TEXT = "What a wonderful film, I laughed and cried and would watch it again."
TEST_STAGES = ("tokenise test", "vectorise test", "encode test")


@dataclass(frozen=True)
class Row:
    """A line of the table. `ratio`: of what it is compared with to ours; `limit`: least ratio, or most of `ours`."""

    what: str
    theirs: str
    ours: str
    ratio: float | None = None
    target: str = ""
    reached: bool | None = None


@dataclass(frozen=True)
class Bench:
    """Where things are, and how often to measure."""

    archive: Path
    scratch: Path
    seed: int
    repeats: int

    @property
    def environment(self) -> dict[str, str]:
        return {"DLKIT_CACHE": str(self.scratch / "cache"), "DLKIT_DATA": str(self.archive.parent.parent)}

    def scripted(self, name: str, *, cache: str = "cache", repeat: int = 0) -> Finished:
        environment = {"DLKIT_CACHE": str(self.scratch / cache)}
        return script(name, str(self.archive), str(self.seed + repeat), environment=environment)

    def dlkit(self, *arguments: str) -> Finished:
        return run([DLKIT, *arguments], environment=self.environment, folder=self.scratch)


def imdb(bench: Bench) -> list[Row]:
    """Archive to trained network: the notes, dlkit the first time, dlkit with the dataset prepared, in turns."""
    notes, first, prepared = [], [], []
    for repeat in range(bench.repeats):
        first.append(bench.scripted("dlkit_imdb.py", cache=f"first-{repeat}", repeat=repeat))
        notes.append(bench.scripted("notes_imdb.py", repeat=repeat))
        prepared.append(bench.scripted("dlkit_imdb.py", cache=f"first-{repeat}", repeat=repeat))
    (bench.scratch / "first-0").rename(bench.scratch / "cache")
    rows = [_stages("the notes", notes), _stages("dlkit, first time", first), _stages("dlkit, prepared", prepared)]
    for name, runs, least in (("first time", first, 2.5), ("dataset prepared", prepared, 5.0)):
        rows += [
            _faster(f"archive to trained network, {name}", _spent(notes), _spent(runs), least),
            _faster("  the same without any test row", _spent(notes, TEST_STAGES), _spent(runs, TEST_STAGES)),
            _faster("  whole process, judged on the test rows", _whole(notes), _whole(runs)),
            _leaner(f"peak memory, {name}", _number(notes, "peak_mb"), _number(runs, "peak_mb"), 8.0),
        ]
    theirs, ours = ([_float(one.document["accuracy"]) for one in runs] for runs in (notes, prepared))
    what = f"test accuracy after these 4 epochs, mean of {bench.repeats} seeds"
    return [*rows, Row(what, f"{mean(theirs):.4f}", f"{mean(ours):.4f}", None, ">= 0.882", mean(ours) >= 0.882)]


def training(bench: Bench) -> list[Row]:
    """Reviews a second in training, gather-and-sum against Dense on a matrix that lies ready."""
    found = bench.scripted("multi_hot_training.py").document
    seconds, rows = _mapping(found["seconds"]), _float(found["rows"])
    dense, gather = rows / seconds["dense"], rows / seconds["gather"]
    what = f"reviews a second in training (Dense: beside a matrix of {_float(found['matrix_mb']):.0f} MB)"
    return [
        Row(what, f"{dense:,.0f}", f"{gather:,.0f}", gather / dense),
        Row("an epoch of 25,000 reviews", f"{seconds['dense']:.2f} s", f"{seconds['gather']:.2f} s"),
    ]


def commands(bench: Bench) -> list[Row]:
    """Commands as whole processes, start of Python included."""
    _make_run(bench)
    rows = []
    for arguments, seconds, megabytes in (
        (["--help"], 0.3, None),
        (["list"], 0.5, None),
        (["predict", "imdb", TEXT], 0.4, 120.0),
    ):
        ours = [bench.dlkit(*arguments) for _ in range(7)]
        rows.append(_within(f"dlkit {' '.join(arguments)[:14]}", median(one.seconds for one in ours), seconds, "s"))
        if megabytes is not None:
            rows.append(_within("  its peak memory", median(one.peak_mb for one in ours), megabytes, "MB"))
    tensorflow = [bench.dlkit("predict", "imdb", TEXT, "--artefact", "saved_model") for _ in range(3)]
    theirs, heavy = median(one.seconds for one in tensorflow), median(one.peak_mb for one in tensorflow)
    what = "  the same by TensorFlow (--artefact saved_model)"
    return [
        *rows,
        _faster(what, theirs, median(one.seconds for one in ours)),
        _leaner("  its peak memory", heavy, median(one.peak_mb for one in ours)),
    ]


def artefacts(bench: Bench) -> list[Row]:
    """Artefacts of one run in one process: latency of one raw row, throughput of many, seconds of the proof."""
    folder = _make_run(bench)
    found = script("artefacts.py", str(folder), environment=bench.environment).document
    seconds, rows = _mapping(found["seconds"]), _float(found["rows"])
    timed = {str(name): _mapping(figures) for name, figures in _items(found["bench"])}
    model = timed["saved_model"]
    result = []
    for name, figures in timed.items():
        if name != "saved_model":
            one, bulk = (
                model["latency_us"] / figures["latency_us"],
                figures["rows_per_second"] / model["rows_per_second"],
            )
            result += [
                Row(f"one raw row, SavedModel against {name}", *_pair(model, figures, "latency_us", "us"), one),
                Row("  raw rows in bulk", *_pair(model, figures, "rows_per_second", "rows/s"), bulk),
            ]
    parts = ", ".join(f"{name} {seconds[name]:.1f}" for name in timed)
    return [*result, Row(f"verify: {rows:,.0f} raw rows by each artefact", f"({parts})", f"{seconds['verify']:.1f} s")]


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "imdb": imdb,
    "training": training,
    "commands": commands,
    "artefacts": artefacts,
}


def _make_run(bench: Bench) -> Path:
    folder = bench.scratch / "saved_models" / "imdb" / "1"
    if not folder.is_dir():
        bench.dlkit("run", "imdb", "--seed", str(bench.seed), "--json")
    return folder


def _spent(runs: Sequence[Finished], without: Sequence[str] = ()) -> float:
    """Median over runs of the seconds of all stages but the import of libraries."""
    stages = [_mapping(one.document["seconds"]) for one in runs]
    return median(sum(value for name, value in one.items() if name not in ("import", *without)) for one in stages)


def _whole(runs: Sequence[Finished]) -> float:
    return median(one.seconds for one in runs)


def _stages(who: str, runs: Sequence[Finished]) -> Row:
    """What the stages took, each the median over runs."""
    stages = [_mapping(one.document["seconds"]) for one in runs]
    parts = [f"{name} {median(one[name] for one in stages):.1f}" for name in stages[0]]
    return Row(f"{who}, seconds: {', '.join(parts)}", "", "")


def _number(runs: Sequence[Finished], name: str) -> float:
    return median(_float(one.document[name]) for one in runs)


def _faster(what: str, theirs: float, ours: float, least: float | None = None) -> Row:
    return _compared(what, f"{theirs:.2f} s", f"{ours:.2f} s", theirs / ours, least)


def _leaner(what: str, theirs: float, ours: float, least: float | None = None) -> Row:
    return _compared(what, f"{theirs:,.0f} MB", f"{ours:,.0f} MB", theirs / ours, least)


def _compared(what: str, theirs: str, ours: str, ratio: float, least: float | None) -> Row:
    target = "" if least is None else f"{least:g} x"
    return Row(what, theirs, ours, ratio, target, None if least is None else ratio >= least)


def _within(what: str, ours: float, most: float, unit: str) -> Row:
    return Row(what, "", f"{ours:.3g} {unit}", None, f"< {most:g} {unit}", ours < most)


def _pair(theirs: dict[str, float], ours: dict[str, float], name: str, unit: str) -> tuple[str, str]:
    return f"{theirs[name]:,.0f} {unit}", f"{ours[name]:,.0f} {unit}"


def _items(found: object) -> list[tuple[object, object]]:
    assert isinstance(found, dict), found
    return list(found.items())


def _mapping(found: object) -> dict[str, float]:
    return {str(name): _float(value) for name, value in _items(found)}


def _float(found: object) -> float:
    assert isinstance(found, int | float), found
    return float(found)


def table(rows: Sequence[Row]) -> str:
    """Lines of text; rows that are no comparison run over the columns."""
    wide = [row for row in rows if row.ours]
    cells = [("", "compared with", "dlkit", "ratio", "target", "")]
    for row in wide:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
        verdict = {None: "", True: "reached", False: "MISSED"}[row.reached]
        cells.append((row.what, row.theirs, row.ours, ratio, row.target, verdict))
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines = [f"{line[0]:<{widths[0]}}" + "".join(f"  {line[i]:>{widths[i]}}" for i in range(1, 6)) for line in cells]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join([line.rstrip() for line in lines] + ["", *(row.what for row in rows if not row.ours)])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="how often each contender goes from archive to network")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; known: {', '.join(PARTS)}")
    if "DLKIT_DATA" not in os.environ:
        parser.error("set DLKIT_DATA to a folder that holds imdb/aclImdb_v1.tar.gz")
    archive = Path(os.environ["DLKIT_DATA"]).expanduser().resolve() / "imdb" / "aclImdb_v1.tar.gz"
    _warm(archive)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(archive, Path(scratch), options.seed, max(1, options.repeats))
        rows: list[Row] = []
        for part in options.parts or PARTS:
            print(f"measuring {part} …", file=sys.stderr, flush=True)
            rows += PARTS[part](bench)
    print(table(rows))
    print(f"\nseed {options.seed}, {options.repeats} repeats, {machine()}, Python {platform.python_version()}")


def _warm(file: Path) -> None:
    """Bring a file into the system's cache, so that no contender is the one that reads it from the disk."""
    with file.open("rb") as stream:
        while stream.read(1 << 20):
            pass


if __name__ == "__main__":
    main()
