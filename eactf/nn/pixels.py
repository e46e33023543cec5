"""This module reads from a classifier's own layers what pixels it expects."""

from __future__ import annotations

import keras
import numpy as np

__all__ = ["grey_level_layer", "mean_pixel"]


def mean_pixel(classifier: keras.Model) -> float | list[float]:
    """The mean that the classifier's own normalisation takes away, one value a channel.

    It becomes 0 after normalisation, which is what the papers' code fills erased blocks with.
    0.0 for a classifier without a `keras.layers.Normalization` of fixed mean.
    """
    for layer in classifier._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is not None:
            return [float(value) for value in np.ravel(layer.input_mean)]
    return 0.0


def grey_level_layer(classifier: keras.Model) -> str | None:
    """What says that a classifier expects images in 0..255, in words; None where nothing does.

    A `keras.layers.Normalization` that takes away a mean above 2 does, and a
    `keras.layers.Rescaling` that divides by more than 10.
    """
    for layer in classifier._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is not None:
            mean = float(np.max(layer.input_mean))
            if mean > 2.0:
                return f"'{layer.name}' takes away a mean of {mean:.4g}"
        if isinstance(layer, keras.layers.Rescaling) and 0.0 < np.max(layer.scale) < 0.1:
            return f"'{layer.name}' multiplies by {np.max(layer.scale):.3g}"
    return None
