"""An HDF5 file from strangers is examined here before anything in it is read.

An HDF5 file can point at other files (external links, external storage, virtual datasets), run
filters, and declare arrays far larger than itself. Here every array must lie, whole and
uncompressed, inside the file; it is then read by its byte offset, not by the HDF5 library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path

import h5py
import numpy as np

from eactf.errors import DataError, EactfError, UnsafeFileError, UsageError
from eactf.foreign import reason_of

__all__ = ["HDF5", "Column"]

_MAX_MEMBERS = 128  # of one group; ours have a handful
_SUSPECT = "do not use this file unless you know who made it"
_REPACK = "pack the data again, for example with: eactf data pack"


@dataclass(frozen=True)
class Column:
    """An array that was found to lie whole inside the file, at a byte offset."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int

    def read(self) -> np.ndarray:
        """The array, in memory."""
        flat = np.fromfile(self.path, self.dtype, prod(self.shape), offset=self.offset)
        if flat.size != prod(self.shape):
            raise DataError(f"{self.path}: {self.name} ended early; was the file changed?")
        return flat.reshape(self.shape)

    def map(self) -> np.memmap:
        """The array as a read-only memory map."""
        return np.memmap(self.path, self.dtype, mode="r", offset=self.offset, shape=self.shape)


class HDF5:
    """An HDF5 file open for reading, every access checked."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._path = path
        self._file = file
        self._size = path.stat().st_size

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[HDF5]:
        """Open `path`; whatever the HDF5 library stumbles over becomes a `DataError`."""
        _check_is_hdf5(path)
        try:
            with h5py.File(path, "r") as file:
                yield cls(path, file)
        except EactfError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} is damaged: {reason_of(error)}",
                hint="copy it again from where it came from",
            ) from error

    def text(self, key: str) -> str:
        """The root attribute `key`, a fixed-length UTF-8 string; `DataError` where it is not."""
        attribute = self._attribute(key)
        kind = attribute.get_type()
        if kind.get_class() != h5py.h5t.STRING or kind.is_variable_str():
            raise self._wrong(f"attribute {key}", "fixed-length text", "something else")
        value = np.zeros((), kind.dtype)
        attribute.read(value)
        return bytes(value[()]).decode()

    def number(self, key: str) -> int:
        """The root attribute `key`, an integer."""
        attribute = self._attribute(key)
        if attribute.get_type().get_class() != h5py.h5t.INTEGER:
            raise self._wrong(f"attribute {key}", "an integer", "something else")
        value = np.zeros((), np.int64)
        attribute.read(value)
        return int(value)

    def has_attribute(self, key: str) -> bool:
        """Whether the root has the attribute `key`."""
        return bool(h5py.h5a.exists(self._file.id, key.encode()))

    def members(self, group: str) -> tuple[str, ...]:
        """The names in `group` ("/" or "/labels"); `UnsafeFileError` for soft or external links."""
        group_id = h5py.h5g.open(self._file.id, group.encode())
        if group_id.get_num_objs() > _MAX_MEMBERS:
            raise UnsafeFileError(
                f"{self._path}: {group} has {group_id.get_num_objs()} members,"
                f" at most {_MAX_MEMBERS} are allowed",
                hint=_SUSPECT,
            )
        names = list(group_id)
        for name in names:
            if group_id.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                raise UnsafeFileError(
                    f"{self._path}: {_shown(name)} is a soft or external link,"
                    " which may point at another file",
                    hint=_SUSPECT,
                )
        return tuple(name.decode() for name in names)

    def is_group(self, name: str) -> bool:
        """Whether the member `name` of the root, known to be a hard link, is a group."""
        kind = h5py.h5o.get_info(self._file.id, name.encode()).type
        return bool(kind == h5py.h5o.TYPE_GROUP)

    def column(self, name: str, dtypes: Sequence[np.dtype], rank: int) -> Column:
        """The dataset `name`, checked to be one of `dtypes`, of `rank`, and inside the file.

        The names on the way to it must have gone through `members`.
        """
        dataset = h5py.h5d.open(self._file.id, name.encode())
        self._check_storage(name, dataset)
        dtype = self._dtype(name, dataset, dtypes)
        space = dataset.get_space()
        if space.get_simple_extent_type() != h5py.h5s.SIMPLE:
            raise self._wrong(name, f"{rank} dimensions", "none")
        shape = tuple(int(length) for length in space.shape)
        if len(shape) != rank:
            raise self._wrong(name, f"{rank} dimensions", f"shape {shape}")
        if min(shape) < 1:
            raise self._wrong(name, "at least one of everything", f"shape {shape}")
        offset = self._check_size(name, dataset, prod(shape) * dtype.itemsize)
        return Column(self._path, name, shape, dtype, offset)

    def _attribute(self, key: str) -> h5py.h5a.AttrID:
        if not self.has_attribute(key):
            raise self._wrong(f"attribute {key}", "a value", "no such attribute")
        attribute = h5py.h5a.open(self._file.id, key.encode())
        if attribute.get_space().get_simple_extent_type() != h5py.h5s.SCALAR:
            raise self._wrong(f"attribute {key}", "a single value", "an array")
        return attribute

    def _check_storage(self, name: str, dataset: h5py.h5d.DatasetID) -> None:
        # First of all, for asking a virtual dataset its shape may already open other files.
        plist = dataset.get_create_plist()
        found = None
        if plist.get_layout() == h5py.h5d.VIRTUAL:
            found = "is a virtual dataset, which reads other files"
        elif plist.get_external_count() > 0:
            found = "keeps its values in another file"
        if found:
            raise UnsafeFileError(f"{self._path}: {name} {found}", hint=_SUSPECT)
        if plist.get_layout() != h5py.h5d.CONTIGUOUS or plist.get_nfilters() > 0:
            raise self._wrong(name, "contiguous, uncompressed storage", "another kind")

    def _dtype(
        self, name: str, dataset: h5py.h5d.DatasetID, dtypes: Sequence[np.dtype]
    ) -> np.dtype:
        kind = dataset.get_type()
        for dtype in dtypes:
            if dtype.kind == "S":
                fixed = kind.get_class() == h5py.h5t.STRING and not kind.is_variable_str()
                if fixed and 1 <= kind.get_size() <= dtype.itemsize:
                    return np.dtype(f"S{kind.get_size()}")
            elif kind.equal(h5py.h5t.py_create(dtype)):
                return dtype
        expected = " or ".join(str(dtype) for dtype in dtypes)
        raise self._wrong(name, expected, "another type of value")

    def _check_size(self, name: str, dataset: h5py.h5d.DatasetID, size: int) -> int:
        offset = dataset.get_offset()
        if offset is None or offset + size > self._size:
            raise UnsafeFileError(
                f"{self._path}: {name} declares {size:,} bytes, more than the file has"
                f" ({self._size:,} bytes in all)",
                hint=f"the file was cut short or made to exhaust memory; {_SUSPECT}",
            )
        return int(offset)

    def _wrong(self, what: str, expected: str, received: str) -> DataError:
        return DataError(
            f"{self._path}: {what}: expected {expected}, received {received}", hint=_REPACK
        )


def _check_is_hdf5(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="check the path of the packed data set")
    if not path.is_file():
        raise DataError(f"{path} is not a file: expected a packed data set", hint=_REPACK)
    if not h5py.is_hdf5(path):
        raise DataError(
            f"{path} is not an HDF5 file: expected a data set that eactf packed", hint=_REPACK
        )


def _shown(name: bytes) -> str:
    return repr(name.decode(errors="replace"))
