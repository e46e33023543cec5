"""`open_hdf5` opens arrays in HDF5 files that others wrote, chunked and compressed ones too.

The packed form has a stricter opener of its own (`eactf.packed`). Here chunks and the filters
that HDF5 brings along are allowed; what reaches out of the file (links, virtual and external
storage) is refused, and so is what declares far more than the file can hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path

import h5py
import numpy as np

from eactf.errors import DataError, EactfError, UnsafeFileError
from eactf.foreign import reason_of
from eactf.intake.sources.stored_array import (
    MAX_ARRAYS,
    PIECE,
    SUSPECT,
    StoredArray,
    check_expansion,
    spool,
)

__all__ = ["open_hdf5"]

_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
"""deflate, shuffle, fletcher32, szip, nbit, scaleoffset and h5py's lzf; others are plug-ins."""

_MAX_CHUNK = 1 << 28  # HDF5 unpacks a chunk whole, in memory
_MAX_TEXT = 4_096
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


def open_hdf5(path: Path) -> dict[str, StoredArray]:
    """The arrays of an HDF5 file by name, those of its groups as `group/name`.

    Raises `UnsafeFileError` for links, storage outside of the file and declared sizes that it
    cannot hold, `DataError` for a file that is damaged or none of the kind.
    """
    if not h5py.is_hdf5(path):
        raise DataError(f"{path} is no HDF5 file", hint="is its ending right?")
    found: dict[str, StoredArray] = {}
    with _opened(path) as file:
        for name in _members(path, file, "/"):
            if _is_group(file, name):
                inside = [f"{name}/{member}" for member in _members(path, file, name)]
                found |= {key: _stored(path, file, key) for key in inside if _is_array(file, key)}
            elif _is_array(file, name):
                found[name] = _stored(path, file, name)
            if len(found) > MAX_ARRAYS:
                raise _unsafe(path, f"has more than {MAX_ARRAYS:,} arrays")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        with h5py.File(path, "r") as file:
            yield file
    except EactfError:
        raise
    except _DAMAGE as error:
        raise DataError(
            f"{path} is damaged: {reason_of(error)}", hint="copy it again from where it came from"
        ) from error


def _members(path: Path, file: h5py.File, group: str) -> list[str]:
    group_id = h5py.h5g.open(file.id, group.encode())
    if group_id.get_num_objs() > MAX_ARRAYS:
        raise _unsafe(path, f"{group} has more than {MAX_ARRAYS:,} members")
    for name in group_id:
        if group_id.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise _unsafe(path, f"{_shown(name)} is a link, which may point at another file")
    return [name.decode() for name in group_id]


def _is_group(file: h5py.File, name: str) -> bool:
    return bool(h5py.h5o.get_info(file.id, name.encode()).type == h5py.h5o.TYPE_GROUP)


def _is_array(file: h5py.File, name: str) -> bool:
    return bool(h5py.h5o.get_info(file.id, name.encode()).type == h5py.h5o.TYPE_DATASET)


def _stored(path: Path, file: h5py.File, name: str) -> StoredArray:
    dataset = h5py.h5d.open(file.id, name.encode())
    _check_storage(path, name, dataset)
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        raise DataError(f"{path}: {name} is empty", hint="leave it out of the file")
    shape = tuple(int(length) for length in space.shape)
    kind = dataset.get_type()
    if kind.get_class() == h5py.h5t.STRING and kind.is_variable_str():
        check_expansion(path, name, 16 * prod(shape), dataset.get_storage_size())
        read = partial(_read_texts, path, name, shape)
        return StoredArray(name, shape, np.dtype("U"), read, read)
    dtype = _dtype(path, name, dataset)
    check_expansion(path, name, prod(shape) * dtype.itemsize, dataset.get_storage_size())
    read = partial(_read, path, name, shape, dtype)
    mapped = partial(_map, path, name, shape, dtype, _plain_offset(path, name, dataset, dtype))
    return StoredArray(name, shape, dtype, read, mapped)


