"""`ImageRows` reads chosen images of a file and leaves the others on disk."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ImageRows", "take_images"]


class ImageRows:
    """The images of `base` `(n, height, width, channels)` at `rows`, read when they are asked for.

    Indexed like an array it gives arrays; `np.asarray` reads it whole.
    """

    def __init__(self, base: np.ndarray, rows: np.ndarray) -> None:
        self._base = base
        self._rows = rows

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self._rows), *self._base.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        return self._base.dtype

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        first, *rest = index if isinstance(index, tuple) else (index,)
        chosen = self._rows[first]
        read = np.asarray(self._base[chosen])
        return read[(slice(None), *rest) if np.ndim(chosen) else tuple(rest)] if rest else read

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("images of a file cannot become an array without a copy")
        read = self[np.arange(len(self))]
        return read if dtype is None else read.astype(dtype, copy=False)

    def take(self, rows: np.ndarray) -> ImageRows:
        """Those of these images at `rows`."""
        return ImageRows(self._base, self._rows[rows])


def take_images(images: np.ndarray | ImageRows, rows: np.ndarray) -> np.ndarray | ImageRows:
    """`images` at `rows` (positions or a mask): a view of what lies in a file, else an array."""
    if isinstance(images, ImageRows):
        return images.take(rows)
    if isinstance(images, np.memmap):
        rows = np.asarray(rows)
        return ImageRows(images, np.flatnonzero(rows) if rows.dtype == bool else rows)
    return np.asarray(images[rows])
