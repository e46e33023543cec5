"""`scan` decodes every image of a listing once and notes its size, faults and digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageChops, JpegImagePlugin

from eactf.intake.decode import orientation, quiet_pillow, strips, upright, upright_size
from eactf.intake.listing import BadImage, Listing
from eactf.intake.parallel import batch_size, in_order
from eactf.intake.room import room_for

__all__ = ["BadRow", "Scan", "scan"]


@dataclass(frozen=True)
class BadRow:
    """An image that cannot be used: row and name, one of `bad_images.REASONS`, a few words more."""

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
    uint64 is equal where size and upright 8-bit pixels are, whether a grey image is stored in one
    channel or in three; a JPEG of over 4 million pixels is decoded at a fraction of its size, at
    which it is compared with other JPEGs. `thumbnail` `(n, 24, 24)` uint8 is the image in grey,
    for finding near duplicates. `mean`, `deviation` `(n,)` float32 are of the grey thumbnail, 0 to
    1. `bad` lists what cannot be used, in order of rows.
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


_SIDE = 24
"""Pixels of a thumbnail's side: two faces can be told apart, a crop still be undone."""


_LARGE = 2**22
_ENOUGH = 512
"""A JPEG of more than `_LARGE` pixels is decoded at an eighth, a quarter or half of its size, the
smallest with `_ENOUGH` pixels a side."""


def scan(
    listing: Listing,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scan:
    """Decode every image of `listing` in parallel and note its facts.

    Memory does not grow with their number, and large ones wait for each other (see `room`).

    `workers` threads, None for as many as there are cores. `progress(done, total)` is called now
    and then, from the calling thread; it may raise (`KeyboardInterrupt`), which stops the scan.
    """
    scanned, bad = _empty(len(listing)), []
    batch = batch_size(len(listing), 16, workers)
    batches = in_order(partial(_look_at, listing), len(listing), workers=workers, batch=batch)
    with quiet_pillow(), closing(batches):
        for rows, facts in batches:
            for row, fact in zip(rows, facts, strict=True):
                if isinstance(fact, BadImage):
                    bad.append(BadRow(row, str(listing.names[row]), fact.reason, fact.detail))
                    continue
                scanned["good"][row] = True
                for name, value in fact.items():
                    scanned[name][row] = value
            if progress is not None:
                progress(rows.stop, len(listing))
    mean, deviation = _moments(scanned["thumbnail"])
    return Scan(**scanned, mean=mean, deviation=deviation, bad=tuple(bad))


def _empty(count: int) -> dict[str, np.ndarray]:
    flags = {name: np.zeros(count, bool) for name in ("good", "grey", "turned", "flat")}
    numbers = {name: np.zeros(count, np.int32) for name in ("width", "height", "frames")}
    texts = {name: np.zeros(count, "<U8") for name in ("mode", "format")}
    extremes = {name: np.zeros(count, np.uint8) for name in ("low", "high")}
    return {
        **flags,
        **numbers,
        **texts,
        **extremes,
        "digest": np.zeros((count, 2), np.uint64),
        "thumbnail": np.zeros((count, _SIDE, _SIDE), np.uint8),
    }


def _moments(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each thumbnail, 0 to 1; exact, from whole-number sums."""
    values = thumbnails.reshape(len(thumbnails), _SIDE * _SIDE)
    total = values.sum(axis=1, dtype=np.int64)
    squares = np.einsum("ij,ij->i", values, values, dtype=np.int64)
    variance = (_SIDE**2 * squares - total * total) / _SIDE**4
    mean = (total / (_SIDE**2 * 255)).astype(np.float32)
    return mean, (np.sqrt(variance) / 255).astype(np.float32)


_Facts = dict[str, Any] | BadImage


def _look_at(listing: Listing, row: int) -> _Facts:
    try:
        with listing.images.open(row) as image:
            size = _whole_size(image)
            with room_for(image):
                return _facts(image, size)
    except BadImage as verdict:
        return verdict


def _whole_size(image: Image.Image) -> tuple[int, int] | None:
    """The upright size of a large JPEG, which from now on is decoded at a fraction of it.

    The format makes that cheap. None for other images: theirs is known once they are decoded.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return None
    if image.width * image.height <= _LARGE:
        return None
    size = upright_size(image)
    image.draft(None, (_ENOUGH, _ENOUGH))  # at least so many pixels a side are left
    return size


def _facts(image: Image.Image, size: tuple[int, int] | None) -> dict[str, Any]:
    mode, kind = image.mode, image.format or ""  # before decoding, which may change the mode
    pixels = upright(image)
    size = size or pixels.size
    grey = pixels.mode == "L" or _colourless(pixels)
    if grey and pixels.mode != "L":
        pixels = pixels.getchannel(0)
    lows, highs = _extremes(pixels)
    return {
        "width": size[0],
        "height": size[1],
        "grey": grey,
        "mode": mode,
        "format": kind,
        "turned": orientation(image) != 1,
        "low": min(lows),
        "high": max(highs),
        "flat": lows == highs,
        "digest": _digest(pixels, size),
        "thumbnail": _thumbnail(pixels),
        "frames": _frames(image),  # last: counting them may decode another
    }


def _extremes(pixels: Image.Image) -> tuple[list[int], list[int]]:
    """The least and the largest value of each channel."""
    found: Any = pixels.getextrema() if pixels.mode == "RGB" else [pixels.getextrema()]
    lows, highs = zip(*found, strict=True)
    return list(lows), list(highs)


def _colourless(pixels: Image.Image) -> bool:
    return all(_without_colour(strip) for _, strip in strips(pixels))


def _without_colour(pixels: Image.Image) -> bool:
    red, green, blue = pixels.split()
    differences = (ImageChops.difference(red, other).getbbox() for other in (green, blue))
    return all(box is None for box in differences)


def _thumbnail(pixels: Image.Image) -> np.ndarray:
    return np.asarray(pixels.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR).convert("L"))


def _digest(pixels: Image.Image, size: tuple[int, int]) -> np.ndarray:
    content = hashlib.blake2b(f"{pixels.mode} {size}".encode(), digest_size=16)
    for _, strip in strips(pixels):
        content.update(strip.tobytes())
    return np.frombuffer(content.digest(), np.uint64)


def _frames(image: Image.Image) -> int:
    """How many frames there are; 1 where a later one is broken, as only the first is used."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # Pillow's readers raise many kinds on a broken file
        return 1
