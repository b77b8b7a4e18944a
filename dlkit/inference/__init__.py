"""How is a finished run used? Plain Python, numpy and LiteRT: never TensorFlow, never Keras."""

from dlkit.inference.predictor import Predictor, load

__all__ = ["Predictor", "load"]
