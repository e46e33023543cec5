"""What a trained network makes of the images of its run, once for all sections of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from eactf import console
from eactf.data.pipeline import ImageForm, evaluation_batches
from eactf.errors import DataError
from eactf.evaluation.storage import find_classifier, open_classifier_file
from eactf.packed.hashing import uniform
from eactf.packed.records import Samples
from eactf.report.page.allowance import Allowance, allow, multiply_adds
from eactf.report.page.facts import RunFacts
from eactf.report.page.images import RunImages, run_images
from eactf.report.page.looks import Looks, occlusion_places, spread_rows
from eactf.report.page.network import MapNetwork, open_for_maps

__all__ = ["Evidence", "find_evidence"]

Tensor = Any

MOST_POINTS = 1_200
"""So many features are laid out in the plane."""

_PICK = 1 << 22
"""The stream of the draws that pick images, away from those of labels, splits and orders."""

_LARGEST_BATCH, _SMALLEST_BATCH = 128, 16

_AT_ONCE = 2_048
"""Samples whose images are in memory at a time."""


@dataclass(frozen=True)
class Evidence:
    """A run's network and what it says of the images that the run was trained and judged on.

    `occluded` `(3, 3)` is the share that it predicts rightly of `occluded_images` of the judged
    images where one of nine blocks is covered, `uncovered` that of the same images whole. `points`
    are the training images whose `features` `(n, C)` are here, None where the network
    has none to show. `remarks` are sentences.
    """

    images: RunImages
    train: Looks
    judged: Looks
    occluded: np.ndarray
    uncovered: float
    occluded_images: int
    points: Samples
    features: np.ndarray | None
    form: ImageForm
    network: MapNetwork | None
    remarks: tuple[str, ...]

    def maps(self, samples: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images `(n, H, W, c)`, their maps `(n, h, w, L)`, and their mirror images' maps.

        Few samples at a time; `ValueError` where the network has no maps.
        """
        if self.network is None:
            raise ValueError("a network without maps")
        images = np.concatenate([batch.numpy() for batch in _batches(samples, self.form)])
        maps = self.network.look(images)[2]
        mirrored = self.network.look(images[:, :, ::-1])[2]
        return images, ops.convert_to_numpy(maps), ops.convert_to_numpy(mirrored)


def find_evidence(facts: RunFacts, *, every: bool = False) -> Evidence:
    """Open a run's network and look at its images, at `every` one whatever that costs.

    Raises an `EactfError` where network or images are gone.
    """
    stored = open_classifier_file(find_classifier(facts.folder))
    images = run_images(facts)
    if stored.classes != len(images.class_names):
        raise DataError(
            f"the network tells {stored.classes} classes apart, its data has "
            f"{len(images.class_names)}"
        )
    network, remarks = _for_maps(facts, stored.model)
    height, _, channels = stored.model.input_shape[1:]
    form = ImageForm(height or images.train.images.shape[1], channels)
    counts = len(images.train), len(images.judged)
    free = every or tf.config.list_logical_devices("GPU")
    allowed = allow(*counts, 0.0 if free else multiply_adds(stored.model))
    train = _look(stored.model, network, _some(images.train, allowed.train), form)
    judged = _look(stored.model, network, _some(images.judged, allowed.judged), form)
    covered = _occluded(stored.model, judged, form, allowed.occluded)
    points = _some(train.samples, MOST_POINTS)
    features = None if network is None else _features(network, points, form)
    remarks += _told(counts, allowed)
    return Evidence(
        *(images, train, judged, *covered, points, features, form, network),
        remarks=(*images.remarks, *remarks),
    )


def _some(samples: Samples, most: int) -> Samples:
    """At most so many of the samples, drawn by their ids."""
    if len(samples) <= most:
        return samples
    return samples.take(spread_rows(uniform(0, samples.ids, _PICK), most))


def _told(counts: tuple[int, int], allowed: Allowance) -> list[str]:
    """What the user has to know where not all images are looked at."""
    if (allowed.train, allowed.judged) == counts:
        return []
    return [
        f"The network is large for this machine: {allowed.train:,} of {counts[0]:,} training images"
        f" and {allowed.judged:,} of {counts[1]:,} judged ones were looked at, drawn by chance. "
        "Figures of single images are of these. All of them: eactf report --all."
    ]


def _for_maps(facts: RunFacts, classifier: keras.Model) -> tuple[MapNetwork | None, list[str]]:
    """The network whose maps are shown; of two networks, which are judged together, the first."""
    first = facts.folder / "network-1.keras"
    try:
        if not first.is_file():
            return open_for_maps(classifier), []
        told = "Maps and features are those of the first of its two networks (network-1.keras)."
        return open_for_maps(open_classifier_file(first).model), [told]
    except DataError as reason:
        console.warn(f"{facts.folder}: no maps, {reason.message}")
        return None, [f"The network has no maps to show: {reason.message}."]


