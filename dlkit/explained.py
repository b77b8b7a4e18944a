"""Which words carried the decisions of a finished run?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlkit.contracts import ColumnKind
from dlkit.errors import SettingsError
from dlkit.inference.predictor import load_transform
from dlkit.inference.runs import check_assets, read_run

if TYPE_CHECKING:
    from dlkit.evaluation.explaining import Explanation

ARTEFACT = "keras"
"""The artefact that is asked: the only one that gives gradients."""


def text_kinds(folder: Path) -> Mapping[str, ColumnKind]:
    """The text column of a run, looked up without TensorFlow; SettingsError where the run reads something else."""
    run = read_run(folder)
    check_assets(folder, run)
    kinds = load_transform(folder).kinds
    if run.get("task") == "translation":
        raise SettingsError(
            f"{folder}: explained are decisions, and this run translates. Its report shows what each word looked at."
        )
    if list(kinds.values()) != ["text"]:
        read = ", ".join(f"{name} ({kind})" for name, kind in list(kinds.items())[:5])
        more = f" and {len(kinds) - 5} more columns" if len(kinds) > 5 else ""
        raise SettingsError(
            f"{folder}: explained are the words of a text, but this model reads {read}{more}. Take a run of a text "
            "recipe, such as imdb."
        )
    return kinds


def explain(folder: Path, items: Sequence[object]) -> list[Explanation]:
    """An explanation an item (a text, or `{column: text}`) by the Keras model of a run."""
    text_kinds(folder)
    from dlkit.catalog import know_layers
    from dlkit.evaluation import explaining
    from dlkit.export.proof import keras_model
    from dlkit.finished import Finished
    from dlkit.inference.runs import artefact_path

    finished = Finished(folder)
    know_layers(finished.record)
    model = keras_model(artefact_path(folder, finished.record, ARTEFACT))
    return explaining.explain(model, finished.transform, finished.answer, items)


def document(folder: Path, items: Sequence[object], *, words: int) -> dict[str, object]:
    """What `dlkit explain --json` prints; "strongest" are the `words` words that carried most, of all their places."""
    found = explain(folder, items)
    record = read_run(folder)
    from dlkit.evaluation.explaining import METHOD

    explanations = []
    for one in found:
        strongest = [{"word": w.ngram, "weight": w.weight, "count": w.count} for w in one.strongest(words)]
        explanations.append(one.document() | {"strongest": strongest})
    return {
        "recipe": str(record.get("recipe", folder.parent.name)),
        "run": str(folder),
        "artefact": ARTEFACT,
        "model": str(record.get("model", "")),
        "method": METHOD,
        "explanations": explanations,
    }
