"""Does the gradient reach the beginning of a review: in a simple recurrent network, and in an LSTM?

    DLKIT_DATA=DIR python benchmarks/vanishing_gradient.py [--sample] [--seed N] [--epochs N] [--out FILE.svg]

Both networks are trained on imdb as the recipe says, but read 500 words. Measured is the norm of
d(loss) / d(word vector) of test reviews with as many words, before and after training (see
dlkit/evaluation/gradients.py). Draws docs/vanishing_gradient.svg and prints the figures as JSON. With --sample it is
quick, and shows that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlkit.evaluation.gradients import Reach

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from measuring import HERE

MODELS = {"simple_rnn": "simple RNN", "lstm": "LSTM"}
LENGTH, TEXTS = 500, 64
SHOWN = (0, 1, 5, 10, 20, 50, 100, 200, 300, 400, 499)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", action="store_true", help="generated reviews: short, quick, no network access")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="at most so many; as in the recipe where nothing is said")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "vanishing_gradient.svg")
    options = parser.parse_args()

    from dlkit.evaluation.gradients import drawing
    from dlkit.evaluation.plots import plot

    curves: dict[str, Reach] = {}
    document: dict[str, object] = {"sample": options.sample, "seed": options.seed, "length": LENGTH}
    for model, name in MODELS.items():
        before, after, accuracy = measure(model, sample=options.sample, seed=options.seed, epochs=options.epochs)
        curves |= {f"{name}, before training": before, f"{name}, after training": after}
        document[model] = {"before": figures(before), "after": figures(after), "validation_accuracy": accuracy}
    ordered = {name: curves[name] for when in ("before", "after") for name in curves if f", {when} " in name}
    (made,) = plot([partial(drawing, ordered)], options.out.parent)
    made.path.replace(options.out)
    print(json.dumps(document | {"plot": str(options.out), "alt": made.alt}))


def measure(model: str, *, sample: bool, seed: int, epochs: int | None) -> tuple[Reach, Reach, float]:
    """Reach before and after training, and the accuracy on the validation rows."""
    from dlkit.catalog import entry, load
    from dlkit.evaluation.gradients import reach
    from dlkit.ordering import resolve
    from dlkit.pipeline import prepare, train
    from dlkit.training.fit import seeded

    changes = [f"preprocessing.length={LENGTH}", *([] if epochs is None else [f"training.epochs={epochs}"])]
    recipe, _ = resolve(load(entry("imdb")), model, changes)
    prepared = prepare(recipe, recipe.data.load("sample" if sample else None, say=say))
    test, loss = prepared.encoded(prepared.test), prepared.objective.loss
    with seeded(seed):
        untrained = recipe.build(prepared.spec)
    before = reach(untrained, test, loss, texts=TEXTS)
    say(f"training {model}")
    outcome = train(prepared, seed=seed, say=say)
    after = reach(outcome.model, test, loss, texts=TEXTS)
    assert before is not None, "no review is long enough"
    assert after is not None
    return before, after, outcome.validation["accuracy"]


def figures(reach: Reach) -> dict[str, object]:
    texts, steps = reach.norms.shape
    by_step = {
        name: {str(step): float(f"{norms[step]:.4g}") for step in SHOWN if step < steps}
        for name, norms in (("median_by_step", reach.median), ("mean_by_step", reach.mean))
    }
    factor, kept = round(reach.factor, 5), float(f"{reach.kept:.4g}")
    return {"texts": texts, "steps": steps, "factor_per_step": factor, "first_to_last": kept, **by_step}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
