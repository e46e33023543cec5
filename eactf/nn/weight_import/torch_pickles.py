"""This module reads a PyTorch checkpoint's pickle with harmless stand-ins for what it names.

A checkpoint is a pickle in which each tensor is a call: storage, place in it, shape, strides. The
storages lie outside, under persistent ids. Nothing of PyTorch is needed to make that out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from eactf.errors import UnsafeFileError
from eactf.nn.weight_import.tensors import (
    KINDS,
    StoredTensor,
    damaged,
    too_large,
    whole_numbers,
)
from eactf.safe_pickle import NUMPY, Names, StandIn, load_pickle

__all__ = ["Storage", "TensorRecipe", "load_checkpoint_pickle", "stored_tensor"]

_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_NUMBERS_ONLY = (
    "weights are read from numbers only; in PyTorch, save those: "
    "torch.save(model.state_dict(), 'weights.pth')"
)


@dataclass(frozen=True)
class Storage(StandIn):
    """A flat row of `count` values, kept under `key`; `start` where a view of it begins."""

    key: str
    kind: str
    count: int
    start: int = 0


@dataclass(frozen=True)
class TensorRecipe(StandIn):
    """A tensor as the pickle has it, nothing checked."""

    storage: Storage
    offset: Any
    shape: Any
    strides: Any


@dataclass(frozen=True)
class _Kind(StandIn):
    """A storage class: `torch.FloatStorage` and its like."""

    name: str


@dataclass(frozen=True)
class _Constant(StandIn):
    """A name without values for us, such as `torch.float32`; may be called, as `torch.device`."""

    name: str

    def __call__(self, *arguments: object) -> object:
        return self


class _RebuildTensor(StandIn):
    """`torch._utils._rebuild_tensor_v2` and its forerunner."""

    __slots__ = ()

    def __call__(
        self, storage: object, offset: object, shape: object, strides: object, *rest: object
    ) -> TensorRecipe:
        if not isinstance(storage, Storage):
            raise ValueError("a tensor without a storage")
        return TensorRecipe(storage, offset, shape, strides)


class _RebuildParameter(StandIn):
    """`torch._utils._rebuild_parameter`: the tensor is its first argument."""

    __slots__ = ()

    def __call__(self, tensor: object, *rest: object) -> object:
        return tensor


class _Dictionary(dict[object, object]):
    """What an `OrderedDict` becomes; PyTorch hangs attributes on it, which are let go."""

    def __setstate__(self, state: object) -> None:
        pass


class _NewDictionary(StandIn):
    """`collections.OrderedDict`, called with nothing or with pairs."""

    __slots__ = ()

    def __call__(self, *pairs: Any) -> _Dictionary:
        return _Dictionary(*pairs)


class _Size(StandIn):
    """`torch.Size`."""

    __slots__ = ()

    def __call__(self, *sides: Any) -> tuple[object, ...]:
        return tuple(*sides)


_NAMES: Names = {
    **NUMPY,
    ("collections", "OrderedDict"): _NewDictionary(),
    ("collections", "Counter"): _NewDictionary(),
    ("torch", "Size"): _Size(),
    ("torch", "device"): _Constant("device"),
    ("torch._utils", "_rebuild_tensor"): _RebuildTensor(),
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    **{("torch", kind): _Constant(kind) for kind in KINDS},
    **{("torch", name): _Kind(kind) for name, kind in _STORAGES.items()},
}


def load_checkpoint_pickle(
    stream: BinaryIO, path: Path
) -> tuple[object, dict[str, tuple[str, int]]]:
    """The value that starts where `stream` stands, and the storages it uses.

    Tensors in it are `TensorRecipe`, or arrays where NumPy's were pickled. The storages are
    `{key: (kind, count)}`. Raises `UnsafeFileError` for whatever is no number, `DataError` for a
    damaged pickle.
    """
    seen: dict[str, tuple[str, int]] = {}

    def kept_outside(pid: Any) -> Storage:
        word, kind, key, _, count, *view = pid
        if _text(word) != "storage" or not isinstance(kind, _Kind):
            raise ValueError("a persistent id that is no storage")
        (count,) = whole_numbers((count,), "storage")
        key = _text(key)
        if seen.setdefault(key, (kind.name, count)) != (kind.name, count):
            raise ValueError(f"storage {key!r} is declared twice, differently")
        start = whole_numbers(view[0][1:2], "view")[0] if view and view[0] is not None else 0
        return Storage(key, kind.name, count, start)

    try:
        value = load_pickle(stream, where=str(path), names=_NAMES, kept_outside=kept_outside)
    except UnsafeFileError as refusal:
        hint = f"{refusal.hint}; {_NUMBERS_ONLY}"
        raise UnsafeFileError(refusal.message, hint=hint) from None
    return value, seen


def stored_tensor(
    recipe: TensorRecipe, name: str, path: Path, values: Callable[[str], np.ndarray]
) -> StoredTensor:
    """A tensor whose place in its storage was checked; `values(key)` gives a storage's, flat."""
    try:
        shape = whole_numbers(recipe.shape, "shape")
        strides = whole_numbers(recipe.strides, "stride")
        (offset,) = whole_numbers((recipe.offset,), "offset")
        if len(shape) != len(strides):
            raise ValueError("a tensor with more sides than strides, or fewer")
    except ValueError as reason:
        raise damaged(path, f"{name!r} is {reason}") from None
    storage, size = recipe.storage, KINDS[recipe.storage.kind].itemsize
    count = int(np.prod(shape, dtype=object))
    offset += storage.start
    end = offset + 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    # As many values as places, too: a stride of nought repeats one value without end.
    needed = max(end, count) if count else 0
    if needed > storage.count:
        raise too_large(path, repr(name), needed * size, storage.count * size)

    def load() -> np.ndarray:
        if not count:
            return np.zeros(shape, KINDS[storage.kind])
        flat = values(storage.key)[offset:]
        steps = tuple(step * size for step in strides)
        return np.lib.stride_tricks.as_strided(flat, shape, steps, writeable=False)

    return StoredTensor(shape, storage.kind, load)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise ValueError("a name that is no text")
    return value
