"""Seq2seq: what does a sentence say in another language, as a recurrent network reads and writes it?

    dlkit run seq2seq
    dlkit run seq2seq --data own.tsv --set data.source=en --set data.target=fr
    dlkit run seq2seq --model bottleneck
    dlkit run seq2seq --data own.tsv --from saved_models/seq2seq/1

Captions of Multi30k from English into German. An LSTM reads a sentence from both ends, another writes the translation
and looks back at what was read, word by word (Bahdanau et al. 2015); `bottleneck` has its last states alone to go by
(Sutskever et al. 2014). `copy` may take pieces from the source instead (See et al. 2017), such as those of a name; with
preprocessing.level=word only words of the vocabulary, for a new one has no id to be copied by.

`dlkit run seq2seq --set task.length_penalty=1`, seed 0, on one core of an AMD EPYC: 59 minutes; test 2016, beam 5,
lower-cased and tokenised as papers count, BLEU 38.8 (validation 39.9), sacreBLEU 38.4, LiteRT the same on every
sentence. A length penalty of 2 gives 0.3 more on validation sentences.
"""

from __future__ import annotations

from functools import partial

from dlkit import PairData, Pairs, Recipe, Training, Translation, Variant
from dlkit.models import translation

recipe = Recipe(
    data=PairData("multi30k", source="en", target="de"),
    preprocessing=Pairs(size=6_000),
    task=Translation(beam=5, length_penalty=2.0),
    model=translation.seq2seq,
    training=Training(
        epochs=24,
        batch_tokens=2_048,
        learning_rate=2e-3,
        schedule="one_cycle",
        warmup=0.1,
        clip=1.0,
        average=1.0,
        precision="auto",
    ),
    variants={
        "gru": partial(translation.seq2seq, cell="gru"),
        "dot": partial(translation.seq2seq, attention="dot"),
        "bottleneck": partial(translation.seq2seq, attention="none"),
        "copy": partial(translation.seq2seq, copy=True),
        "words": Variant(translation.seq2seq, preprocessing=Pairs(size=10_000, level="word", joint=False)),
    },
)
