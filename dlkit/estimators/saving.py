"""How does a fitted estimator become a run folder, like that of a recipe?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dlkit.contracts import Examples, Split
from dlkit.errors import ExportError, SettingsError
from dlkit.inference.runs import FORMAT, write_json
from dlkit.recipe import Recipe
from dlkit.run_folder import Content, prove_content, write_content
from dlkit.settings import plain_settings, settings_of
from dlkit.training.fit import outputs
from dlkit.workspace import workspace


@dataclass(frozen=True)
class Saved:
    """All that a fitted estimator keeps: what it answers with, and what `save` writes beside it.

    `held_out`: the validation rows, raw. `validation`: figures on them before any refit.
    """

    estimator: str
    recipe: Recipe
    content: Content
    held_out: Split = field(repr=False)
    train_rows: int
    validation: Mapping[str, float]
    seed: int
    fingerprint: str

    @property
    def data(self) -> dict[str, object]:
        return {
            "argument": None,
            "name": self.estimator,
            "source": "rows in memory",
            "sample": False,
            "train_rows": self.train_rows,
            "validation_rows": len(self.held_out),
            "test_rows": 0,
            "fingerprint": self.fingerprint,
        }


def save_run(folder: Path, saved: Saved) -> Path:
    """A new version in `folder`, whole and proven, or none."""
    if (folder / "run.json").is_file() or (folder.exists() and not folder.is_dir()):
        raise SettingsError(
            f"{folder}: expected a folder that holds the versions of a model, got "
            f"{'a version itself' if folder.is_dir() else 'a file'}. Give the folder above it or a new one."
        )
    content, recipe = saved.content, saved.recipe
    origin = {
        "recipe": folder.resolve().name,
        "estimator": saved.estimator,
        "question": f"A dlkit.{saved.estimator}, fitted on rows in memory",
        "task": recipe.task.name,
        "model": recipe.default_model,
        "settings": plain_settings(settings_of(recipe)),
        "changes": [],
        "seed": saved.seed,
        "data": saved.data,
    }
    try:
        with workspace(folder, {"estimator": saved.estimator}, resume=False) as space:
            entries = write_content(space.run, content, origin)
            rows = saved.held_out.inputs
            expected = outputs(content.model, Examples(content.transform.encode(rows)))
            proofs = prove_content(space.run, content, expected, rows)
            proven = {
                name: {
                    **entries[name],
                    "rows": proof.rows,
                    "max_abs_diff": proof.max_abs_diff,
                    "agreement": proof.agreement,
                }
                for name, proof in proofs.items()
            }
            write_json(space.run / "metrics.json", _metrics(saved, origin, proven, space.final))
            space.publish()
    except OSError as error:
        raise ExportError(
            f"{folder}: the run could not be written ({error}). Free space or give another folder."
        ) from error
    return space.final


def _metrics(
    saved: Saved, origin: Mapping[str, object], proven: Mapping[str, object], final: Path
) -> dict[str, object]:
    """As a recipe's, of what an estimator knows: it has no test rows, baselines or stages that take their time."""
    said = {name: origin[name] for name in ("recipe", "estimator", "model", "task", "seed", "data")}
    return {
        "format": FORMAT,
        **said,
        "run": str(final),
        "inputs": dict(saved.content.transform.kinds),
        "validation": dict(saved.validation),
        "parameters": int(saved.content.model.count_params()),
        "artefacts": dict(proven),
    }
