"""This module measures how alike two small images are after a slight shift and stretch of one.

Gauss-Newton steps find the shift and the stretch along each axis, by the inverse compositional
method (Baker and Matthews, "Lucas-Kanade 20 years on: a unifying framework", IJCV 2004).
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["aligned_correlation", "standardised"]

_MARGIN = 2
"""Pixels at each border of the first image that are not compared, so that the second may move."""

_FARTHEST = 0.09
"""The largest shift, and the largest stretch at a border, as a part of half a side."""

_STEPS = 5
_PROMISING = 0.85
"""Pairs below this correlation after `_FIRST_STEPS` are given up: copies are far above."""

_FIRST_STEPS = 2


def standardised(values: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and length 1, float32, of an array of images; rows of one value become 0."""
    rows = values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-6), np.float32)


def aligned_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The correlation of each pair of images `(n, side, side)`, the best of those along the way.

    Brightness and contrast do not count; a crop of some four percent a side is undone. Shape
    `(n,)` float32, -1 to 1.
    """
    best = np.full(len(first), -1.0, np.float32)
    move = np.zeros((len(first), 4), np.float32)  # shift and stretch down, shift and stretch across
    rows = np.arange(len(first))
    for step in range(_STEPS):
        found, move[rows] = _step(first[rows], second[rows], move[rows])
        best[rows] = np.maximum(best[rows], found)
        if step + 1 == _FIRST_STEPS:
            rows = rows[best[rows] >= _PROMISING]
        if not len(rows):
            break
    return best


def _step(first: np.ndarray, second: np.ndarray, move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The correlation at `move`, and the next move."""
    side = first.shape[1]
    inside = np.arange(_MARGIN, side - _MARGIN)
    place = ((inside - (side - 1) / 2) / (side / 2)).astype(np.float32)
    grey = first.astype(np.float32)
    target = standardised(grey[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN])
    moved = standardised(_moved(second.astype(np.float32), inside, place, move))
    correlation = np.einsum("np,np->n", target, moved)
    slopes = _slopes(grey, place)
    difference = moved - target
    curvature = np.einsum("ncp,ndp->ncd", slopes, slopes)
    curvature += 1e-4 * np.eye(4, dtype=np.float32)
    pull = np.einsum("ncp,np->nc", slopes, difference)
    change = np.linalg.solve(curvature, pull[:, :, None])[:, :, 0]
    return correlation, np.clip(move - change, -_FARTHEST, _FARTHEST).astype(np.float32)


def _moved(
    images: np.ndarray, inside: np.ndarray, place: np.ndarray, move: np.ndarray
) -> np.ndarray:
    """The images sampled bilinearly at the moved places; both axes are products of matrices."""
    side = images.shape[1]

    def weights(shift: np.ndarray, stretch: np.ndarray) -> np.ndarray:
        wanted = inside + (shift[:, None] + stretch[:, None] * place) * (side / 2)
        wanted = np.clip(wanted, 0, side - 1)
        distance = np.abs(wanted[:, :, None] - np.arange(side))
        return np.asarray(np.maximum(0, 1 - distance), np.float32)

    down, across = weights(move[:, 0], move[:, 1]), weights(move[:, 2], move[:, 3])
    return np.asarray(down @ images @ across.transpose(0, 2, 1))


def _slopes(grey: np.ndarray, place: np.ndarray) -> np.ndarray:
    """How the standardised inner part changes with each of the four numbers of a move."""
    inner = (slice(None), slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN))
    down, across = np.gradient(grey, axis=1)[inner], np.gradient(grey, axis=2)[inner]
    parts = np.stack(
        [down, down * place[None, :, None], across, across * place[None, None, :]], axis=1
    )
    slopes = parts.reshape(len(grey), 4, -1) * (grey.shape[1] / 2)
    slopes -= slopes.mean(axis=2, keepdims=True)
    values = grey[inner].reshape(len(grey), -1)
    length = np.linalg.norm(values - values.mean(axis=1, keepdims=True), axis=1)
    return np.asarray(slopes / np.maximum(length, 1e-6)[:, None, None])
