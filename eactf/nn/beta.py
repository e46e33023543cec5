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

    By the trapezoid rule, to about 1e-6. Raises `ValueError` for an alpha that is not above 0.

    >>> beta_quantiles(1.0, points=3)
    array([0.5 , 0.75, 1.  ])
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be above 0; received {alpha!r}")
    rest, cells = _poled(alpha, 64 * points) if alpha < 1 else _peaked(alpha, 64 * points)
    beyond = np.concatenate([[0.0], np.cumsum(cells)])
    beyond /= 2 * beyond[-1]  # the probability of more than 1 - rest: 1/2 at the middle
    wanted = np.linspace(0.5, 0.0, points)
    found: np.ndarray = 1.0 - np.interp(wanted, beyond, rest)
    return found


def _poled(alpha: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of 1 - x from 0 to 1/2, and the probability between each two, up to a factor.

    The density has a pole at x = 1, which is none over v = (1 - x)^alpha: there
    (1 - x)^(alpha - 1) dx is dv / alpha.
    """
    v = np.linspace(0.0, 1.0, points)
    rest = 0.5 * v ** (1.0 / alpha)
    density = (1.0 - rest) ** (alpha - 1.0)
    return rest, (density[1:] + density[:-1]) * np.diff(v)


def _peaked(alpha: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    """As `_poled`, where the density is greatest in the middle; a dozen standard deviations."""
    width = min(0.5, 6.0 / np.sqrt(2.0 * alpha + 1.0))
    beside = np.linspace(width, 0.0, points)  # x - 1/2
    density = (1.0 - 4.0 * beside**2) ** (alpha - 1.0)
    return 0.5 - beside, (density[1:] + density[:-1]) * -np.diff(beside)


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
