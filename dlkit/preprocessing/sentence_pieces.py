"""Which pieces of sentences are worth a vector of their own?

Byte-pair encoding (Sennrich et al. 2016) as SentencePiece learns it. A text is cut into the longest pieces, not by the
order in which they were merged: as good, or better (Uzan et al. 2024), and one look-up after the other in a graph.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from dlkit.errors import DataError
from dlkit.inference.sentence_pieces import MARK, Level, SentencePieces, marked_words, parts

MOST_TEXTS = 500_000
"""Texts that pieces are learnt from: more of them change few pieces."""
_LONGEST = 1 << 16
_LEAST = 2


def learn(texts: Sequence[str], size: int, *, level: Level, lower: bool, origin: str) -> SentencePieces:
    """At most `size` pieces of the texts, or their most frequent words; the same ones for the same texts.

    A character, or a word, that occurs once alone is none of them. `origin`: what an error calls the texts.
    """
    texts = texts[:: -(-len(texts) // MOST_TEXTS)]
    cut = [parts(text, lower=lower) for text in texts]
    found = _words(cut, size) if level == "word" else _merged(cut, size)
    if not found:
        what = "word" if level == "word" else "character"
        raise DataError(f"{origin}: no {what} occurs twice in {len(texts)} texts. Give more pairs of sentences.")
    return SentencePieces(tuple(found), level, lower)


def _words(texts: Iterable[Sequence[str]], size: int) -> list[str]:
    counts = Counter(word for text in texts for part in text for word in marked_words(part))
    return _most_frequent(counts, size)


def _most_frequent(counts: Counter[str], size: int) -> list[str]:
    frequent = sorted((-count, one) for one, count in counts.items() if count >= _LEAST)
    return [one for _, one in frequent[:size]]


def _merged(texts: list[list[str]], size: int) -> list[str]:
    """Characters and what byte-pair encoding merges them to, the most frequent first."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    alphabet = _most_frequent(Counter(chain.from_iterable(chain.from_iterable(texts))), size // 2)
    if not alphabet:
        return []
    known = set(alphabet)
    # A word with a character that is none of the alphabet teaches nothing.
    sentences = [" ".join(part for part in text if known.issuperset(part))[:_LONGEST] for text in texts]
    if not any(sentences):
        return alphabet
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type="bpe",
        vocab_size=size + 2,  # with the mark and the unknown piece
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        max_sentence_length=4 * _LONGEST,
        num_threads=1,
        minloglevel=2,
        bos_id=-1,
        eos_id=-1,
    )
    learnt = SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [learnt.id_to_piece(number) for number in range(1, learnt.get_piece_size())]
    one_word = [piece for piece in pieces if len(marked_words(piece.replace(MARK, ""))) <= 1]
    return list(dict.fromkeys([MARK, *alphabet, *one_word]))[:size]
