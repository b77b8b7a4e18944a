"""How is a SavedModel made that takes raw input and gives an answer?

It has two signatures: `serving_default` from raw columns to the answer, and `network` from encoded inputs to the
network's outputs, for who encodes by himself and for `dlkit bench`, which compares networks without preprocessing.
Where the raw column is pictures, `serving_default` takes files' contents and a third, `arrays`, pixels of any size.
Those of a latent model, `encode`, `decode` and `reconstruct`, are in `latent_signatures`; a translator's in
`translating`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from dlkit.contracts import Columns, Tensor, Transform
from dlkit.errors import RunError
from dlkit.export.latent_signatures import latent_functions
from dlkit.export.translating import TranslationServable
from dlkit.inference.anomalies import MOST_SHOWN, AnomalyAnswer
from dlkit.inference.answers import AnyAnswer, ClassAnswer, JointAnswer, ValueAnswer
from dlkit.inference.forecasts import MEDIAN, ForecastAnswer
from dlkit.inference.forms import argument_names
from dlkit.inference.latents import LatentAnswer, LatentInputs
from dlkit.inference.sentences import SentenceAnswer
from dlkit.inference.series import SeriesInputs
from dlkit.inference.translation import PairText
from dlkit.inference.windows import ScaledWindows
from dlkit.models.layers import side_by_side
from dlkit.preprocessing.graphs import LatentInputsGraph, graph_of, raw_tensors
from dlkit.preprocessing.image_graphs import ImagePixelsGraph
from dlkit.preprocessing.series_graphs import SeriesInputsGraph
from dlkit.training.answering import ROWS_AT_ONCE

Answered = ClassAnswer | ValueAnswer | JointAnswer | AnomalyAnswer | ForecastAnswer | LatentAnswer
"""What is read from the outputs of a network alone."""
PARTS = ("saved_model.pb", "fingerprint.pb", "variables", "assets")


class Servable(tf.Module):
    """`serve`: raw columns in, called as `argument_names` says; "outputs" (the network's own) and the answer out.

    A class adds "probabilities" (rows, classes) float32 and "label" (rows,) strings, a number adds "value" (rows,)
    float64 in own units, a search for anomalies "score", "threshold", "anomaly" (rows,) and "contributions" (rows, …)
    as `AnomalyAnswer.decode` has them, a latent model "reconstruction" (of a table one for each column, by its
    name), "code" and "mse"; several answers add these by their names ("age_value"). `network`: encoded inputs by name
    as `Transform.tensors` has them, any number of rows, and of any length where that is None; "outputs" out.
    `arrays`, of a model of pictures: uint8 pixels (rows, height, width, 1, 3 or 4); the same answers out as `serve`.
    """

    def __init__(self, transform: Transform, model: keras.Model, answer: Answered) -> None:
        super().__init__()
        self._graph = graph_of(transform)
        # The variables, and the model out of sight: Keras would trace a subclassed one anew, with floats for word ids.
        self._variables = [variable.value for variable in model.variables]
        self._call = partial(model.__call__, training=False)
        self._answer = answer
        self._names = argument_names(self._graph.signature)
        signature = {
            self._names[column]: tf.TensorSpec(spec.shape, spec.dtype, name=self._names[column])
            for column, spec in self._graph.signature.items()
        }
        self.serve = tf.function(self._serve, input_signature=[signature])
        self.network = tf.function(self._network, input_signature=[_signature(transform.tensors)])
        self.functions = {"serving_default": self.serve, "network": self.network}
        for name, (one, taken) in latent_functions(model, transform.tensors).items():
            self.functions[name] = tf.function(one, input_signature=[_signature(taken)])
        self._input = transform.name if isinstance(transform, LatentInputs) else ""
        if isinstance(self._graph, ImagePixelsGraph | LatentInputsGraph) and self._graph.takes_arrays:
            self.arrays = self._arrays(self._graph)
            self.functions["arrays"] = self.arrays

    def _serve(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        columns = {column: raw[name] for column, name in self._names.items()}
        times = self._graph.times(columns) if isinstance(self._graph, SeriesInputsGraph) else {}
        return self._answered(self._graph.encode(columns)) | times

    def _arrays(self, graph: ImagePixelsGraph | LatentInputsGraph) -> object:
        pixels = tf.TensorSpec((None, None, None, None), tf.uint8, name="pixels")
        return tf.function(lambda pixels: self._answered(graph.of_arrays(pixels)), input_signature=[pixels])

    def _answered(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        outputs = self._network(inputs)["outputs"]
        found = {"outputs": outputs} | _answered(self._answer, outputs)
        if "encode" in self.functions:
            error = tf.square(outputs - inputs[self._input])
            codes = self.functions["encode"](inputs)
            found |= {"code": codes.pop("mean"), "mse": tf.reduce_mean(error, axis=list(range(1, len(error.shape))))}
            found |= codes
        return found

    def _network(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"outputs": side_by_side(self._call(next(iter(inputs.values())) if len(inputs) == 1 else inputs))}


def _signature(tensors: Mapping[str, Tensor]) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec((None, *one.shape), one.dtype, name=name) for name, one in tensors.items()}


def _answered(answer: Answered, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
    if isinstance(answer, JointAnswer):
        found: dict[str, tf.Tensor] = {}
        start = 0
        for part_name, part in answer.parts.items():
            of_part = _answered(part, outputs[:, start : start + part.units])
            found |= {f"{part_name}_{name}": tensor for name, tensor in of_part.items()}
            start += part.units
        return found
    if isinstance(answer, ValueAnswer):
        value = tf.cast(outputs[:, 0], tf.float64) * answer.scale + answer.mean
        return {"value": tf.exp(value) if answer.logarithm else value}
    if isinstance(answer, AnomalyAnswer):
        return _alarm(answer, outputs)
    if isinstance(answer, ForecastAnswer):
        return _forecast(answer, outputs)
    if isinstance(answer, LatentAnswer):
        return _reconstruction(answer, outputs)
    probabilities = tf.concat([1 - outputs, outputs], axis=1) if len(answer.labels) == 2 else outputs
    label = tf.gather(tf.constant(answer.labels), tf.argmax(probabilities, axis=1))
    return {"probabilities": probabilities, "label": label}


def _alarm(answer: AnomalyAnswer, residuals: tf.Tensor) -> dict[str, tf.Tensor]:
    """As `AnomalyAnswer.decode`: score, decision, and what each number of a row adds to its score."""
    parts = tf.square(tf.cast(residuals, tf.float64)) / tf.constant(answer.level, tf.float64)
    parts = tf.minimum(tf.where(tf.math.is_nan(parts), tf.constant(MOST_SHOWN, tf.float64), parts), MOST_SHOWN)
    if 0 < answer.newest < answer.window:
        counted = np.arange(answer.window) >= answer.window - answer.newest
        parts *= tf.constant(counted[:, np.newaxis] * answer.window / answer.newest, tf.float64)
    parts /= (answer.window if answer.window > 1 else 1) * len(answer.channels)
    score = tf.reduce_sum(parts, axis=list(range(1, len(parts.shape))))
    return {
        "score": score,
        "threshold": tf.fill(tf.shape(score), tf.constant(answer.threshold, tf.float64)),
        "anomaly": score > answer.threshold,
        "contributions": parts,
    }


def _forecast(answer: ForecastAnswer, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
    """In own units: "forecast" (rows, horizon, targets) float64, and "quantiles" with one more axis."""
    every = tf.reshape(tf.cast(outputs, tf.float64), (-1, outputs.shape[1], len(answer.targets), answer.each))
    every = tf.sort(every, axis=-1) if answer.quantiles else every
    values = every * np.array(answer.scale)[:, np.newaxis] + np.array(answer.mean)[:, np.newaxis]
    values = tf.exp(values) if answer.logarithm else values
    if not answer.quantiles:
        return {"forecast": values[..., 0]}
    return {"forecast": values[..., answer.quantiles.index(MEDIAN)], "quantiles": values}


def _reconstruction(answer: LatentAnswer, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
    """As `LatentAnswer.decode`: pixels (rows, height, width, channels) uint8, or of a table each column (rows,) as
    "reconstruction_" and its name: a number float64, NaN where it is missing, or a category, "" where none is known.
    """
    if not answer.features:
        return {"reconstruction": tf.cast(tf.round(tf.clip_by_value(outputs, 0.0, 1.0) * 255), tf.uint8)}
    values = tf.cast(outputs, tf.float64) * np.array(answer.scale) + np.array(answer.shift)
    found: dict[str, tf.Tensor] = {}
    for name, places in answer.columns.items():
        one = values[:, places]
        if name in answer.categories:
            known = answer.categories[name]
            made = tf.gather(tf.constant(known), tf.argmax(one, axis=1)) if known else tf.fill(tf.shape(one)[:1], "")
        else:
            gone = one[:, -1] > 0.5 if name in answer.flagged else tf.zeros_like(one[:, 0], tf.bool)
            made = tf.where(gone, tf.constant(np.nan, tf.float64), one[:, 0])
        found[f"reconstruction_{argument_names(answer.columns)[name]}"] = made
    return found


def write_saved_model(folder: Path, transform: Transform, model: keras.Model, answer: AnyAnswer) -> list[str]:
    """Write the SavedModel's parts into `folder`; gives their names."""
    servable: Servable | TranslationServable
    if isinstance(answer, SentenceAnswer):
        servable = TranslationServable(transform, model, answer)
    else:
        servable = Servable(transform, model, answer)
    tf.saved_model.save(servable, str(folder), signatures=servable.functions)
    return [part for part in PARTS if (folder / part).exists() and (part != "assets" or any((folder / part).iterdir()))]


class SavedModel:
    """A SavedModel, loaded: raw columns to the network's outputs, by one of the signatures that take them."""

    def __init__(self, folder: Path, transform: Transform, *, signature: str = "serving_default") -> None:
        # The module has to live as long as its function: the function alone does not keep its tables.
        self._module = tf.saved_model.load(str(folder))
        self._function = self._module.signatures[signature]
        # Runs of the first dlkit have raw input alone.
        self._network = self._module.signatures.get("network")
        self._transform, self._kinds = transform, transform.kinds
        self._names = argument_names(self._kinds)
        self._tick = transform.tick if isinstance(transform, SeriesInputs) else "s"
        self._rows_at_once = ROWS_AT_ONCE if isinstance(transform, PairText) else 256

    def outputs(self, columns: Columns, *, batch_size: int | None = None) -> np.ndarray:
        columns = self._checked(columns)
        rows, batch_size = len(next(iter(columns.values()))), batch_size or self._rows_at_once
        batches = [
            {name: column[start : start + batch_size] for name, column in columns.items()}
            for start in range(0, rows, batch_size)
        ]
        if len(batches) == 1:
            return self._batch(batches[0])
        # Operations on strings use one core each, and Python waits outside of its lock meanwhile.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.concatenate(list(pool.map(self._batch, batches)))

    def _checked(self, columns: Columns) -> Columns:
        """What the graph can take; InputError for what other artefacts refuse, where it would answer all the same."""
        if isinstance(self._transform, SeriesInputs | ScaledWindows | LatentInputs):
            self._transform.encode(columns)
        if not isinstance(self._transform, ScaledWindows):
            return columns
        return {name: np.asarray(column)[:, -self._transform.window :] for name, column in columns.items()}

    @property
    def has_network(self) -> bool:
        """Whether `network` can be called: it cannot in runs that are older than the signature."""
        return self._network is not None

    def network(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Encoded inputs by name, (rows, ...) each, to the network's outputs, by the signature `network`."""
        if self._network is None:
            raise RunError("This SavedModel has no signature 'network'. dlkit export RUN --format saved_model adds it.")
        return np.asarray(self._network(**{name: tf.constant(rows) for name, rows in inputs.items()})["outputs"])

    def signature(self, name: str) -> Callable[..., dict[str, np.ndarray]]:
        """One of the signatures of a latent model: arrays by name in and out."""
        function = self._module.signatures[name]

        def call(**inputs: np.ndarray) -> dict[str, np.ndarray]:
            found = function(**{key: tf.constant(rows) for key, rows in inputs.items()})
            return {key: np.asarray(tensor) for key, tensor in found.items()}

        return call

    def _batch(self, columns: Columns) -> np.ndarray:
        raw = raw_tensors(columns, self._kinds, self._tick)
        tensors = {self._names[column]: tensor for column, tensor in raw.items()}
        return np.asarray(self._function(**tensors)["outputs"])
