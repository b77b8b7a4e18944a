"""Where had a training got to when it was killed?

A checkpoint is a folder `epoch-<n>` of `state.json` and two `.npz` files, written aside and renamed when whole.
It holds every variable of model and optimizer (seeds of dropout included), so that going on gives the same bits
as never having stopped.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from dlkit.errors import RunError


@dataclass
class State:
    """`epoch`: epochs done. `history`: a row an epoch. `best_epoch`: 1 is the first, 0 the untrained weights."""

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = float("inf")
    untrained_loss: float | None = None


def save(folder: Path, state: State, model: keras.Model, best: list[np.ndarray]) -> None:
    """Put a checkpoint of `state` into `folder` and drop the one before it."""
    target = folder / f"epoch-{state.epoch}"
    aside = folder / f".{target.name}.partial"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    np.savez(aside / "last.npz", *_values(model))
    np.savez(aside / "best.npz", *best)
    (aside / "state.json").write_text(json.dumps(asdict(state)), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
    for older in _all(folder):
        if older != target:
            shutil.rmtree(older, ignore_errors=True)


def restore(folder: Path, model: keras.Model) -> tuple[State, list[np.ndarray]] | None:
    """Load the newest checkpoint into `model` (compiled and built); None where there is none.

    Gives the state and the best weights so far. Raises RunError when it belongs to another network.
    """
    newest = max(_all(folder), key=_rank, default=None)
    if newest is None:
        return None
    try:
        state = State(**json.loads((newest / "state.json").read_text(encoding="utf-8")))
        last, best = _arrays(newest / "last.npz"), _arrays(newest / "best.npz")
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{newest} is damaged ({error}). Remove {folder.parent} and run again without --resume."
        ) from error
    if state.epoch != _rank(newest) or len(state.history) != state.epoch:
        raise RunError(f"{newest} is damaged: state.json is of another epoch. Remove {folder.parent}.")
    variables = _variables(model)
    if [value.shape for value in last] != [tuple(variable.shape) for variable in variables]:
        raise RunError(
            f"{newest} holds another network's weights. Run again with the same settings, or without --resume."
        )
    for variable, value in zip(variables, last, strict=True):
        variable.assign(value)
    return state, best


def _all(folder: Path) -> list[Path]:
    return [path for path in folder.glob("epoch-*") if path.is_dir()]


def _rank(path: Path) -> int:
    return int(path.name.removeprefix("epoch-"))


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _values(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in _variables(model)]


def _arrays(path: Path) -> list[np.ndarray]:
    # Opened here: numpy leaves a damaged file open.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return [file[f"arr_{position}"] for position in range(len(file.files))]
