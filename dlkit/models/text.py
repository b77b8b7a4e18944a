"""Which network reads a text?

All take word ids (batch, length) int32, 0 where a text is padded, and give (batch, head units). Padding is masked: a
text with more of it gets the same answer. `ngrams` takes the ids of n-grams instead, in any order.

Own word vectors of the preprocessing are the first weights of all that read words in their order; `freeze` leaves them
as they are. `dimension`: of word vectors; None takes that of the own ones, or 32, where the function says no other.
"""

from __future__ import annotations

from typing import Literal

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models import memory, text_layers
from dlkit.models.options import at_least_one, dropped, probability

_START, _SMOOTHING = 0.01, 1.0
"""Of `ngrams` where nothing is said."""
_TABLES = 16
"""Tables as large as its weights that a run of `ngrams` holds at its peak, with gradient, momentum, baseline,
artefacts: with 27,012 n-grams and 2,000 classes, 0.2 GB a table, a run took 5.1 GB, of which some 1.2 GB are no tables.
"""


def embedding(spec: Spec, *, dimension: int | None = None, dropout: float = 0.2, freeze: bool = False) -> keras.Model:
    """The mean of learned word vectors, then the head (fastText without n-grams: Joulin et al. 2017)."""
    inputs, words = _words(spec, dimension, freeze=freeze)
    mean = keras.layers.GlobalAveragePooling1D()(words)
    return answered(spec, inputs, mean, dropout)


def cnn(
    spec: Spec,
    *,
    dimension: int | None = None,
    filters: int = 64,
    widths: tuple[int, ...] = (1, 2, 3),
    dropout: float = 0.5,
    freeze: bool = False,
) -> keras.Model:
    """Filters over `widths` neighbouring words and the strongest response of each (Kim 2014).

    `dimension`: None takes that of own word vectors, or 64.
    """
    at_least_one("widths", *(widths or (0,)))
    at_least_one("filters", filters)
    inputs, words = _words(spec, dimension, usual=64, freeze=freeze, dropout=dropout / 2)
    bare = text_layers.MaskPadding()(words)
    found = []
    for width in widths:
        responses = keras.layers.Conv1D(filters, width, padding="same", activation="relu")(bare)
        # Responses are 0 or more, so zeros in the padding never are the strongest.
        responses = text_layers.MaskPadding()(responses, mask=_mask(inputs))
        found.append(keras.layers.GlobalMaxPooling1D()(responses))
    joined = keras.layers.Concatenate()(found) if len(found) > 1 else found[0]
    return answered(spec, inputs, joined, dropout)


def simple_rnn(
    spec: Spec, *, dimension: int | None = None, units: int = 32, dropout: float = 0.0, freeze: bool = False
) -> keras.Model:
    """Elman's network (1990). See the report's "gradient by step" for how far back it learns."""
    return _recurrent(spec, "simple_rnn", dimension, units, dropout, freeze=freeze)


def lstm(
    spec: Spec, *, dimension: int | None = None, units: int = 32, dropout: float = 0.2, freeze: bool = False
) -> keras.Model:
    """Long short-term memory (Hochreiter & Schmidhuber 1997); its last state answers."""
    return _recurrent(spec, "lstm", dimension, units, dropout, freeze=freeze)


def gru(
    spec: Spec, *, dimension: int | None = None, units: int = 32, dropout: float = 0.2, freeze: bool = False
) -> keras.Model:
    """Gated recurrent units (Cho et al. 2014); the last state answers."""
    return _recurrent(spec, "gru", dimension, units, dropout, freeze=freeze)


def bilstm(
    spec: Spec, *, dimension: int | None = None, units: int = 32, dropout: float = 0.2, freeze: bool = False
) -> keras.Model:
    """Two LSTMs, one from each end (Schuster & Paliwal 1997); the mean of their states answers."""
    inputs, words = _words(spec, dimension, freeze=freeze, dropout=dropout)
    at_least_one("units", units)
    states = keras.layers.Bidirectional(keras.layers.LSTM(units, return_sequences=True))(words)
    mean = keras.layers.GlobalAveragePooling1D()(states)
    return answered(spec, inputs, mean, dropout)


def bilstm_attention(
    spec: Spec,
    *,
    dimension: int | None = None,
    units: int = 32,
    attention: int = 32,
    dropout: float = 0.2,
    freeze: bool = False,
) -> keras.Model:
    """Two LSTMs and a weighted mean of their states; the weights say where it looked (Yang et al. 2016)."""
    at_least_one("units", units)
    at_least_one("attention", attention)
    inputs, words = _words(spec, dimension, freeze=freeze, dropout=dropout)
    states = keras.layers.Bidirectional(keras.layers.LSTM(units, return_sequences=True))(words)
    pooled, _ = text_layers.AttentionPooling(attention, name="attention")(states)
    return answered(spec, inputs, pooled, dropout)


