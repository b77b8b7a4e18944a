"""What does a few lines of Python do? The same as the command line, with the same names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlkit.inference.runs import ROOT, find_run
from dlkit.ordering import order
from dlkit.recipe import Say
from dlkit.settings import as_changes

if TYPE_CHECKING:
    import keras

    from dlkit.evaluation.explaining import Explanation
    from dlkit.run_folder import Run


def run(
    recipe: str | Path,
    *,
    model: str | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    epochs: int | None = None,
    seed: int = 0,
    out: str | Path = ROOT,
    resume: bool = False,
    start: str | Path | None = None,
    say: Say | None = None,
) -> Run:
    """Data → train → evaluate → export → verify → report, as `dlkit run`.

    `recipe`: a name or a path to a `.py` file. `data`: a path, "sample", or None for the recipe's dataset. `settings`:
    e.g. `{"training.batch_size": 256}` or `{"training": {"batch_size": 256}}`. `start`: a finished run that training
    goes on with (`--from`). `say`: takes progress, a line at a time (default: nothing is printed).
    Raises a `DlkitError`; DisagreementError when an artefact does not answer as its model.
    """
    made = order(
        str(recipe), model=model, data=data, changes=as_changes(settings or {}), epochs=epochs, seed=seed, out=out,
        resume=resume, start=start,
    )  # fmt: skip
    from dlkit.run_folder import make

    return make(made, say=say or (lambda _: None))


def explain(run: str | Path, texts: Sequence[str], *, root: str | Path = ROOT) -> list[Explanation]:
    """Which words carried the answers to `texts`, by integrated gradients, as `dlkit explain`; needs TensorFlow.

    `run`: a folder, or a recipe's name for its newest complete version in `root`. The weights of an explanation's
    `words` sum to its `logit` less its `baseline`. Raises a `DlkitError`; SettingsError where the run is of no texts.
    """
    from dlkit.explained import explain as explain_run

    return explain_run(find_run(run, root), texts)


def keras_model(run: str | Path, *, root: str | Path = ROOT) -> keras.Model:
    """The trained network of a run, own layers and `train_step` included, to go on with in Keras; not compiled.

    `run`: a folder, or a recipe's name for its newest complete version in `root`. Its inputs are what the run's
    preprocessing makes of raw rows. `keras.saving.load_model` on the run's `model.keras` does the same once this
    function was called: dlkit's layers are known to Keras then. Needs TensorFlow. Raises a `DlkitError`.
    """
    from dlkit.catalog import know_layers
    from dlkit.export.proof import keras_model as loaded
    from dlkit.inference.runs import artefact_path, read_run

    folder = find_run(run, root)
    record = read_run(folder)
    know_layers(record)
    return loaded(artefact_path(folder, record, "keras"))
