"""Draws from a symmetric Beta distribution that depend on nothing but a uniform number."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

__all__ = ["beta_quantiles", "larger_share"]

Tensor = Any

_POINTS = 4097


def beta_quantiles(alpha: float, points: int = _POINTS) -> np.ndarray:
    """The quantiles of Beta(`alpha`, `alpha`) at 1/2 to 1, evenly, `(points,)` float64 in [0.5, 1].

    By the trapezoid rule over (1 - x)^alpha, in which the density has no pole at 1. Raises
    `ValueError` for an alpha that is not above 0.
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be above 0; received {alpha!r}")
    # What is left to x = 1 is integrated over v = (1 - x)^alpha: (1 - x)^(alpha-1) dx is dv/alpha.
    v = np.linspace(0.0, 0.5**alpha, 64 * points)
    rest = v ** (1.0 / alpha)  # 1 - x
    density = (1.0 - rest) ** (alpha - 1.0)
    cells = (density[1:] + density[:-1]) / 2 * np.diff(v)
    beyond = np.concatenate([[0.0], np.cumsum(cells)])
    beyond /= 2 * beyond[-1]  # the probability of more than x: 0 at 1, 1/2 at the middle
    wanted = np.linspace(0.5, 0.0, points)
    found: np.ndarray = 1.0 - np.interp(wanted, beyond, rest)
    return found


def larger_share(uniform: Tensor, quantiles: np.ndarray) -> Tensor:
    """max(l, 1 - l) of a Beta draw l, a float32 of the shape of `uniform` (in [0, 1)).

    `quantiles` are those of `beta_quantiles`. Straight between two of them.
    """
    table = ops.convert_to_tensor(quantiles.astype(np.float32))
    place = uniform * float(len(quantiles) - 1)
    below = ops.cast(ops.floor(place), "int32")
    rest = place - ops.cast(below, "float32")
    low, high = ops.take(table, below), ops.take(table, below + 1)
    return low + rest * (high - low)
