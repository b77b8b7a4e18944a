"""How is a run called: from a shell, from Python, and without dlkit?"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from dlkit.contracts import ColumnKind
from dlkit.evaluation.pages import section
from dlkit.inference.forms import argument_names

TEXT = "A text of your own"
PICTURE = "photo.jpg"
_PLACEHOLDERS: dict[ColumnKind, str] = {
    "text": f'"{TEXT}"', "category": '"a"', "number": "1.0", "image": f'"{PICTURE}"',
    "series": "[1.0, 2.0, 3.0]", "time": '"2024-12-31 23:00"',
}  # fmt: skip
_DTYPES: dict[ColumnKind, str] = {"number": "tf.float64", "series": "tf.float64", "time": "tf.int64"}


@dataclass(frozen=True)
class _Called:
    """Whom the snippets call. `examples`: a value of each of the `inputs`, as Python has it."""

    run: str
    task: str
    inputs: Mapping[str, str]
    examples: Mapping[str, str]


@dataclass(frozen=True)
class Usage:
    """Ready to copy. `commands`: (what it does, command line); the others are Python by artefact."""

    commands: tuple[tuple[str, str], ...]
    python: str
    artefacts: Mapping[str, str]


def usage(metrics: Mapping[str, object]) -> Usage:
    """The ways to call the run of `metrics.json`; `inputs` ({column: kind}), where given, makes them concrete."""
    run = str(metrics.get("run") or metrics.get("recipe"))
    inputs = {str(name): str(kind) for name, kind in section(metrics, "inputs").items()}
    quoted = shlex.quote(run)
    only = next(iter(inputs.values())) if len(inputs) == 1 else ""
    of_class = _of_class(metrics)
    file = "--file recent.csv" if metrics.get("task") == "forecasting" else "--file rows.csv"
    items = {"text": f'"{TEXT}"', "image": f"{PICTURE} folder/"}.get(only, file)
    commands = [("Ask the model", f"dlkit predict {quoted} {items}")]
    if only == "text" and metrics.get("task") == "classification":
        commands.append(("See which words of a text carried the answer", f'dlkit explain {quoted} "{TEXT}"'))
    made = "--out made.png" if "image" in inputs.values() else "--out made.csv"
    if metrics.get("task") == "generation":
        asked = "".join(f"--label {shlex.quote(label)} " for label in of_class.values())
        make = f"dlkit generate {quoted} --count 16 --seed 0 {asked}{made}"
        commands.append(("Make new ones; the same seed makes the same", make))
    if metrics.get("task") in ("generation", "reconstruction"):
        commands.append(("Keep codes, a row each", f"dlkit encode {quoted} {items} --out codes.csv"))
        commands.append(("Make pictures or rows from codes", f"dlkit decode {quoted} --file codes.csv {made}"))
    if metrics.get("task") == "anomaly":
        commands.append(("Judge rows as they arrive", f"dlkit predict {quoted} --file stream.csv --follow"))
    commands += [
        ("Judge it on the test rows again", f"dlkit evaluate {quoted}"),
        ("Prove that all artefacts still agree", f"dlkit verify {quoted}"),
        ("Serve it over HTTP, with a page for people", f"dlkit serve {quoted}"),
    ]
    artefacts = section(metrics, "artefacts")
    examples = {name: _placeholder(kind) for name, kind in inputs.items()}
    examples |= {name: _quoted(label) for name, label in of_class.items() if name in inputs}
    called = _Called(run, str(metrics.get("task")), inputs, examples)
    ways = {
        name: write(called, _file(artefacts[name], default))
        for name, (default, write) in _WAYS.items()
        if name in artefacts
    }
    return Usage(tuple(commands), _predictor(called), ways)


def _of_class(metrics: Mapping[str, object]) -> dict[str, str]:
    """The column of classes of a model that is told them, with one that it knows: others it refuses."""
    latents = section(metrics, "latents")
    classes = latents.get("classes")
    return {str(latents.get("class_column")): str(classes[0])} if isinstance(classes, list) and classes else {}


def _predictor(called: _Called) -> str:
    if list(called.inputs.values()) in (["text"], ["image"]):
        item = next(iter(called.examples.values()))
    else:
        item = "{" + ", ".join(f"{_quoted(name)}: {example}" for name, example in called.examples.items()) + "}"
    return f"import dlkit\n\npredictor = dlkit.load({_quoted(called.run)})\npredictor.predict([{item}])\n"


def _saved_model(called: _Called, _file: str) -> str:
    names = argument_names(called.inputs)
    tensors = [
        f"    {_quoted(names[column])}: tf.constant([{_content(kind, called.examples[column])}]{_dtype(kind)}),\n"
        for column, kind in called.inputs.items()
    ]
    return (
        f"import tensorflow as tf\n\nmodel = tf.saved_model.load({_quoted(called.run)})\n"
        f'answer = model.signatures["serving_default"](**{{\n{"".join(tensors)}}})\n'
    )


def _litert(called: _Called, file: str) -> str:
    if called.task == "translation":
        return _TRANSLATOR.format(run=_quoted(called.run), file=_quoted(file), text=_quoted(TEXT))
    return (
        "from ai_edge_litert.interpreter import Interpreter\n\n"
        f"interpreter = Interpreter(model_path={_quoted(f'{called.run}/{file}')})\n"
        'signature = interpreter.get_signature_runner("serving_default")\n'
        "# It takes encoded rows, as dlkit.load(run).transform.encode(columns) makes them from raw ones.\n"
        "print(signature.get_input_details())\n"
    )


_TRANSLATOR = """\
import json
import re
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

