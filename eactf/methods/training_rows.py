"""The training samples of a method that chooses among them, found by their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from eactf.data.balance import balanced_order
from eactf.data.pipeline import Share, epoch_order

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
    `shared` gives a data set of shares of batches the form that a strategy wants.
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

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> np.ndarray:
        """The labels as class indices `(N,)`, the likeliest of soft ones."""
        found: np.ndarray = self.labels if self.labels.ndim == 1 else self.labels.argmax(axis=1)
        return found

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
    data: Any, labels: Any = None, *, batch_size: int, seed: int, weights: Any = None
) -> TrainingRows:
    """The training rows of arrays, or of a data set, which is read into memory once.

    `data` are images `(N, H, W, C)` with their `labels`, or a data set that yields `(image, label)`
    or `(image, label, id)` in batches and ends. Without ids a sample's place is its id. Raises
    `ValueError` for other data.
    """
    if isinstance(data, TrainingRows):
        return replace(data, batch_size=batch_size) if batch_size else data
    ids = None
    if isinstance(data, tf.data.Dataset):
        data, labels, ids = _read(data)
    if labels is None:
        raise ValueError(
            "give images and labels, or a data set that yields both; received no labels"
        )
    images, labels = np.asarray(data), np.asarray(labels)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if len(images) != len(labels) or not len(images):
        raise ValueError(
            f"there must be a label for each image, one at least; received {len(images)} images "
            f"and {len(labels)} labels"
        )
    ids = np.arange(len(images)) if ids is None else ids
    with tf.device("CPU:0"):
        stored = tuple(tf.constant(a) for a in (images, labels, ids.astype(np.int32)))

    def take(places: Any) -> Any:
        return tuple(tf.gather(column, places) for column in stored)

    given = None if weights is None else np.asarray(weights, np.float32)
    return TrainingRows(take, ids, labels, batch_size, seed, given)


def _read(data: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    if data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "the data set has no end: give one that yields every training sample once; the method "
            "orders and cuts it anew in every epoch"
        )
    columns = list(zip(*data.as_numpy_iterator(), strict=True))
    if len(columns) not in (2, 3):
        raise ValueError(
            "a data set must yield (image, label) or (image, label, id) in batches; received "
            f"{len(columns)} columns"
        )
    images, labels, *rest = (np.concatenate(column) for column in columns)
    return images, labels, rest[0] if rest else None
