"""A model of the same layers and weights that converters to other runtimes take.

They take the constants of a Normalization layer for further inputs, and low precision for types of
their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops

__all__ = ["in_float32", "normalization_of", "with_constants"]


def with_constants(model: keras.Model) -> keras.Model:
    """The model with rescaling in the place of normalisation; all else is its own."""

    def call(layer: Any, *arguments: Any, **settings: Any) -> Any:
        if not _scales(layer):
            return layer(*arguments, **settings)
        mean, std = _mean_and_std(layer)
        rescaling = layers.Rescaling(
            (1 / std).tolist(), (-mean / std).tolist(), name=f"{layer.name}_scaled", dtype="float32"
        )
        return rescaling(*arguments)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call, recursive=True
    )


def normalization_of(classifier: keras.Model) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Mean and deviation, `(channels,)` or `(1,)`, by which the images are normalised first.

    None each where the classifier does not begin so. Of several networks the first one's.
    """
    first = _first_layer(classifier)
    return _mean_and_std(first) if _scales(first) else (None, None)


def _first_layer(model: keras.Model) -> layers.Layer:
    """The layer that takes the images, in the first of several networks."""
    first = model.layers[1] if isinstance(model.layers[0], layers.InputLayer) else model.layers[0]
    return _first_layer(first) if isinstance(first, keras.Model) else first


def _scales(layer: Any) -> bool:
    """Whether it is a Normalization by channel, or by one number for all."""
    return (
        isinstance(layer, layers.Normalization) and not layer.invert and layer.axis in _CHANNEL_AXES
    )


_CHANNEL_AXES = ((), (-1,), (3,))


def _mean_and_std(layer: layers.Normalization) -> tuple[np.ndarray, np.ndarray]:
    mean, variance = (ops.convert_to_numpy(value) for value in (layer.mean, layer.variance))
    return np.ravel(mean), np.maximum(np.sqrt(np.ravel(variance)), keras.config.epsilon())


def in_float32(model: keras.Model) -> keras.Model:
    """The model itself, or one of the same weights in float32 if it computes in another type."""
    if all(layer.compute_dtype == "float32" for layer in model._flatten_layers()):
        return model
    graph = keras.saving.serialize_keras_object(model)
    for item in _dictionaries(graph):
        if item.get("class_name") == "DTypePolicy":
            item["config"] = {"name": "float32"}
        if isinstance(item.get("dtype"), str):
            item["dtype"] = "float32"
    plain = keras.saving.deserialize_keras_object(graph, safe_mode=True)
    plain.set_weights(model.get_weights())
    return plain


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list | tuple):
            yield from _dictionaries(part)
