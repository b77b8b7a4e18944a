"""Transfer learning: what is in a picture, learned from a few pictures of each class?

    dlkit run transfer --data folder/
    dlkit run transfer --set data.per_class=100 --set model.weights=squeezenet_imagenet_notop.h5
    dlkit run transfer --model tuned --set model.backbone=mobilenet_v2

A network that has learned from a million pictures (SqueezeNet 1.1; any other of keras.applications or KerasHub by its
name) is kept as it is and its features are computed once; only the answer is learned. `tuned` goes on to train its last
layers, slowly. `scratch` is the same network without what it had learned: that is what transfer is worth.

CIFAR-10, 100 labelled pictures a class, seed 0: test accuracy 0.604, from scratch 0.333 (docs/pictures.md).
"""

from __future__ import annotations

from functools import partial

from dlkit import Classification, ImageData, Images, Recipe, Training, Variant
from dlkit.models import backbones

recipe = Recipe(
    data=ImageData("cifar10"),
    preprocessing=Images(size=96),
    task=Classification(),
    model=backbones.transfer,
    training=Training(epochs=100, batch_size=64, learning_rate=1e-3, patience=5),
    variants={
        "tuned": Variant(
            partial(backbones.transfer, trainable_blocks=6),
            training=Training(epochs=10, batch_size=64, learning_rate=1e-4, augment=("flip",), patience=3),
        ),
        "scratch": Variant(
            partial(backbones.transfer, weights="none"),
            training=Training(
                epochs=30, batch_size=64, learning_rate=1e-3, augment=("flip",), patience=5, precision="auto"
            ),
        ),
    },
)
