"""`erase` erases random blocks by the rule of the published code of EAC, SCN and RUL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from eactf.nn.counter_random import uniform

__all__ = ["ATTEMPTS", "check_erasing", "erase", "image_keys"]

Tensor = Any

ATTEMPTS = 10
"""How often a block is drawn anew when it does not fit, before the image is left whole."""


def erase(
    images: Tensor,
    seed: Any,
    probability: float = 0.5,
    area: tuple[float, float] = (0.02, 0.25),
    aspect: tuple[float, float] = (0.3, 3.3),
    fill: float | Sequence[float] = 0.0,
) -> Tensor:
    """Erase one random block in each image, with some probability.

    `images` is `(N, H, W, C)` of any dtype, which is kept. `probability` is in [0, 1]; `area` is
    the range of the block's share of the image, within [0, 1]; `aspect` the range of its
    height / width, above 0, drawn log-uniformly. `fill` is one value or one a channel; 0 in
    normalised images is the mean colour.

    `seed` decides the draw and nothing else does: an integer, a pair of integers or a
    `keras.random.SeedGenerator` (the image's place in the batch is then mixed in), or a key for
    each image, an integer array `(N,)` or `(N, k)` (two numbers in a row are always a pair).

    Rule: up to ten attempts, each with area A uniform and log aspect log r uniform, height
    round(sqrt(A H W r)), width round(sqrt(A H W / r)), accepted if both are smaller than the
    image's; then a place uniform over all that hold the block (Zhong et al., AAAI 2020, as in the
    library the published EAC code calls; this is not the rule of `keras.layers.RandomErasing`).
    Raises `ValueError` on ranges out of order or out of bounds.

    >>> import numpy as np
    >>> faces = np.ones((2, 48, 48, 1), "float32")
    >>> float(erase(faces, seed=1, probability=0.0).numpy().min())
    1.0
    """
    check_erasing(probability, area, aspect)
    images = ops.convert_to_tensor(images)
    height, width = (ops.cast(side, "float32") for side in ops.shape(images)[1:3])
    draws = uniform(image_keys(images, seed), 3 + 2 * ATTEMPTS)
    block_height, block_width, fits = _block_sizes(draws[:, 3:], height, width, area, aspect)
    erased = ops.logical_and(draws[:, 0] < probability, fits)
    rows = _inside(draws[:, 1], block_height, height)
    columns = _inside(draws[:, 2], block_width, width)
    mask = ops.logical_and(rows[:, :, None], columns[:, None, :])
    mask = ops.logical_and(mask, erased[:, None, None])
    value = ops.cast(ops.convert_to_tensor(np.asarray(fill, "float32")), images.dtype)
    return ops.where(mask[..., None], value, images)


def image_keys(images: Tensor, seed: Any) -> Tensor:
    """`seed` as one integer key row an image, `(N, k)` int32."""
    if isinstance(seed, keras.random.SeedGenerator):
        seed = seed.next()
    if isinstance(seed, int):
        seed = seed & 0x7FFFFFFF
    if seed is None:
        raise ValueError("seed must be given: an integer, a pair, or a key an image; received None")
    seed = ops.cast(seed, "int32")
    if len(seed.shape) == 1 and seed.shape[0] != 2:
        seed = seed[:, None]
    count = ops.shape(images)[0]
    if len(seed.shape) == 2:
        if isinstance(count, int) and seed.shape[0] not in (None, count):
            raise ValueError(f"seed must hold one key row an image, {count}; has {seed.shape[0]}")
        return seed
    index = ops.arange(count, dtype="int32")[:, None]
    shared = ops.reshape(seed, (1, -1))
    return ops.concatenate([ops.repeat(shared, count, axis=0), index], axis=1)


def _block_sizes(
    draws: Tensor,
    height: Tensor,
    width: Tensor,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> tuple[Tensor, Tensor, Tensor]:
    """Height and width of each image's first block that fits, and whether any did, all `(N,)`."""
    low, high = np.log(aspect[0]), np.log(aspect[1])
    block_area = (area[0] + draws[:, :ATTEMPTS] * (area[1] - area[0])) * (height * width)
    ratio = ops.exp(low + draws[:, ATTEMPTS:] * (high - low))
    heights = ops.round(ops.sqrt(block_area * ratio))
    widths = ops.round(ops.sqrt(block_area / ratio))
    fits = ops.logical_and(heights < height, widths < width)
    # argmax of booleans gives the first attempt that fits (and 0 when none does).
    first = ops.one_hot(ops.argmax(ops.cast(fits, "int32"), axis=1), ATTEMPTS, dtype="float32")
    return (
        ops.sum(heights * first, axis=1),
        ops.sum(widths * first, axis=1),
        ops.any(fits, axis=1),
    )


def _inside(draw: Tensor, block: Tensor, length: Tensor) -> Tensor:
    """`(N, length)` booleans: the positions under a block placed uniformly along one axis."""
    places = length - block + 1.0
    start = ops.minimum(ops.floor(draw * places), places - 1.0)[:, None]
    position = ops.arange(ops.cast(length, "int32"), dtype="int32")[None, :]
    position = ops.cast(position, "float32")
    return ops.logical_and(position >= start, position < start + block[:, None])


def check_erasing(
    probability: float, area: tuple[float, float], aspect: tuple[float, float]
) -> None:
    """Raise `ValueError` on erasing settings out of order or out of bounds."""
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"probability must be in [0, 1]; received {probability!r}")
    if not 0.0 <= area[0] <= area[1] <= 1.0:
        raise ValueError(f"area must be (low, high) with 0 <= low <= high <= 1; received {area!r}")
    if not 0.0 < aspect[0] <= aspect[1]:
        raise ValueError(f"aspect must be (low, high) with 0 < low <= high; received {aspect!r}")
