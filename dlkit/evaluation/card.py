"""What must a person know before using the model: what it is for, what it was made from, where it fails?

A model card after Mitchell et al. 2019, "Model Cards for Model Reporting", as the README of a run.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from dlkit.evaluation.headline import headline
from dlkit.evaluation.pages import first_lines, flattened, render, section, write
from dlkit.evaluation.report import figure_names, figure_rows, fold_rows, protocol
from dlkit.evaluation.scores import main_figure
from dlkit.evaluation.usage import usage

_TITLES = {
    "saved_model": "SavedModel: raw columns in, answer out, TensorFlow alone",
    "tflite": "LiteRT: encoded rows in, no TensorFlow",
    "keras": "Keras model, to go on training",
}
_DOES = {
    "classification": "It takes one row of raw input and names one of its classes, with a probability for each.",
    "regression": "It takes one row of raw input and estimates a number, in the unit of the training data.",
    "forecasting": "It takes the recent steps of a series, in own units, and forecasts the next ones, with times.",
    "anomaly": "It takes a window of a series, or a row of a table, and says how unlike normal ones it is, and why.",
    "generation": (
        "It takes one row of raw input and gives a code, a few numbers, and what it can make again from them; from a "
        "code that is drawn at random it makes something new."
    ),
    "reconstruction": (
        "It takes one row of raw input and gives a code, a few numbers, and what it can make again from them."
    ),
    "translation": "It takes a sentence of one language and writes it in another.",
    "joint": "It takes one row of raw input and gives several answers about it, each by its name.",
}
_OF_PICTURES = {
    "saved_model": "SavedModel: contents of files in, answer out, TensorFlow alone",
    "tflite": "LiteRT: pixels in, no TensorFlow",
}
_USES = {
    "classification": "For input of the kind it was trained on, where as many wrong answers as below are acceptable.",
    "regression": "For input of the kind it was trained on, where errors as large as below are acceptable.",
    "anomaly": (
        "To draw a person's eye to what is unlike the normal rows it was trained on, where as many false alarms and "
        "missed anomalies as below are acceptable."
    ),
    "generation": (
        "To make more of what it was trained on, to look at how rows are alike, and to judge how likely a row is. What "
        "it makes is no record of anything that was there."
    ),
    "reconstruction": (
        "For codes that are searched, compared or sent in place of the input, where losses as large as below are "
        "acceptable."
    ),
    "forecasting": (
        "For the series it was trained on, and as long as that behaves as it did, where errors as large as below are "
        "acceptable. Where its skill against the linear baseline is small or negative, take the line."
    ),
}
_LIMITS = {
    "forecasting": (
        "It knows nothing that is not in its window: no strike, no new machine, no holiday unless it is told.",
        "Figures are of one stretch of time, the last one; the backtest shows how they change from stretch to stretch.",
        "Steps must follow each other as in training: gaps in the window are refused, not guessed.",
    ),
    "anomaly": (
        "What was in the training rows is normal to it, faults included.",
        "Unusual is not wrong: a new product or another season raises alarms until it is trained on them.",
        "Its threshold was set on held-out rows of the same time; where these drift, so does the rate of false alarms.",
    ),
    "generation": (
        "What it makes may resemble training rows closely: where these are private, so is what it makes.",
        "A bound in nats compares models on the same rows, binarised in the same way, and on nothing else.",
        "Rows unlike the training rows can be given a high likelihood: it is no detector of strange input.",
    ),
    "reconstruction": (
        "What it makes again is plausible, not true: details that are not in the code are made up.",
        "Codes of two runs cannot be compared with each other.",
    ),
    "translation": (
        "It has seen sentences of one kind: of others it makes fluent nonsense, and nothing says so.",
        "What no training sentence held (names, numbers, other scripts) may be left out or replaced.",
        "It reads one sentence at a time, up to a length; a longer text is cut, with a warning.",
    ),
    "classification": (
        "It always names one of its classes, even for input that belongs to none of them.",
        "Its probabilities are not calibrated: 0.9 need not mean right in nine of ten cases.",
    ),
    "regression": (
        "Beyond the range of the training data its estimates are guesses.",
        "It gives one number and no interval; the errors in the report show how far off it can be.",
    ),
}


def write_card(
    metrics: Mapping[str, object],
    *,
    question: str,
    settings: Mapping[str, object],
    command: str,
    folder: Path,
) -> Path:
    """Write the model card, `README.md`, into the folder of a run.

    `metrics`: as for `report.write_report`, with the same optional parts. `command`: reproduces the run.
    """
    task, run = str(metrics["task"]), str(metrics.get("run") or metrics.get("recipe"))
    data, folds = section(metrics, "data"), section(metrics, "folds")
    values = {
        "metrics": metrics,
        "question": question,
        "headline": headline(metrics),
        "warnings": _texts(metrics.get("warnings")),
        "what": _does(metrics, task),
        "use": _USES.get(task, "For input of the kind it was trained on."),
        "inputs": section(metrics, "inputs"),
        "run": shlex.quote(run),
        "data": data,
        "notes": [first_lines(note) for note in _texts(data.get("notes"))],
        "figure_names": figure_names(metrics),
        "figure_rows": figure_rows(metrics),
        "unit": metrics.get("unit") or "",
        "main": main_figure(task)[0],
        "protocol": protocol(section(metrics, "latents")),
        "folds": fold_rows(metrics),
        "k": folds.get("k", ""),
        "limits": (*_of_the_data(data), *_LIMITS.get(task, ()), *_of_copies(section(settings, "model"), task)),
        "artefacts": section(metrics, "artefacts"),
        "usage": usage(metrics),
        "titles": _TITLES | _OF_PICTURES if _takes_pictures(metrics) else _TITLES,
        "command": command,
        "versions": section(metrics, "versions"),
        "settings": flattened(settings),
    }
    return write(folder / "README.md", render("card.md.jinja", values))


def _does(metrics: Mapping[str, object], task: str) -> str:
    does = _DOES.get(task, "It takes one row of raw input and gives an answer.")
    return does.replace("one row of raw input", "a picture") if _takes_pictures(metrics) else does


def _takes_pictures(metrics: Mapping[str, object]) -> bool:
    return list(section(metrics, "inputs").values()) == ["image"]


def _of_the_data(data: Mapping[str, object]) -> tuple[str, ...]:
    learned = "It has learned what is in its training rows, their mistakes and their prejudice included."
    if data.get("sample"):
        return "Trained on sample data, to try the way from rows to a model: not for use on real input.", learned
    return (learned,)


def _of_copies(model: Mapping[str, object], task: str) -> tuple[str, ...]:
    if task != "translation" or not model.get("copy"):
        return ()
    return (
        "It copies pieces of its vocabulary alone. What has none, with preprocessing.level=word each new word or name, "
        "has no id to be copied by and is lost.",
    )


def _texts(values: object) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list | tuple) else []
