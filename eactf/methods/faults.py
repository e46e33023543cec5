"""Checks of what a batch holds that cost nothing to speak of and reach the user as plain errors.

Within a graph a check is an assertion, whose failure TensorFlow reports at the end of a page about
nodes. `readable` makes the error of it that the same check raises outside a graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["readable", "require_ids", "require_labels", "require_weights"]

Tensor = Any

_MARK = re.compile(r"eactf:(\w+):(\d+)[^\w-]+([^\]]*)")
"""A failed assertion: what it is of, a number that goes with it, the values that it saw."""


def require_labels(labels: Tensor, classes: int) -> Tensor:
    """`labels`, once they are known to be class indices below `classes` or rows of shares.

    What is computed from the result waits for the check, so that a label that is wrong moves no
    weight. XLA leaves assertions out: there the loss is not a number. Raises `ValueError`.
    """
    # Where the data come from: on a GPU the check would wait for all work before it.
    with tf.device("/device:CPU:0"):
        labels = tf.convert_to_tensor(labels)
        if len(labels.shape) == 1:
            index = tf.cast(labels, tf.int64)
            sound = (index >= 0) & (index < classes)
            if labels.dtype.is_floating:
                sound &= tf.cast(index, labels.dtype) == labels
            return _after("labels", classes, tf.reduce_all(sound), labels, labels)
        rows = tf.reduce_sum(tf.cast(labels, tf.float32), axis=-1)
        # Wide enough for half types, and far from counts of votes or a one-hot row of 255.
        sound = tf.abs(rows - 1.0) < 0.02
        return _after("shares", classes, tf.reduce_all(sound), rows, labels)


def require_weights(weights: Tensor) -> Tensor:
    """`weights` `(n,)`, once they are known to be numbers >= 0. Raises `ValueError`."""
    sound = tf.math.is_finite(weights) & (weights >= 0.0)
    return _after("weights", 0, tf.reduce_all(sound), weights, weights)


def require_ids(rows: Tensor, found: Tensor, ids: Tensor) -> Tensor:
    """`rows`, once all `ids` are known to be `found`. Raises `ValueError`."""
    return _after("ids", 0, tf.reduce_all(found), tf.where(found, -1, ids), rows)


def readable(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`step`, whose failed checks are the errors that they would be outside a graph."""

    @wraps(step)
    def told(iterator: Any) -> Any:
        try:
            return step(iterator)
        except tf.errors.InvalidArgumentError as failure:
            found = _MARK.search(failure.message)
            if found is None:
                raise
            name, number, values = found.groups()
            raise ValueError(_told(name, int(number), _numbers(values))) from None

    return told


def _after(name: str, number: int, sound: Tensor, values: Tensor, result: Tensor) -> Tensor:
    """`result`, once `sound` is known to be true; `values` are told of where it is not."""
    if tf.executing_eagerly():
        if not bool(sound):
            raise ValueError(_told(name, number, np.ravel(values.numpy()).tolist()))
        return result
    check = tf.debugging.Assert(sound, [f"eactf:{name}:{number}", values], summarize=10_000)
    with tf.control_dependencies([check]):
        return tf.identity(result)


def _numbers(text: str) -> list[float]:
    """The numbers of a failed assertion: by blanks from a graph, by commas from eager code."""
    return [float(word) for word in re.findall(r"[-+\d.e]+|nan|inf", text)]


def _told(name: str, number: int, values: Sequence[float]) -> str:
    return _TELLERS[name](number, values)


def _tell_labels(classes: int, labels: Sequence[float]) -> str:
    wrong = [label for label in labels if not (0 <= label < classes and label == int(label))]
    first = wrong[0]
    if any(label != label or label != int(label) for label in wrong):
        advice = "labels are whole numbers (n,), or soft labels (n, classes) whose rows sum to 1"
    elif min(wrong) < 0:
        advice = "a label below 0 often stands for 'not known': leave such images out"
    elif max(wrong) == classes and min(labels) > 0:
        advice = f"labels that count from 1 to {classes} want 1 taken away: labels - 1"
    else:
        advice = (
            "number the classes from 0 without gaps (np.unique(labels, return_inverse=True)[1]), "
            f"or build the classifier with classes={int(max(wrong)) + 1}"
        )
    return (
        f"label {first:g} is out of range: the classifier has {classes} classes, so that labels "
        f"are 0 to {classes - 1}. {len(wrong)} of {len(labels)} labels of the batch are out of "
        f"range; {advice}"
    )


def _tell_shares(classes: int, sums: Sequence[float]) -> str:
    wrong = next(total for total in sums if not abs(total - 1.0) < 0.02)
    return (
        f"a row of the soft labels (n, {classes}) sums to {wrong:g}: expected each class's share "
        "of the label, which sum to 1; divide counts of votes by their sum"
    )


def _tell_ids(number: int, ids: Sequence[float]) -> str:
    unknown = [str(int(sample)) for sample in ids if sample >= 0]
    return (
        f"the method was not told of the samples {', '.join(unknown[:5])}: the argument ids must "
        "name every sample that it is trained on"
    )


def _tell_weights(number: int, weights: Sequence[float]) -> str:
    wrong = next(weight for weight in weights if not 0.0 <= weight < float("inf"))
    return f"sample weight {wrong:g}: expected numbers >= 0; 0 leaves a label out"


_TELLERS: dict[str, Callable[[int, Sequence[float]], str]] = {
    "labels": _tell_labels,
    "shares": _tell_shares,
    "ids": _tell_ids,
    "weights": _tell_weights,
}
