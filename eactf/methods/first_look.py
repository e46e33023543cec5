"""A look at the brightest pixel of the first batch: images in 0..1 where 0..255 is expected."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import tensorflow as tf

from eactf.nn.pixels import grey_level_layer

__all__ = ["FirstLook"]

Tensor = Any

_NOT_SEEN = -1.0


class FirstLook:
    """Warns once where a classifier that expects grey levels from 0 to 255 is given 0 to 1.

    All images are then nearly black to it, and it learns little, without an error. Only the first
    batch is looked at. Afterwards a step reads one number; and nothing at all for a classifier
    that does not say what it expects.
    """

    def __init__(self, classifier: keras.Model) -> None:
        self._layer = grey_level_layer(classifier)
        self._told = self._layer is None
        if self._told:
            return
        # Each replica looks at its own images. Not a weight: it is not for files.
        self._brightest = tf.Variable(
            _NOT_SEEN,
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.MEAN,
        )

    def at(self, images: Tensor) -> None:
        """Remember the brightest of `images`, where none were looked at before."""
        if self._told:
            return

        def look() -> Tensor:
            brightest = tf.cast(tf.reduce_max(images), tf.float32)
            self._brightest.assign(tf.maximum(brightest, 0.0))
            return tf.constant(True)

        tf.cond(self._brightest < 0.0, look, lambda: tf.constant(False))

    def tell(self) -> None:
        """Warn, where that look found nothing brighter than 1; called after a step."""
        if self._told:
            return
        brightest = float(self._brightest.read_value())
        self._told = brightest >= 0.0
        if 0.0 < brightest <= 1.0:
            warnings.warn(
                f"the brightest pixel of the first batch is {brightest:g}, but the classifier "
                f"expects images in 0..255 (its layer {self._layer}): nearly black is all that it "
                "sees. Multiply the images by 255 and divide them nowhere, or build the "
                "classifier for images in 0..1",
                stacklevel=2,
            )