def _check_storage(path: Path, name: str, dataset: h5py.h5d.DatasetID) -> None:
    # First of all, for asking a virtual dataset its shape may already open other files.
    plist = dataset.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        raise _unsafe(path, f"{name} is a virtual dataset, which reads other files")
    if plist.get_external_count() > 0:
        raise _unsafe(path, f"{name} keeps its values in another file")
    for index in range(plist.get_nfilters()):
        code = plist.get_filter(index)[0]
        if code not in _FILTERS:
            raise DataError(
                f"{path}: {name} is compressed by filter {code}, which needs a plug-in",
                hint="save it with compression='gzip'",
            )
    if plist.get_layout() == h5py.h5d.CHUNKED:
        size = prod(plist.get_chunk()) * dataset.get_type().get_size()
        if size > _MAX_CHUNK:
            raise _unsafe(path, f"{name} has chunks of {size:,} bytes, at most {_MAX_CHUNK:,}")


def _dtype(path: Path, name: str, dataset: h5py.h5d.DatasetID) -> np.dtype:
    try:
        dtype: np.dtype = np.dtype(dataset.dtype)
    except TypeError as error:
        raise DataError(f"{path}: {name}: {reason_of(error)}") from None
    if dtype.hasobject or dtype.kind not in "biufS" or dtype.shape or dtype.itemsize == 0:
        raise DataError(
            f"{path}: {name}: expected numbers, booleans or texts, received {dtype}",
            hint="save each field as an array of its own, references as numbers",
        )
    return dtype


def _plain_offset(
    path: Path, name: str, dataset: h5py.h5d.DatasetID, dtype: np.dtype
) -> int | None:
    """Where the bytes of a contiguous array start; None for a chunked one or one of no bytes."""
    plist = dataset.get_create_plist()
    if plist.get_layout() != h5py.h5d.CONTIGUOUS or plist.get_nfilters():
        return None
    if not dataset.get_type().equal(h5py.h5t.py_create(dtype)):
        return None  # booleans and odd widths, which HDF5 converts
    offset = dataset.get_offset()
    size = prod(dataset.shape) * dtype.itemsize
    if offset is None:
        return None
    if offset + size > path.stat().st_size:
        raise _unsafe(path, f"{name} reaches past the end of the file")
    return int(offset)


def _read(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    values = np.zeros(shape, dtype)
    if values.size:
        with _opened(path) as file:
            file[name].read_direct(values)
    return values


def _map(
    path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype, offset: int | None
) -> np.ndarray:
    if offset is None:
        return spool(_pieces(path, name, shape, dtype), shape, dtype)
    return np.memmap(path, dtype, mode="r", offset=offset, shape=shape)


def _pieces(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> Iterator[bytes]:
    """The values in order, in blocks of whole chunks, so that each is unpacked once."""
    row = max(prod(shape[1:]) * dtype.itemsize, 1)
    with _opened(path) as file:
        dataset = file[name]
        chunk = dataset.chunks[0] if dataset.chunks else 1
        rows = max(PIECE // row // chunk, 1) * chunk
        rows = min(rows, max(_MAX_CHUNK // row, 1))  # chunks may be tall and thin
        for first in range(0, shape[0], rows):
            yield dataset[first : first + rows].astype(dtype, copy=False).tobytes()


def _read_texts(path: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Texts of any length, one at a time: many of them may name one huge text in the file."""
    texts = []
    with _opened(path) as file:
        dataset = file[name]
        for index in np.ndindex(shape):
            text = dataset[index]
            if len(text) > _MAX_TEXT:
                raise DataError(f"{path}: {name} has a text of more than {_MAX_TEXT:,} bytes")
            texts.append(text.decode(errors="replace"))
    return np.array(texts, np.str_).reshape(shape)


def _unsafe(path: Path, what: str) -> UnsafeFileError:
    return UnsafeFileError(f"{path}: {what}", hint=SUSPECT)


def _shown(name: bytes) -> str:
    return repr(name.decode(errors="replace"))
