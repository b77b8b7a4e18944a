"""How long does a network alone take for one row, as LiteRT file, as SavedModel and as ONNX file?

All take inputs that are encoded already and lie in numpy arrays, and give a numpy array, in one process and in turns,
so that what else the machine does meets all. LiteRT and ONNX Runtime use one thread; TensorFlow uses what it likes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dlkit.contracts import Columns, Transform, take
from dlkit.export.onnx import OnnxModel
from dlkit.export.saved_model import SavedModel
from dlkit.inference.answers import AnyAnswer
from dlkit.inference.litert import LiteRT
from dlkit.inference.predictor import network_in

Inputs = Mapping[str, np.ndarray]
Network = Callable[[Inputs], np.ndarray]


def network_figures(
    artefacts: Mapping[str, Path], transform: Transform, answer: AnyAnswer, columns: Columns, *, seconds: float
) -> dict[str, dict[str, float]]:
    """Figures of each of `artefacts` but "keras"; none of a SavedModel that is too old.

    `network_latency_us`: median microseconds of one row, the rows of `columns` in turn. Texts differ in length, and at
    each change of it LiteRT makes its tensors anew: that is in the figure. `network_latency_same_length_us`: the same
    rows, each several times on end, and only the calls that found the length they had before. `network_speedup`:
    latency of the SavedModel divided by the artefact's, lengths changing. `seconds`: to spend on each artefact.
    """
    networks = _networks(artefacts, transform, answer)
    encoded = transform.encode(columns)
    count = len(next(iter(encoded.values())))
    rows = [{name: take(values, np.array([row])) for name, values in encoded.items()} for row in range(count)]
    changing = in_turns(networks, rows, seconds=seconds / 2)
    repeated = in_turns(networks, rows, seconds=seconds / 2, repeats=_REPEATS)
    figures = {
        name: {"network_latency_us": changing[name], "network_latency_same_length_us": repeated[name]}
        for name in networks
    }
    if "saved_model" in figures:
        for of_one in figures.values():
            base = figures["saved_model"]["network_latency_us"]
            of_one["network_speedup"] = round(base / of_one["network_latency_us"], 2)
    return figures


def decoder_figures(
    artefacts: Mapping[str, Path], transform: Transform, *, seconds: float
) -> dict[str, dict[str, float]]:
    """Figures of the signature `decode` of a latent model: one code drawn from a normal distribution at a time.

    `decoder_latency_us`: median microseconds. `decoder_speedup`: latency of the SavedModel divided by the artefact's.
    """
    decoders: dict[str, Network] = {}
    codes: list[Inputs] = []
    random = np.random.default_rng(0)
    for name, path in artefacts.items():
        if path.suffix == ".tflite":
            lite = LiteRT(path)
            decoders[name] = _decoder(lite.signature("decode"))
            label = {"label": np.zeros(1, np.int32)} if lite.takes("decode", "label") else {}
            width = lite.width("decode", "code")
            codes = [{"code": random.standard_normal((1, width), np.float32), **label} for _ in range(_ROUND)]
        elif name == "saved_model":
            decoders[name] = _decoder(SavedModel(path.parent, transform).signature("decode"))
    if not codes:
        return {}
    figures = {
        name: {"decoder_latency_us": found} for name, found in in_turns(decoders, codes, seconds=seconds).items()
    }
    for of_one in figures.values() if "saved_model" in figures else ():
        base = figures["saved_model"]["decoder_latency_us"]
        of_one["decoder_speedup"] = round(base / of_one["decoder_latency_us"], 2)
    return figures


def _decoder(signature: Callable[..., Mapping[str, np.ndarray]]) -> Network:
    return lambda inputs: signature(**inputs)["outputs"]


_REPEATS = 4


def in_turns(
    networks: Mapping[str, Network], rows: Sequence[Inputs], *, seconds: float, repeats: int = 1
) -> dict[str, float]:
    """Median microseconds of a call by network. Every round takes all networks through the same few rows.

    `repeats`: a row comes so often, and its first call is not counted. `seconds`: for each network.
    """
    times: dict[str, list[float]] = {name: [] for name in networks}
    for network in networks.values():
        for row in rows[:_ROUND]:  # tensors are made and functions compiled at first sight of a shape
            network(row)
    ends, start = time.perf_counter() + seconds * len(networks), 0
    while start == 0 or time.perf_counter() < ends:
        some = [rows[(start + offset) % len(rows)] for offset in range(_ROUND)]
        for name, network in networks.items():
            network(some[-1])  # the other network's turn has emptied the processor's caches
            times[name] += _timed(network, some, repeats)
        start += _ROUND
    return {name: round(1e6 * statistics.median(values), 1) for name, values in times.items()}


_ROUND = 8
"""Rows that a network takes before it is another one's turn."""


def _timed(network: Network, rows: Sequence[Inputs], repeats: int) -> list[float]:
    times = []
    for row in rows:
        for repeat in range(repeats):
            started = time.perf_counter()
            network(row)
            if repeat or repeats == 1:
                times.append(time.perf_counter() - started)
    return times


def _networks(artefacts: Mapping[str, Path], transform: Transform, answer: AnyAnswer) -> dict[str, Network]:
    networks: dict[str, Network] = {}
    for name, path in artefacts.items():
        if path.suffix == ".tflite":
            networks[name] = network_in(path, transform, answer).run
        elif path.suffix == ".onnx":
            networks[name] = OnnxModel(path, transform, threads=1).network
        elif name == "saved_model":
            model = SavedModel(path.parent, transform)
            if model.has_network:
                networks[name] = model.network
    return networks
