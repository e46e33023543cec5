"""What SCN asks of the importance of samples, and which of them it relabels."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import check_number, check_shape, known_one_hot, raised

__all__ = ["low_group", "rank_regularization", "relabel_candidates"]

Tensor = Any


def rank_regularization(weights: Tensor, ratio: float = 0.7, margin: float = 0.15) -> Tensor:
    """SCN's rank regularisation, a scalar >= 0: important samples must stand off from the rest.

    `weights` is `(N,)` or `(N, 1)`, the importance of each sample of a batch. The floor(N * ratio)
    largest are the high group (the product taken in double precision, as the published code does:
    62 of 90 at 0.7), the others the low group; max(0, mean(low) - mean(high) + `margin`) (Wang et
    al., "Suppressing uncertainties for large-scale facial expression recognition", CVPR 2020,
    eq. 3). Gradients pass through the means, not through the grouping. Where a group is empty, as
    in a batch of one, the two means count as equal: `margin`, without a gradient. Raises
    `ValueError` for weights of other shapes, a ratio outside (0, 1) and a margin below 0.
    """
    check_number("margin must be >= 0", margin, lambda number: number >= 0)
    weights, high = _importance(weights, ratio)
    count = ops.shape(weights)[0]
    descending = -ops.sort(-weights)
    is_high = ops.cast(ops.arange(count) < high, "float32")
    mean_high = ops.sum(descending * is_high) / ops.cast(ops.maximum(high, 1), "float32")
    low = ops.cast(ops.maximum(count - high, 1), "float32")
    mean_low = ops.sum(descending * (1.0 - is_high)) / low
    both = ops.logical_and(high > 0, high < count)
    return ops.relu(ops.where(both, mean_low - mean_high, 0.0) + margin)


def low_group(weights: Tensor, ratio: float = 0.7) -> Tensor:
    """Which samples are in the low group of `rank_regularization`, `(N,)` bool.

    `weights` and `ratio` are as there, and refused as there.
    """
    weights, high = _importance(weights, ratio)
    rank = ops.argsort(ops.argsort(-weights))
    return ops.cast(rank, "int32") >= high


def _importance(weights: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """The weights `(N,)` in float32 and how many of them are in the high group."""
    check_number("ratio must be between 0 and 1", ratio, lambda number: 0 < number < 1)
    weights = ops.convert_to_tensor(weights)
    check_shape("weights must be (n,) or (n, 1)", weights, (None,), (None, 1))
    weights = ops.reshape(ops.cast(weights, "float32"), (-1,))
    count = ops.cast(ops.shape(weights)[0], "float64")
    return weights, ops.cast(ops.floor(count * ratio), "int32")


def relabel_candidates(
    probabilities: Tensor, labels: Tensor, margin: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Which samples SCN gives another label, `(N,)` bool, and the labels then, `(N,)` int32.

    `probabilities` is `(N, L)`, `labels` `(N,)` class indices. A sample changes to its most
    probable class where that is more probable than its label by more than `margin` (SCN, eq. 4);
    the others keep theirs, and so does a label outside 0..L-1, whose probability is not known. The
    probabilities' dtype decides at the margin itself: 0.6 - 0.4 > 0.2 in float32, not in float64.
    Raises `ValueError` for other shapes and a margin below 0.
    """
    check_number("margin must be >= 0", margin, lambda number: number >= 0)
    (probabilities,), labels = raised(probabilities), ops.convert_to_tensor(labels)
    check_shape("probabilities must be (n, classes)", probabilities, (None, None))
    count, classes = probabilities.shape
    check_shape(f"labels must be class indices of shape ({count},)", labels, (count,))
    known, hard = known_one_hot(labels, classes, probabilities.dtype)
    own = ops.sum(probabilities * hard, axis=-1)
    is_clear = ops.max(probabilities, axis=-1) - own > margin
    changes = ops.logical_and(known, is_clear)
    best = ops.cast(ops.argmax(probabilities, axis=-1), "int32")
    return changes, ops.where(changes, best, ops.cast(labels, "int32"))
