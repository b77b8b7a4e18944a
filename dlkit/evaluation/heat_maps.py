"""Where in a picture does a convolutional network look, and for what do its first filters?

Grad-CAM: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization".
The map is that of the last layer with a height and a width, wherever in the network it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import matplotlib as mpl
import numpy as np
import tensorflow as tf

from dlkit.contracts import Examples, take
from dlkit.evaluation.drawings import Drawing
from dlkit.evaluation.mistakes import surest_mistakes
from dlkit.evaluation.scores import Classes
from dlkit.evaluation.tiles import Tile, grid, rows_of, short
from dlkit.inference.images import grey
from dlkit.models.image_layers import Whitening

MOST_FILTERS = 64
_EACH = 6
"""Pictures answered rightly, and as many answered wrongly."""
_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
)
_LEAST = 1e-30
"""Probabilities below it count as it: their logarithms have no gradient in float32."""

Call = Callable[..., object]


@dataclass(frozen=True)
class HeatMaps:
    """`maps`: (rows, height, width) float32, 0 and more, in the size of the output of `layer`; not scaled."""

    layer: str
    maps: np.ndarray


def heat_maps(model: keras.Model, pixels: np.ndarray, classes: np.ndarray) -> HeatMaps | None:
    """Grad-CAM of each picture toward a class; None for a network without a convolution's output to look at.

    `pixels`: (rows, height, width, channels), as the network takes them. `classes`: (rows,) class numbers, of a
    single sigmoid output 0 and 1.
    """
    # Another backend of Keras has other ways to derive.
    if keras.backend.backend() != "tensorflow":
        return None
    called = _called(model, pixels[:1])
    layer = _last_spatial(called)
    if layer is None:
        return None
    features, gradients = _features(model, layer, called[-1][0], pixels, classes)
    weights = gradients.mean(axis=(1, 2))  # eq. 1
    maps = np.maximum((weights[:, None, None, :] * features).sum(axis=-1), 0)  # eq. 2
    if len(maps) == 2 * len(pixels):  # behind `WithMirror`, which puts the mirror images after the pictures
        maps = (maps[: len(pixels)] + maps[len(pixels) :, :, ::-1]) / 2
    return HeatMaps(layer.name, maps)


def grad_cam(model: keras.Model, answer: Classes, test: Examples, outputs: np.ndarray) -> Drawing | None:
    """The maps of a few test pictures toward the network's answer, right and wrong; None where there are none."""
    targets = np.asarray(test.targets)
    best = answer.probabilities(outputs).argmax(axis=1)
    right = _of_each_class(best, np.array(answer.labels, object)[best] == targets.astype(object))
    wrong = surest_mistakes(answer, targets, outputs)[:_EACH]
    rows = np.concatenate([right, wrong]).astype(np.int64)
    if not len(rows):
        return None
    pixels = take(test.inputs["pixels"], rows)
    found = heat_maps(model, pixels, best[rows])
    if found is None:
        return None
    said = [
        (f"answer: {short(answer.labels[best[row]])}", *([f"truth: {short(str(targets[row]))}"] if late else []))
        for late, row in zip(np.arange(len(rows)) >= len(right), rows, strict=True)
    ]
    pictures = [Tile(one) for one in pixels]
    overlays = [Tile(overlay(one, heat), words) for one, heat, words in zip(pixels, found.maps, said, strict=True)]
    pairs = [(start, stop) for start, stop in ((0, len(right)), (len(right), len(rows))) if stop > start]
    shown = [row for start, stop in pairs for row in (pictures[start:stop], overlays[start:stop])]
    names = [name for start, _ in pairs for name in (("wrong" if start == len(right) else "right"), "map")]
    height, width = found.maps.shape[1:]
    alt = (
        f"{len(right)} test pictures answered rightly and {len(wrong)} answered wrongly, each above its Grad-CAM map "
        f"({height} × {width} values from the layer {found.layer}): the brighter the colour, the more this place "
        f"speaks for the answer. {_where(found.maps)}"
    )
    return Drawing("grad_cam", "Where it looks", alt, grid(shown, names=names, side=1.25), "png")


