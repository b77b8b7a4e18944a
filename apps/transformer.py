"""Transformer: what does a sentence say in another language?

    dlkit run transformer
    dlkit run transformer --data own.tsv --set data.source=en --set data.target=fr
    dlkit run transformer --data own.tsv --from saved_models/transformer/1
    dlkit predict transformer "A man is riding a horse."

Multi30k, English to German: a deep encoder and a shallow decoder of width 128 on 6,000 pieces of both languages.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dlkit import PairData, Pairs, Recipe, Training, Translation, Variant
from dlkit.models import translation

training = Training(
    epochs=60,
    batch_tokens=2_048,
    learning_rate=3e-3,
    schedule="inverse_sqrt",
    warmup=0.05,
    beta_2=0.98,
    clip=1.0,
    average=3.0,
    precision="auto",
)

recipe = Recipe(
    data=PairData("multi30k", source="en", target="de"),
    preprocessing=Pairs(size=6_000),
    task=Translation(beam=5, length_penalty=2.0),
    model=translation.transformer,
    training=training,
    variants={
        "quick": Variant(
            partial(translation.transformer, dropout=0.15),
            training=replace(training, epochs=18, schedule="one_cycle", warmup=0.15, average=0.0),
        ),
        "post_norm": partial(translation.transformer, pre_norm=False),
    },
)
