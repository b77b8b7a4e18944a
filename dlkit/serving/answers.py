"""How is an answer shown to a person?"""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

MOST_BARS = 8


def show_answer(answer: Mapping[str, object]) -> None:
    """A class with bars of probabilities, a value with its unit, or else each part of the answer by its name."""
    if "label" in answer:
        _show_class(answer)
    elif "value" in answer:
        _show_value(answer)
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


def _show_value(answer: Mapping[str, object]) -> None:
    if answer.get("name"):
        ui.label(str(answer["name"])).classes("text-sm opacity-80")
    ui.label(f"{short(answer['value'])} {answer.get('unit', '')}".strip()).classes("text-3xl font-bold tabular-nums")


def _percent(probability: float) -> str:
    """Never 100.0 % for what is not certain, nor 0.0 % for what is not impossible."""
    if 0.9995 <= probability < 1:
        return "over 99.9 %"
    if 0 < probability < 0.0005:
        return "under 0.1 %"
    return f"{100 * probability:.1f} %"
