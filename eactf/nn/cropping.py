"""`random_crop` pads images and crops them at random, as is usual for 32 x 32 images."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from keras import ops

from eactf.nn.counter_random import uniform
from eactf.nn.erasing import image_keys

__all__ = ["check_padding", "random_crop"]

Tensor = Any


def random_crop(
    images: Tensor, seed: Any, padding: int, fill: float | Sequence[float] = 0.0
) -> Tensor:
    """Pad each image on every side and cut its own size out again at a random place.

    `images` is `(N, H, W, C)` of any dtype; shape and dtype are kept. `padding` is in pixels, >= 0;
    the place is uniform over all `(2 * padding + 1) ** 2`, and 0 returns the images as they are. At
    `padding` >= H or W a crop may hold nothing of its image. `fill`, what is padded with, is one
    value or one a channel. `seed` decides the draw and nothing else does, as in
    `eactf.nn.erasing.erase`: an integer, a pair, a `keras.random.SeedGenerator`, or a key for each
    image. Raises `ValueError` on a padding that is negative or no whole number.

    EAC's supplement (section 3) says of CIFAR-100 and Tiny-ImageNet only that images are "randomly
    cropped to 32x32"; padding 4 is what networks for CIFAR take (He et al., CVPR 2016, section
    4.2). Neither the paper nor its supplement says what lies outside; the mean colour, which is 0
    once normalised, is what erasing takes.

    >>> import numpy as np
    >>> images = np.ones((2, 32, 32, 3), "float32")
    >>> random_crop(images, seed=1, padding=4).shape
    TensorShape([2, 32, 32, 3])
    """
    import tensorflow as tf

    check_padding(padding)
    images = ops.convert_to_tensor(images)
    if padding == 0:
        return images
    # The draws have 24 bits: their product with a number so small stays below it in float32.
    draws = ops.floor(uniform(image_keys(images, seed), 2) * (2 * int(padding) + 1))
    shifts = ops.cast(draws, "int32") - int(padding)
    rows, rows_inside = _sources(shifts[:, 0], ops.shape(images)[1])
    columns, columns_inside = _sources(shifts[:, 1], ops.shape(images)[2])
    # One index a row and one a column, not one a pixel: nothing large is made but the crops.
    crops = tf.gather(images, rows, axis=1, batch_dims=1)
    crops = tf.gather(crops, columns, axis=2, batch_dims=1)
    inside = ops.logical_and(rows_inside[:, :, None], columns_inside[:, None, :])
    value = ops.cast(ops.convert_to_tensor(np.asarray(fill, "float32")), images.dtype)
    return ops.where(inside[..., None], crops, value)


def _sources(shifts: Tensor, length: Any) -> tuple[Tensor, Tensor]:
    """Where each position of a side is taken from, and whether that lies inside: `(N, length)`."""
    sources = ops.arange(length, dtype="int32")[None, :] + shifts[:, None]
    inside = ops.logical_and(sources >= 0, sources < length)
    return ops.clip(sources, 0, length - 1), inside


def check_padding(padding: int) -> None:
    """Raise `ValueError` on a padding that is negative or no whole number."""
    whole = isinstance(padding, Integral) and not isinstance(padding, bool)
    if not whole or padding < 0:
        raise ValueError(f"padding must be a whole number of pixels, >= 0; received {padding!r}")
