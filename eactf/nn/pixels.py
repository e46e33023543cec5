"""What a classifier takes for the mean pixel."""

from __future__ import annotations

import keras
import numpy as np

__all__ = ["mean_pixel"]


def mean_pixel(classifier: keras.Model) -> float | list[float]:
    """The mean that the classifier's own normalisation takes away, one value a channel.

    It becomes 0 after normalisation, which is what the papers' code fills erased blocks with.
    0.0 for a classifier without a `keras.layers.Normalization` of fixed mean.
    """
    for layer in classifier.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is not None:
            return [float(value) for value in np.ravel(layer.input_mean)]
    return 0.0
