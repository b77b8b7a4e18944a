"""How quick does a translator write: a sentence, a piece late or early in it, with a cache and without?

Usage: decoding.py RUN [SENTENCES], with DLKIT_DATA and DLKIT_CACHE set. Takes test sentences of about a dozen words
(any where there are none), from raw string to raw string, one at a time: LiteRT on one thread, greedily by its loop
inside and by a beam of its steps; the SavedModel greedily by its steps, called from Python, and by its loop inside. All
take turns, sentence by sentence. Medians of the clock and of the processor's time: on a busy machine only the latter
says something.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from dlkit import finished
from dlkit.contracts import take
from dlkit.export.proof import keras_model
from dlkit.inference.decoding import Search, Steps, Tensors
from dlkit.inference.predictor import Predictor, load_answer
from dlkit.inference.sentence_pieces import FIRST
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.translating import Translator

WORDS = range(10, 15)
POSITIONS = (1, 8, 16, 32)
REPEATS = 30


class SavedSteps:
    """The step loop of a SavedModel: its signatures `encode` and `step`, called from Python."""

    def __init__(self, folder: Path) -> None:
        self._module = tf.saved_model.load(str(folder))
        self.encoder, self.stepper = (self._module.signatures[name] for name in ("encode", "step"))
        self.whole = self._module.signatures["greedy"]

    def encode(self, source: np.ndarray) -> tuple[Tensors, Tensors]:
        found = self.encoder(source=tf.constant(source))
        cache = {name: rows for name, rows in found.items() if name.startswith("cache_")}
        return {name: rows for name, rows in found.items() if name not in cache}, cache

    def step(self, pieces: np.ndarray, position: int, state: Tensors, cache: Tensors) -> tuple[np.ndarray, Tensors]:
        # Tensors stay TensorFlow's between steps: only the chances become an array.
        found = dict(
            self.stepper(pieces=tf.constant(pieces), position=tf.constant(position, tf.int32), **state, **cache)
        )
        return found.pop("chances").numpy(), found


def main(folder: Path, count: int) -> None:
    run = finished.Finished(folder)
    answer, transform = run.answer, run.transform
    if not isinstance(answer, SentenceAnswer):
        raise SystemExit(f"{folder}: expected the run of a translator, got one of {run.task}.")
    (column,) = transform.kinds
    texts = run.splits(None, lambda _: None).test.inputs[column]
    chosen = [text for text in texts if len(text.split()) in WORDS][:count] or list(texts[:count])
    greedy = Search(beam=1, length_penalty=answer.length_penalty)
    saved = SavedSteps(folder)

    def encoded(text: str) -> np.ndarray:
        return take(transform.encode({column: np.array([text], object)})["source"], np.array([0]))

    def by_saved_steps(text: str) -> str:
        return answer.sentences(greedy.run(saved, encoded(text), answer.longest).outputs)[0]

    forms: dict[str, Callable[[str], str]] = {
        "saved_model, step by step": by_saved_steps,
        "saved_model, loop inside": lambda text: (
            saved.whole(source=tf.constant([text]))["translation"].numpy()[0].decode()
        ),
    }
    for name in [name for name in run.artefacts if name in ("tflite", "dynamic")]:
        for search in (greedy, Search(beam=5, length_penalty=answer.length_penalty)):
            predictor = Predictor(folder, artefact=name, search=search)
            way = "greedy" if search.is_greedy else "beam 5"
            forms[f"{name}, {way}"] = lambda text, predictor=predictor: predictor.predict([text])[0]["translation"]
    result = _in_turns(forms, chosen)
    base = result["saved_model, step by step"]
    for figures in result.values():
        for unit in ("milliseconds", "processor_milliseconds"):
            figures[f"times_the_step_loop, {unit}"] = round(base[unit] / figures[unit], 2)
    print(
        json.dumps(
            {
                "sentences": len(chosen),
                "forms": result,
                "steps": _steps(folder, saved, encoded(chosen[0])),
            }
        )
    )


def _in_turns(forms: Mapping[str, Callable[[str], str]], texts: list[str]) -> dict[str, dict[str, float]]:
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in forms}
    words: dict[str, list[int]] = {name: [] for name in forms}
    for text in texts[:3]:
        for translate in forms.values():
            translate(text)
    for text in texts:
        for name, translate in forms.items():
            before = time.perf_counter(), time.process_time()
            found = translate(text)
            seconds[name].append((time.perf_counter() - before[0], time.process_time() - before[1]))
            words[name].append(len(found.split()))
    result = {}
    for name, times in seconds.items():
        clock, processor = (statistics.median(part) for part in zip(*times, strict=True))
        result[name] = {
            "milliseconds": round(1e3 * clock, 3),
            "sentences_per_second": round(1 / clock, 1),
            "processor_milliseconds": round(1e3 * processor, 3),
            "sentences_per_processor_second": round(1 / processor, 1),
            "words": round(statistics.mean(words[name]), 1),
        }
    return result


def _steps(folder: Path, saved: SavedSteps, source: np.ndarray) -> dict[str, dict[str, float]]:
    """Microseconds of the processor for the piece at a position; without a cache all pieces before it are read again,
    and the source with them.
    """
    litert, model = Translator(folder / "model.tflite", load_answer(folder)), keras_model(folder / "model.keras")
    anew = tf.function(lambda target: model({"source": source, "target": target}, training=False)[:, -1])
    piece = np.array([FIRST], np.int32)
    calls: dict[str, Callable[[int], object]] = {
        "saved_model without cache": lambda at: anew(np.tile(piece, (1, at + 1)))
    }
    for name, steps in (("saved_model", saved), ("tflite", litert)):
        calls[name] = partial(_step, steps, piece, *steps.encode(source))
    positions = [position for position in POSITIONS if position < model.longest_target]
    result = {}
    for name, call in calls.items():
        figures = {str(position): _median(partial(call, position)) for position in positions}
        last, first = figures[str(positions[-1])], figures[str(positions[0])]
        result[name] = figures | {"last_to_first": round(last / first, 2)}
    return result


def _step(steps: Steps, piece: np.ndarray, state: Tensors, cache: Tensors, position: int) -> object:
    return steps.step(piece, position, state, cache)


def _median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return round(1e6 * statistics.median(times[REPEATS // 3 :]), 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
