"""How is an answer shown to a person?"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from dlkit.inference.grids import png

MOST_BARS = 8


def show_answer(answer: Mapping[str, object]) -> None:
    """A class with bars of probabilities, a value with its unit, or else each part of the answer by its name."""
    if "reconstruction" in answer:
        _show_reconstruction(answer)
    elif "label" in answer:
        _show_class(answer)
    elif "value" in answer:
        _show_value(answer)
    elif "translation" in answer:
        _show_translation(answer)
    elif "anomaly" in answer:
        _show_alarm(answer)
    elif isinstance(answer.get("forecast"), Mapping):
        _show_forecast(answer)
    else:
        for name, value in answer.items():
            if isinstance(value, Mapping):
                ui.label(name).classes("text-lg opacity-80 break-words")
                show_answer(value)
            elif name not in ("warning", "file"):
                ui.label(f"{name}: {value}").classes("text-lg break-words")
    if "warning" in answer:
        show_note(str(answer["warning"]), icon="warning_amber")


def show_error(message: str) -> None:
    with ui.row(wrap=False).classes("w-full items-start text-red-700 dark:text-red-300").props('role="alert"'):
        ui.icon("error_outline", size="sm").props('aria-hidden="true"')
        ui.label(message).classes("break-words min-w-0")


def show_note(message: str, *, icon: str = "info") -> None:
    with ui.row(wrap=False).classes("w-full items-start text-amber-800 dark:text-amber-200"):
        ui.icon(icon, size="sm").props('aria-hidden="true"')
        ui.label(message).classes("break-words min-w-0")


def short(value: object) -> str:
    """A cell: numbers with four figures, texts up to 60 characters."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    text = "" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _show_class(answer: Mapping[str, object]) -> None:
    with ui.row().classes("items-baseline gap-x-3 gap-y-0"):
        ui.label(str(answer["label"])).classes("text-3xl font-bold break-words")
        if isinstance(score := answer.get("score"), float):
            ui.label(f"with probability {_percent(score)}").classes("text-lg opacity-80")
    probabilities = answer.get("probabilities")
    if not isinstance(probabilities, Mapping):
        return
    ordered = sorted(probabilities.items(), key=lambda entry: -float(entry[1]))
    with ui.element("ul").classes("w-full m-0 p-0 list-none flex flex-col gap-2"):
        for label, probability in ordered[:MOST_BARS]:
            _bar(str(label), float(probability))
    if len(ordered) > MOST_BARS:
        rest = sum(float(probability) for _, probability in ordered[MOST_BARS:])
        ui.label(f"{len(ordered) - MOST_BARS} other classes: {_percent(rest)} together").classes("text-sm opacity-80")


def _bar(label: str, probability: float) -> None:
    # Drawn with plain elements: a screen reader reads name and figure, the bar itself adds nothing to them.
    with ui.element("li").classes("w-full"):
        with ui.row(wrap=False).classes("w-full justify-between text-sm gap-4"):
            ui.label(label).classes("break-words min-w-0")
            ui.label(_percent(probability)).classes("tabular-nums")
        with ui.element("div").classes("w-full h-3 rounded bg-black/10 dark:bg-white/15").props('aria-hidden="true"'):
            ui.element("div").classes("h-full rounded bg-sky-700 dark:bg-sky-400").style(
                f"width: {100 * min(max(probability, 0), 1):.2f}%"
            )


def _show_alarm(answer: Mapping[str, Any]) -> None:
    """The decision, the score beside its threshold, and which channels carry the score."""
    with ui.row().classes("items-baseline gap-x-3 gap-y-0"):
        ui.label("Anomaly" if answer["anomaly"] else "Normal").classes("text-3xl font-bold")
        beside = f"score {short(answer['score'])}, an alarm above {short(answer['threshold'])}"
        ui.label(beside).classes("text-lg opacity-80")
    shares = sorted(answer["channels"].items(), key=lambda one: -one[1])
    with ui.element("ul").classes("w-full m-0 p-0 list-none flex flex-col gap-2"):
        for name, share in shares[:MOST_BARS]:
            _bar(str(name), float(share))


def show_pictures(pictures: Sequence[object], description: str) -> None:
    """Pictures as rows of pixels, side by side."""
    ui.image(f"data:image/png;base64,{b64encode(png(pictures)).decode()}").classes("w-full max-w-md").props(
        f'alt="{description}" fit=contain no-spinner'
    ).style("image-rendering: pixelated")


def _show_reconstruction(answer: Mapping[str, Any]) -> None:
    """The class where the code tells one, what was made again, how near it comes, and the code."""
    if "label" in answer:
        _show_class(answer)
    made = answer["reconstruction"]
    if isinstance(made, Mapping):
        for name, value in made.items():
            ui.label(f"{name}: {short(value)}").classes("tabular-nums break-words")
    else:
        with ui.element("div").classes("w-48"):
            show_pictures([made], "the reconstruction")
    ui.label(f"Mean squared error {short(answer['mse'])}, made again from {len(answer['code'])} numbers:")
    ui.label(", ".join(map(short, answer["code"]))).classes("text-sm opacity-80 tabular-nums break-words")


def _show_translation(answer: Mapping[str, Any]) -> None:
    """A text to read and to copy; further translations below it."""
    ui.label(str(answer["translation"])).classes("text-2xl break-words select-text whitespace-pre-wrap")
    for other in answer.get("others", ()):
        ui.label(str(other["translation"])).classes("text-lg opacity-80 break-words")


def _show_value(answer: Mapping[str, object]) -> None:
    if answer.get("name"):
        ui.label(str(answer["name"])).classes("text-sm opacity-80")
    ui.label(f"{short(answer['value'])} {answer.get('unit', '')}".strip()).classes("text-3xl font-bold tabular-nums")


def _show_forecast(answer: Mapping[str, Any]) -> None:
    """A line a target over the steps ahead, and a table of them, with the outermost quantiles where there are some."""
    forecast, bands = answer["forecast"], answer.get("quantiles", {})
    count = len(next(iter(forecast.values())))
    steps = answer.get("time") or [f"+{step + 1}" for step in range(count)]
    lines = [{"type": "line", "name": name, "data": values, "showSymbol": count < MOST_BARS}
             for name, values in forecast.items()]  # fmt: skip
    chart = {"xAxis": {"type": "category", "data": steps}, "yAxis": {"type": "value", "scale": True},
             "legend": {}, "tooltip": {"trigger": "axis"}, "animation": False, "series": lines}  # fmt: skip
    ui.echart(chart).classes("w-full h-64").props('aria-hidden="true"')
    heads = ["time", *(f"{name} ({answer['unit']})" if answer.get("unit") else name for name in forecast)]
    columns = [{"name": str(place), "label": head, "field": str(place)} for place, head in enumerate(heads)]
    rows = []
    for step, time in enumerate(steps):
        cells = {"key": str(step), "0": time}
        for place, (name, values) in enumerate(forecast.items(), start=1):
            outer = list(bands[name].values()) if name in bands else []
            around = f" [{short(outer[0][step])}, {short(outer[-1][step])}]" if outer else ""
            cells[str(place)] = short(values[step]) + around
        rows.append(cells)
    ui.table(columns=columns, rows=rows, row_key="key", pagination=24).props("flat dense bordered").classes("w-full")


def _percent(probability: float) -> str:
    """Never 100.0 % for what is not certain, nor 0.0 % for what is not impossible."""
    if 0.9995 <= probability < 1:
        return "over 99.9 %"
    if 0 < probability < 0.0005:
        return "under 0.1 %"
    return f"{100 * probability:.1f} %"
