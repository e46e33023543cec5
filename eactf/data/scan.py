"""Looking at every image of a listing once: sizes, faults, digests. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eactf.data.listing import Listing

__all__ = ["BadRow", "Scan", "scan"]


@dataclass(frozen=True)
class BadRow:
    """An image that cannot be used: its row, its name, why (`decode.REASONS`), in a few words."""

    row: int
    name: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Scan:
    """Facts of every image of a listing; row `i` of every array is sample `i`, zero where bad.

    `good` `(n,)` bool. `width`, `height` `(n,)` int32 are upright (turned as EXIF says). `grey`
    `(n,)` bool: no pixel has a colour. `mode`, `format` `(n,)` are Pillow's names (`L`, `RGB`,
    `I;16`, `CMYK`; `PNG`, `JPEG`, `WEBP`, "" for arrays). `frames` `(n,)` int32, above 1 where
    animated. `turned` `(n,)` bool: EXIF turns it. `low`, `high` `(n,)` uint8 are the least and the
    largest value of all channels; `flat` `(n,)` bool: every pixel has one colour. `digest` `(n, 2)`
    uint64 is equal where size, channels and pixels are. `thumbnail` `(n, 16, 16)` uint8 is the
    image in grey, for finding near duplicates. `mean`, `deviation` `(n,)` float32 are of the grey
    thumbnail, 0 to 1. `bad` lists what cannot be used, in order of rows.
    """

    good: np.ndarray
    width: np.ndarray
    height: np.ndarray
    grey: np.ndarray
    mode: np.ndarray
    format: np.ndarray
    frames: np.ndarray
    turned: np.ndarray
    low: np.ndarray
    high: np.ndarray
    flat: np.ndarray
    digest: np.ndarray
    thumbnail: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    bad: tuple[BadRow, ...]


def scan(
    listing: Listing,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scan:
    """Decode every image of `listing` in parallel and note its facts; memory stays flat in pixels.

    `workers` threads, None for as many as there are cores. `progress(done, total)` is called now
    and then, from the calling thread; it may raise (`KeyboardInterrupt`), which stops the scan.
    """
    raise NotImplementedError
