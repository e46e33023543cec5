"""Which samples an epoch shows where rare classes are to be seen more often: drawn by given label.

An epoch keeps its length. Each class gets its share of it, and within a class the samples take
turns: every one is shown once before any is shown again.
"""

from __future__ import annotations

import numpy as np

from eactf.packed.hashing import uniform

__all__ = ["BALANCES", "balanced_order", "class_quotas"]

BALANCES = ("none", "class", "sqrt")

_PICK = 1 << 21
_MIX = 1 << 22
"""Stream numbers start here, one an epoch, away from those of orders, noise and splits."""


def class_quotas(counts: np.ndarray, balance: str, total: int) -> np.ndarray:
    """How many of `total` places in an epoch each class gets, int64 of the shape of `counts`.

    `counts` `(classes,)` are the samples of each class; empty classes get no place. `class` gives
    all others the same share, `sqrt` one in proportion to the root of their counts, `none` to the
    counts. Rounded down; what is left over goes one each to the largest remainders, to the smaller
    class first where they are equal.
    """
    power = {"none": 1.0, "sqrt": 0.5, "class": 0.0}[balance]
    weights = np.where(counts > 0, np.power(np.maximum(counts, 1.0), power), 0.0)
    shares = weights / weights.sum() * total
    quotas: np.ndarray = np.floor(shares).astype(np.int64)
    left = total - int(quotas.sum())
    order = np.lexsort((counts, -np.round(shares - quotas, 9)))
    order = order[counts[order] > 0]
    quotas[order[:left]] += 1
    return quotas


def balanced_order(given: np.ndarray, seed: int, epoch: int, balance: str) -> np.ndarray:
    """The positions `(n,)` int64 that an epoch over `given` `(n,)` shows, in their order.

    Some come several times and others not at all. A pure function of its arguments.
    """
    counts = np.bincount(given)
    quotas = class_quotas(counts, balance, len(given))
    picked = np.concatenate(
        [
            _picked(np.flatnonzero(given == label), int(quota), seed, epoch)
            for label, quota in enumerate(quotas.tolist())
            if quota
        ]
    )
    mixed: np.ndarray = uniform(seed, np.arange(len(picked)), _MIX + epoch)
    return np.asarray(picked[np.argsort(mixed, kind="stable")])


def _picked(rows: np.ndarray, quota: int, seed: int, epoch: int) -> np.ndarray:
    """`quota` of `rows`: whole turns of all of them, each turn in an order of its own."""
    turns = -(-quota // len(rows))
    keys = (np.arange(turns, dtype=np.int64)[:, None] << 32) + rows
    drawn = uniform(seed, keys.ravel(), _PICK + epoch).reshape(keys.shape)
    turned: np.ndarray = rows[np.argsort(drawn, axis=1, kind="stable")].ravel()[:quota]
    return turned
