"""Which network writes a sentence in another language?

All take {"source": (batch, source length), "target": (batch, target length)} int32, 0 where a sentence is padded, the
target beginning with the start, and give logits (batch, target length, target words + 1) of the words that come next.
All are a `Stepper`, which decodes word by word.
"""

from __future__ import annotations

from typing import Literal

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models import seq2seq_layers, translation_layers, translator_ensembles
from dlkit.models.options import at_least_one, probability


def transformer(
    spec: Spec,
    *,
    width: int = 128,
    heads: int = 4,
    intermediate: int = 256,
    encoders: int = 6,
    decoders: int = 2,
    dropout: float = 0.3,
    pre_norm: bool = True,
    members: int = 1,
) -> keras.Model:
    """An encoder and a decoder of attention blocks (Vaswani et al. 2017), in a small size (Wu et al. 2021).

    `width`: of word vectors and states, split among `heads`. `intermediate`: units of each block's feed-forward part.
    `encoders`, `decoders`: blocks; a sentence is read at once but written word by word, so that blocks are cheaper
    where they read (Kasai et al. 2021). `pre_norm`: normalise what a part reads, not the sum.
    `members`: networks that learn side by side, each from first weights of its own, and answer by the mean of their
    logits (an ensemble: Sutskever et al. 2014, section 3.6); time and bytes grow with their number.
    """
    _check_pairs(spec)
    sizes = {"width": width, "heads": heads, "intermediate": intermediate, "encoders": encoders, "decoders": decoders}
    for name, value in (sizes | {"members": members}).items():
        at_least_one(name, value)
    if width % heads or width % 2:
        raise SettingsError(f"model.width={width}: expected an even multiple of model.heads={heads}.")
    probability("dropout", dropout)
    networks = [
        translation_layers.Transformer(spec.sizes, **sizes, dropout=dropout, pre_norm=pre_norm) for _ in range(members)
    ]
    return networks[0] if members == 1 else translator_ensembles.Members(networks)


def seq2seq(
    spec: Spec,
    *,
    cell: Literal["lstm", "gru"] = "lstm",
    attention: Literal["none", "additive", "dot"] = "additive",
    dimension: int = 256,
    units: int = 256,
    dropout: float = 0.4,
    copy: bool = False,
    sampling: float = 0.0,
    sampling_steps: int = 2_000,
) -> keras.Model:
    """A recurrent network reads from both ends, another writes (Sutskever et al. 2014; Bahdanau et al. 2015).

    `attention`: how each step finds what to read of the source: "additive" by a small network (Bahdanau et al. 2015),
    "dot" by a product (Luong et al. 2015, "general"), "none" leaves the last states alone to say it all. `dimension`:
    of word vectors. `units`: of each recurrent network. `copy`: a piece may also be copied from the source (See et al.
    2017), but one of the vocabulary: a word that has no id is unknown to reader and writer alike. Of
    preprocessing.level=piece any word of known letters can be copied, piece by piece; of level=word no new one.
    `sampling`: share of the words read in training that are the network's own guesses in the end (scheduled sampling,
    Bengio et al. 2015, guesses of all words at once: Duckworth et al. 2019); it rises from 0 in a straight line over
    the first `sampling_steps` training steps (their section 2.4, linear decay of the true words).
    """
    _check_pairs(spec)
    at_least_one("dimension", dimension)
    at_least_one("units", units)
    probability("dropout", dropout)
    if copy and attention == "none":
        raise SettingsError("model.copy copies what is attended to: it needs model.attention=additive or dot.")
    if copy and not spec.sizes["joint"]:
        raise SettingsError("model.copy needs one vocabulary for both languages: preprocessing.joint=true.")
    probability("sampling", sampling)
    at_least_one("sampling_steps", sampling_steps)
    return seq2seq_layers.Seq2Seq(
        spec.sizes,
        cell=cell,
        attention=attention,
        dimension=dimension,
        units=units,
        dropout=dropout,
        copy=copy,
        sampling=sampling,
        sampling_steps=sampling_steps,
    )


def _check_pairs(spec: Spec) -> None:
    if "target_vocabulary" not in spec.sizes:
        raise SettingsError("This model translates: it needs preprocessing of the kind Pairs.")
