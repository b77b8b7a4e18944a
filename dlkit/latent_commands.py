"""What does the command line do with latent codes: `generate`, `encode` and `decode`, all without TensorFlow?"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlkit import output
from dlkit.inference.runs import ROOT

if TYPE_CHECKING:
    from dlkit.contracts import ColumnKind
    from dlkit.inference import Predictor

_run = click.argument("run_name", metavar="RUN")
_runs = click.option("--runs", default=str(ROOT), show_default=True, metavar="DIR", help="Folder that holds RUN.")
_json = click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object on standard output.")
_label = click.option("--label", help="The class, of a model that is given labels.")
_COUNT, _STEPS = 16, 8
_MOST_STEPS = 1_000
"""Pictures side by side that a file or a terminal still holds."""


@click.command()
@_run
@click.option("--count", type=int, help=f"How many codes to draw.  [default: {_COUNT}]")
@click.option("--seed", type=click.IntRange(0), help="Same seed, same pictures.  [default: 0]")
@_label
@click.option("--between", nargs=2, metavar="A B", help="Go from one input to another instead of drawing codes.")
@click.option("--steps", type=int, help=f"With --between: both ends included.  [default: {_STEPS}]")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="A .png, .csv or .json to write.")
@_runs
@_json
def generate(
    run_name: str,
    count: int | None,
    seed: int | None,
    label: str | None,
    between: tuple[str, str] | None,
    steps: int | None,
    out: Path | None,
    runs: str,
    as_json: bool,
) -> None:
    """New pictures or rows from a latent model; without TensorFlow."""
    _check_between(between is not None, count=count, seed=seed, steps=steps)
    predictor = _loaded(run_name, runs, out, as_json)
    steps = _STEPS if steps is None else steps
    if between is not None:
        from dlkit.asking import items_from

        items = items_from(between, None, None, _kinds(predictor, label))
        if len(items) != 2:
            raise click.UsageError(f"--between goes from one input to another, no folder of them; got {len(items)}.")
        first, second = items
        answers = predictor.between(*(_labelled(predictor, one, label) for one in (first, second)), steps=steps)
    else:
        answers = predictor.generate(_COUNT if count is None else count, seed=seed or 0, label=label)
    _give(predictor, answers, out, as_json, across=None if between is None else steps)


@click.command()
@_run
@click.argument("inputs", nargs=-1, metavar="[INPUT]…")
@click.option("--file", type=click.Path(path_type=Path), help="Inputs from .txt, .csv, .tsv or .jsonl.")
@_label
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="A .csv or .json of codes to write.")
@_runs
@_json
def encode(
    run_name: str,
    inputs: tuple[str, ...],
    file: Path | None,
    label: str | None,
    out: Path | None,
    runs: str,
    as_json: bool,
) -> None:
    """Codes of inputs; without TensorFlow."""
    from dlkit.asking import answered_each, items_from

    predictor = _loaded(run_name, runs, out, as_json, writes_pictures=False)
    kinds = _kinds(predictor, label)
    piped = None if inputs or file or sys.stdin is None or sys.stdin.isatty() else sys.stdin
    items = items_from(inputs, file, piped, kinds)

    def codes(some: Sequence[object]) -> list[dict[str, Any]]:
        return predictor.encode([_labelled(predictor, one, label) for one in some])

    answers = answered_each(codes, items, kinds) if "image" in kinds.values() else codes(items)
    _give(predictor, answers, out, as_json)
    if all("code" not in answer for answer in answers):
        sys.exit(1)


@click.command()
@_run
@click.option("--file", type=click.Path(path_type=Path), required=True, help="Codes from .csv or .json.")
@click.option("--label", help="The class of all codes, of a model that is given labels, in place of those in the file.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="A .png, .csv or .json to write.")
@_runs
@_json
def decode(run_name: str, file: Path, label: str | None, out: Path | None, runs: str, as_json: bool) -> None:
    """What codes stand for; without TensorFlow."""
    from dlkit.coding import LABEL, codes_from

    predictor = _loaded(run_name, runs, out, as_json)
    codes = codes_from(file, label=predictor.class_column or LABEL)
    # Labels in the file of a model that is given none are words about its codes.
    told = codes.labels if label is None and predictor.class_column else label
    answers = predictor.decode(codes.rows, label=told)
    _give(predictor, answers, out, as_json)


def _check_between(between: bool, *, count: int | None, seed: int | None, steps: int | None) -> None:
    """UsageError for an option that would do nothing, or for more steps than can be looked at."""
    given = {"--count": count, "--seed": seed} if between else {"--steps": steps}
    for name, value in given.items():
        if value is not None:
            way = "goes from one input to another and draws nothing" if between else "is missing"
            raise click.UsageError(f"{name}={value} does not apply: --between {way}. Leave {name} out.")
    if steps is not None and not 2 <= steps <= _MOST_STEPS:
        raise click.UsageError(f"--steps={steps}: expected 2 to {_MOST_STEPS:,}, both ends included.")


def _kinds(predictor: Predictor, label: str | None) -> dict[str, ColumnKind]:
    """What an input has to say: not its class, where `label` says that of all of them."""
    if label is not None:
        predictor.coder.numbers([label])  # refuses one that the model does not know
    return {name: kind for name, kind in predictor.kinds.items() if label is None or name != predictor.class_column}


def _labelled(predictor: Predictor, item: object, label: str | None) -> object:
    if label is None:
        return item
    given = item if isinstance(item, Mapping) else {next(iter(predictor.kinds)): item}
    return {**given, predictor.class_column: label}


def _loaded(run_name: str, runs: str, out: Path | None, as_json: bool, *, writes_pictures: bool = True) -> Predictor:
    """The run, and a look at what is to be written before anything is computed."""
    from dlkit.coding import check_out
    from dlkit.inference import load

    predictor = load(run_name, root=runs)
    predictor.coder  # noqa: B018 (refuses a run of another kind)
    pictures = writes_pictures and "image" in predictor.kinds.values()
    if pictures and out is None and not as_json:
        raise click.UsageError("Pictures do not fit a terminal: give --out FILE.png, or --json.")
    check_out(out, pictures=pictures)
    return predictor


def _give(
    predictor: Predictor,
    answers: Sequence[Mapping[str, Any]],
    out: Path | None,
    as_json: bool,
    *,
    across: int | None = None,
) -> None:
    from dlkit.coding import LABEL, lines, write_answers

    document: dict[str, object] = {"recipe": predictor.recipe, "run": str(predictor.run), "answers": list(answers)}
    for answer in answers:
        if "warning" in answer:
            output.say(f"{answer.get('file', 'note')}: {answer['warning']}")
        elif "error" in answer:  # names its file
            output.say(str(answer["error"]))
    made = [answer for answer in answers if "code" in answer or "reconstruction" in answer]
    if out is None:
        output.result(document, as_json, lambda: lines(made))
        return
    if made:
        column = predictor.class_column or LABEL
        write_answers(out, made, {**document, "answers": made}, label=column, across=across)
    written = {"out": str(out), "count": len(made)}
    output.result(
        {"recipe": predictor.recipe, "run": str(predictor.run), **written},
        as_json,
        lambda: f"{out}: {len(made)} written" if made else "nothing was written",
    )
