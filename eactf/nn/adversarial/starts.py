"""How the layers of these networks start, and how wide they are."""

from __future__ import annotations

import math
import zlib
from typing import Any

from keras import initializers

__all__ = ["check_width", "scaled_width", "seed_of", "uniform_starts"]


def seed_of(seed: int | None, *names: Any) -> int | None:
    """A seed of one's own: each variable's start depends on the seed and its names alone."""
    return None if seed is None else zlib.crc32("/".join(map(str, (seed, *names))).encode())


def uniform_starts(fan_in: int, seed: int | None) -> dict[str, initializers.Initializer]:
    """Kernel and bias uniform in +-1/sqrt(fan_in), as layers start in PyTorch.

    `fan_in` is inputs * kernel height * kernel width; of a transposed convolution, whose kernel is
    stored the other way round, outputs * height * width. Keras' own start has no bias.
    """
    bound = 1.0 / math.sqrt(fan_in)

    def uniform(name: str) -> initializers.Initializer:
        return initializers.RandomUniform(-bound, bound, seed=seed_of(seed, name))

    return {"kernel_initializer": uniform("kernel"), "bias_initializer": uniform("bias")}


def scaled_width(channels: int, width: float) -> int:
    """The paper's number of channels or units times `width`, at least 1."""
    return max(1, round(channels * width))


def check_width(width: float) -> None:
    """`ValueError` for a width that is not a number above 0."""
    if not 0 < width < math.inf:
        raise ValueError(f"width must be a number above 0; received {width!r}")
