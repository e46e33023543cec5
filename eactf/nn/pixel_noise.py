"""`add_pixel_noise` adds Gaussian noise to pixels as the code of EAC, SCN and RUL does."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from eactf.nn.counter_random import normal_of, uniform
from eactf.nn.erasing import image_keys

__all__ = ["VARIANCE", "add_pixel_noise", "check_pixel_noise"]

Tensor = Any

VARIANCE = 30.0
"""The published codes' variance, of grey levels from 0 to 255."""


def add_pixel_noise(
    images: Tensor, seed: Any, probability: float = 0.5, variance: float = VARIANCE
) -> Tensor:
    """Add Gaussian noise to every pixel of some images, drawn with `probability` each.

    `images` is `(N, H, W, C)` in 0..255 of any dtype, which is kept; H, W and C must be known.
    Where noise is added it is normal with mean 0 and `variance`, drawn for each pixel and channel
    by itself, and the sum is clipped to 0..255 and truncated to whole numbers, which takes half a
    grey level away on average. Other images stay as they are.

    `seed` decides the draw and nothing else does, as in `eactf.nn.erasing.erase`: an integer, a
    pair, a `keras.random.SeedGenerator`, or a key for each image. Raises `ValueError` on a
    probability outside [0, 1], a negative variance, and images of unknown size.

    >>> import numpy as np
    >>> faces = np.full((2, 48, 48, 1), 128, "uint8")
    >>> bool((add_pixel_noise(faces, seed=1, probability=0.0).numpy() == faces).all())
    True
    """
    check_pixel_noise(probability, variance)
    images = ops.convert_to_tensor(images)
    shape = tuple(images.shape[1:])
    if None in shape:
        raise ValueError(
            f"pixel noise needs images whose height, width and channels are known; they are {shape}"
        )
    pairs = (math.prod(shape) + 1) // 2
    # Deviates: the published codes add it before they resize the image; images come here resized.
    draws = uniform(image_keys(images, seed), 1 + 2 * pairs)
    normal = normal_of(draws[:, 1 : 1 + pairs], draws[:, 1 + pairs :])[:, : math.prod(shape)]
    noise = math.sqrt(variance) * ops.reshape(normal, (-1, *shape))
    noisy = ops.floor(ops.clip(ops.cast(images, "float32") + noise, 0.0, 255.0))
    chosen = (draws[:, 0] < probability)[:, None, None, None]
    return ops.where(chosen, ops.cast(noisy, images.dtype), images)


def check_pixel_noise(probability: float, variance: float = VARIANCE) -> None:
    """Raise `ValueError` on a probability outside [0, 1] or a variance that is negative."""
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"probability of pixel noise must be in [0, 1]; received {probability!r}")
    if not 0.0 <= variance < math.inf:
        raise ValueError(f"variance must be a number >= 0; received {variance!r}")
