"""What does a code keep, what lies between two codes, what does each unit stand for, and where do classes lie?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm
from sklearn.decomposition import PCA

from dlkit.contracts import Examples, take
from dlkit.evaluation.drawings import BLUE, GREY, MANY_POINTS, ORANGE, Drawing
from dlkit.evaluation.latents import ACTIVE, LABEL, Coder, corrupted
from dlkit.evaluation.pages import figure as number
from dlkit.evaluation.pages import shortened
from dlkit.evaluation.rows import evenly
from dlkit.evaluation.tiles import Tile, grid, rows_of

_SHOWN = 10
"""Pictures side by side, units that are walked through, classes that are told apart."""
_SAMPLES = 60
_PAIRS, _STEPS = 4, 9
_PLANE = 20
"""Codes along each side of the plane."""
_WALK = 3.0
"""Standard deviations of the prior that a walk goes to either side."""
_POINTS = 4_000
_SIDE = 0.62
"""Inches of a small picture."""


@dataclass(frozen=True)
class Coded:
    """A latent model's view of the test rows as an artefact sees them.

    `found`: (rows, ...) their reconstructions. `labels`: (rows,) `str`, or None. `names`: of the classes that a
    conditional model is told.
    """

    coder: Coder
    rows: Examples
    found: np.ndarray
    labels: object = None
    names: tuple[str, ...] = ()
    seed: int = 0

    @cached_property
    def codes(self) -> np.ndarray:
        """(rows, units) float32."""
        return self.coder.codes(self.rows.inputs)

    @property
    def pictures(self) -> bool:
        return self.found.ndim == 4

    @property
    def told(self) -> np.ndarray | None:
        """(rows,) int32 classes that a conditional model is told."""
        rows = self.rows.inputs.get(LABEL)
        return None if rows is None else take(rows, np.arange(len(self.codes)))

    def truth(self, some: np.ndarray) -> np.ndarray:
        return take(self.rows.inputs[self.coder.name], some)

    def decoded(self, codes: np.ndarray, told: np.ndarray | None) -> np.ndarray:
        return self.coder.decode(codes, None if told is None else told.astype(np.int32))

    @property
    def order(self) -> np.ndarray:
        """Units, those first whose mean varies most."""
        return np.argsort(-self.codes.var(axis=0), kind="stable")


def of_codes(coded: Coded, variances: Sequence[float]) -> list[Callable[[], Drawing | None]]:
    """What draws a latent model, as `plot_all` takes it; of rows of a table only their codes.

    `variances`: of the units' means, see `latents.spread`.
    """
    pictures = [reconstructions, samples, interpolation, plane, traversals] if coded.pictures else []
    draws: list[Callable[[], Drawing | None]] = [partial(draw, coded) for draw in (*pictures, codes_by_class)]
    return [*draws, partial(units, variances)] if coded.coder.model.variational else draws


def reconstructions(coded: Coded) -> Drawing:
    """Test pictures, and what comes back from their codes; those with the largest error beside them."""
    error = np.square(coded.found - coded.truth(np.arange(len(coded.found)))).reshape(len(coded.found), -1).mean(axis=1)
    spread, worst = evenly(len(coded.found), _SHOWN), np.argsort(-error, kind="stable")[:_SHOWN]
    rows, names = [_tiles(coded.truth(spread)), _tiles(coded.found[spread])], ["original", "reconstructed"]
    noisy = corrupted(coded.coder.model, coded.truth(spread), seed=coded.seed)
    if noisy is not None:
        told = {} if coded.told is None else {LABEL: coded.told[spread]}
        rows[1:] = [_tiles(noisy), _tiles(coded.coder.again({coded.coder.name: noisy, **told}))]
        names.insert(1, "with noise")
    rows += [_tiles(coded.truth(worst)), _tiles(coded.found[worst])]
    names += ["worst original", "reconstructed"]
    least, most = number(float(error[worst[-1]])), number(float(error[worst[0]]))
    alt = (
        f"{len(spread)} test pictures and their reconstructions from {coded.coder.model.latent} numbers each, then the "
        f"{len(worst)} with the largest squared error a pixel, {least} to {most}."
    )
    return _drawing("reconstructions", "Originals and reconstructions", alt, rows, names)


def samples(coded: Coded) -> Drawing | None:
    """Pictures from codes drawn from the prior; of a conditional model a row a class. None where there is no prior."""
    if not coded.coder.model.variational:
        return None
    random, told = np.random.default_rng(coded.seed), None
    names: Sequence[str] = ()
    if coded.told is not None:
        names = [shortened(name, 14) for name in coded.names[:_SHOWN]]
        told = np.repeat(np.arange(len(names)), _SHOWN)
    codes = random.standard_normal((_SAMPLES if told is None else len(told), coded.coder.model.latent))
    found = coded.decoded(codes, told)
    what = "a row a class" if names else "codes drawn from the prior"
    alt = f"{len(found)} pictures that were not in the data, {what}, seed {coded.seed}."
    return _drawing("samples", "New pictures from the prior", alt, rows_of(_tiles(found), _SHOWN), names)


def interpolation(coded: Coded) -> Drawing | None:
    """From one test picture to another in even steps between their codes."""
    ends = evenly(len(coded.codes), 2 * _PAIRS)
    pairs = [(ends[place], ends[(place + len(ends) // 2) % len(ends)]) for place in range(len(ends) // 2)]
    if not pairs:
        return None
    share = np.linspace(0, 1, _STEPS)[:, None]
    rows = []
    for first, last in pairs:
        between = (1 - share) * coded.codes[first] + share * coded.codes[last]
        # A class has nothing half-way: the first picture's holds up to the middle.
        told = None if coded.told is None else np.where(share[:, 0] <= 0.5, coded.told[first], coded.told[last])
        ends_shown = coded.truth(np.array([first, last]))
        rows.append(_tiles(np.concatenate([ends_shown[:1], coded.decoded(between, told), ends_shown[1:]])))
    alt = (
        f"{len(pairs)} pairs of test pictures at the left and right edge; between them {_STEPS} reconstructions on the "
        "straight line from one code to the other."
    )
    return _drawing("interpolation", "From one picture to another", alt, rows)


def plane(coded: Coded) -> Drawing | None:
    """What each point of a code of two numbers stands for; None for more numbers."""
    if coded.coder.model.latent != 2:
        return None
    axes = [norm.ppf(np.linspace(0.025, 0.975, _PLANE))] * 2
    if not coded.coder.model.variational:
        axes = [np.quantile(coded.codes[:, unit], np.linspace(0.01, 0.99, _PLANE)) for unit in (0, 1)]
    codes = np.array([(x, y) for y in axes[1][::-1] for x in axes[0]])
    told = None if coded.told is None else np.zeros(len(codes), np.int32)
    found = coded.decoded(codes, told)
    limits = [f"{number(float(one[0]))} to {number(float(one[-1]))}" for one in axes]
    alt = f"Pictures by code: the first number grows to the right ({limits[0]}), the second upwards ({limits[1]})"
    alt += "." if told is None else f", of class {shortened(coded.names[0], 14)}."
    apart = np.pad(found, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=1)  # a white line between neighbours
    height, width, channels = apart.shape[1:]
    mosaic = apart.reshape(_PLANE, _PLANE, height, width, channels).swapaxes(1, 2)
    whole = mosaic.reshape(_PLANE * height, _PLANE * width, channels)[:-1, :-1]
    return Drawing("plane", "The plane of codes", alt, grid([_tiles(whole[None])], side=_PLANE * 0.3), "png")


def traversals(coded: Coded) -> Drawing:
    """One test picture with a single number of its code changed at a time, the units that vary most first."""
    (start,) = evenly(len(coded.codes), 1)
    units = coded.order[:_SHOWN]
    rows = []
    for unit in units:
        low, high = (-_WALK, _WALK)
        if not coded.coder.model.variational:
            low, high = np.quantile(coded.codes[:, unit], (0.01, 0.99))
        codes = np.repeat(coded.codes[start : start + 1], _STEPS, axis=0)
        codes[:, unit] = np.linspace(low, high, _STEPS)
        told = None if coded.told is None else np.repeat(coded.told[start], _STEPS)
        rows.append(_tiles(coded.decoded(codes, told)))
    span = f"from {-_WALK:g} to {_WALK:g}" if coded.coder.model.variational else "over the range of the test codes"
    alt = (
        f"One test picture; in each row one number of its code goes {span}, the others stay. Shown: the {len(units)} "
        f"of {coded.coder.model.latent} units whose mean varies most over the test rows."
    )
    return _drawing("traversals", "What single units stand for", alt, rows, [f"unit {unit}" for unit in units])


def codes_by_class(coded: Coded) -> Drawing | None:
    """Codes in two dimensions, by PCA where they have more, coloured by class; None for codes of one number."""
    if coded.codes.shape[1] < 2 or len(coded.codes) < 3:
        return None
    some = evenly(len(coded.codes), _POINTS)
    points, share = coded.codes[some].astype(np.float64), 1.0
    labels = ["unit 0", "unit 1"]
    if points.shape[1] > 2:
        components = PCA(2, svd_solver="full").fit(points)
        points, share = components.transform(points), float(components.explained_variance_ratio_.sum())
        labels = ["first principal component", "second principal component"]
    figure = Figure(figsize=(5.6, 5.0), layout="constrained")
    axes = figure.subplots()
    many = len(points) > MANY_POINTS
    scattered = partial(axes.scatter, s=5 if many else 12, linewidth=0, alpha=0.6, rasterized=many)
    classes = _classes(coded.labels, some)
    scattered(*points[_outside(classes, len(points))].T, color=GREY if classes else BLUE)
    for colour, (name, rows) in enumerate(classes.items()):
        scattered(*points[rows].T, color=f"C{colour}")
        axes.annotate(
            shortened(name, 14), np.median(points[rows], axis=0), ha="center", va="center", fontsize=9, weight="bold",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": f"C{colour}", "alpha": 0.85},
        )  # fmt: skip
    axes.set(xlabel=labels[0], ylabel=labels[1])
    alt = f"{len(points):,} test rows by their code"
    alt += f"; the two components hold {share:.0%} of its variance" if labels[0] != "unit 0" else ""
    alt += f"; {len(classes)} classes, each named at its median." if classes else "."
    return Drawing("codes_by_class", "Codes" + (" by class" if classes else ""), alt, figure)


def units(variances: Sequence[float]) -> Drawing:
    """How much each unit's mean varies over the test rows, with the threshold of being active."""
    ordered = sorted(variances, reverse=True)
    active = sum(variance > ACTIVE for variance in ordered)
    figure = Figure(figsize=(5.6, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.bar(np.arange(1, len(ordered) + 1), np.maximum(ordered, 1e-6), width=0.8, color=BLUE)
    axes.axhline(ACTIVE, color=ORANGE, linestyle="--", linewidth=1, label=f"active above {ACTIVE:g}")
    axes.set(yscale="log", xlabel="units, the most variable first", ylabel="variance of the mean")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(fontsize=8)
    alt = f"{active} of {len(ordered)} units are active; the variances of their means go from {number(ordered[0])} to "
    return Drawing("units", "Units in use", f"{alt}{number(ordered[-1])}.", figure)


def _classes(labels: object, some: np.ndarray) -> dict[str, np.ndarray]:
    """The most frequent classes by name, with the places of their rows."""
    if not isinstance(labels, np.ndarray):
        return {}
    chosen = [None if label is None else str(label) for label in labels[some]]
    found: dict[str, list[int]] = {}
    for place, label in enumerate(chosen):
        if label is not None:
            found.setdefault(label, []).append(place)
    largest = sorted(sorted(found), key=lambda label: -len(found[label]))[:_SHOWN]
    return {label: np.array(found[label]) for label in sorted(largest)}


def _outside(classes: dict[str, np.ndarray], rows: int) -> np.ndarray:
    """Places of the rows that are in none of the classes."""
    return np.setdiff1d(np.arange(rows), np.concatenate([np.zeros(0, np.int64), *classes.values()]))


def _tiles(pictures: np.ndarray) -> list[Tile]:
    return [Tile(np.clip(picture, 0, 1)) for picture in pictures]


def _drawing(name: str, title: str, alt: str, rows: Sequence[Sequence[Tile]], names: Sequence[str] = ()) -> Drawing:
    return Drawing(name, title, alt, grid(rows, names=names, side=_SIDE, gap=0.05), "png")
