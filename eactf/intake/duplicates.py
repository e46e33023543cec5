"""`find_duplicates` finds images that are there more than once, exactly or nearly the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eactf.intake.alignment import aligned_correlation, standardised
from eactf.intake.neighbours import near_pairs
from eactf.intake.scan import Scan

__all__ = ["Duplicates", "find_duplicates"]

_LIKELY = 0.85
"""Correlation of blurred thumbnails from which two images are looked at more closely."""

_COPY = 0.97
"""Correlation of aligned thumbnails from which one image is a copy of another.

Of FERPlus's faces, pairs above 0.96 are one photograph, however cropped; below 0.95 most are two.
"""

_ALIKE = 0.94
_NO_GAP = 1 / 3
_CERTAIN = 0.996
"""Pairs from `_ALIKE` to `_COPY`, divided by those above, are 0.1 for FERPlus and 1.0 for
Fashion-MNIST. Beyond `_NO_GAP` likeness runs on without a gap: a copy must reach `_CERTAIN`."""

_FEW = 0.01
"""Pairs from `_ALIKE` to `_COPY` count where they are more than this part of the images."""

_LEAST_DEVIATION = 0.02
"""Images with less contrast, 0 to 1, are not compared: what is left is noise."""

_TOGETHER = 2_048
"""Pairs that are aligned at a time."""


@dataclass(frozen=True)
class Duplicates:
    """Which images of a listing are copies of each other.

    `exact` `(n,)` int64: the first row with the same pixels, the row itself where there is none
    before it. `near` `(n,)` int64: the first row that is nearly equal, the row itself where there
    is none; only first rows of `exact` are compared, and copies have what their first row has. Bad
    images are alone in both. `alike` is True where the images resemble each other so much (small
    pictures of clothes, digits) that near copies cannot be told from mere likeness; `near` then
    holds only the closest.
    """

    exact: np.ndarray
    near: np.ndarray
    alike: bool

    def exact_groups(self) -> list[np.ndarray]:
        """The rows of each set of two and more pixel-identical images, in order."""
        return _groups(self.exact)

    def near_groups(self) -> list[np.ndarray]:
        """The rows of each set of nearly equal images, one of every pixel-identical set."""
        return _groups(np.where(self.exact == np.arange(len(self.exact)), self.near, -1))


def find_duplicates(scan: Scan) -> Duplicates:
    """Find the copies among the images that decode.

    Near copies are found by their thumbnails: resized, compressed anew, brightened or darkened, or
    cropped by a few percent. Mirrored and turned ones are not.
    """
    exact = _first_equal(scan)
    firsts = (exact == np.arange(len(exact))) & scan.good & (scan.deviation >= _LEAST_DEVIATION)
    rows = np.flatnonzero(firsts)
    pairs = rows[near_pairs(_blurred(scan.thumbnail[rows]), _LIKELY)]
    likeness = _likeness(scan.thumbnail, pairs)
    copies = int((likeness >= _COPY).sum())
    nearly = int((likeness >= _ALIKE).sum()) - copies
    alike = nearly > max(_FEW * len(rows), _NO_GAP * copies)
    near = _joined(len(exact), pairs[likeness >= (_CERTAIN if alike else _COPY)])
    return Duplicates(exact, near[exact], alike)


def _blurred(thumbnails: np.ndarray) -> np.ndarray:
    """Thumbnails at a third of their size and standardised: `(n, values)` float32."""
    count, side, _ = thumbnails.shape
    blocks = thumbnails.reshape(count, side // 3, 3, side // 3, 3)
    return standardised(blocks.sum(axis=(2, 4), dtype=np.uint16))


def _likeness(thumbnails: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    likeness = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _TOGETHER):
        later, earlier = pairs[start : start + _TOGETHER].T
        likeness[start : start + _TOGETHER] = aligned_correlation(
            thumbnails[later], thumbnails[earlier]
        )
    return likeness


def _joined(count: int, pairs: np.ndarray) -> np.ndarray:
    """For each row the first row of its set; the two rows of a pair are in the same set."""
    first = list(range(count))

    def root(row: int) -> int:
        while first[row] != row:
            first[row] = first[first[row]]
            row = first[row]
        return row

    for later, earlier in pairs.tolist():
        one, other = sorted((root(later), root(earlier)))
        first[other] = one
    return np.array([root(row) for row in range(count)], np.int64)


def _first_equal(scan: Scan) -> np.ndarray:
    rows = np.arange(len(scan.good))
    order = np.lexsort((rows, scan.digest[:, 1], scan.digest[:, 0], ~scan.good))
    sorted_digest = scan.digest[order]
    new = np.ones(len(rows), bool)
    new[1:] = (sorted_digest[1:] != sorted_digest[:-1]).any(axis=1)
    new |= ~scan.good[order]
    first = np.empty_like(rows)
    first[order] = order[np.maximum.accumulate(np.where(new, rows, 0))]
    return first


def _groups(first: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(first, kind="stable")
    bounds = np.flatnonzero(np.diff(first[order])) + 1
    return [rows for rows in np.split(order, bounds) if len(rows) > 1 and first[rows[0]] >= 0]
