"""`TensorFile` gives the shapes of a file's tensors at once and their values when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from eactf.errors import DataError, UnsafeFileError

__all__ = [
    "KINDS",
    "SUSPECT",
    "StoredTensor",
    "TensorFile",
    "damaged",
    "too_large",
    "whole_numbers",
]

SUSPECT = "do not use this file unless you know who made it"

KINDS: Mapping[str, np.dtype] = {
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),  # the upper half of a float32, which NumPy has no name for
    "int64": np.dtype("<i8"),
    "int32": np.dtype("<i4"),
    "int16": np.dtype("<i2"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
    "bool": np.dtype("?"),
}
"""What tensors may hold, and how their values lie in the file."""

_MAX_RANK = 8


@dataclass(frozen=True)
class StoredTensor:
    """One tensor. `load` gives its values, `shape` of `KINDS[kind]`, while the file is open."""

    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray]

    def read(self) -> np.ndarray:
        """The values as float32."""
        values = self.load()
        if self.kind == "bfloat16":
            values = (values.astype("<u4") << 16).view("<f4")
        return np.ascontiguousarray(values, np.float32)


@dataclass(frozen=True)
class TensorFile:
    """The tensors that a file holds, by the file's own names.

    `form` says what kind of file it is; `inside` the entry that held the tensors, "" where they
    were not inside another.
    """

    path: Path
    form: str
    tensors: Mapping[str, StoredTensor]
    inside: str = ""


def whole_numbers(value: Any, what: str) -> tuple[int, ...]:
    """`value` as a shape or the like: few whole numbers, none negative; else `ValueError`."""
    sound = isinstance(value, tuple | list) and len(value) <= _MAX_RANK
    if not sound or not all(type(number) is int and 0 <= number < 2**48 for number in value):
        raise ValueError(f"a tensor with an odd {what}")
    if prod(value) >= 2**48:
        raise ValueError(f"a tensor with a {what} beyond any memory")
    return tuple(value)


def too_large(path: Path, what: str, declared: int, there: int) -> UnsafeFileError:
    """The refusal of something that declares more than the file has."""
    return UnsafeFileError(
        f"{path}: {what} declares {declared:,} bytes, the file has {there:,} for it",
        hint=f"the file was cut short or made to exhaust memory; {SUSPECT}",
    )


def damaged(path: Path, reason: object) -> DataError:
    """The error of a file that cannot be made out."""
    return DataError(f"{path} is damaged: {reason}", hint="copy it again from where it came from")
