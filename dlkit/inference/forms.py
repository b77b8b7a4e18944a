"""Which artefacts can a run hold, and by which name are they and their inputs called?"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from dlkit.errors import SettingsError, did_you_mean

STANDARD = ("keras", "saved_model", "tflite")
"""Written by every run."""
QUANTIZED = ("float16", "dynamic", "int8")
"""Further LiteRT files, on request."""
LITERT = ("tflite", *QUANTIZED)
"""Those that run without TensorFlow and without another runtime than LiteRT."""
KNOWN = (*STANDARD, *QUANTIZED, "onnx")
_FORMATS = ("tflite", "saved_model", "onnx")


def artefact_name(form: str, quantize: str | None) -> str:
    """The name under which `dlkit export --format FORM --quantize QUANTIZE` records its artefact."""
    if form not in _FORMATS:
        raise SettingsError(f"--format: unknown {form!r}.{did_you_mean(form, _FORMATS)}")
    if quantize is None:
        return form
    if quantize not in QUANTIZED:
        raise SettingsError(f"--quantize: unknown {quantize!r}.{did_you_mean(quantize, QUANTIZED)}")
    if form != "tflite":
        raise SettingsError(f"--quantize {quantize} goes with --format tflite, got {form}.")
    return quantize


def argument_names(columns: Iterable[str]) -> dict[str, str]:
    """By which name a SavedModel takes each raw column: its own, where TensorFlow allows that.

    TensorFlow wants the names of Python's arguments in ASCII, different without regard to case: "Price ($)" becomes
    "price", "größe" becomes "gr_e", and a second "gr_e" would become "gr_e_2".
    """
    columns = list(columns)
    # Columns that keep their names come first: another one must not take a name from them.
    ordered = sorted(columns, key=lambda column: not _is_argument(column))
    names: dict[str, str] = {}
    for column in ordered:
        name = column if _is_argument(column) else re.sub("[^a-z0-9]+", "_", column.lower()).strip("_")
        if not _is_argument(name):
            name = f"column_{name}".rstrip("_")
        taken = {other.lower() for other in names.values()}
        free, count = name, 1
        while free.lower() in taken:
            count += 1
            free = f"{name}_{count}"
        names[column] = free
    return {column: names[column] for column in columns}


def _is_argument(name: str) -> bool:
    return bool(re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)) and not keyword.iskeyword(name) and name != "self"
