"""A trained classifier looks at labelled images once more, as they are and mirrored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from eactf import losses
from eactf.data.pipeline import ImageForm, evaluation_batches
from eactf.nn.classifier import open_classifier
from eactf.packed.records import Samples

__all__ = ["SecondLook", "look_again"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SecondLook:
    """What a classifier says of n images and of their mirror images.

    `probabilities` `(n, classes)` float64 are the mean of both. `map_change` `(n,)` is how far the
    class activation maps of the two are apart, the mean square over positions and classes (EAC's
    consistency loss of the one image); nan throughout where the classifier has no such maps.
    """

    probabilities: np.ndarray
    map_change: np.ndarray


def look_again(
    model: keras.Model, samples: Samples, *, batch_size: int, progress: Progress | None = None
) -> SecondLook:
    """Pass `samples` and their mirror images through `model`, which gives logits."""
    height, _, channels = model.input_shape[1:]
    form = ImageForm(height or samples.images.shape[1], channels)
    look = tf.function(_look(model), reduce_retracing=True)
    probabilities, changes, done = [], [], 0
    for images, *_ in evaluation_batches(samples, form, batch_size=batch_size):
        of_both, change = look(images)
        probabilities.append(of_both.numpy().astype(np.float64))
        changes.append(change.numpy())
        done += len(probabilities[-1])
        if progress is not None:
            progress(done, len(samples))
    return SecondLook(np.concatenate(probabilities), np.concatenate(changes))


def _look(model: keras.Model) -> Callable[[Any], tuple[Any, Any]]:
    try:
        opened = open_classifier(model)
    except ValueError:  # two networks' sum, or a foreign end: there are no maps to compare
        return lambda images: _without_maps(model, images)
    kernel = ops.cast(opened.head.kernel, "float32")

    def look(images: Any) -> tuple[Any, Any]:
        images = tf.cast(images, tf.float32)
        outputs = [opened.network(view) for view in (images, tf.reverse(images, axis=[2]))]
        maps = [losses.class_activation_maps(ops.cast(f, "float32"), kernel) for f, _ in outputs]
        change = ops.mean(ops.square(maps[0] - ops.flip(maps[1], axis=2)), axis=(1, 2, 3))
        return sum(tf.nn.softmax(logits) for _, logits in outputs) / 2.0, change

    return look


def _without_maps(model: keras.Model, images: Any) -> tuple[Any, Any]:
    images = tf.cast(images, tf.float32)
    views = (images, tf.reverse(images, axis=[2]))
    both = sum(tf.nn.softmax(model(view)) for view in views) / 2.0
    return both, tf.fill(tf.shape(both)[:1], float("nan"))