def _batches(samples: Samples, form: ImageForm) -> Iterator[Any]:
    """The images `(n, size, size, channels)` uint8 of samples, in their order."""
    # Large images in small batches: it is the first layers' outputs that fill the memory.
    fits = _LARGEST_BATCH * 64**2 // form.size**2
    size = min(_LARGEST_BATCH, max(_SMALLEST_BATCH, fits))
    for start in range(0, len(samples), _AT_ONCE):
        part = samples.take(np.arange(start, min(start + _AT_ONCE, len(samples))))
        for images, _, _ in evaluation_batches(part, form, batch_size=size):
            yield images


def _compiled(compute: Callable[[Tensor], Any], form: ImageForm) -> Any:
    """A graph of a function of images `(n, size, size, channels)` uint8, for any n."""
    images = tf.TensorSpec((None, form.size, form.size, form.channels), tf.uint8)
    return tf.function(compute, input_signature=[images], autograph=False)


def _look(
    classifier: keras.Model, network: MapNetwork | None, samples: Samples, form: ImageForm
) -> Looks:
    compute = _compiled(_both_views(classifier, network), form)
    parts = [tuple(map(ops.convert_to_numpy, compute(batch))) for batch in _batches(samples, form)]
    return Looks(samples, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def _both_views(classifier: keras.Model, network: MapNetwork | None) -> Callable[[Tensor], Any]:
    """Logits of images and of their mirror images, and of their maps agreement and distance."""
    own = network is not None and network.graph.inputs[0] is classifier.inputs[0]

    def look(images: Tensor) -> tuple[Tensor, ...]:
        mirrored = ops.flip(images, axis=2)
        if network is None:
            return tuple(_logits(classifier, view) for view in (images, mirrored))
        (logits, _, maps), (turned, _, turned_maps) = map(network.look, (images, mirrored))
        chosen = ops.argmax(logits, axis=-1)
        likeness = _likeness(maps, ops.flip(turned_maps, axis=2), chosen)
        if not own:
            logits, turned = (_logits(classifier, view) for view in (images, mirrored))
        return logits, turned, *likeness

    return look


def _logits(classifier: keras.Model, images: Tensor) -> Tensor:
    return classifier(ops.cast(images, "float32"), training=False)


def _likeness(maps: Tensor, turned: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation `(n,)` of the maps of class `chosen` `(n,)`, and distance `(n,)` of all maps."""
    distance = ops.mean(ops.square(maps - turned), axis=(1, 2, 3))
    pick = ops.one_hot(chosen, maps.shape[-1], dtype=maps.dtype)[:, None, None, :]
    first, second = (ops.sum(view * pick, axis=-1) for view in (maps, turned))
    first, second = (view - ops.mean(view, axis=(1, 2), keepdims=True) for view in (first, second))
    scale = ops.sqrt(
        ops.sum(ops.square(first), axis=(1, 2)) * ops.sum(ops.square(second), axis=(1, 2))
    )
    return ops.sum(first * second, axis=(1, 2)) / scale, distance


def _occluded(
    classifier: keras.Model, judged: Looks, form: ImageForm, most: int
) -> tuple[np.ndarray, float, int]:
    """Accuracy `(3, 3)` with each of nine blocks covered, uncovered, and of how many images."""
    rows = spread_rows(uniform(0, judged.samples.ids, _PICK), most)
    samples, places = judged.samples.take(rows), occlusion_places(form.size, form.size)
    predict = _compiled(lambda view: ops.argmax(_logits(classifier, view), axis=-1), form)
    right = np.zeros(len(places))
    start = 0
    for batch in _batches(samples, form):
        images = batch.numpy()
        labels = samples.given[start : start + len(images)]
        start += len(images)
        for number, place in enumerate(places):
            right[number] += np.sum(predict(_covered(images, place)).numpy() == labels)
    uncovered = float(np.mean(judged.predicted[rows] == samples.given))
    return right.reshape(3, 3) / len(samples), uncovered, len(samples)


def _covered(images: np.ndarray, place: tuple[slice, slice]) -> np.ndarray:
    """Images `(n, H, W, c)` uint8 of which one block shows the mean colour of the image."""
    covered = images.copy()
    mean = images.mean(axis=(1, 2), keepdims=True).round().astype(np.uint8)
    covered[:, place[0], place[1]] = mean
    return covered


def _features(network: MapNetwork, samples: Samples, form: ImageForm) -> np.ndarray:
    compute = _compiled(lambda images: network.look(images)[1], form)
    parts = [ops.convert_to_numpy(compute(batch)) for batch in _batches(samples, form)]
    return np.concatenate(parts)
