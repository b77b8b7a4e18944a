"""How do figures become text on a page, and how does a page reach the disk?"""

from __future__ import annotations

import base64
import contextlib
import math
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dlkit.errors import RunError

_MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


def render(template: str, values: Mapping[str, object]) -> str:
    """A template of this folder, filled. HTML is escaped by itself; Markdown through the filters `text` and `code`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=template.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({"figure": figure, "size": size, "duration": duration})
    environment.filters.update({"text": markdown_text, "code": markdown_code, "block": markdown_block})
    return environment.get_template(template).render(values)


def write(path: Path, content: str | bytes) -> Path:
    """A file, whole or not at all; RunError where the disk refuses."""
    # Raw texts may hold half a surrogate pair, which has no UTF-8 form.
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    aside = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(data)
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        reason = error.strerror or str(error)
        raise RunError(f"{path} cannot be written: {reason}. Free some space, or choose another --out.") from error
    return path


def data_uri(path: Path) -> str:
    """An image file as text that a page can hold."""
    return f"data:{_MEDIA_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def figure(value: object) -> str:
    """A number with about four telling digits; a dash for none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "–" if value is None or isinstance(value, float) else str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.{3 if abs(value) < 10 else 2 if abs(value) < 100 else 1}f}"


def size(count: object) -> str:
    """A number of bytes for a person, in powers of 1000."""
    if not isinstance(count, int | float):
        return "–"
    number = float(count)
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def duration(seconds: object) -> str:
    """A time span for a person."""
    if not isinstance(seconds, int | float):
        return "–"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shortened(text: str, length: int) -> str:
    """A text on one line without control characters, at most `length` characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * length]).split())
    return line if len(line) <= length and len(text) <= 4 * length else line[: length - 1].rstrip() + "…"


def first_lines(note: str, count: int = 6) -> str:
    """A note on a list, for a terminal or a card: of a long one its first lines."""
    lines = note.split("\n")
    left = len(lines) - count
    if left <= 1:
        return note
    return "\n".join([*lines[:count], f"  … and {left} lines more, all in metrics.json and report.html"])


def markdown_text(value: object) -> str:
    """A value as plain text inside Markdown: no tags, links, table cells or emphasis of its own."""
    text = _line(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + char if char in "\\`*_[]|#$~" else char for char in text)


def markdown_code(value: object) -> str:
    """A value as inline code inside Markdown, table cells included."""
    text = _line(value).replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _line(value: object) -> str:
    return "–" if value is None else " ".join(str(value).split())


def markdown_block(text: str, language: str) -> str:
    """A text as a code block whose fence no line of the text can close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def section(values: Mapping[str, object], name: str) -> Mapping[str, object]:
    """A part of `metrics.json`; empty where the run has none."""
    part = values.get(name)
    return part if isinstance(part, Mapping) else {}


def flattened(settings: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Nested settings under the dotted names that `--set` takes."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = "–" if value is None else str(value)
    return flat
