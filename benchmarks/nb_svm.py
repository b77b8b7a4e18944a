"""From the raw IMDb archive to a trained n-gram model: scikit-learn's NB-SVM, or dlkit's `ngrams`?

    DLKIT_DATA=DIR python benchmarks/nb_svm.py [--seed N] [--repeats N] [--epochs N] [--rows N]

Both learn from all 25,000 training reviews and their binary word 1- to 3-grams. scikit-learn the standard way
(Wang & Manning 2012): `CountVectorizer(ngram_range=(1, 3), binary=True)`, columns scaled by the log-count ratio,
`LinearSVC`. dlkit by the stages of `dlkit run imdb --model ngrams`, with the recipe's settings and a fixed number of
epochs. Each in a fresh process, in turns; dlkit the first time, when it prepares the dataset, and with that done. The
clock and the peak of memory stop when the model is trained; then it is judged on the test reviews.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING

from measuring import Finished, Stages, machine, peak_mb, script

if TYPE_CHECKING:
    from dlkit.contracts import Split

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TARGET = 0.7
"""Most of scikit-learn's time and of its memory that dlkit may take (issue 3)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1, help="how often each, with seeds that follow each other")
    parser.add_argument("--epochs", type=int, help="of dlkit; all of the recipe's where nothing is said")
    parser.add_argument("--rows", type=int, help="training and test reviews, for a quick try")
    parser.add_argument("--contender", choices=CONTENDERS, help="run this one in this process alone")
    options = parser.parse_args()
    if "DLKIT_DATA" not in os.environ:
        parser.error("set DLKIT_DATA to a folder that holds imdb/aclImdb_v1.tar.gz")
    archive = Path(os.environ["DLKIT_DATA"]).expanduser().resolve() / "imdb" / "aclImdb_v1.tar.gz"
    if options.contender:
        CONTENDERS[options.contender](archive, options.seed, options.epochs, options.rows)
        return
    warm(archive)
    print(json.dumps(compared(options), indent=1))


def warm(file: Path) -> None:
    """Bring a file into the system's cache, so that no contender is the one that reads it from the disk.

    A piece at a time: a child's peak of memory includes what its parent held.
    """
    with file.open("rb") as stream:
        while stream.read(1 << 20):
            pass


def compared(options: argparse.Namespace) -> dict[str, object]:
    runs: dict[str, list[Finished]] = {"scikit-learn": [], "dlkit, first time": [], "dlkit, prepared": []}
    with tempfile.TemporaryDirectory() as scratch:
        for repeat in range(options.repeats):
            cache = {"DLKIT_CACHE": str(Path(scratch) / f"cache-{repeat}")}
            arguments = ["--seed", str(options.seed + repeat)]
            for name in ("epochs", "rows"):
                value = getattr(options, name)
                arguments += [] if value is None else [f"--{name}", str(value)]
            for name, of_this in runs.items():
                print(f"measuring {name} …", file=sys.stderr, flush=True)
                contender = name.split(",", maxsplit=1)[0]
                of_this.append(script("nb_svm.py", "--contender", contender, *arguments, environment=cache))
    result: dict[str, object] = {name: figures(of_this) for name, of_this in runs.items()}
    theirs = runs["scikit-learn"]
    for name in ("dlkit, first time", "dlkit, prepared"):
        ours = runs[name]
        result[f"{name}, share of scikit-learn's"] = {
            "seconds": round(spent(ours) / spent(theirs), 3),
            "peak_mb": round(peak(ours) / peak(theirs), 3),
            "whole_process_seconds": round(median(o.seconds for o in ours) / median(t.seconds for t in theirs), 3),
            "target": TARGET,
        }
    return result | {"seed": options.seed, "repeats": options.repeats, "rows": options.rows, "machine": machine()}


def figures(runs: list[Finished]) -> dict[str, object]:
    """Seconds from archive to trained, without the import of libraries, by stage and in all; medians over runs."""
    stages = [seconds(one) for one in runs]
    return {
        "seconds": round(spent(runs), 2),
        "stages": {name: round(median(one[name] for one in stages), 2) for name in stages[0]},
        "peak_mb": round(peak(runs)),
        "features": runs[0].document["features"],
        "test_accuracy": round(mean(float(str(one.document["accuracy"])) for one in runs), 4),
    }


