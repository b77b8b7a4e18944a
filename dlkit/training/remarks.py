"""What should a person know of how a training went?"""

from __future__ import annotations

from pathlib import Path

from dlkit.contracts import Splits, Transform
from dlkit.inference.images import ImagePixels
from dlkit.inference.runs import read_run
from dlkit.training.fit import Trained
from dlkit.training.settings import Training

_FEW_STEPS = 100
"""Fewer weight updates than this are named as a likely cause of a weak network."""


def copies(settings: Training, transform: Transform) -> list[str]:
    """A warning where the pictures of rare classes come several times an epoch, the same ones each time."""
    if not settings.balance or settings.augment or not isinstance(transform, ImagePixels):
        return []
    return [
        "training.balance shows pictures of small classes more often, and without training.augment they are copies. "
        "Have them changed each time: --set training.augment=flip,shift"
    ]


def split_anew(splits: Splits, start: Path | None) -> list[str]:
    """A warning where training goes on from a run with the same file, which has changed since, so that rows which that
    run learned from may judge this one.
    """
    before = None if start is None else read_run(start).get("data")
    if not splits.drawn or not isinstance(before, dict) or before.get("source") != splits.source:
        return []
    if before.get("fingerprint") == splits.fingerprint:
        return []
    return [
        f"{splits.source} has changed since {start} learned from it, and its rows were split anew: test rows may be "
        "among those, which flatters the figures. Give test rows of their own, or train anew without --from."
    ]


def training_warnings(trained: Trained, rows: int, settings: Training) -> list[str]:
    """Warnings where it was cut short, had few steps, or never beat the untrained network. `rows`: of the training."""
    warnings = []
    if trained.interrupted:
        warnings.append(
            f"Training was interrupted after {len(trained.history)} epochs; the weights are those of epoch "
            f"{trained.best_epoch}. Figures of a full training may be better."
        )
    size, unit, usual = settings.batch_size, "", 32
    if settings.batch_tokens:
        size, unit, usual = settings.batch_tokens, " tokens", 512
    if trained.steps < _FEW_STEPS and size > usual:
        warnings.append(
            f"Training took {trained.steps} steps only: {rows} rows in batches of {size}{unit}. Lower "
            f"training.batch_{unit.strip() or 'size'}, e.g. to {usual}, or raise training.epochs."
        )
    losses = [row["val_loss"] for row in trained.history if "val_loss" in row]
    if losses and trained.untrained_loss is not None and min(losses) >= trained.untrained_loss:
        warnings.append(
            f"Training never beat the untrained network on the validation rows (loss {min(losses):.4g} against "
            f"{trained.untrained_loss:.4g}). Look at the labels, the scaling and the learning rate."
        )
    return warnings
