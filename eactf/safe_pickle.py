"""`load_pickle` reads plain values and arrays from pickles, even hostile ones: it imports nothing.

A pickle is a small program; `pickle.load` imports and calls whatever it names. Here every name it
may use is on a list, and stands for a checked stand-in of ours, not for the thing itself. The
program is gone through once before it runs, for operations that would exhaust memory.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, BinaryIO, Literal

import numpy as np

from eactf.errors import DataError, EactfError, UnsafeFileError
from eactf.foreign import reason_of

__all__ = ["NUMPY", "Names", "StandIn", "load_pickle"]

Names = Mapping[tuple[str, str], object]
"""The (module, name) pairs a pickle may use, and what each stands for."""

_REFUSED = frozenset({"EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEXT_BUFFER", "READONLY_BUFFER"})
_REFUSED |= {"PERSID"}
_MEMO = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_SUSPECT = "do not use this file unless you know who made it"


def load_pickle(
    stream: BinaryIO,
    *,
    where: str,
    names: Names | None = None,
    kept_outside: Callable[[object], object] | None = None,
) -> object:
    """The value of the pickle that starts where `stream` stands, which must be able to seek.

    Texts that Python 2 wrote come as bytes. `where` names the file in messages; `names` are allowed
    beside plain values, by default `NUMPY`. `kept_outside` gives what a persistent id stands for;
    without it such ids are refused. The stream is left where the pickle ends. Raises
    `UnsafeFileError` for a name that is not allowed and for operations that exhaust memory,
    `DataError` where the pickle is damaged.
    """
    start = stream.tell()
    try:
        _check_operations(stream, where, _REFUSED if kept_outside else _REFUSED | {"BINPERSID"})
        stream.seek(start)
        return _Unpickler(stream, where, NUMPY if names is None else names, kept_outside).load()
    except EactfError:
        raise
    except Exception as error:  # unpickling raises whatever a wrong operand leads to
        raise DataError(f"{where} is damaged: {reason_of(error)}", hint="copy it again") from error


def _check_operations(stream: BinaryIO, where: str, refused: frozenset[str]) -> None:
    for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
        # A memo entry of a large number makes a table of that size.
        beyond = operation.name in _MEMO and int(str(argument)) > count + 1
        if beyond or operation.name in refused:
            raise UnsafeFileError(
                f"{where} uses {operation.name} {argument if beyond else ''}".rstrip()
                + ", which no data needs",
                hint=_SUSPECT,
            )


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        stream: BinaryIO,
        where: str,
        names: Names,
        kept_outside: Callable[[object], object] | None,
    ) -> None:
        super().__init__(stream, encoding="bytes")
        self._where = where
        self._names = names
        self._kept_outside = kept_outside

    def find_class(self, module: str, name: str) -> object:
        try:
            return self._names[module, name]
        except KeyError:
            raise UnsafeFileError(
                f"{self._where} asks for {module}.{name}: opening it would run code",
                hint=_SUSPECT,
            ) from None

    def persistent_load(self, pid: object) -> object:
        if self._kept_outside is None:
            raise ValueError("a persistent id where none belongs")
        return self._kept_outside(pid)


class StandIn:
    """Base of what an allowed name gives; a pickle can call it, and change nothing of it."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise ValueError("a state where none belongs")


class _ArrayClass(StandIn):
    """`numpy.ndarray`, which pickles name and never call themselves."""

    __slots__ = ()


class _NewArray(StandIn):
    """`numpy.core.multiarray._reconstruct`: an empty array, to be filled by its state."""

    __slots__ = ()

    def __call__(self, kind: object, shape: object, code: object) -> np.ndarray:
        if not isinstance(kind, _ArrayClass) or shape != (0,):
            raise ValueError("an array that does not start empty")
        return _Filled.__new__(_Filled, (0,), np.uint8)


class _Filled(np.ndarray):
    """An array that takes its values from a state that was checked."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, values = state
        shape = _shape(shape)
        if isinstance(values, list):  # of objects, made by this same unpickler
            dtype: np.dtype = np.dtype(object)
            size = len(values)
        else:
            dtype = _plain(kind)
            values = values.encode("latin-1") if isinstance(values, str) else values
            size = len(values) // dtype.itemsize if isinstance(values, bytes) else -1
        if size != prod(shape):
            raise ValueError(f"an array of shape {shape} with {size} values")
        rest: Any = (dtype, bool(fortran), values)
        super().__setstate__((shape, *rest))


class _FromBuffer(StandIn):
    """`numpy._core.numeric._frombuffer`: how protocol 5 keeps an array."""

    __slots__ = ()

    def __call__(self, values: object, kind: object, shape: object, order: object) -> np.ndarray:
        if not isinstance(values, bytes | bytearray) or order not in ("C", "F"):
            raise ValueError("an array without values")
        flat: np.ndarray = np.frombuffer(bytes(values), _plain(kind))
        return flat.reshape(_shape(shape), order="F" if order == "F" else "C")


class _Scalar(StandIn):
    """`numpy.core.multiarray.scalar`."""

    __slots__ = ()

    def __call__(self, kind: object, values: object) -> object:
        content = values.encode("latin-1") if isinstance(values, str) else values
        if not isinstance(content, bytes):
            raise ValueError("a scalar without a value")
        return np.frombuffer(content, _plain(kind), 1)[0]


_ORDERS: Mapping[str, Literal["<", ">", "=", "|"]] = {"<": "<", ">": ">", "=": "=", "|": "|"}


class _Type:
    """`numpy.dtype`: numbers and texts of fixed size, nothing compound."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object, align: object = 0, copy: object = 1) -> None:
        self._code = _text(code)
        self._order = _ORDERS["="]

    def __setstate__(self, state: Any) -> None:
        _, order, part, names, fields, *sizes = state
        if (part, names, fields) != (None, None, None) or not all(type(n) is int for n in sizes):
            raise ValueError("a compound type of values")
        self._order = _ORDERS[_text(order)]

    @property
    def dtype(self) -> np.dtype:
        if not self._code.isalnum():
            raise ValueError(f"values of type {self._code[:20]!r}")
        found: np.dtype = np.dtype(self._code).newbyteorder(self._order)
        if found.kind not in "biufSU" or found.itemsize == 0:
            raise ValueError(f"values of type {self._code!r}")
        return found


class _Encode(StandIn):
    """`_codecs.encode`: how Python 3 keeps bytes in protocol 2."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object = b"latin1") -> bytes:
        if not isinstance(text, str) or _text(encoding) not in ("latin1", "latin-1"):
            raise ValueError("a text in another encoding than Latin-1")
        return text.encode("latin-1")


class _NoBytes(StandIn):
    """`bytes`: how Python 3 keeps the empty bytes in protocol 2."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


NUMPY: Names = {
    ("numpy", "ndarray"): _ArrayClass(),
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _NewArray(),
    ("numpy._core.multiarray", "_reconstruct"): _NewArray(),
    ("numpy.core.multiarray", "scalar"): _Scalar(),
    ("numpy._core.multiarray", "scalar"): _Scalar(),
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer(),
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer(),
    ("_codecs", "encode"): _Encode(),
    ("__builtin__", "bytes"): _NoBytes(),
}
"""What arrays and scalars of NumPy are pickled with, under its old and its new module names."""


def _plain(kind: object) -> np.dtype:
    if not isinstance(kind, _Type):
        raise ValueError("values without a type")
    return kind.dtype


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("an array without a shape")
    return shape


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii")
    if not isinstance(value, str):
        raise ValueError("a name that is no text")
    return value
