"""Which artefacts can a run hold, and by which name?"""

from __future__ import annotations

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
