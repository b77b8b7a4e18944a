"""What does a linear model or a tree see of the examples that the network eats?

Inputs of word ids (1, 2, …; 0 is padding) become a sparse row that holds 1 for each word that occurs, never a
dense one: 15,000 texts over 10,000 words take some 20 MB instead of 1.2 GB. Pictures become the mean colours of 8 x 8
fields. Numbers are used as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from scipy import sparse

from dlkit.contracts import Examples, Ragged, Rows
from dlkit.errors import DataError

Matrix: TypeAlias = np.ndarray | sparse.csr_matrix
_FIELDS = 8
_AT_ONCE = 256
LARGE = 20_000_000
"""Cells of a dense matrix beyond which float32 is kept, and few settings are tried."""


def vocabulary_sizes(train: Examples) -> dict[str, int]:
    """Input name to highest word id of the training rows, for the inputs that hold word ids."""
    return {
        name: max(int(ids.max(initial=0)), 1) for name, rows in train.inputs.items() if (ids := _ids(rows)) is not None
    }


def _is_weights(rows: np.ndarray | Rows) -> bool:
    return isinstance(rows, Ragged) and rows.values.dtype.kind == "f"


def matrix(examples: Examples, sizes: Mapping[str, int]) -> Matrix:
    """All inputs side by side, (rows, features): CSR where an input holds word ids, otherwise a dense array.

    `sizes`: as `vocabulary_sizes` gives it for the training rows; higher ids are unknown words and left out.
    """
    blocks: list[Matrix] = []
    for name, rows in examples.inputs.items():
        if isinstance(rows, Ragged):
            weights = examples.inputs.get(name.replace("_ids", "_weights"))
            if isinstance(weights, Ragged) and _is_weights(weights) and name in sizes:
                blocks.append(_words(rows.values, rows.offsets, sizes[name], weights.values))
            elif not _is_weights(rows):
                blocks.append(_words(rows.values, rows.offsets, sizes[name]))
        elif name in sizes:
            dense = rows if isinstance(rows, np.ndarray) else rows.take(np.arange(len(rows)))
            per_row = int(np.prod(dense.shape[1:], dtype=np.int64))
            blocks.append(_words(dense.ravel(), np.arange(len(dense) + 1) * per_row, sizes[name]))
        else:
            blocks.append(_numbers(name, rows))
    if len(blocks) == 1:
        return blocks[0]
    if any(sparse.issparse(block) for block in blocks):
        return sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(block) for block in blocks]))
    return np.concatenate(blocks, axis=1)


def _ids(rows: np.ndarray | Rows) -> np.ndarray | None:
    if isinstance(rows, Ragged):
        return None if _is_weights(rows) else rows.values
    # Signed integers are ids (padded sequences); pixels are unsigned.
    return rows if isinstance(rows, np.ndarray) and rows.dtype.kind == "i" else None


def _words(values: np.ndarray, offsets: np.ndarray, size: int, weights: np.ndarray | None = None) -> sparse.csr_matrix:
    """`weights`: of each id, where a row does not merely hold it or not."""
    known = (values >= 1) & (values <= size)
    before = np.zeros(len(values) + 1, np.int64)
    np.cumsum(known, out=before[1:])
    columns = values[known].astype(np.int32) - 1
    filled = np.ones(len(columns), bool) if weights is None else weights[known]
    # One byte a cell until repeated words are merged: the sum of two True is True.
    cells = sparse.csr_matrix((filled, columns, before[offsets]), (len(offsets) - 1, size))
    cells.sum_duplicates()
    return cells.astype(np.float64)


def _grid(pixels: np.ndarray) -> np.ndarray:
    """(rows, height, width, channels) uint8 to the mean colours of 8 x 8 fields, from 0 to 1, float32."""
    _, height, width, _ = pixels.shape
    down, across = (np.linspace(0, length, min(length, _FIELDS) + 1).astype(int) for length in (height, width))
    sums = np.add.reduceat(np.add.reduceat(pixels, down[:-1], axis=1, dtype=np.float32), across[:-1], axis=2)
    area = np.diff(down)[:, None, None] * np.diff(across)[None, :, None]
    return np.asarray(sums / (255 * area), np.float32)


def _kept(numbers: np.ndarray) -> np.ndarray:
    return _grid(numbers) if numbers.dtype == np.uint8 and numbers.ndim == 4 else numbers


def _numbers(name: str, rows: np.ndarray | Rows) -> np.ndarray:
    # Some rows at a time: of pictures only their fields are kept.
    parts = np.array_split(np.arange(len(rows)), max(1, len(rows) // _AT_ONCE))
    numbers = np.concatenate([_kept(rows[part] if isinstance(rows, np.ndarray) else rows.take(part)) for part in parts])
    numbers = numbers.reshape(len(numbers), -1)
    numbers = numbers.astype(np.float32 if numbers.size > LARGE else np.float64, copy=False)
    if not np.isfinite(numbers).all():
        raise DataError(
            f"Input {name!r} of the encoded rows holds NaN or infinity; models need finite numbers. "
            "Fill or drop missing values before training."
        )
    return numbers
