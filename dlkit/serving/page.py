"""How does a person ask? A page to a model: its question, a form, the answer, how good it is."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import UploadEventArguments
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from dlkit.errors import DlkitError
from dlkit.serving.answers import short, show_answer, show_error, show_note, show_pictures
from dlkit.serving.batch import Table, answer_columns, in_cells, read_table, write_answers_csv
from dlkit.serving.figures import read_figures
from dlkit.serving.form import Form, examples
from dlkit.serving.limits import Limits
from dlkit.serving.served import ServedModel, ServedModels

_REPORT = "report.html"
_SHOWN_ROWS = 20
_MOST_GENERATED = 100
_LINK = "text-blue-800 dark:text-blue-300 break-words"
_DARK = {"auto": None, "dark": True, "light": False}
_log = logging.getLogger("dlkit.serving")


def add_page(app: FastAPI, models: ServedModels, limits: Limits) -> None:
    """Put the pages under `/` and `/models/NAME[/versions/N]`, and each run's report beside its page."""
    _add_reports(app, models)
    define_pages(models, limits)
    ui.run_with(app, title="dlkit", favicon="🔎", dark=None, show_welcome_message=False)


def define_pages(models: ServedModels, limits: Limits) -> None:
    """Tell NiceGUI of the pages; a second call replaces those of the first."""

    def index(request: Request) -> None:
        (only,) = models if len(models) == 1 else (None,)
        if only is not None:
            _model_page(only, models, limits, request)
        else:
            _index_page(models, request)

    def model(request: Request, name: str, version: str | None = None) -> None:
        try:
            found = models.find(name, version)
        except DlkitError as error:
            with _shell("Not found", request):
                show_error(str(error))
                ui.link("All models", "/").classes(_LINK)
            return
        _model_page(found, models, limits, request)

    ui.page("/")(index)
    ui.page("/models/{name}")(model)
    ui.page("/models/{name}/versions/{version}")(model)


def _add_reports(app: FastAPI, models: ServedModels) -> None:
    base = "/models/{name}/versions/{version}"

    @app.get(base + "/" + _REPORT)
    def report(name: str, version: str) -> FileResponse:
        return _file(models.find(name, version).predictor.run, _REPORT)

    @app.get(base + "/plots/{file}")
    def plot(name: str, version: str, file: str) -> FileResponse:
        return _file(models.find(name, version).predictor.run / "plots", file)


def _file(folder: Path, name: str) -> FileResponse:
    """A file that lies in this very folder: a name with `..` or a link to elsewhere is none."""
    path = folder / name
    if path.resolve().parent != folder.resolve() or not path.is_file():
        raise HTTPException(404, f"This run has no {name}.")
    # A report is a page of its own that needs nothing from outside; the browser holds it to that.
    policy = "default-src 'self' 'unsafe-inline' data:"
    return FileResponse(path, headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})


def _shell(title: str, request: Request) -> ui.column:
    """Header with the switch for dark mode, and the column that holds the page."""
    ui.page_title(f"{title} · dlkit")
    ui.query("html").props('lang="en"')
    ui.colors(primary="#1f5f99")  # white on it reads at 6.6 to 1; NiceGUI's own blue at 3 to 1
    chosen = request.cookies.get("dlkit_colours", "auto")
    dark = ui.dark_mode(_DARK.get(chosen))
    with ui.header().classes("items-center justify-between py-2"):
        ui.link("dlkit", "/").classes("text-white text-xl no-underline font-bold")
        button = ui.button(icon="brightness_medium").props("flat round color=white")
        button.props('aria-label="Change between light and dark"').tooltip("Light, dark, or as the system has it")

    def change() -> None:
        order = list(_DARK)
        now = next(name for name in order if _DARK[name] == dark.value)
        new = order[(order.index(now) + 1) % len(order)]
        dark.set_value(_DARK[new])
        ui.run_javascript(f"document.cookie = 'dlkit_colours={new}; path=/; max-age=31536000; samesite=strict'")
        ui.notify(f"Colours: {new}")

    button.on_click(change)
    return ui.column().classes("w-full max-w-3xl mx-auto p-2 sm:p-4 gap-6").props('role="main"')


def _index_page(models: ServedModels, request: Request) -> None:
    with _shell("Models", request):
        TextElement(tag="h1", text="Models").classes("text-3xl font-bold")
        for model in models:
            with ui.card().classes("w-full gap-1"):
                ui.link(model.predictor.question or model.name, _path(model)).classes(f"text-lg {_LINK}")
                ui.label(_described(model)).classes("opacity-80")
                figures = read_figures(model.predictor.run)
                if figures:
                    name, (value, *_) = figures.rows[0]
                    ui.label(f"{name} {short(value)} on {figures.source}").classes("text-sm opacity-80")


