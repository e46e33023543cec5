"""What losses take: arrays of any number type, in the shapes and ranges that are documented."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from keras import backend, ops

__all__ = [
    "check_number",
    "check_shape",
    "checked_labels",
    "checked_permutation",
    "checked_prior",
    "known_one_hot",
    "number_of",
    "raised",
]

Tensor = Any


def checked_labels(labels: Tensor, count: int | None, classes: int) -> Tensor:
    """Labels as a tensor: `(count,)` class indices or `(count, classes)` soft labels."""
    labels = ops.convert_to_tensor(labels)
    expected = f"labels must be (n,) class indices or (n, {classes}) soft labels"
    if count is not None:
        expected += f", n = {count}"
    check_shape(expected, labels, (count,), (count, classes))
    return labels


def checked_permutation(permutation: Tensor, count: int | None, what: str) -> Tensor:
    """A permutation `(count,)` of the rows of `what`, as int32."""
    permutation = ops.convert_to_tensor(permutation)
    if not backend.is_int_dtype(permutation.dtype):
        received = backend.standardize_dtype(permutation.dtype)
        raise ValueError(f"permutation must be of integers; received {received}")
    expected = f"permutation must be of shape ({count},), a place for each row of {what}"
    check_shape(expected, permutation, (count,))
    return ops.cast(permutation, "int32")  # no gather takes indices of every integer type


def checked_prior(prior: Tensor, classes: int | None, dtype: str) -> Tensor:
    """How often each class is, `(classes,)`, as counts or shares; refused where no class is."""
    if isinstance(prior, (list, tuple, np.ndarray)):
        numbers = np.asarray(prior, "float64")
        if not (np.isfinite(numbers) & (numbers >= 0)).all() or not numbers.any():
            raise ValueError(f"prior must be of numbers >= 0, not all 0; received {prior!r}")
    prior = ops.cast(ops.convert_to_tensor(prior), dtype)
    check_shape(f"prior must be ({classes},)", prior, (classes,))
    return prior


def known_one_hot(labels: Tensor, classes: int, dtype: str) -> tuple[Tensor, Tensor]:
    """Which labels `(N,)` are classes, `(N,)` bool, and their rows `(N, L)`, noughts if not."""
    index = ops.cast(labels, "int64")  # holds every class, as the labels' own type may not
    is_whole = ops.equal(labels, index)
    known = ops.logical_and(is_whole, ops.logical_and(index >= 0, index < classes))
    return known, ops.one_hot(index, classes, dtype=dtype)


def raised(*arrays: Tensor) -> list[Tensor]:
    """The arrays as tensors of one dtype: the widest of theirs, at least float32."""
    tensors = [ops.convert_to_tensor(array) for array in arrays]
    dtype = backend.result_type(*(tensor.dtype for tensor in tensors), "float32")
    return [ops.cast(tensor, dtype) for tensor in tensors]


def number_of(number: Any, dtype: str) -> Any:
    """A number to compute with: one of Python's as it is, which a cast would round to float32."""
    return float(number) if isinstance(number, Real) else ops.cast(number, dtype)


def check_shape(expected: str, array: Tensor, *allowed: Any) -> None:
    """`ValueError` where what is known of an array's shape fits none of those allowed."""
    if not any(_fits(array.shape, other) for other in allowed):
        raise ValueError(f"{expected}; received shape {tuple(array.shape)}")


def _fits(shape: Any, other: Any) -> bool:
    """Whether two shapes may be the same; None is a size that is not known."""
    if None in (getattr(shape, "rank", 0), getattr(other, "rank", 0)):
        return True
    return len(shape) == len(other) and all(
        None in sizes or sizes[0] == sizes[1] for sizes in zip(shape, other, strict=True)
    )


def check_number(expected: str, number: Any, is_allowed: Callable[[float], bool]) -> None:
    """`ValueError` for a number out of range; that of a tensor may not be known."""
    if isinstance(number, Real) and not is_allowed(float(number)):
        raise ValueError(f"{expected}; received {number!r}")
