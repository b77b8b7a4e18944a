"""Which network learns to tell small pictures apart in the fewest operations?"""

from __future__ import annotations

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError
from dlkit.models import image_layers
from dlkit.models.images import check_size, headed, mean_and_spread, scaled
from dlkit.models.options import at_least_one

_KEPT = 0.88
"""Of the statistics at each step: as much as the paper's 0.6 after as many rows, 256 a step instead of 1,024."""


def fast(
    spec: Spec,
    *,
    widths: tuple[int, ...] = (64, 256, 256),
    bias_rate: float = 64.0,
    test_flip: bool = True,
) -> keras.Model:
    """The network of airbench94, which learns CIFAR-10 in ten epochs (Jordan 2024, arXiv 2404.00498, section 2).

    Whitened 2x2 patches; a block of two 3x3 convolutions for each of `widths`, the first pooled; the strongest response
    of each filter; a linear head without bias, its input divided by 9. Filters start as the identity. Batch
    normalisation has a bias, no scale, and statistics that follow within few steps. `bias_rate`: how many times as fast
    as other weights these biases learn (section 3.4; see `QuickBias`). `test_flip`: outside of training the answer
    comes from the mean of the logits of a picture and its mirror image, in every artefact too.

    A picture of 32x32x3 takes 118 million multiply-adds (`images.multiply_adds`), with `test_flip` 236 million outside
    of training.
    """
    if not widths:
        raise SettingsError("model.widths: expected one or more positive numbers, got none.")
    at_least_one("widths", *widths)
    if not 0 < bias_rate < float("inf"):
        raise SettingsError(f"model.bias_rate: expected a number above 0, got {bias_rate}.")
    check_size(spec, "fast", 2 ** len(widths) + 1)
    inputs, pixels = scaled(spec, mirrored=test_flip)
    maps = image_layers.Whitening(*mean_and_spread(spec), name="whitening")(pixels)
    maps = image_layers.FusedGelu()(maps)
    for width in widths:
        maps = keras.layers.MaxPooling2D(2)(_convolution(maps, width))
        maps = _normalised(maps, bias_rate)
        maps = _normalised(_convolution(maps, width), bias_rate)
    features = keras.layers.GlobalMaxPooling2D()(maps)
    # The paper divides the logits; the head has no bias, so it is the same.
    features = keras.layers.Rescaling(1 / 9)(features)
    return headed(spec, inputs, features, 0.0, use_bias=False, mirrored=test_flip)


def _convolution(maps: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    identity = image_layers.Dirac()
    return keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=identity)(maps)


def _normalised(maps: keras.KerasTensor, bias_rate: float) -> keras.KerasTensor:
    maps = image_layers.FusedBatchNormalization(momentum=_KEPT, epsilon=1e-12, center=False, scale=False)(maps)
    return image_layers.FusedGelu()(image_layers.QuickBias(bias_rate)(maps))