def _model_page(model: ServedModel, models: ServedModels, limits: Limits, request: Request) -> None:
    with _shell(model.name, request):
        with ui.column().classes("gap-1"):
            TextElement(tag="h1", text=model.predictor.question or model.name).classes(
                "text-2xl sm:text-3xl font-bold break-words"
            )
            ui.label(_described(model)).classes("opacity-80")
        _ask(model)
        if model.predictor.is_latent and model.predictor.coder.variational:
            _generate(model)
        _figures(model)
        with ui.column().classes("w-full gap-0"):
            if "image" not in model.predictor.kinds.values():
                _batch(model, limits)
            _programs(model, str(request.base_url))
        _other_versions(model, models)


def _ask(model: ServedModel) -> None:
    with ui.card().classes("w-full gap-4"):

        async def predict() -> None:
            button.disable()
            try:
                answers = await run_in_threadpool(model.predict, [form.item()])
                _show_in(result, lambda: show_answer(answers[0]))
            except Exception as error:
                message = _reason(error)
                _show_in(result, lambda: show_error(message))
            finally:
                button.enable()

        async def try_example(row: Mapping[str, object]) -> None:
            form.fill(row)
            await predict()

        form = Form(model.predictor, predict)
        with ui.row().classes("w-full items-center gap-2"):
            button = ui.button("Predict", on_click=predict, icon="play_arrow").props("no-caps")
            for name, row in examples(model.predictor):
                example = ui.button(name, on_click=partial(try_example, row), color=None)
                example.props("outline no-caps")
    with ui.card().classes("w-full gap-3").props('aria-live="polite"') as result:
        ui.label("The answer will appear here.").classes("opacity-80")


def _generate(model: ServedModel) -> None:
    """New ones by count, seed and class: the same numbers, the same pictures."""
    predictor = model.predictor
    labels = [*predictor.choices.get(predictor.class_column, ())]
    with ui.card().classes("w-full gap-4"):
        TextElement(tag="h2", text="New ones").classes("text-xl font-bold")

        async def generate() -> None:
            button.disable()
            try:
                wanted = None if label is None else str(label.value)
                numbers = int(count.value or 0), int(seed.value or 0)
                made = await run_in_threadpool(model.generate, numbers[0], seed=numbers[1], label=wanted)
                _show_in(result, lambda: _show_made(made))
            except Exception as error:
                message = _reason(error)
                _show_in(result, lambda: show_error(message))
            finally:
                button.enable()

        with ui.row().classes("w-full items-center gap-4"):
            count = ui.number("how many", value=16, min=1, max=_MOST_GENERATED, precision=0).props("outlined dense")
            seed = ui.number("seed", value=0, min=0, precision=0).props("outlined dense")
            label = ui.select(labels, label=predictor.class_column, value=labels[0]) if labels else None
            button = ui.button("Generate", on_click=generate, icon="auto_awesome").props("no-caps")
        result = ui.column().classes("w-full gap-2").props('aria-live="polite"')


def _show_made(made: list[dict[str, object]]) -> None:
    found = [one["reconstruction"] for one in made]
    if not isinstance(found[0], Mapping):
        show_pictures(found, f"{len(found)} pictures that the model made")
        return
    rows = [[short(value) for value in one.values()] for one in found if isinstance(one, Mapping)]
    _table([*found[0]], rows)


def _figures(model: ServedModel) -> None:
    with ui.card().classes("w-full gap-2"):
        TextElement(tag="h2", text="How good is it?").classes("text-xl font-bold")
        figures = read_figures(model.predictor.run)
        if figures is None:
            ui.label("This run has no figures that can be read.")
        else:
            beside = ", beside simple models that it has to beat" if len(figures.columns) > 1 else ""
            ui.label(f"On {figures.source}{beside}:").classes("opacity-80")
            heads = ["metric", *figures.columns]
            rows = [
                [name, *("–" if value is None else short(value) for value in values)] for name, values in figures.rows
            ]
            _table(heads, rows)
            for remark in figures.remarks:
                show_note(remark)
        if (model.predictor.run / _REPORT).is_file():
            ui.link("Full report of the run", f"{_path(model, exact=True)}/{_REPORT}", new_tab=True).classes(_LINK)


