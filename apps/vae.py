"""Digits, clothes, faces: which new pictures are like these, and what do codes of a few numbers say of them?

    dlkit run vae --data sample
    dlkit generate vae --count 16 --seed 0 --out grid.png
    dlkit generate vae --between first.png second.png --out between.png
    dlkit run vae --model mlp
    dlkit run vae --model iwae --from vae --epochs 150 --set training.learning_rate=0.001 \\
        --set model.samples=50 --set model.resampled=5
    dlkit run vae --model table --data rows.csv

`convolutional` is the lecture notes' network, codes of 50 numbers; `plane` has two, to look at; `mlp` and `iwae` are
those of Burda et al. 2016. `conditional` makes pictures of a class that is asked for, `joint` has codes that tell the
class; `table` makes rows of a table. Pixels are drawn black or white anew in every epoch; `plane` learns grey values,
as keras.io's example does.

MNIST, seed 0, 10,000 test digits whose pixels are drawn once (`--set task.likelihood_rows=10000`), nats by 500
importance samples, one core of an AMD EPYC: `mlp` 87.3 after 400 epochs (19 minutes of processor time), 86.5 after 700
more (35 minutes; Burda et al. have 86.8); `iwae` of 50 samples that goes on from the first of these 85.7 after 150
epochs (77 minutes), from the second 85.1 after 250 at a rate of 0.0015 (2.5 hours of one core of an Intel Xeon), and
84.7 by 5,000 importance samples, as Burda et al. take them (theirs 84.8). ELBO of `convolutional` -93.0, with `--epochs
80` -91.0 (31 minutes); of `plane`, on grey values, -145.4. All models: docs/latents.md.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dlkit import Generation, LatentData, LatentRows, Recipe, Training, Variant
from dlkit.models import latents

short = Training(
    epochs=30, batch_size=64, optimizer="fused_adam", learning_rate=2e-3, schedule="cosine", steps_per_execution=8
)
few_rows = replace(short, epochs=100)
long = Training(
    epochs=400, batch_size=100, optimizer="fused_adam", learning_rate=2e-3, schedule="cosine", steps_per_execution=50
)

recipe = Recipe(
    data=LatentData("mnist"),
    preprocessing=LatentRows(binarise="dynamic"),
    task=Generation(),
    model=latents.convolutional,
    training=short,
    variants={
        "plane": Variant(partial(latents.convolutional, code=2), preprocessing=LatentRows()),
        "beta": partial(latents.convolutional, beta=4.0),
        "mlp": Variant(partial(latents.mlp, gradient="path"), training=long),
        "iwae": Variant(partial(latents.mlp, samples=5, bound="iwae", gradient="path"), training=long),
        "conditional": Variant(latents.mlp, task=Generation(labels="condition")),
        "joint": Variant(latents.joint, task=Generation(labels="classify")),
        "table": Variant(latents.table, preprocessing=LatentRows(), training=few_rows),
    },
)
