"""How is a finished run used? Plain Python, numpy and LiteRT: never TensorFlow, never Keras.

Names are loaded when they are first used: the command line asks this room for paths of runs alone, without numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlkit.inference.predictor import Predictor, load

__all__ = ["Predictor", "load"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'dlkit.inference' has no attribute {name!r}")
    from dlkit.inference import predictor

    value = getattr(predictor, name)
    globals()[name] = value
    return value
