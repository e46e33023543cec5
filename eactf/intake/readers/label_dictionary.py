"""`read_label_dictionary` reads label arrays, by name, from a `.pt`, `.npy` or `.npz` file.

`.pt` and such `.npy` files are pickles inside, of which only dictionaries of numbers and arrays
are read.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.intake.sources.npy_header import read_npy_header
from eactf.intake.sources.npz import open_npz
from eactf.safe_pickle import load_pickle

__all__ = ["read_label_dictionary"]

_MAX_BYTES = 1 << 26
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of PyTorch's form before 1.6
_EXPECTED = "expected a dictionary of labels by name"


def read_label_dictionary(path: Path) -> dict[str, np.ndarray]:
    """The arrays `(n,)` int64 of a `.pt`, `.npy` or `.npz` file by name.

    Raises `UnsafeFileError` for a file that asks for more than data, `DataError` for another form.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise DataError(f"{path} has {path.stat().st_size:,} bytes: no file of labels is so large")
    if path.suffix.lower() == ".npz":
        content: object = {name: array.read() for name, array in open_npz(path).items()}
    elif path.suffix.lower() == ".npy":
        content = _read_object_npy(path)
    else:
        content = _read_torch(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: {_EXPECTED}, received {type(content).__name__}")
    return {_text(name): _labels(path, _text(name), values) for name, values in content.items()}


def _read_object_npy(path: Path) -> object:
    """The one object of an array of objects, such as `numpy.save` makes of a dictionary."""
    with path.open("rb") as file:
        shape, _, dtype = read_npy_header(str(path), file)
        if shape != () or not dtype.hasobject:
            raise DataError(f"{path}: {_EXPECTED}, received an array of shape {shape}")
        stored = load_pickle(file, where=str(path))
    return stored.item() if isinstance(stored, np.ndarray) and stored.size == 1 else stored


def _read_torch(path: Path) -> object:
    if zipfile.is_zipfile(path):
        return _read_torch_zip(path)
    with path.open("rb") as file:
        first = load_pickle(file, where=str(path))
        if first != _TORCH_MAGIC:
            return first
        load_pickle(file, where=str(path))  # the version of the form
        load_pickle(file, where=str(path))  # sizes of numbers on the machine it was written on
        return load_pickle(file, where=str(path))


def _read_torch_zip(path: Path) -> object:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith("/data.pkl")]
            if len(members) != 1 or members[0].file_size > _MAX_BYTES:
                raise DataError(f"{path} is not as PyTorch writes: expected one small data.pkl")
            with archive.open(members[0]) as stream:
                content: BinaryIO = io.BytesIO(stream.read(_MAX_BYTES))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise DataError(f"{path} is damaged: {reason_of(error)}", hint="copy it again") from error
    return load_pickle(content, where=str(path))


def _labels(path: Path, name: str, values: object) -> np.ndarray:
    if not isinstance(values, list | np.ndarray):
        raise DataError(f"{path}: {name}: expected an array, received {type(values).__name__}")
    labels = np.asarray(values).reshape(-1)
    if labels.dtype.kind not in "iu" or not len(labels):
        raise DataError(f"{path}: {name}: expected whole numbers")
    return labels.astype(np.int64)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
