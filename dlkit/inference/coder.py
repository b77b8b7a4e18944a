"""What can be done with the two halves of a finished latent model: codes of inputs, and what codes stand for?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dlkit.contracts import Rows, take
from dlkit.errors import InputError, did_you_mean
from dlkit.inference.inputs import beginning
from dlkit.inference.latents import LatentInputs
from dlkit.inference.litert import ROWS_AT_ONCE, LiteRT

MOST = 10_000
"""Codes that are drawn at once."""
FAR = 6.0
"""Standard deviations of the prior; a code further away than that is none that inputs have."""

Signature = Callable[..., dict[str, np.ndarray]]
Label = str | Sequence[str | None] | None


class Coder:
    """Encoder and decoder of a LiteRT file. `latent`: numbers of a code; `variational`: whether codes can be drawn."""

    def __init__(self, model: LiteRT, transform: LatentInputs) -> None:
        self._encode, self._decode = model.signature("encode"), model.signature("decode")
        self._transform = transform
        self.latent = model.width("decode", "code")
        self.variational = model.takes("reconstruct", "noise")

    def encode(self, inputs: Mapping[str, np.ndarray | Rows]) -> dict[str, np.ndarray]:
        """Encoded inputs by name to "mean" (rows, latent), and "log_variance", "probabilities" where there are some."""
        return _in_parts(self._encode, inputs)

    def decode(self, codes: np.ndarray, label: Label = None) -> np.ndarray:
        """(rows, latent) codes to reconstructions, (rows, *shape) float32; `label`: the class, of a conditional model,
        or one for each code.
        """
        labels = list(label) if isinstance(label, Sequence) and not isinstance(label, str) else [label] * len(codes)
        return _in_parts(self._decode, {"code": codes, **self.numbers(labels)})["outputs"]

    def drawn(self, count: int, seed: int) -> np.ndarray:
        """(count, latent) float32 from the prior, a standard normal distribution; the same seed, the same codes."""
        if not self.variational:
            raise InputError(
                "This autoencoder's codes follow no known distribution, so none can be drawn. Give codes (dlkit "
                "decode), go from one input to another (--between A B), or take a variational one: dlkit run vae"
            )
        if not 1 <= count <= MOST:
            raise InputError(f"count={count}: expected 1 to {MOST:,} at once.")
        if seed < 0:
            raise InputError(f"seed={seed}: expected a whole number of 0 or more.")
        return np.random.default_rng(seed).standard_normal((count, self.latent), np.float32)

    def checked(self, codes: object) -> np.ndarray:
        """Codes that a person gave as (rows, latent) float32; InputError for what is none."""
        rows = [*codes] if isinstance(codes, Sequence | np.ndarray) and not isinstance(codes, str) else []
        if not rows:
            raise InputError(f"Expected a list of codes, each of {self.latent} numbers, got {str(codes)[:40]}.")
        found = np.empty((len(rows), self.latent), np.float32)
        for row, code in enumerate(rows):
            found[row] = self._code(code, f"Code {row + 1}")
        return found

    def _code(self, code: object, where: str) -> np.ndarray:
        try:
            numbers = np.array(code, np.float64)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{where}: expected {self.latent} numbers, got {beginning(code, 60)}.") from None
        if numbers.shape != (self.latent,):
            given = f"{numbers.size}: {str(code)[:60]}" if numbers.ndim == 1 else str(code)[:60]
            raise InputError(f"{where}: expected {self.latent} numbers, got {given}.")
        # What is beyond float32 would become infinite.
        if not np.isfinite(numbers).all() or np.abs(numbers).max() > np.finfo(np.float32).max:
            place = int(np.abs(numbers).argmax()) + 1  # a NaN is the largest to numpy
            raise InputError(f"{where}: expected finite numbers, got {numbers[place - 1]} at place {place}.")
        return numbers

    def remarks(self, codes: np.ndarray) -> list[str | None]:
        """A row each: what a user should know of a code."""
        if not self.variational:
            return [None] * len(codes)
        furthest = np.abs(codes).max(axis=1)
        return [
            f"the code reaches {far:.3g}, and inputs have codes from about -3 to 3: what it stands for was never learnt"
            if far > FAR
            else None
            for far in furthest.tolist()
        ]

    def numbers(self, labels: Sequence[str | None]) -> dict[str, np.ndarray]:
        """Labels as the decoder takes them, nothing where it takes none; InputError for one that it does not know."""
        known, given = self._transform.labels, [label for label in labels if label is not None]
        if not self._transform.label:
            if given:
                raise InputError(
                    f"label={given[0]!r}: this model was not given labels, so none can be asked for. Train one that "
                    "is: dlkit run vae --model conditional"
                )
            return {}
        if len(given) < len(labels):
            raise InputError(f"This model makes what its class asks for: give a label, one of {', '.join(known)}.")
        unknown = [label for label in given if label not in known]
        if unknown:
            raise InputError(f"There is no label {unknown[0]!r}.{did_you_mean(str(unknown[0]), known)}")
        return {"label": np.array([known.index(label) for label in given], np.int32)}


def _in_parts(call: Signature, inputs: Mapping[str, np.ndarray | Rows]) -> dict[str, np.ndarray]:
    rows = len(next(iter(inputs.values())))
    parts = []
    for start in range(0, rows, ROWS_AT_ONCE):
        indices = np.arange(start, min(start + ROWS_AT_ONCE, rows))
        parts.append(call(**{name: take(column, indices) for name, column in inputs.items()}))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def listed(label: Label | np.ndarray) -> Label:
    """Labels as Python has them."""
    return label.tolist() if isinstance(label, np.ndarray) else label
