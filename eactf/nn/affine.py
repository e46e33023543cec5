"""`warp` turns, shears and shifts a batch of images, each by a matrix of its own."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

__all__ = ["rotation", "shear_x", "shear_y", "translation", "warp"]

Tensor = Any


def warp(images: Tensor, matrices: Tensor, fill: float = 0.0) -> Tensor:
    """`images` `(N, H, W, C)`, each mapped by a row of `matrices`; the dtype is kept.

    A row `(a, b, c, d, e, f)` of `matrices`, `(N, 6)` float32, says where a pixel is taken from:
    that whose centre is (x, y) from (a x + b y + c, d x + e y + f), in pixels, x to the right and
    y down, as Pillow's `Image.transform` has it. The pixel that holds this point is taken (no
    interpolation, Pillow's default), `fill` where it lies outside.
    """
    import tensorflow as tf

    images = ops.convert_to_tensor(images)
    shape = ops.shape(images)
    height, width, channels = shape[1:]
    rows, columns = _sources(matrices, height, width)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = ops.clip(rows, 0, height - 1) * width + ops.clip(columns, 0, width - 1)
    pixels = ops.reshape(images, (-1, height * width, channels))
    taken = tf.gather(pixels, ops.reshape(places, (-1, height * width)), axis=1, batch_dims=1)
    taken = ops.reshape(taken, (-1, height, width, channels))
    return ops.where(inside[..., None], taken, ops.cast(fill, images.dtype))


def _sources(matrices: Tensor, height: Any, width: Any) -> tuple[Tensor, Tensor]:
    """Row and column that each pixel is taken from, `(N, H, W)` int32, within or without."""
    x = ops.cast(ops.arange(width, dtype="int32"), "float32")[None, None, :] + 0.5
    y = ops.cast(ops.arange(height, dtype="int32"), "float32")[None, :, None] + 0.5
    a, b, c, d, e, f = (matrices[:, place, None, None] for place in range(6))
    # Bounded before they become integers: a steep shear of a large image must not wrap.
    limit = 1e6
    columns = ops.clip(ops.floor(a * x + b * y + c), -limit, limit)
    rows = ops.clip(ops.floor(d * x + e * y + f), -limit, limit)
    return ops.cast(rows, "int32"), ops.cast(columns, "int32")


def rotation(degrees: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Matrices `(N, 6)` that turn by `degrees` `(N,)` about the centre, counter-clockwise."""
    angle = degrees * (math.pi / 180.0)
    cosine, sine = ops.cos(angle), ops.sin(angle)
    x, y = width / 2.0, height / 2.0
    across = x - cosine * x + sine * y
    down = y - sine * x - cosine * y
    return ops.stack([cosine, -sine, across, sine, cosine, down], axis=1)


def shear_x(amount: Tensor) -> Tensor:
    """Matrices `(N, 6)` that take a pixel from `amount` `(N,)` of its y further right."""
    none, one = ops.zeros_like(amount), ops.ones_like(amount)
    return ops.stack([one, amount, none, none, one, none], axis=1)


def shear_y(amount: Tensor) -> Tensor:
    """Matrices `(N, 6)` that take a pixel from `amount` `(N,)` of its x further down."""
    none, one = ops.zeros_like(amount), ops.ones_like(amount)
    return ops.stack([one, none, none, amount, one, none], axis=1)


def translation(right: Tensor, down: Tensor) -> Tensor:
    """Matrices `(N, 6)` that take a pixel from `right` and `down` pixels, `(N,)` each, away."""
    none, one = ops.zeros_like(right), ops.ones_like(right)
    return ops.stack([one, none, right, none, one, down], axis=1)
