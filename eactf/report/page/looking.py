"""A network looks at images: in batches, at their mirror images, with parts of them covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from eactf.data.pipeline import ImageForm, evaluation_batches
from eactf.packed.hashing import uniform
from eactf.packed.records import Samples
from eactf.report.page.looks import Looks, occlusion_places, spread_rows
from eactf.report.page.network import MapNetwork

__all__ = [
    "batches_of",
    "covered",
    "features_of",
    "judge_occluded",
    "likeness",
    "look_at",
    "some_of",
]

Tensor = Any

_PICK = 1 << 22
"""The stream of the draws that pick images, away from those of labels, splits and orders."""

_LARGEST_BATCH, _SMALLEST_BATCH = 128, 16

_AT_ONCE = 2_048
"""Samples whose images are in memory at a time."""


def some_of(samples: Samples, most: int) -> Samples:
    """At most so many of the samples, drawn by their ids."""
    if len(samples) <= most:
        return samples
    return samples.take(spread_rows(uniform(0, samples.ids, _PICK), most))


def batches_of(samples: Samples, form: ImageForm) -> Iterator[Any]:
    """The images `(n, size, size, channels)` uint8 of samples, in their order."""
    # Large images in small batches: it is the first layers' outputs that fill the memory.
    fits = _LARGEST_BATCH * 64**2 // form.size**2
    size = min(_LARGEST_BATCH, max(_SMALLEST_BATCH, fits))
    for start in range(0, len(samples), _AT_ONCE):
        part = samples.take(np.arange(start, min(start + _AT_ONCE, len(samples))))
        for images, _, _ in evaluation_batches(part, form, batch_size=size):
            yield images


def look_at(
    classifier: keras.Model, network: MapNetwork | None, samples: Samples, form: ImageForm
) -> Looks:
    """What `classifier` says of samples; how its maps agree where it is a `network` of maps."""
    compute = _compiled(_both_views(classifier, network), form)
    parts = [
        tuple(map(ops.convert_to_numpy, compute(batch))) for batch in batches_of(samples, form)
    ]
    return Looks(samples, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def judge_occluded(
    classifier: keras.Model, judged: Looks, form: ImageForm, most: int
) -> tuple[np.ndarray, float, int]:
    """Accuracy `(3, 3)` with each of nine blocks covered, uncovered, and of how many images."""
    rows = spread_rows(uniform(0, judged.samples.ids, _PICK), most)
    samples, places = judged.samples.take(rows), occlusion_places(form.size, form.size)
    predict = _compiled(lambda view: ops.argmax(_logits(classifier, view), axis=-1), form)
    right = np.zeros(len(places))
    start = 0
    for batch in batches_of(samples, form):
        images = batch.numpy()
        labels = samples.given[start : start + len(images)]
        start += len(images)
        for number, place in enumerate(places):
            right[number] += np.sum(predict(covered(images, place)).numpy() == labels)
    uncovered = float(np.mean(judged.predicted[rows] == samples.given))
    return right.reshape(3, 3) / len(samples), uncovered, len(samples)


def features_of(network: keras.Model, samples: Samples, form: ImageForm) -> np.ndarray:
    """The features `(n, F)` that `network` gives of samples."""
    compute = _compiled(lambda images: network(_as_float(images), training=False), form)
    parts = [ops.convert_to_numpy(compute(batch)) for batch in batches_of(samples, form)]
    return np.concatenate(parts)


def _compiled(compute: Callable[[Tensor], Any], form: ImageForm) -> Any:
    """A graph of a function of images `(n, size, size, channels)` uint8, for any n."""
    images = tf.TensorSpec((None, form.size, form.size, form.channels), tf.uint8)
    return tf.function(compute, input_signature=[images], autograph=False)


def _both_views(classifier: keras.Model, network: MapNetwork | None) -> Callable[[Tensor], Any]:
    """Logits of images and of their mirror images, and of their maps agreement and distance."""
    own = network is not None and network.graph.inputs[0] is classifier.inputs[0]

    def look(images: Tensor) -> tuple[Tensor, ...]:
        views = images, ops.flip(images, axis=2)
        if network is None:
            return tuple(_logits(classifier, view) for view in views)
        (front, _, maps), (back, _, back_maps) = map(network.look, views)
        if not own:  # the network is one of two that are judged together
            front, back = (_logits(classifier, view) for view in views)
        turned = ops.flip(back_maps, axis=2)
        return front, back, *likeness(maps, turned, ops.argmax(front, axis=-1))

    return look


def likeness(maps: Tensor, turned: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation `(n,)` of the maps of class `chosen` `(n,)`, and distance `(n,)` of all maps."""
    distance = ops.mean(ops.square(maps - turned), axis=(1, 2, 3))
    pick = ops.one_hot(chosen, maps.shape[-1], dtype=maps.dtype)[:, None, None, :]
    first, second = (ops.sum(view * pick, axis=-1) for view in (maps, turned))
    first, second = (view - ops.mean(view, axis=(1, 2), keepdims=True) for view in (first, second))
    scale = ops.sqrt(
        ops.sum(ops.square(first), axis=(1, 2)) * ops.sum(ops.square(second), axis=(1, 2))
    )
    return ops.sum(first * second, axis=(1, 2)) / scale, distance


def covered(images: np.ndarray, place: tuple[slice, slice]) -> np.ndarray:
    """Images `(n, H, W, c)` uint8 of which one block shows the mean colour of the image."""
    result = images.copy()
    mean = images.mean(axis=(1, 2), keepdims=True).round().astype(np.uint8)
    result[:, place[0], place[1]] = mean
    return result


def _logits(classifier: keras.Model, images: Tensor) -> Tensor:
    return classifier(_as_float(images), training=False)


def _as_float(images: Tensor) -> Tensor:
    return ops.cast(images, "float32")
