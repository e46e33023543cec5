"""This module feeds samples to TensorFlow batch by batch, in an order that depends on the seed.

The order of an epoch is a pure function of (seed, epoch): a run that stops and goes on sees what
an uninterrupted one sees, which `shuffle()` does not give. Images stay uint8 until the device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from eactf.data.balance import balanced_order
from eactf.packed.hashing import uniform
from eactf.packed.image_rows import ImageRows
from eactf.packed.records import Samples

__all__ = [
    "ImageForm",
    "ImageSource",
    "Share",
    "epoch_order",
    "evaluation_batches",
    "steps_per_epoch",
    "training_batches",
]

Labels = np.ndarray | Mapping[str, np.ndarray]
"""A row a sample, or several columns of rows by name."""

_IN_MEMORY_BYTES = 2 * 2**30
"""Images up to this size are gathered by TensorFlow from memory; larger ones from the file."""


@dataclass(frozen=True)
class ImageForm:
    """The form in which a network takes images: side in pixels, and 1 or 3 channels."""

    size: int
    channels: int


@dataclass(frozen=True)
class Share:
    """The parts of every batch that one of several workers reads, in the order of its devices.

    A batch of n is cut into `of` parts of neighbouring samples, sizes one apart at most; those
    numbered in `parts` come one after the other, empty ones included.
    """

    parts: tuple[int, ...]
    of: int

    def of_each(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """The parts of batches that come without end; give their number a pass with it.

        Of what might end the workers would ask each other before every step whether it has.
        """
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return batches.flat_map(self.split).apply(endless)

    def split(self, *columns: Any) -> tf.data.Dataset:
        """The positions `(n,)` of a batch, or of several, as those of each part."""

        def part(number: Any) -> Any:
            cut = [self._part(column, number) for column in columns]
            return tuple(cut) if len(cut) > 1 else cut[0]

        numbers = tf.constant(self.parts, tf.int64)
        return tf.data.Dataset.from_tensor_slices(numbers).map(part)

    def _part(self, rows: Any, number: Any) -> Any:
        count = tf.size(rows, tf.int64)
        return rows[count * number // self.of : count * (number + 1) // self.of]


def training_batches(
    samples: Samples,
    form: ImageForm,
    *,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
    balance: str = "none",
    balance_from: int = 1,
    first_step: int = 0,
    share: Share | None = None,
    labels: Labels | None = None,
) -> tf.data.Dataset:
    """Batches `(image, label, id)` of epoch `first_epoch`, the next one, and so on without end.

    `first_step` batches of the first of them are left out: they were taken before.

    Give `fit` `steps_per_epoch(...)` with it. Images are `(n, size, size, channels)` uint8, labels
    `(n,)` int64 or, where the samples have soft labels, `(n, classes)` float32, ids `(n,)` int32.
    The last batch of an epoch may be smaller. With a `balance` (`data.balance`) an epoch has some
    samples several times and others not at all, from the epoch `balance_from` on, counted from 1.
    With a `share` only that of each batch is read. Other `labels`, a row a sample, or several by
    name for methods that are taught them, stand where they are given in the place of the samples'.
    """
    count = len(samples)

    def positions(epoch: Any) -> np.ndarray:
        if balance == "none" or epoch + 1 < balance_from:
            return epoch_order(count, seed, int(epoch))
        return balanced_order(samples.given, seed, int(epoch), balance)

    def order(epoch: Any) -> Any:
        drawn = tf.numpy_function(positions, [epoch], tf.int64)
        return tf.data.Dataset.from_tensor_slices(tf.ensure_shape(drawn, [count])).batch(batch_size)

    batches = tf.data.Dataset.range(first_epoch, _NO_END).flat_map(order).skip(first_step)
    if share is not None:
        batches = share.of_each(batches)
    return _gathered(batches, ImageSource(samples, form, labels))


def evaluation_batches(
    samples: Samples,
    form: ImageForm,
    *,
    batch_size: int,
    labels: Labels | None = None,
    share: Share | None = None,
) -> tf.data.Dataset:
    """Batches `(image, label, id)` once, in stored order; `labels` default to the given ones.

    With a `share` only that of each batch is read, over and over: give `steps_per_epoch(...)`.
    """
    batches = tf.data.Dataset.range(len(samples)).batch(batch_size)
    if share is not None:
        batches = share.of_each(batches.repeat())
    source = ImageSource(samples, form, samples.given if labels is None else labels)
    return _gathered(batches, source)


def epoch_order(count: int, seed: int, epoch: int, stream: int = 0) -> np.ndarray:
    """The permutation of `count` positions in an epoch, int64: a pure function of its arguments.

    Each `stream` has orders of its own.
    """
    draw = _ORDER + epoch + _ORDERS_OF_A_STREAM * stream
    return np.argsort(uniform(seed, np.arange(count), draw), kind="stable")


_NO_END = 1 << 40

_ORDER = 1 << 20
"""Stream numbers of the orders start here, away from those of label noise and splits."""

_ORDERS_OF_A_STREAM = 1 << 32


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Steps of an epoch, the smaller last one included."""
    return -(-count // batch_size)


class ImageSource:
    """The samples of a split as a network takes them, found by their positions.

    `labels` default to the soft labels of the samples, where they have any, else to the given ones.
    Several by name come by name.
    """

    def __init__(self, samples: Samples, form: ImageForm, labels: Labels | None = None) -> None:
        if labels is None:
            labels = samples.given if samples.targets is None else samples.targets
        self._gather, self._form = _image_gatherer(samples.images), form
        with tf.device("CPU:0"):
            self._labels = tf.nest.map_structure(tf.constant, labels)
            self._ids = tf.constant(samples.ids.astype(np.int32))

    def take(self, rows: Any) -> tuple[Any, Any, Any]:
        """Image, label and id of the samples at positions `(n,)`."""
        images = _formed(self._gather(rows), self._form)
        labels = tf.nest.map_structure(lambda column: tf.gather(column, rows), self._labels)
        return images, labels, tf.gather(self._ids, rows)


def _gathered(batches: Any, source: ImageSource) -> Any:
    taken = batches.map(source.take, num_parallel_calls=tf.data.AUTOTUNE)
    return taken.prefetch(tf.data.AUTOTUNE)


def _image_gatherer(images: np.ndarray | ImageRows) -> Any:
    if images.nbytes <= _IN_MEMORY_BYTES:
        with tf.device("CPU:0"):
            stored = tf.constant(np.asarray(images))
        return lambda rows: tf.gather(stored, rows)

    def read(rows: Any) -> Any:
        # Sorted reads walk the file forwards; the batch goes back into its order afterwards.
        ascending = np.argsort(rows, kind="stable")
        batch = np.empty((len(rows), *images.shape[1:]), np.uint8)
        batch[ascending] = images[rows[ascending]]
        return batch

    def gather(rows: Any) -> Any:
        batch = tf.numpy_function(read, [rows], tf.uint8)
        return tf.ensure_shape(batch, [None, *images.shape[1:]])

    return gather


def _formed(images: Any, form: ImageForm) -> Any:
    """Images in the network's size and channels, uint8. Colour to grey by ITU-R 601 luma."""
    stored = images.shape[-1]
    if stored != form.channels:
        convert = tf.image.grayscale_to_rgb if stored == 1 else tf.image.rgb_to_grayscale
        images = convert(images)
    if images.shape[1:3] != (form.size, form.size):
        # Only shrinking aliases, and the smoothing filter costs four times the resize.
        shrinks = max(images.shape[1:3]) > form.size
        resized = tf.image.resize(images, (form.size, form.size), antialias=shrinks)
        images = tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)
    return tf.ensure_shape(images, [None, form.size, form.size, form.channels])
