"""`random_strong` disturbs images strongly (RandAugment, then Cutout), `weak_view` lightly.

The two kinds of views of Ada-CM (Li, Wang, Yang, Wang, Gao, CVPR 2022) and of FixMatch before it: a
network's guess on the weak view is what it shall learn of the strong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from eactf.nn.counter_random import uniform
from eactf.nn.cropping import random_crop
from eactf.nn.erasing import image_keys
from eactf.nn.rand_augment import apply_operations, drawn_operations

__all__ = ["CUTOUT_FILL", "random_strong", "weak_view"]

Tensor = Any


CUTOUT_FILL = {3: (125.0, 123.0, 114.0), 1: (123.0,)}
"""The colour of a cut-out square, by channels; for grey images its grey."""

_CUTOUT_DRAWS = 3


def random_strong(images: Tensor, seed: Any, operations: int = 3, cutout: bool = True) -> Tensor:
    """Each image through `operations` random operations in turn, then a square cut out.

    `images` is `(N, H, W, C)` in 0..255, C 1 (grey) or 3 (RGB), of any dtype; shape and dtype are
    kept, values become whole grey levels. `operations`, >= 0, are drawn for each image from
    `eactf.nn.rand_augment.OPERATIONS` with replacement, each with a magnitude uniform in its range.
    The square's side is uniform in 0 to half the width, its centre uniform in the image; the part
    of it that lies inside becomes `CUTOUT_FILL`. An operation does what Pillow's of that name does:
    turned and shifted images are filled with black, without interpolation. "Color" leaves grey
    images as they are.

    `seed` decides the draw and nothing else does, as in `eactf.nn.erasing.erase`: an integer, a
    pair, a `keras.random.SeedGenerator`, or a key for each image. Raises `ValueError` on a negative
    or broken number of operations, or on other channels.

    Deviates: the published code does this to the image before it is resized; images come here
    resized.

    >>> import numpy as np
    >>> faces = np.full((2, 48, 48, 1), 128, "uint8")
    >>> random_strong(faces, seed=1).shape
    TensorShape([2, 48, 48, 1])
    """
    images = ops.convert_to_tensor(images)
    _check(images, operations)
    draws = uniform(image_keys(images, seed), _CUTOUT_DRAWS + 2 * operations)
    levels = ops.clip(ops.round(ops.cast(images, "float32")), 0.0, 255.0)
    for start in range(_CUTOUT_DRAWS, _CUTOUT_DRAWS + 2 * operations, 2):
        places, magnitudes = drawn_operations(draws[:, start : start + 2])
        levels = apply_operations(levels, places, magnitudes)
    if cutout:
        levels = _cut_out(levels, draws[:, :_CUTOUT_DRAWS])
    return ops.cast(levels, images.dtype)


def weak_view(
    images: Tensor,
    seed: Any,
    padding: int,
    fill: float | Sequence[float] = 0.0,
    flip_probability: float = 0.5,
) -> Tensor:
    """Half of the images cropped at random after padding, half of them mirrored.

    `images` is `(N, H, W, C)` of any dtype; shape and dtype are kept. `padding` (8 of 224 pixels in
    Ada-CM) and `fill` are those of `eactf.nn.cropping.random_crop`; `seed` decides the draw as
    there. Which images are cropped and which are mirrored is drawn apart, the first with
    probability 0.5, the second with `flip_probability`. A strong view is
    `weak_view(random_strong(images, one), another, padding)`, with seeds of their own.

    >>> import numpy as np
    >>> weak_view(np.zeros((2, 48, 48, 1), "uint8"), seed=1, padding=2).shape
    TensorShape([2, 48, 48, 1])
    """
    images = ops.convert_to_tensor(images)
    keys = image_keys(images, seed)
    # The first two draws are the crop's.
    chosen = (uniform(keys, 4)[:, 2:] < [0.5, flip_probability])[:, :, None, None, None]
    images = ops.where(chosen[:, 0], random_crop(images, keys, padding, fill), images)
    return ops.where(chosen[:, 1], ops.flip(images, axis=2), images)


def _check(images: Tensor, operations: int) -> None:
    if isinstance(operations, bool) or not isinstance(operations, int) or operations < 0:
        raise ValueError(f"operations must be a whole number, >= 0; received {operations!r}")
    if len(images.shape) != 4 or images.shape[-1] not in CUTOUT_FILL:
        raise ValueError(
            "images must be grey or RGB, (n, H, W, 1) or (n, H, W, 3); received "
            f"{tuple(images.shape)}"
        )


def _cut_out(levels: Tensor, draws: Tensor) -> Tensor:
    """A square of each image filled; `draws` `(N, 3)` say its side and its centre."""
    height, width, channels = ops.shape(levels)[1:]
    half = draws[:, 0] * 0.25 * ops.cast(width, "float32")
    rows = _within(draws[:, 1], half, height)
    columns = _within(draws[:, 2], half, width)
    square = (rows[:, :, None] & columns[:, None, :])[..., None]
    return ops.where(square, np.array(CUTOUT_FILL[channels], "float32"), levels)


def _within(draw: Tensor, half: Tensor, length: Any) -> Tensor:
    """`(N, length)` booleans: the pixels of a side whose middle is less than `half` off."""
    middles = ops.cast(ops.arange(length, dtype="int32"), "float32") + 0.5
    centre = draw * ops.cast(length, "float32")
    return ops.abs(middles[None, :] - centre[:, None]) < half[:, None]
