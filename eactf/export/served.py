"""The Keras model that goes into an exported file: pixels in, named outputs out, all in float32.

It is put together of the classifier's own layers. What it is to give is computed beside it, by the
classifier as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from eactf.errors import UsageError
from eactf.evaluation.storage import StoredClassifier
from eactf.export.convertible import in_float32, normalization_of, with_constants
from eactf.export.form import ExportForm
from eactf.foreign import reason_of
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
    source = _source_of(stored, form)
    images = keras.Input(source.plain.input_shape[1:], name=_INPUT, dtype="float32")
    outputs = _outputs(source, form, with_constants(source.plain)(images))
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    model = keras.Model(images, outputs, name="served")
    model(np.zeros((1, *model.input_shape[1:]), np.float32))  # Keras exports what was called once
    mean, std = normalization_of(source.classifier)
    return Served(model, shapes, stored.values, mean, std, partial(_expected, source, form))


@dataclass(frozen=True)
class _Source:
    """The classifier as it is, opened: `plain` gives `scores`, `features` for maps, and `heads`.

    `kernel` `(C, classes)` makes maps of the features, where maps are wished; with `softmax` the
    scores are logits that are to become probabilities.
    """

    classifier: keras.Model
    plain: keras.Model
    kernel: np.ndarray | None
    heads: tuple[str, ...]
    softmax: bool


def _source_of(stored: StoredClassifier, form: ExportForm) -> _Source:
    classifier, heads = _parts(stored)
    inner, kernel = {"scores": classifier.output, **heads}, None
    if form.maps:
        inner["features"], kernel = _features(classifier, stored, form)
    plain = keras.Model(classifier.input, inner)
    softmax = not form.logits and not stored.ends_in_softmax
    return _Source(classifier, plain, kernel, tuple(heads), softmax)


def _outputs(source: _Source, form: ExportForm, found: dict[str, Any]) -> dict[str, Any]:
    """The outputs of the file, of symbolic ones as `_Source.plain` gives them."""
    outputs = {form.scores: _named(found["scores"], form.scores, softmax=source.softmax)}
    if source.kernel is not None:
        outputs["maps"] = _maps(found["features"], source.kernel)
    return outputs | {head: _named(found[head], head, softmax=False) for head in source.heads}


def _expected(source: _Source, form: ExportForm, images: np.ndarray) -> dict[str, np.ndarray]:
    """What the outputs should be: the classifier's own, without the layers put on for the file."""
    found = source.plain.predict_on_batch(images)
    scores = found["scores"]
    outputs = {form.scores: ops.convert_to_numpy(ops.softmax(scores)) if source.softmax else scores}
    if source.kernel is not None:
        outputs["maps"] = found["features"] @ source.kernel
    return outputs | {head: found[head] for head in source.heads}


def _parts(stored: StoredClassifier) -> tuple[keras.Model, dict[str, Any]]:
    """The classifier in float32, and the heads of numbers in its graph, by name."""
    if stored.whole is None:
        return in_float32(stored.model), {}
    whole = in_float32(stored.whole)
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
            f"{stored.path} has no class activation maps: {reason_of(reason)}",
            hint=_way_out(stored, form),
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
