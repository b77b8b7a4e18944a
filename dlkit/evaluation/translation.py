"""How good are translations, by the measures that others use?

`bleu`: sacreBLEU (Post 2018) on plain text, whose signature says how: where words are not parted by blanks, by another
tokeniser than usual; where a translator writes lower case alone, without regard to case. `bleu_tokenised`: as papers on
Multi30k count it, lower-cased, punctuation normalised and tokenised by Moses, whose own files are met word for word.
`chrf`: Popović 2015; its case as that of `bleu`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dlkit.errors import DataError, SettingsError
from dlkit.evaluation.tokenisers import USUAL, count_tokens, tokeniser_of
from dlkit.inference.sentences import SentenceAnswer

LENGTHS = (10, 15, 20)
"""Words of a reference, or what its tokeniser cuts it into: up to these, and above."""
EXAMPLES = 12
BEFORE = "before"
"""The baseline that training went on from."""
FEW = 100
"""Test sentences below which BLEU is more luck than merit."""
_FEWEST = 20
"""Sentences below which a BLEU of their own says nothing."""


@dataclass(frozen=True)
class Corpus:
    """Sentences written and, one each, sentences that a person wrote. `tokeniser`: see `tokenisers`. `lower`: letters
    are compared without regard to case.
    """

    written: Sequence[str]
    right: Sequence[str]
    tokeniser: str = USUAL
    lower: bool = False

    def __len__(self) -> int:
        return len(self.right)

    def take(self, rows: np.ndarray) -> Corpus:
        return replace(self, written=[self.written[row] for row in rows], right=[self.right[row] for row in rows])


def corpus_of(answer: object, targets: object, outputs: np.ndarray) -> Corpus:
    """`targets`: (rows,) references as `str`. `outputs`: those of the search, see `SentenceAnswer`."""
    if not isinstance(answer, SentenceAnswer) or not isinstance(targets, np.ndarray):
        raise SettingsError(f"translation needs sentences, got {type(answer).__name__}, {type(targets).__name__}.")
    if len(targets) != len(outputs) or not len(targets):
        raise DataError(f"{len(targets)} references do not fit {len(outputs)} translations: expected one for each.")
    right = targets.tolist()
    return Corpus(answer.sentences(outputs), right, tokeniser_of(answer.language, right), answer.pieces.lower)


def figures(answer: object, targets: object, outputs: np.ndarray) -> dict[str, float]:
    """`bleu`, `bleu_tokenised` and `chrf` in [0, 100].

    As for `corpus_of`.
    """
    return of_texts(corpus_of(answer, targets, outputs), getattr(answer, "language", ""))


def of_texts(corpus: Corpus, language: str) -> dict[str, float]:
    """As `figures`, of plain sentences."""
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF(lowercase=corpus.lower)
    return {
        "bleu": bleu(corpus),
        "bleu_tokenised": bleu_tokenised(corpus, language),
        "chrf": float(chrf.corpus_score(corpus.written, [corpus.right]).score),
    }


def bleu(corpus: Corpus) -> float:
    """BLEU as sacreBLEU has it by default for the language, in [0, 100]."""
    from sacrebleu.metrics.bleu import BLEU

    # Of characters, too, a full stop stands alone at the end, which sacreBLEU takes for text that is tokenised already.
    metric = BLEU(tokenize=corpus.tokeniser, lowercase=corpus.lower, force=corpus.tokeniser != USUAL)
    return float(metric.corpus_score(corpus.written, [corpus.right]).score)


def bleu_tokenised(corpus: Corpus, language: str) -> float:
    """BLEU on lower-cased text that Moses normalised and tokenised, in [0, 100]; where Moses finds no words, by the
    corpus' own tokeniser.
    """
    from sacrebleu.metrics.bleu import BLEU

    if corpus.tokeniser != USUAL:
        metric = BLEU(tokenize=corpus.tokeniser, lowercase=True, force=True)
        return float(metric.corpus_score(corpus.written, [corpus.right]).score)
    # The text is tokenised, as its full stops show: sacreBLEU would warn of that.
    plain = BLEU(tokenize="none", force=True)
    return float(plain.corpus_score(moses(corpus.written, language), [moses(corpus.right, language)]).score)


def moses(texts: Sequence[str], language: str) -> list[str]:
    """Lower-cased, normalised and tokenised as the files `*.lc.norm.tok.*` of Multi30k are."""
    from sacremoses import MosesPunctNormalizer, MosesTokenizer

    code = moses_language(language)
    normaliser, tokeniser = MosesPunctNormalizer(code), MosesTokenizer(code)
    return [tokeniser.tokenize(normaliser.normalize(text.lower()), return_str=True) for text in texts]


def moses_language(language: str) -> str:
    """What Moses calls it: "fr" of "fr-FR", "fra" and "French". It takes rules for English where it knows none."""
    name = re.split("[-_]", language.strip().lower())[0]
    return next((code for code, names in _MOSES.items() if name in names), name)


_MOSES = {
    "ca": ("cat", "catalan"), "cs": ("ces", "cze", "czech"), "de": ("deu", "ger", "german"),
    "el": ("ell", "gre", "greek"),
    "en": ("eng", "english"), "es": ("spa", "spanish"), "fi": ("fin", "finnish"), "fr": ("fra", "fre", "french"),
    "hu": ("hun", "hungarian"), "is": ("isl", "ice", "icelandic"), "it": ("ita", "italian"),
    "lt": ("lit", "lithuanian"),
    "lv": ("lav", "latvian"), "nl": ("nld", "dut", "dutch"), "pl": ("pol", "polish"), "pt": ("por", "portuguese"),
    "ro": ("ron", "rum", "romanian"), "ru": ("rus", "russian"), "sk": ("slk", "slo", "slovak"),
    "sl": ("slv", "slovene", "slovenian"), "sv": ("swe", "swedish"), "ta": ("tam", "tamil"),
}  # fmt: skip
"""Languages with rules of their own, by their other names (ISO 639-2, English)."""


def signatures(corpus: Corpus) -> dict[str, str]:
    """How the figures were made, as sacreBLEU writes it, and how the text of `bleu_tokenised` was."""
    from importlib.metadata import version

    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    metric, lower = (BLEU(tokenize=corpus.tokeniser, lowercase=low, references=[["a"]]) for low in (corpus.lower, True))
    tokenised = f"lower-cased, Moses punctuation and tokens by sacremoses {version('sacremoses')}"
    return {
        "bleu": str(metric.get_signature()),
        "chrf": str(CHRF(lowercase=corpus.lower, references=[["a"]]).get_signature()),
        "bleu_tokenised": tokenised if corpus.tokeniser == USUAL else str(lower.get_signature()),
    }


def by_length(corpus: Corpus) -> dict[str, dict[str, float]]:
    """`bleu` and `rows` by the length of a reference ("1-10", …, "21+"), see `LENGTHS`; none where there are too few
    rows.
    """
    words = np.array(count_tokens(corpus.right, corpus.tokeniser))
    edges = [0, *LENGTHS, np.inf]
    found = {}
    for low, high in pairwise(edges):
        rows = np.flatnonzero((words > low) & (words <= high))
        if len(rows) >= _FEWEST:
            name = f"{low + 1}-{high}" if np.isfinite(high) else f"{low + 1}+"
            found[name] = {"rows": float(len(rows)), "bleu": bleu(corpus.take(rows))}
    return found


def worst(answer: object, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, list[str], list[str]]:
    """Rows by chrF, the lowest first, their translations and chrF as text."""
    from sacrebleu.metrics.chrf import CHRF

    corpus = corpus_of(answer, targets, outputs)
    chrf = CHRF(lowercase=corpus.lower)
    scores = [chrf.sentence_score(one, [right]).score for one, right in zip(corpus.written, corpus.right, strict=True)]
    rows = np.argsort(scores, kind="stable")
    return rows, [corpus.written[row] for row in rows], [f"chrF {scores[row]:.0f}" for row in rows]


def examples(corpus: Corpus, sources: Sequence[str]) -> list[dict[str, str]]:
    """`source`, `translation` and `reference` of rows spread evenly over all."""
    rows = np.unique(np.linspace(0, len(corpus) - 1, EXAMPLES).astype(int)).tolist()
    return [
        {"source": sources[row], "translation": corpus.written[row], "reference": corpus.right[row]} for row in rows
    ]


def length_ratio(corpus: Corpus) -> float:
    """Words that were written to words of the references, or of what the tokeniser cuts them into."""
    written, right = (sum(count_tokens(side, corpus.tokeniser)) for side in (corpus.written, corpus.right))
    return written / max(right, 1)


def warnings_for(
    corpus: Corpus, test: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]], best: Mapping[str, float]
) -> list[str]:
    """What is to be thought of the figures."""
    found = []
    if len(corpus) < FEW:
        found.append(f"{len(corpus)} test sentences are few: BLEU is a figure of a whole corpus.")
    beaten = {name: one["bleu"] for name, one in baselines.items() if one["bleu"] >= test["bleu"]}
    if beaten:
        name = max(beaten, key=beaten.__getitem__)
        remedy = (
            "these pairs made it no better. Take fewer epochs, a lower training.learning_rate, or more pairs."
            if name == BEFORE
            else "the network has not learnt to translate. Train longer, or give more pairs."
        )
        found.append(
            f"BLEU {test['bleu']:.1f} does not beat the baseline {name.replace('_', ' ')} ({beaten[name]:.1f}): "
            f"{remedy}"
        )
    if not 0.8 <= (ratio := length_ratio(corpus)) <= 1.25:
        found.append(
            f"Translations have {ratio:.2f} times the words of the references: look at "
            "task.length_penalty, and whether training was long enough."
        )
    if best and test["bleu"] > best["bleu"] + 1e-6:
        found.append("The figures are better than is possible: do test rows occur in training?")
    return found
