"""The training samples of a method that chooses among them, found by their places."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from eactf.data.balance import balanced_order
from eactf.data.pipeline import Share, epoch_order
from eactf.methods.batch import Columns, columns

__all__ = ["Phase", "TrainingRows", "rows_of"]

Tensor = Any

_Shared = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Phase:
    """A part of an epoch, in which one network is trained.

    `labelled` are the places of the samples whose labels are used, in the order in which they come,
    `batch_size` in a step, fewer in the last one. `unlabelled` are those whose labels are not, in
    order, as many a step; None where a step takes plain labelled batches, and empty where there are
    none to take. `clean` `(N,)` float32 is how likely each sample's label is clean.
    """

    network: int
    labelled: np.ndarray
    batch_size: int
    unlabelled: np.ndarray | None = None
    clean: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """Steps of the phase."""
        return -(-len(self.labelled) // self.batch_size)

    @property
    def images(self) -> int:
        """How many images its steps take."""
        return len(self.labelled) + (0 if self.unlabelled is None else len(self.unlabelled))


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """All training samples, found by place; row `i` of every array is the same sample.

    `take` gives images, labels and ids of places `(n,)`, within a data set of TensorFlow. `labels`
    is `(N,)` class indices or `(N, C)` soft labels, `weights` `(N,)` float32 how much each counts.
    `shared` gives a data set of shares of batches the form that a strategy wants. `of_images` is a
    checksum of the images where they are in memory.
    """

    take: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
    ids: np.ndarray
    labels: np.ndarray
    batch_size: int
    seed: int = 0
    weights: np.ndarray | None = None
    balance: str = "none"
    shared: _Shared | None = None
    steps_of_a_pass: int | None = None
    of_images: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> np.ndarray:
        """The labels as class indices `(N,)`, the likeliest of soft ones."""
        found: np.ndarray = self.labels if self.labels.ndim == 1 else self.labels.argmax(axis=1)
        return found

    @cached_property
    def digest(self) -> int:
        """A checksum of the labels, and of the images where that is known."""
        return zlib.crc32(np.ascontiguousarray(self.labels).data, self.of_images)

    def order(self, places: np.ndarray, epoch: int, stream: int = 0) -> np.ndarray:
        """`places` `(n,)` in the order of an epoch, balanced as `balance` says."""
        order = epoch_order(len(places), self.seed, epoch, stream)
        if self.balance != "none":
            seed = self.seed + (stream << 32)
            order = balanced_order(self.classes[places], seed, epoch, self.balance)
        return np.asarray(places[order])

    def cycled(self, places: np.ndarray, count: int, epoch: int, stream: int) -> np.ndarray:
        """`count` of `places`, which come over and over, each round in an order of its own."""
        if not len(places):
            return places
        rounds = -(-count // len(places))
        orders = [
            places[epoch_order(len(places), self.seed, epoch, stream + (turn << 8))]
            for turn in range(rounds)
        ]
        return np.concatenate([*orders, places[:0]])[:count]

    def in_order(self, chosen: np.ndarray | None = None) -> tuple[Any, int | None]:
        """Batches `(image, label, id)` of all samples in order, and their steps if they have to be
        told; of the places `chosen` `(n,)` alone where they are given."""

        def batches(share: Share | None) -> tf.data.Dataset:
            every = tf.data.Dataset.range(len(self))
            ordered = every if chosen is None else tf.data.Dataset.from_tensor_slices(chosen)
            places = ordered.batch(self.batch_size)
            if share is not None:
                places = share.of_each(places.repeat())
            taken = places.map(self.take, num_parallel_calls=tf.data.AUTOTUNE)
            return taken.prefetch(tf.data.AUTOTUNE)

        if self.steps_of_a_pass is None or self.shared is None:
            return batches(None), None
        steps = self.steps_of_a_pass if chosen is None else -(-len(chosen) // self.batch_size)
        return self.shared(batches, in_turn=True), steps

    def batches(self, phases: Sequence[Phase], first_step: int, strategy: Any) -> Any:
        """What the steps of an epoch take, from `first_step` on, in the form that Keras fits.

        A step takes `(image, label, id)`, with the weight where there are any, of labelled samples.
        In a phase with `unlabelled` it takes such columns, the clean probability `(n,)` of each,
        and `(image, id)` of the unlabelled ones: their labels go nowhere.
        """

        def batches(share: Share | None) -> tf.data.Dataset:
            whole, skipped = None, first_step
            for phase in phases:
                part = self._batches_of(phase, min(skipped, phase.steps), share)
                whole = part if whole is None else whole.concatenate(part)
                skipped = max(skipped - phase.steps, 0)
            assert whole is not None
            if share is not None:
                endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
                whole = whole.repeat().apply(endless)
            return whole.prefetch(tf.data.AUTOTUNE)

        if self.shared is not None and self.steps_of_a_pass is not None:
            return self.shared(batches)
        replicas = int(strategy.num_replicas_in_sync)
        if replicas == 1:
            return batches(None)
        # The parts of a step have sizes of their own, which Keras' own split does not take.
        share = Share(tuple(range(replicas)), replicas)
        return strategy.distribute_datasets_from_function(lambda context: batches(share))

    def _batches_of(self, phase: Phase, first_step: int, share: Share | None) -> tf.data.Dataset:
        with tf.device("CPU:0"):
            columns = [tf.constant(phase.labelled)]
            if phase.unlabelled is not None:
                columns.append(tf.constant(phase.unlabelled.astype(np.int64)))
            weights = None if self.weights is None else tf.constant(self.weights)
            clean = None if phase.clean is None else tf.constant(phase.clean.astype(np.float32))

        def cut(step: Any) -> Any:
            first = step * phase.batch_size
            places = [column[first : first + phase.batch_size] for column in columns]
            return tuple(places) if len(places) > 1 else places[0]

        def gather(labelled: Any, *unlabelled: Any) -> Any:
            known: Any = self.take(labelled)
            if weights is not None:
                known = (*known, tf.gather(weights, labelled))
            if not unlabelled:
                return known
            images, _, ids = self.take(unlabelled[0])
            ones = tf.ones_like(known[2], tf.float32)
            return known, ones if clean is None else tf.gather(clean, labelled), (images, ids)

        places = tf.data.Dataset.range(first_step, phase.steps).map(cut)
        if share is not None:
            places = places.flat_map(share.split)
        return places.map(gather, num_parallel_calls=tf.data.AUTOTUNE)


def rows_of(
    data: Any, labels: Any = None, *, batch_size: int | None, seed: int, weights: Any = None
) -> TrainingRows:
    """The training rows of arrays, or of a data set, which is read into memory once.

    `data` are images `(N, H, W, C)` with their `labels` and `weights` `(N,)`, if any, or a data set
    that yields columns as `columns` takes them, in batches, and ends. Without ids a sample's place
    is its id. `batch_size` defaults to 32, of rows that are rows already to their own. Raises
    `ValueError` for other data, and for a batch size that is not a whole number above 0.
    """
    size = batch_size if batch_size is not None else getattr(data, "batch_size", _BATCH)
    if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
        raise ValueError(f"batch_size must be a whole number above 0; received {size!r}")
    if isinstance(data, (TrainingRows, tf.data.Dataset)) and not (
        labels is None and weights is None
    ):
        raise ValueError("a data set has labels and weights of its own: give fit none beside it")
    if isinstance(data, TrainingRows):
        return replace(data, batch_size=int(size))
    if isinstance(data, tf.data.Dataset):
        found = _read(data)
    elif labels is None:
        raise ValueError(
            "give images and labels, or a data set that yields both; received no labels"
        )
    else:
        images, labels = np.asarray(data), np.asarray(labels)
        found = columns((images, labels, np.arange(len(images)), weights))
    return _rows(found, int(size), seed)


_BATCH = 32


def _rows(found: Columns, batch_size: int, seed: int) -> TrainingRows:
    """Rows of whole columns, arrays each."""
    images, labels = np.asarray(found.images), np.asarray(found.labels)
    ids = np.arange(len(images)) if found.ids is None else np.asarray(found.ids)
    weights = None if found.weights is None else np.asarray(found.weights, np.float32)
    lengths = {len(images), len(labels), len(ids), len(images if weights is None else weights)}
    if len(lengths) > 1 or not len(images):
        told = "" if weights is None else f" and {len(weights)} weights"
        raise ValueError(
            "there must be a label for each image, a weight where there are any, and one image at "
            f"least; received {len(images)} images, {len(labels)} labels{told}"
        )
    with tf.device("CPU:0"):
        stored = tuple(tf.constant(a) for a in (images, labels, ids.astype(np.int32)))

    def take(places: Any) -> Any:
        return tuple(tf.gather(column, places) for column in stored)

    checksum = zlib.crc32(np.ascontiguousarray(images).data)
    return TrainingRows(take, ids, labels, batch_size, seed, weights, of_images=checksum)


def _read(data: tf.data.Dataset) -> Columns:
    """All columns of a data set, whole."""
    if data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "the data set has no end: give one that yields every training sample once; the method "
            "orders and cuts it anew in every epoch"
        )
    shapes = [spec.shape for spec in tf.nest.flatten(data.element_spec)]
    if shapes and shapes[0].rank not in (None, 4):
        raise ValueError(
            "the data set must yield batches, images of (n, height, width, channels): call "
            f".batch(...) on it; received images of {shapes[0]}"
        )
    whole = tuple(np.concatenate(c) for c in zip(*data.as_numpy_iterator(), strict=True))
    if not whole:
        raise ValueError("the data set is empty: give one that yields every training sample once")
    return columns(whole)
