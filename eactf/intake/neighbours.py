"""`near_pairs` finds rows that point nearly the same way without comparing each with all others.

Some rows are chosen as anchors. Every row is filed under the few anchors nearest to it, and is
compared only with the rows that are filed under one of these anchors too. The work grows as n to
the power 1.5, and memory as n.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eactf.packed.hashing import uniform

__all__ = ["near_pairs"]

_ANCHORS = 1005  # its own stream of random numbers; label noise and splits have 1001 to 1004
_FILED_UNDER = 3
_SMALL = 4_000
"""Up to this many rows each is compared with every other."""

_ROWS_AN_ANCHOR = 400
_BLOCK = 1_024
"""Rows that are compared with a whole file at a time, which bounds the memory."""


def near_pairs(rows: np.ndarray, least: float, most: int = 3) -> np.ndarray:
    """Pairs `(later, earlier)` of rows whose inner product is `least` or more, `(pairs, 2)` int64.

    `rows` is `(n, k)` float32 of length 1 each. Of each row the `most` nearest of the earlier ones
    in each file are given; each pair is given once. Of more than 4,000 rows a pair near `least` may
    be missed, one of nearly equal rows is not.
    """
    found = [np.empty((0, 2), np.int64)]
    for members in _files(rows):
        found += list(_pairs_among(rows, members, least, most))
    return np.unique(np.concatenate(found), axis=0)


def _files(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Row numbers, ascending, of those to be compared with each other."""
    if len(rows) <= _SMALL:
        yield np.arange(len(rows))
        return
    order = np.argsort(uniform(0, np.arange(len(rows)), _ANCHORS), kind="stable")
    anchors = rows[order[: len(rows) // _ROWS_AN_ANCHOR]]
    filed = np.concatenate(
        [
            np.argpartition(-(rows[start : start + _BLOCK] @ anchors.T), _FILED_UNDER, axis=1)
            for start in range(0, len(rows), _BLOCK)
        ]
    )[:, :_FILED_UNDER]
    for anchor in range(len(anchors)):
        yield np.flatnonzero((filed == anchor).any(axis=1))


def _pairs_among(
    rows: np.ndarray, members: np.ndarray, least: float, most: int
) -> Iterator[np.ndarray]:
    vectors = rows[members]
    for start in range(0, len(members), _BLOCK):
        stop = min(start + _BLOCK, len(members))
        likeness = vectors[start:stop] @ vectors[:stop].T
        own = np.arange(start, stop)
        likeness[np.arange(stop) >= own[:, None]] = -2  # not with itself and later ones
        own = own[likeness.max(axis=1) >= least]
        likeness = likeness[own - start]
        nearest = np.argpartition(-likeness, min(most, stop) - 1, axis=1)[:, :most]
        close = np.take_along_axis(likeness, nearest, axis=1) >= least
        later = np.broadcast_to(own[:, None], nearest.shape)
        yield np.stack([members[later[close]], members[nearest[close]]], axis=1)
