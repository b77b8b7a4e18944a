"""Which fields does a person fill in for one row, and what do they say?"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from nicegui import events, ui
from nicegui.elements.mixins.value_element import ValueElement

from dlkit.contracts import ColumnKind
from dlkit.inference import Predictor
from dlkit.inference.runs import ASSETS
from dlkit.inference.tables import TableRows
from dlkit.serving.limits import Limits

MOST_CHARACTERS = 200_000
"""Of a text field: a longer message would break the page's connection; the REST API takes longer texts."""
MOST_BYTES = Limits().body_bytes - 100_000
"""Of a picture: what a request may hold, less what is sent around a file."""
EXAMPLES = "examples.json"


class Form:
    """A field for each raw input column: text area, number field, select, upload of a picture.

    `submit` is called on Enter in a number field and on Ctrl-Enter in a text.
    """

    def __init__(self, predictor: Predictor, submit: Callable[[], object]) -> None:
        self._kinds = predictor.kinds
        self._fields: dict[str, ValueElement] = {}
        self._pictures: dict[str, bytes] = {}
        for name in [name for name, kind in self._kinds.items() if kind == "image"]:
            self._picture_field(name, submit)
        texts = [name for name, kind in self._kinds.items() if kind == "text"]
        cells = [name for name, kind in self._kinds.items() if kind in ("number", "category")]
        for name in [name for name, kind in self._kinds.items() if kind == "series"]:
            self._fields[name] = _series_field(name, submit)
        for name in [name for name, kind in self._kinds.items() if kind == "time"]:
            field = ui.input(f"{name} of the last step", placeholder="2024-12-31 23:00").props("outlined dense")
            self._fields[name] = field.classes("w-full")
        for name in texts:
            self._fields[name] = _text_field(name, submit)
        if cells:
            with ui.element("div").classes("grid grid-cols-2 sm:grid-cols-3 gap-x-4 gap-y-2 w-full"):
                for name in cells:
                    choices = predictor.choices.get(name, ()) if self._kinds[name] == "category" else None
                    self._fields[name] = _cell(name, choices, submit)

    def item(self) -> dict[str, object]:
        """The filled fields, as `Predictor.predict` takes them: an empty one is left out as missing."""
        filled = {name: field.value for name, field in self._fields.items()}
        given = {name: value for name, value in filled.items() if value not in (None, "")}
        for name in [name for name in given if self._kinds[name] == "series"]:
            given[name] = re.split(r"[\s,;]+", str(given[name]).strip(" ,;\n\t"))
        return given | dict(self._pictures)

    def _picture_field(self, name: str, submit: Callable[[], object]) -> None:
        """A picture is asked about as soon as it is here."""

        async def taken(event: events.UploadEventArguments) -> None:
            self._pictures[name] = await event.file.read()
            field.reset()
            shown.set_source(f"data:{event.file.content_type};base64,{b64encode(self._pictures[name]).decode()}")
            shown.set_visibility(True)
            done = submit()
            if isinstance(done, Awaitable):
                await done

        field = ui.upload(label="Choose or drop a picture", auto_upload=True, on_upload=taken, max_file_size=MOST_BYTES)
        field.props('accept="image/*" flat bordered').classes("w-full")
        field.on_rejected(lambda: ui.notify(f"A picture of up to {MOST_BYTES / 1e6:.1f} MB is taken.", type="negative"))
        shown = ui.image().classes("w-48 rounded").props(f'alt="{name}"')
        shown.set_visibility(False)

    def fill(self, example: Mapping[str, object]) -> None:
        for name, field in self._fields.items():
            field.set_value(example.get(name, "" if self._kinds[name] == "text" else None))


def examples(predictor: Predictor) -> list[tuple[str, dict[str, object]]]:
    """Rows to try, with a name each: those the run holds, and for a table what is typical in its training data."""
    found: list[tuple[str, dict[str, object]]] = []
    transform = getattr(predictor, "transform", None)
    if isinstance(transform, TableRows):
        typical: dict[str, object] = {name: float(f"{column.fill:.4g}") for name, column in transform.numbers.items()}
        found.append(
            ("Typical row", typical | {name: values[0] for name, values in transform.categories.items() if values})
        )
    for item in _recorded(predictor.run / ASSETS / EXAMPLES):
        row = item if isinstance(item, dict) else {next(iter(predictor.kinds)): item}
        if _fits(row, predictor.kinds, predictor.choices):
            found.append((f"Example {len(found) + 1}", row))
    return found


def _recorded(file: Path) -> list[object]:
    """Examples are an extra: a run without them, or with damaged ones, is served all the same."""
    try:
        items = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return items if isinstance(items, list) else []


def _fits(row: Mapping[str, object], kinds: Mapping[str, ColumnKind], choices: Mapping[str, tuple[str, ...]]) -> bool:
    types = {"text": str, "category": str, "number": int | float}
    return all(
        value is None
        or (isinstance(value, types.get(kinds.get(name, "image"), ())) and value in choices.get(name, (value,)))
        for name, value in row.items()
    )


def _text_field(name: str, submit: Callable[[], object]) -> ValueElement:
    # Without debounce each keystroke would send the whole text to the server.
    field = ui.textarea(name, placeholder="Write or paste a text").props("outlined autogrow debounce=200")
    field.props(f'maxlength={MOST_CHARACTERS} input-style="min-height: 8rem"').classes("w-full")
    field.on("keydown.ctrl.enter", submit)
    return field


def _series_field(name: str, submit: Callable[[], object]) -> ValueElement:
    placeholder = "Numbers in the order of time, the newest last: 1.5, 1.7, 1.6, …"
    field = ui.textarea(name, placeholder=placeholder).props(f"outlined debounce=200 maxlength={MOST_CHARACTERS}")
    field.on("keydown.ctrl.enter", submit)
    return field.classes("w-full")


def _cell(name: str, choices: tuple[str, ...] | None, submit: Callable[[], object]) -> ValueElement:
    if choices is not None:
        return ui.select(list(choices), label=name, clearable=True).props("outlined dense").classes("w-full")
    field = ui.number(name).props('outlined dense clearable step=any inputmode="decimal"').classes("w-full")
    field.on("keydown.enter", submit)
    return field
