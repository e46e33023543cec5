"""How much each label counts: weights of samples and of classes, as Keras users give them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import keras
import numpy as np

__all__ = ["as_sample_weights", "class_weights", "refuse_integer_weights"]


def class_weights(given: Any, classes: int) -> tuple[float, ...] | None:
    """The weight of each class, `(classes,)`, of what `fit(class_weight=)` was given.

    `given` is a mapping of class indices to weights, classes that it leaves out having 1 as in
    Keras, or one number a class; None for None. Raises `ValueError` for classes that are not
    there, weights that are negative or no numbers, and for nothing but noughts.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        unknown = [key for key in given if key not in range(classes)]
        if unknown:
            raise ValueError(
                f"class_weight names class {unknown[0]!r}: the classifier has the classes 0 to "
                f"{classes - 1}"
            )
        numbers: Sequence[Any] = [given.get(index, 1.0) for index in range(classes)]
    else:
        numbers = list(given)
    if len(numbers) != classes:
        raise ValueError(
            f"class_weight must have one number for each of the {classes} classes; received "
            f"{len(numbers)}"
        )
    for index, number in enumerate(numbers):
        if not (isinstance(number, Real) and 0.0 <= float(number) < math.inf):
            raise ValueError(
                f"class_weight of class {index} must be a number >= 0; received {number!r}"
            )
    if not any(numbers):
        raise ValueError("class_weight is 0 for every class: nothing would be learnt")
    return tuple(float(number) for number in numbers)


def as_sample_weights(given: Any) -> Any:
    """`sample_weight` as Keras was given it, in float32: integers in a third column are ids."""
    return None if given is None else keras.ops.cast(keras.ops.convert_to_tensor(given), "float32")


def refuse_integer_weights(validation_data: Any) -> None:
    """`ValueError` for arrays whose third is of integers: weights to Keras, ids to a method."""
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 3:
        return
    if np.asarray(validation_data[2]).dtype.kind in "iu":
        raise ValueError(
            "the third array of validation_data would be sample weights, and is of integers, as "
            "ids are: leave ids out (validation needs none), or give weights as floats"
        )
