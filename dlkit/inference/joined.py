"""What does a network take that several preprocessings feed?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit.contracts import ColumnKind, Columns, Rows, Tensor, Transform
from dlkit.inference.runs import write_json


@dataclass(frozen=True)
class JoinedTransform:
    """Several transforms of the same raw columns, side by side.

    `parts`: by name; the network's input "word_ids" of the part "cnn" is called "cnn_word_ids", and so are sizes,
    tables and figures.
    """

    parts: Mapping[str, Transform]

    kind = "joined"

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        return {name: kind for part in self.parts.values() for name, kind in part.kinds.items()}

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        return {name: known for part in self.parts.values() for name, known in part.choices.items()}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {f"{name}_{key}": one for name, part in self.parts.items() for key, one in part.tensors.items()}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {f"{name}_{key}": one for name, part in self.parts.items() for key, one in part.sizes.items()}

    @property
    def tables(self) -> Mapping[str, np.ndarray]:
        return {f"{name}_{key}": one for name, part in self.parts.items() for key, one in part.tables.items()}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        return {f"{name}_{key}": one for name, part in self.parts.items() for key, one in part.encode(inputs).items()}

    def remarks(self, inputs: Columns) -> list[str | None]:
        """A remark on a row where no part makes anything of it."""
        by_part = [part.remarks(inputs) for part in self.parts.values()]
        return [row[0] if all(remark is not None for remark in row) else None for row in zip(*by_part, strict=True)]

    def figures(self, inputs: Columns) -> dict[str, float]:
        return {f"{name}_{key}": one for name, part in self.parts.items() for key, one in part.figures(inputs).items()}

    def save(self, folder: Path) -> None:
        for name, part in self.parts.items():
            (folder / name).mkdir()
            part.save(folder / name)
        settings = {"kind": self.kind, "parts": list(self.parts)}
        write_json(folder / "preprocessing.json", settings)

    @classmethod
    def load(cls, folder: Path, settings: Mapping[str, object], part: Callable[[Path], Transform]) -> JoinedTransform:
        """`part`: reads the transform in a folder."""
        names = settings["parts"]
        if not isinstance(names, list):
            raise TypeError("parts is a JSON list")
        return cls({str(name): part(folder / str(name)) for name in names})
