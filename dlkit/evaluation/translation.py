"""How good are translations, by the measures that others use?

`bleu`: sacreBLEU (Post 2018) on plain text, whose signature says how. `bleu_tokenised`: as papers on Multi30k count it,
lower-cased, punctuation normalised and tokenised by Moses, whose own files are met word for word. `chrf`: Popović 2015.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dlkit.errors import DataError, SettingsError
from dlkit.inference.sentences import SentenceAnswer

LENGTHS = (10, 15, 20)
"""Words of a reference, between blanks: up to these, and above."""
EXAMPLES = 12
BEFORE = "before"
"""The baseline that training went on from."""
FEW = 100
"""Test sentences below which BLEU is more luck than merit."""
_FEWEST = 20
"""Sentences below which a BLEU of their own says nothing."""


@dataclass(frozen=True)
class Corpus:
    """Sentences written and, one each, sentences that a person wrote."""

    written: Sequence[str]
    right: Sequence[str]

    def __len__(self) -> int:
        return len(self.right)

    def take(self, rows: np.ndarray) -> Corpus:
        return Corpus([self.written[row] for row in rows], [self.right[row] for row in rows])


def corpus_of(answer: object, targets: object, outputs: np.ndarray) -> Corpus:
    """`targets`: (rows,) references as `str`. `outputs`: those of the search, see `SentenceAnswer`."""
    if not isinstance(answer, SentenceAnswer) or not isinstance(targets, np.ndarray):
        raise SettingsError(f"translation needs sentences, got {type(answer).__name__}, {type(targets).__name__}.")
    if len(targets) != len(outputs) or not len(targets):
        raise DataError(f"{len(targets)} references do not fit {len(outputs)} translations: expected one for each.")
    return Corpus(answer.sentences(outputs), targets.tolist())


def figures(answer: object, targets: object, outputs: np.ndarray) -> dict[str, float]:
    """`bleu`, `bleu_tokenised` and `chrf` in [0, 100].

    As for `corpus_of`.
    """
    return of_texts(corpus_of(answer, targets, outputs), getattr(answer, "language", ""))


def of_texts(corpus: Corpus, language: str) -> dict[str, float]:
    """As `figures`, of plain sentences."""
    from sacrebleu.metrics.chrf import CHRF

    return {
        "bleu": bleu(corpus),
        "bleu_tokenised": bleu_tokenised(corpus, language),
        "chrf": float(CHRF().corpus_score(corpus.written, [corpus.right]).score),
    }


def bleu(corpus: Corpus) -> float:
    """BLEU as sacreBLEU has it by default, in [0, 100]."""
    from sacrebleu.metrics.bleu import BLEU

    return float(BLEU().corpus_score(corpus.written, [corpus.right]).score)


def bleu_tokenised(corpus: Corpus, language: str) -> float:
    """BLEU on lower-cased text that Moses normalised and tokenised, in [0, 100]."""
    from sacrebleu.metrics.bleu import BLEU

    # The text is tokenised, as its full stops show: sacreBLEU would warn of that.
    plain = BLEU(tokenize="none", force=True)
    return float(plain.corpus_score(moses(corpus.written, language), [moses(corpus.right, language)]).score)


def moses(texts: Sequence[str], language: str) -> list[str]:
    """Lower-cased, normalised and tokenised as the files `*.lc.norm.tok.*` of Multi30k are."""
    from sacremoses import MosesPunctNormalizer, MosesTokenizer

    normaliser, tokeniser = MosesPunctNormalizer(language), MosesTokenizer(language)
    return [tokeniser.tokenize(normaliser.normalize(text.lower()), return_str=True) for text in texts]


def signatures() -> dict[str, str]:
    """How the figures were made, as sacreBLEU writes it, and how the text of `bleu_tokenised` was."""
    from importlib.metadata import version

    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    found = {"bleu": BLEU(references=[["a"]]).get_signature(), "chrf": CHRF(references=[["a"]]).get_signature()}
    tokenised = f"lower-cased, Moses punctuation and tokens by sacremoses {version('sacremoses')}"
    return {**{name: str(one) for name, one in found.items()}, "bleu_tokenised": tokenised}


def by_length(corpus: Corpus) -> dict[str, dict[str, float]]:
    """`bleu` and `rows` by the number of words in a reference ("1-10", …, "21+"); none where there are too few rows."""
    words = np.array([len(text.split()) for text in corpus.right])
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

    corpus, chrf = corpus_of(answer, targets, outputs), CHRF()
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
    """Words that were written to words of the references."""
    written, right = (sum(len(text.split()) for text in side) for side in (corpus.written, corpus.right))
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
