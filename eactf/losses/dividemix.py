"""DivideMix's loss of a mixed batch, of which the first rows come from labelled samples."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import check_number, number_of
from eactf.losses.predictions import prior_penalty, row_squared_errors, soft_cross_entropies

__all__ = ["dividemix_loss"]

Tensor = Any


def dividemix_loss(
    logits: Tensor,
    targets: Tensor,
    labelled_rows: int | Tensor,
    unlabelled_weight: float | Tensor,
    prior: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """DivideMix's loss of a mixed batch, a scalar, and its three parts (eq. 9 to 12).

    `logits` and `targets` are `(N, L)`; the first `labelled_rows` rows are mixtures nearest to
    labelled samples, the rest to unlabelled ones. The total is `labelled` + `unlabelled_weight` *
    `unlabelled` + `penalty`: `soft_cross_entropy` of the first rows,
    `mean_squared_probability_error` of the rest, and `prior_penalty` of all with `prior` (None: all
    classes alike, as published). A part without rows is 0, so that the labelled rows alone make the
    published form for an `unlabelled_weight` of 0. Both numbers may be tensors: a size or weight
    that changes from step to step then builds no new graph. Gradients reach logits and targets.
    Raises `ValueError` for other shapes, a negative weight, `labelled_rows` outside 0..N, and as
    `prior_penalty`.

    >>> total, parts = dividemix_loss([[0.0, 0.0]] * 2, [[1.0, 0.0], [0.0, 1.0]], 1, 2.0)
    >>> {name: round(float(part), 4) for name, part in parts.items()}
    {'labelled': 0.6931, 'unlabelled': 0.25, 'penalty': 0.0}
    >>> round(float(total), 4)
    1.1931
    """
    check_number("unlabelled_weight must be >= 0", unlabelled_weight, lambda weight: weight >= 0)
    cross_entropies = soft_cross_entropies(logits, targets)
    count, dtype = ops.shape(cross_entropies)[0], cross_entropies.dtype
    if isinstance(count, int):
        expected = f"labelled_rows must be a whole number in 0..{count}, the number of rows"
        check_number(expected, labelled_rows, lambda rows: 0 <= rows <= count and rows.is_integer())
    is_labelled = ops.arange(count) < ops.cast(labelled_rows, "int32")
    parts = {
        "labelled": _mean_where(is_labelled, cross_entropies),
        "unlabelled": _mean_where(~is_labelled, row_squared_errors(logits, targets)),
        "penalty": prior_penalty(logits, prior),
    }
    weight = number_of(unlabelled_weight, dtype)
    return parts["labelled"] + weight * parts["unlabelled"] + parts["penalty"], parts


def _mean_where(chosen: Tensor, values: Tensor) -> Tensor:
    """The mean of the chosen values `(N,)`; 0 where none is."""
    chosen = ops.cast(chosen, values.dtype)
    return ops.sum(chosen * values) / ops.maximum(ops.sum(chosen), 1.0)
