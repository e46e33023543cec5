"""Operations on whole grey levels as Pillow has them, for batches with a parameter an image.

Images are `(N, H, W, C)` float32 in 0..255 whose values are whole numbers, C 1 (grey) or 3 (RGB);
so is what is returned. Parameters are `(N,)` float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

__all__ = [
    "auto_contrast_table",
    "blend",
    "equalize_table",
    "grey",
    "histograms",
    "look_up",
    "mean_grey",
    "posterize_table",
    "smooth",
    "solarize_table",
]

Tensor = Any

_LEVELS = np.arange(256, dtype="float32")[None, None, :]

# Pillow's weights of red, green and blue in grey, in 65536ths.
_GREY = (19595.0, 38470.0, 7471.0)


def blend(degenerate: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """Between `degenerate` (factor 0) and `images` (factor 1), truncated to whole levels.

    `factor` is in [0, 1]. What Pillow's `ImageEnhance` enhancers do, each with a degenerate image
    of its own: black for brightness, `mean_grey` for contrast, `grey` for colour, `smooth` for
    sharpness.
    """
    return ops.floor(degenerate + factor[:, None, None, None] * (images - degenerate))


def grey(images: Tensor) -> Tensor:
    """The image without its colours, `(N, H, W, 1)`: Pillow's `convert("L")`."""
    if images.shape[-1] == 1:
        return images
    red, green, blue = (images[..., place : place + 1] for place in range(3))
    # Below 2**24: exact in float32.
    sums = red * _GREY[0] + green * _GREY[1] + blue * _GREY[2]
    return ops.floor((sums + 32768.0) / 65536.0)


def mean_grey(images: Tensor) -> Tensor:
    """The mean of `grey`, rounded, `(N, 1, 1, 1)`."""
    return ops.floor(ops.mean(grey(images), axis=(1, 2), keepdims=True) + 0.5)


def smooth(images: Tensor) -> Tensor:
    """Weighed means over 3 x 3 pixels, the middle one's weight 5 and the others' 1.

    Rounded. Pixels at the border stay as they are: Pillow's `ImageFilter.SMOOTH`.
    """
    height, width = ops.shape(images)[1:3]
    padded = ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    three = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    nine = three[:, :, :-2] + three[:, :, 1:-1] + three[:, :, 2:]
    smoothed = ops.floor((nine + 4.0 * images) / 13.0 + 0.5)
    inner = _inner(height)[:, None] & _inner(width)[None, :]
    return ops.where(inner[None, :, :, None], smoothed, images)


def _inner(length: Any) -> Tensor:
    """Which places of a side are not its ends, `(length,)` booleans."""
    place = ops.arange(length, dtype="int32")
    return (place > 0) & (place < length - 1)


def look_up(images: Tensor, tables: Tensor) -> Tensor:
    """Each level replaced by what `tables` `(N, C, 256)` have for it."""
    return ops.take(ops.reshape(tables, (-1,)), _cells(images))


def histograms(images: Tensor) -> Tensor:
    """How many pixels of an image's channel have each level, `(N, C, 256)` float32."""
    import tensorflow as tf

    shape = ops.shape(images)
    cells = ops.reshape(_cells(images), (-1,))
    # Counts are whole numbers: their sum does not depend on the order a device takes.
    ones = ops.ones_like(cells, dtype="float32")
    counts = tf.math.unsorted_segment_sum(ones, cells, shape[0] * shape[3] * 256)
    return ops.reshape(counts, (-1, shape[3], 256))


def _cells(images: Tensor) -> Tensor:
    """Each value's place among the `(N, C, 256)` cells of a table, `(N, H, W, C)` int32."""
    count, _, _, channels = ops.shape(images)
    image = ops.reshape(ops.arange(count, dtype="int32"), (-1, 1, 1, 1))
    channel = ops.arange(channels, dtype="int32")
    return ops.cast(images, "int32") + (image * channels + channel) * 256


def auto_contrast_table(counts: Tensor) -> Tensor:
    """Stretch the levels that occur to 0..255, `(N, C, 256)` of `histograms`.

    Pillow's `ImageOps.autocontrast` without a cutoff. Where that rounds a whole number down for
    its arithmetic's sake the level here is the one above.
    """
    occurs = counts > 0
    low = ops.min(ops.where(occurs, _LEVELS, 255.0), axis=-1, keepdims=True)
    high = ops.max(ops.where(occurs, _LEVELS, 0.0), axis=-1, keepdims=True)
    stretched = ops.floor((_LEVELS - low) * 255.0 / ops.maximum(high - low, 1.0))
    return ops.where(high > low, ops.clip(stretched, 0.0, 255.0), _LEVELS)


def equalize_table(counts: Tensor) -> Tensor:
    """Make all levels about as frequent, `(N, C, 256)` of `histograms`: `ImageOps.equalize`."""
    occurs = counts > 0
    top = ops.max(ops.where(occurs, _LEVELS, 0.0), axis=-1, keepdims=True)
    of_top = ops.sum(ops.where(top == _LEVELS, counts, 0.0), axis=-1, keepdims=True)
    step = ops.floor((ops.sum(counts, axis=-1, keepdims=True) - of_top) / 255.0)
    below = ops.cumsum(counts, axis=-1) - counts
    equal = ops.floor((ops.floor(step / 2.0) + below) / ops.maximum(step, 1.0))
    return ops.where(step > 0, ops.minimum(equal, 255.0), _LEVELS)


def posterize_table(bits: Tensor) -> Tensor:
    """Keep the first `bits` `(N,)`, 1 to 8, of each level, `(N, 1, 256)`: `ImageOps.posterize`."""
    width = 2.0 ** (8.0 - ops.floor(ops.clip(bits, 1.0, 8.0)))[:, None, None]
    return ops.floor(_LEVELS / width) * width


def solarize_table(threshold: Tensor) -> Tensor:
    """Turn over levels from `threshold` `(N,)` on, `(N, 1, 256)`: `ImageOps.solarize`."""
    return ops.where(threshold[:, None, None] > _LEVELS, _LEVELS, 255.0 - _LEVELS)
