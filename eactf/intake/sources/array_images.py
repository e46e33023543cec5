"""`ImageRows` reads images that lie in an array, one at a time and as 8-bit values."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from PIL import Image

from eactf.errors import DataError
from eactf.intake.sources.stored_array import PIECE, StoredArray
from eactf.packed.identity import pixel_digest

__all__ = ["ImageRows", "byte_scale", "channel_axis"]

_CHANNELS = (1, 3)
_MAX_SIDE = 1 << 14


class ImageRows:
    """A stored array seen as images of 8 bits; implements `listing.Images`.

    The file is mapped when the first image is asked for. `channel_axis` is where the channels are,
    None for grey images without; `scale` brings values to 0..255.
    """

    def __init__(self, stored: StoredArray, channel_axis: int | None, scale: float) -> None:
        self._stored = stored
        self._axis = channel_axis
        self._scale = scale
        self._map: np.ndarray | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._stored)

    def open(self, row: int) -> Image.Image:
        image = np.asarray(self._values()[row])
        if self._axis == 1:
            image = np.moveaxis(image, 0, -1)
        if image.dtype != np.uint8 or self._scale != 1:
            image = np.rint(image.astype(np.float64) * self._scale).clip(0, 255).astype(np.uint8)
        if image.ndim == 3 and image.shape[-1] == 1:
            image = image[..., 0]
        return Image.fromarray(np.ascontiguousarray(image))

    def bytes_on_disk(self, row: int) -> int:
        return prod(self._stored.shape[1:]) * self._stored.dtype.itemsize

    def digest(self, row: int) -> int:
        return pixel_digest(np.asarray(self._values()[row]))

    def _values(self) -> np.ndarray:
        with self._lock:
            if self._map is None:
                self._map = self._stored.map()
        return self._map


def channel_axis(path: Path, stored: StoredArray) -> int | None:
    """Where the channels of `(n, h, w)`, `(n, h, w, 1|3)` or `(n, 1|3, h, w)` are; None for grey.

    Raises `DataError` for another shape, and for one that may be read in two ways.
    """
    shape = stored.shape
    where = f"{path}: {stored.name}"
    if len(shape) not in (3, 4):
        raise DataError(
            f"{where}: expected images (n, height, width), (n, height, width, 1 or 3) or"
            f" (n, 1 or 3, height, width), received shape {shape}",
            hint="reshape the rows to images before saving" if len(shape) == 2 else None,
        )
    if stored.dtype.kind not in "buif":
        raise DataError(f"{where}: expected numbers, received {stored.dtype}")
    if len(shape) == 3:
        axis = None
    else:
        axes = [axis for axis in (1, 3) if shape[axis] in _CHANNELS]
        if len(axes) != 1:
            found = "either may be the channels" if axes else "neither is"
            raise DataError(
                f"{where}: expected 1 or 3 channels in the second or in the last place, received"
                f" shape {shape}: {found}",
                hint="save the images as (n, height, width, channels), transparency left out",
            )
        axis = axes[0]
    height, width = _as_channels_last(shape, axis)[1:3]
    if not (0 < height <= _MAX_SIDE and 0 < width <= _MAX_SIDE):
        raise DataError(f"{where}: images of {width} x {height} pixels cannot be read")
    return axis


def byte_scale(path: Path, arrays: Sequence[StoredArray]) -> float:
    """What the values of all `arrays` are to be multiplied by to reach from 0 to 255.

    1 for values in 0..255, 255 for fractions of 0..1 and for whole numbers of which none is above
    1, told by the largest value of all arrays. Those not of uint8 are read through once, those of
    uint8 up to the first value above 1. Raises `DataError` for others.
    """
    others = [array for array in arrays if array.dtype != np.uint8]
    limits = [(array, *_extent(array)) for array in others]
    for array, low, high in limits:
        if not (low >= 0 and high <= 255 + 1e-3):  # a NaN fails both
            raise DataError(
                f"{path}: {array.name}: expected values 0 to 255 or fractions 0 to 1, received"
                f" {low:g} to {high:g}",
                hint="undo the normalisation and save the images as uint8",
            )
    tops = [high for _, _, high in limits]
    tops += [_top_of_bytes(array) for array in arrays if array.dtype == np.uint8]
    tops = [top for top in tops if top > 0]  # arrays of black images fit to either
    dark = [top <= 1 + 1e-4 for top in tops]
    if any(dark) and not all(dark):
        raise DataError(
            f"{path}: some arrays of images reach to 1 and others to 255",
            hint="save all of them as uint8, from 0 to 255",
        )
    return 255.0 if any(dark) else 1.0


def _top_of_bytes(array: StoredArray) -> int:
    """The largest value of an array of uint8 where it is 1 at the most, else one above that."""
    values = array.map()
    rows = max(PIECE // max(prod(array.shape[1:]), 1), 1)
    top = 0
    for first in range(0, len(array), rows):
        top = max(top, int(values[first : first + rows].max()))
        if top > 1:
            break
    return top


def _extent(array: StoredArray) -> tuple[float, float]:
    """The least and the largest value, NaN where there is one; memory stays flat."""
    values = array.map()
    rows = max(PIECE // max(prod(array.shape[1:]) * array.dtype.itemsize, 1), 1)
    low, high = np.inf, -np.inf
    for first in range(0, len(array), rows):
        block = values[first : first + rows]
        low, high = np.minimum(low, block.min()), np.maximum(high, block.max())
    return float(low), float(high)


def _as_channels_last(shape: tuple[int, ...], axis: int | None) -> tuple[int, ...]:
    return (shape[0], *shape[2:], shape[1]) if axis == 1 else shape
