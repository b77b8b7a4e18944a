"""On which scale does a latent model see pictures or rows, and are pixels drawn black or white?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlkit.contracts import Column, ColumnKind, Examples, Rows, Split, Transform, take
from dlkit.data.binarised import Binarised
from dlkit.data.splitting import check_seed
from dlkit.errors import DataError, SettingsError, did_you_mean
from dlkit.inference.images import ImagePixels, decode, size_of
from dlkit.inference.latents import PROTOCOLS, LatentInputs, Protocol, UnitPixels
from dlkit.inference.tables import TableRows
from dlkit.preprocessing.images import Images
from dlkit.preprocessing.tables import TableFeatures, passed_over

_LOOKED_AT = 100
"""Pictures in files that tell how large pictures are, and whether they have colours."""
_AT_ONCE = 4_096
LARGEST = 64
"""The size that is taken of itself at most: a latent model of large pictures wants to be asked for."""


@dataclass(frozen=True)
class LatentRows:
    """Pictures as float32 in [0, 1], or table rows standardised as by `TableFeatures`.

    `size`: height and width in pixels that the network takes; none: those of the training pictures, 64 at most.
    `color`: three channels or one; "auto": as the training pictures have. `shape`: see `Images`.
    `binarise`: "static": each pixel is drawn black or white once, from `draw_seed`, white with the probability that is
    its grey value (Larochelle & Murray 2011); "dynamic": drawn anew in every epoch of training, held-out rows once;
    "threshold": white from half of full brightness on; "none": grey values.
    """

    size: int | None = None
    color: Literal["auto", "rgb", "grey"] = "auto"
    shape: Literal["stretch", "crop"] = "stretch"
    binarise: Protocol = "none"
    draw_seed: int = 0

    def __post_init__(self) -> None:
        Images(size=self.size or 32, color="rgb" if self.color == "auto" else self.color, shape=self.shape)
        if self.binarise not in PROTOCOLS:
            raise SettingsError(
                f"preprocessing.binarise: unknown {self.binarise!r}.{did_you_mean(str(self.binarise), PROTOCOLS)}"
            )
        check_seed("preprocessing.draw_seed", self.draw_seed)

    def fit(self, train: Split, kinds: Mapping[str, ColumnKind]) -> LatentInputs:
        pictures = [name for name, kind in kinds.items() if kind == "image"]
        # The label of a conditional model is the column that is the targets themselves: see `Generation.readable`.
        given = [name for name, kind in kinds.items() if kind == "category" and train.inputs[name] is train.targets]
        own = {name: kind for name, kind in kinds.items() if name not in given}
        labels = tuple(sorted(set(train.inputs[given[0]]))) if given else ()
        part: ImagePixels | TableRows
        if pictures:
            part = self._pixels(train.inputs[pictures[0]]).fit(train, own)
        elif self.binarise != "none":
            raise SettingsError(
                f"preprocessing.binarise={self.binarise} draws pixels, and these are rows of a table. Take a model for "
                "them: dlkit run vae --model table, or --set preprocessing.binarise=none."
            )
        else:
            part = TableFeatures().fit(train, own, constant=1.0)  # and there is a way back
        transform = LatentInputs(part, self.binarise, given[0] if given else "", labels)
        mean = _mean(transform.clean(train.inputs), pictures=bool(pictures))
        return LatentInputs(part, self.binarise, transform.label, labels, mean)

    def whole(self, transform: Transform, train: Split) -> tuple[Split, list[str]]:
        """The training rows as they are, and a note on each column of which not all categories get a feature."""
        return train, passed_over(transform.part, train) if isinstance(transform, LatentInputs) else []

    def examples(self, transform: Transform, split: Split) -> Examples:
        """Inputs, their pixels drawn where they are binarised; targets: the "reconstruction" that is wanted, undrawn,
        and the "label" where there is one.
        """
        if not isinstance(transform, LatentInputs):
            raise TypeError(f"expected LatentInputs, got {type(transform).__name__}")
        inputs = transform.encode(split.inputs)
        clean = inputs[transform.name]
        if self.binarise in ("static", "dynamic") and isinstance(clean, UnitPixels):
            inputs[transform.name] = Binarised(clean.pixels, self.draw_seed, anew=self.binarise == "dynamic")
        return Examples(inputs, wanted(clean, split))

    def _pixels(self, column: Column) -> Images:
        """Size and colours, looked up where they are not said."""
        some = [column[row] for row in np.unique(np.linspace(0, len(column) - 1, _LOOKED_AT).astype(np.int64))]
        size = self.size
        if size is None:
            known = [found for found in map(size_of, some) if found is not None]
            size = min(max(int(np.median([max(found) for found in known])), 8), LARGEST) if known else 32
        color = self.color
        if color == "auto":
            seen = [decode(picture, 3, "A training picture") for picture in some]
            color = "grey" if all((one == one[:, :, :1]).all() for one in seen) else "rgb"
        return Images(size=size, color=color, shape=self.shape)


def wanted(clean: np.ndarray | Rows, split: Split) -> Mapping[str, np.ndarray]:
    """Targets of a latent model: the "reconstruction" that is wanted, `clean`, and the "label" where there is one."""
    labels = {} if split.targets is None else {"label": np.asarray(split.targets)}
    # Pictures are made when they are asked for: no second copy of all of them.
    return {"reconstruction": clean, **labels}  # type: ignore[dict-item]


def _mean(rows: np.ndarray | Rows, *, pictures: bool) -> np.ndarray:
    """(…) float32 mean of the rows; DataError where all of them are alike."""
    total = square = 0.0
    for start in range(0, len(rows), _AT_ONCE):
        some = take(rows, np.arange(start, min(start + _AT_ONCE, len(rows)))).astype(np.float64)
        total, square = total + some.sum(axis=0), square + np.square(some).sum(axis=0)
    mean, squares = np.asarray(total) / len(rows), np.asarray(square) / len(rows)
    if math.sqrt(max(float((squares - mean**2).max()), 0.0)) < 1e-6:
        what = "pictures" if pictures else "rows"
        raise DataError(
            f"All {len(rows)} training {what} are the same in every {'pixel' if pictures else 'column'}: there is "
            f"nothing to learn. Give {what} that differ."
        )
    return mean.astype(np.float32)
