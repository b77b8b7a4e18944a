"""Faces: how old is this person, and of which gender?

    dlkit run faces --data sample
    dlkit run faces --data people.csv --set data.target=age,gender

The laboratory of the lecture notes, two answers from one network: convolutions that both share, then an output for
each, a number and a class, by the Functional API; their losses are added up (`task.weights`). A CSV of your own names
a picture and both targets on each row; of columns called otherwise (`data.target=years,sex`) numbers are the age and
labels the gender. The bundled sample is drawn by a program: it says nothing of real faces.
"""

from __future__ import annotations

from functools import partial

from dlkit import Classification, ImageData, Images, Joint, Recipe, Regression, Training, Variant
from dlkit.models import backbones, images

recipe = Recipe(
    data=ImageData(None, target="age,gender", sample="people"),
    preprocessing=Images(size=48),
    task=Joint({"age": Regression(unit="years", target_scaling="standard"), "gender": Classification()}),
    model=images.cnn_bn,
    training=Training(epochs=40, batch_size=32, learning_rate=2e-3, schedule="one_cycle", augment=("flip",)),
    variants={
        "cnn": images.cnn,
        "transfer": Variant(partial(backbones.transfer, weights="none"), preprocessing=Images(size=64)),
    },
)
