"""These functions give random numbers that depend on nothing but seed, example and draw.

A generator with hidden state gives example 7 a different number when the batch size, the worker
count or the order of examples changes. The functions here have no state, so a drawn face or a
flipped label stays the same however the work is split up.

The mixing step is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014), applied once each to the seed, the draw and the
example.

The values are pinned by tests and are part of the package's promise: they must never change,
because recorded experiments name their noise and their drawn faces by seed alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_DOUBLE_STEP = 2.0**-53  # a float64 has 53 significant bits


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return SplitMix64's next output for each state; arithmetic is modulo 2**64."""
    z = state + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_A
    z = (z ^ (z >> np.uint64(27))) * _MIX_B
    return z ^ (z >> np.uint64(31))


def _words(values: int | npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """Return integers as 64-bit words (at least 1-D: NumPy warns on scalar overflow only)."""
    if isinstance(values, int):
        return np.array([values % 2**64], dtype=np.uint64)
    return np.atleast_1d(np.asarray(values)).astype(np.int64, casting="same_kind").view(np.uint64)


def uniform(
    seed: int, ids: npt.ArrayLike, draw: int | npt.ArrayLike = 0
) -> npt.NDArray[np.float64]:
    """Return one uniform number for each example id.

    Args:
        seed: any Python integer; taken modulo 2**64.
        ids: signed integers of shape (n,), in any order, repeats allowed.
        draw: the stream number, or an array of them that broadcasts against ``ids``. Use a new
            number for each independent quantity: with ids of shape (n,) and draw of shape (k, 1)
            the result has shape (k, n).

    Returns:
        float64 values in [0, 1), of the broadcast shape of ``ids`` and ``draw``. Equal arguments
        give equal bits on every platform.

    Raises:
        TypeError: ids or draw are not integers.
    """
    key = _mix(_mix(_words(seed)) ^ _words(draw))
    bits = _mix(_mix(key ^ _words(ids)))
    return (bits >> np.uint64(11)).astype(np.float64) * _DOUBLE_STEP
