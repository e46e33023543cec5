"""The contrast of two views of an image with those of all others."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import check_number, check_shape, number_of, raised

__all__ = ["two_view_contrastive"]

Tensor = Any


def two_view_contrastive(
    features: Tensor, temperature: float = 0.07, counted: Tensor | None = None
) -> Tensor:
    """How much better each view knows the other view of its image than all others, a scalar >= 0.

    `features` is `(N, 2, D)`, unit vectors: two views of each image. Mean over the 2N views of the
    cross-entropy of the other view's similarity, divided by `temperature`, among those of all
    2N - 1 other rows (SimCLR, Chen et al., ICML 2020, eq. 1; Ada-CM, Li et al., CVPR 2022, takes it
    of the images that it is unsure of). 0 for one image, whose other view has no rival, and for
    none. `counted` `(N,)` booleans leave the other images out, as if they were not there, in shapes
    that do not depend on their number: XLA takes wrong gradients of rows picked by a mask.
    Gradients reach both views. Raises `ValueError` for other shapes and a temperature that is
    not above 0.

    >>> two_images = [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]]
    >>> round(float(two_view_contrastive(two_images, temperature=1.0)), 4)
    0.5514
    """
    check_number("temperature must be above 0", temperature, lambda number: number > 0)
    (features,) = raised(features)
    check_shape("features must be (n, 2, size), two views of each image", features, (None, 2, None))
    count = ops.shape(features)[0]
    rows = ops.concatenate([features[:, 0], features[:, 1]], axis=0)
    similarity = ops.matmul(rows, ops.transpose(rows)) / number_of(temperature, rows.dtype)
    place = ops.arange(2 * count)
    is_self = place[:, None] == place
    is_other_view = place[:, None] == (place + count) % ops.maximum(2 * count, 1)
    counts = ops.ones(count, "bool") if counted is None else ops.cast(counted, "bool")
    counts = ops.concatenate([counts, counts], axis=0)
    # Rows that do not count keep rivals of their own: of none at all there is no gradient.
    is_left_out = is_self | (counts[:, None] & ~counts)
    among_others = ops.logsumexp(ops.where(is_left_out, -float("inf"), similarity), axis=-1)
    own = ops.sum(ops.where(is_other_view, similarity, 0.0), axis=-1)
    costs = ops.where(counts, among_others - own, 0.0)
    return ops.sum(costs) / ops.maximum(ops.sum(ops.cast(counts, rows.dtype)), 1.0)
