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


@click.command()
@_run
@click.option("--count", type=int, default=16, show_default=True, help="How many codes to draw.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same pictures.")
@_label
@click.option("--between", nargs=2, metavar="A B", help="Go from one input to another instead of drawing codes.")
@click.option("--steps", type=int, default=8, show_default=True, help="With --between: both ends included.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="A .png, .csv or .json to write.")
@_runs
@_json
def generate(
    run_name: str,
    count: int,
    seed: int,
    label: str | None,
    between: tuple[str, str] | None,
    steps: int,
    out: Path | None,
    runs: str,
    as_json: bool,
) -> None:
    """New pictures or rows from a latent model; without TensorFlow."""
    predictor = _loaded(run_name, runs, out, as_json)
    if between is not None:
        from dlkit.asking import items_from

        first, second = items_from(between, None, None, _kinds(predictor, label))
        answers = predictor.between(*(_labelled(predictor, one, label) for one in (first, second)), steps=steps)
    else:
        answers = predictor.generate(count, seed=seed, label=label)
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

    answers = answered_each(codes, items) if list(kinds.values()) == ["image"] else codes(items)
    _give(predictor, answers, out, as_json)
    if all("code" not in answer for answer in answers):
        sys.exit(1)


@click.command()
@_run
@click.option("--file", type=click.Path(path_type=Path), required=True, help="Codes from .csv or .json.")
@_label
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="A .png, .csv or .json to write.")
@_runs
@_json
def decode(run_name: str, file: Path, label: str | None, out: Path | None, runs: str, as_json: bool) -> None:
    """What codes stand for; without TensorFlow."""
    from dlkit.coding import codes_from

    predictor = _loaded(run_name, runs, out, as_json)
    answers = predictor.decode(codes_from(file), label=label)
    _give(predictor, answers, out, as_json)


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
    from dlkit.coding import lines, write_answers

    document: dict[str, object] = {"recipe": predictor.recipe, "run": str(predictor.run), "answers": list(answers)}
    for answer in answers:
        if "warning" in answer:
            output.say(f"{answer.get('file', 'note')}: {answer['warning']}")
        elif "error" in answer:  # names its file
            output.say(str(answer["error"]))
    if out is None:
        output.result(document, as_json, lambda: lines(answers))
        return
    made = [answer for answer in answers if "code" in answer or "reconstruction" in answer]
    if made:
        write_answers(out, made, {**document, "answers": made}, across=across)
    written = {"out": str(out), "count": len(made)}
    output.result(
        {"recipe": predictor.recipe, "run": str(predictor.run), **written},
        as_json,
        lambda: f"{out}: {len(made)} written" if made else "nothing was written",
    )
