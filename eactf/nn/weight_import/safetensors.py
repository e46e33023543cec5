"""This module reads safetensors files: a length, a JSON header of that length, and the values."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from eactf.errors import DataError, EactfError
from eactf.foreign import reason_of
from eactf.nn.weight_import.tensors import (
    KINDS,
    StoredTensor,
    damaged,
    too_large,
    whole_numbers,
)

__all__ = ["looks_like_safetensors", "read_safetensors"]

_KINDS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
_MAX_HEADER = 100 * 2**20


def looks_like_safetensors(start: bytes) -> bool:
    """Whether a file that begins so, with 9 bytes or more, has the form."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _MAX_HEADER


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a file; every place is checked before a value is read.

    Raises `UnsafeFileError` for places outside the file, `DataError` for a header that is no JSON
    of the form.
    """
    there = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(there - 8, _MAX_HEADER):
            raise too_large(path, "the header", length, there - 8)
        content = stream.read(length)
    try:
        header = json.loads(content)
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _tensor(path, name, entry, 8 + length) for name, entry in entries.items()}
    except EactfError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as reason:
        raise damaged(path, f"its header cannot be read ({reason_of(reason)})") from reason


def _tensor(path: Path, name: str, entry: Any, values_start: int) -> StoredTensor:
    shape = whole_numbers(entry["shape"], "shape")
    start, end = whole_numbers(entry["data_offsets"], "place")
    kind = _KINDS.get(entry["dtype"], "")
    if not kind:
        # Such as 8-bit floats: only a fault if the network asks for this tensor.
        return StoredTensor(shape, f"{str(entry['dtype'])[:20]!a} values", _unreadable)
    size = prod(shape) * KINDS[kind].itemsize
    there = max(0, min(end, path.stat().st_size - values_start) - start)
    if size != end - start or size > there:
        raise too_large(path, repr(name), size, there)

    def load() -> np.ndarray:
        flat = np.fromfile(path, KINDS[kind], prod(shape), offset=values_start + start)
        return flat.reshape(shape)

    return StoredTensor(shape, kind, load)


def _unreadable() -> np.ndarray:
    raise DataError("the tensor holds values of a kind that cannot be read")
