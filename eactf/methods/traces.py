"""What the steps of a training showed of each sample: its loss, its margin, what was predicted.

A wrong label is learnt late or not at all, and what a network predicts meanwhile is often the right
one (area under the margin, Pleiss et al., NeurIPS 2020). The sums that tell it cost next to nothing
while a network is trained, and cannot be had afterwards.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from eactf.methods.memory import checked_ids

__all__ = ["SampleTraces"]

Tensor = Any

_SINGLE = ("seen", "loss", "margin", "agreement")
"""The columns before the probabilities."""


class SampleTraces:
    """Sums over all that was shown of each training sample, a row for each of `ids`, by sorted id.

    Every replica adds up what it was shown itself, and nothing passes between them: the sums of all
    are the whole. `add` works within a step and outside one.
    """

    def __init__(self, ids: Any, classes: int) -> None:
        self.ids = checked_ids(ids)
        self.classes = classes
        shape = (len(self.ids), len(_SINGLE) + classes)
        self._in_place = not tf.distribute.has_strategy()
        self._sums = keras.Variable(
            initializer=keras.initializers.Zeros(),
            shape=shape,
            dtype="float32",
            trainable=False,
            name="traces",
            aggregation="none" if self._in_place else "sum",
            synchronization="auto" if self._in_place else "on_read",
        )

    @property
    def variables(self) -> list[Any]:
        """What the state of a run has to keep."""
        return [self._sums]

    def add(self, ids: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Add what a step showed of samples `ids` `(n,)`; ids that are not followed are passed.

        `labels` are the given ones, `(n,)` or rows of shares, of which the largest counts; `logits`
        `(n, classes)`.
        """
        known = tf.constant(self.ids)
        ids = ops.cast(ids, "int32")
        rows = ops.minimum(tf.searchsorted(known, ids), len(self.ids) - 1)
        is_known = ops.cast(ops.equal(ops.take(known, rows), ids), "float32")
        shown = is_known[:, None] * shown_of(labels, ops.stop_gradient(logits))
        if self._in_place:
            self._sums.value.scatter_nd_add(rows[:, None], shown)
        else:
            table = ops.convert_to_tensor(self._sums)
            self._sums.assign(tf.tensor_scatter_nd_add(table, rows[:, None], shown))

    def means(self) -> dict[str, np.ndarray]:
        """The mean of all that was shown of each sample, by name; nan for one never shown.

        `ids` `(n,)` int32 in rising order; `seen` `(n,)` how often it was shown; `loss` the
        cross-entropy of the given label, `margin` its logit less the largest other one, `agreement`
        how often it was the predicted class, all `(n,)` float32; `probabilities` `(n, classes)`.
        """
        sums = np.array(ops.convert_to_numpy(tf.convert_to_tensor(self._sums.value)))
        seen = sums[:, 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / seen[:, None]
        singles = {name: means[:, place] for place, name in enumerate(_SINGLE)}
        others = {"ids": self.ids, "seen": seen, "probabilities": means[:, len(_SINGLE) :]}
        return {**singles, **others}


def shown_of(labels: Tensor, logits: Tensor) -> Tensor:
    """The row `(4 + classes,)` that each sample adds: 1, loss, margin, agreement, probabilities."""
    logits = ops.cast(logits, "float32")
    classes = logits.shape[-1]
    hard = ops.argmax(labels, axis=-1) if len(labels.shape) == 2 else ops.cast(labels, "int32")
    is_given = ops.one_hot(hard, classes, dtype="float32")
    logs = ops.log_softmax(logits, axis=-1)
    own = ops.sum(is_given * logs, axis=-1)
    others = ops.max(ops.where(is_given > 0, float("-inf"), logs), axis=-1)
    margin = own - others
    agreement = ops.cast(margin > 0, "float32")
    singles = ops.stack([ops.ones_like(own), -own, margin, agreement], axis=1)
    return ops.concatenate([singles, ops.exp(logs)], axis=1)