def seconds(one: Finished) -> dict[str, float]:
    found = one.document["seconds"]
    assert isinstance(found, dict), found
    return found


def spent(runs: list[Finished]) -> float:
    return median(sum(value for name, value in seconds(one).items() if name != "import") for one in runs)


def peak(runs: list[Finished]) -> float:
    return median(float(str(one.document["peak_mb"])) for one in runs)


def read(archive: Path, split: str) -> tuple[list[str], list[int]]:
    """Texts of "train" or "test", and 1 for the positive ones."""
    texts, labels = [], []
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = member.name.split("/")
            if len(parts) == 4 and parts[1] == split and parts[2] in ("neg", "pos"):
                file = tar.extractfile(member)
                assert file is not None
                texts.append(file.read().decode())
                labels.append(int(parts[2] == "pos"))
    return texts, labels


def scikit_learn(archive: Path, seed: int, epochs: int | None, rows: int | None) -> None:  # noqa: ARG001 (no epochs here)
    stages = Stages()
    with stages.stage("import"):
        import numpy as np
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.svm import LinearSVC

    def some(texts: list[str], labels: list[int]) -> tuple[list[str], np.ndarray]:
        if rows is None:
            return texts, np.array(labels)
        chosen = np.random.default_rng(seed).permutation(len(texts))[:rows]
        return [texts[index] for index in chosen], np.array(labels)[chosen]

    with stages.stage("read"):
        texts, targets = some(*read(archive, "train"))
    with stages.stage("count"):
        vectorizer = CountVectorizer(ngram_range=(1, 3), binary=True)
        counts = vectorizer.fit_transform(texts)
    with stages.stage("train"):
        p = 1 + np.asarray(counts[targets == 1].sum(axis=0), np.float64).ravel()
        q = 1 + np.asarray(counts[targets == 0].sum(axis=0), np.float64).ravel()
        ratio = np.log((p / p.sum()) / (q / q.sum()))
        classifier = LinearSVC(random_state=seed).fit(counts.multiply(ratio).tocsr(), targets)
    top = peak_mb()
    texts, targets = some(*read(archive, "test"))
    predicted = classifier.predict(vectorizer.transform(texts).multiply(ratio).tocsr())
    stages.print(peak_mb=top, accuracy=float(np.mean(predicted == targets)), features=len(ratio))


def dlkit(archive: Path, seed: int, epochs: int | None, rows: int | None) -> None:
    stages = Stages()
    with stages.stage("import"):
        import numpy as np
        import tensorflow  # noqa: F401 (its import is no stage of ours)

        from dlkit import catalog
        from dlkit.contracts import Examples, Spec
        from dlkit.data import builders
        from dlkit.evaluation.scores import score
        from dlkit.training.fit import Objective, fit, outputs

    # As `dlkit run` does it: what only other variants need, KerasHub above all, is not loaded.
    recipe = catalog.load(catalog.entry("imdb")).with_model("ngrams")
    preprocessing, task, training = recipe.preprocessing, recipe.task, recipe.training

    def load(split: str) -> Split:
        found = builders.load("imdb", path=archive, allow_download=False).splits[split]
        return found if rows is None else found.take(np.random.default_rng(seed).permutation(len(found))[:rows])

    with stages.stage("load"):
        train = load("train")
    with stages.stage("fit and encode"):
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
            settings=replace(
                training, epochs=epochs or training.epochs, patience=None, keep="last", refit=False, tensorboard=False
            ),
            seed=seed,
            say=lambda _: None,
        )
    top = peak_mb()
    test = load("test")
    found = outputs(trained.model, preprocessing.examples(transform, test))
    accuracy = score(task.name, answer, np.asarray(test.targets), found)["accuracy"]
    stages.print(peak_mb=top, accuracy=accuracy, features=transform.sizes["ngrams"], epochs=len(trained.history))


CONTENDERS = {"scikit-learn": scikit_learn, "dlkit": dlkit}


if __name__ == "__main__":
    main()
