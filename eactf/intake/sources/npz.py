"""`open_npz` opens the arrays of an NPZ file; it unpickles nothing and reads nothing whole.

An NPZ file is a ZIP archive of `.npy` files, each a short header (type, order, shape) before the
values. NumPy's own reader puts a member into memory whole and unpickles where told; here a member
is taken only when its header, the archive's directory and the file's size agree.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Literal

import numpy as np

from eactf.errors import DataError, UnsafeFileError
from eactf.foreign import reason_of
from eactf.intake.sources.npy_header import read_npy_header
from eactf.intake.sources.stored_array import (
    MAX_ARRAYS,
    PIECE,
    SUSPECT,
    StoredArray,
    check_expansion,
    spool,
)

__all__ = ["open_npz", "read_npy"]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_AGAIN = "copy the file again, or save it with numpy.savez_compressed"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error)


@dataclass(frozen=True)
class _Header:
    """What a `.npy` file says of its values, and how many bytes it takes to say so."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype
    length: int


def open_npz(path: Path) -> dict[str, StoredArray]:
    """The arrays of an NPZ file by name, without `.npy`; members that are no arrays are left out.

    Raises `UnsafeFileError` for pickled objects, encryption, overlapping members and declared sizes
    that the file cannot hold, `DataError` for a file that is damaged or none of the kind.
    """
    with _archive(path) as archive:
        members = archive.infolist()
        _check_directory(path, members)
        return {
            member.filename.removesuffix(".npy"): _stored(path, archive, member)
            for member in members
            if member.filename.endswith(".npy")
        }


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (NotImplementedError, *_BROKEN) as error:
        raise DataError(
            f"{path} is no NPZ file, or damaged: {reason_of(error)}", hint=_AGAIN
        ) from error


def _check_directory(path: Path, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if len(names) > MAX_ARRAYS:
        raise _unsafe(path, f"has {len(names):,} members, at most {MAX_ARRAYS:,} are allowed")
    if len(set(names)) < len(names):
        raise _unsafe(path, "has two members of one name")
    if sum(member.compress_size for member in members) > path.stat().st_size:
        raise _unsafe(path, "has members that overlap or reach past its end")
    for member in members:
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise DataError(
                f"{path}: {member.filename} is encrypted or compressed in an unknown way",
                hint="save the arrays with numpy.savez or numpy.savez_compressed",
            )


def _stored(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> StoredArray:
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as stream:
        header = _read_header(path, name, stream)
    size = prod(header.shape) * header.dtype.itemsize
    if header.length + size != member.file_size:
        raise _unsafe(
            path, f"{name} declares {size:,} bytes of values, its member has {member.file_size:,}"
        )
    check_expansion(path, name, size, member.compress_size)
    offset = _plain_offset(path, member)

    def pieces() -> Iterator[bytes]:
        return _pieces(path, member, header.length)

    def read() -> np.ndarray:
        flat: np.ndarray = np.frombuffer(b"".join(pieces()), header.dtype)
        return flat.reshape(header.shape, order=header.order)

    def mapped() -> np.ndarray:
        if offset is None or size == 0:
            return spool(pieces(), header.shape, header.dtype, order=header.order)
        return np.memmap(
            path,
            header.dtype,
            mode="r",
            offset=offset + header.length,
            shape=header.shape,
            order=header.order,
        )

    return StoredArray(name, header.shape, header.dtype, read, mapped)


def read_npy(path: Path) -> np.ndarray:
    """The array of a small `.npy` file; what `open_npz` refuses is refused."""
    try:
        with path.open("rb") as file:
            header = _read_header(path, path.name, file)
            size = prod(header.shape) * header.dtype.itemsize
            content = file.read(size) if size <= path.stat().st_size else b""
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason_of(error)}") from error
    if len(content) != size:
        raise _unsafe(path, f"declares {size:,} bytes, more than the file has")
    flat: np.ndarray = np.frombuffer(content, header.dtype)
    return flat.reshape(header.shape, order=header.order)


def _read_header(path: Path, name: str, stream: IO[bytes]) -> _Header:
    shape, fortran, dtype = read_npy_header(f"{path}: {name}", stream)
    if dtype.hasobject:
        raise UnsafeFileError(
            f"{path}: {name} holds Python objects, and reading them runs code from the file",
            hint="save plain numbers or texts, for example numpy.array(names, dtype=str)",
        )
    if dtype.kind not in "biufUS" or dtype.shape or dtype.itemsize == 0:
        raise DataError(
            f"{path}: {name}: expected numbers, booleans or texts, received {dtype}",
            hint="save each field as an array of its own",
        )
    if any(not isinstance(length, int) or length < 0 for length in shape):
        raise DataError(f"{path}: {name} declares the shape {shape}", hint=SUSPECT)
    return _Header(shape, "F" if fortran else "C", dtype, stream.tell())


def _plain_offset(path: Path, member: zipfile.ZipInfo) -> int | None:
    """Where the bytes of an uncompressed member start; None for a compressed one."""
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    with path.open("rb") as file:
        file.seek(member.header_offset)
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    offset: int = member.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if magic != b"PK\x03\x04" or offset + member.file_size > path.stat().st_size:
        raise _unsafe(path, f"{member.filename} reaches past the end of the file")
    return offset


def _pieces(path: Path, member: zipfile.ZipInfo, skip: int) -> Iterator[bytes]:
    """The values of a member as bytes, a few megabytes at a time; its checksum is checked."""
    with _archive(path) as archive, archive.open(member) as stream:
        stream.read(skip)
        while piece := stream.read(PIECE):
            yield piece


def _unsafe(path: Path, what: str) -> UnsafeFileError:
    return UnsafeFileError(f"{path}: {what}", hint=SUSPECT)
