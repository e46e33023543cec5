"""`open_tensors` opens files of weights as people have them and runs nothing that is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.nn.weight_import.safetensors import looks_like_safetensors, read_safetensors
from eactf.nn.weight_import.tensors import KINDS, StoredTensor, TensorFile
from eactf.nn.weight_import.torch_files import (
    LEGACY_START,
    ZIP_START,
    legacy_checkpoint,
    zip_checkpoint,
)
from eactf.nn.weight_import.torch_pickles import (
    TensorRecipe,
    load_checkpoint_pickle,
    stored_tensor,
)

__all__ = ["ARRAYS_FORM", "open_tensors"]

ARRAYS_FORM = "pickle of NumPy arrays"

_HOLDERS = ("state_dict", "model_state_dict", "model", "net", "network", "backbone", "encoder")
"""Entries of a training checkpoint under which the weights are looked for, in this order."""

_HDF5_START = b"\x89HDF\r\n\x1a\n"
_PICKLE_STARTS = (b"\x80", b"(d", b"}")
_EXPECTED = "expected a PyTorch checkpoint (.pth, .pt), a pickle of NumPy arrays or .safetensors"


@contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """The tensors of a file, whose form is told by its first bytes, not by its name.

    Raises `UsageError` where there is no such file, `DataError` where it is none of the forms, is
    damaged or holds no tensors, `UnsafeFileError` where it would run code or declares more than
    it has.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint=_EXPECTED)
    with path.open("rb") as stream:
        start = stream.read(16)
    if start.startswith(ZIP_START):
        with zip_checkpoint(path) as (value, values):
            yield _checkpoint(path, "PyTorch checkpoint", value, values)
    elif start.startswith(LEGACY_START):
        with legacy_checkpoint(path) as (value, values):
            yield _checkpoint(path, "PyTorch checkpoint, form before 1.6", value, values)
    elif looks_like_safetensors(start):
        yield TensorFile(path, "safetensors", _some(path, read_safetensors(path)))
    elif start.startswith(_PICKLE_STARTS):
        with path.open("rb") as stream:
            value, _ = load_checkpoint_pickle(stream, path)
        yield _checkpoint(path, ARRAYS_FORM, value, _no_storage)
    else:
        raise _unknown(path, start)


def _unknown(path: Path, start: bytes) -> DataError:
    if start.startswith(_HDF5_START):
        hint = "weights that eactf imported are used as they are: model.weights in a recipe"
        return DataError(f"{path} is an HDF5 file: {_EXPECTED}", hint=hint)
    return DataError(f"{path} is no file of weights that eactf knows: {_EXPECTED}")


def _checkpoint(
    path: Path, form: str, value: object, values: Callable[[str], np.ndarray]
) -> TensorFile:
    inside, entries = _weights_in(path, value)
    tensors = {}
    for name, entry in entries.items():
        if isinstance(entry, TensorRecipe):
            tensors[name] = stored_tensor(entry, name, path, values)
        elif isinstance(entry, np.ndarray):
            tensors[name] = _array(entry)
    return TensorFile(path, form, tensors, inside)


def _weights_in(path: Path, value: object) -> tuple[str, Mapping[str, Any]]:
    """The dictionary of tensors in a checkpoint, and the name of the entry that held it."""
    if isinstance(value, dict):
        entries = _by_name(value)
        for holder in _HOLDERS:
            held = entries.get(holder)
            if isinstance(held, dict) and _has_tensors(held):
                return holder, _by_name(held)
        if _has_tensors(value):
            return "", entries
        names = ", ".join(repr(name[:40]) for name in list(entries)[:8]) or "nothing"
        received = f"it holds {names}, and no tensors there"
    else:
        received = "it holds no dictionary of them"
    raise DataError(
        f"{path}: no named tensors found; {received}",
        hint=f"expected the state dict itself, or one under {', '.join(_HOLDERS)}",
    )


def _has_tensors(value: dict[object, object]) -> bool:
    return any(isinstance(entry, TensorRecipe | np.ndarray) for entry in value.values())


def _by_name(value: dict[object, object]) -> dict[str, Any]:
    """Entries under text keys; Python 2 wrote them as bytes."""
    texts = {
        key.decode("latin-1") if isinstance(key, bytes) else key: entry
        for key, entry in value.items()
    }
    return {key: entry for key, entry in texts.items() if isinstance(key, str)}


def _array(values: np.ndarray) -> StoredTensor:
    kind = values.dtype.name if values.dtype.name in KINDS else f"{values.dtype.name} values"
    return StoredTensor(values.shape, kind, lambda: np.asarray(values))


def _no_storage(key: str) -> np.ndarray:
    raise DataError(f"storage {key!r} is kept in no file")


def _some(path: Path, tensors: Mapping[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    if not tensors:
        raise DataError(f"{path} holds no tensors")
    return tensors
