"""What the data set yields, as one device's part of a batch: images, labels, ids, weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import tensorflow as tf

__all__ = ["Batch", "Columns", "columns", "pad_rows"]

Tensor = Any


@dataclass(frozen=True)
class Batch:
    """One replica's part of a batch.

    `images` is `(n, H, W, C)` float32, `labels` `(n,)` class indices or `(n, L)` soft labels,
    `ids` `(n,)` int32 or None. `first` is the place of its first sample in the global batch.
    `count` is n as the data set gave it, 0 for a replica that got nothing (its single blank image
    is there only to keep the kernels running); `share` is `count` over the global batch's count:
    the weight of this replica's mean in the global mean. `weights` `(n,)` float32 says how much
    each sample's label counts, None where the data set says nothing of it. `targets` are all the
    labels and numbers of a sample by name, for methods that are taught more than `labels`.
    """

    images: Tensor
    labels: Tensor
    ids: Tensor | None
    first: Tensor
    count: Tensor
    share: Tensor
    weights: Tensor | None = None
    targets: Mapping[str, Tensor] | None = None

    def real(self, rows: Tensor) -> Tensor:
        """`rows` without the blank one."""
        return rows[: self.count]


class Columns(NamedTuple):
    """What a data set yielded; `ids` and `weights` are None where there are none."""

    images: Tensor
    labels: Tensor
    ids: Tensor | None
    weights: Tensor | None


def columns(data: Any) -> Columns:
    """The columns of what a data set yielded.

    They are `(image, label)`, `(image, label, id)` or `(image, label, id, weight)`. Keras itself,
    given arrays with `sample_weight`, yields `(image, label, weight)`: a third column of integers
    is ids, one of floats is weights. Raises `ValueError` for anything else.
    """
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3, 4):
        raise ValueError(
            "a data set must yield (image, label), (image, label, id) or (image, label, id, "
            f"weight); received "
            f"{len(data) if isinstance(data, (tuple, list)) else type(data).__name__}"
        )
    images, labels, *rest = data
    if len(labels.shape) == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    third, fourth = (*rest, None, None)[:2]
    if len(data) == 3 and third is not None and not _are_integers(third):
        third, fourth = None, third
    if third is not None and not _are_integers(third):
        raise ValueError(
            "the third of four columns is the samples' ids, integers, and the fourth their "
            f"weights; received {keras.backend.standardize_dtype(third.dtype)}"
        )
    return Columns(images, labels, third, None if fourth is None else _one_a_row(fourth))


def _are_integers(column: Tensor) -> bool:
    return bool(keras.backend.is_int_dtype(column.dtype))


def _one_a_row(weights: Tensor) -> Tensor:
    """Weights `(n,)` in float32; `ValueError` for other shapes than `(n,)` and `(n, 1)`."""
    if len(weights.shape) == 2 and weights.shape[1] == 1:
        weights = weights[:, 0]
    if len(weights.shape) != 1:
        raise ValueError(f"weights must be one a sample, (n,); received shape {weights.shape}")
    return tf.cast(weights, tf.float32)


def pad_rows(rows: Tensor, padding: Tensor) -> Tensor:
    """`rows` with `padding` rows of noughts behind them."""
    if isinstance(padding, int) and padding == 0:
        return rows
    # Not `tf.pad`: oneDNN merges that with a convolution behind it and then forgets the rows.
    shape = tf.concat([[padding], tf.shape(rows)[1:]], axis=0)
    return tf.concat([rows, tf.zeros(shape, rows.dtype)], axis=0)
