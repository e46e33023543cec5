"""This module averages a network's variables over the steps of a training, and shrinks them.

The functions work outside a step and within one, on any number of devices: there each device
changes its own copies, with the values of its own, as batch normalisation does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

__all__ = ["copy_variables", "move_average", "shrink"]

Tensor = Any


def move_average(averages: Sequence[Any], variables: Sequence[Any], decay: float) -> None:
    """average = decay * average + (1 - decay) * variable, for every pair of float variables.

    Both are Keras variables in one order, such as `.variables` of a classifier and of its clone:
    batch statistics are averaged as well. Integers (counters, seeds) are left alone. Raises
    `ValueError` where the two do not fit, and for a decay outside [0, 1].

    >>> import keras
    >>> average, variable = keras.Variable([0.0, 1.0]), keras.Variable([8.0, 1.0])
    >>> move_average([average], [variable], decay=0.75)
    >>> average.numpy().tolist()
    [2.0, 1.0]
    """
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"decay must be in [0, 1]; received {decay!r}")

    for average, variable in _pairs(averages, variables):
        average.assign(decay * average.value + (1.0 - decay) * variable.value)


def copy_variables(targets: Sequence[Any], sources: Sequence[Any]) -> None:
    """Give each float variable of `targets` the value of its like in `sources`.

    Integers are left alone. Raises `ValueError` where the two do not fit.
    """
    for target, source in _pairs(targets, sources):
        target.assign(source.value)


def shrink(variables: Sequence[Any], share: Tensor) -> None:
    """variable = (1 - share) * variable, for every float variable; `share` is a scalar.

    Ada-CM's only weight decay, with a share of 0.02 times the learning rate after each step. Given
    `.variables` of a classifier, batch statistics shrink as well, as in the published code.
    """
    kept = 1.0 - ops.cast(share, "float32")
    for variable in _floats(variables):
        variable.assign(variable.value * ops.cast(kept, variable.dtype))


def _floats(variables: Sequence[Any]) -> list[Any]:
    return [variable for variable in variables if keras.backend.is_float_dtype(variable.dtype)]


def _pairs(targets: Sequence[Any], sources: Sequence[Any]) -> list[tuple[Any, Any]]:
    """The float variables of both, each with its like."""
    ours, theirs = _floats(targets), _floats(sources)
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} float variables cannot take the values of {len(theirs)}")
    for target, source in zip(ours, theirs, strict=True):
        if tuple(target.shape) != tuple(source.shape):
            raise ValueError(
                f"{target.path} has the shape {tuple(target.shape)}, {source.path} "
                f"{tuple(source.shape)}: the variables must be those of networks built alike"
            )
    return list(zip(ours, theirs, strict=True))
