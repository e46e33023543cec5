"""The Keras model that goes into an exported file: pixels in, named outputs out, all in float32.

Converters stumble over what Keras alone needs: they take the constants of a Normalization layer for
further inputs and low precision for types of their own. So the model is put together anew, of the
classifier's own layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from eactf.errors import UsageError
from eactf.evaluation.storage import StoredClassifier
from eactf.export.form import ExportForm
from eactf.nn.classifier import open_classifier
from eactf.suggestions import command_line

__all__ = ["Served", "serve"]

_INPUT = "images"
_TAKEN = {_INPUT, "scores", "features", "probabilities", "logits", "maps"}


@dataclass(frozen=True)
class Served:
    """`model` maps `images` `(n, size, size, channels)`, 0..255, to a dictionary of outputs.

    These are `probabilities` or `logits` `(n, classes)` and, where asked for, `maps`
    `(n, height, width, classes)`: class activation maps (`eactf.losses.class_activation_maps`). An
    encoder of several kinds of labels gives its numbers as well, by the names of its heads, which
    `numbers` gives with the names of their columns.
    `shapes` are theirs by name, None for the number of images. `mean` and `std`, `(channels,)` or
    `(1,)`, are those of the normalisation inside; None where the classifier does not begin with
    one. `expected` gives what the outputs should be, by the classifier itself.
    """

    model: keras.Model
    shapes: Mapping[str, tuple[int | None, ...]]
    numbers: Mapping[str, tuple[str, ...]]
    mean: np.ndarray | None
    std: np.ndarray | None
    expected: Callable[[np.ndarray], dict[str, np.ndarray]]


def serve(stored: StoredClassifier, form: ExportForm) -> Served:
    """Put together what the file is to compute.

    Raises `UsageError` for logits of a classifier that gives probabilities, and for maps of one
    that has none.
    """
    if form.logits and stored.ends_in_softmax:
        raise UsageError(
            f"{stored.path} gives probabilities by itself and no logits", hint="leave --logits out"
        )
    classifier, heads = _parts(stored)
    inner, kernel = {"scores": classifier.output, **heads}, None
    if form.maps:
        inner["features"], kernel = _features(classifier, stored, form)
    plain = keras.Model(classifier.input, inner)
    images = keras.Input(classifier.input_shape[1:], name=_INPUT, dtype="float32")
    found = _with_constants(plain)(images)
    softmax = not form.logits and not stored.ends_in_softmax
    outputs = {form.scores: _named(found["scores"], form.scores, softmax=softmax)}
    if kernel is not None:
        outputs["maps"] = _maps(found["features"], kernel)
    outputs |= {head: _named(found[head], head, softmax=False) for head in heads}
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    model = keras.Model(images, outputs, name="served")
    model(np.zeros((1, *model.input_shape[1:]), np.float32))  # Keras exports what was called once

    def expected(batch: np.ndarray) -> dict[str, np.ndarray]:
        given = plain.predict_on_batch(batch)
        scores = ops.convert_to_numpy(ops.softmax(given["scores"])) if softmax else given["scores"]
        maps = {} if kernel is None else {"maps": given["features"] @ kernel}
        return {form.scores: scores, **maps, **{head: given[head] for head in heads}}

    first = _first_layer(classifier)
    mean, std = _mean_and_std(first) if _scales(first) else (None, None)
    return Served(model, shapes, stored.values, mean, std, expected)


def _parts(stored: StoredClassifier) -> tuple[keras.Model, dict[str, Any]]:
    """The classifier in float32, and the heads of numbers in its graph, by name."""
    if stored.whole is None:
        return _in_float32(stored.model), {}
    whole = _in_float32(stored.whole)
    taken = sorted(_TAKEN & set(stored.values))
    if taken:
        raise UsageError(f"{stored.path} calls its numbers {taken[0]}, as a file's own outputs")
    classifier = keras.Model(whole.input, whole.output[stored.facts["label"]])
    return classifier, {head: whole.output[head] for head in stored.values}


def _named(scores: Any, name: str, *, softmax: bool) -> Any:
    kind = layers.Softmax if softmax else layers.Identity
    return kind(name=name, dtype="float32")(scores)


def _features(
    classifier: keras.Model, stored: StoredClassifier, form: ExportForm
) -> tuple[Any, np.ndarray]:
    """The last feature map in the classifier's graph, and the kernel that makes maps of it."""
    try:
        opened = open_classifier(classifier)
    except ValueError as reason:
        raise UsageError(
            f"{stored.path} has no class activation maps: {reason}", hint=_way_out(stored, form)
        ) from None
    return opened.features, ops.convert_to_numpy(opened.head.kernel)


def _way_out(stored: StoredClassifier, form: ExportForm) -> str:
    one = stored.path.with_name("network-1.keras")
    if one != stored.path and one.is_file():
        command = command_line("eactf", "export", one, "--to", form.runtime, "--maps")
        return f"each of its two networks has them: {command}"
    return "leave --maps out"


def _maps(features: Any, kernel: np.ndarray) -> Any:
    """The class activation maps, as a 1x1 convolution, which every runtime has a fast form of."""
    convolution = layers.Conv2D(kernel.shape[1], 1, use_bias=False, name="maps", dtype="float32")
    maps = convolution(features)
    convolution.set_weights([kernel[None, None]])
    return maps


def _with_constants(model: keras.Model) -> keras.Model:
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


def _in_float32(model: keras.Model) -> keras.Model:
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
