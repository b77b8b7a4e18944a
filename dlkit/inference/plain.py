"""What does a transform say of tables, categories and figures that has none?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dlkit.contracts import Columns


class Plain:
    """The parts of a `Transform` that most kinds leave empty."""

    @property
    def tables(self) -> Mapping[str, np.ndarray]:
        return {}

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    def figures(self, inputs: Columns) -> dict[str, float]:  # noqa: ARG002 (one signature for all transforms)
        return {}
