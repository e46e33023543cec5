"""What the data set yields, as one device's part of a batch: images, labels, ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

__all__ = ["Batch", "columns", "pad_rows"]

Tensor = Any


@dataclass(frozen=True)
class Batch:
    """One replica's part of a batch.

    `images` is `(n, H, W, C)` float32, `labels` `(n,)` class indices or `(n, L)` soft labels,
    `ids` `(n,)` int32 or None. `first` is the place of its first sample in the global batch.
    `count` is n as the data set gave it, 0 for a replica that got nothing (its single blank image
    is there only to keep the kernels running); `share` is `count` over the global batch's count:
    the weight of this replica's mean in the global mean.
    """

    images: Tensor
    labels: Tensor
    ids: Tensor | None
    first: Tensor
    count: Tensor
    share: Tensor

    def real(self, rows: Tensor) -> Tensor:
        """`rows` without the blank one."""
        return rows[: self.count]


def columns(data: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """Images, labels and ids (None where there are none) of what a data set yielded.

    Raises `ValueError` for anything but `(image, label)` and `(image, label, id)`.
    """
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(
            "a training data set must yield (image, label) or (image, label, id); received "
            f"{len(data) if isinstance(data, (tuple, list)) else type(data).__name__}"
        )
    images, labels, *rest = data
    if len(labels.shape) == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    ids = rest[0] if rest else None
    if ids is not None and not keras.backend.is_int_dtype(ids.dtype):
        # Keras puts sample_weight and class_weight in this place.
        raise ValueError(
            "the third column is the samples' ids, integers (sample and class weights are not "
            f"taken); received {keras.backend.standardize_dtype(ids.dtype)}"
        )
    return images, labels, ids


def pad_rows(rows: Tensor, padding: Tensor) -> Tensor:
    """`rows` with `padding` rows of noughts behind them."""
    if isinstance(padding, int) and padding == 0:
        return rows
    return tf.pad(rows, [[0, padding]] + [[0, 0]] * (len(rows.shape) - 1))
