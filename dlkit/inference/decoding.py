"""How is a translation found, piece by piece, with a network that says how likely each next piece is?

Greedy, by beam search, or by chance. All are driven by two calls, `Steps`, whatever runs the network; a step takes the
tensors that the step before it gave, so that it costs the same however much was written already. The searches of
`models/decoding.py` are the same ones in a graph.

A translation has at most `bounds` pieces, its end among them: what was not ended by then is ended there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dlkit.errors import SettingsError
from dlkit.inference.sentence_pieces import END, START

Tensors = Mapping[str, np.ndarray]
WIDEST = 256
"""Most hypotheses of a sentence at once: each takes a cache of its own, some hundred kilobytes."""
TEMPERATURES = (1e-3, 1e3)
"""Beyond these, logits overflow, or what is never written becomes as likely as the rest."""
TIMES, MORE = 3, 10
"""A translation has at most so many times its source's pieces, and so many more, its end among them."""


class Steps(Protocol):
    """A network, piece by piece. Every tensor has a row a sentence on its first axis."""

    def encode(self, source: np.ndarray) -> tuple[Tensors, Tensors]:
        """Ids (rows, length) int32, 0 pads, to what stays as it is and what the first step takes."""
        ...

    def step(self, pieces: np.ndarray, position: int, state: Tensors, cache: Tensors) -> tuple[np.ndarray, Tensors]:
        """Pieces (rows,) int32 to log-probabilities (rows, vocabulary) float32 of those that follow at `position`, and
        what the next step takes.
        """
        ...


@dataclass(frozen=True)
class Found:
    """`ids`: (rows, n, longest) int32, without start and end, 0 after the last. `scores`: (rows, n) float32, the best
    first; minus infinity where there are no more.
    """

    ids: np.ndarray
    scores: np.ndarray

    @property
    def outputs(self) -> np.ndarray:
        """(rows, n (1 + longest)) float32: score and ids of each translation, side by side."""
        both = np.concatenate([self.scores[:, :, np.newaxis], self.ids], axis=2, dtype=np.float32)
        return both.reshape(len(both), both.shape[1] * both.shape[2])


