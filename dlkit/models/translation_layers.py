"""Which layers and networks for translation do Keras and KerasHub not have?

Keras' attention makes keys and values anew at each call and gives them to nobody. Here they are tensors that are kept:
those of the source for a whole sentence, those of the target word by word, so that a word costs the same wherever it
stands. All networks here are a `Stepper`.

`Embedding`, `Dense` and `LayerNormalization` are taken as they are. Of KerasHub 0.32:

* `CachedMultiHeadAttention` keeps keys and values in one tensor, (batch, 2, length, heads, width / heads), that it
  takes apart and stacks anew at each step, which copies all of it. No call makes the cache alone: the source's would
  be made by the first step, another graph than the later ones, and could not be what `encode` gives.
* `TransformerDecoder` wants what was read beside its cached keys at each step, and says of no word where it looked,
  which the heat maps of a report show.
* `TransformerEncoder` drops weights of attention out too, and has kernels of another shape than files of runs hold.
  Exported, a third of its time goes into transposing scores and into sizes known at the call alone: see
  `export/one_row.py`.
* `SinePositionEncoding` makes the table of `sinusoids`, but anew at each call; here it is a constant of the graph.
* `ReversibleEmbedding` (Keras' own) is `embedding` and `logits` in one. But Keras files weights under the names of
  classes, those of finished runs under "embedding".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from dlkit.models.layers import ByteDropout

Tensors = dict[str, keras.KerasTensor]
Read = tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]

NEVER = -1e9
"""Added to the score of a place that must not be attended to."""


class Stepper(Protocol):
    """A network that writes word by word. The first axis of every tensor is the sentence."""

    longest_target: int

    def encode(self, source: keras.KerasTensor) -> Tensors:
        """What the decoder reads of the source, ids (batch, length) int32, 0 pads; the same for all steps."""
        ...

    def first_cache(self, state: Tensors, length: int | keras.KerasTensor) -> Tensors:
        """What the first of at most `length` steps starts from."""
        ...

    def step(
        self, token: keras.KerasTensor, position: keras.KerasTensor, state: Tensors, cache: Tensors
    ) -> tuple[keras.KerasTensor, Tensors]:
        """Logits (batch, target words) float32 of the word after `token`, (batch,) int32, which stands at `position`,
        () int32, counted from 0; and the cache for the next step: same names, same shapes.
        """
        ...

    def attention(self, inputs: Mapping[str, keras.KerasTensor]) -> keras.KerasTensor | None:
        """(batch, target length, source length) float32: how much each written word looked at each word read; None
        where no word is looked at.
        """
        ...


def sinusoids(length: int, width: int) -> np.ndarray:
    """(length, width) float32: sin(p / 10000^(2i / width)) at 2i, its cosine at 2i + 1 (Vaswani et al. 2017, 3.5)."""
    angles = np.arange(length)[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
    table = np.zeros((length, width), np.float32)
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)[:, : width // 2]
    return table


def padding_mask(source: keras.KerasTensor) -> keras.KerasTensor:
    """(batch, 1, 1, length) float32: what to add to scores so that padding is not read."""
    return ops.expand_dims(NEVER * ops.cast(ops.equal(source, 0), "float32"), (1, 2))


def causal_mask(length: keras.KerasTensor) -> keras.KerasTensor:
    """(length, length) float32: what to add to scores so that no word is read before it is written."""
    places = ops.arange(length)
    return NEVER * ops.cast(ops.expand_dims(places, 0) > ops.expand_dims(places, 1), "float32")


def reshaped(rows: keras.KerasTensor, *shape: int | keras.KerasTensor, like: keras.KerasTensor) -> keras.KerasTensor:
    """(batch of `like`, *shape); a batch that is known stays known, as loops in LiteRT want it."""
    return ops.reshape(rows, (like.shape[0] or -1, *shape))


def softmax(scores: keras.KerasTensor) -> keras.KerasTensor:
    """Keras' own warns of a source of one word, whose only share rightly is 1."""
    return ops.ones_like(scores) if scores.shape[-1] == 1 else ops.softmax(scores)


