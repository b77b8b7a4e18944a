"""How far back does a recurrent network's gradient reach?

The loss of a text is derived by the word vector of each of its steps. Where the norm of that falls by a constant factor
a step, the words at the beginning of a long text cannot teach the network anything: its gradient vanishes (Bengio,
Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013, section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from dlkit.contracts import Examples, Ragged
from dlkit.evaluation.drawings import BLUE, GREY, ORANGE, Drawing
from dlkit.evaluation.pages import figure as number
from dlkit.models.layers import is_recurrent
from dlkit.training.fit import seeded
from dlkit.training.losses import named

TEXTS = 48
_WORDS = "words"
_LEAST = 1e-15
"""Share of the largest norm at which the drawing ends: no weight moves by less."""
_STYLES = ((BLUE, "-"), (ORANGE, "-"), (BLUE, "--"), (ORANGE, "--"), (GREY, "-"), (GREY, "--"))


@dataclass(frozen=True)
class Reach:
    """`norms`: (texts, steps) float64, |d(loss) / d(word vector)| by steps before the last word; 0 where it is smaller
    than float32 can hold.

    After training a few texts may have gradients some thousand times those of all others, and would be all that a mean
    shows: `factor`, `kept` and the drawing go by the median.
    """

    norms: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(steps,): over texts."""
        return np.asarray(self.norms.mean(axis=0))

    @property
    def median(self) -> np.ndarray:
        """(steps,): over texts."""
        return np.median(self.norms, axis=0)

    @property
    def factor(self) -> float:
        """What the median is multiplied with by a step back: the slope of its logarithm, by least squares."""
        median = self.median
        there = np.flatnonzero(median > 0)
        if len(there) < 2:
            return 0.0
        return float(np.exp(np.polyfit(there, np.log(median[there]), 1)[0]))

    @property
    def kept(self) -> float:
        """Median at the first word as a share of that at the last one."""
        median = self.median
        return float(median[-1] / median[0]) if median[0] > 0 else 0.0


def reach(
    model: keras.Model, examples: Examples, loss: object, *, texts: int = TEXTS, steps: int | None = None
) -> Reach | None:
    """The gradient's reach in `model`, which has its word vectors from a layer "words"; None where it has none, is not
    recurrent or has more to answer than one loss.

    `examples`: ragged word ids, and targets as `loss`, a Keras loss by name, takes them. `texts`: how many at most.
    `steps`: the last so many words are read, of texts that have as many; None: as many as that number of texts have.
    """
    # Another backend of Keras has other ways to derive.
    if not isinstance(loss, str) or not is_recurrent(model) or keras.backend.backend() != "tensorflow":
        return None
    found, after_words = _rows(examples, texts, steps), _from_words(model)
    if found is None or after_words is None:
        return None
    ids, targets = found
    gradient = _gradient(after_words, ids, np.asarray(model.get_layer(_WORDS)(ids)), targets, loss)
    return Reach(np.linalg.norm(gradient.astype(np.float64), axis=-1)[:, ::-1])


def gradient_by_step(model: keras.Model, examples: Examples, loss: object, *, seed: int = 0) -> Drawing | None:
    """The gradient's reach after training and, in the same network with new first weights, before; else see `reach`."""
    after = reach(model, examples, loss)
    if after is None:
        return None
    with seeded(seed):
        before = reach(keras.models.clone_model(model), examples, loss)
    return drawing({"before training": before, "after training": after} if before else {"after training": after})


def drawing(curves: Mapping[str, Reach]) -> Drawing:
    """A network's median by its name, and the middle half of the texts around it."""
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    top = max(float(curve.norms.max()) for curve in curves.values()) or 1.0
    for (name, curve), (colour, line) in zip(curves.items(), _STYLES, strict=False):
        shown = np.where(curve.norms > 0, curve.norms, top * _LEAST**2)
        low, median, high = np.quantile(shown, [0.25, 0.5, 0.75], axis=0)
        steps = np.arange(len(median))
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(steps, median, line, color=colour, label=name)
    axes.set(yscale="log", xlabel="steps before the last word", ylabel="norm of d(loss) / d(word vector)")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], top * _LEAST))
    # The plots' style reads no formulas, and powers of ten are written as such.
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
    axes.legend(fontsize=8)
    first = next(iter(curves.values()))
    alt = f"Medians over {len(first.norms)} texts of {len(first.median)} words: " + "; ".join(
        f"{name}, the gradient at the first of these words is {_share(curve)} of that at the last one"
        for name, curve in curves.items()
    )
    return Drawing("gradient_by_step", "How far back the gradient reaches", f"{alt}.", figure)


def _share(curve: Reach) -> str:
    return number(curve.kept) if curve.kept > _LEAST**2 else "less than 1e-30"


def _rows(examples: Examples, texts: int, steps: int | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Word ids (texts, steps), without padding, and targets."""
    rows = next(iter(examples.inputs.values()))
    targets = examples.targets
    if (
        len(examples.inputs) != 1
        or not isinstance(rows, Ragged)
        or not isinstance(targets, np.ndarray)
        or not len(rows)
    ):
        return None
    lengths = np.diff(rows.offsets)
    if steps is None:
        steps = int(np.sort(lengths)[-min(texts, len(lengths))])
    long = np.flatnonzero(lengths >= steps)
    if steps < 2 or not len(long):
        return None
    # From all over the rows: they may be sorted by class.
    chosen = long[np.linspace(0, len(long) - 1, min(texts, len(long))).astype(int)]
    ends = rows.offsets[1:][chosen]
    return rows.values[ends[:, None] + np.arange(-steps, 0)], targets[chosen]


def _from_words(model: keras.Model) -> keras.Model | None:
    """The network with its word vectors as a second input; None where it cannot be cut there.

    The ids stay an input, for the mask comes from them.
    """
    try:
        return keras.Model([model.input, model.get_layer(_WORDS).output], model.output)
    except (ValueError, AttributeError):  # no such layer, or no graph to cut
        return None


def _gradient(model: keras.Model, ids: np.ndarray, vectors: np.ndarray, targets: np.ndarray, loss: str) -> np.ndarray:
    """d(loss of a text) / d(its word vectors), (texts, steps, dimension)."""
    losses = keras.losses.get(named(loss))

    @tf.function
    def gradient(vectors: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            # A sum, not a mean: the loss of each text depends on its own words alone.
            total = tf.reduce_sum(losses(targets, model([tf.constant(ids), vectors], training=False)))
        return tape.gradient(total, vectors)

    return np.asarray(gradient(tf.constant(vectors)))