def _batch(model: ServedModel, limits: Limits) -> None:
    with ui.expansion("Many rows at once (CSV)", icon="table_rows").classes("w-full"):
        columns = ", ".join(model.predictor.kinds)
        series = "series" in model.predictor.kinds.values()
        rest = "Rows in the order of time are one series." if series else "Other columns are kept."
        ui.label(f"First line: the names of the columns ({columns}). {rest}").classes("break-words")
        upload = ui.upload(label="CSV file", auto_upload=True, max_file_size=limits.body_bytes, max_files=1)
        upload.props('accept=".csv,.tsv,.txt" flat bordered').classes("w-full")
        result = ui.column().classes("w-full gap-2").props('aria-live="polite"')

        async def answer(event: UploadEventArguments) -> None:
            try:
                content = await event.file.read()
                table, answers = await run_in_threadpool(_answer_table, model, content, limits)
                if "series" in model.predictor.kinds.values():  # one answer about all rows
                    _show_in(result, lambda: show_answer(answers[0]))
                else:
                    _show_in(result, lambda: _show_table(event.file.name, table, answers))
            except Exception as error:
                message = _reason(error)
                _show_in(result, lambda: show_error(message))
            upload.reset()

        upload.on_upload(answer)
        upload.on(
            "rejected",
            lambda: _show_in(
                result, lambda: show_error(f"Only CSV files up to {limits.body_bytes:,} bytes are taken.")
            ),
        )


def _answer_table(model: ServedModel, content: bytes, limits: Limits) -> tuple[Table, list[dict[str, object]]]:
    table = read_table(content, most_rows=limits.instances)
    kinds = model.predictor.kinds
    transform = model.predictor.transform if "series" in kinds.values() else None
    return table, model.predict(table.items(kinds, transform))


def _show_table(name: str, table: Table, answers: list[dict[str, object]]) -> None:
    answers = [in_cells(answer) for answer in answers]
    columns = answer_columns(table, answers)
    shown = zip(table.rows[:_SHOWN_ROWS], answers, strict=False)
    rows = [[*(short(answer.get(key)) for key in columns.values()), *map(short, row)] for row, answer in shown]
    more = f", the first {_SHOWN_ROWS} here" if len(answers) > _SHOWN_ROWS else ""
    ui.label(f"{len(answers):,} rows answered{more}.")
    content = write_answers_csv(table, answers)
    file = f"{Path(name).stem}-answers.csv"
    ui.button("Download all answers", icon="download", on_click=lambda: ui.download(content, file)).props("no-caps")
    _table([*columns, *table.header], rows)


def _programs(model: ServedModel, base: str) -> None:
    with ui.expansion("From a program (REST)", icon="terminal").classes("w-full"):
        ui.label("TensorFlow Serving's REST API; its clients work unchanged.")
        command = f"curl -d {shlex.quote(_request(model))} {base}v1/models/{quote(model.name)}:predict"
        ui.code(command, language="bash").classes("w-full")


def _request(model: ServedModel) -> str:
    """A request that the model answers, where it can be known; else one of the right form."""
    kinds = model.predictor.kinds
    known = examples(model.predictor)
    forms = {"series": [1.0, 2.0, 3.0], "time": "2024-12-31 23:00"}
    row: object = known[0][1] if known else {name: forms.get(kind, "…") for name, kind in kinds.items()}
    if isinstance(row, dict) and list(kinds.values()) == ["text"]:
        row = short(next(iter(row.values())))
    return json.dumps({"instances": [row]}, ensure_ascii=False)


def _other_versions(model: ServedModel, models: ServedModels) -> None:
    others = [other for other in models.versions(model.name) if other is not model]
    if others:
        with ui.row().classes("gap-3"):
            ui.label("Other versions:")
            for other in others:
                ui.link(str(other.version), _path(other, exact=True)).classes(_LINK)


def _table(heads: list[str], rows: list[list[str]]) -> None:
    columns = [
        {"name": str(index), "label": head, "field": str(index), "align": "left"} for index, head in enumerate(heads)
    ]
    cells = [{str(index): cell for index, cell in enumerate(row)} | {"key": key} for key, row in enumerate(rows)]
    ui.table(columns=columns, rows=cells, row_key="key").props("flat dense bordered").classes("w-full")


def _show_in(place: ui.element, show: Callable[[], None]) -> None:
    place.clear()
    with place:
        show()


def _reason(error: Exception) -> str:
    if isinstance(error, DlkitError):
        return str(error)
    _log.error("The page failed.", exc_info=error)
    return f"The page failed ({type(error).__name__}); see the server's log."


def _path(model: ServedModel, *, exact: bool = False) -> str:
    return f"/models/{quote(model.name, safe='')}" + (f"/versions/{model.version}" if exact else "")


def _described(model: ServedModel) -> str:
    return f"{model.name} · version {model.version} · {model.predictor.task}"
