"""What does a linear baseline see of a picture?"""

from __future__ import annotations

import numpy as np
import pytest

from dlkit.contracts import Examples
from dlkit.evaluation.features import matrix


@pytest.mark.parametrize(("height", "width", "features"), [(32, 32, 192), (30, 17, 192), (4, 9, 96)])
def test_a_picture_is_the_mean_colours_of_its_fields(height: int, width: int, features: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, height, width, 3)).astype(np.uint8)
    found = matrix(Examples({"pixels": pixels}), {})
    assert found.shape == (5, features) and found.min() >= 0 and found.max() <= 1
    weighed = [
        pixels[:, top:bottom, left:right].astype(float).mean(axis=(1, 2)) / 255
        for top, bottom in zip(*_edges(height), strict=True)
        for left, right in zip(*_edges(width), strict=True)
    ]
    np.testing.assert_allclose(found, np.stack(weighed, axis=1).reshape(5, -1), atol=1e-5)


def _edges(length: int) -> tuple[list[int], list[int]]:
    bounds = np.linspace(0, length, min(length, 8) + 1).astype(int).tolist()
    return bounds[:-1], bounds[1:]