@dataclass(frozen=True)
class Search:
    """How to look for translations. `beam`: hypotheses that are kept, 1 is greedy. `best`: translations to give.

    `length_penalty`: alpha of Wu et al. 2016, eq. 14; the run's own where it is None. Where any of `temperature` (else
    1), `top_k`, `top_p` and `seed` (else 0) is given, pieces are drawn by chance from the `top_k` likeliest (0: all)
    that make up `top_p` of the probability (Holtzman et al. 2020); no beam then.
    """

    beam: int = 5
    best: int = 1
    length_penalty: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        limits = {"beam": (1, WIDEST), "best": (1, WIDEST), "top_k": (0, np.inf), "seed": (0, np.inf)}
        for name in limits:
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise SettingsError(f"{name}: expected a whole number, got {value!r}.")
        for name, (lowest, highest) in (limits | {"length_penalty": (0, 10), "temperature": TEMPERATURES}).items():
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                remedy = " For the likeliest piece each time: beam=1 alone." if name == "temperature" else ""
                raise SettingsError(f"{name}: expected a number from {lowest:g} to {highest:g}, got {value}.{remedy}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise SettingsError(f"top_p: expected a share in (0, 1], got {self.top_p}.")
        if not self.is_by_chance and self.best > self.beam:
            raise SettingsError(f"best: a beam of {self.beam} gives {self.beam} translations at most, got {self.best}.")

    @property
    def _penalty(self) -> float:
        return 1.0 if self.length_penalty is None else self.length_penalty

    @property
    def is_by_chance(self) -> bool:
        return any(given is not None for given in (self.temperature, self.top_k, self.top_p, self.seed))

    @property
    def is_greedy(self) -> bool:
        return self.beam == 1 and not self.is_by_chance

    def run(
        self, steps: Steps, source: np.ndarray, longest: int, *, reading: Callable[[list[int]], object] = tuple
    ) -> Found:
        """Translations of ids (rows, length) int32, of at most `longest` pieces with their end.

        `reading`: what ids stand for. Of several that stand for the same only the best is given.
        """
        found = self._found(steps, source, longest)
        return found if self.best == 1 else distinct(found, self.best, reading)

    def _found(self, steps: Steps, source: np.ndarray, longest: int) -> Found:
        """As many as there are of a beam, the best alone where no more are wanted."""
        if self.is_by_chance:
            return sampled(
                steps,
                source,
                longest,
                count=self.best,
                temperature=1.0 if self.temperature is None else self.temperature,
                top_k=self.top_k or 0,
                top_p=1.0 if self.top_p is None else self.top_p,
                seed=self.seed or 0,
                length_penalty=self._penalty,
            )
        if self.is_greedy:
            return greedy(steps, source, longest, length_penalty=self._penalty)
        found = beam_search(steps, source, longest, beam=self.beam, length_penalty=self._penalty)
        return found if self.best > 1 else Found(found.ids[:, :1], found.scores[:, :1])


def distinct(found: Found, count: int, reading: Callable[[list[int]], object]) -> Found:
    """The `count` best of each row that stand for different things; two cuts of one text are one text."""
    rows, _, longest = found.ids.shape
    ids, scores = np.zeros((rows, count, longest), np.int32), np.full((rows, count), -np.inf, np.float32)
    for row in range(rows):
        first: dict[object, int] = {}
        for place in np.flatnonzero(np.isfinite(found.scores[row])).tolist():
            first.setdefault(reading(found.ids[row, place].tolist()), place)
        kept = list(first.values())[:count]
        ids[row, : len(kept)], scores[row, : len(kept)] = found.ids[row, kept], found.scores[row, kept]
    return Found(ids, scores)


def penalty(pieces: int | np.ndarray, alpha: float) -> float | np.ndarray:
    """What a log-probability of so many pieces is divided by (Wu et al. 2016, eq. 14)."""
    return ((5 + pieces) / 6) ** alpha


def bounds(source: np.ndarray, longest: int) -> np.ndarray:
    """(rows,) most pieces of a translation, its end among them."""
    return np.minimum(TIMES * (source > 0).sum(axis=1) + MORE, longest)


def greedy(steps: Steps, source: np.ndarray, longest: int, *, length_penalty: float = 1.0) -> Found:
    """The likeliest piece each time."""
    return _one_by_one(steps, source, longest, lambda chances: chances.argmax(axis=1), length_penalty)


def sampled(
    steps: Steps,
    source: np.ndarray,
    longest: int,
    *,
    count: int = 1,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    length_penalty: float = 1.0,
) -> Found:
    """`count` translations of each source, each piece by chance. Scores know no temperature."""
    dice = np.random.default_rng(seed)

    def drawn(chances: np.ndarray) -> np.ndarray:
        kept = shares(chances / temperature, top_k=top_k, top_p=top_p)
        edges = kept.cumsum(axis=1)
        return (dice.random((len(edges), 1)) * edges[:, -1:] < edges).argmax(axis=1)

    found = _one_by_one(steps, source, longest, drawn, length_penalty, count=count)
    ids, scores = found.ids.reshape(len(source), count, longest), found.scores.reshape(len(source), count)
    order = np.argsort(-scores, axis=1, kind="stable")
    return Found(np.take_along_axis(ids, order[:, :, np.newaxis], 1), np.take_along_axis(scores, order, 1))


def shares(logits: np.ndarray, *, top_k: int = 0, top_p: float = 1.0) -> np.ndarray:
    """Probabilities (rows, vocabulary) float64 of the pieces that may be drawn, 0 elsewhere; rows sum to 1.

    Of the `top_k` likeliest (0: all), as few as make up `top_p` of the probability, one at least.
    """
    order = np.argsort(-logits, axis=1, kind="stable")
    ordered = np.take_along_axis(logits, order, axis=1).astype(np.float64)
    ordered = np.exp(ordered - ordered[:, :1])
    if top_k:
        ordered[:, top_k:] = 0
    ordered /= ordered.sum(axis=1, keepdims=True)
    ordered[ordered.cumsum(axis=1) - ordered >= top_p] = 0
    kept = np.empty_like(ordered)
    np.put_along_axis(kept, order, ordered / ordered.sum(axis=1, keepdims=True), axis=1)
    return kept


def _one_by_one(
    steps: Steps,
    source: np.ndarray,
    longest: int,
    choose: Callable[[np.ndarray], np.ndarray],
    length_penalty: float,
    *,
    count: int = 1,
) -> Found:
    """A row a translation, `count` on end for each source."""
    rows, bound = len(source) * count, np.repeat(bounds(source, longest), count)
    state, cache = _repeated(steps.encode(source), count)
    pieces, ids = np.full(rows, START, np.int32), np.zeros((rows, longest), np.int32)
    totals, lengths = np.zeros(rows, np.float32), np.zeros(rows, np.int32)
    for position in range(int(bound.max(initial=0))):
        chances, cache = steps.step(pieces, position, state, cache)
        is_open = lengths == 0
        pieces = np.where(position + 1 < bound, choose(chances), END).astype(np.int32)
        totals += np.where(is_open, chances[np.arange(rows), pieces], 0)
        ended = is_open & (pieces == END)
        lengths[ended] = position + 1
        ids[:, position] = np.where(is_open & ~ended, pieces, 0)
        if lengths.all():
            break
    scores = (totals / penalty(lengths, length_penalty)).astype(np.float32)
    return Found(ids[:, np.newaxis], scores[:, np.newaxis])


def beam_search(steps: Steps, source: np.ndarray, longest: int, *, beam: int = 5, length_penalty: float = 1.0) -> Found:
    """The `beam` best translations of each source that a beam search finds.

    Each step keeps the `beam` likeliest continuations. A hypothesis may end where its end is as likely as the last of
    those; of all that ended, the `beam` best by length-normalised log-probability are kept. The search for a row is
    over when no hypothesis that goes on, were it ended now, would be among them.
    """
    rows, bound = len(source), bounds(source, longest)
    state, cache = _repeated(steps.encode(source), beam)
    first = np.arange(rows)[:, np.newaxis] * beam
    pieces, live = np.full(rows * beam, START, np.int32), np.zeros((rows, beam, longest), np.int32)
    totals = np.full((rows, beam), -np.inf, np.float32)
    totals[:, 0] = 0  # all start alike: one of them is enough
    done = Found(np.zeros_like(live), np.full((rows, beam), -np.inf, np.float32))
    is_open = np.ones(rows, bool)
    for position in range(int(bound.max(initial=0))):
        chances, cache = steps.step(pieces, position, state, cache)
        chances = totals[:, :, np.newaxis] + chances.reshape(rows, beam, -1)
        over, by_length = np.equal(position + 1, bound), penalty(position + 1, length_penalty)
        ends = chances[:, :, END].copy()
        chances[:, :, END] = -np.inf
        width = chances.shape[2]
        totals, chosen = _best(chances.reshape(rows, beam * width), beam)
        counts = (ends >= totals[:, -1:]) | over[:, np.newaxis]
        ended = np.where(counts & is_open[:, np.newaxis], ends / by_length, -np.inf).astype(np.float32)
        done = _merged(done, Found(live, ended))
        is_open &= ~over & (totals[:, 0] / by_length > done.scores[:, -1])
        if not is_open.any():
            break
        parents, pieces = chosen // width, (chosen % width).astype(np.int32)
        live = np.take_along_axis(live, parents[:, :, np.newaxis], axis=1)
        live[:, :, position] = pieces
        pieces, parents = pieces.reshape(-1), (first + parents).reshape(-1)
        cache = {name: one[parents] for name, one in cache.items()}
    return done


def _repeated(encoded: tuple[Tensors, Tensors], count: int) -> tuple[Tensors, Tensors]:
    """Each row of each tensor `count` times on end."""
    state, cache = (
        {name: np.repeat(rows, count, axis=0) for name, rows in tensors.items()} if count > 1 else tensors
        for tensors in encoded
    )
    return state, cache


def _best(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` highest of each row, the highest first, and where they are: (rows, count) each."""
    # None of them is lower than the count-th highest of the maxima of parts: to look at those alone takes a tenth of
    # the time that it takes to partition all.
    part = max(values.shape[1] // (_PARTS * count), 1)
    maxima = np.maximum.reduceat(values, np.arange(0, values.shape[1], part), axis=1)
    floors = np.partition(maxima, -count, axis=1)[:, -count]
    places = np.empty((len(values), count), np.int64)
    for row, (ours, floor) in enumerate(zip(values, floors, strict=True)):
        high = np.flatnonzero(ours >= floor)
        places[row] = high[np.argsort(-ours[high], kind="stable")[:count]]
    return np.take_along_axis(values, places, axis=1), places


_PARTS = 16
"""Parts of a row for each of its highest values that are looked for."""


def _merged(one: Found, other: Found) -> Found:
    """As many as `one` has, the best of both."""
    ids, scores = np.concatenate([one.ids, other.ids], axis=1), np.concatenate([one.scores, other.scores], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : one.scores.shape[1]]
    return Found(np.take_along_axis(ids, order[:, :, np.newaxis], 1), np.take_along_axis(scores, order, 1))
