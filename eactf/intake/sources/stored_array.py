"""`StoredArray` is an array that is still in its file, an NPZ or HDF5 file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np

from eactf.errors import DataError, UnsafeFileError
from eactf.foreign import reason_of

__all__ = ["MAX_ARRAYS", "PIECE", "SUSPECT", "StoredArray", "check_expansion", "spool"]

MAX_ARRAYS = 1_024
"""How many arrays a file may hold."""

PIECE = 1 << 22
"""Bytes that are read at a time."""

SUSPECT = "do not use this file unless you know who made it"

_MAX_RATIO = 200  # photographs reach 2, drawings and masks 50; deflate itself ends at 1,032
_FREE_SIZE = 1 << 28  # below this an array of one value, which packs well, harms nobody


@dataclass(frozen=True)
class StoredArray:
    """An array of plain values (numbers, booleans or texts) whose header was checked.

    `read()` gives it in memory, `map()` as a read-only memory map: of the file itself where the
    array lies there plainly, else of a temporary file without a name. Both raise `DataError` where
    the file turns out to be damaged.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]
    map: Callable[[], np.ndarray]

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0


def check_expansion(path: Path, name: str, size: int, stored: int) -> None:
    """Refuse an array of `size` bytes that a file keeps in `stored`, where that is a bomb."""
    if size > _FREE_SIZE and size > _MAX_RATIO * stored:
        raise UnsafeFileError(
            f"{path}: {name} declares {size:,} bytes, the file keeps {stored:,} bytes of it",
            hint=f"it was cut short or made to exhaust the machine; {SUSPECT}",
        )


def spool(
    pieces: Iterator[bytes],
    shape: tuple[int, ...],
    dtype: np.dtype,
    *,
    order: Literal["C", "F"] = "C",
) -> np.ndarray:
    """The array made of `pieces`, memory-mapped from a temporary file that no folder lists.

    Memory stays flat; the file goes when the array does. Raises `DataError` where the disk is full.
    """
    size = prod(shape) * dtype.itemsize
    if shutil.disk_usage(tempfile.gettempdir()).free < size:
        raise DataError(
            f"unpacking needs {size:,} bytes in {tempfile.gettempdir()}, which has less",
            hint="set TMPDIR to a folder on a larger disk, or save the arrays uncompressed",
        )
    with tempfile.TemporaryFile() as file:
        try:
            for piece in pieces:
                file.write(piece)
            file.flush()
        except OSError as error:
            raise DataError(
                f"unpacking into {tempfile.gettempdir()} failed: {reason_of(error)}"
            ) from error
        if file.tell() != size:
            raise DataError(f"an array ended after {file.tell():,} of {size:,} bytes")
        return np.memmap(file, dtype, mode="r", shape=shape, order=order)
