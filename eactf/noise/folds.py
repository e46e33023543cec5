"""`assign_folds` divides samples into folds, so that each is predicted by a network new to it."""

from __future__ import annotations

import hashlib

import numpy as np

from eactf.errors import UsageError
from eactf.packed.hashing import uniform
from eactf.packed.records import Samples

__all__ = ["assign_folds", "copies_of"]

_FOLD = 1005  # stream; label noise has 1001 and 1002, splits 1003 and 1004


def assign_folds(samples: Samples, folds: int, seed: int = 0) -> np.ndarray:
    """The fold `(n,)`, 0..folds-1, of every sample: a function of (seed, ids, labels, images).

    Each class is dealt out evenly over the folds, in the order of a hash of (seed, id). Images that
    are equal pixel for pixel fall into one fold, whatever their labels: in another, a copy would
    vouch for the label of its twin. Raises `UsageError` for less than 2 folds or more than samples.
    """
    if not 2 <= folds <= len(samples):
        raise UsageError(f"{folds} folds: expected 2 to {len(samples)}, the number of samples")
    first = copies_of(samples)
    heads = np.flatnonzero(first == np.arange(len(samples)))
    given = samples.given[heads]
    order = np.lexsort((uniform(seed, samples.ids[heads], _FOLD), given))
    # Classes in a row: the next one goes on dealing where the last one stopped.
    fold = np.empty(len(samples), dtype=np.int64)
    fold[heads[order]] = np.arange(len(heads)) % folds
    return np.asarray(fold[first])


def copies_of(samples: Samples) -> np.ndarray:
    """For every sample the row `(n,)` of its copy with the smallest id, its own where it is that.

    Copies are equal pixel for pixel. Images are read one after the other: memory stays flat.
    """
    first: dict[bytes, int] = {}
    rows = np.empty(len(samples), dtype=np.int64)
    for row in np.argsort(samples.ids, kind="stable"):
        digest = hashlib.blake2b(samples.images[row].tobytes(), digest_size=16).digest()
        rows[row] = first.setdefault(digest, int(row))
    return rows
