"""Transformer: what does a sentence say in another language?

    dlkit run transformer
    dlkit run transformer --data own.tsv --set data.source=en --set data.target=fr
    dlkit run transformer --data own.tsv --from saved_models/transformer/1
    dlkit predict transformer "A man is riding a horse."

Multi30k, English to German: a deep encoder and a shallow decoder of width 128 on 6,000 pieces of both languages; each
epoch cuts words into other pieces. `dlkit run transformer`, seed 0, on one core of an AMD EPYC: 103 minutes, 94 s an
epoch; test 2016, beam 5, lower-cased and tokenised as papers count, BLEU 39.3 (validation 40.7), sacreBLEU 38.9, LiteRT
the same on every sentence, its 8-bit file (0.29 of the size) 39.5. The length penalty is the best on validation
sentences; on test ones it writes 1.5 % too many words. `quick`, 18 epochs, on both cores: 16 minutes, 54 s an epoch;
test 36.6 (validation 38.7). It now takes 17. `ensemble`, this network and that of seq2seq as one: 40.2 (42.2),
sacreBLEU 39.8, LiteRT the same on every sentence, its 8-bit file (0.27 of the size) 40.2; 134 minutes side by side on
an Intel Xeon without matrix units; all in lower case, 32 and 22 epochs, 40.6 (41.7). Others tried: docs/translation.md.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dlkit import Ensemble, PairData, Pairs, Recipe, Training, Translation, Variant
from dlkit.models import translation

training = Training(
    epochs=66,
    batch_tokens=2_048,
    learning_rate=3e-3,
    schedule="one_cycle",
    warmup=0.1,
    beta_2=0.98,
    clip=1.0,
    average=1.0,
    precision="auto",
)

network = partial(translation.transformer, dropout=0.15)

recipe = Recipe(
    data=PairData("multi30k", source="en", target="de"),
    preprocessing=Pairs(size=6_000, dropout=0.1),
    task=Translation(beam=5, length_penalty=2.0),
    model=network,
    training=training,
    variants={
        "quick": Variant(
            network,
            preprocessing=Pairs(size=6_000),
            training=replace(training, epochs=17, warmup=0.15, average=0.0),
        ),
        "post_norm": partial(network, pre_norm=False),  # stuck at this depth and rate: docs/translation.md
        "lstm": Variant(
            translation.seq2seq,
            preprocessing=Pairs(size=6_000),
            training=replace(training, epochs=24, learning_rate=2e-3, beta_2=0.999),
        ),
        "ensemble": Ensemble(("transformer", "lstm"), epochs=(41, 29)),
    },
)
