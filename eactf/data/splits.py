"""This module takes part of a data set by seed and id, whatever order the samples come in."""

from __future__ import annotations

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.packed.hashing import uniform
from eactf.packed.records import Samples

__all__ = ["held_out", "limit", "split_off_validation"]

_VALIDATION = 1003  # streams; label noise has 1001 and 1002
_LIMIT = 1004


def split_off_validation(
    samples: Samples, fraction: float, seed: int = 0
) -> tuple[Samples, Samples]:
    """Training and validation samples, each in the order they had.

    A sample goes to validation when its hash is below `fraction`, whatever the other samples are,
    so the share is `fraction` on average only. Raises `UsageError` for a fraction outside (0, 1),
    `DataError` where one side would be empty.
    """
    if not 0 < fraction < 1:
        raise UsageError(
            f"validation fraction {fraction:g}: expected a number between 0 and 1",
            hint="for ten percent write 0.1",
        )
    chosen = held_out(samples.ids, fraction, seed)
    if chosen.all() or not chosen.any():
        raise DataError(
            f"a fraction of {fraction:g} of {len(samples)} samples leaves no"
            f" {'training' if chosen.any() else 'validation'} samples",
            hint="use more samples or another fraction",
        )
    return samples.take(np.flatnonzero(~chosen)), samples.take(np.flatnonzero(chosen))


def held_out(ids: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """Which samples `split_off_validation` takes for validation, as booleans `(n,)`."""
    return np.asarray(uniform(seed, ids, _VALIDATION) < fraction)


def limit(samples: Samples, count: int, seed: int = 0) -> Samples:
    """The `count` samples of smallest hash, in the order they had; all where there are no more.

    A smaller `count` at the same seed gives a subset of a larger one. Raises `UsageError` for a
    count below 1.
    """
    if count < 1:
        raise UsageError(f"limit {count}: expected at least 1 sample")
    if count >= len(samples):
        return samples
    order = np.lexsort((samples.ids, uniform(seed, samples.ids, _LIMIT)))
    return samples.take(np.sort(order[:count]))
