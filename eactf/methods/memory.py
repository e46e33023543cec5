"""`SampleMemory` keeps numbers for each training sample, by id, and is saved with the method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from eactf.methods.faults import require_ids
from eactf.packed.records import MAX_ID

__all__ = ["SampleMemory", "checked_ids"]

Tensor = Any


class SampleMemory(keras.layers.Layer):
    """Columns of numbers, a row for each sample of the training split, found by id.

    `ids` are the samples' ids, or their number n where the ids are 0 to n - 1. `columns` gives each
    column's first value, an int for int32 and a float for float32. Ids may be sparse: rows go by
    the sorted ids, and a batch finds its rows by binary search.
    """

    def __init__(self, ids: Any, columns: Mapping[str, float], name: str = "memory") -> None:
        super().__init__(name=name, dtype="float32")
        ordered = checked_ids(ids)
        self.size = len(ordered)
        self.ids = self._table("ids", ordered)
        self.columns = {
            column: self._table(column, np.full(self.size, first, _dtype(first)))
            for column, first in columns.items()
        }
        self.built = True

    def rows(self, ids: Tensor) -> Tensor:
        """The rows of `ids` `(n,)`, int32. An id that is not remembered is an error, told by id."""
        known = ops.convert_to_tensor(self.ids)
        ids = ops.cast(ids, "int32")
        rows = ops.minimum(tf.searchsorted(known, ids), self.size - 1)
        found = ops.equal(ops.take(known, rows), ids)
        return require_ids(rows, found, ids)

    def read(self, column: str, rows: Tensor) -> Tensor:
        """The values of `column` at `rows`."""
        return ops.take(ops.convert_to_tensor(self.columns[column]), rows)

    def write(self, column: str, rows: Tensor, values: Tensor) -> None:
        """Set `column` at `rows`. With several replicas all must write the same.

        Of a row that is there twice the last value counts.
        """
        table = self.columns[column]
        # A scatter leaves open which of several values wins: make them one.
        last = tf.math.unsorted_segment_max(ops.arange(ops.shape(rows)[0]), rows, self.size)
        values = ops.take(ops.cast(values, table.dtype), ops.take(last, rows))
        written = tf.tensor_scatter_nd_update(ops.convert_to_tensor(table), rows[:, None], values)
        table.assign(written)

    def set(self, column: str, values: np.ndarray) -> None:
        """Set the whole of `column`, in the order of the ids; outside a step."""
        self.columns[column].assign(values)

    def table(self, *columns: str) -> dict[str, np.ndarray]:
        """`id` and the named columns as arrays, in the order of the ids."""
        named = {"id": self.ids, **{column: self.columns[column] for column in columns}}
        return {name: np.array(keras.ops.convert_to_numpy(v)) for name, v in named.items()}

    def _table(self, name: str, values: np.ndarray) -> Any:
        return self.add_weight(
            shape=values.shape,
            dtype=str(values.dtype),
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(values),
            trainable=False,
            name=name,
            # Every replica writes the same values: one of them is the truth.
            aggregation="only_first_replica",
        )


def checked_ids(ids: Any) -> np.ndarray:
    """Sorted int32 ids of `ids`, an array or a number; `ValueError` where they do not serve."""
    if isinstance(ids, (int, np.integer)):
        ids = np.arange(int(ids))
    array = np.asarray(ids)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise ValueError(
            "ids must be the number of training samples or an array (n,) of integers; received "
            f"shape {array.shape}, {array.dtype}"
        )
    ordered = np.unique(array)
    if len(ordered) < len(array) or ordered[0] < 0 or ordered[-1] > MAX_ID:
        raise ValueError(f"ids must be unique and within 0..{MAX_ID}")
    return ordered.astype(np.int32)


def _dtype(first: float) -> str:
    return "float32" if isinstance(first, float) else "int32"