def ngrams(
    spec: Spec, *, start: float = _START, smoothing: float = _SMOOTHING, naive_bayes: bool = True, l2: float = 0.0
) -> keras.Model:
    """Naive-Bayes-weighted n-grams: a linear network started from log-count ratios (Wang & Manning 2012).

    Takes n-gram ids (batch, length) int32, with TF-IDF also their values (batch, length) float32. `start`: strength of
    the pure naive Bayes answer before training. `smoothing`: added to every count (1 in the paper): more of it trusts
    rare n-grams less. `naive_bayes`: without it, the linear network starts from zeros. `l2`: weight of the sum of
    squared weights in the loss.
    """
    if "ngrams" not in spec.sizes:
        raise SettingsError("model ngrams reads n-grams: it needs preprocessing of the kind Ngrams.")
    if not 0 <= l2 < float("inf"):
        raise SettingsError(f"model.l2: expected a number of 0 or more, got {l2}.")
    if not 0 < smoothing < float("inf"):
        raise SettingsError(f"model.smoothing: expected a number above 0, got {smoothing}.")
    if not naive_bayes and (start, smoothing) != (_START, _SMOOTHING):
        raise SettingsError(
            f"model.start={start} and model.smoothing={smoothing} are of the naive Bayes answer that training starts "
            "from, and there is none with model.naive_bayes=false. Leave them out, or leave that out."
        )
    size, head = spec.sizes["ngrams"], spec.head
    memory.check_fits(
        f"model ngrams: the weights of {size:,} n-grams for each of {head.units:,} outputs",
        size + 1,
        head.units,
        copies=_TABLES,
        remedy="Take fewer n-grams: --set preprocessing.max_features={fits}",
    )
    inputs = [keras.Input(tensor.shape, dtype=tensor.dtype, name=name) for name, tensor in spec.inputs.items()]
    layer = text_layers.NgramSum(
        size,
        head.units,
        activation=head.activation,
        start=start,
        smoothing=smoothing,
        naive_bayes=naive_bayes,
        kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
    )
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], layer(*inputs))


def fasttext(spec: Spec, *, dimension: int = 16, feature_dropout: float = 0.5, dropout: float = 0.3) -> keras.Model:
    """The mean of learned vectors of word n-grams, then the head (Joulin et al. 2017).

    Takes n-gram ids (batch, length) int32. `feature_dropout`: share of a text's n-grams that a training step leaves
    out, so that no few of them decide alone.
    """
    if set(spec.inputs) != {"ngram_ids"}:
        raise SettingsError("model fasttext reads n-grams without weights: Ngrams with preprocessing.weighting=binary.")
    at_least_one("dimension", dimension)
    probability("feature_dropout", feature_dropout)
    inputs = keras.Input(spec.inputs["ngram_ids"].shape, dtype=spec.inputs["ngram_ids"].dtype, name="ngram_ids")
    vectors = keras.layers.Embedding(spec.sizes["ngrams"] + 1, dimension, mask_zero=True, name="words")(inputs)
    if feature_dropout:
        vectors = keras.layers.Dropout(feature_dropout, noise_shape=(None, None, 1))(vectors)
    return answered(spec, inputs, text_layers.MaskedMean()(vectors), dropout)


def _recurrent(
    spec: Spec,
    kind: Literal["simple_rnn", "lstm", "gru"],
    dimension: int | None,
    units: int,
    dropout: float,
    *,
    freeze: bool,
) -> keras.Model:
    at_least_one("units", units)
    layers = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    inputs, words = _words(spec, dimension, freeze=freeze, dropout=dropout)
    return answered(spec, inputs, layers[kind](units, name=kind)(words), dropout)


def _words(
    spec: Spec, dimension: int | None, *, usual: int = 32, freeze: bool, dropout: float = 0.0
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """As `word_vectors`, masked, with the probability `dropout` to drop one number of all of a text's vectors."""
    inputs, vectors = word_vectors(spec, dimension, usual=usual, freeze=freeze)
    return inputs, keras.layers.SpatialDropout1D(dropout)(vectors) if dropout else vectors


def word_vectors(
    spec: Spec, dimension: int | None, *, usual: int = 32, freeze: bool, masked: bool = True
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The input and its word vectors, (batch, length, dimension), `masked` where it is 0.

    Own word vectors of the preprocessing give the first values, and the dimension where that is None, else `usual`;
    `freeze` leaves them as they are.
    """
    check_reads_in_order(spec)
    own = spec.tables.get("word_vectors")
    if freeze and own is None:
        raise SettingsError("model.freeze needs own word vectors: --set preprocessing.vectors=FILE")
    if own is not None and dimension not in (None, own.shape[1]):
        raise SettingsError(
            f"model.dimension={dimension}: the word vectors of preprocessing.vectors have {own.shape[1]} numbers each. "
            "Leave it out, or say --set model.dimension=none."
        )
    if dimension is None:
        dimension = usual if own is None else own.shape[1]
    at_least_one("dimension", dimension)
    (name,) = spec.inputs
    inputs = keras.Input(spec.inputs[name].shape, dtype=spec.inputs[name].dtype, name=name)
    table = keras.layers.Embedding(
        spec.sizes["vocabulary"] + 1, dimension, mask_zero=masked, trainable=not freeze, name="words"
    )
    vectors = table(inputs)
    if own is not None:
        table.set_weights([own])
    return inputs, vectors


def check_reads_in_order(spec: Spec) -> None:
    """SettingsError unless the preprocessing gives words in their order."""
    if "sequence_length" not in spec.sizes:
        raise SettingsError("This model reads words in their order: it needs preprocessing of the kind Sequences.")


def _mask(inputs: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.not_equal(inputs, 0)


def answered(spec: Spec, inputs: keras.KerasTensor, features: keras.KerasTensor, dropout: float) -> keras.Model:
    """From the input to the head on `features`, (batch, n), with `dropout` before it."""
    features = dropped(features, dropout)
    head = keras.layers.Dense(spec.head.units, activation=spec.head.activation, name="answer")
    return keras.Model(inputs, head(features))
