"""This module opens PyTorch checkpoints, today's zip files and the form before version 1.6."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from eactf.errors import DataError, UnsafeFileError
from eactf.foreign import reason_of
from eactf.nn.weight_import.tensors import KINDS, SUSPECT, damaged, too_large
from eactf.nn.weight_import.torch_pickles import load_checkpoint_pickle
from eactf.safe_pickle import load_pickle

__all__ = ["LEGACY_START", "ZIP_START", "legacy_checkpoint", "zip_checkpoint"]

ZIP_START = b"PK\x03\x04"
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""Pickled by every version of PyTorch that wrote the old form: its magic number."""

_PROTOCOL = 1001

Values = Callable[[str], np.ndarray]


@contextmanager
def zip_checkpoint(path: Path) -> Iterator[tuple[object, Values]]:
    """The pickled value of a zip checkpoint, and what gives a storage's values, flat.

    Raises `UnsafeFileError` for a TorchScript program and for storages that do not lie in the file
    as declared, `DataError` for a damaged archive.
    """
    with ExitStack() as opened:
        with _telling_damage(path):
            archive = opened.enter_context(zipfile.ZipFile(path))
            members = {member.filename: member for member in archive.infolist()}
            folder = _folder(path, members)
            _check_members(path, members, len(archive.infolist()))
            pickled = BytesIO(archive.read(f"{folder}/data.pkl"))
            order = f"{folder}/byteorder"
            if order in members and archive.read(order) != b"little":
                raise _big_endian(path)
        value, storages = load_checkpoint_pickle(pickled, path)
        for key, (kind, count) in storages.items():
            _check_storage(path, members.get(f"{folder}/data/{key}"), key, kind, count)

        def values(key: str) -> np.ndarray:
            with _telling_damage(path):
                content = archive.read(f"{folder}/data/{key}")
            return np.frombuffer(content, KINDS[storages[key][0]])

        yield value, values


@contextmanager
def _telling_damage(path: Path) -> Iterator[None]:
    """Whatever a broken archive makes zipfile raise, as a `DataError`."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,  # an encrypted member
        NotImplementedError,  # an unknown compression
        ValueError,
        OSError,  # places outside the file
        struct.error,
    ) as reason:
        raise damaged(path, reason_of(reason)) from reason


def _folder(path: Path, members: dict[str, zipfile.ZipInfo]) -> str:
    """The one folder in which PyTorch puts everything."""
    roots = [name.removesuffix("/data.pkl") for name in members if name.endswith("/data.pkl")]
    if any(name.endswith("/constants.pkl") for name in members):
        raise UnsafeFileError(
            f"{path} is a TorchScript archive: it holds a program, not only weights",
            hint="in PyTorch: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')",
        )
    if len(roots) != 1 or "/" in roots[0]:
        raise DataError(
            f"{path} is a zip archive, but no PyTorch checkpoint: data.pkl is not in it",
            hint="unpack it first, if the checkpoint is inside",
        )
    return roots[0]


def _check_members(path: Path, members: dict[str, zipfile.ZipInfo], count: int) -> None:
    there = path.stat().st_size
    for member in members.values():
        if member.compress_type != zipfile.ZIP_STORED:
            raise UnsafeFileError(
                f"{path}: {member.filename!a} is compressed, which PyTorch never does",
                hint=f"it may unpack to more than memory holds; {SUSPECT}",
            )
        if member.file_size > there:
            raise too_large(path, ascii(member.filename), member.file_size, there)
    if count != len(members):
        raise UnsafeFileError(f"{path} holds two members of one name", hint=SUSPECT)


def _check_storage(
    path: Path, member: zipfile.ZipInfo | None, key: str, kind: str, count: int
) -> None:
    if member is None:
        raise damaged(path, f"storage {key!r} is not in it")
    declared = count * KINDS[kind].itemsize
    if member.file_size != declared:
        raise too_large(path, f"storage {key!r}", declared, member.file_size)


@contextmanager
def legacy_checkpoint(path: Path) -> Iterator[tuple[object, Values]]:
    """As `zip_checkpoint`, for the older form: five pickles, then the storages one by one."""
    with path.open("rb") as stream:
        load_pickle(stream, where=str(path))
        protocol = load_pickle(stream, where=str(path))
        system = load_pickle(stream, where=str(path))
        if protocol != _PROTOCOL or not isinstance(system, dict):
            raise DataError(f"{path} is of PyTorch's protocol {protocol}; expected {_PROTOCOL}")
        if not {**system, **_as_text(system)}.get("little_endian", True):
            raise _big_endian(path)
        value, storages = load_checkpoint_pickle(stream, path)
        places = _places(stream, path, storages)

        def values(key: str) -> np.ndarray:
            kind, count = storages[key]
            return np.fromfile(path, KINDS[kind], count, offset=places[key])

        yield value, values


def _places(stream: BinaryIO, path: Path, storages: dict[str, tuple[str, int]]) -> dict[str, int]:
    """Where each storage's values begin; every size is checked against the file."""
    keys = load_pickle(stream, where=str(path))
    there, place, places = path.stat().st_size, stream.tell(), {}
    for key in keys if isinstance(keys, list) else ():
        key = key.decode("latin-1") if isinstance(key, bytes) else key
        if not isinstance(key, str) or key not in storages:
            raise damaged(path, "it lists a storage that no tensor uses")
        kind, count = storages[key]
        stream.seek(place)
        size = stream.read(8)
        if len(size) != 8 or struct.unpack("<q", size)[0] != count:
            raise damaged(path, f"storage {key!r} is not of the size that its tensors say")
        places[key] = place + 8
        place += 8 + count * KINDS[kind].itemsize
        if place > there:
            raise too_large(path, f"storage {key!r}", place - places[key], there - places[key])
    if places.keys() != storages.keys():
        raise damaged(path, "storages are missing at its end")
    return places


def _as_text(system: dict[object, object]) -> dict[object, object]:
    return {key.decode("latin-1"): value for key, value in system.items() if isinstance(key, bytes)}


def _big_endian(path: Path) -> DataError:
    return DataError(
        f"{path} was written on a big-endian machine", hint="save it again on another one"
    )