def overlay(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(height, width, 3) float in [0, 1]: a picture (height, width, 1 or 3) uint8 in grey under a map's colours.

    `heat`: of any size, at 0 and more; its own maximum has the brightest colour.
    """
    plain = (grey(pixels) if pixels.shape[-1] == 3 else pixels[..., 0]).astype(np.float64)[..., None] / 255
    resized = keras.ops.image.resize(heat[..., None].astype(np.float32), pixels.shape[:2], interpolation="bilinear")
    share = keras.ops.convert_to_numpy(resized)
    share = share / share.max() if share.max() > 0 else share
    colours = mpl.colormaps["inferno"](share[..., 0])[..., :3]
    return np.asarray((1 - 0.8 * share) * plain * 0.8 + 0.8 * share * colours)


def filters(model: keras.Model) -> Drawing | None:
    """The kernels of the first convolution as small pictures; None where they are none."""
    first = next((layer for layer in _inside(model) if isinstance(layer, keras.layers.Conv2D | Whitening)), None)
    if first is None:
        return None
    kernel: np.ndarray = keras.ops.convert_to_numpy(first.kernel).astype(np.float64)
    if kernel.shape[2] not in (1, 3) or min(kernel.shape[:2]) < 2:
        return None
    kernel = kernel[:, :, _of_colours(model, first)] if kernel.shape[2] == 3 else kernel
    height, width, channels, every = kernel.shape
    shown = np.moveaxis(kernel, -1, 0)[:MOST_FILTERS]
    tiles = [Tile(stretched(one)) for one in shown]
    count = f"All {every}" if len(shown) == every else f"The first {len(shown)} of {every}"
    alt = (
        f"{count} filters of the layer {first.name}, {height} × {width} weights in "
        f"{'three colours' if channels == 3 else 'one channel'} each; the smallest weight of each filter is "
        "black, the largest white. Filters that learnt something show edges, bars and colours, others noise."
    )
    return Drawing("filters", "Filters of the first convolution", alt, grid(rows_of(tiles, 16), side=0.5), "png")


def _of_colours(model: keras.Model, first: keras.layers.Layer) -> list[int]:
    """Which channel of the first convolution sees red, green and blue; networks out of Caffe take them the other way
    round. Found by what reaches it of a black picture and of each colour alone.
    """
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3 or None in shape[1:]:
        return [0, 1, 2]
    reached: list[np.ndarray] = []

    def noted(_layer: keras.layers.Layer, own: Call) -> Call:
        def call(inputs: object, *values: object, **options: object) -> object:
            reached.append(keras.ops.convert_to_numpy(inputs).astype(np.float32))
            return own(inputs, *values, **options)

        return call

    pictures = np.zeros((4, *shape[1:]), np.uint8)
    for colour in range(3):
        pictures[1 + colour, ..., colour] = 255
    with _instead([first], noted):
        model(pictures, training=False)
    if not reached or reached[0].ndim != 4 or reached[0].shape[-1] != 3:
        return [0, 1, 2]
    means = reached[0][:4].mean(axis=(1, 2))
    seen = np.abs(means[1:] - means[0]).argmax(axis=0)
    # Where colours are mixed before it there is no such order.
    return np.argsort(seen).tolist() if len(set(seen.tolist())) == 3 else [0, 1, 2]


def stretched(kernel: np.ndarray) -> np.ndarray:
    """Weights to [0, 1], from the smallest of them to the largest; equal ones are grey."""
    low, high = float(kernel.min()), float(kernel.max())
    return (kernel - low) / (high - low) if high > low else np.full_like(kernel, 0.5)


def _of_each_class(best: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The first rows answered rightly, each of another class as long as there are: not chosen for how they look."""
    rows = np.flatnonzero(right)
    _, firsts = np.unique(best[rows], return_index=True)
    others = np.setdiff1d(np.arange(len(rows)), firsts)
    return rows[np.sort(np.concatenate([np.sort(firsts), others])[:_EACH])]


def _where(maps: np.ndarray) -> str:
    empty = int((maps.max(axis=(1, 2)) <= 0).sum())
    return f"In {empty} of them no place does." if empty else "Every one has such a place."


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Layers, those of models inside the model included."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _inside(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """As `_leaves`, those in wrappers included: the network of `InInference`."""
    if isinstance(layer, keras.Model):
        for one in layer.layers:
            yield from _inside(one)
    elif isinstance(layer, keras.layers.Wrapper):
        yield from _inside(layer.layer)
    else:
        yield layer


@contextlib.contextmanager
def _instead(layers: Sequence[keras.layers.Layer], made: Callable[[keras.layers.Layer, Call], Call]) -> Iterator[None]:
    """Layers that compute what `made` gives for them and their own `call`.

    A graph cannot be cut within a model that is itself a layer: its tensors are those of its own inputs.
    """
    try:
        for layer in layers:
            object.__setattr__(layer, "call", made(layer, layer.call))
        yield
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _called(model: keras.Model, pixels: np.ndarray) -> list[tuple[keras.layers.Layer, tuple[int, ...]]]:
    """The layers in the order of their calls, and the shapes of their outputs."""
    called: list[tuple[keras.layers.Layer, tuple[int, ...]]] = []

    def noted(layer: keras.layers.Layer, own: Call) -> Call:
        def call(*values: object, **options: object) -> object:
            given = own(*values, **options)
            called.append((layer, tuple(getattr(given, "shape", ()))))
            return given

        return call

    with _instead(list(dict.fromkeys(_leaves(model))), noted):
        model(pixels, training=False)
    return called


def _last_spatial(called: Sequence[tuple[keras.layers.Layer, tuple[int, ...]]]) -> keras.layers.Layer | None:
    """The last layer whose output has a height and a width, if a convolution is behind it."""
    behind = False
    found = None
    for layer, shape in called:
        behind |= any(isinstance(inner, _CONVOLUTIONS) for inner in layer._flatten_layers())
        if behind and len(shape) == 4 and shape[1] * shape[2] > 1:
            found = layer
    return found


def _features(
    model: keras.Model, layer: keras.layers.Layer, last: keras.layers.Layer, pixels: np.ndarray, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The layer's output, and the gradient of the class score by it, both (rows, height, width, channels)."""
    kept: list[tf.Tensor] = []
    bare = _is_activated(last)
    with tf.GradientTape() as tape:

        def watched(_layer: keras.layers.Layer, own: Call) -> Call:
            def call(*values: object, **options: object) -> object:
                features = own(*values, **options)
                tape.watch(features)
                kept.append(features)
                return features

            return call

        with _instead([layer], watched), _without_activation(last) if bare else contextlib.nullcontext():
            outputs = tf.cast(model(pixels, training=False), tf.float32)
        scores = outputs if bare else _scores(outputs)
        total = tf.reduce_sum(_toward(scores, classes))
    gradients = tape.gradient(total, kept[-1], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tf.cast(kept[-1], tf.float32).numpy(), tf.cast(gradients, tf.float32).numpy()


def _is_activated(last: keras.layers.Layer) -> bool:
    probabilities = (keras.activations.softmax, keras.activations.sigmoid)
    return getattr(last, "activation", None) in probabilities


@contextlib.contextmanager
def _without_activation(last: keras.layers.Layer) -> Iterator[None]:
    """The last layer gives scores: those before the softmax are the paper's, and a sure sigmoid has no gradient."""
    own = last.activation
    last.activation = keras.activations.linear
    try:
        yield
    finally:
        last.activation = own


def _scores(probabilities: tf.Tensor) -> tf.Tensor:
    """Of a network that makes its probabilities in another way: their logarithms, less the mean over classes."""
    if probabilities.shape[-1] == 1:
        return tf.math.log(tf.maximum(probabilities, _LEAST)) - tf.math.log(tf.maximum(1 - probabilities, _LEAST))
    logs = tf.math.log(tf.maximum(probabilities, _LEAST))
    return logs - tf.reduce_mean(logs, axis=-1, keepdims=True)


def _toward(scores: tf.Tensor, classes: np.ndarray) -> tf.Tensor:
    """(rows,): of each row's class. Of a single output the second class has the score, the first its opposite."""
    if scores.shape[-1] == 1:
        return scores[:, 0] * tf.constant(2.0 * classes - 1.0, tf.float32)
    return tf.gather(scores, tf.constant(classes), batch_dims=1)
