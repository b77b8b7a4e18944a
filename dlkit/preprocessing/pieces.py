"""Which pieces of words are worth a vector of their own, and how does a SavedModel cut words into them?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from dlkit.errors import DataError, SettingsError
from dlkit.inference.pieces import CONTINUES, LONGEST_WORD, Pieces

SMALLEST_SIZE = 16
MOST_WORDS = 50_000
"""The most frequent words that pieces are learnt from: rarer ones change no piece and take the most time."""
_PASSES = 6
_CLOSE = 1.1
_CHARACTERS = "UTF8_CHAR"


def learn_pieces(words_with_counts: Mapping[str, int], size: int, *, min_character_count: int = 2) -> Pieces:
    """The `size` most useful pieces of words (fewer where the words have no more), the same ones for the same counts.

    `words_with_counts`: words of the training texts as `dlkit.inference.words` cuts them, and how often each occurs.
    Every character that occurs `min_character_count` times or more is a piece, alone and as a continuation, so that
    words of such characters are never unknown; the most frequent ones where they would take more than half of `size`.
    """
    if size < SMALLEST_SIZE:
        raise SettingsError(f"Pieces of words: expected a vocabulary of {SMALLEST_SIZE} pieces or more, got {size}.")
    characters = _characters(words_with_counts, size // 4, min_character_count)
    if not characters:
        raise DataError(
            f"Pieces of words: no character occurs {min_character_count} times or more in the {len(words_with_counts)} "
            "different words of the training texts. Give more texts, or lower the count."
        )
    alphabet = [before + character for before in ("", CONTINUES) for character in characters]
    known = set(characters)
    frequent = sorted((-count, word) for word, count in words_with_counts.items() if known.issuperset(word))
    learnt = _learnt({word: -count for count, word in frequent[:MOST_WORDS]}, size)
    return Pieces(tuple(dict.fromkeys([*alphabet, *learnt]))[:size])


def _characters(words_with_counts: Mapping[str, int], most: int, min_count: int) -> list[str]:
    """The most frequent characters, those of equal count in the order of their code points."""
    counts: Counter[str] = Counter()
    for word, count in words_with_counts.items():
        for character in word:
            counts[character] += count
    frequent = sorted((-count, character) for character, count in counts.items() if count >= min_count)
    return [character for _, character in frequent[:most]]


def _learnt(counts: dict[str, int], size: int) -> list[str]:
    """At least `size` pieces if the words have as many, the most frequent first, by the learner of KerasHub.

    `keras_hub.tokenizers.compute_word_piece_vocabulary` wants all texts as a dataset, counts their words in Python,
    halves its way from 10 million to the count that a piece must have, and cuts off single characters where it ends
    with too many pieces. Here the words are counted already, and the right count is found by a rule of three in a few
    passes of seconds each: pieces follow Zipf's law, half the count gives about twice as many.
    """
    # Loads in seconds, and is needed where pieces are learnt alone.
    from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

    if not counts:
        return []
    in_order = list(counts.values())
    threshold = in_order[min(size, len(in_order)) - 1]
    too_many, too_few = 0, max(in_order) + 1  # counts known to give that
    enough: list[str] = []
    most: list[str] = []
    for _ in range(_PASSES):
        pieces = learner.learn(counts, size, [], upper_thresh=threshold, lower_thresh=threshold, joiner=CONTINUES)
        if len(pieces) < size:
            too_few, most = threshold, max(most, pieces, key=len)
        else:
            too_many, enough = threshold, pieces
            if len(pieces) <= size * _CLOSE:
                break
        if too_few - too_many <= 1:
            break
        # Aimed at the middle of what is close enough, and kept between what is known.
        guess = round(threshold * len(pieces) / (size * (1 + _CLOSE) / 2))
        threshold = min(max(guess, too_many + 1), too_few - 1)
    return enough or most


class _Cutting(NamedTuple):
    """`open_words`: numbers of the words that are not cut to their end, with the candidate [start, stop) of each.

    `owners` and `ids`: the pieces found so far, and the number of the word that each belongs to.
    """

    open_words: tf.Tensor
    starts: tf.Tensor
    stops: tf.Tensor
    owners: tf.Tensor
    ids: tf.Tensor


class PiecesGraph(tf.Module):
    """The TensorFlow form of `Pieces`, in core operations alone: a SavedModel of it needs no TensorFlow Text.

    All different words of a batch are cut side by side: each step of a loop looks up one candidate of every word
    that is not done yet, from the longest to the shortest.
    """

    def __init__(self, pieces: Pieces) -> None:
        super().__init__()
        ids = tf.lookup.KeyValueTensorInitializer(
            list(pieces.vocabulary), range(pieces.first, len(pieces.vocabulary) + pieces.first), tf.string, tf.int32
        )
        self._ids = tf.lookup.StaticHashTable(ids, default_value=0)
        self._longest, self._continues = pieces.longest, pieces.continues
        self._unknown, self._by_character = pieces.unknown, pieces.by_character

    def cut(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """(rows, words of the row) strings to (rows, pieces of the row) int32, as `Pieces.encode` of each row."""
        different, which = tf.unique(words.flat_values)
        pieces = tf.gather(self._pieces(different), which)
        splits = tf.gather(pieces.row_splits, words.row_splits)
        return tf.RaggedTensor.from_row_splits(pieces.flat_values, splits, validate=False)

    def _pieces(self, words: tf.Tensor) -> tf.RaggedTensor:
        """(words,) strings to (words, pieces of the word) int32."""
        lengths = tf.strings.length(words, unit=_CHARACTERS)
        too_long = _positions(lengths > LONGEST_WORD)
        open_words = _positions((lengths > 0) & (lengths <= LONGEST_WORD))
        stops = tf.minimum(tf.gather(lengths, open_words), self._longest)
        unknown = tf.fill(tf.shape(too_long), self._unknown)
        (cut,) = tf.while_loop(
            lambda cutting: tf.size(cutting.open_words) > 0,
            lambda cutting: (self._step(words, lengths, cutting),),
            (_Cutting(open_words, tf.zeros_like(open_words), stops, too_long, unknown),),
            shape_invariants=(_Cutting(*[tf.TensorShape([None])] * 5),),
        )
        owners, ids = cut.owners, cut.ids
        if not self._by_character:
            # A word that got stuck has left pieces behind: of those, the unknown one alone stays.
            lowest = tf.math.unsorted_segment_min(ids, owners, tf.size(words))
            stays = (ids == self._unknown) | (tf.gather(lowest, owners) != self._unknown)
            owners, ids = tf.boolean_mask(owners, stays), tf.boolean_mask(ids, stays)
        order = tf.argsort(owners, stable=True)
        return tf.RaggedTensor.from_value_rowids(
            tf.gather(ids, order),
            tf.cast(tf.gather(owners, order), tf.int64),
            nrows=tf.size(words, tf.int64),
            validate=False,
        )

    def _step(self, words: tf.Tensor, lengths: tf.Tensor, cutting: _Cutting) -> _Cutting:
        """Look up one candidate of each open word."""
        open_words, starts, stops, owners, ids = cutting
        candidates = tf.strings.substr(tf.gather(words, open_words), starts, stops - starts, unit=_CHARACTERS)
        found = self._ids.lookup(tf.where(starts > 0, tf.strings.join([self._continues, candidates]), candidates))
        # A single character that is no piece ends the search.
        stuck = (found == 0) & (stops == starts + 1)
        found = tf.where(stuck, self._unknown, found)
        written = found > 0
        ends = tf.gather(lengths, open_words)
        starts = tf.where(written, stops, starts)
        stops = tf.where(written, tf.minimum(ends, stops + self._longest), stops - 1)
        owners = tf.concat([owners, tf.boolean_mask(open_words, written)], 0)
        ids = tf.concat([ids, tf.boolean_mask(found, written)], 0)
        goes_on = (starts < ends) & (self._by_character | ~stuck)
        open_words, starts, stops = (tf.boolean_mask(part, goes_on) for part in (open_words, starts, stops))
        return _Cutting(open_words, starts, stops, owners, ids)


def _positions(mask: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.where(mask)[:, 0], tf.int32)
