"""`random_warp` turns, shifts and zooms each image of a batch at random, in one interpolation."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from eactf.nn.counter_random import uniform
from eactf.nn.erasing import image_keys

__all__ = ["check_warp", "random_warp"]

Tensor = Any


def random_warp(
    images: Tensor,
    seed: Any,
    *,
    rotation: float = 0.0,
    shift: float = 0.0,
    zoom: float = 0.0,
    fill: float = 0.0,
) -> Tensor:
    """Each image turned by up to `rotation` degrees, moved by up to `shift` pixels, and zoomed.

    `images` is `(N, H, W, C)` of any dtype; shape and dtype are kept. The angle is uniform in
    -rotation..rotation, the ways to the right and down in -shift..shift, the factor in
    1 - zoom..1 + zoom, about the image's centre. Pixels are interpolated bilinearly; what lies
    outside is `fill`, black by default. `seed` decides the draw and nothing else does, as in
    `eactf.nn.erasing.erase`. Raises `ValueError` for amounts out of range.

    The published code of "Facial emotion recognition with noisy multi-task annotations" (Zhang,
    Huang, Ni, Gomes, WACV 2021) has 10 degrees, 10 pixels at 64, and 0.1.

    >>> import numpy as np
    >>> images = np.full((2, 32, 32, 1), 7, "uint8")
    >>> random_warp(images, seed=1, rotation=10.0, shift=5.0, zoom=0.1).shape
    TensorShape([2, 32, 32, 1])
    """
    check_warp(rotation, shift, zoom)
    images = ops.convert_to_tensor(images)
    if not (rotation or shift or zoom):
        return images
    matrices = _matrices(images, uniform(image_keys(images, seed), 4), rotation, shift, zoom)
    # Interpolated in float32: integers would be cut off, not rounded, each time.
    warped = ops.image.affine_transform(
        ops.cast(images, "float32"),
        matrices,
        interpolation="bilinear",
        fill_mode="constant",
        fill_value=fill,
        data_format="channels_last",
    )
    if "int" in images.dtype.name:
        warped = ops.round(warped)
    return ops.cast(warped, images.dtype)


def _matrices(images: Tensor, draws: Tensor, rotation: float, shift: float, zoom: float) -> Tensor:
    """Rows `(a, b, c, d, e, f, 0, 0)`: pixel (x, y) is taken from (ax + by + c, dx + ey + f)."""
    shape = ops.shape(images)
    centre_x = (ops.cast(shape[2], "float32") - 1.0) / 2.0
    centre_y = (ops.cast(shape[1], "float32") - 1.0) / 2.0
    angle, right, down, factor = (2.0 * draws[:, place] - 1.0 for place in range(4))
    angle, right, down = angle * (rotation * math.pi / 180.0), right * shift, down * shift
    cosine, sine = (f(angle) / (1.0 + factor * zoom) for f in (ops.cos, ops.sin))
    # The way back: from where a pixel has come to, to where it was.
    from_x, from_y = centre_x + right, centre_y + down
    across = centre_x - cosine * from_x + sine * from_y
    along = centre_y - sine * from_x - cosine * from_y
    none = ops.zeros_like(across)
    return ops.stack([cosine, -sine, across, sine, cosine, along, none, none], axis=1)


def check_warp(rotation: float, shift: float, zoom: float) -> None:
    """Raise `ValueError` on amounts that are out of range."""
    if not 0.0 <= rotation <= 180.0:
        raise ValueError(f"rotation must be in 0..180 degrees; received {rotation!r}")
    if not 0.0 <= shift < math.inf:
        raise ValueError(f"shift must be >= 0 pixels; received {shift!r}")
    if not 0.0 <= zoom < 1.0:
        raise ValueError(f"zoom must be in 0..1, below 1; received {zoom!r}")
