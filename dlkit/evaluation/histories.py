"""Whose epochs are these: the histories of a training, one a network?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

History = Sequence[Mapping[str, float]]


def by_member(history: History) -> dict[str, History]:
    """Of an ensemble, whose figures are called "cnn_loss", "val_cnn_loss" and so on: each member's own history by its
    name, as long as it was trained. Of a single network: its history, under "".
    """
    first = history[0] if history else {}
    members = [] if "loss" in first else [name.removesuffix("_loss") for name in first if _is_loss(name)]
    return {member: _own(history, member, members) for member in members} or {"": history}


def _is_loss(name: str) -> bool:
    return name.endswith("_loss") and not name.startswith("val_")


def _own(history: History, member: str, members: Sequence[str]) -> History:
    names: dict[str, str] = {}
    for name in history[0]:
        rows = "val_" if name.startswith("val_") else ""
        # "cnn_wide_loss" is the loss of "cnn_wide", not the wide loss of "cnn".
        whose = max((one for one in members if name.startswith(f"{rows}{one}_")), key=len, default=None)
        if whose == member:
            names[name] = rows + name.removeprefix(f"{rows}{member}_")
    found = []
    for epoch, row in enumerate(history, start=1):
        figures = {own: row[name] for name, own in names.items() if name in row}
        if not all(math.isnan(value) for value in figures.values()):
            found.append({"epoch": row.get("epoch", epoch), **figures})
    return found
