"""This module takes part of a data set by hashes: the same samples, in whatever order they come.

The validation split is held out class by class, so that it can judge each class that has more than
one image, and copies of one image stay on one side of it.
"""

from __future__ import annotations

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.packed.hashing import uniform
from eactf.packed.identity import digests_of
from eactf.packed.records import Samples

__all__ = ["held_out", "limit", "split_off_validation"]

_VALIDATION = 1003  # streams; label noise has 1001 and 1002
_LIMIT = 1004


def split_off_validation(
    samples: Samples, fraction: float, seed: int = 0
) -> tuple[Samples, Samples]:
    """Training and validation samples, each in the order they had; `held_out` says which go where.

    Images of equal content are copies of each other. Raises `UsageError` for a fraction outside
    (0, 1), `DataError` where no class has two different images.
    """
    copies = np.unique(digests_of(samples), return_inverse=True)[1]
    chosen = held_out(samples.given, samples.ids, fraction, seed, copies=copies)
    if not chosen.any():
        raise DataError(
            f"no validation split can be held out of {len(samples):,} training images: no class"
            " has two different ones",
            hint="add images, or give a validation split of your own",
        )
    return samples.take(np.flatnonzero(~chosen)), samples.take(np.flatnonzero(chosen))


def held_out(
    given: np.ndarray,
    keys: np.ndarray,
    fraction: float,
    seed: int = 0,
    *,
    copies: np.ndarray | None = None,
) -> np.ndarray:
    """Which samples to hold out for validation, as booleans `(n,)`.

    `given` `(n,)` are class indices; `keys` `(n,)` integers that tell the samples apart, whatever
    their order; samples of one number in `copies` `(n,)` go together, by the class of the first of
    them (the one of the smallest key). Of each class the share `fraction` of its images with the
    smallest hashes of (seed, key) goes, rounded, but at least one where there are two and never the
    last one. Another image more or less so changes little of who is held out.

    Raises `UsageError` for a fraction outside (0, 1).
    """
    if not 0 < fraction < 1:
        raise UsageError(
            f"validation fraction {fraction:g}: expected a number between 0 and 1",
            hint="for ten percent write 0.1",
        )
    order = np.argsort(keys, kind="stable")
    groups = np.arange(len(given)) if copies is None else np.asarray(copies)
    _, firsts, group_of = np.unique(groups[order], return_index=True, return_inverse=True)
    firsts = order[firsts]
    chosen = np.zeros(len(firsts), bool)
    for label in np.unique(given[firsts]):
        members = np.flatnonzero(given[firsts] == label)
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        drawn = np.argsort(uniform(seed, keys[firsts[members]], _VALIDATION), kind="stable")
        chosen[members[drawn[:count]]] = True
    held = np.empty(len(given), bool)
    held[order] = chosen[group_of]
    return _with_no_class_emptied(held, given, order, group_of)


def _with_no_class_emptied(
    held: np.ndarray, given: np.ndarray, order: np.ndarray, group_of: np.ndarray
) -> np.ndarray:
    """`held` less the group that has the last image of a class: copies may bear several labels."""
    for label in np.setdiff1d(given, given[~held]):
        group = group_of[np.flatnonzero(given[order] == label)[0]]
        held[order[group_of == group]] = False
    return held


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
