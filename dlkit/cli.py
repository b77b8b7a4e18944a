"""What does the command line say? The commands, their options, and how errors end.

Nothing heavy is imported here: `--help`, `list`, `show` and wrong usage start without TensorFlow.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlkit import __version__, output
from dlkit.errors import SettingsError, did_you_mean
from dlkit.inference.forms import KNOWN, LITERT, artefact_name
from dlkit.inference.runs import ROOT, find_run
from dlkit.latent_commands import decode, encode, generate

if TYPE_CHECKING:
    from dlkit.inference import Predictor


class _Commands(click.Group):
    """Commands in the order in which they are defined, with "did you mean" for unknown ones."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise click.UsageError(f"There is no command {args[0]!r}.{did_you_mean(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dlkit")
def commands() -> None:
    """Data to a trained, judged and exported model, with one command."""


_json_option = click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object on standard output.")
_model_option = click.option("--model", metavar="NAME", help="One of the recipe's models (dlkit show RECIPE).")
_data_option = click.option("--data", metavar="PATH|sample", help="Your own rows, or the bundled sample.")
_judged_option = click.option(
    "--data", metavar="PATH|sample", help="Other rows: their test rows; all where they name none (of series: the last)."
)


def _known_artefact(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if name not in KNOWN:
        raise SettingsError(f"--artefact: unknown {name!r}.{did_you_mean(name, KNOWN)}")
    return name


_artefact_option = click.option(
    "--artefact",
    callback=_known_artefact,
    default="tflite",
    show_default=True,
    metavar="NAME",
    help=f"Which artefact answers: {', '.join(KNOWN)}.",
)
_out_option = click.option(
    "--out", default=str(ROOT), show_default=True, metavar="DIR", help="Folder that holds <recipe>/<version>/."
)


@commands.command("list")
@_json_option
def list_recipes(as_json: bool) -> None:
    """Recipes, their question, their models and whether their data is at hand."""
    from dlkit.shelf import shelf

    rows = shelf()
    from dlkit import printing

    output.result({"recipes": rows}, as_json, lambda: printing.recipe_table(rows))


@commands.command()
@click.argument("recipe")
@_model_option
@_json_option
def show(recipe: str, model: str | None, as_json: bool) -> None:
    """Models of a recipe, and all settings of one of them, with defaults."""
    from dlkit import printing, shelf

    about = shelf.description(recipe, model)
    output.result(about, as_json, lambda: printing.recipe_page(about))


@commands.command()
@click.argument("recipe")
@_model_option
@_data_option
@click.option("--set", "changes", multiple=True, metavar="STAGE.NAME=VALUE", help="Change a setting; may be repeated.")
@click.option("--epochs", type=int, help="Short for --set training.epochs=N.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same weights, on the same machine.")
@_out_option
@click.option("--resume", is_flag=True, help="Go on with an interrupted run of the same settings.")
@click.option("--from", "start", metavar="RUN", help="Translators, latent codes: go on from a finished run.")
@_json_option
def run(
    recipe: str,
    model: str | None,
    data: str | None,
    changes: tuple[str, ...],
    epochs: int | None,
    seed: int,
    out: str,
    resume: bool,
    start: str | None,
    as_json: bool,
) -> None:
    """Data → train → evaluate → export → verify → report."""
    from dlkit.ordering import order

    made = order(
        recipe, model=model, data=data, changes=list(changes), epochs=epochs, seed=seed, out=out, resume=resume,
        start=start,
    )  # fmt: skip
    output.load_tensorflow()
    from dlkit.run_folder import make

    finished = make(made, say=output.say)
    from dlkit import printing

    output.result(finished.metrics, as_json, lambda: printing.run_summary(finished.metrics))


@commands.command()
@click.argument("run_name", metavar="RUN")
@click.argument("inputs", nargs=-1, metavar="[INPUT]…")
@click.option("--file", type=click.Path(path_type=Path), help="Inputs from .txt, .csv, .tsv or .jsonl.")
@click.option("--top", type=click.IntRange(1), help="Show so many of the likeliest classes. [pictures: 3]")
@click.option("--search", metavar="NAME=VALUE,…", help="Translations: beam=10, best=3, temperature=0.8, top_p=0.9 …")
@click.option("--follow", is_flag=True, help="Anomalies: judge rows as they arrive in FILE or on standard input.")
@click.option("--idle", type=click.FloatRange(0), metavar="SECONDS", help="With --follow: end when nothing new came.")
@_artefact_option
@_out_option
@_json_option
def predict(
    run_name: str,
    inputs: tuple[str, ...],
    file: Path | None,
    top: int | None,
    search: str | None,
    follow: bool,
    idle: float | None,
    artefact: str,
    out: str,
    as_json: bool,
) -> None:
    """Raw input in, answer out; without TensorFlow unless --artefact asks for it."""
    from dlkit.asking import answered_each, items_from, recent_from, windows_from
    from dlkit.inference import load
    from dlkit.inference.sentences import SentenceAnswer
    from dlkit.inference.series import SeriesInputs
    from dlkit.inference.windows import ScaledWindows
    from dlkit.telling import answer_lines

    times: list[str] = []
    lite = artefact in LITERT
    if follow and (inputs or not lite):
        raise click.UsageError("--follow reads --file or standard input, by a LiteRT artefact: leave the rest out.")
    if search is not None and not lite:
        raise click.UsageError(f"--search needs a LiteRT artefact ({', '.join(LITERT)}), not {artefact}.")
    asked = None
    if search is not None:
        from dlkit.translators import search_from

        asked = search_from(search, find_run(run_name, out))
    predictor = load(run_name, root=out, artefact=artefact if lite else "tflite", search=asked)
    sentences = isinstance(predictor.answer, SentenceAnswer)
    if follow:
        _follow(predictor, file, idle, as_json)
        return
    piped = None if inputs or file or sys.stdin is None or sys.stdin.isatty() else sys.stdin
    if isinstance(predictor.transform, SeriesInputs):
        items = recent_from(inputs, file, piped, predictor.transform)
    elif isinstance(predictor.transform, ScaledWindows) and file and file.suffix.lower() in (".csv", ".tsv"):
        items, times = windows_from(inputs, file, predictor.transform, output.say)
    elif sentences:
        from dlkit.translators import texts_from, translated

        items = texts_from(inputs, file, piped, predictor, say=output.say)
    else:
        items = items_from(inputs, file, piped, predictor.kinds, task=predictor.task)
    ask = predictor.predict if lite else _asking(predictor, artefact)
    pictures = "image" in predictor.kinds.values()
    if sentences:
        answers = translated(ask, items, say=output.say)
    else:
        answers = answered_each(ask, items, predictor.kinds) if pictures else ask(items)
    answers = [{"at": time, **answer} for time, answer in zip(times, answers, strict=True)] if times else answers
    document = {"recipe": predictor.recipe, "run": str(predictor.run), "artefact": artefact, "answers": answers}
    output.result(document, as_json, lambda: answer_lines(items, answers, top=top or (3 if pictures else 1)))
    if all("error" in answer for answer in answers):
        sys.exit(1)


def _follow(predictor: Predictor, file: Path | None, idle: float | None, as_json: bool) -> None:
    """Lines of judged rows until the stream ends, or the user ends it."""
    from dlkit.inference.following import Follower, file_chunks, pipe_chunks
    from dlkit.telling import judged_lines

    follower = Follower(predictor, say=output.say)
    if file is None and not hasattr(sys.stdin, "buffer"):
        raise click.UsageError("--follow needs --file FILE or rows on standard input; there is none.")
    chunks = file_chunks(file, idle=idle) if file is not None else pipe_chunks(sys.stdin.buffer, idle=idle)
    with contextlib.suppress(KeyboardInterrupt):  # the way to end what has no end
        output.lines(judged_lines(judged, follower, as_json) for judged in follower.follow(chunks))
    output.say(follower.summary.line())


def _asking(predictor: Predictor, artefact: str) -> Callable[[Sequence[object]], list[dict[str, object]]]:
    """As `Predictor.predict`, by an artefact that needs TensorFlow."""
    output.load_tensorflow()
    from dlkit.finished import Finished

    run = Finished(predictor.run).run(artefact)

    def ask(items: Sequence[object]) -> list[dict[str, object]]:
        columns = predictor.columns(items)
        return predictor.answers(columns, run(columns))

    return ask


for _command in (generate, encode, decode):
    commands.add_command(_command)


@commands.command()
@click.argument("run_name", metavar="RUN")
@click.argument("texts", nargs=-1, metavar="[TEXT]…")
@click.option("--file", type=click.Path(path_type=Path), help="Texts from .txt, .csv, .tsv or .jsonl.")
@click.option("--words", type=click.IntRange(1), default=10, show_default=True, help="List so many words of a text.")
@_out_option
@_json_option
def explain(run_name: str, texts: tuple[str, ...], file: Path | None, words: int, out: str, as_json: bool) -> None:
    """The words that carried a decision, for and against."""
    from dlkit import explained
    from dlkit.asking import items_from
    from dlkit.inference.inputs import columns_from

    folder = find_run(run_name, out)
    kinds = explained.text_kinds(folder)
    piped = None if texts or file or sys.stdin is None or sys.stdin.isatty() else sys.stdin
    items = items_from(texts, file, piped, kinds)
    columns_from(items, kinds)  # a bad text is refused before TensorFlow is loaded
    output.load_tensorflow()
    document = explained.document(folder, items, words=words)
    from dlkit import printing

    output.result(document, as_json, lambda: printing.explanations(document))


@commands.command()
@click.argument("run_name", metavar="RUN")
@_judged_option
@_artefact_option
@_out_option
@_json_option
def evaluate(run_name: str, data: str | None, artefact: str, out: str, as_json: bool) -> None:
    """Test figures of an artefact."""
    folder = find_run(run_name, out)
    output.load_tensorflow()
    from dlkit import finished

    document = finished.evaluate(folder, data=data, artefact=artefact, say=output.say)
    from dlkit import printing

    output.result(document, as_json, lambda: printing.figures(document))


@commands.command()
@click.argument("run_name", metavar="RUN")
@click.option("--format", "form", required=True, metavar="tflite|saved_model|onnx", help="What to write.")
@click.option("--quantize", metavar="int8|float16|dynamic", help="Make the LiteRT file smaller.")
@_data_option
@_out_option
@_json_option
def export(run_name: str, form: str, quantize: str | None, data: str | None, out: str, as_json: bool) -> None:
    """One more artefact, verified."""
    artefact_name(form, quantize)
    folder = find_run(run_name, out)
    output.load_tensorflow()
    from dlkit import finished

    document = finished.export(folder, form, quantize=quantize, data=data, say=output.say)
    from dlkit import printing

    output.result(document, as_json, lambda: printing.proof_table({str(document["artefact"]): document}))


@commands.command()
@click.argument("run_name", metavar="RUN")
@_judged_option
@_out_option
@_json_option
def verify(run_name: str, data: str | None, out: str, as_json: bool) -> None:
    """Do the artefacts answer as the Keras model, on raw rows? Exit code 3 if not."""
    folder = find_run(run_name, out)
    output.load_tensorflow()
    from dlkit import finished

    document = finished.verify(folder, data=data, say=output.say)
    from dlkit import printing

    output.result(document, as_json, lambda: printing.proof_table(document["artefacts"]))


@commands.command()
@click.argument("run_name", metavar="RUN")
@_data_option
@_out_option
@_json_option
def bench(run_name: str, data: str | None, out: str, as_json: bool) -> None:
    """Size, latency and throughput of each artefact."""
    folder = find_run(run_name, out)
    output.load_tensorflow()
    from dlkit import finished

    document = finished.bench(folder, data=data, say=output.say)
    from dlkit import printing

    output.result(document, as_json, lambda: printing.bench_table(document["artefacts"]))


@commands.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("--port", type=click.IntRange(0, 65535), default=8501, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 opens it to the network.")
@_out_option
def serve(runs: tuple[str, ...], port: int, host: str, out: str) -> None:
    """HTTP: TensorFlow Serving's REST paths, and a page for a person."""
    from dlkit.inference import load
    from dlkit.serving.server import serve as serve_forever

    serve_forever([load(one, root=out) for one in runs], host=host, port=port, say=output.say)


@commands.command()
@click.argument("name", required=False)
@click.option("--download", is_flag=True, help="Fetch the dataset now, with its pinned checksum.")
@_json_option
def data(name: str | None, download: bool, as_json: bool) -> None:
    """Datasets: what is where."""
    from dlkit import shelf

    if download and name is None:
        raise click.UsageError("--download needs the dataset's name, e.g. dlkit data imdb --download")
    if download and name is not None:
        shelf.download(name, output.say)
    rows = shelf.datasets(name)
    from dlkit import printing

    output.result({"datasets": rows}, as_json, lambda: printing.dataset_table(rows))


@commands.command()
@click.argument("recipe")
@click.argument("file", type=click.Path(path_type=Path))
def copy(recipe: str, file: Path) -> None:
    """Start your own recipe from one of ours."""
    from dlkit.shelf import copy_recipe

    file = copy_recipe(recipe, file)
    output.say(f"{file} is yours. Try: dlkit run {file} --data sample")


@commands.command()
@_json_option
def doctor(as_json: bool) -> None:
    """What this machine can do."""
    from dlkit.doctor import diagnose

    found = diagnose()
    from dlkit import printing

    output.result(found, as_json, lambda: printing.diagnosis(found))
    if found["problems"]:
        sys.exit(1)


def main() -> None:
    """Entry point of `dlkit`; ends the process with the documented exit code."""
    # A stream has an object a line, not one for all.
    one_object = "--json" in sys.argv and "--follow" not in sys.argv
    sys.exit(output.guarded(lambda: commands(standalone_mode=False), as_json=one_object))


if __name__ == "__main__":
    main()