run = Path({run})
about = json.loads((run / "assets.extra/preprocessing.json").read_text(encoding="utf-8"))
special = about["ids"]


def pieces(name):
    return (run / "assets.extra" / about[name]).read_text(encoding="utf-8").split("\\n")[:-1]


def cut(word):  # the longest piece that it begins with, and so on
    found = []
    while word and about["level"] == "piece":
        size = next((size for size in range(len(word), 0, -1) if word[:size] in numbers), 0)
        found.append(numbers.get(word[:size], special["unknown"]))
        word = word[max(size, 1) :]
    return found or [numbers.get(word, special["unknown"])]


numbers = {{piece: number for number, piece in enumerate(pieces("vocabulary"), start=special["first_piece"])}}
text = {text}
text = text.lower() if about["lower"] else text
# Enough for plain text; all of the rules are in about["rules"].
words = [word for part in text.split() for word in re.findall(r"▁?(?:[^\\W_]{{1,64}}|.)", "▁" + part)]
ids = [number for word in words for number in cut(word)][: about["longest_source"] - 1]

# Greedily, in one call; "encode" and "step" are for other searches, a piece a call.
greedy = Interpreter(model_path=str(run / {file})).get_signature_runner("greedy")
outputs = greedy(source=np.array([[*ids, special["end"]]], np.int32))["outputs"][0]
written = [int(number) - special["first_piece"] for number in outputs[1:] if number >= special["first_piece"]]
target = pieces("target_vocabulary")
print("".join(target[number] for number in written).replace("▁", " ").strip(), float(outputs[0]))
"""


def _keras(called: _Called, _file: str) -> str:
    load = f"dlkit.keras_model({_quoted(called.run)})"
    return f"import dlkit\n\nmodel = {load}  # the network alone: takes encoded rows\n"


def _quoted(text: str) -> str:
    """A string as Python reads it; JSON's escapes are Python's as well."""
    return json.dumps(text, ensure_ascii=False)


def _placeholder(kind: str) -> str:
    return next((text for known, text in _PLACEHOLDERS.items() if known == kind), "...")


def _content(kind: str, example: str) -> str:
    """The example for who reads files himself, and counts time in seconds since 1970."""
    if kind == "time":
        return "1735686000"
    return f'tf.io.read_file("{PICTURE}").numpy()' if kind == "image" else example


def _dtype(kind: str) -> str:
    return next((f", {dtype}" for known, dtype in _DTYPES.items() if known == kind), "")


def _file(artefact: object, default: str) -> str:
    return str(artefact.get("path", default)) if isinstance(artefact, Mapping) else default


_WAYS = {"saved_model": ("", _saved_model), "tflite": ("model.tflite", _litert), "keras": ("model.keras", _keras)}
