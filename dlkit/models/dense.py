"""Which network of dense layers fits a table row or a set of words, through which of Keras' three APIs?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras

from dlkit.contracts import Spec
from dlkit.errors import SettingsError, did_you_mean
from dlkit.models import layers

Api = Literal["sequential", "functional", "subclass"]


def mlp(
    spec: Spec,
    *,
    units: tuple[int, ...] = (64, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    api: Literal["sequential", "functional", "subclass"] = "functional",
) -> keras.Model:
    """A multilayer perceptron: dense layers of `units`, then the head.

    Takes one input, features (batch, n) float32 or word ids (batch, length) int32 of a multi-hot row, for which the
    first layer is a `MultiHotDense`. Gives (batch, head units). `dropout`: probability to drop a unit after each
    hidden layer. `l2`: weight of the sum of squared kernel weights in the loss. `api`: how the same network is put
    together; parameters, outputs and exports are equal.
    """
    if not units:
        raise SettingsError("model.units: expected one or more positive numbers, got none.")
    _check(units, activation, dropout)
    if not 0 <= l2 < float("inf"):
        raise SettingsError(f"model.l2: expected a number of 0 or more, got {l2}.")
    regularizer = keras.regularizers.L2(l2) if l2 else None
    stack: list[keras.layers.Layer] = []
    for position, width in enumerate(units):
        if position == 0 and "vocabulary" in spec.sizes:
            size = spec.sizes["vocabulary"]
            stack.append(layers.MultiHotDense(size, width, activation=activation, kernel_regularizer=regularizer))
        else:
            stack.append(keras.layers.Dense(width, activation=activation, kernel_regularizer=regularizer))
        if dropout:
            stack.append(keras.layers.Dropout(dropout))
    return assemble(spec, [*stack, _head(spec)], api=api)


def linear(spec: Spec, *, api: Literal["sequential", "functional", "subclass"] = "functional") -> keras.Model:
    """No hidden layer: logistic regression for classes, linear regression for a value."""
    if "vocabulary" in spec.sizes:
        head = spec.head
        only = layers.MultiHotDense(spec.sizes["vocabulary"], head.units, activation=head.activation)
        return assemble(spec, [only], api=api)
    return assemble(spec, [_head(spec)], api=api)


def ensemble(
    spec: Spec,
    *,
    members: int = 16,
    units: tuple[int, ...] = (64, 64),
    activation: str = "silu",
    dropout: float = 0.0,
) -> keras.Model:
    """Several perceptrons that learn independently in one network and answer with their mean.

    Takes features (batch, n) float32, gives (batch, head units). Meant for the squared error: then the sum of the
    mean's error and the members' variance, which `MemberMean` adds to the loss, is the mean of the members' own
    errors (Krogh & Vedelsby 1995, eq. 6), so that each member is trained as if it were alone.
    """
    if members < 1:
        raise SettingsError(f"model.members: expected 1 or more, got {members}.")
    _check(units, activation, dropout)
    (name,) = spec.inputs
    inputs = keras.Input(spec.inputs[name].shape, dtype=spec.inputs[name].dtype, name=name)
    hidden = keras.layers.RepeatVector(members)(inputs)
    for width in units:
        hidden = layers.MemberDense(width, activation=activation)(hidden)
        if dropout:
            hidden = keras.layers.Dropout(dropout)(hidden)
    hidden = layers.MemberDense(spec.head.units)(hidden)
    outputs = layers.MemberMean(activation=spec.head.activation)(hidden)
    return keras.Model(inputs, outputs)


def assemble(spec: Spec, stack: Sequence[keras.layers.Layer], *, api: Api) -> keras.Model:
    """One input through `stack`, by the Sequential, the Functional or the subclassing API."""
    (name,) = spec.inputs
    tensor = spec.inputs[name]
    inputs = keras.Input(tensor.shape, dtype=tensor.dtype, name=name)
    if api == "sequential":
        return keras.Sequential([inputs, *stack])
    if api == "functional":
        outputs = inputs
        for layer in stack:
            outputs = layer(outputs)
        return keras.Model(inputs, outputs)
    if api == "subclass":
        model = layers.Chain(stack)
        model(inputs)
        return model
    raise SettingsError(f"model.api: expected sequential, functional or subclass, got {api!r}.")


def _check(units: tuple[int, ...], activation: str, dropout: float) -> None:
    if min(units, default=1) < 1:
        raise SettingsError(f"model.units: expected positive numbers, got {units}.")
    if not 0 <= dropout < 1:
        raise SettingsError(f"model.dropout: expected a probability in [0, 1), got {dropout}.")
    try:
        keras.activations.get(activation)
    except ValueError:
        known = [name for name in vars(keras.activations) if not name.startswith(("_", "get", "serial", "deserial"))]
        raise SettingsError(f"model.activation: unknown {activation!r}.{did_you_mean(activation, known)}") from None


def _head(spec: Spec) -> keras.layers.Dense:
    return keras.layers.Dense(spec.head.units, activation=spec.head.activation, name="answer")