@keras.saving.register_keras_serializable("dlkit")
class RowsDense(keras.layers.Dense):
    """`Dense` on (batch, length, features) as one product of all rows, for features that are known.

    Keras' own works out its shapes at each call: ten operations in LiteRT, where a step of a decoder has little to do.
    """

    def call(self, rows: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        flat = super().call(ops.reshape(rows, (-1, rows.shape[-1])), training=training)
        return reshaped(flat, ops.shape(rows)[1], self.units, like=rows)


@keras.saving.register_keras_serializable("dlkit")
class Attention(keras.layers.Layer):
    """Multi-head attention, softmax(Q Kᵀ / √d + mask) V (Vaswani et al. 2017, eq. 1), in two halves.

    `remember`: (batch, read, width) to keys and values, (batch, heads, read, width / heads) each. The call: what asks,
    (batch, asking, width), keys and values, and a mask to add to the scores; gives (batch, asking, width) and the
    weights (batch, heads, asking, read).
    """

    def __init__(self, width: int, heads: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.width, self.heads = width, heads
        self.queries = RowsDense(width, name="queries")
        self.memories = RowsDense(2 * width, name="memories")
        self.result = RowsDense(width, name="result")
        for layer in (self.queries, self.memories, self.result):
            layer.build((None, None, width))
        self.built = True

    def remember(self, read: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        keys, values = ops.split(self.memories(read), 2, axis=-1)
        return self._by_head(keys), self._by_head(values)

    def call(
        self, asking: keras.KerasTensor, keys: keras.KerasTensor, values: keras.KerasTensor, mask: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        queries = self._by_head(self.queries(asking) * (self.width // self.heads) ** -0.5)
        weights = softmax(ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2))) + mask)
        heads = _swapped(ops.matmul(weights, values))
        return self.result(reshaped(heads, ops.shape(heads)[1], self.width, like=heads)), weights

    def _by_head(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        return _swapped(reshaped(rows, ops.shape(rows)[1], self.heads, self.width // self.heads, like=rows))

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"width": self.width, "heads": self.heads}


def _swapped(rows: keras.KerasTensor) -> keras.KerasTensor:
    """(batch, a, b, features) to (batch, b, a, features); where either is 1, nothing has to move."""
    if 1 in rows.shape[1:3]:
        return reshaped(rows, ops.shape(rows)[2], ops.shape(rows)[1], rows.shape[3], like=rows)
    return ops.transpose(rows, (0, 2, 1, 3))


class Block(keras.layers.Layer):
    """What encoder and decoder blocks share: parts whose result is added to what they read, and normalised.

    `pre_norm`: normalise what a part reads (Xiong et al. 2020), not the sum (Vaswani et al. 2017).
    """

    def __init__(
        self, width: int, heads: int, intermediate: int, *, dropout: float, pre_norm: bool, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.heads, self.intermediate = width, heads, intermediate
        self.dropout, self.pre_norm = dropout, pre_norm
        self.drop = ByteDropout(dropout)
        self.itself = Attention(width, heads, name="itself")
        self.norm_itself, self.norm_wide = normalisation(width, "norm_itself"), normalisation(width, "norm_wide")
        self.wide = RowsDense(intermediate, activation="relu", name="wide")
        self.narrow = RowsDense(width, name="narrow")
        self.wide.build((None, None, width))
        self.narrow.build((None, None, intermediate))
        self.built = True

    def add(
        self,
        rows: keras.KerasTensor,
        norm: keras.layers.Layer,
        part: Callable[[keras.KerasTensor], keras.KerasTensor],
        training: bool | None,
    ) -> keras.KerasTensor:
        if self.pre_norm:
            return rows + self.drop(part(norm(rows)), training=training)
        return norm(rows + self.drop(part(rows), training=training))

    def feed_forward(self, rows: keras.KerasTensor, training: bool | None) -> keras.KerasTensor:
        return self.add(rows, self.norm_wide, lambda read: self.narrow(self.wide(read)), training)

    def get_config(self) -> dict[str, object]:
        own = {"width": self.width, "heads": self.heads, "intermediate": self.intermediate}
        return super().get_config() | own | {"dropout": self.dropout, "pre_norm": self.pre_norm}


@keras.saving.register_keras_serializable("dlkit")
class EncoderBlock(Block):
    """Self-attention, then the feed-forward part: (batch, length, width) to the same."""

    def call(self, rows: keras.KerasTensor, mask: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        def itself(read: keras.KerasTensor) -> keras.KerasTensor:
            return self.itself(read, *self.itself.remember(read), mask)[0]

        return self.feed_forward(self.add(rows, self.norm_itself, itself, training), training)


@keras.saving.register_keras_serializable("dlkit")
class DecoderBlock(Block):
    """Self-attention on what is written, attention on the source, then the feed-forward part."""

    def __init__(self, width: int, heads: int, intermediate: int, **kwargs: Any) -> None:
        super().__init__(width, heads, intermediate, **kwargs)
        self.source = Attention(width, heads, name="source")
        self.norm_source = normalisation(width, "norm_source")

    def call(
        self, rows: keras.KerasTensor, causal: keras.KerasTensor, read: Read, training: bool | None = None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """All words of a target at once, (batch, target, width) to the same, and the weights of the source's words.

        `read`: keys and values of the source, see `Attention.remember`, and its `padding_mask`.
        """

        def itself(written: keras.KerasTensor) -> keras.KerasTensor:
            return self.itself(written, *self.itself.remember(written), causal)[0]

        return self._reading(self.add(rows, self.norm_itself, itself, training), read, training)

    def step(
        self,
        row: keras.KerasTensor,
        position: keras.KerasTensor,
        read: Read,
        cache: tuple[keras.KerasTensor, keras.KerasTensor],
    ) -> tuple[keras.KerasTensor, tuple[keras.KerasTensor, keras.KerasTensor]]:
        """The word at `position` alone, (batch, 1, width). `cache`: keys and values of the words before it."""
        keys, values = cache

        def itself(written: keras.KerasTensor) -> keras.KerasTensor:
            nonlocal keys, values
            key, value = self.itself.remember(written)
            keys = ops.slice_update(keys, (0, 0, position, 0), key)
            values = ops.slice_update(values, (0, 0, position, 0), value)
            later = ops.cast(ops.arange(ops.shape(keys)[2]) > position, "float32")
            return self.itself(written, keys, values, NEVER * later)[0]

        row = self.add(row, self.norm_itself, itself, training=False)
        return self._reading(row, read, training=False)[0], (keys, values)

    def _reading(
        self, rows: keras.KerasTensor, read: Read, training: bool | None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        weights = None

        def source(written: keras.KerasTensor) -> keras.KerasTensor:
            nonlocal weights
            found, weights = self.source(written, *read)
            return found

        rows = self.add(rows, self.norm_source, source, training)
        return self.feed_forward(rows, training), weights


def normalisation(width: int, name: str) -> keras.layers.LayerNormalization:
    layer = keras.layers.LayerNormalization(epsilon=1e-5, name=name)
    layer.build((None, None, width))
    return layer


def embedding(vocabulary: int, width: int, name: str) -> keras.layers.Embedding:
    """Vectors of words, which are also the weights of the words to choose from."""
    normal = keras.initializers.RandomNormal(stddev=width**-0.5)
    layer = keras.layers.Embedding(vocabulary + 1, width, normal, name=name)
    layer.build((None, None))
    return layer


def logits(rows: keras.KerasTensor, words: keras.layers.Embedding) -> keras.KerasTensor:
    """(batch, length, width) to (batch, length, words): the product with each word's vector."""
    table = ops.cast(ops.convert_to_tensor(words.embeddings), rows.dtype)
    flat = ops.matmul(ops.reshape(rows, (-1, rows.shape[-1])), ops.transpose(table))
    return reshaped(flat, ops.shape(rows)[1], words.input_dim, like=rows)


@keras.saving.register_keras_serializable("dlkit")
class Transformer(keras.Model):
    """Reads a sentence whole and writes another word by word (Vaswani et al. 2017). A `Stepper`.

    Input: {"source": (batch, source length), "target": (batch, target length)} int32, 0 pads, the target beginning
    with the start; output: logits (batch, target length, target words + 1) of the words that come next. `shared`: one
    table of vectors for words of both languages; the target's is also the weights of the logits.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        *,
        width: int,
        heads: int,
        intermediate: int,
        encoders: int,
        decoders: int,
        dropout: float,
        pre_norm: bool,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.sizes = dict(sizes)
        self.longest_target = sizes["longest_target"]
        self.options: dict[str, object] = {"width": width, "heads": heads, "intermediate": intermediate}
        self.options |= {"encoders": encoders, "decoders": decoders, "dropout": dropout, "pre_norm": pre_norm}
        self.width, self.heads = width, heads
        self.places = sinusoids(max(sizes["longest_source"], sizes["longest_target"]), width)
        self.target_words = embedding(sizes["target_vocabulary"], width, "target_words")
        self.source_words = (
            self.target_words if sizes["joint"] else embedding(sizes["source_vocabulary"], width, "source_words")
        )
        self.drop = ByteDropout(dropout)
        block: dict[str, Any] = {"dropout": dropout, "pre_norm": pre_norm}
        self.encoders = [
            EncoderBlock(width, heads, intermediate, **block, name=f"encoder_{number}") for number in range(encoders)
        ]
        self.decoders = [
            DecoderBlock(width, heads, intermediate, **block, name=f"decoder_{number}") for number in range(decoders)
        ]
        self.norm_read = normalisation(width, "norm_read") if pre_norm else None
        self.norm_written = normalisation(width, "norm_written") if pre_norm else None
        self.built = True

    def call(self, inputs: Mapping[str, keras.KerasTensor], training: bool | None = None) -> keras.KerasTensor:
        return self._written(inputs, training)[0]

    def attention(self, inputs: Mapping[str, keras.KerasTensor]) -> keras.KerasTensor:
        """See `Stepper`: of the last block, the mean of its heads."""
        return ops.cast(ops.mean(self._written(inputs, training=False)[1], axis=1), "float32")

    def encode(self, source: keras.KerasTensor, training: bool | None = False) -> Tensors:
        mask = padding_mask(source)
        rows = self._placed(self.source_words(source), self.places, training)
        for block in self.encoders:
            rows = block(rows, mask, training=training)
        if self.norm_read:
            rows = self.norm_read(rows)
        state = {"mask": mask}
        for number, block in enumerate(self.decoders):
            state[f"keys_{number}"], state[f"values_{number}"] = block.source.remember(rows)
        return state

    def first_cache(self, state: Tensors, length: int | keras.KerasTensor) -> Tensors:
        rows = ops.shape(state["mask"])[0]
        empty = ops.zeros((rows, self.heads, length, self.width // self.heads), self.compute_dtype)
        return {f"{kind}_{number}": empty for number in range(len(self.decoders)) for kind in ("keys", "values")}

    def step(
        self, token: keras.KerasTensor, position: keras.KerasTensor, state: Tensors, cache: Tensors
    ) -> tuple[keras.KerasTensor, Tensors]:
        place = ops.take(self.places, ops.reshape(position, (1,)), axis=0)
        row = self._placed(self.target_words(ops.expand_dims(token, 1)), place, training=False)
        after: Tensors = {}
        for number, block in enumerate(self.decoders):
            names = f"keys_{number}", f"values_{number}"
            of_source = state[names[0]], state[names[1]], state["mask"]
            row, kept = block.step(row, position, of_source, (cache[names[0]], cache[names[1]]))
            after |= zip(names, kept, strict=True)
        return ops.cast(reshaped(self._logits(row), self.target_words.input_dim, like=row), "float32"), after

    def get_config(self) -> dict[str, object]:
        return super().get_config() | {"sizes": dict(self.sizes)} | dict(self.options)

    def _written(
        self, inputs: Mapping[str, keras.KerasTensor], training: bool | None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        state, target = self.encode(inputs["source"], training), inputs["target"]
        length = ops.shape(target)[1]
        rows = self._placed(self.target_words(target), self.places, training)
        causal, weights = causal_mask(length), None
        for number, block in enumerate(self.decoders):
            of_source = state[f"keys_{number}"], state[f"values_{number}"], state["mask"]
            rows, weights = block(rows, causal, of_source, training=training)
        return self._logits(rows), weights

    def _placed(self, words: keras.KerasTensor, places: keras.KerasTensor, training: bool | None) -> keras.KerasTensor:
        places = ops.cast(ops.convert_to_tensor(places)[: ops.shape(words)[1]], words.dtype)
        return self.drop(words * self.width**0.5 + places, training=training)

    def _logits(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        if self.norm_written:
            rows = self.norm_written(rows)
        return logits(rows, self.target_words)
