"""How does dlkit get from the IMDb archive to the same trained network? By the stages that `dlkit run imdb` uses.

Usage: dlkit_imdb.py ARCHIVE SEED, with DLKIT_CACHE set: the dataset is prepared there unless it is already. The
recipe's own preprocessing, task, network and training, but for 4 epochs on all 25,000 training rows, as in the notes.
The test rows are encoded and judged after the clock has stopped; how long encoding them takes is said apart.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import Stages, peak_mb

if TYPE_CHECKING:
    from dlkit.contracts import Split

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(archive: Path, seed: int) -> None:
    stages = Stages()
    with stages.stage("import"):
        import numpy as np
        import tensorflow  # noqa: F401 (its import is no stage of ours)
        from dlkit.apps.imdb import recipe

        from dlkit.contracts import Examples, Spec
        from dlkit.data import builders
        from dlkit.evaluation.scores import score
        from dlkit.training.fit import Objective, fit, outputs

    preprocessing, task = recipe.preprocessing, recipe.task

    def load(split: str) -> Split:
        return builders.load("imdb", path=archive, allow_download=False).splits[split]

    with stages.stage("load"):
        train = load("train")
    with stages.stage("encode train"):
        transform = preprocessing.fit(train, {"text": "text"})
        answer = task.fit(train, "label")
        examples = preprocessing.examples(transform, train)
        examples = Examples(examples.inputs, task.encode(answer, examples.targets))
        del train
    with stages.stage("train"):
        spec = Spec(transform.tensors, task.heads(answer), transform.sizes)
        trained = fit(
            lambda: recipe.build(spec),
            examples,
            None,
            objective=Objective(task.loss(answer), task.metrics(answer)),
            settings=replace(recipe.training, epochs=4, patience=None, keep="last", tensorboard=False),
            seed=seed,
            say=lambda _: None,
        )
    peak = peak_mb()
    test = load("test")
    with stages.stage("encode test"):
        encoded = preprocessing.examples(transform, test)
    figures = score(task.name, answer, np.asarray(test.targets), outputs(trained.model, encoded))
    epochs = [row["seconds"] for row in trained.history]
    accuracy, parameters = figures["accuracy"], trained.model.count_params()
    stages.print(peak_mb=peak, accuracy=accuracy, parameters=parameters, epochs=epochs)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
