"""How does a SavedModel turn raw strings into the ids that a network takes, exactly as the plain forms do?"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from dlkit.inference.ngrams import NgramText
from dlkit.inference.sequences import FIRST, UNKNOWN, SequenceText
from dlkit.inference.text import MultiHotText
from dlkit.inference.words import LAST_KEPT, LAST_TABLED, LINE_BREAK, SIGN, rule

_VANISHES = 0


class WordsGraph(tf.Module):
    """(rows,) strings to (rows, words of the row) strings, as `dlkit.inference.words.words`.

    It agrees with the plain form on every string (tested on all IMDb reviews and on generated Unicode): the rule on
    code points is a table made by the plain form's own function.
    """

    def __init__(self, *, signs: bool = False) -> None:
        super().__init__()
        rules = [rule(code, signs=signs) for code in range(LAST_TABLED + 1)]
        self._rules = tf.constant([_VANISHES if code is None else code for code in rules], tf.int32)
        self._signs = signs

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        texts = tf.strings.regex_replace(texts, LINE_BREAK, " ")
        if self._signs:
            texts = tf.strings.regex_replace(texts, SIGN, r" \1 ")
        codes = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        codes = tf.ragged.map_flat_values(self._ruled, codes)
        codes = without(codes, _VANISHES)
        return tf.strings.split(tf.strings.unicode_encode(codes, "UTF-8"))

    def _ruled(self, codes: tf.Tensor) -> tf.Tensor:
        tabled = tf.gather(self._rules, tf.minimum(codes, LAST_TABLED))
        return tf.where(codes <= LAST_TABLED, tabled, tf.where(codes <= LAST_KEPT, codes, ord(" ")))


class MultiHotTextGraph(tf.Module):
    """The TensorFlow form of `MultiHotText`: (rows,) strings to `{"word_ids": (rows, most words) int32}`."""

    def __init__(self, transform: MultiHotText) -> None:
        super().__init__()
        self._words, self._column = WordsGraph(), transform.column
        self._ids = table(transform.vocabulary, first=1, unknown=0)
        self.signature = {self._column: tf.TensorSpec((None,), tf.string, name=self._column)}

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        ids = tf.ragged.map_flat_values(self._ids.lookup, self._words(raw[self._column]))
        cells = ids.value_rowids() * _LONGEST + tf.cast(ids.flat_values, tf.int64)
        cells = tf.sort(tf.unique(tf.boolean_mask(cells, ids.flat_values > 0)).y)
        return {"word_ids": _dense(tf.cast(cells % _LONGEST, tf.int32), cells // _LONGEST, ids.nrows())}


class SequenceTextGraph(tf.Module):
    """The TensorFlow form of `SequenceText`: (rows,) strings to `{"word_ids": (rows, longest row) int32}`."""

    def __init__(self, transform: SequenceText) -> None:
        super().__init__()
        self._words, self._column = WordsGraph(signs=transform.signs), transform.column
        self._length, self._from_end = transform.length, transform.keep == "end"
        self._pieces = None
        if transform.pieces:
            from dlkit.preprocessing.pieces import PiecesGraph

            self._pieces = PiecesGraph(transform.cutter)
        else:
            self._ids = table(transform.vocabulary, first=FIRST, unknown=UNKNOWN)
        self.signature = {self._column: tf.TensorSpec((None,), tf.string, name=self._column)}

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = self._words(raw[self._column])
        if self._pieces is not None:
            ids = self._pieces.cut(found)
        else:
            ids = tf.ragged.map_flat_values(self._ids.lookup, found)
        ids = ids[:, -self._length :] if self._from_end else ids[:, : self._length]
        empty = tf.cast(ids.row_lengths() == 0, tf.int32)[:, None]
        nothing = tf.RaggedTensor.from_tensor(tf.fill(tf.shape(empty), UNKNOWN), lengths=empty[:, 0])
        return {"word_ids": tf.concat([ids, nothing], axis=1).to_tensor(0)}


class NgramTextGraph(tf.Module):
    """The TensorFlow form of `NgramText`: (rows,) strings to `{"ngram_ids": (rows, most n-grams) int32}`, with
    "ngram_weights" of the same shape, float32, for TF-IDF.
    """

    def __init__(self, transform: NgramText) -> None:
        super().__init__()
        self._words, self._column = WordsGraph(signs=transform.signs), transform.column
        self._ids = table(transform.vocabulary, first=1, unknown=0)
        self._stride, self._order = len(transform.vocabulary) + 1, transform.order
        self._opening, self._closing = transform.opening, transform.closing
        # A variable, not a constant: millions of keys do not belong into the graph's text.
        self._keys = tf.Variable(transform.keys, trainable=False, dtype=tf.int64)
        self._rarity = None if transform.rarity is None else tf.Variable(transform.rarity, trainable=False)
        self.signature = {self._column: tf.TensorSpec((None,), tf.string, name=self._column)}

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = self._words(raw[self._column])
        features, row_of = self._features(tf.ragged.map_flat_values(self._ids.lookup, found))
        ends = [("^", found[:, : self._opening])] if self._opening else []
        ends += [("$", found[:, -self._closing :])] if self._closing else []
        for sign, words in ends:
            ids = self._ids.lookup(sign + words.flat_values)
            features = tf.concat([features, tf.cast(tf.boolean_mask(ids, ids > 0), tf.int64)], 0)
            row_of = tf.concat([row_of, tf.boolean_mask(words.value_rowids(), ids > 0)], 0)
        cells = tf.sort(row_of * _LONGEST + features)
        cells, _, counts = tf.unique_with_counts(cells)
        owner, rows = cells // _LONGEST, found.nrows()
        inputs = {"ngram_ids": _dense(tf.cast(cells % _LONGEST, tf.int32), owner, rows)}
        if self._rarity is not None:
            weights = tf.cast(counts, tf.float32) * tf.gather(self._rarity, cells % _LONGEST)
            squares = tf.math.unsorted_segment_sum(tf.square(tf.cast(weights, tf.float64)), owner, rows)
            weights = tf.cast(tf.cast(weights, tf.float64) / tf.gather(tf.sqrt(squares), owner), tf.float32)
            inputs["ngram_weights"] = _dense(weights, owner, rows)
        return inputs

    def _features(self, words: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `NgramText._features`, operation by operation."""
        ids, rows = tf.cast(words.flat_values, tf.int64), words.value_rowids()
        at = tf.where(ids > 0)[:, 0]
        features = tf.gather(ids, at)
        parts, owners = [features], [tf.gather(rows, at)]
        count = tf.size(ids, tf.int64)
        for further in range(1, self._order):
            inside = at + further < count
            at, features = tf.boolean_mask(at, inside), tf.boolean_mask(features, inside)
            last = tf.gather(ids, at + further)
            going_on = (last > 0) & (tf.gather(rows, at) == tf.gather(rows, at + further))
            at = tf.boolean_mask(at, going_on)
            wanted = tf.boolean_mask(features, going_on) * self._stride + tf.boolean_mask(last, going_on)
            at, features = self._found(at, wanted)
            parts.append(features)
            owners.append(tf.gather(rows, at))
        return tf.concat(parts, 0), tf.concat(owners, 0)

    def _found(self, at: tf.Tensor, wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Those places whose wanted key is in the table, and its feature id."""
        keys = tf.convert_to_tensor(self._keys)
        if not self._keys.shape[0]:
            return at[:0], wanted[:0]
        position = tf.minimum(tf.searchsorted(keys, wanted, out_type=tf.int64), self._keys.shape[0] - 1)
        hit = tf.gather(keys, position) == wanted
        return tf.boolean_mask(at, hit), self._stride + tf.boolean_mask(position, hit)


_LONGEST = 2**32
"""Above every feature id: row * this + id is a key by which rows and, within them, ids are in order."""


def table(vocabulary: tuple[str, ...], *, first: int, unknown: int) -> tf.lookup.StaticHashTable:
    """Ids of words: `first` of the first one, `unknown` of all others."""
    ids = range(first, first + len(vocabulary))
    entries = tf.lookup.KeyValueTensorInitializer(list(vocabulary), ids, tf.string, tf.int32)
    return tf.lookup.StaticHashTable(entries, default_value=unknown)


def without(codes: tf.RaggedTensor, code: int) -> tf.RaggedTensor:
    """`codes` without those equal to `code`.

    `tf.ragged.boolean_mask` would do, in memory of rows times the longest row: gigabytes for one long text in a batch.
    """
    stays = codes.flat_values != code
    before = tf.concat([[0], tf.cumsum(tf.cast(stays, tf.int64))], 0)
    return tf.RaggedTensor.from_row_splits(
        tf.boolean_mask(codes.flat_values, stays), tf.gather(before, codes.row_splits), validate=False
    )


def _dense(values: tf.Tensor, row_of: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """(rows, longest row), each row's values from its start, padded with 0; at least one column."""
    rows = tf.cast(rows, tf.int64)
    ragged = tf.RaggedTensor.from_value_rowids(values, row_of, nrows=rows)
    width = tf.maximum(tf.cast(ragged.bounding_shape(axis=1), tf.int32), 1)
    return ragged.to_tensor(0, shape=tf.stack([tf.cast(rows, tf.int32), width]))
