"""How does a SavedModel read a raw sentence, and write one, exactly as the plain forms do?"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from dlkit.inference.sentence_pieces import BLANK, END, FIRST, LONGEST_RUN, MARK, UNKNOWN, SentencePieces, joins, rule
from dlkit.inference.translation import PairText
from dlkit.inference.words import LAST_KEPT, LAST_TABLED
from dlkit.preprocessing.pieces import PiecesGraph
from dlkit.preprocessing.text_graphs import table, without

_NOTHING = -1
"""In the place of a code point that is none."""


class MarkedWordsGraph(tf.Module):
    """(rows,) strings to (rows, words of the row) strings: `marked_words` of each of the `parts`."""

    def __init__(self, *, lower: bool) -> None:
        super().__init__()
        codes = range(LAST_TABLED + 1)
        rules = [rule(code, lower=lower) for code in codes]
        self._rules = tf.constant([_NOTHING if code is None else code for code in rules], tf.int32)
        self._joins = tf.constant([joins(code) for code in codes])

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        codes = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        codes = without(tf.ragged.map_flat_values(self._ruled, codes), _NOTHING)
        rows = codes.value_rowids()
        codes = codes.flat_values
        blank = codes == BLANK
        first = tf.concat([tf.ones_like(rows[:1], tf.bool), rows[1:] != rows[:-1]], 0)
        opens = first | tf.concat([tf.zeros_like(blank[:1]), blank[:-1]], 0)
        joined = tf.gather(self._joins, tf.minimum(codes, LAST_TABLED)) | (codes > LAST_TABLED)
        goes_on = joined & ~opens & tf.concat([tf.zeros_like(joined[:1]), joined[:-1]], 0)
        # A run that is too long goes on as another word.
        place = tf.range(tf.size(codes))
        run = tf.cumsum(tf.cast(~goes_on, tf.int32)) - 1
        begin = tf.gather(tf.boolean_mask(place, ~goes_on), run)
        starts = ~goes_on | ((place - begin) % LONGEST_RUN == 0)
        mark = tf.where(opens, ord(MARK), _NOTHING)
        parts = tf.stack([tf.where(starts, BLANK, _NOTHING), mark, codes], axis=1)
        parts = tf.where(blank[:, None], _NOTHING, parts)
        flat = tf.reshape(parts, (-1,))
        kept = flat != _NOTHING
        written = tf.RaggedTensor.from_value_rowids(
            tf.boolean_mask(flat, kept),
            tf.boolean_mask(tf.repeat(rows, 3), kept),
            nrows=tf.size(texts, tf.int64),
            validate=False,
        )
        return tf.strings.split(tf.strings.unicode_encode(written, "UTF-8"))

    def _ruled(self, codes: tf.Tensor) -> tf.Tensor:
        tabled = tf.gather(self._rules, tf.minimum(codes, LAST_TABLED))
        return tf.where(codes <= LAST_TABLED, tabled, tf.where(codes <= LAST_KEPT, codes, BLANK))


class PairTextGraph(tf.Module):
    """The TensorFlow form of `PairText`: (rows,) strings to `{"source": (rows, longest row) int32}`."""

    def __init__(self, transform: PairText) -> None:
        super().__init__()
        pieces = transform.source
        self._column, self._longest = transform.column, transform.longest_source
        self._words = MarkedWordsGraph(lower=pieces.lower)
        self._cutter = PiecesGraph(pieces.cutter) if pieces.level == "piece" else None
        self._ids = table(pieces.vocabulary, first=FIRST, unknown=UNKNOWN)
        self.signature = {self._column: tf.TensorSpec((None,), tf.string, name=self._column)}

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        words = self._words(raw[self._column])
        ids = self._cutter.cut(words) if self._cutter else tf.ragged.map_flat_values(self._ids.lookup, words)
        ids = ids[:, : self._longest - 1]
        end = tf.fill((ids.nrows(), 1), END)
        return {"source": tf.concat([ids, end], axis=1).to_tensor(0)}


class SentencesGraph(tf.Module):
    """The TensorFlow form of `SentencePieces.decode`: (rows, length) int32 ids to (rows,) strings."""

    def __init__(self, pieces: SentencePieces) -> None:
        super().__init__()
        texts = [piece.replace(MARK, " ") for piece in pieces.vocabulary]
        self._texts = tf.constant([""] * FIRST + texts)

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        ended = tf.cumsum(tf.cast(ids == END, tf.int32), axis=1) > 0
        pieces = tf.gather(self._texts, tf.where(ended, 0, ids))
        return tf.strings.regex_replace(tf.strings.reduce_join(pieces, axis=1), "^ +| +$", "")
